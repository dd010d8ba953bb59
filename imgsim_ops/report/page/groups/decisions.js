// What becomes of each picture: first as proposed, then as a person decides.
import { freed, groups, leaks, pictures, report } from "imgsim/data";
import { say } from "imgsim/dom";

export const UNDECIDED = 0, KEEP = 1, REMOVE = 2;

// Tells "changed", and "refused" with the group and the place of the picture.
export const events = new EventTarget();

const MOST_UNDO = 50;
const decisions = new Uint8Array(pictures);
const history = [];
let unsaved = false;
let remembers = true;

export const decision = (group, i) => decisions[group.first + i];
export const canUndo = () => history.length > 0;
export const atRisk = () => unsaved && !remembers;
export const saved = () => { unsaved = false; };

export function count(group, value) {
  return group.members.reduce((sum, _, i) => sum + (decision(group, i) === value), 0);
}

export function proposal(group, i) {
  if (group.staying.has(i)) return KEEP;
  return group.members[i].remove ? REMOVE : UNDECIDED;
}

const proposals = (group) => group.members.map((_, i) => proposal(group, i));

export function set(group, values) {
  decisions.set(values, group.first);
}

// Nothing may be removed from a group unless one of it is expressly kept: an undecided picture may go tomorrow.
// A page neither goes from its file nor stays in a picture's place.
export function refusal(group, values) {
  if (leaks && values[group.base] !== KEEP) return "Pictures of the training set are always kept here.";
  const isPage = (i) => Boolean(group.members[i].page);
  if (values.some((value, i) => value === REMOVE && isPage(i))) return "Not done: no page can be removed from its file.";
  if (!values.includes(REMOVE) || values.some((value, i) => value === KEEP && !isPage(i))) return "";
  return values.every((value) => value === REMOVE)
    ? "Not done: all pictures of the group would be removed. Keep another one first."
    : "Not done: no picture of the group would be kept. Keep another one first.";
}

// --- in the browser's memory: only what differs from the proposal, so that a new proposal is seen --------------------

const LETTERS = "ukr";
const AS_PROPOSED = ".";
const key = `imgsim-choices-${report.digest}`;

function letters(group) {
  return proposals(group).map((value, i) => (decision(group, i) === value ? AS_PROPOSED : LETTERS[decision(group, i)]));
}

function forgets() {
  if (remembers) say("This browser does not remember decisions of this page: export them before you close it.");
  remembers = false;
}

function remember() {
  try {
    localStorage.setItem(key, groups.flatMap(letters).join(""));
  } catch {
    forgets();
  }
}

export function recall() {
  for (const group of groups) set(group, proposals(group));
  let text = null;
  try {
    text = localStorage.getItem(key);
  } catch {
    forgets();
  }
  if (text === null || text.length !== pictures) return;
  for (const group of groups) {
    const values = proposals(group).map((value, i) => {
      const letter = text[group.first + i];
      return letter === AS_PROPOSED ? value : LETTERS.indexOf(letter);
    });
    if (!values.includes(-1) && !refusal(group, values)) set(group, values);
  }
}

// --- changes ---------------------------------------------------------------------------------------------------------

export function change(work) {
  const before = decisions.slice();
  work();
  if (before.every((value, i) => value === decisions[i])) return false;
  history.push(before);
  if (history.length > MOST_UNDO) history.shift();
  changed();
  return true;
}

function changed() {
  unsaved = true;
  remember();
  events.dispatchEvent(new Event("changed"));
}

export function undo() {
  const before = history.pop();
  if (!before) return;
  decisions.set(before);
  changed();
  say("Undone.");
}

export function decide(group, i, value) {
  const values = group.members.map((_, place) => (place === i ? value : decision(group, place)));
  const no = refusal(group, values);
  if (no) {
    say(no);
    events.dispatchEvent(new CustomEvent("refused", { detail: { group, i } }));
    return;
  }
  change(() => set(group, values));
}

export function toggle(group, i, value) {
  decide(group, i, decision(group, i) === value ? UNDECIDED : value);
}

export function cycle(group, i) {
  const next = { [UNDECIDED]: KEEP, [KEEP]: REMOVE, [REMOVE]: UNDECIDED }[decision(group, i)];
  const others = group.members.some((_, place) => place !== i && decision(group, place) === KEEP);
  decide(group, i, next === REMOVE && !others ? UNDECIDED : next);
}

export function keepOnly(group, i) {
  const values = group.members.map((_, place) => (place === i ? KEEP : REMOVE));
  const no = refusal(group, values);
  if (no) say(no);
  else change(() => set(group, values));
}

export function reset(some) {
  return change(() => some.forEach((group) => set(group, proposals(group))));
}

export function totals() {
  const sums = { keep: 0, remove: 0, undecided: 0, bytes: 0 };
  for (const group of groups) {
    group.members.forEach((member, i) => {
      const value = decision(group, i);
      if (value === REMOVE) sums.bytes += freed(member);
      sums[value === REMOVE ? "remove" : value === KEEP ? "keep" : "undecided"] += 1;
    });
  }
  return sums;
}
