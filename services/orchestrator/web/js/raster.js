/** Spikes of the last second of simulated time: a dot for each, neurons upwards. */

import { h, setText } from "./dom.js";
import { count } from "./format.js";
import { makePlot, refresh } from "./plot.js";
import { Watch } from "./surface.js";
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
    this.note = h("span", { class: "legend-value" });
    this.box = h("div", { class: "plot raster", role: "img" });
    this.element = h("figure", { class: "chart" },
      h("figcaption", {}, h("h3", { class: "chart-title", text: region }), this.note), this.box);
    this.image = document.createElement("canvas");
    this.watch = new Watch(this.box, (...size) => this.draw(size), signal);
    signal.addEventListener("abort", () => this.plot?.destroy(), { once: true });
  }

  touch() {
    this.watch.touch();
  }

  draw(size) {
    // uPlot draws axes and cursor; its one series has no values.
    const data = [this.range(), [null, null]];
    if (!this.plot) {
      this.plot = makePlot(this.box, {
        size, series: [{}], x: () => this.range(), y: () => [0, this.bounds().at(-1)],
        unit: () => "", hooks: { draw: (plot) => this.dots(plot) },
      }, data);
    } else refresh(this.plot, size, data);
  }

  range() {
    const end = Math.max(this.now(), this.cloud.span_ms);
    return [end - this.cloud.span_ms, end];
  }

  /** The first neuron after each population. */
  bounds() {
    let sum = 0;
    const found = Object.values(this.sizes() ?? {}).map((size) => (sum += size));
    return found.length ? found : [this.cloud.topNeuron + 1];
  }

  /** Draws all dots as one image, whose cost is bounded; thousands of rectangles are slow. */
  dots(plot) {
    const { left, top, width, height } = plot.bbox;
    const image = new ImageData(Math.round(width), Math.round(height));
    const drawn = this.mark(image, this.range()[0], this.bounds());
    [this.image.width, this.image.height] = [image.width, image.height];
    this.image.getContext("2d").putImageData(image, 0, 0);
    plot.ctx.drawImage(this.image, left, top);
    const text = `${count(drawn, "spike")} of ${count(this.bounds().at(-1), "neuron")}`;
    setText(this.note, text);
    this.box.setAttribute("aria-label", `Raster of ${this.region}: ${text} in the last second`);
  }

  /** Sets the pixels of the dots, and returns how many dots there are. */
  mark({ data, width, height }, from, bounds) {
    const pixels = new Uint32Array(data.buffer);
    const inks = bounds.map((_, i) => packed(bounds.length > 1 ? populationColour(i) : colour("ink")));
    const [perMs, perNeuron] = [width / this.cloud.span_ms, height / bounds.at(-1)];
    const scale = window.devicePixelRatio || 1;
    const wide = Math.max(1, Math.round(DOT_WIDTH * scale));
    const high = Math.round(Math.max(1, Math.min(2.5, perNeuron / scale)) * scale);
    let drawn = 0;
    this.cloud.each(from, (t, neuron) => {
      const ink = inks[bounds.findIndex((bound) => neuron < bound)];
      if (ink === undefined) return;
      drawn += 1;
      const left = Math.max(0, Math.round((t - from) * perMs - wide / 2));
      const top = Math.max(0, Math.round(height - (neuron + 1) * perNeuron));
      const [right, bottom] = [Math.min(width, left + wide), Math.min(height, top + high)];
      for (let at = top; at < bottom; at += 1) pixels.fill(ink, at * width + left, at * width + right);
    });
    return drawn;
  }
}

/** A colour as the four bytes of a pixel. */
function packed(hex) {
  return new Uint32Array(Uint8Array.of(...rgb(hex), 255).buffer)[0];
}
