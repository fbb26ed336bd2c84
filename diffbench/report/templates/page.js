
"use strict";
// Theme, sorting, filter: what the page can do without its charts.
(() => {
  const root = document.documentElement;

  const isDark = () =>
    root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;

  function followTheme() {
    const button = document.getElementById("theme");
    const say = () => {
      root.dataset.shown = isDark() ? "dark" : "light";
      button.textContent = isDark() ? "Light" : "Dark";
      button.setAttribute("aria-label", `Change to the ${isDark() ? "light" : "dark"} theme`);
      root.dispatchEvent(new Event("themechange"));
    };
    button.hidden = false;
    button.addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      say();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", say);
    say();
  }

  // Text that is a number sorts as one; what is empty comes last both ways.
  function key(row, column) {
    const text = row.cells[column].textContent.trim();
    const number = Number(text.replaceAll(",", ""));
    return text === "" ? null : Number.isNaN(number) ? text : number;
  }

  function compare(a, b) {
    if (typeof a === typeof b) return typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true });
    return typeof a === "number" ? -1 : 1;
  }

  function sort(table, column) {
    const header = table.tHead.rows[0].cells[column];
    const body = table.tBodies[0];
    const first = header.classList.contains("right") ? "descending" : "ascending";
    const other = first === "ascending" ? "descending" : "ascending";
    const direction = header.getAttribute("aria-sort") === first ? other : first;
    for (const cell of table.tHead.rows[0].cells) cell.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", direction);
    const rows = [...body.rows].map((row) => [key(row, column), row]);
    rows.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null);
      return direction === "ascending" ? compare(a, b) : compare(b, a);
    });
    body.append(...rows.map(([, row]) => row));
  }

  function makeSortable(table) {
    [...table.tHead.rows[0].cells].forEach((header, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.append(...header.childNodes);
      button.addEventListener("click", () => sort(table, column));
      header.append(button);
    });
  }

  function best(row) {
    const digits = [...row.cells].slice(1).filter((cell) => cell.style.background).map((c) => parseFloat(c.textContent));
    return digits.length ? Math.max(...digits) : null;
  }

  function filterMatrices() {
    const needle = document.getElementById("needle");
    const below = document.getElementById("below");
    const rows = [...document.querySelectorAll("table.matrix tbody tr")];
    const apply = () => {
      const words = needle.value.toLowerCase().split(/\s+/).filter(Boolean);
      const limit = parseFloat(below.value);
      let shown = 0;
      for (const row of rows) {
        const text = `${row.cells[0].textContent} ${row.dataset.tags}`.toLowerCase();
        const digits = best(row);
        const low = Number.isNaN(limit) || (digits !== null && digits < limit);
        row.hidden = !(low && words.every((word) => text.includes(word)));
        shown += !row.hidden;
      }
      document.getElementById("shown").textContent = `${shown} of ${rows.length} rows`;
    };
    document.getElementById("filter").hidden = false;
    needle.addEventListener("input", apply);
    below.addEventListener("input", apply);
    apply();
  }

  document.querySelectorAll("table.sortable").forEach(makeSortable);
  filterMatrices();
  followTheme();
})();
