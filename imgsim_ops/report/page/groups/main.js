// Buttons, keys and the beginning.
import { current, fill } from "imgsim/cards";
import { compare, isOpen, listen, openCompare, showMode } from "imgsim/compare";
import { groups, leaks, pictures, report } from "imgsim/data";
import { atRisk, cycle, decide, keepOnly, recall, reset, toggle, undo } from "imgsim/decisions";
import { KEEP, REMOVE, UNDECIDED } from "imgsim/decisions";
import { download, imported } from "imgsim/decisions_file";
import { $, say } from "imgsim/dom";
import { offer } from "imgsim/filter";
import { acceptAll, go, list, resetAll, step, visible } from "imgsim/list";
import { inBytes, plural } from "imgsim/words";

const MOST_PRINTED = 300;

// --- buttons ---------------------------------------------------------------------------------------------------------

const ACTS = {
  compare: openCompare,
  keep: (group, i) => toggle(group, i, KEEP),
  remove: (group, i) => toggle(group, i, REMOVE),
  only: keepOnly,
  best: (group) => keepOnly(group, group.best),
  reset: (group) => reset([group]),
  more: (group) => go(group, group.cards),
};

const act = (name, group, i) => ACTS[name]?.(group, i);

$("groups").addEventListener("click", (event) => {
  const element = event.target.closest(".card");
  const group = event.target.closest(".group")?.group;
  const pressed = event.target.closest("button");
  if (!group) return;
  if (element) go(group, element.place, false);
  if (pressed) act(pressed.dataset.act, group, element?.place ?? 0);
  else element?.focus({ preventScroll: true });
});

$("groups").addEventListener("focusin", (event) => {
  const element = event.target.closest(".card");
  const group = event.target.closest(".group")?.group;
  if (element && (current?.group !== group || current.i !== element.place)) go(group, element.place, false);
});

listen(act);
for (const element of document.querySelectorAll('[data-go="close"]')) {
  element.addEventListener("click", () => element.closest("dialog").close());
}
$("help").addEventListener("click", (event) => { if (event.target === $("help")) $("help").close(); });
$("help-button").addEventListener("click", () => $("help").showModal());
$("export").addEventListener("click", download);
$("undo").addEventListener("click", undo);
$("all").addEventListener("click", acceptAll);
$("none").addEventListener("click", resetAll);
$("import").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", async () => {
  const [file] = $("file").files;
  if (!file) return;
  const text = await file.text();
  $("file").value = ""; // so that the same file may be chosen again
  say(imported(text));
});
$("form").addEventListener("input", list);
$("form").addEventListener("submit", (event) => event.preventDefault());
addEventListener("beforeunload", (event) => { if (atRisk()) event.preventDefault(); });
addEventListener("beforeprint", () => visible.slice(0, MOST_PRINTED).forEach(fill));

// --- keys ------------------------------------------------------------------------------------------------------------

const STEPS = {
  j: [1, 0],
  ArrowDown: [1, 0],
  k: [-1, 0],
  ArrowUp: [-1, 0],
  ArrowRight: [0, 1],
  ArrowLeft: [0, -1],
};
const KEYS = {
  " ": cycle,
  x: ACTS.remove,
  y: ACTS.keep,
  u: (group, i) => decide(group, i, UNDECIDED),
  b: ACTS.best,
  o: ACTS.only,
};

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input:not([type=checkbox], [type=range]), select, textarea");
  if ((event.ctrlKey || event.metaKey) && event.key === "z" && !typing) {
    event.preventDefault();
    undo();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || typing || $("help").open) return;
  const pressed = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.target.type === "range" && pressed.startsWith("Arrow")) return;
  if (pressed === "?") $("help").showModal();
  else if (pressed === "/" && !isOpen()) {
    $("filters").open = true;
    $("text").focus();
  } else if (STEPS[pressed]) {
    if (step(...STEPS[pressed]) && isOpen()) compare();
  } else if (isOpen() && /^[1-9]$/.test(pressed)) {
    showMode(Number(pressed));
  } else if (current && KEYS[pressed]) {
    // A button that has the focus takes the space bar itself.
    if (pressed === " " && event.target.closest("button, a, summary, input")) return;
    KEYS[pressed](current.group, current.i);
  } else if (pressed === "Enter" && !isOpen() && current && event.target.classList.contains("card")) {
    openCompare(current.group, current.i);
  } else return;
  event.preventDefault();
});

// --- beginning -------------------------------------------------------------------------------------------------------

function showHead() {
  const count = groups.flatMap((group) => group.members).filter((member) => member.remove).length;
  const size = groups.reduce((sum, group) => sum + group.bytes, 0);
  $("summary").textContent = leaks
    ? `${plural(report.groups, "picture")} of the test set ` +
      `${report.groups === 1 ? "copies one" : "copy some"} of the training set`
    : `${plural(report.groups, "group")} · ${plural(pictures, "picture")} · ` +
      `${count.toLocaleString("en")} proposed to go, ${inBytes(size)}`;
  if (groups.length < report.groups) {
    const all = plural(report.groups, leaks ? "leak" : "group");
    $("limit").textContent =
      `Shown are the first ${groups.length.toLocaleString("en")} of ${all}, so that the page stays quick; ` +
      "decisions here are about these only.";
    $("limit").hidden = false;
  }
  for (const [name, value] of report.facts) {
    const term = document.createElement("dt"), text = document.createElement("dd");
    term.textContent = name;
    text.textContent = value;
    $("facts").append(term, text);
  }
  document.querySelector(".facts").hidden = !report.facts.length;
}

function showSkipped({ count, files }) {
  if (!count) return;
  const add = (...content) => {
    const element = document.createElement("li");
    element.append(...content);
    $("skipped").querySelector("ul").append(element);
  };
  $("skipped").hidden = false;
  $("skipped").querySelector("summary").textContent = `${plural(count, "file")} could not be read`;
  for (const { path, code } of files) {
    const name = document.createElement("bdi");
    name.textContent = path;
    add(name, ` (${code})`);
  }
  if (files.length < count) add(`and ${plural(count - files.length, "more", "more")}`);
}

function begin() {
  showHead();
  showSkipped(report.skipped);
  $("help-text").textContent =
    (leaks
      ? "Pictures of the training set are always kept. "
      : "At first all is as proposed: of each group the best copy is kept, what adds nothing to it goes, and the " +
        "others are open, until you decide. Something is only removed from a group while another picture of it is kept. ") +
    "Nothing is removed by this page: it writes decisions.json, which imgsim apply reads.";
  if (matchMedia("(max-width: 700px)").matches) $("filters").open = false;
  if (!groups.length) {
    document.querySelector(".bar").hidden = $("filters").hidden = true;
    $("nothing").textContent = leaks ? "No leaks were found." : "No duplicates were found.";
    $("nothing").hidden = false;
    return;
  }
  offer();
  recall();
  list();
}

begin();
