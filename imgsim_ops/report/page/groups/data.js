// The groups, as the blocks of data before this script have them.
import { $ } from "imgsim/dom";

export const report = JSON.parse($("report").textContent);
export const leaks = report.kind === "leaks";
export const groups = [];
export let pictures = 0;

for (const block of document.querySelectorAll("script.group")) {
  groups.push(complete(JSON.parse(block.textContent)));
  block.remove();
}

function complete(group) {
  const { members } = group;
  members[group.best].remove = false;
  // Besides the picture kept, what stays in the place of another one is kept too.
  group.staying = new Set([group.best, ...members.filter((member) => member.remove).map((member) => member.kept)]);
  const scores = members.filter((member) => member.evidence).map((member) => member.evidence.score);
  group.number = groups.length;
  group.first = pictures; // place of its first picture among all
  // The picture that the others are compared with has no evidence of its own.
  group.base = Math.max(0, members.findIndex((member) => !member.evidence));
  group.low = Math.min(...scores, 1);
  group.high = scores.length ? Math.max(...scores) : 1;
  group.bytes = members.reduce((sum, member) => sum + (member.remove ? freed(member) : 0), 0);
  group.text = members.map((member) => shownPath(member).toLowerCase()).join("\n");
  for (const member of members) member.relation ??= member.evidence?.relation ?? null;
  pictures += members.length;
  return group;
}

// Bytes that become free with a picture: none where its file has other names.
export function freed(member) {
  return member.frees === false ? 0 : member.bytes;
}

export function shownPath(member) {
  return member.printable ?? member.path;
}

// The small picture, where the file could be read.
export function source(member) {
  return member.thumbnail === undefined ? null : $(`t${member.thumbnail}`).textContent;
}
