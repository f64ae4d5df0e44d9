(() => {
  "use strict";
  const SVG = "http://www.w3.org/2000/svg";

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

  // light or dark colours: those of the system, until the reader clicks the button
  const button = document.getElementById("theme");
  const dark = () => (document.documentElement.dataset.theme
    || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const label = () => {
    button.textContent = dark() ? "Light" : "Dark";
    button.setAttribute("aria-label", `Switch to ${dark() ? "light" : "dark"} colours`);
  };
  button.hidden = false;
  button.addEventListener("click", () => {
    document.documentElement.dataset.theme = dark() ? "light" : "dark";
    label();
  });
  label();

  // print everything, including closed details
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const each of closed) each.open = true;
  });
  addEventListener("afterprint", () => { for (const each of closed) each.open = false; });

  const source = document.getElementById("map-data");
  if (!source) return;
  const { images, ranks } = JSON.parse(source.textContent);

  const make = (name, attributes) => {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  };
  const pictureOf = (image) => {
    const [width, height] = image.size;
    const svg = make("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": image.name });
    svg.append(make("use", { href: `#${image.picture}` }));
    return svg;
  };
  const line = (text) => {
    const element = document.createElement("p");
    element.textContent = text;
    element.dir = "auto";
    return element;
  };
  // isolate the writing direction of each name, so that it does not change the direction of the text around it
  const counted = (classes) => {
    const element = document.createElement("p");
    for (const [name, count] of classes) {
      const isolated = document.createElement("bdi");
      isolated.textContent = name;
      element.append(element.hasChildNodes() ? ", " : "", isolated, ` ${count}`);
    }
    if (!classes.length) element.textContent = "no boxes";
    return element;
  };

  for (const map of document.querySelectorAll(".map")) {
    const svg = map.querySelector("svg");
    const panel = map.querySelector(".shown");
    const ring = map.querySelector(".ring");
    const kept = ranks[map.dataset.selection];
    const rank = new Map(kept);
    const rows = Object.keys(images).map(Number);
    let current = null;

    const show = (row) => {
      if (row === current) return;
      current = row;
      const image = images[row];
      ring.removeAttribute("hidden");
      ring.setAttribute("cx", image.at[0]);
      ring.setAttribute("cy", image.at[1]);
      const text = document.createElement("div");
      text.append(
        line(image.name),
        line(rank.has(row) ? `kept, ${rank.get(row)} of ${map.dataset.kept}` : "dropped"),
        counted(image.classes),
      );
      panel.replaceChildren(pictureOf(image), text);
    };
    const nearest = (x, y, allowed) => {
      let best = null;
      let least = Infinity;
      for (const row of rows) {
        const [dx, dy] = [images[row].at[0] - x, images[row].at[1] - y];
        const distance = allowed(dx, dy) ? dx * dx + dy * dy : Infinity;
        if (distance < least) [best, least] = [row, distance];
      }
      return best;
    };
    const point = (event) => {
      const place = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
      const row = nearest(place.x, place.y, (dx, dy) => dx * dx + dy * dy < 900);
      if (row !== null) show(row);
    };
    svg.addEventListener("pointermove", point);
    svg.addEventListener("click", point);
    const steps = {
      ArrowRight: (dx, dy) => dx > 0 && Math.abs(dy) <= dx,
      ArrowLeft: (dx, dy) => dx < 0 && Math.abs(dy) <= -dx,
      ArrowDown: (dx, dy) => dy > 0 && Math.abs(dx) <= dy,
      ArrowUp: (dx, dy) => dy < 0 && Math.abs(dx) <= -dy,
    };
    svg.addEventListener("keydown", (event) => {
      const allowed = steps[event.key];
      if (!allowed) return;
      event.preventDefault();
      if (current === null) { show(kept.length ? kept[0][0] : rows[0]); return; }
      const [x, y] = images[current].at;
      const row = nearest(x, y, allowed);
      if (row !== null) show(row);
    });
  }
})();
