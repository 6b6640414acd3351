/** The connectome as a matrix or as points in space, the spiking regions marked. */

import { drawCloud } from "./brain.js";
import { h, setText } from "./dom.js";
import { drawMatrix, matrixImage } from "./matrix.js";
import { Surface } from "./surface.js";
import { onTheme } from "./theme.js";

/**
 * @typedef {Object} Connectome
 * @property {string[]} labels
 * @property {number[][]} centres In mm, one row per region.
 * @property {number[][]} weights `weights[target][source]`.
 * @property {number[]} spiking Indices of the spiking regions.
 */

const HINTS = {
  brain: "Drag or use the arrow keys to rotate, + and - to zoom.",
  matrix: "Rows receive, columns send; darker is stronger (logarithmic). Spiking regions are marked.",
};

export class ConnectomeView {
  /**
   * @param {Connectome} data
   * @param {AbortSignal} signal
   */
  constructor(data, signal) {
    this.data = { ...data, spiking: new Set(data.spiking) };
    this.kind = "brain";
    this.pose = { yaw: -0.6, pitch: 0.45, zoom: 1 };
    this.hover = null;
    this.image = null;
    this.canvas = h("canvas", { class: "plot connectome", tabindex: "0", role: "img" });
    this.readout = h("p", { class: "hint", role: "status" });
    this.choices = ["brain", "matrix"].map((kind) => h("button", {
      type: "button", class: "segment", text: kind === "brain" ? "3-D" : "Matrix",
      onclick: () => this.show(kind),
    }));
    this.element = h("div", { class: "stack" },
      h("div", { class: "segments", role: "group", "aria-label": "View of the connectome" }, this.choices),
      this.canvas, this.readout);
    this.surface = new Surface(this.canvas, (...all) => this.paint(...all), signal);
    onTheme(() => { this.image = null; }, signal);
    this.listen();
    this.show("brain");
  }

  show(kind) {
    this.kind = kind;
    this.hover = null;
    const spiking = [...this.data.spiking].map((index) => this.data.labels[index]).join(", ") || "none";
    this.choices.forEach((button, i) => button.setAttribute("aria-pressed", String((i === 0) === (kind === "brain"))));
    this.canvas.setAttribute("aria-label",
      `Connectome of ${this.data.labels.length} regions as ${kind === "brain" ? "points in space" : "a matrix"}; spiking: ${spiking}`);
    this.tell(null);
    this.surface.touch();
  }

  tell(text) {
    setText(this.readout, text ?? HINTS[this.kind]);
  }

  paint(context, width, height) {
    if (this.kind === "matrix") {
      this.image ??= matrixImage(this.data);
      this.place = drawMatrix(context, width, height, this.data, this.image, this.hover);
    } else {
      this.points = drawCloud(context, width, height, this.data, this.pose, this.hover);
    }
  }

  listen() {
    let held = null;
    this.canvas.addEventListener("pointerdown", (event) => {
      if (this.kind !== "brain") return;
      held = [event.clientX, event.clientY];
      this.canvas.setPointerCapture(event.pointerId);
    });
    this.canvas.addEventListener("pointermove", (event) => {
      if (!held) return this.point(event.offsetX, event.offsetY);
      this.turn((event.clientX - held[0]) / 120, (event.clientY - held[1]) / 120);
      held = [event.clientX, event.clientY];
    });
    for (const name of ["pointerup", "pointercancel"]) this.canvas.addEventListener(name, () => { held = null; });
    this.canvas.addEventListener("pointerleave", () => this.point(-1, -1));
    this.canvas.addEventListener("keydown", (event) => this.key(event));
  }

  turn(yaw, pitch) {
    this.pose.yaw += yaw;
    this.pose.pitch = Math.max(-1.57, Math.min(1.57, this.pose.pitch + pitch));
    this.surface.touch();
  }

  key(event) {
    const turns = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] };
    const zooms = { "+": 1.15, "=": 1.15, "-": 1 / 1.15 };
    if (this.kind !== "brain" || !(event.key in turns || event.key in zooms)) return;
    event.preventDefault();
    if (event.key in turns) return this.turn(...turns[event.key]);
    this.pose.zoom = Math.max(0.5, Math.min(4, this.pose.zoom * zooms[event.key]));
    this.surface.touch();
  }

  /** Finds what lies under the pointer. */
  point(px, py) {
    const found = this.kind === "matrix" ? this.cellAt(px, py) : this.regionAt(px, py);
    if (JSON.stringify(found) === JSON.stringify(this.hover)) return;
    this.hover = found;
    this.surface.touch();
    const { labels, weights } = this.data;
    if (!found) this.tell(null);
    else if (this.kind === "matrix") {
      const [target, source] = found;
      this.tell(`${labels[source]} → ${labels[target]}: ${weights[target][source].toPrecision(3)}`);
    } else this.tell(`${labels[found[0]]}${this.data.spiking.has(found[0]) ? " (spiking)" : ""}`);
  }

  cellAt(px, py) {
    if (!this.place) return null;
    const { left, top, cell } = this.place;
    const [column, row] = [Math.floor((px - left) / cell), Math.floor((py - top) / cell)];
    const size = this.data.labels.length;
    return row >= 0 && column >= 0 && row < size && column < size ? [row, column] : null;
  }

  regionAt(px, py) {
    let best = null, distance = 12;
    for (const { x, y, index } of this.points ?? []) {
      const gap = Math.hypot(x - px, y - py);
      if (gap < distance) { distance = gap; best = [index]; }
    }
    return best;
  }
}
