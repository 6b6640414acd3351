/** A canvas that fits its box, is sharp on every screen, and draws only when something changed. */

import { onTheme } from "./theme.js";

const dirty = new Set();
let asked = false;

function frame() {
  asked = false;
  for (const surface of [...dirty]) {
    dirty.delete(surface);
    surface.draw();
  }
}

function ask(surface) {
  dirty.add(surface);
  if (asked) return;
  asked = true;
  requestAnimationFrame(frame);
}

export class Surface {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {(context: CanvasRenderingContext2D, width: number, height: number) => void} paint
   *   In CSS pixels; the canvas is clear before.
   * @param {AbortSignal} signal Ends it.
   */
  constructor(canvas, paint, signal) {
    this.canvas = canvas;
    this.paint = paint;
    this.seen = false;
    this.painted = 0;
    const resized = new ResizeObserver(() => this.touch());
    const watched = new IntersectionObserver(([entry]) => {
      this.seen = entry.isIntersecting;
      if (this.seen) this.touch();
    });
    resized.observe(canvas);
    watched.observe(canvas);
    onTheme(() => this.touch(), signal);
    signal.addEventListener("abort", () => {
      resized.disconnect();
      watched.disconnect();
      dirty.delete(this);
    }, { once: true });
  }

  /** Says that something changed; many calls make one drawing, none while out of sight. */
  touch() {
    if (this.seen) ask(this);
  }

  draw() {
    const { canvas } = this;
    const scale = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (!width || !height) return;
    const [w, h] = [Math.round(width * scale), Math.round(height * scale)];
    if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
    const context = canvas.getContext("2d");
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    this.paint(context, width, height);
    this.painted += 1;
  }
}
