"use strict";
// One closed scope. Data come from the blocks before this script; whatever is shown of them goes through textContent.
(() => {
  const UNDECIDED = 0, KEEP = 1, REMOVE = 2;
  const LETTERS = "ukr";
  const STAGES = {
    content: "equal bytes",
    perceptual: "perceptual hash",
    vector: "vector alone",
    local: "local features",
  };
  // Cards of a group that are shown at first, and how many a press of "more" adds.
  const CARDS = 24;
  const MOST_UNDO = 50;
  const MOST_PRINTED = 300;

  const $ = (id) => document.getElementById(id);
  const clone = (id) => $(id).content.cloneNode(true);
  const report = JSON.parse($("report").textContent);
  const leaks = report.kind === "leaks";

  const groups = [];
  let pictures = 0;
  for (const block of document.querySelectorAll("script.group")) {
    const group = JSON.parse(block.textContent);
    group.number = groups.length;
    group.first = pictures;
    group.cards = CARDS;
    const scores = group.members.filter((member) => member.evidence).map((member) => member.evidence.score);
    group.low = Math.min(...scores, 1);
    group.high = scores.length ? Math.max(...scores) : 1;
    group.bytes = group.members.reduce((sum, member, i) => sum + (i === group.best ? 0 : member.bytes), 0);
    group.text = group.members.map((member) => (member.printable ?? member.path).toLowerCase()).join("\n");
    pictures += group.members.length;
    groups.push(group);
    block.remove();
  }

  // --- words ----------------------------------------------------------------------------------------------------------

  function plural(count, one, many = one + "s") {
    return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
  }

  function inBytes(bytes) {
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

  function shownPath(member) {
    return member.printable ?? member.path;
  }

  function split(path) {
    const cut = Math.max(path.lastIndexOf("/"), /^[A-Za-z]:\\|^\\\\/.test(path) ? path.lastIndexOf("\\") : -1);
    return [path.slice(0, cut + 1), path.slice(cut + 1)];
  }

  function described(member) {
    const parts = [`${member.width} × ${member.height}`, member.format, inBytes(member.bytes), inDays(member.modified)];
    // Lines break between the parts, not inside them.
    return parts.filter(Boolean).map((part) => part.replaceAll(" ", "\u00a0").replaceAll("-", "\u2011")).join(" · ");
  }

  function reasons(evidence) {
    const parts = [STAGES[evidence.stage] ?? evidence.stage];
    if (evidence.stage !== "content") parts.push(`score ${evidence.score.toFixed(3)}`);
    if (evidence.distance !== undefined) parts.push(`hash ${evidence.distance} of 256 bits apart`);
    if (evidence.inliers !== undefined) parts.push(plural(evidence.inliers, "matching feature"));
    if (report.turned[evidence.orientation]) parts.push(report.turned[evidence.orientation]);
    return parts.join(" · ");
  }

  function role(group, i) {
    if (leaks) return i ? "Test" : "Training";
    return i ? "" : "Representative";
  }

  let hiding = 0;
  function say(text, action) {
    const box = $("message");
    box.replaceChildren(text);
    if (action) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = "Undo";
      button.addEventListener("click", action);
      box.append(button);
    }
    // What lies above an open dialog must be inside of it.
    ($("compare").open ? $("compare") : document.body).append(box);
    box.classList.add("shown");
    clearTimeout(hiding);
    hiding = setTimeout(() => box.classList.remove("shown"), 7000);
  }

  // --- decisions ------------------------------------------------------------------------------------------------------

  const decisions = new Uint8Array(pictures);
  const history = [];
  let unsaved = false;
  let remembers = true;

  const decision = (group, i) => decisions[group.first + i];
  const count = (group, value) => group.members.reduce((sum, _, i) => sum + (decision(group, i) === value), 0);

  function propose(group) {
    group.members.forEach((_, i) => { decisions[group.first + i] = i === group.best ? KEEP : UNDECIDED; });
  }

  // Nothing may be removed from a group unless one of it is expressly kept: an undecided picture may go tomorrow.
  function refusal(group, values) {
    if (leaks && values[0] !== KEEP) return "Pictures of the training set are always kept here.";
    if (!values.includes(REMOVE) || values.includes(KEEP)) return "";
    return values.every((value) => value === REMOVE)
      ? "Not done: all pictures of the group would be removed. Keep another one first."
      : "Not done: no picture of the group would be kept. Keep another one first.";
  }

  const key = `imgsim-decisions-${report.digest}`;

  function remember() {
    const text = Array.from(decisions, (value) => LETTERS[value]).join("");
    try {
      localStorage.setItem(key, text);
    } catch {
      if (remembers) say("This browser does not remember decisions of this page: export them before you close it.");
      remembers = false;
    }
  }

  function recall() {
    groups.forEach(propose);
    let text = null;
    try {
      text = localStorage.getItem(key);
    } catch {
      remembers = false;
    }
    if (text === null || text.length !== pictures) return;
    for (const group of groups) {
      const values = Array.from(text.slice(group.first, group.first + group.members.length), (c) => LETTERS.indexOf(c));
      if (!values.includes(-1) && !refusal(group, values)) decisions.set(values, group.first);
    }
  }

  function change(work) {
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
    refresh();
  }

  function undo() {
    const before = history.pop();
    if (!before) return;
    decisions.set(before);
    changed();
    say("Undone.");
  }

  function decide(group, i, value) {
    const values = group.members.map((_, place) => decision(group, place));
    values[i] = value;
    const no = refusal(group, values);
    if (no) {
      say(no);
      const card = group.section?.querySelectorAll(".card")[i];
      card?.classList.remove("refused");
      requestAnimationFrame(() => card?.classList.add("refused"));
      return;
    }
    change(() => decisions.set(values, group.first));
  }

  function toggle(group, i, value) {
    decide(group, i, decision(group, i) === value ? UNDECIDED : value);
  }

  function cycle(group, i) {
    const next = { [UNDECIDED]: KEEP, [KEEP]: REMOVE, [REMOVE]: UNDECIDED }[decision(group, i)];
    const others = group.members.some((_, place) => place !== i && decision(group, place) === KEEP);
    decide(group, i, next === REMOVE && !others ? UNDECIDED : next);
  }

  function keepOnly(group, i) {
    if (leaks && i) return say(refusal(group, [REMOVE, KEEP]));
    change(() => group.members.forEach((_, place) => { decisions[group.first + place] = place === i ? KEEP : REMOVE; }));
  }

  // Whether the filters for stage and score mean this member. The representative has no evidence of its own: what ties it
  // to the best copy is the evidence of that one.
  function meant(group, i) {
    const evidence = (group.members[i].evidence ?? group.members[group.best].evidence);
    if (!evidence) return true;
    return (!filter.stage || evidence.stage === filter.stage) && evidence.score >= filter.least;
  }

  function keepBestOfAll() {
    const before = totals().remove;
    const done = change(() => {
      for (const group of visible) {
        decisions[group.first + group.best] = KEEP;
        group.members.forEach((_, i) => {
          if (i !== group.best && meant(group, i)) decisions[group.first + i] = REMOVE;
        });
      }
    });
    const more = totals().remove - before;
    say(done ? `${plural(more, "more picture")} to remove.` : "Nothing to change.", done && undo);
  }

  function resetAll() {
    const done = change(() => visible.forEach(propose));
    say(done ? "Back to the proposal." : "Nothing to change.", done && undo);
  }

  function totals() {
    const sums = { keep: 0, remove: 0, undecided: 0, bytes: 0 };
    for (const group of groups) {
      group.members.forEach((member, i) => {
        const value = decision(group, i);
        if (value === REMOVE) sums.bytes += member.bytes;
        sums[value === REMOVE ? "remove" : value === KEEP ? "keep" : "undecided"] += 1;
      });
    }
    return sums;
  }

  // --- the file of decisions ------------------------------------------------------------------------------------------

  function exported() {
    const named = ({ path, sha256 }) => ({ path, sha256 });
    const listed = (group, value) => group.members.filter((_, i) => decision(group, i) === value).map(named);
    return {
      imgsim: "decisions",
      version: 1,
      groups: groups
        .filter((group) => count(group, REMOVE))
        .map((group) => ({ keep: listed(group, KEEP), remove: listed(group, REMOVE) })),
    };
  }

  function download() {
    const sums = totals();
    if (!sums.remove) return say("Nothing to export yet: no picture is marked to be removed.");
    // JSON.stringify writes bytes of names that are not UTF-8, which are lone surrogates here, as \udcXX.
    const url = URL.createObjectURL(new Blob([JSON.stringify(exported(), null, 1), "\n"], { type: "application/json" }));
    const link = document.createElement("a");
    link.href = url;
    link.download = "decisions.json";
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 60000);
    unsaved = false;
    say(`decisions.json: ${plural(sums.remove, "picture")} to remove, ${inBytes(sums.bytes)}. See imgsim apply decisions.json.`);
  }

  function imported(text) {
    let document;
    try {
      document = JSON.parse(text);
    } catch {
      return "Not imported: the file is no JSON.";
    }
    if (document?.imgsim !== "decisions" || document.version !== 1 || !Array.isArray(document.groups)) {
      return "Not imported: the file has no decisions of version 1.";
    }
    const places = new Map();
    for (const group of groups) {
      group.members.forEach((member, i) => {
        const name = `${member.sha256} ${member.path}`;
        if (!places.has(name)) places.set(name, []);
        places.get(name).push([group, i]);
      });
    }
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
        if (leaks) values[0] = KEEP;
        if (refusal(group, values)) refused += 1;
        else decisions.set(values, group.first);
      }
    });
    const parts = [`Imported decisions about ${plural(wanted.size - refused, "group")}.`];
    if (unknown) parts.push(`${plural(unknown, "picture")} of the file ${unknown === 1 ? "is" : "are"} not in this report.`);
    if (refused) parts.push(`${plural(refused, "group")} left as before, since nothing would be kept.`);
    return parts.join(" ");
  }

  // --- the list -------------------------------------------------------------------------------------------------------

  const filter = { text: "", stage: "", least: -Infinity, state: "" };
  let visible = groups;
  let current = null; // { group, i }

  const wide = (count) => Math.min(Math.max(count, 1), 5);

  function shell(group) {
    if (!group.section) {
      const section = document.createElement("section");
      section.className = `group of-${wide(group.members.length)}`;
      section.setAttribute("aria-label", title(group));
      section.group = group;
      group.section = section;
      watch.observe(section);
    }
    return group.section;
  }

  function title(group) {
    return `${leaks ? "Leak" : "Group"} ${(group.number + 1).toLocaleString("en")}`;
  }

  // Only what is near the window has elements, however many groups there are.
  const watch = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) fill(target.group);
      else if (target.filled && !target.contains(document.activeElement)) empty(target);
    }
  }, { rootMargin: "1200px 0px" });

  function fill(group) {
    const section = shell(group);
    if (section.filled) return;
    section.filled = true;
    section.style.minHeight = "";
    section.append(clone("group-template"));
    section.querySelector("h2").textContent = title(group);
    section.querySelector('[data-act="best"]').textContent = leaks ? "Remove from test" : "Keep best, remove rest";
    addCards(group, 0);
    refreshGroup(group);
  }

  function addCards(group, from) {
    const cards = group.section.querySelector(".cards");
    cards.querySelector(".more")?.remove();
    const to = Math.min(group.cards, group.members.length);
    for (let i = from; i < to; i += 1) cards.append(card(group, i));
    if (to < group.members.length) {
      const more = document.createElement("button");
      more.type = "button";
      more.className = "more";
      more.dataset.act = "more";
      more.textContent = `Show ${Math.min(CARDS, group.members.length - to)} more of ${group.members.length}`;
      cards.append(more);
    }
  }

  function empty(section) {
    section.style.minHeight = `${section.offsetHeight}px`;
    section.replaceChildren();
    section.filled = false;
  }

  function source(member) {
    return member.thumbnail === undefined ? null : $(`t${member.thumbnail}`).textContent;
  }

  function alternative(group, i) {
    const member = group.members[i];
    return [split(shownPath(member))[1], described(member)].join(", ");
  }

  function card(group, i) {
    const member = group.members[i];
    const part = clone("card-template");
    const element = part.firstElementChild;
    const find = (selector) => element.querySelector(selector);
    const [folder, name] = split(shownPath(member));
    element.place = i;
    element.setAttribute("aria-label", name);
    const picture = find(".picture");
    const data = source(member);
    if (data) {
      const image = new Image();
      image.src = data;
      image.alt = alternative(group, i);
      picture.replaceChildren(image);
    } else {
      find(".missing").textContent = `cannot be read: ${member.unreadable}`;
    }
    picture.title = "Compare (Enter)";
    for (const [text, kind] of [[role(group, i), "role"], [!leaks && i === group.best ? "★ Best copy" : "", "best"]]) {
      if (text) {
        const badge = document.createElement("span");
        badge.className = kind;
        badge.textContent = text;
        find(".badges").append(badge);
      }
    }
    find(".name bdi").textContent = name;
    find(".folder bdi").textContent = folder;
    find(".name").title = find(".folder").title = shownPath(member);
    find(".facts-line").textContent = described(member);
    if (member.evidence) {
      find(".why p").textContent = reasons(member.evidence);
      if (member.evidence.transform) find(".sketch").append(sketch(group, i));
      else find(".sketch").remove();
    } else {
      find(".why").remove();
    }
    find(".choice").setAttribute("aria-label", `Decision about ${name}`);
    if (leaks) {
      find('[data-act="only"]').remove();
      if (!i) find(".choice").replaceChildren("always kept");
    }
    return element;
  }

  function refreshGroup(group) {
    const section = group.section;
    if (!section?.filled) return;
    const removed = group.members.filter((_, i) => decision(group, i) === REMOVE);
    const freed = removed.reduce((sum, member) => sum + member.bytes, 0);
    const sum = leaks ? [] : [plural(group.members.length, "picture")];
    if (removed.length) sum.push(`${removed.length} to remove, ${inBytes(freed)}`);
    else if (!leaks) sum.push(`up to ${inBytes(group.bytes)} to free`);
    section.querySelector(".sum").textContent = sum.join(" · ");
    for (const element of section.querySelectorAll(".card")) {
      const value = decision(group, element.place);
      element.classList.toggle("keep", value === KEEP);
      element.classList.toggle("remove", value === REMOVE);
      element.classList.toggle("aside", !meant(group, element.place));
      element.classList.toggle("current", current?.group === group && current.i === element.place);
      element.tabIndex = current?.group === group && current.i === element.place ? 0 : -1;
      element.querySelector('[data-act="keep"]')?.setAttribute("aria-pressed", value === KEEP);
      element.querySelector('[data-act="remove"]')?.setAttribute("aria-pressed", value === REMOVE);
    }
  }

  function refresh() {
    const sums = totals();
    $("counts").textContent =
      `${sums.remove.toLocaleString("en")} to remove · ${inBytes(sums.bytes)} freed · ` +
      (leaks
        ? `${plural(sums.undecided, "undecided", "undecided")}`
        : `${sums.keep.toLocaleString("en")} kept · ${sums.undecided.toLocaleString("en")} undecided`);
    $("undo").disabled = !history.length;
    visible.forEach(refreshGroup);
    if ($("compare").open) refreshSides();
  }

  const ORDERS = {
    freed: (a, b) => b.bytes - a.bytes,
    high: (a, b) => b.high - a.high,
    low: (a, b) => a.low - b.low,
    size: (a, b) => b.members.length - a.members.length,
  };

  function passes(group) {
    if (filter.text && !group.text.includes(filter.text)) return false;
    if (filter.state === "open" && !count(group, UNDECIDED)) return false;
    if (filter.state === "remove" && !count(group, REMOVE)) return false;
    if (filter.state === "unreadable" && group.members.every((member) => member.unreadable === undefined)) return false;
    return group.members.some((member, i) => member.evidence && meant(group, i)) || group.members.length === 1;
  }

  function list() {
    filter.text = $("text").value.trim().toLowerCase();
    filter.stage = $("stage").value;
    filter.least = $("least").value === "" ? -Infinity : Number($("least").value);
    filter.state = $("state").value;
    visible = groups.filter(passes);
    const order = ORDERS[$("sort").value];
    if (order) visible.sort((a, b) => order(a, b) || a.number - b.number);
    $("groups").replaceChildren(...visible.map(shell));
    if (current && !visible.includes(current.group)) current = null;
    const what = leaks ? "leak" : "group";
    $("found").textContent =
      visible.length === groups.length
        ? `All ${plural(groups.length, what)}`
        : `${visible.length.toLocaleString("en")} of ${plural(groups.length, what)}`;
    const part = filter.stage || filter.least > -Infinity ? ", where the filter means them" : "";
    $("all").textContent = leaks
      ? `Remove from test in ${visible.length === 1 ? "this one" : `these ${visible.length.toLocaleString("en")}`}`
      : `Keep best, remove rest in ${plural(visible.length, "group")}${part}`;
    $("all").disabled = $("none").disabled = !visible.length;
    $("nothing").hidden = visible.length > 0 || !groups.length;
    refresh();
  }

  // --- moving about ---------------------------------------------------------------------------------------------------

  function go(group, i, focus = true) {
    const before = current?.group;
    current = { group, i };
    if (i >= group.cards) {
      const from = group.cards;
      group.cards = Math.ceil((i + 1) / CARDS) * CARDS;
      if (group.section.filled) addCards(group, from);
    }
    fill(group);
    if (before && before !== group) refreshGroup(before);
    refreshGroup(group);
    if (focus) {
      const element = group.section.querySelectorAll(".card")[i];
      element.focus({ preventScroll: true });
      group.section.scrollIntoView({ block: group.section.offsetHeight > innerHeight ? "start" : "nearest" });
      element.scrollIntoView({ block: "nearest" });
    }
  }

  function step(groupsOn, picturesOn) {
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

  // --- comparing ------------------------------------------------------------------------------------------------------

  let mode = "side";
  let swapped = false;
  let blinking = 0;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;

  // Affine transforms are (a, b, c, d, e, f) as in the evidence: (x, y) lies at (a x + b y + c, d x + e y + f).
  const apply = ([a, b, c, d, e, f], [x, y]) => [a * x + b * y + c, d * x + e * y + f];

  function inverse([a, b, c, d, e, f]) {
    const area = a * e - b * d;
    if (!(Math.abs(area) > 1e-12)) return null;
    return [e / area, -b / area, (b * f - c * e) / area, -d / area, a / area, (c * d - a * f) / area];
  }

  const corners = ({ width, height }) => [[0, 0], [width, 0], [width, height], [0, height]];

  // What the orientation alone says: the whole of the one on the whole of the other.
  function stretched(one, other, orientation) {
    const { width: w, height: h } = one;
    const turn = {
      1: [1, 0, 0, 0, 1, 0], 2: [-1, 0, w, 0, 1, 0], 3: [-1, 0, w, 0, -1, h], 4: [1, 0, 0, 0, -1, h],
      5: [0, 1, 0, 1, 0, 0], 6: [0, -1, h, 1, 0, 0], 7: [0, -1, h, -1, 0, w], 8: [0, 1, 0, -1, 0, w],
    }[orientation] ?? [1, 0, 0, 0, 1, 0];
    const [turnedWidth, turnedHeight] = orientation > 4 ? [h, w] : [w, h];
    const x = other.width / turnedWidth, y = other.height / turnedHeight;
    return [turn[0] * x, turn[1] * x, turn[2] * x, turn[3] * y, turn[4] * y, turn[5] * y];
  }

  function aligned(group, i) {
    const one = group.members[i], other = group.members[0];
    const found = one.evidence?.transform;
    if (found && found.every(Number.isFinite) && inverse(found)) return found;
    return stretched(one, other, one.evidence?.orientation ?? 1);
  }

  const points = (list) => list.map((point) => point.map((value) => value.toFixed(2)).join(",")).join(" ");

  function box(...lists) {
    const all = lists.flat();
    const xs = all.map(([x]) => x), ys = all.map(([, y]) => y);
    const x = Math.min(...xs), y = Math.min(...ys);
    return { x, y, width: Math.max(...xs) - x, height: Math.max(...ys) - y };
  }

  function view(bounds, shown) {
    const svg = clone("view-template").firstElementChild;
    const margin = Math.max(bounds.width, bounds.height) * 0.008;
    const all = [bounds.x - margin, bounds.y - margin, bounds.width + 2 * margin, bounds.height + 2 * margin];
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

  function outline(svg, own, other) {
    for (const [kind, list] of [["own", own], ["other", other]]) {
      const polygon = svg.querySelector(`.${kind}`);
      if (list) polygon.setAttribute("points", points(list));
      else polygon.remove();
    }
    return svg;
  }

  // Where the one lies in the representative, as a small drawing.
  function sketch(group, i) {
    const one = group.members[i], other = group.members[0];
    const there = corners(one).map((point) => apply(one.evidence.transform, point));
    const svg = outline(view(box(corners(other), there)), corners(other), there);
    svg.setAttribute("aria-label", "where it lies in the representative");
    return svg;
  }

  const SAME = [1, 0, 0, 0, 1, 0];

  function compare() {
    const { group, i } = current;
    const area = $("stage-area");
    clearInterval(blinking);
    const one = group.members[i], other = group.members[0];
    const transform = aligned(group, i);
    const known = Boolean(one.evidence?.transform);
    const alone = i === 0;
    $("compare-title").textContent = leaks
      ? title(group)
      : `${title(group)}, picture ${i + 1} of ${group.members.length}`;
    for (const button of document.querySelectorAll("[data-mode]")) {
      button.setAttribute("aria-pressed", button.dataset.mode === mode);
      button.disabled = alone && button.dataset.mode !== "side";
    }
    const shown = alone ? "side" : mode;
    area.className = `stage ${shown}`;
    const here = corners(other), there = corners(one).map((point) => apply(transform, point));
    const back = inverse(transform);
    if (shown === "side") {
      const left = panel(group, i, known ? here.map((point) => apply(back, point)) : null);
      area.replaceChildren(left, ...(alone ? [] : [panel(group, 0, known ? there : null)]));
    } else {
      const bounds = box(here, there);
      const bottom = view(bounds, { member: other, transform: SAME, label: alternative(group, 0) });
      const top = view(bounds, { member: one, transform, label: alternative(group, i) });
      outline(bottom, null, null);
      outline(top, null, null);
      const lines = outline(view(bounds), there, here);
      lines.classList.add("lines");
      lines.setAttribute("aria-hidden", "true");
      top.classList.add("top");
      const pile = document.createElement("div");
      pile.className = "pile";
      pile.style.setProperty("--ratio", bottom.ratio);
      pile.append(bottom, top, lines);
      if (shown === "swipe") {
        const handle = document.createElement("div");
        handle.className = "handle";
        pile.append(handle);
        pile.addEventListener("pointerdown", (event) => {
          pile.setPointerCapture(event.pointerId);
          swipeTo(event);
        });
        pile.addEventListener("pointermove", (event) => { if (event.buttons) swipeTo(event); });
      }
      if (shown === "blink") {
        const label = document.createElement("p");
        label.className = "which";
        pile.append(label);
        blink(!calm);
      }
      area.replaceChildren(pile);
      if (shown === "swipe") swipe();
      if (shown === "blink") switchTop(true);
    }
    $("swipe-tool").hidden = shown !== "swipe";
    $("blink-tool").hidden = shown !== "blink";
    $("outline-tool").hidden = alone || (shown === "side" && !known);
    area.classList.toggle("plain", !$("outline").checked);
    $("evidence").textContent = alone
      ? (group.members.length > 1 ? "The representative: the others are compared with it." : "")
      : reasons(one.evidence) + (shown !== "side" && !known ? " · laid over each other as wholes: no transform is known" : "");
    $("sides").replaceChildren(side(group, i), ...(alone ? [] : [side(group, 0)]));
    refreshSides();
  }

  function panel(group, i, other) {
    const member = group.members[i];
    const element = document.createElement("div");
    element.className = "panel";
    if (source(member)) {
      const frame = corners(member);
      element.append(outline(
        view(box(frame), { member, transform: SAME, label: alternative(group, i) }),
        other && frame, other,
      ));
    } else {
      element.append(`cannot be read: ${member.unreadable}`);
    }
    return element;
  }

  function side(group, i) {
    const member = group.members[i];
    const element = document.createElement("div");
    element.className = "one-side";
    element.place = i;
    const [folder, name] = split(shownPath(member));
    const lines = [
      [[role(group, i), !leaks && i === group.best ? "★ Best copy" : ""].filter(Boolean).join(" · "), "role"],
      [name, "name"], [folder, "folder"], [described(member), "facts-line"],
    ];
    for (const [text, kind] of lines) {
      const line = document.createElement("p");
      const isolated = document.createElement("bdi");
      line.className = kind;
      isolated.textContent = text;
      line.append(isolated);
      element.append(line);
    }
    const choice = document.createElement("div");
    choice.className = "choice";
    choice.setAttribute("role", "group");
    choice.setAttribute("aria-label", `Decision about ${name}`);
    if (leaks && !i) {
      choice.append("always kept");
    } else {
      for (const [text, act] of [["Keep", "keep"], ["Remove", "remove"]]) {
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = text;
        button.dataset.act = act;
        choice.append(button);
      }
    }
    const open = document.createElement("a");
    open.href = fileAddress(member.path);
    open.target = "_blank";
    open.rel = "noopener noreferrer";
    open.textContent = "Open the file";
    choice.append(open);
    element.append(choice);
    return element;
  }

  // Bytes that are not UTF-8 stand in paths as U+DC80 to U+DCFF.
  function fileAddress(path) {
    const slashed = /^[A-Za-z]:\\|^\\\\/.test(path) ? `/${path.replaceAll("\\", "/")}` : path;
    const encoded = Array.from(slashed, (c) => {
      const code = c.codePointAt(0);
      if (code >= 0xdc80 && code <= 0xdcff) return `%${(code - 0xdc00).toString(16)}`;
      if (code >= 0xd800 && code <= 0xdfff) return "%3F";
      return c === "/" ? c : encodeURIComponent(c);
    });
    return `file://${encoded.join("")}`;
  }

  function refreshSides() {
    for (const element of $("sides").children) {
      const value = decision(current.group, element.place);
      element.classList.toggle("keep", value === KEEP);
      element.classList.toggle("remove", value === REMOVE);
      element.querySelector('[data-act="keep"]')?.setAttribute("aria-pressed", value === KEEP);
      element.querySelector('[data-act="remove"]')?.setAttribute("aria-pressed", value === REMOVE);
    }
  }

  function swipeTo(event) {
    const edges = event.currentTarget.getBoundingClientRect();
    $("swipe").value = 100 * (event.clientX - edges.left) / edges.width;
    swipe();
  }

  function swipe() {
    const pile = document.querySelector(".pile");
    if (!pile) return;
    pile.style.setProperty("--at", `${$("swipe").value}%`);
  }

  function switchTop(top = !swapped) {
    const pile = document.querySelector(".pile");
    if (!pile) return;
    swapped = top;
    pile.classList.toggle("swapped", swapped);
    const { group, i } = current;
    pile.querySelector(".which").textContent = split(shownPath(group.members[swapped ? i : 0]))[1];
  }

  function blink(on) {
    clearInterval(blinking);
    blinking = on ? setInterval(switchTop, 700) : 0;
    $("blink-tool").textContent = on ? "Pause" : calm ? "Switch" : "Go on";
    $("blink-tool").setAttribute("aria-pressed", on);
  }

  function openCompare(group, i) {
    // From the representative one wants to see another: the best copy, or the next one.
    const at = i || group.members.length < 2 ? i : group.best || 1;
    go(group, at, false);
    $("compare").showModal();
    $("compare").querySelector(".compare").focus();
    compare();
  }

  // --- events ---------------------------------------------------------------------------------------------------------

  function act(name, group, i) {
    if (name === "compare") openCompare(group, i);
    else if (name === "keep") toggle(group, i, KEEP);
    else if (name === "remove") toggle(group, i, REMOVE);
    else if (name === "only") keepOnly(group, i);
    else if (name === "best") keepOnly(group, group.best);
    else if (name === "reset") change(() => propose(group));
    else if (name === "more") {
      const from = group.cards;
      group.cards += CARDS;
      addCards(group, from);
      go(group, from);
    }
  }

  $("groups").addEventListener("click", (event) => {
    const element = event.target.closest(".card");
    const group = event.target.closest(".group")?.group;
    const button = event.target.closest("button");
    if (!group) return;
    if (element) go(group, element.place, false);
    if (button) act(button.dataset.act, group, element?.place ?? 0);
    else element?.focus({ preventScroll: true });
  });

  $("groups").addEventListener("focusin", (event) => {
    const element = event.target.closest(".card");
    const group = event.target.closest(".group")?.group;
    if (element && (current?.group !== group || current.i !== element.place)) go(group, element.place, false);
  });

  function show(next) {
    mode = next;
    compare();
  }

  $("compare").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    const element = event.target.closest(".one-side");
    if (event.target === $("compare")) $("compare").close();
    else if (button?.dataset.mode) show(button.dataset.mode);
    else if (button?.dataset.go === "previous" && step(0, -1)) compare();
    else if (button?.dataset.go === "next" && step(0, 1)) compare();
    else if (button?.dataset.act && element) act(button.dataset.act, current.group, element.place);
  });
  $("compare").addEventListener("close", () => {
    clearInterval(blinking);
    $("stage-area").replaceChildren();
    document.body.append($("message"));
    go(current.group, current.i);
  });
  for (const button of document.querySelectorAll('[data-go="close"]')) {
    button.addEventListener("click", () => button.closest("dialog").close());
  }
  $("help").addEventListener("click", (event) => { if (event.target === $("help")) $("help").close(); });
  $("swipe").addEventListener("input", swipe);
  $("outline").addEventListener("change", () => $("stage-area").classList.toggle("plain", !$("outline").checked));
  $("blink-tool").addEventListener("click", () => (calm ? switchTop() : blink(!blinking)));

  const KEYS = {
    j: () => step(1, 0),
    ArrowDown: () => step(1, 0),
    k: () => step(-1, 0),
    ArrowUp: () => step(-1, 0),
    ArrowRight: () => step(0, 1),
    ArrowLeft: () => step(0, -1),
  };
  const ACTS = {
    " ": cycle,
    x: (group, i) => toggle(group, i, REMOVE),
    y: (group, i) => toggle(group, i, KEEP),
    u: (group, i) => decide(group, i, UNDECIDED),
    b: (group) => act("best", group),
    o: keepOnly,
  };
  const MODES = { 1: "side", 2: "swipe", 3: "blink", 4: "difference" };

  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input:not([type=checkbox]), select, textarea");
    if ((event.ctrlKey || event.metaKey) && event.key === "z" && !typing) {
      event.preventDefault();
      undo();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || typing || $("help").open) return;
    const comparing = $("compare").open;
    const pressed = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (pressed === "?") $("help").showModal();
    else if (pressed === "/" && !comparing) {
      $("filters").open = true;
      $("text").focus();
    } else if (KEYS[pressed]) {
      if (KEYS[pressed]() && comparing) compare();
    } else if (comparing && MODES[pressed]) {
      if (current.i) show(MODES[pressed]);
    } else if (current && ACTS[pressed]) {
      // A button that has the focus takes the space bar itself.
      if (pressed === " " && event.target.closest("button, a, summary, input")) return;
      ACTS[pressed](current.group, current.i);
    } else if (pressed === "Enter" && !comparing && current && event.target.classList.contains("card")) {
      openCompare(current.group, current.i);
    } else return;
    event.preventDefault();
  });

  $("export").addEventListener("click", download);
  $("undo").addEventListener("click", undo);
  $("all").addEventListener("click", keepBestOfAll);
  $("none").addEventListener("click", resetAll);
  $("import").addEventListener("click", () => $("file").click());
  $("file").addEventListener("change", async () => {
    const [file] = $("file").files;
    if (!file) return;
    const text = await file.text();
    $("file").value = ""; // so that the same file may be chosen again
    say(imported(text));
  });
  $("help-button").addEventListener("click", () => $("help").showModal());
  $("form").addEventListener("input", list);
  $("form").addEventListener("submit", (event) => event.preventDefault());
  addEventListener("beforeunload", (event) => { if (unsaved && !remembers) event.preventDefault(); });
  addEventListener("beforeprint", () => visible.slice(0, MOST_PRINTED).forEach(fill));

  // --- beginning ------------------------------------------------------------------------------------------------------

  function begin() {
    const what = leaks ? "leak" : "group";
    const size = groups.reduce((sum, group) => sum + group.bytes, 0);
    $("summary").textContent = leaks
      ? `${plural(report.groups, "picture")} of the test set ${report.groups === 1 ? "copies one" : "copy some"} of the training set`
      : `${plural(report.groups, what)} · ${plural(pictures, "picture")} · up to ${inBytes(size)} to free`;
    if (groups.length < report.groups) {
      $("limit").textContent =
        `Shown are the first ${groups.length.toLocaleString("en")} of ${plural(report.groups, what)}, so that the ` +
        "page stays quick; decisions here are about these only.";
      $("limit").hidden = false;
    }
    for (const [name, value] of report.facts) {
      const term = document.createElement("dt"), text = document.createElement("dd");
      term.textContent = name;
      text.textContent = value;
      $("facts").append(term, text);
    }
    document.querySelector(".facts").hidden = !report.facts.length;
    const stages = new Set(groups.flatMap((group) => group.members.map((member) => member.evidence?.stage)));
    for (const stage of [...Object.keys(STAGES), ...stages]) {
      if (stages.delete(stage) && stage) $("stage").add(new Option(STAGES[stage] ?? stage, stage));
    }
    if (report.skipped.count) {
      $("skipped").hidden = false;
      $("skipped").querySelector("summary").textContent = `${plural(report.skipped.count, "file")} could not be read`;
      for (const { path, code } of report.skipped.files) {
        const line = document.createElement("li"), name = document.createElement("bdi");
        name.textContent = path;
        line.append(name, ` (${code})`);
        $("skipped").querySelector("ul").append(line);
      }
      if (report.skipped.files.length < report.skipped.count) {
        const line = document.createElement("li");
        line.textContent = `and ${plural(report.skipped.count - report.skipped.files.length, "more", "more")}`;
        $("skipped").querySelector("ul").append(line);
      }
    }
    $("help-text").textContent =
      (leaks
        ? "Pictures of the training set are always kept. "
        : "Of each group the best copy is kept and the others are open, until you decide. Something is only removed from a " +
          "group while another picture of it is kept. ") +
      "Nothing is removed by this page: it writes decisions.json, which imgsim apply reads.";
    if (matchMedia("(max-width: 700px)").matches) $("filters").open = false;
    if (!groups.length) {
      document.querySelector(".bar").hidden = $("filters").hidden = true;
      $("nothing").textContent = leaks ? "No leaks were found." : "No duplicates were found.";
      $("nothing").hidden = false;
      return;
    }
    recall();
    list();
    if (!remembers) remember();
  }

  begin();
})();
