"use strict";
// The tables are all there without this: it adds sorting, the filter, and headings that stay in sight.
(() => {
  const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

  // --- sorting --------------------------------------------------------------------------------------------------------

  const NEXT = { none: "ascending", ascending: "descending", descending: "none" };

  function sortable(table) {
    const body = table.tBodies[0];
    const written = [...body.rows];
    [...table.tHead.rows[0].cells].forEach((heading, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = heading.textContent;
      // Where a table goes on over pages, browsers print its headings again, but not buttons in them.
      const printed = document.createElement("span");
      printed.className = "printed";
      printed.append(...heading.childNodes);
      heading.append(printed, button);
      button.addEventListener("click", () => {
        const order = NEXT[heading.getAttribute("aria-sort") ?? "none"];
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        if (order !== "none") heading.setAttribute("aria-sort", order);
        body.append(...(order === "none" ? written : sorted(written, column, order === "ascending" ? 1 : -1)));
      });
    });
  }

  // Numbers come before words that say why there is none, and empty cells last, in both directions.
  function sorted(rows, column, sign) {
    const keys = new Map(rows.map((row) => [row, key(row.cells[column])]));
    return [...rows].sort((a, b) => {
      const [left, right] = [keys.get(a), keys.get(b)];
      if (left.rank !== right.rank) return left.rank - right.rank;
      return sign * (left.rank ? collator.compare(left.value, right.value) : left.value - right.value);
    });
  }

  function key(cell) {
    const { value } = cell.dataset;
    if (value !== undefined) return { rank: 0, value: Number(value) };
    const text = cell.textContent;
    return { rank: text ? 1 : 2, value: text };
  }

  // --- the filter -----------------------------------------------------------------------------------------------------

  const tables = [...document.querySelectorAll("table")];
  const rows = tables.flatMap((table) => [...table.tBodies[0].rows]);
  const texts = new Map(rows.map((row) => [row, [...row.cells].map((cell) => cell.textContent).join("\n").toLowerCase()]));
  const { content } = document.getElementById("bar-template");
  const [bar, filter, found] = ["bar", "filter", "found"].map((id) => content.getElementById(id));

  const nothing = new Map(tables.map((table) => {
    const line = document.createElement("p");
    line.className = "why nothing";
    line.textContent = "No row has these words.";
    line.hidden = true;
    table.after(line);
    return [table, line];
  }));

  function refresh() {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const [row, text] of texts) {
      row.hidden = !words.every((word) => text.includes(word));
      count += !row.hidden;
    }
    for (const [table, line] of nothing) {
      line.hidden = !words.length || [...table.tBodies[0].rows].some((row) => !row.hidden);
    }
    const all = rows.length.toLocaleString("en");
    found.textContent = words.length ? `${count.toLocaleString("en")} of ${all} rows` : `${all} rows`;
  }

  // --- headings in sight ----------------------------------------------------------------------------------------------

  function fit() {
    document.documentElement.style.setProperty("--bar", `${bar.offsetHeight}px`);
    for (const table of tables) {
      const box = table.parentElement;
      const fits = table.offsetWidth <= box.parentElement.clientWidth - (box.offsetWidth - box.clientWidth);
      box.classList.toggle("fits", fits);
      if (fits) box.removeAttribute("tabindex");
      else box.tabIndex = 0; // to be scrolled by keys
    }
  }

  if (tables.length) {
    tables.forEach(sortable);
    document.querySelector("main").before(content);
    filter.addEventListener("input", refresh);
    document.addEventListener("keydown", (event) => {
      if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || event.target === filter) return;
      event.preventDefault();
      filter.focus();
      filter.select();
    });
    refresh(); // a browser may bring a filter back
    new ResizeObserver(fit).observe(document.body);
    tables.forEach((table) => new ResizeObserver(fit).observe(table));
  }
})();
