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
    this.size = [0, 0];
    // Asking the canvas would lay out the page anew after what the last painting wrote.
    const resized = new ResizeObserver((entries) => {
      const { width, height } = entries.at(-1).contentRect;
      this.size = [Math.round(width), Math.round(height)];
      this.touch();
    });
    const watched = new IntersectionObserver((entries) => {
      this.seen = entries.at(-1).isIntersecting;
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
    const { canvas, size: [width, height] } = this;
    const scale = window.devicePixelRatio || 1;
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
