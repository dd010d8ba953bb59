// Pictures and outlines as SVG, in the pixels of one of the pictures.
import { source } from "imgsim/data";
import { clone } from "imgsim/dom";
import { apply, bounds, corners } from "imgsim/geometry";

const points = (list) => list.map((point) => point.map((value) => value.toFixed(2)).join(",")).join(" ");

// `shown` is { member, transform, label }; without it the view is empty.
export function view(box, shown) {
  const svg = clone("view-template").firstElementChild;
  const margin = Math.max(box.width, box.height) * 0.008;
  const all = [box.x - margin, box.y - margin, box.width + 2 * margin, box.height + 2 * margin];
  svg.setAttribute("viewBox", all.map((value) => value.toFixed(2)).join(" "));
  svg.ratio = all[2] / all[3];
  const image = svg.querySelector("image");
  const data = shown && source(shown.member);
  if (data) {
    image.setAttribute("href", data);
    image.setAttribute("width", shown.member.width);
    image.setAttribute("height", shown.member.height);
    const [a, b, c, d, e, f] = shown.transform;
    image.setAttribute("transform", `matrix(${a} ${d} ${b} ${e} ${c} ${f})`);
    svg.setAttribute("aria-label", shown.label);
  } else {
    image.remove();
  }
  return svg;
}

// Outlines of the whole pictures, where they are given, and of places that differ.
export function outline(svg, { own = null, other = null, differing = [] } = {}) {
  const pattern = svg.querySelector(".differs");
  for (const list of differing) {
    const polygon = pattern.cloneNode();
    polygon.setAttribute("points", points(list));
    svg.append(polygon);
  }
  pattern.remove();
  for (const [kind, list] of [["own", own], ["other", other]]) {
    const polygon = svg.querySelector(`.${kind}`);
    if (list) polygon.setAttribute("points", points(list));
    else polygon.remove();
  }
  return svg;
}

// Where the one lies in the other, small.
export function sketch(one, other) {
  const there = corners(one).map((point) => apply(one.evidence.transform, point));
  const svg = outline(view(bounds(corners(other), there)), { own: corners(other), other: there });
  svg.setAttribute("aria-label", "where it lies in the picture it is compared with");
  return svg;
}
