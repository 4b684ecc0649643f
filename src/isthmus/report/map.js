"use strict";
// Points drawn by hand into the pixels of a canvas: 60,000 of them take a few milliseconds, on any machine.

const page = JSON.parse(document.getElementById("page").textContent);
const find = (id) => document.getElementById(id);
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function unpacked(base64, type) {
  const text = atob(base64), bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return new type(bytes.buffer);
}

// ---------------------------------------------------------------- colours

function pixel(hex) { // a colour as the 32 bits of a pixel, little-endian
  const n = parseInt(hex.slice(1), 16);
  return (0xff000000 | ((n & 255) << 16) | (n & 0xff00) | (n >> 16)) >>> 0;
}

function mixed(under, over, alpha) { // two pixels; alpha from 0 to 256
  const beta = 256 - alpha;
  const redBlue = (((under & 0xff00ff) * beta + (over & 0xff00ff) * alpha) / 256) & 0xff00ff;
  const green = (((under & 0xff00) * beta + (over & 0xff00) * alpha) / 256) & 0xff00;
  return 0xff000000 | redBlue | green;
}

for (const colouring of page.colourings) {
  colouring.codes = unpacked(colouring.codes, Uint8Array);
  colouring.hidden = new Uint8Array(colouring.palette.length);
  colouring.pixels = Uint32Array.from(colouring.palette, pixel);
}
let colouring = page.colourings[0];

// Records are drawn in a shuffled order, so that no class lies on top of the others.
const order = Uint32Array.from({length: page.n}, (_, i) => i);
for (let i = page.n - 1, seed = 1; i > 0; i--) {
  seed = (seed * 1103515245 + 12345) % 2147483648;
  const j = seed % (i + 1), kept = order[i];
  order[i] = order[j]; order[j] = kept;
}

// ---------------------------------------------------------------- one picture

const CELLS = 96; // a side of the grid in which points are looked up

class Picture {
  constructor(place, view) {
    this.canvas = place.querySelector("canvas");
    this.ring = place.querySelector(".ring");
    const points = unpacked(view.points, Uint16Array);
    const [width, height] = view.extent;
    this.x = new Float32Array(page.n); // the longer side of the map is 1
    this.y = new Float32Array(page.n);
    for (let i = 0; i < page.n; i++) {
      this.x[i] = (points[2 * i] / 65535) * width;
      this.y[i] = (1 - points[2 * i + 1] / 65535) * height;
    }
    this.extent = view.extent;
    this.index();
    this.fit();
    this.listen();
  }

  index() { // rows of each cell, one after the other (a counting sort)
    const cell = this.cellOf = (x, y) =>
      Math.min(CELLS - 1, Math.max(0, Math.floor(y * CELLS))) * CELLS + Math.min(CELLS - 1, Math.max(0, Math.floor(x * CELLS)));
    this.start = new Uint32Array(CELLS * CELLS + 1);
    for (let i = 0; i < page.n; i++) this.start[cell(this.x[i], this.y[i]) + 1]++;
    for (let c = 0; c < CELLS * CELLS; c++) this.start[c + 1] += this.start[c];
    const next = this.start.slice();
    this.rows = new Uint32Array(page.n);
    for (let i = 0; i < page.n; i++) this.rows[next[cell(this.x[i], this.y[i])]++] = i;
  }

  nearest(x, y, reach) { // the record nearest to a place of the map, or -1
    let best = -1, least = reach * reach;
    const clip = (v) => Math.min(CELLS - 1, Math.max(0, Math.floor(v * CELLS)));
    for (let row = clip(y - reach); row <= clip(y + reach); row++) {
      const from = this.start[row * CELLS + clip(x - reach)], to = this.start[row * CELLS + clip(x + reach) + 1];
      for (let k = from; k < to; k++) {
        const i = this.rows[k], dx = this.x[i] - x, dy = this.y[i] - y, d = dx * dx + dy * dy;
        if (d < least && !colouring.hidden[colouring.codes[i]]) { least = d; best = i; }
      }
    }
    return best;
  }

  fit() { // show everything
    const box = this.canvas.getBoundingClientRect();
    this.ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.max(1, Math.round(box.width * this.ratio));
    this.canvas.height = Math.max(1, Math.round(box.height * this.ratio));
    const [width, height] = this.extent, margin = 0.06;
    this.scale = this.whole = (1 - margin) * Math.min(this.canvas.width / width, this.canvas.height / height);
    this.left = width / 2 - this.canvas.width / this.scale / 2; // the map's place at the canvas's corner
    this.top = height / 2 - this.canvas.height / this.scale / 2;
    this.ask();
  }

  ask() { // draw once before the next frame
    if (!this.asked) requestAnimationFrame(() => { this.asked = false; this.draw(); });
    this.asked = true;
  }

  stamp() { // the pixels of a disc, with what part of each it covers
    const grown = (this.scale / this.whole) ** 0.35;
    const few = Math.min(3, Math.max(1, 60 / Math.sqrt(page.n)));
    const radius = this.ratio * Math.min(7, Math.max(0.9, Math.sqrt(this.canvas.width / this.ratio / 520)) * few * grown);
    const reach = Math.ceil(radius), strength = page.n > 3000 ? 190 : 235, found = [];
    for (let dy = -reach; dy <= reach; dy++)
      for (let dx = -reach; dx <= reach; dx++) {
        const covered = Math.min(1, Math.max(0, radius + 0.5 - Math.hypot(dx, dy)));
        if (covered > 0.02) found.push([dx, dy, Math.round(covered * strength)]);
      }
    return {reach, offsets: Int32Array.from(found, ([dx, dy]) => dy * this.canvas.width + dx),
      alphas: Uint16Array.from(found, (entry) => entry[2])};
  }

  draw() {
    const {width, height} = this.canvas, context = this.canvas.getContext("2d");
    const image = context.createImageData(width, height), pixels = new Uint32Array(image.data.buffer);
    pixels.fill(pixel(css("--panel")));
    const {reach, offsets, alphas} = this.stamp(), {codes, hidden, pixels: palette} = colouring;
    for (let k = 0; k < page.n; k++) {
      const i = order[k], code = codes[i];
      if (hidden[code]) continue;
      const px = Math.round((this.x[i] - this.left) * this.scale), py = Math.round((this.y[i] - this.top) * this.scale);
      if (px < reach || py < reach || px >= width - reach || py >= height - reach) continue;
      const at = py * width + px, colour = palette[code];
      for (let s = 0; s < offsets.length; s++) pixels[at + offsets[s]] = mixed(pixels[at + offsets[s]], colour, alphas[s]);
    }
    context.putImageData(image, 0, 0);
    this.mark(chosen);
  }

  mark(i) { // put the ring around a record
    const px = i < 0 ? -1 : (this.x[i] - this.left) * this.scale / this.ratio;
    const py = i < 0 ? -1 : (this.y[i] - this.top) * this.scale / this.ratio;
    const inside = px >= 0 && py >= 0 && px <= this.canvas.width / this.ratio && py <= this.canvas.height / this.ratio;
    this.ring.hidden = !inside;
    if (inside) this.ring.style.transform = `translate(${px}px, ${py}px)`;
  }

  at(event) { // the place of the map under a pointer
    const box = this.canvas.getBoundingClientRect();
    return [this.left + (event.clientX - box.left) * this.ratio / this.scale,
      this.top + (event.clientY - box.top) * this.ratio / this.scale];
  }

  zoom(factor, x, y) { // about a place of the map, which stays where it is
    const scale = Math.min(400 * this.whole, Math.max(0.5 * this.whole, this.scale * factor));
    this.left = x - (x - this.left) * this.scale / scale;
    this.top = y - (y - this.top) * this.scale / scale;
    this.scale = scale;
    this.ask();
  }

  move(dx, dy) { // by pixels of the page
    this.left -= dx * this.ratio / this.scale;
    this.top -= dy * this.ratio / this.scale;
    this.ask();
  }

  listen() {
    const pointers = new Map(), canvas = this.canvas;
    const middle = () => [this.left + canvas.width / this.scale / 2, this.top + canvas.height / this.scale / 2];
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0016)), ...this.at(event));
    }, {passive: false});
    canvas.addEventListener("dblclick", () => this.fit());
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, event);
    });
    canvas.addEventListener("pointermove", (event) => {
      const before = pointers.get(event.pointerId);
      if (!before) return choose(this.nearest(...this.at(event), 14 * this.ratio / this.scale), event);
      choose(-1);
      if (pointers.size === 2) { // pinch: the distance of two fingers is the zoom
        const other = [...pointers.values()].find((one) => one.pointerId !== event.pointerId);
        const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY) || 1;
        this.zoom(apart(event) / apart(before), ...this.at(other));
      } else this.move(event.clientX - before.clientX, event.clientY - before.clientY);
      pointers.set(event.pointerId, event);
    });
    const lift = (event) => pointers.delete(event.pointerId);
    canvas.addEventListener("pointerup", (event) => {
      lift(event);
      choose(this.nearest(...this.at(event), 14 * this.ratio / this.scale), event);
    });
    canvas.addEventListener("pointercancel", lift);
    canvas.addEventListener("pointerleave", () => choose(-1));
    canvas.addEventListener("keydown", (event) => {
      const step = {ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60]}[event.key];
      if (step) this.move(...step);
      else if (event.key === "+" || event.key === "=") this.zoom(1.4, ...middle());
      else if (event.key === "-") this.zoom(1 / 1.4, ...middle());
      else if (event.key === "0") this.fit();
      else return;
      event.preventDefault();
    });
  }
}

// ---------------------------------------------------------------- one record

let chosen = -1;
const card = find("card");

function row(name, value) {
  const line = document.createElement("div"), title = document.createElement("dt"), text = document.createElement("dd");
  title.textContent = name;
  text.textContent = value;
  line.append(title, text);
  return line;
}

function thumbnail(i) {
  const {columns, rows, sheets, width, height} = page.thumbnails;
  const each = columns * rows, k = i % each, times = Math.max(1, Math.round(112 / Math.max(width, height)));
  const picture = document.createElement("div");
  picture.className = "thumbnail";
  picture.style.cssText = `width:${width * times}px;height:${height * times}px;` +
    `background-image:url(${sheets[Math.floor(i / each)]});background-size:${columns * width * times}px auto;` +
    `background-position:${-(k % columns) * width * times}px ${-Math.floor(k / columns) * height * times}px`;
  return picture;
}

function told(one, i) {
  if (one.kind === "classes") return one.names[one.codes[i]];
  return one.codes[i] === 255 ? "–" : Number((one.low + (one.high - one.low) * one.codes[i] / 254).toPrecision(3));
}

function describe(i) {
  const list = document.createElement("dl");
  card.replaceChildren(...(page.thumbnails ? [thumbnail(i)] : []), list);
  list.append(row("record", page.names ? `${i}: ${page.names[i]}` : i));
  const columns = new Set(page.columns.map((one) => one.name)); // these follow, with all their digits
  for (const one of page.colourings) if (one.name && !columns.has(one.name)) list.append(row(one.name, told(one, i)));
  for (const {name, values} of page.columns) list.append(row(name, values[i] ?? "–"));
  if (page.texts) {
    const text = document.createElement("p");
    text.textContent = page.texts[i];
    card.append(text);
  }
}

function choose(i, event) { // show a record beside the pointer, and its ring in every picture
  if (i !== chosen) {
    chosen = i;
    card.hidden = i < 0;
    if (i >= 0) describe(i);
    for (const picture of pictures) picture.mark(i);
  }
  if (i < 0 || !event) return;
  const {width, height} = card.getBoundingClientRect(), gap = 18;
  const right = event.clientX + gap + width < innerWidth, below = event.clientY + gap + height < innerHeight;
  const left = right ? event.clientX + gap : Math.max(4, event.clientX - gap - width);
  card.style.transform = `translate(${left}px, ${below ? event.clientY + gap : Math.max(4, innerHeight - height - 4)}px)`;
}

// ---------------------------------------------------------------- what colours mean

function legend() {
  const place = find("legend");
  place.replaceChildren();
  if (colouring.kind === "numbers") {
    const scale = document.createElement("span");
    scale.className = "scale";
    scale.style.background = `linear-gradient(90deg, ${colouring.palette.slice(0, 255).filter((_, i) => i % 16 === 0).join(",")})`;
    place.append(Number(colouring.low.toPrecision(3)), scale, Number(colouring.high.toPrecision(3)));
    return;
  }
  colouring.names.forEach((name, code) => {
    if (!name) return;
    const button = document.createElement("button");
    button.type = "button";
    button.style.setProperty("--colour", colouring.palette[code]);
    button.textContent = name;
    button.setAttribute("aria-pressed", colouring.hidden[code] ? "false" : "true");
    button.title = "click: hide or show; double click: only this one";
    button.onclick = () => { colouring.hidden[code] ^= 1; recolour(); };
    button.ondblclick = () => {
      const alone = colouring.hidden.every((hidden, other) => hidden === (other === code ? 0 : 1));
      colouring.hidden.fill(alone ? 0 : 1);
      colouring.hidden[code] = 0;
      recolour();
    };
    place.append(button);
  });
}

function recolour() {
  legend();
  for (const picture of pictures) picture.ask();
}

find("colour").onchange = (event) => { colouring = page.colourings[event.target.value]; recolour(); };
const pictures = page.views.map((view, i) => new Picture(document.querySelectorAll(".view")[i], view));
legend();
new ResizeObserver(() => pictures.forEach((picture) => picture.fit())).observe(find("views"));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
