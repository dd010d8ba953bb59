// A group's section and its cards. Only what is near the window has elements, however many groups there are.
import { freed, leaks, shownPath, source } from "imgsim/data";
import { decision, events, KEEP, REMOVE } from "imgsim/decisions";
import { $, clone, button } from "imgsim/dom";
import { sketch } from "imgsim/drawing";
import { meant } from "imgsim/filter";
import { alternative, described, inBytes, plural, reasons, role, split, title } from "imgsim/words";
import { RELATIONS, relationWords } from "imgsim/words";

// Cards of a group that are shown at first, and how many a press of "more" adds.
const CARDS = 24;

// The picture that keys are about: { group, i }.
export let current = null;

export function setCurrent(place) {
  const before = current?.group;
  current = place;
  if (before && before !== place?.group) refreshGroup(before);
  if (place) refreshGroup(place.group);
}

const watch = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting) fill(target.group);
    else if (target.filled && !target.contains(document.activeElement)) empty(target);
  }
}, { rootMargin: "1200px 0px" });

export function shell(group) {
  if (!group.section) {
    const section = document.createElement("section");
    section.className = `group of-${Math.min(Math.max(group.members.length, 1), 5)}`;
    section.setAttribute("aria-label", title(group));
    section.group = group;
    group.section = section;
    group.cards = CARDS;
    watch.observe(section);
  }
  return group.section;
}

export function fill(group) {
  const section = shell(group);
  if (section.filled) return;
  section.filled = true;
  section.style.minHeight = "";
  section.append(clone("group-template"));
  section.querySelector("h2").textContent = title(group);
  const all = section.querySelector('[data-act="best"]');
  all.textContent = leaks ? "Remove from test" : "Remove all others";
  if (!leaks) all.title = "Keep the best copy and remove all the others, whatever is proposed (b)";
  addCards(group, 0);
  refreshGroup(group);
}

function empty(section) {
  section.style.minHeight = `${section.offsetHeight}px`;
  section.replaceChildren();
  section.filled = false;
}

function addCards(group, from) {
  const cards = group.section.querySelector(".cards");
  cards.querySelector(".more")?.remove();
  const to = Math.min(group.cards, group.members.length);
  for (let i = from; i < to; i += 1) cards.append(card(group, i));
  if (to < group.members.length) {
    const more = button(`Show ${Math.min(CARDS, group.members.length - to)} more of ${group.members.length}`, "more");
    more.className = "more";
    cards.append(more);
  }
}

// Shows cards up to the one at a place.
export function reach(group, i) {
  if (i >= group.cards) {
    const from = group.cards;
    group.cards = Math.ceil((i + 1) / CARDS) * CARDS;
    if (group.section.filled) addCards(group, from);
  }
  fill(group);
}

export function badges(group, i) {
  const { relation } = group.members[i];
  const list = [[role(group, i), leaks ? "role" : "best"]];
  if (relation) list.push([relationWords(relation), `relation ${relation}`, RELATIONS[relation]?.means]);
  return list.filter(([text]) => text).map(([text, kind, means = ""]) => {
    const badge = document.createElement("span");
    badge.className = kind;
    badge.textContent = text;
    badge.title = means;
    return badge;
  });
}

function card(group, i) {
  const member = group.members[i];
  const element = clone("card-template").firstElementChild;
  const find = (selector) => element.querySelector(selector);
  const [folder, name] = split(shownPath(member));
  element.place = i;
  element.setAttribute("aria-label", name);
  const picture = find(".picture");
  const data = source(member);
  if (data) {
    const image = new Image();
    image.src = data;
    image.alt = alternative(member);
    picture.replaceChildren(image);
  } else {
    find(".missing").textContent = `cannot be read: ${member.unreadable}`;
  }
  picture.title = "Compare (Enter)";
  find(".badges").append(...badges(group, i));
  find(".name bdi").textContent = name;
  find(".folder bdi").textContent = folder;
  find(".name").title = find(".folder").title = shownPath(member);
  find(".facts-line").textContent = described(member);
  const why = member.evidence ? reasons(member) : "";
  find(".why p").textContent = why;
  if (member.evidence?.transform) find(".sketch").append(sketch(member, group.members[group.base]));
  else find(".sketch").remove();
  if (!why && !find(".sketch")) find(".why").remove();
  find(".choice").setAttribute("aria-label", `Decision about ${name}`);
  if (leaks) {
    find('[data-act="only"]').remove();
    if (i === group.base) find(".choice").replaceChildren("always kept");
  }
  return element;
}

// Shows the decision on a card, or on a side of the comparison.
export function showDecision(element, value) {
  element.classList.toggle("keep", value === KEEP);
  element.classList.toggle("remove", value === REMOVE);
  element.querySelector('[data-act="keep"]')?.setAttribute("aria-pressed", value === KEEP);
  element.querySelector('[data-act="remove"]')?.setAttribute("aria-pressed", value === REMOVE);
}

export function refreshGroup(group) {
  const section = group.section;
  if (!section?.filled) return;
  const removed = group.members.filter((_, i) => decision(group, i) === REMOVE);
  const bytes = removed.reduce((sum, member) => sum + freed(member), 0);
  const sum = leaks ? [] : [plural(group.members.length, "picture")];
  if (removed.length) sum.push(`${removed.length} to remove, ${inBytes(bytes)}`);
  section.querySelector(".sum").textContent = sum.join(" · ");
  for (const element of section.querySelectorAll(".card")) {
    const here = current?.group === group && current.i === element.place;
    showDecision(element, decision(group, element.place));
    element.classList.toggle("aside", !meant(group, element.place));
    element.classList.toggle("current", here);
    element.tabIndex = here ? 0 : -1;
  }
}

events.addEventListener("refused", ({ detail: { group, i } }) => {
  const element = group.section?.querySelectorAll(".card")[i];
  element?.classList.remove("refused");
  requestAnimationFrame(() => element?.classList.add("refused"));
});
