// The file that `imgsim apply` reads, out of the page and back into it.
import { groups, leaks } from "imgsim/data";
import { change, count, decision, KEEP, refusal, REMOVE, saved, set, totals, UNDECIDED } from "imgsim/decisions";
import { say } from "imgsim/dom";
import { inBytes, plural } from "imgsim/words";

function exported() {
  // What goes although that was not proposed is a person's own choice, and is journalled as such.
  const named = ({ path, sha256, remove }, value) =>
    value === REMOVE && !remove ? { path, sha256, own: true } : { path, sha256 };
  const listed = (group, value) =>
    group.members.filter((member, i) => !member.page && decision(group, i) === value).map((member) => named(member, value));
  return {
    imgsim: "decisions",
    version: 1,
    groups: groups
      .filter((group) => count(group, REMOVE))
      .map((group) => ({ keep: listed(group, KEEP), remove: listed(group, REMOVE) })),
  };
}

export function download() {
  const sums = totals();
  if (!sums.remove) return say("Nothing to export yet: no picture is marked to be removed.");
  // JSON.stringify writes bytes of names that are not UTF-8, which are lone surrogates here, as \udcXX.
  const url = URL.createObjectURL(new Blob([JSON.stringify(exported(), null, 1), "\n"], { type: "application/json" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = "decisions.json";
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
  saved();
  const words = `${plural(sums.remove, "picture")} to remove, ${inBytes(sums.bytes)}`;
  say(`decisions.json: ${words}. See imgsim apply decisions.json.`);
}

function byContent() {
  const places = new Map();
  for (const group of groups) {
    group.members.forEach((member, i) => {
      const name = `${member.sha256} ${member.path}`;
      if (!places.has(name)) places.set(name, []);
      places.get(name).push([group, i]);
    });
  }
  return places;
}

// Takes the decisions of such a file and answers in words what came of it.
export function imported(text) {
  let document;
  try {
    document = JSON.parse(text);
  } catch {
    return "Not imported: the file is no JSON.";
  }
  if (document?.imgsim !== "decisions" || document.version !== 1 || !Array.isArray(document.groups)) {
    return "Not imported: the file has no decisions of version 1.";
  }
  const places = byContent();
  let unknown = 0;
  const wanted = new Map();
  for (const entry of document.groups) {
    for (const [list, value] of [[entry?.keep, KEEP], [entry?.remove, REMOVE]]) {
      for (const file of Array.isArray(list) ? list : []) {
        const found = places.get(`${file?.sha256} ${file?.path}`);
        if (!found) unknown += 1;
        for (const [group, i] of found ?? []) {
          if (!wanted.has(group)) wanted.set(group, group.members.map(() => UNDECIDED));
          wanted.get(group)[i] = value;
        }
      }
    }
  }
  let refused = 0;
  change(() => {
    for (const [group, values] of wanted) {
      if (leaks) values[group.base] = KEEP;
      if (refusal(group, values)) refused += 1;
      else set(group, values);
    }
  });
  const parts = [`Imported decisions about ${plural(wanted.size - refused, "group")}.`];
  const are = unknown === 1 ? "is" : "are";
  if (unknown) parts.push(`${plural(unknown, "picture")} of the file ${are} not in this report.`);
  if (refused) parts.push(`${plural(refused, "group")} left as before, since nothing would be kept.`);
  return parts.join(" ");
}
