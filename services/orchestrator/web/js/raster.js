/** Spikes of the last second of simulated time: a dot for each, neurons upwards. */

import { drawAxes, scale } from "./axes.js";
import { h, setText } from "./dom.js";
import { count } from "./format.js";
import { Surface } from "./surface.js";
import { colour, populationColour } from "./theme.js";

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
    const drawn = this.dots(context, x, y, start, bounds(sizes, total));
    const text = `${count(drawn, "spike")} shown`;
    setText(this.note, text);
    this.canvas.setAttribute("aria-label", `Raster of ${this.region}: ${text} in the last second`);
  }

  /** Draws population by population, since changing the colour of every dot is slow. */
  dots(context, x, y, start, limits) {
    const high = Math.max(1, Math.min(2.5, Math.abs(y(1) - y(0))));
    let drawn = 0, first = 0;
    context.globalAlpha = 0.8;
    limits.forEach((limit, index) => {
      context.fillStyle = limits.length > 1 ? populationColour(index) : colour("ink");
      this.cloud.each(start, (t, neuron) => {
        if (neuron < first || neuron >= limit) return;
        context.fillRect(x(t) - 0.6, y(neuron) - high, 1.3, high);
        drawn += 1;
      });
      first = limit;
    });
    context.globalAlpha = 1;
    return drawn;
  }
}

function bounds(sizes, total) {
  let sum = 0;
  const limits = sizes.map(([, size]) => (sum += size));
  return limits.length ? limits : [total];
}
