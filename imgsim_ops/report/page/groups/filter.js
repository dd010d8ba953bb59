// Which groups are shown, in which order, and which of their pictures are meant.
import { groups, leaks } from "imgsim/data";
import { count, REMOVE, UNDECIDED } from "imgsim/decisions";
import { $ } from "imgsim/dom";
import { plural, relationWords, RELATIONS, STAGES } from "imgsim/words";

const filter = { text: "", relation: "", stage: "", least: -Infinity, state: "" };

const ORDERS = {
  freed: (a, b) => b.bytes - a.bytes,
  high: (a, b) => b.high - a.high,
  low: (a, b) => a.low - b.low,
  size: (a, b) => b.members.length - a.members.length,
};

// Offers the relations and stages that there are.
export function offer() {
  const members = groups.flatMap((group) => group.members);
  fill($("relation"), RELATIONS, members.map((member) => member.relation), relationWords);
  fill($("stage"), STAGES, members.map((member) => member.evidence?.stage), (stage) => STAGES[stage] ?? stage);
}

function fill(select, known, found, words) {
  const left = new Set(found);
  for (const name of [...Object.keys(known), ...left]) {
    if (left.delete(name) && name) select.add(new Option(words(name), name));
  }
  select.closest("label").hidden = select.length < 2;
}

function read() {
  filter.text = $("text").value.trim().toLowerCase();
  for (const name of ["relation", "stage", "state"]) filter[name] = $(name).value;
  filter.least = $("least").value === "" ? -Infinity : Number($("least").value);
}

// Whether the filters for relation, stage and score mean this member.
export function meant(group, i) {
  const { evidence, relation } = group.members[i];
  if (!evidence) return true;
  return (
    (!filter.relation || relation === filter.relation) &&
    (!filter.stage || evidence.stage === filter.stage) &&
    evidence.score >= filter.least
  );
}

export const meansPart = () => Boolean(filter.relation || filter.stage || filter.least > -Infinity);

function passes(group) {
  if (filter.text && !group.text.includes(filter.text)) return false;
  if (filter.state === "open" && !count(group, UNDECIDED)) return false;
  if (filter.state === "remove" && !count(group, REMOVE)) return false;
  if (filter.state === "unreadable" && group.members.every((member) => member.unreadable === undefined)) return false;
  return group.members.some((member, i) => member.evidence && meant(group, i)) || group.members.length === 1;
}

export function filtered() {
  read();
  const order = ORDERS[$("sort").value];
  const found = groups.filter(passes);
  return order ? found.sort((a, b) => order(a, b) || a.number - b.number) : found;
}

export function foundWords(visible) {
  const what = plural(groups.length, leaks ? "leak" : "group");
  return visible.length === groups.length ? `All ${what}` : `${visible.length.toLocaleString("en")} of ${what}`;
}
