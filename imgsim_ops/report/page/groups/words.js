// What the page shows, in words.
import { leaks, report, shownPath } from "imgsim/data";

export const STAGES = {
  content: "equal bytes",
  perceptual: "perceptual hash",
  vector: "vector alone",
  local: "local features",
};

// From what may safely go to what may not.
export const RELATIONS = {
  identical: { words: "equal bytes", means: "Every byte of the two files is equal." },
  same_pixels: { words: "equal pixels", means: "The files differ, but every pixel is equal." },
  copy: { words: "copy", means: "The same picture in another size, format or quality." },
  part: { words: "part of it", means: "It shows a part of the other picture." },
  edited: { words: "edited", means: "The same picture, but places in it differ." },
  look_alike: { words: "looks alike", means: "It looks alike, but may well be another picture." },
};

export const relationWords = (relation) => RELATIONS[relation]?.words ?? relation;

export function plural(count, one, many = one + "s") {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

export function inBytes(bytes) {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (bytes >= 999.5 && unit < units.length - 1) {
    bytes /= 1000;
    unit += 1;
  }
  return `${unit && bytes < 99.95 ? bytes.toFixed(1) : Math.round(bytes)} ${units[unit]}`;
}

function inDays(seconds) {
  const date = new Date(seconds * 1000);
  return isNaN(date) ? "" : date.toISOString().slice(0, 10);
}

// What a file has several of.
function inFrames({ frames, format }) {
  const what = format === "TIFF" ? "page" : format === "JPEG" || format === "HEIF" ? "picture" : "frame";
  return frames > 1 ? plural(frames, what) : "";
}

// Folder and name.
export function split(path) {
  const cut = Math.max(path.lastIndexOf("/"), /^[A-Za-z]:\\|^\\\\/.test(path) ? path.lastIndexOf("\\") : -1);
  return [path.slice(0, cut + 1), path.slice(cut + 1)];
}

export function described(member) {
  const parts = [
    `${member.width} × ${member.height}`, inFrames(member), member.format, inBytes(member.bytes),
    inDays(member.modified),
  ];
  // Lines break between the parts, not inside them.
  return parts.filter(Boolean).map((part) => part.replaceAll(" ", "\u00a0").replaceAll("-", "\u2011")).join(" · ");
}

export function alternative(member) {
  return [split(shownPath(member))[1], described(member)].join(", ");
}

export function reasons({ evidence, relation, stays, same_file: sameFile }) {
  const parts = [...looks(evidence)];
  if (sameFile !== undefined) parts.push("another name of the same file");
  if (stays) parts.unshift(stays);
  if (relation !== "identical") parts.push(STAGES[evidence.stage] ?? evidence.stage);
  if (evidence.stage !== "content") parts.push(`score ${evidence.score.toFixed(3)}`);
  if (evidence.distance !== undefined) parts.push(`hash ${evidence.distance} of 256 bits apart`);
  if (evidence.inliers !== undefined) parts.push(plural(evidence.inliers, "matching feature"));
  if (report.turned[evidence.orientation]) parts.push(report.turned[evidence.orientation]);
  return parts.join(" · ");
}

// What a look at the pixels found.
function looks({ differences, overlap }) {
  const parts = [];
  if (differences?.length) parts.push(plural(differences.length, "place differs", "places differ"));
  if (overlap?.some((share) => share < 0.995)) {
    const [own, other] = overlap.map((share) => `${Math.round(100 * share)}%`);
    parts.push(`shared: ${own} of it, ${other} of the ${leaks ? "training picture" : "best copy"}`);
  }
  return parts;
}

export function title(group) {
  return `${leaks ? "Leak" : "Group"} ${(group.number + 1).toLocaleString("en")}`;
}

export function role(group, i) {
  if (leaks) return i === group.base ? "Training" : "Test";
  return i === group.best ? "★ Best copy" : "";
}

// Bytes that are not UTF-8 stand in paths as U+DC80 to U+DCFF.
export function fileAddress(path) {
  const slashed = /^[A-Za-z]:\\|^\\\\/.test(path) ? `/${path.replaceAll("\\", "/")}` : path;
  const encoded = Array.from(slashed, (c) => {
    const code = c.codePointAt(0);
    if (code >= 0xdc80 && code <= 0xdcff) return `%${(code - 0xdc00).toString(16)}`;
    if (code >= 0xd800 && code <= 0xdfff) return "%3F";
    return c === "/" ? c : encodeURIComponent(c);
  });
  return `file://${encoded.join("")}`;
}
