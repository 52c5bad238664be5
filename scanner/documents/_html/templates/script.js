"use strict";
(() => {
  const table = document.getElementById("all-models");
  const find = (selector, within = document) => [...within.querySelectorAll(selector)];
  const reveal = () => {
    const named = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!named || !named.matches("article.model")) return;
    named.hidden = false;
    named.querySelector("details").open = true;
    named.scrollIntoView();
  };
  const setAll = (open) => find("article.model:not([hidden]) > details").forEach((d) => { d.open = open; });
  let closed = [];
  addEventListener("hashchange", reveal);
  addEventListener("beforeprint", () => { closed = find("details:not([open])"); closed.forEach((d) => { d.open = true; }); });
  addEventListener("afterprint", () => closed.forEach((d) => { d.open = false; }));
  reveal();
  if (!table) return;

  const body = table.tBodies[0];
  const rows = [...body.rows];
  const sections = new Map(find("article.model").map((a) => [a.dataset.model, a]));
  const search = document.getElementById("search");
  const shown = document.getElementById("shown");
  const chosen = new Set();
  const narrow = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of rows) {
      const fits = (!chosen.size || chosen.has(row.dataset.label)) && words.every((w) => row.dataset.found.includes(w));
      row.hidden = !fits;
      sections.get(row.dataset.model).hidden = !fits;
      count += fits;
    }
    shown.textContent = count === rows.length ? "" : `${count} of ${rows.length} shown`;
  };
  const chips = find(".counts .count").map((chip) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...chip.childNodes);
    chip.append(button);
    chip.classList.add("chip");
    const press = () => button.setAttribute("aria-pressed", String(chip.dataset.label ? chosen.has(chip.dataset.label) : !chosen.size));
    button.addEventListener("click", () => {
      if (!chip.dataset.label) chosen.clear();
      else if (!chosen.delete(chip.dataset.label)) chosen.add(chip.dataset.label);
      chips.forEach((update) => update());
      narrow();
    });
    press();
    return press;
  });
  find("th[data-sort]", table).forEach((head) => {
    const column = head.cellIndex;
    const numbers = head.dataset.sort === "number";
    const value = (row) => {
      const cell = row.cells[column];
      const text = numbers ? cell.dataset.v : cell.textContent.trim();
      return numbers && text !== "" ? Number(text) : text;
    };
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      find("th[aria-sort]", table).forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
      const compare = (a, b) => (numbers ? a - b : a.localeCompare(b, undefined, { numeric: true }));
      const order = rows.map((row) => [value(row), row]);
      order.sort(([a], [b]) => (a === "") - (b === "") || (a === "" ? 0 : sign * compare(a, b)));
      body.append(...order.map(([, row]) => row));
    });
  });
  search.addEventListener("input", narrow);
  document.getElementById("open-all").addEventListener("click", () => setAll(true));
  document.getElementById("close-all").addEventListener("click", () => setAll(false));
  document.querySelector(".tools").hidden = false;
})();
