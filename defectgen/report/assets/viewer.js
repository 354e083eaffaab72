"use strict";
/* A small structure viewer on a 2D canvas: shaded spheres, bonds, the cell, ghosts of vacant sites. No dependencies. */

class StructureViewer {
  constructor(root, scenes, elements) {
    this.root = root;
    this.scenes = scenes;
    this.elements = elements;
    this.canvas = root.querySelector("canvas");
    this.context = this.canvas.getContext("2d");
    this.tip = root.querySelector(".viewer-tip");
    this.controls = Object.fromEntries(
      [...root.querySelectorAll("[data-control]")].map((e) => [e.dataset.control, e]),
    );
    this.zoom = 1;
    this.resetView();
    this.sprites = new Map();
    this.drawn = [];
    this.fillMenus();
    this.listen();
    this.selectScene(Math.min(1, scenes.length - 1));  // the pristine cell comes first
  }

  resetView() {
    this.rotation = START;
    this.zoom = 1;
  }

  fillMenus() {
    const menu = this.controls.scene;
    const groups = new Map();
    this.scenes.forEach((scene, index) => {
      if (!groups.has(scene.group)) {
        const group = document.createElement("optgroup");
        group.label = scene.group;
        groups.set(scene.group, group);
        menu.append(group);
      }
      groups.get(scene.group).append(new Option(scene.title, String(index)));
    });
  }

  listen() {
    const { canvas, controls } = this;
    controls.scene.addEventListener("change", () => this.selectScene(Number(controls.scene.value)));
    for (const name of ["geometry", "colour", "range", "bonds", "arrows"]) {
      controls[name].addEventListener("change", () => this.refresh());
    }
    controls.reset.addEventListener("click", () => { this.resetView(); this.refresh(); });
    canvas.addEventListener("pointerdown", () => canvas.focus({ preventScroll: true }));
    canvas.addEventListener("wheel", (event) => {
      if (document.activeElement !== canvas) return;  // the page scrolls until the viewer is clicked
      event.preventDefault();
      this.zoom = Math.min(8, Math.max(0.4, this.zoom * Math.exp(-event.deltaY * 0.001)));
      this.request();
    }, { passive: false });
    this.turnByHand();
  }

  turnByHand() {
    const { canvas } = this;
    let last = null;
    canvas.addEventListener("pointerdown", (event) => {
      last = [event.clientX, event.clientY];
      canvas.setPointerCapture(event.pointerId);
      this.tip.hidden = true;
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!last) { this.hover(event); return; }
      this.rotate((event.clientX - last[0]) * 0.01, (event.clientY - last[1]) * 0.01);
      last = [event.clientX, event.clientY];
    });
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { last = null; });
    canvas.addEventListener("pointerleave", () => { this.tip.hidden = true; });
    canvas.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.request()).observe(canvas);
  }

  key(event) {
    const step = 0.1;
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    if (moves[event.key]) { this.rotate(...moves[event.key]); event.preventDefault(); }
    else if (event.key === "+" || event.key === "=") { this.zoom = Math.min(8, this.zoom * 1.1); this.request(); }
    else if (event.key === "-") { this.zoom = Math.max(0.4, this.zoom / 1.1); this.request(); }
  }

  rotate(dx, dy) {
    this.rotation = multiply(multiply(turn(1, dx), turn(0, dy)), this.rotation);
    this.request();
  }

  selectScene(index) {
    this.scene = this.scenes[index];
    this.controls.scene.value = String(index);
    const menu = this.controls.geometry;
    const wanted = menu.selectedOptions[0] ? menu.selectedOptions[0].dataset.kind : "relaxed";
    menu.replaceChildren(...this.scene.geometries.map((geometry, k) => {
      const option = new Option(geometry.label, String(k));
      option.dataset.kind = geometry.kind;
      return option;
    }));
    const kinds = this.scene.geometries.map((g) => g.kind);
    const found = kinds.indexOf(wanted);
    menu.value = String(found >= 0 ? found : kinds.length - 1);
    this.refresh();
  }

  refresh() {
    const scene = this.scene;
    const geometry = scene.geometries[Number(this.controls.geometry.value)];
    const reach = Number(this.controls.range.value);
    const ideal = scene.geometries[0].positions;
    const centre = scene.centre;
    const middle = [0, 1, 2].map((k) => (geometry.cell[0][k] + geometry.cell[1][k] + geometry.cell[2][k]) / 2);
    this.geometry = geometry;
    this.middle = reach > 0 && centre ? centre : middle;
    const images = reach > 0 && centre ? [-1, 0, 1] : [0];
    this.atoms = [];
    for (let i = 0; i < scene.numbers.length; i += 1) {
      const home = geometry.positions.slice(3 * i, 3 * i + 3);
      const move = [0, 1, 2].map((k) => home[k] - ideal[3 * i + k]);
      for (const u of images) for (const v of images) for (const w of images) {
        const at = [0, 1, 2].map((k) => home[k] + u * geometry.cell[0][k] + v * geometry.cell[1][k] + w * geometry.cell[2][k]);
        const away = centre ? distance(at, centre) : 0;
        if (images.length > 1 && away > reach) continue;
        this.atoms.push({ index: i, at, move, away, moved: Math.hypot(...move), number: scene.numbers[i] });
      }
    }
    this.largestMove = Math.max(0.02, ...this.atoms.map((a) => a.moved));
    this.boxed = images.length === 1;
    this.extent = Math.max(2, ...this.atoms.map((a) => distance(a.at, this.middle)));
    this.bonds = this.controls.bonds.checked ? this.findBonds() : [];
    this.describe();
    this.request();
  }

  findBonds() {
    const bonds = [];
    const radius = (atom) => this.elements[atom.number].radius;
    for (let i = 0; i < this.atoms.length; i += 1) {
      for (let j = i + 1; j < this.atoms.length; j += 1) {
        const [a, b] = [this.atoms[i], this.atoms[j]];
        const metals = this.elements[a.number].metal && this.elements[b.number].metal;
        const reach = 1.18 * (radius(a) + radius(b));
        if (metals && new Set(this.scene.numbers).size > 1) continue;
        if (distance(a.at, b.at) < reach) bonds.push([a, b]);
      }
    }
    return bonds;
  }

  describe() {
    const scene = this.scene;
    const counts = new Map();
    scene.numbers.forEach((z) => counts.set(z, (counts.get(z) || 0) + 1));
    const legend = this.root.querySelector(".viewer-legend");
    const entries = [...counts].sort((a, b) => a[0] - b[0]).map(([z, n]) =>
      legendEntry(this.elements[z].colour, `${this.elements[z].symbol} ${n}`, "disc"));
    if (scene.ghosts.length) entries.push(legendEntry("transparent", "vacant site", "ghost"));
    if (scene.marked.length) entries.push(legendEntry("transparent", "defect atom", "ring"));
    if (this.controls.colour.value === "displacement") {
      entries.push(legendEntry("linear-gradient(90deg,#440154,#31688e,#35b779,#fde725)",
        `moved 0 to ${this.largestMove.toFixed(3)} Å`, "bar"));
    }
    legend.replaceChildren(...entries);
    this.root.querySelector(".viewer-note").textContent = this.geometry.note;
  }

  request() {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => { this.pending = false; this.draw(); });
  }

  project(point) {
    const [x, y, z] = apply(this.rotation, [0, 1, 2].map((k) => point[k] - this.middle[k]));
    return [this.width / 2 + x * this.scale, this.height / 2 - y * this.scale, z];
  }

  draw() {
    const { canvas, context } = this;
    const ratio = window.devicePixelRatio || 1;
    this.width = canvas.clientWidth;
    this.height = canvas.clientHeight;
    if (!this.width) return;
    canvas.width = Math.round(this.width * ratio);
    canvas.height = Math.round(this.height * ratio);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.style = getComputedStyle(document.documentElement);
    this.background = parseColour(this.style.getPropertyValue("--surface"));
    this.scale = this.fit() * this.zoom;
    const items = [...this.cellItems(), ...this.bondItems(), ...this.atomItems(), ...this.ghostItems()];
    items.sort((a, b) => a.depth - b.depth);
    this.drawn = items.filter((item) => item.atom);
    for (const item of items) item.paint();
    if (this.controls.arrows.checked) this.drawArrows();
    this.drawAxes();
  }

  /* Pixels per Å that show everything in the view that the viewer starts from. */
  fit() {
    if (!this.boxed) return Math.min(this.width, this.height) / 2 / (this.extent + 0.9);
    const seen = [...this.atoms.map((a) => a.at), ...corners(this.geometry.cell)];
    const flat = seen.map((p) => apply(START, [0, 1, 2].map((k) => p[k] - this.middle[k])));
    const reach = (axis) => Math.max(1, ...flat.map((p) => Math.abs(p[axis]))) + 0.9;
    return Math.min(this.width / 2 / reach(0), this.height / 2 / reach(1));
  }

  fog(depth) {
    return Math.min(0.62, Math.max(0, (0.35 - depth / this.extent) * 0.42));
  }

  cellItems() {
    const items = [];
    if (!this.boxed) return items;
    const cell = this.geometry.cell;
    const corner = (i, j, k) => [0, 1, 2].map((x) => i * cell[0][x] + j * cell[1][x] + k * cell[2][x]);
    const pieces = 8;
    for (const [a, b, c] of [[0, 1, 2], [1, 0, 2], [2, 0, 1]]) {
      for (const [u, v] of [[0, 0], [0, 1], [1, 0], [1, 1]]) {
        const bits = [0, 0, 0];
        bits[b] = u; bits[c] = v;
        const from = corner(...bits);
        bits[a] = 1;
        const to = corner(...bits);
        for (let p = 0; p < pieces; p += 1) {
          const [s, t] = [mix3(from, to, p / pieces), mix3(from, to, (p + 1) / pieces)];
          const [m, n] = [this.project(s), this.project(t)];
          const depth = (m[2] + n[2]) / 2;
          items.push({ depth, paint: () => this.line(m, n, this.style.getPropertyValue("--box"), 1, 1 - this.fog(depth)) });
        }
      }
    }
    return items;
  }

  bondItems() {
    const width = Math.max(1, 0.17 * this.scale);
    return this.bonds.flatMap(([a, b]) => {
      const [m, n] = [this.project(a.at), this.project(b.at)];
      const half = [(m[0] + n[0]) / 2, (m[1] + n[1]) / 2, (m[2] + n[2]) / 2];
      return [[m, a], [n, b]].map(([end, atom]) => {
        const depth = (end[2] + half[2]) / 2 - 0.1;
        const colour = css(blend(shade(this.colourOf(atom), 0.82), this.background, this.fog(depth)));
        return { depth, paint: () => this.line(end, half, colour, width, 1) };
      });
    });
  }

  atomItems() {
    const marked = new Set(this.scene.marked);
    return this.atoms.map((atom) => {
      const [x, y, depth] = this.project(atom.at);
      const radius = this.radiusOf(atom.number);
      const paint = () => {
        const sprite = this.sprite(this.colourOf(atom), Math.round(this.fog(depth) * 16) / 16);
        this.context.drawImage(sprite, x - radius, y - radius, 2 * radius, 2 * radius);
        if (marked.has(atom.index)) this.circle(x, y, radius + 3.5, this.style.getPropertyValue("--accent"), 2.5, []);
      };
      return { depth, paint, atom, x, y, radius };
    });
  }

  ghostItems() {
    return this.scene.ghosts.map((ghost) => {
      const [x, y, depth] = this.project(ghost.at);
      const radius = this.radiusOf(ghost.number);
      const paint = () => {
        this.context.globalAlpha = 0.16;
        this.context.fillStyle = this.style.getPropertyValue("--accent");
        this.context.beginPath();
        this.context.arc(x, y, radius, 0, 2 * Math.PI);
        this.context.fill();
        this.context.globalAlpha = 1;
        this.circle(x, y, radius, this.style.getPropertyValue("--accent"), 2, [4, 3]);
      };
      return { depth: depth + 0.02, paint };
    });
  }

  drawArrows() {
    const magnify = 0.9 / this.largestMove;
    const [colour, halo] = ["--text", "--surface"].map((name) => this.style.getPropertyValue(name));
    for (const atom of this.atoms) {
      if (atom.moved < 0.04 * this.largestMove) continue;
      const tip = [0, 1, 2].map((k) => atom.at[k] + atom.move[k] * magnify * 1.6);
      const [m, n] = [this.project(atom.at), this.project(tip)];
      const length = Math.hypot(n[0] - m[0], n[1] - m[1]);
      if (length < 4) continue;
      const [ux, uy] = [(n[0] - m[0]) / length, (n[1] - m[1]) / length];
      const barb = (side) => [n[0] - 7 * ux + side * 4 * uy, n[1] - 7 * uy - side * 4 * ux];
      for (const [stroke, width] of [[halo, 4.5], [colour, 2]]) {
        for (const [from, to] of [[m, n], [n, barb(1)], [n, barb(-1)]]) this.line(from, to, stroke, width, 1);
      }
    }
  }

  drawAxes() {
    const [x, y, size] = [34, this.height - 34, 24];
    const names = ["a", "b", "c"];
    const colour = this.style.getPropertyValue("--muted");
    this.context.font = "12px system-ui, sans-serif";
    this.context.textAlign = "center";
    this.context.textBaseline = "middle";
    this.geometry.cell.forEach((vector, k) => {
      const length = Math.hypot(...vector);
      const [u, v] = apply(this.rotation, vector.map((component) => component / length));
      this.line([x, y], [x + size * u, y - size * v], colour, 1.5, 1);
      this.context.fillStyle = colour;
      this.context.fillText(names[k], x + (size + 8) * u, y - (size + 8) * v);
    });
  }

  line(from, to, colour, width, alpha) {
    const context = this.context;
    context.globalAlpha = alpha;
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.lineCap = "round";
    context.setLineDash([]);
    context.beginPath();
    context.moveTo(from[0], from[1]);
    context.lineTo(to[0], to[1]);
    context.stroke();
    context.globalAlpha = 1;
  }

  circle(x, y, radius, colour, width, dash) {
    const context = this.context;
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.setLineDash(dash);
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.stroke();
    context.setLineDash([]);
  }

  radiusOf(number) {
    return Math.max(3, 0.45 * this.elements[number].radius * this.scale);
  }

  colourOf(atom) {
    if (this.controls.colour.value === "displacement") return viridis(atom.moved / this.largestMove);
    return parseColour(this.elements[atom.number].colour);
  }

  sprite(colour, fog) {
    const key = `${colour.join()}|${fog}|${this.background.join()}`;
    if (this.sprites.has(key)) return this.sprites.get(key);
    const size = 96;
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = size;
    const context = canvas.getContext("2d");
    const base = blend(colour, this.background, fog);
    const gradient = context.createRadialGradient(size * 0.36, size * 0.32, size * 0.03, size / 2, size / 2, size / 2);
    gradient.addColorStop(0, css(blend(base, [255, 255, 255], 0.72)));
    gradient.addColorStop(0.35, css(blend(base, [255, 255, 255], 0.12)));
    gradient.addColorStop(0.8, css(shade(base, 0.82)));
    gradient.addColorStop(1, css(shade(base, 0.55)));
    context.fillStyle = gradient;
    context.beginPath();
    context.arc(size / 2, size / 2, size / 2 - 1, 0, 2 * Math.PI);
    context.fill();
    this.sprites.set(key, canvas);
    return canvas;
  }

  hover(event) {
    const box = this.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const hit = this.drawn.filter((i) => Math.hypot(i.x - x, i.y - y) < i.radius).at(-1);
    this.tip.hidden = !hit;
    if (!hit) return;
    const { atom } = hit;
    const parts = [`${this.elements[atom.number].symbol}, site ${this.scene.sites[atom.index]}`];
    parts.push(`moved ${atom.moved.toFixed(3)} Å from ideal`);
    if (this.scene.centre) parts.push(`${atom.away.toFixed(2)} Å from the defect`);
    this.tip.textContent = parts.join(" · ");
    this.tip.style.left = `${Math.min(x + 14, this.width - 240)}px`;
    this.tip.style.top = `${y + 14}px`;
  }
}

function legendEntry(colour, text, kind) {
  const entry = document.createElement("span");
  const mark = document.createElement("i");
  mark.className = `mark-${kind}`;
  if (kind === "disc" || kind === "bar") mark.style.background = colour;
  entry.append(mark, text);
  return entry;
}
