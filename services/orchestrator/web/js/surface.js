/** Elements that are drawn only when something changed, and only while they are in sight. */

import { onTheme } from "./theme.js";

const dirty = new Set();
let asked = false;

function frame() {
  asked = false;
  for (const watch of [...dirty]) {
    dirty.delete(watch);
    const [width, height] = watch.size;
    if (width && height) watch.draw(width, height);
  }
}

export class Watch {
  /**
   * @param {HTMLElement} element
   * @param {(width: number, height: number) => void} draw Gets the size in CSS pixels.
   * @param {AbortSignal} signal Ends it.
   */
  constructor(element, draw, signal) {
    this.draw = draw;
    this.seen = false;
    this.size = [0, 0];
    // Asking the element would lay out the page anew after what the last drawing wrote.
    const resized = new ResizeObserver((entries) => {
      const { width, height } = entries.at(-1).contentRect;
      this.size = [Math.round(width), Math.round(height)];
      this.touch();
    });
    const watched = new IntersectionObserver((entries) => {
      this.seen = entries.at(-1).isIntersecting;
      this.touch();
    });
    resized.observe(element);
    watched.observe(element);
    onTheme(() => this.touch(), signal);
    signal.addEventListener("abort", () => {
      resized.disconnect();
      watched.disconnect();
      this.seen = false;
      dirty.delete(this);
    }, { once: true });
  }

  /** Notes that something changed; many calls make one drawing, none while out of sight. */
  touch() {
    if (!this.seen) return;
    dirty.add(this);
    if (asked) return;
    asked = true;
    requestAnimationFrame(frame);
  }
}

/** A canvas that fits its box and is sharp on every screen. */
export class Surface extends Watch {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {(context: CanvasRenderingContext2D, width: number, height: number) => void} paint
   *   In CSS pixels; the canvas is clear before.
   * @param {AbortSignal} signal Ends it.
   */
  constructor(canvas, paint, signal) {
    super(canvas, (width, height) => {
      const scale = window.devicePixelRatio || 1;
      const [w, h] = [Math.round(width * scale), Math.round(height * scale)];
      if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
      const context = canvas.getContext("2d");
      context.setTransform(scale, 0, 0, scale, 0, 0);
      context.clearRect(0, 0, width, height);
      paint(context, width, height);
    }, signal);
  }
}
