/** Spikes of the last second of simulated time: a dot for each, neurons upwards. */

import { drawAxes, scale } from "./axes.js";
import { h, setText } from "./dom.js";
import { count } from "./format.js";
import { Surface } from "./surface.js";
import { colour, populationColour, rgb } from "./theme.js";

const DOT_WIDTH = 1.3;

export class RasterChart {
  /**
   * @param {{region: string, cloud: import("./series.js").Cloud, now: () => number,
   *   sizes: () => Object<string, number>|null, signal: AbortSignal}} options `sizes`: neurons by
   *   population, in order; null: not known.
   */
  constructor({ region, cloud, now, sizes, signal }) {
    Object.assign(this, { region, cloud, now, sizes });
    this.canvas = h("canvas", { class: "plot raster", role: "img" });
    this.note = h("span", { class: "legend-value" });
    this.element = h("figure", { class: "chart" },
      h("figcaption", {}, h("h3", { class: "chart-title", text: region }), this.note), this.canvas);
    this.image = document.createElement("canvas");
    this.surface = new Surface(this.canvas, (...all) => this.paint(...all), signal);
  }

  touch() {
    this.surface.touch();
  }

  paint(context, width, height) {
    const area = { left: 44, right: width - 18, top: 16, bottom: height - 32 };
    const end = Math.max(this.now(), this.cloud.span_ms);
    const start = end - this.cloud.span_ms;
    const sizes = Object.entries(this.sizes() ?? {});
    const total = sizes.reduce((sum, [, size]) => sum + size, 0) || this.cloud.topNeuron + 1;
    const x = scale(start, end, area.left, area.right);
    const y = scale(0, total, area.bottom, area.top);
    drawAxes(context, area, x, y, { yUnit: "neuron" });
    const drawn = this.dots(context, area, x, y, bounds(sizes, total));
    const text = `${count(drawn, "spike")} shown`;
    setText(this.note, text);
    this.canvas.setAttribute("aria-label", `Raster of ${this.region}: ${text} in the last second`);
  }

  /** Draws all dots as one image, whose cost is bounded; thousands of rectangles are slow. */
  dots(context, area, x, y, limits) {
    const scale = context.getTransform().a;
    const [wide, high] = [area.right - area.left, area.bottom - area.top];
    const image = new ImageData(Math.round(wide * scale), Math.round(high * scale));
    const drawn = this.mark(image, {
      column: (t) => Math.round((x(t) - DOT_WIDTH / 2 - area.left) * scale),
      row: (neuron) => Math.round((y(neuron + 1) - area.top) * scale),
      dotWide: Math.max(1, Math.round(DOT_WIDTH * scale)),
      dotHigh: Math.round(Math.max(1, Math.min(2.5, y(0) - y(1))) * scale),
      from: x.low,
      limits,
    });
    [this.image.width, this.image.height] = [image.width, image.height];
    this.image.getContext("2d").putImageData(image, 0, 0);
    context.drawImage(this.image, area.left, area.top, wide, high);
    return drawn;
  }

  /** Sets the pixels of the dots, and returns how many dots there are. */
  mark({ data, width, height }, { column, row, dotWide, dotHigh, from, limits }) {
    const pixels = new Uint32Array(data.buffer);
    const inks = limits.map((limit, i) => packed(limits.length > 1 ? populationColour(i) : colour("ink")));
    let drawn = 0;
    this.cloud.each(from, (t, neuron) => {
      const ink = inks[limits.findIndex((limit) => neuron < limit)];
      if (ink === undefined) return;
      drawn += 1;
      const [left, top] = [Math.max(0, column(t)), Math.max(0, row(neuron))];
      const [right, bottom] = [Math.min(width, left + dotWide), Math.min(height, top + dotHigh)];
      for (let at = top; at < bottom; at += 1) pixels.fill(ink, at * width + left, at * width + right);
    });
    return drawn;
  }
}

/** A colour as the four bytes of a pixel. */
function packed(hex) {
  return new Uint32Array(Uint8Array.of(...rgb(hex), 255).buffer)[0];
}

function bounds(sizes, total) {
  let sum = 0;
  const limits = sizes.map(([, size]) => (sum += size));
  return limits.length ? limits : [total];
}
