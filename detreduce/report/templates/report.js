(() => {
  "use strict";
  // a click on a heading sorts the table, and a second click reverses the order; empty cells stay last
  for (const table of document.querySelectorAll("table.sortable")) {
    const headings = [...table.tHead.rows[0].cells];
    const value = (row, column) => {
      const cell = row.cells[column];
      const given = cell.dataset.sort;
      return given === undefined ? cell.textContent.trim() : given === "" ? null : Number(given);
    };
    headings.forEach((heading, column) => heading.querySelector("button").addEventListener("click", () => {
      const numbers = table.tBodies[0].rows[0].cells[column].dataset.sort !== undefined;
      const before = heading.getAttribute("aria-sort");
      const down = before ? before === "ascending" : numbers;
      for (const other of headings) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...table.tBodies[0].rows];
      rows.sort((first, second) => {
        const [a, b] = [value(first, column), value(second, column)];
        if (a === null || b === null) return (a === null) - (b === null);
        // the difference of two infinities would be NaN
        const order = typeof a === "string" ? a.localeCompare(b) : a === b ? 0 : a < b ? -1 : 1;
        return down ? -order : order;
      });
      table.tBodies[0].append(...rows);
    }));
  }
})();
