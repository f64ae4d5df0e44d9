(() => {
  "use strict";
  const SVG = "http://www.w3.org/2000/svg";
  const LISTED = 24;

  // light or dark colours: those of the system, until the reader clicks the button
  const themeButton = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const redraws = [];
  const dark = () => (document.documentElement.dataset.theme || (system.matches ? "dark" : "light")) === "dark";
  const label = () => {
    themeButton.textContent = dark() ? "Light" : "Dark";
    themeButton.setAttribute("aria-label", `Switch to ${dark() ? "light" : "dark"} colours`);
    for (const redraw of redraws) redraw();
  };
  themeButton.hidden = false;
  themeButton.addEventListener("click", () => {
    document.documentElement.dataset.theme = dark() ? "light" : "dark";
    label();
  });
  system.addEventListener("change", label);
  label();

  // print everything, including closed details
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const each of closed) each.open = true;
  });
  addEventListener("afterprint", () => { for (const each of closed) each.open = false; });

  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };
  const draw = (tag, attributes) => {
    const element = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  };
  const counted = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;

  const unpack = async (text) => {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  };

  // the names of images: the middle of a long name is cut, and its writing direction is isolated
  const nameOf = (text) => {
    const name = make("bdi", { class: "name", title: text });
    const [first, last] = [text.slice(0, -14), text.slice(-14)];
    for (const part of first ? [first, last] : [last]) name.append(make("span", {}, part));
    return name;
  };
  // labels that cannot be read are not background
  const withoutBoxes = (data, place) => !data.classes.length ? "no labels"
    : data.unreadable.includes(place) ? "labels cannot be read" : "no boxes";
  const boxesOf = (data, place) => {
    const words = make("p");
    const boxes = data.boxes[place];
    for (let at = 0; at < boxes.length; at += 2) {
      words.append(at ? ", " : "", `${boxes[at + 1]}\u00a0`, make("bdi", {}, data.classes[boxes[at]]));
    }
    if (!boxes.length) words.textContent = withoutBoxes(data, place);
    return words;
  };
  const pictureOf = (data, place) => {
    const size = data.pictures[place];
    if (!size) return null;
    const svg = draw("svg", { viewBox: `0 0 ${size[0]} ${size[1]}`, role: "img", "aria-label": data.names[place] });
    svg.append(draw("use", { href: `#${data.prefix}${data.rows ? data.rows[place] : place}` }));
    return svg;
  };

  // what the reader pins or excludes; kept in the browser until the lists are saved
  class Curation {
    constructor(data, root) {
      this.data = data;
      this.root = root;
      this.choices = new Map();
      this.listeners = [];
      this.store = `detreduce ${document.body.dataset.identity}`;
      const given = { pinned: data.selections[0].pinned, excluded: data.selections[0].excluded };
      let found = given;
      try { found = JSON.parse(localStorage.getItem(this.store)) || given; } catch { /* the browser stores nothing */ }
      for (const what of ["pinned", "excluded"]) {
        for (const place of found[what]) if (place < data.names.length) this.choices.set(place, what);
      }
      root.addEventListener("click", (event) => this.act(event.target.closest("button")));
      this.show();
    }

    places(what) { return [...this.choices].filter(([, chosen]) => chosen === what).map(([place]) => place).sort((a, b) => a - b); }

    key(place) { return place in this.data.keys ? this.data.keys[place] : this.data.names[place]; }

    toggle(place, what) {
      if (this.key(place) === null) return;
      if (this.choices.get(place) === what) this.choices.delete(place);
      else this.choices.set(place, what);
      this.changed([place]);
    }

    changed(places) {
      const found = { pinned: this.places("pinned"), excluded: this.places("excluded") };
      try { localStorage.setItem(this.store, JSON.stringify(found)); } catch { /* the browser stores nothing */ }
      this.show();
      for (const listener of this.listeners) listener(places);
    }

    show() {
      const [pinned, excluded] = [this.places("pinned").length, this.places("excluded").length];
      this.root.hidden = !pinned && !excluded;
      this.root.querySelector("[role=status]").textContent =
        `${counted(pinned, "image")} pinned, ${counted(excluded, "image")} excluded. Save the lists, then choose again.`;
      this.root.querySelector("[data-save=pinned]").disabled = !pinned;
      this.root.querySelector("[data-save=excluded]").disabled = !excluded;
      const code = this.root.querySelector("[data-command]");
      code.textContent = code.dataset.command
        + (pinned ? " --must-keep must-keep.txt" : "") + (excluded ? " --exclude exclude.txt" : "");
    }

    act(button) {
      if (!button) return;
      if (button.dataset.save) {
        const names = this.places(button.dataset.save).map((place) => `${this.key(place)}\n`);
        const link = make("a", {
          href: URL.createObjectURL(new Blob(names, { type: "text/plain" })),
          download: button.dataset.save === "pinned" ? "must-keep.txt" : "exclude.txt",
        });
        link.click();
        setTimeout(() => URL.revokeObjectURL(link.href), 10000);
      } else if ("copy" in button.dataset) {
        const code = this.root.querySelector("[data-command]");
        const copied = () => {
          this.root.querySelector("[role=status]").textContent = this.choices.size
            ? "Copied. Paste the command into a terminal, in the folder where the browser saved the lists."
            : "Copied. Paste the command into a terminal.";
          button.textContent = "Copied";
          setTimeout(() => { button.textContent = "Copy the command"; }, 4000);
        };
        const select = () => {
          this.root.querySelector("details").open = true;
          getSelection().selectAllChildren(code);
          if (document.execCommand("copy")) copied();
        };
        if (navigator.clipboard) navigator.clipboard.writeText(code.textContent).then(copied, select);
        else select();
      } else if ("clear" in button.dataset) {
        const places = [...this.choices.keys()];
        this.choices.clear();
        this.changed(places);
      }
    }

    // the two buttons of an image
    buttons(place) {
      const group = make("div", { class: "acts", "data-place": place });
      for (const [what, word] of [["pinned", "Pin"], ["excluded", "Exclude"]]) {
        const button = make("button", { type: "button", "data-act": what, "aria-label": `${word} ${this.data.names[place]}` }, word);
        if (this.key(place) === null) {
          button.disabled = true;
          button.title = "A list cannot name this image.";
        }
        button.addEventListener("click", () => this.toggle(place, what));
        group.append(button);
      }
      this.mark(group);
      return group;
    }

    mark(group) {
      const chosen = this.choices.get(Number(group.dataset.place));
      for (const button of group.children) button.setAttribute("aria-pressed", String(button.dataset.act === chosen));
      const thumb = group.closest(".thumb");
      if (thumb) for (const what of ["pinned", "excluded"]) thumb.classList.toggle(what, chosen === what);
    }
  }

  // one selection: its filters, its map, and the image that is shown
  class Explorer {
    constructor(root, data, curation) {
      this.root = root;
      this.data = data;
      this.curation = curation;
      this.form = root.querySelector(".filters");
      this.panel = root.querySelector(".shown");
      this.canvas = root.querySelector("canvas");
      const { order, kept, ranked } = data.selections[Number(root.dataset.selection)];
      this.kept = kept;
      this.ranked = ranked;
      this.rank = new Uint32Array(data.names.length);
      order.forEach((entry, at) => {
        const [place, rank] = Array.isArray(entry) ? entry : [entry, at + 1];
        this.rank[place] = rank;
      });
      this.matching = new Uint8Array(data.names.length).fill(1);
      const last = kept + 1;
      this.ordered = data.names.map((_, place) => place)
        .sort((a, b) => (this.rank[a] || last) - (this.rank[b] || last) || a - b);
      this.current = null;
      this.held = false;
      this.listeners = [];
      this.shownCount = data.names.length;
      this.prepareFilters();
      if (this.canvas) this.prepareMap();
      this.filter();
      if (data.names.length) this.show(this.inOrder()[0]);
    }

    stateOf(place) { return this.rank[place] ? !this.ranked ? "kept" : `kept, ${this.rank[place].toLocaleString("en")} of ${this.kept.toLocaleString("en")}` : "dropped"; }

    // the places of the matching images: kept ones in the order of choice, then the dropped ones
    inOrder() { return this.ordered.filter((place) => this.matching[place]); }

    prepareFilters() {
      const { data, form } = this;
      form.hidden = false;
      form.addEventListener("submit", (event) => event.preventDefault());
      form.addEventListener("input", () => this.filter());
      const select = form.elements.class;
      if (data.classes.length) {
        const counts = new Map();
        const unreadable = data.unreadable.length;
        let without = -unreadable;
        for (const boxes of data.boxes) {
          if (!boxes.length) without += 1;
          for (let at = 0; at < boxes.length; at += 2) counts.set(boxes[at], (counts.get(boxes[at]) || 0) + 1);
        }
        for (const [code, count] of [...counts].sort((a, b) => b[1] - a[1])) {
          select.append(make("option", { value: code }, `${data.classes[code]} (${count})`));
        }
        if (without) select.append(make("option", { value: "none" }, `no boxes (${without})`));
        if (unreadable) select.append(make("option", { value: "unreadable" }, `labels cannot be read (${unreadable})`));
      } else select.closest("label").hidden = true;
      if (this.curation) {
        const states = form.querySelector("fieldset");
        for (const value of ["pinned", "excluded"]) {
          const input = make("input", { type: "radio", name: form.querySelector("[type=radio]").name, value });
          states.append(make("label", {}, input, make("span", {}, value)));
        }
      }
    }

    filter() {
      const { data, form } = this;
      const state = form.querySelector("[type=radio]:checked").value;
      const kind = form.elements.class.value;
      const part = form.elements.name.value.trim().toLowerCase();
      const unreadable = new Set(data.unreadable);
      let count = 0;
      for (let place = 0; place < this.matching.length; place += 1) {
        const boxes = data.boxes[place];
        let fits = state === "all" || (state === "kept" ? this.rank[place] > 0
          : state === "dropped" ? !this.rank[place] : this.curation.choices.get(place) === state);
        if (fits && kind === "unreadable") fits = unreadable.has(place);
        else if (fits && kind === "none") fits = !boxes.length && !unreadable.has(place);
        else if (fits && kind) fits = boxes.some((value, at) => at % 2 === 0 && value === Number(kind));
        if (fits && part) fits = data.names[place].toLowerCase().includes(part);
        this.matching[place] = fits ? 1 : 0;
        count += fits;
      }
      this.shownCount = count;
      form.querySelector("output").textContent = count === this.matching.length ? counted(count, "image")
        : `${counted(count, "image")} of ${this.matching.length.toLocaleString("en")}`;
      this.draw();
      for (const listener of this.listeners) listener();
    }

    prepareMap() {
      const { canvas, data } = this;
      this.view = { zoom: 1, x: 0.5, y: 0.5 };
      this.measure();
      this.drawn = [];
      for (let place = 0; place < data.names.length; place += 1) if (data.x[place] >= 0) this.drawn.push(place);
      this.points = document.createElement("canvas");
      this.stale = true;
      const zoom = this.root.querySelector(".zoom");
      zoom.hidden = false;
      zoom.addEventListener("click", (event) => {
        const how = event.target.closest("button")?.dataset.zoom;
        if (how) this.zoom(how);
      });
      new ResizeObserver(() => this.draw()).observe(canvas);
      redraws.push(() => this.draw());
      const at = (event) => {
        const box = canvas.getBoundingClientRect();
        return [event.clientX - box.left, event.clientY - box.top];
      };
      let grip = null;
      canvas.addEventListener("pointerdown", (event) => {
        if (this.view.zoom > 1) grip = { start: at(event), from: { ...this.view }, moved: false };
      });
      addEventListener("pointerup", () => setTimeout(() => { grip = null; }));
      canvas.addEventListener("pointermove", (event) => {
        if (!this.area.width) return;
        const [x, y] = at(event);
        if (grip && event.buttons) {
          const [dx, dy] = [x - grip.start[0], y - grip.start[1]];
          grip.moved ||= Math.hypot(dx, dy) > 4;
          if (grip.moved) {
            this.look(grip.from.zoom, grip.from.x - dx / this.area.width / grip.from.zoom, grip.from.y - dy / this.area.height / grip.from.zoom);
            return;
          }
        }
        if (this.held) return;
        const place = this.nearest(x, y, (dx, dy) => dx * dx + dy * dy < 900);
        if (place !== null) this.show(place);
      });
      canvas.addEventListener("click", (event) => {
        if (grip?.moved) return;
        const [x, y] = at(event);
        const place = this.nearest(x, y, (dx, dy) => dx * dx + dy * dy < 900);
        this.held = place !== null && !(this.held && place === this.current);
        if (place !== null) this.show(place);
        this.mark();
      });
      canvas.addEventListener("keydown", (event) => this.key(event));
      this.legend();
    }

    key(event) {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const ways = {
        ArrowRight: (dx, dy) => dx > 0 && Math.abs(dy) <= dx,
        ArrowLeft: (dx, dy) => dx < 0 && Math.abs(dy) <= -dx,
        ArrowDown: (dx, dy) => dy > 0 && Math.abs(dx) <= dy,
        ArrowUp: (dx, dy) => dy < 0 && Math.abs(dx) <= -dy,
      };
      const acts = { p: "pinned", x: "excluded" };
      const zooms = { "+": "in", "=": "in", "-": "out", 0: "all" };
      if (ways[event.key]) {
        event.preventDefault();
        this.measure();
        this.held = true;
        if (this.current === null || this.data.x[this.current] < 0) {
          this.show(this.inOrder().find((place) => this.data.x[place] >= 0));
          return;
        }
        const [x, y] = this.screen(this.current);
        const place = this.nearest(x, y, ways[event.key]);
        if (place === null) return;
        this.show(place);
        const [sx, sy] = this.screen(place);
        if (sx < 0 || sy < 0 || sx > this.box.width || sy > this.box.height) this.look(this.view.zoom, ...this.unit(place));
      } else if (acts[event.key] && this.curation && this.current !== null) {
        event.preventDefault();
        this.curation.toggle(this.current, acts[event.key]);
      } else if (zooms[event.key]) {
        event.preventDefault();
        this.zoom(zooms[event.key]);
      }
    }

    zoom(how) {
      if (how === "all") { this.look(1, 0.5, 0.5); return; }
      const centre = this.held && this.current !== null ? this.unit(this.current) : [this.view.x, this.view.y];
      this.look(this.view.zoom * (how === "in" ? 1.6 : 1 / 1.6), ...centre);
    }

    look(zoom, x, y) {
      const most = Math.min(40, Math.max(1, zoom));
      const half = 0.5 / most;
      const within = (value) => Math.min(1 - half, Math.max(half, value));
      this.view = { zoom: most, x: within(x), y: within(y) };
      this.canvas.style.touchAction = most > 1 ? "none" : "";
      this.draw();
    }

    unit(place) { return [this.data.x[place] / this.data.steps, 1 - this.data.y[place] / this.data.steps]; }

    // the pixels of a position along an axis: position * factor + start
    scale() {
      const { area, data, view } = this;
      const across = view.zoom * area.width / data.steps;
      const down = -view.zoom * area.height / data.steps;
      return {
        across, down,
        left: area.left + (0.5 - view.x * view.zoom) * area.width,
        top: area.top + (0.5 + (1 - view.y) * view.zoom) * area.height,
      };
    }

    screen(place) {
      const { across, down, left, top } = this.scale();
      return [left + this.data.x[place] * across, top + this.data.y[place] * down];
    }

    nearest(x, y, allowed) {
      const { across, down, left, top } = this.scale();
      let [best, least] = [null, Infinity];
      for (const place of this.drawn) {
        if (!this.matching[place]) continue;
        const dx = left + this.data.x[place] * across - x;
        const dy = top + this.data.y[place] * down - y;
        const distance = dx * dx + dy * dy;
        if (distance < least && allowed(dx, dy)) [best, least] = [place, distance];
      }
      return best;
    }

    // the colour and the shape of an image: those of its label
    lookOf(place) {
      if (!this.data.looks.length) return [6, 0];
      return this.data.label[place] < 0 ? [-1, 0] : this.data.looks[this.data.label[place]];
    }

    legend() {
      const list = this.root.querySelector(".colours");
      const { data } = this;
      const counts = new Map();
      for (const place of this.drawn) counts.set(data.label[place], (counts.get(data.label[place]) || 0) + 1);
      const shown = new Map();
      for (const [code, count] of [...counts].sort((a, b) => b[1] - a[1])) {
        if (!data.looks.length) break;
        const look = code < 0 ? [-1, 0] : data.looks[code];
        const entry = shown.get(String(look));
        if (entry) { entry.others += 1; entry.count += count; continue; }
        shown.set(String(look), { name: ["labels cannot be read", "no boxes"][code + 2] || data.labels[code], look, count, others: 0 });
      }
      for (const { name, look: [colour, shape], count, others } of shown.values()) {
        const mark = draw("svg", { viewBox: "0 0 12 12", "aria-hidden": "true" });
        const fill = `var(--m${colour < 0 ? "x" : colour})`;
        mark.append(shape === 1 ? draw("rect", { x: 2, y: 2, width: 8, height: 8, style: `fill:${fill}` })
          : shape === 2 ? draw("path", { d: "M6 1L11 10H1Z", style: `fill:${fill}` })
            : draw("circle", { cx: 6, cy: 6, r: 4.5, style: `fill:${fill}` }));
        list.append(make("li", {}, mark, make("bdi", {}, name), others ? ` and ${others} more` : "", make("small", {}, String(count))));
      }
    }

    // draw the points again, at the next frame
    draw() {
      this.stale = true;
      this.mark();
    }

    // draw the rings again, at the next frame
    mark() {
      if (!this.canvas || this.waiting) return;
      this.waiting = true;
      requestAnimationFrame(() => {
        this.waiting = false;
        this.paint();
      });
    }

    measure() {
      const box = this.canvas.getBoundingClientRect();
      this.box = box;
      this.area = { left: 14, top: 14, width: box.width - 28, height: box.height - 28 };
      return box;
    }

    paint() {
      const box = this.measure();
      if (!box.width) return;
      const scale = devicePixelRatio || 1;
      const [width, height] = [Math.round(box.width * scale), Math.round(box.height * scale)];
      for (const canvas of [this.canvas, this.points]) {
        if (canvas.width === width && canvas.height === height) continue;
        Object.assign(canvas, { width, height });
        this.stale = true;
      }
      const style = getComputedStyle(document.documentElement);
      const colour = (name) => style.getPropertyValue(name).trim();
      // the fewer images match, the larger they are drawn
      const many = this.shownCount;
      const size = (many > 20000 ? 1.6 : many > 4000 ? 2.6 : 4.5) * Math.min(2, Math.sqrt(this.view.zoom));
      if (this.stale) this.paintPoints(size, colour, scale);
      this.stale = false;
      const pen = this.canvas.getContext("2d");
      pen.setTransform(1, 0, 0, 1, 0, 0);
      pen.clearRect(0, 0, width, height);
      pen.drawImage(this.points, 0, 0);
      pen.setTransform(scale, 0, 0, scale, 0, 0);
      const ring = (place, name, radius) => {
        const [x, y] = this.screen(place);
        pen.beginPath();
        pen.arc(x, y, radius, 0, 2 * Math.PI);
        pen.strokeStyle = colour(name);
        pen.lineWidth = 2.5;
        pen.stroke();
      };
      if (this.curation) {
        for (const [place, what] of this.curation.choices) {
          if (this.data.x[place] >= 0) ring(place, what === "pinned" ? "--green" : "--orange", size + 3);
        }
      }
      if (this.current !== null && this.data.x[this.current] >= 0) ring(this.current, "--ink", size + (this.held ? 6 : 4));
    }

    paintPoints(size, colour, scale) {
      const { box, data } = this;
      const few = this.shownCount <= 4000;
      const pen = this.points.getContext("2d");
      pen.setTransform(scale, 0, 0, scale, 0, 0);
      pen.clearRect(0, 0, box.width, box.height);
      const groups = new Map();
      for (const place of this.drawn) {
        const state = !this.matching[place] ? 0 : this.rank[place] ? 2 : 1;
        const [code, shape] = this.lookOf(place);
        const key = 1000 * state + 10 * (code + 1) + shape;
        if (!groups.has(key)) groups.set(key, { state, code, shape, places: [] });
        groups.get(key).places.push(place);
      }
      const { across, down, left, top } = this.scale();
      for (const { state, code, shape, places } of [...groups.values()].sort((a, b) => a.state - b.state)) {
        const radius = state === 2 ? size : state === 1 ? size * 0.72 : Math.min(1.2, size / 2);
        const ink = code === 6 ? colour(state === 2 ? "--blue" : "--muted") : colour(`--m${code < 0 ? "x" : code}`);
        pen.fillStyle = pen.strokeStyle = state === 0 ? colour("--mx") : ink;
        pen.globalAlpha = state === 2 ? 1 : state === 0 ? 0.25 : few ? 0.75 : 0.4;
        pen.lineWidth = 1.2;
        for (const place of places) {
          const x = left + data.x[place] * across;
          const y = top + data.y[place] * down;
          if (x < -9 || y < -9 || x > box.width + 9 || y > box.height + 9) continue;
          // squares are drawn fast
          if (!few || state === 0) { pen.fillRect(x - radius, y - radius, 2 * radius, 2 * radius); continue; }
          pen.beginPath();
          if (shape === 1) pen.rect(x - radius * 0.9, y - radius * 0.9, 1.8 * radius, 1.8 * radius);
          else if (shape === 2) {
            pen.moveTo(x, y - 1.2 * radius);
            pen.lineTo(x + 1.15 * radius, y + 0.9 * radius);
            pen.lineTo(x - 1.15 * radius, y + 0.9 * radius);
            pen.closePath();
          } else pen.arc(x, y, radius, 0, 2 * Math.PI);
          if (state === 1) pen.stroke();
          else pen.fill();
        }
      }
      pen.globalAlpha = 1;
    }

    show(place) {
      if (place === undefined || place === this.current) return;
      this.current = place;
      const { data } = this;
      const called = make("p", { class: "called" });
      called.append(nameOf(data.names[place]));
      const lines = [called, make("p", {}, this.stateOf(place)), boxesOf(data, place)];
      if (this.curation) lines.push(this.curation.buttons(place));
      const picture = pictureOf(data, place);
      this.panel.replaceChildren(...(picture ? [picture] : []), ...lines);
      this.mark();
    }
  }

  // the list of all images that match the filters, a page at a time
  class Listing {
    constructor(root, explorer) {
      this.root = root;
      this.explorer = explorer;
      this.page = 0;
      root.hidden = false;
      root.querySelector(".pages").addEventListener("click", (event) => {
        const step = Number(event.target.closest("button")?.dataset.page || 0);
        if (step) { this.page += step; this.show(); root.querySelector("h2").scrollIntoView(); }
      });
      explorer.listeners.push(() => { this.page = 0; this.show(); });
      this.show();
    }

    show() {
      const { explorer, root } = this;
      const { data, curation } = explorer;
      const places = explorer.inOrder();
      const last = Math.max(0, Math.ceil(places.length / LISTED) - 1);
      this.page = Math.min(last, Math.max(0, this.page));
      const some = places.slice(this.page * LISTED, (this.page + 1) * LISTED);
      root.querySelector("#listed").replaceChildren(...some.map((place) => {
        const picture = pictureOf(data, place);
        // the frame is a flexbox: the text needs an element of its own, or each class becomes a column
        const words = make("div", { class: "words" }, boxesOf(data, place));
        const caption = make("figcaption", {}, nameOf(data.names[place]), make("span", {}, explorer.stateOf(place)));
        const thumb = make("figure", { class: "thumb" }, picture || words, caption);
        if (curation) {
          const group = curation.buttons(place);
          thumb.append(group);
          curation.mark(group);
        }
        return thumb;
      }));
      const [earlier, later] = root.querySelectorAll(".pages button");
      earlier.disabled = this.page === 0;
      later.disabled = this.page === last;
      root.querySelector(".pages output").textContent = places.length
        ? `${(this.page * LISTED + 1).toLocaleString("en")} to ${(this.page * LISTED + some.length).toLocaleString("en")} of ${places.length.toLocaleString("en")}`
        : "no image matches";
    }
  }

  const source = document.getElementById("images-data");
  if (!source) return;
  unpack(source.textContent).then((data) => {
    const curates = "curate" in document.body.dataset;
    const curation = curates ? new Curation(data, document.getElementById("curation")) : null;
    const explorers = [...document.querySelectorAll(".explorer")].map((root) => new Explorer(root, data, curation));
    if (curation) {
      const placeOf = data.rows && new Map(data.rows.map((row, place) => [row, place]));
      for (const thumb of document.querySelectorAll(".thumb[data-row]")) {
        const row = Number(thumb.dataset.row);
        const place = placeOf ? placeOf.get(row) : row;
        if (place !== undefined) thumb.append(curation.buttons(place));
        if (place !== undefined) curation.mark(thumb.querySelector(".acts"));
      }
      curation.listeners.push(() => {
        for (const group of document.querySelectorAll(".acts")) curation.mark(group);
        for (const explorer of explorers) {
          const state = explorer.form.querySelector("[type=radio]:checked").value;
          if (state === "pinned" || state === "excluded") explorer.filter();
          else explorer.mark();
        }
      });
      new Listing(document.getElementById("browse"), explorers[0]);
    }
    // a closed part of the page has no size to draw on until it opens
    for (const part of document.querySelectorAll("details")) {
      part.addEventListener("toggle", () => { for (const explorer of explorers) if (part.contains(explorer.root)) explorer.draw(); });
    }
    document.documentElement.dataset.ready = "";
  }).catch(() => {
    for (const panel of document.querySelectorAll(".shown")) panel.textContent = "This browser cannot show the map. The pictures below do not need the map.";
  });
})();
