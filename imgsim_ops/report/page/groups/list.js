// The groups that pass the filter, moving about in them, and decisions about all of them.
import { groups, leaks } from "imgsim/data";
import { canUndo, change, decision, events, proposal, REMOVE, reset, set, totals, undo } from "imgsim/decisions";
import { current, reach, refreshGroup, setCurrent, shell } from "imgsim/cards";
import { filtered, foundWords, meansPart, meant } from "imgsim/filter";
import { $, say } from "imgsim/dom";
import { inBytes, plural } from "imgsim/words";

export let visible = groups;

export function list() {
  visible = filtered();
  $("groups").replaceChildren(...visible.map(shell));
  if (current && !visible.includes(current.group)) setCurrent(null);
  $("found").textContent = foundWords(visible);
  const part = meansPart() ? ", where the filter means them" : "";
  $("all").textContent = leaks
    ? `Remove from test in ${visible.length === 1 ? "this one" : `these ${visible.length.toLocaleString("en")}`}`
    : `Accept all proposals in ${plural(visible.length, "group")}${part}`;
  $("all").disabled = $("none").disabled = !visible.length;
  $("nothing").hidden = visible.length > 0 || !groups.length;
  refresh();
}

function refresh() {
  const sums = totals();
  $("counts").textContent =
    `${sums.remove.toLocaleString("en")} to remove · ${inBytes(sums.bytes)} freed · ` +
    (leaks
      ? `${plural(sums.undecided, "undecided", "undecided")}`
      : `${sums.keep.toLocaleString("en")} kept · ${sums.undecided.toLocaleString("en")} undecided`);
  $("undo").disabled = !canUndo();
  visible.forEach(refreshGroup);
}

events.addEventListener("changed", refresh);

// --- moving about ----------------------------------------------------------------------------------------------------

export function go(group, i, focus = true) {
  reach(group, i);
  setCurrent({ group, i });
  if (focus) {
    const element = group.section.querySelectorAll(".card")[i];
    element.focus({ preventScroll: true });
    group.section.scrollIntoView({ block: group.section.offsetHeight > innerHeight ? "start" : "nearest" });
    element.scrollIntoView({ block: "nearest" });
  }
}

export function step(groupsOn, picturesOn) {
  if (!visible.length) return false;
  if (!current) {
    go(visible[0], 0, !$("compare").open);
    return true;
  }
  let at = visible.indexOf(current.group) + groupsOn;
  let i = groupsOn ? 0 : current.i + picturesOn;
  if (!groupsOn && (i < 0 || i >= current.group.members.length)) {
    at += picturesOn;
    i = picturesOn < 0 ? (visible[at]?.members.length ?? 0) - 1 : 0;
  }
  if (at < 0 || at >= visible.length) return false;
  go(visible[at], i, !$("compare").open);
  return true;
}

// --- all that are visible --------------------------------------------------------------------------------------------

// What nothing is proposed for stays as it is. Of leaks nothing is proposed: there it is a person's own word for all.
function accepted(group) {
  return group.members.map((_, i) => {
    const value = leaks && i !== group.base ? REMOVE : proposal(group, i);
    return i === group.best || (value === REMOVE && meant(group, i)) ? value : decision(group, i);
  });
}

export function acceptAll() {
  const before = totals().remove;
  const done = change(() => visible.forEach((group) => set(group, accepted(group))));
  const more = totals().remove - before;
  const words = more > 0 ? `${plural(more, "more picture")} to remove.` : "Accepted.";
  say(done ? words : "Nothing to change.", done && undo);
}

export function resetAll() {
  const done = reset(visible);
  say(done ? "Back to the proposal." : "Nothing to change.", done && undo);
}
