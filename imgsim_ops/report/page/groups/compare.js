// The dialog in which a picture is compared with the one that its group is about.
import { badges, current, showDecision } from "imgsim/cards";
import { leaks, shownPath, source } from "imgsim/data";
import { decision, events } from "imgsim/decisions";
import { $, button, line } from "imgsim/dom";
import { outline, view } from "imgsim/drawing";
import { aligned, apply, bounds, corners, inverse, rectangle, SAME } from "imgsim/geometry";
import { go, step } from "imgsim/list";
import { alternative, described, fileAddress, reasons, split, title } from "imgsim/words";

const MODES = ["side", "swipe", "blink", "difference", "overlay"];
const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
let mode = "side";
let swapped = false;
let blinking = 0;

export const isOpen = () => $("compare").open;

export function openCompare(group, i) {
  // From the picture that the others are compared with one wants to see another.
  const other = group.members.findIndex((_, place) => place !== group.base);
  go(group, i === group.base && other >= 0 ? other : i, false);
  $("compare").showModal();
  $("compare").querySelector(".compare").focus();
  compare();
}

// Modes are counted from 1, as the keys are.
export function showMode(number) {
  if (MODES[number - 1] && current.i !== current.group.base) show(MODES[number - 1]);
}

function show(next) {
  mode = next;
  compare();
}

export function compare() {
  const { group, i } = current;
  clearInterval(blinking);
  const one = group.members[i], other = group.members[group.base];
  const alone = i === group.base;
  const shown = alone ? "side" : mode;
  const known = Boolean(one.evidence?.transform);
  const area = $("stage-area");
  area.className = `stage ${shown}`;
  area.replaceChildren(...(shown === "side" ? panels(group, i) : [pile(shown, one, other)]));
  if (shown === "swipe" || shown === "overlay") slide();
  if (shown === "blink") {
    blink(!calm);
    switchTop(true);
  }
  const which = leaks ? "" : `, picture ${i + 1} of ${group.members.length}`;
  $("compare-title").textContent = title(group) + which;
  for (const element of document.querySelectorAll("[data-mode]")) {
    element.setAttribute("aria-pressed", element.dataset.mode === shown);
    element.disabled = alone && element.dataset.mode !== "side";
  }
  $("slider-tool").hidden = shown !== "swipe" && shown !== "overlay";
  $("slider-word").textContent = shown === "overlay" ? "Opacity" : "Swipe";
  $("blink-tool").hidden = shown !== "blink";
  $("outline-tool").hidden = !area.querySelector("polygon");
  showOutlines();
  $("evidence").textContent = alone
    ? (group.members.length > 1 ? "The others are compared with this one." : "")
    : reasons(one) + (shown !== "side" && !known ? " · laid over each other as wholes: no transform is known" : "");
  $("sides").replaceChildren(side(group, i), ...(alone ? [] : [side(group, group.base)]));
  refreshSides();
}

const differences = (member) => member.evidence?.differences ?? [];

// --- side by side ----------------------------------------------------------------------------------------------------

function panels(group, i) {
  const one = group.members[i], other = group.members[group.base];
  if (one === other) return [panel(one)];
  const places = differences(one);
  const transform = one.evidence?.transform ? aligned(one, other) : null;
  const through = (by, member) => by && corners(member).map((point) => apply(by, point));
  return [
    panel(one, through(transform && inverse(transform), other), places.map(({ here }) => rectangle(here))),
    panel(other, through(transform, one), places.map(({ there }) => rectangle(there))),
  ];
}

// `lies` is where the other picture lies in this one, if that is known.
function panel(member, lies = null, differing = []) {
  const element = document.createElement("div");
  element.className = "panel";
  if (source(member)) {
    const frame = corners(member);
    const svg = view(bounds(frame), { member, transform: SAME, label: alternative(member) });
    element.append(outline(svg, { own: lies && frame, other: lies, differing }));
  } else {
    element.append(`cannot be read: ${member.unreadable}`);
  }
  return element;
}

// --- one over the other ----------------------------------------------------------------------------------------------

function pile(shown, one, other) {
  const transform = aligned(one, other);
  const through = (list) => list.map((point) => apply(transform, point));
  const own = through(corners(one));
  const box = bounds(corners(other), own);
  const bottom = outline(view(box, { member: other, transform: SAME, label: alternative(other) }));
  const top = outline(view(box, { member: one, transform, label: alternative(one) }));
  const differing = differences(one).map(({ here }) => through(rectangle(here)));
  const lines = outline(view(box), { own, other: corners(other), differing });
  top.classList.add("top");
  lines.classList.add("lines");
  lines.setAttribute("aria-hidden", "true");
  const element = document.createElement("div");
  element.className = "pile";
  element.style.setProperty("--ratio", bottom.ratio);
  element.append(bottom, top, lines);
  if (shown === "swipe") withHandle(element);
  if (shown === "blink") element.append(line("p", "", "which"));
  return element;
}

function withHandle(element) {
  const handle = document.createElement("div");
  handle.className = "handle";
  element.append(handle);
  element.addEventListener("pointerdown", (event) => {
    element.setPointerCapture(event.pointerId);
    slideTo(event);
  });
  element.addEventListener("pointermove", (event) => { if (event.buttons) slideTo(event); });
}

function slideTo(event) {
  const edges = event.currentTarget.getBoundingClientRect();
  $("slider").value = 100 * (event.clientX - edges.left) / edges.width;
  slide();
}

function slide() {
  document.querySelector(".pile")?.style.setProperty("--at", `${$("slider").value}%`);
}

function switchTop(top = !swapped) {
  const element = document.querySelector(".pile");
  if (!element) return;
  swapped = top;
  element.classList.toggle("swapped", swapped);
  const { group, i } = current;
  element.querySelector(".which bdi").textContent = split(shownPath(group.members[swapped ? i : group.base]))[1];
}

function blink(on) {
  clearInterval(blinking);
  blinking = on ? setInterval(switchTop, 700) : 0;
  $("blink-tool").textContent = on ? "Pause" : calm ? "Switch" : "Go on";
  $("blink-tool").setAttribute("aria-pressed", on);
}

function showOutlines() {
  $("stage-area").classList.toggle("plain", !$("outline").checked);
}

// --- what is below the pictures --------------------------------------------------------------------------------------

function side(group, i) {
  const member = group.members[i];
  const element = document.createElement("div");
  element.className = "one-side";
  element.place = i;
  const [folder, name] = split(shownPath(member));
  const marks = document.createElement("p");
  marks.className = "badges";
  marks.append(...badges(group, i));
  const choice = document.createElement("div");
  choice.className = "choice";
  choice.setAttribute("role", "group");
  choice.setAttribute("aria-label", `Decision about ${name}`);
  if (leaks && i === group.base) choice.append("always kept");
  else choice.append(button("Keep", "keep"), button("Remove", "remove"));
  const open = document.createElement("a");
  open.href = fileAddress(member.path);
  open.target = "_blank";
  open.rel = "noopener noreferrer";
  open.textContent = "Open the file";
  choice.append(open);
  element.append(
    marks, line("p", name, "name"), line("p", folder, "folder"), line("p", described(member), "facts-line"), choice,
  );
  return element;
}

function refreshSides() {
  for (const element of $("sides").children) showDecision(element, decision(current.group, element.place));
}

// --- events ----------------------------------------------------------------------------------------------------------

// `act` is what a button about one picture does.
export function listen(act) {
  const dialog = $("compare");
  dialog.addEventListener("click", (event) => {
    const pressed = event.target.closest("button");
    const element = event.target.closest(".one-side");
    if (event.target === dialog) dialog.close();
    else if (pressed?.dataset.mode) show(pressed.dataset.mode);
    else if (pressed?.dataset.go === "previous" && step(0, -1)) compare();
    else if (pressed?.dataset.go === "next" && step(0, 1)) compare();
    else if (pressed?.dataset.act && element) act(pressed.dataset.act, current.group, element.place);
  });
  dialog.addEventListener("close", () => {
    clearInterval(blinking);
    $("stage-area").replaceChildren();
    document.body.append($("message"));
    go(current.group, current.i);
  });
  $("slider").addEventListener("input", slide);
  $("outline").addEventListener("change", showOutlines);
  $("blink-tool").addEventListener("click", () => (calm ? switchTop() : blink(!blinking)));
  events.addEventListener("changed", () => { if (isOpen()) refreshSides(); });
}
