/** Curves over simulated time: their range where points are merged, a legend with values, keys. */

import { h, setText } from "./dom.js";
import { milliseconds, number } from "./format.js";
import { joined, makePlot, refresh } from "./plot.js";
import { Watch } from "./surface.js";
import { faded } from "./theme.js";

/**
 * @typedef {Object} Curve
 * @property {string} label
 * @property {() => string} colour
 * @property {import("./series.js").Series} series
 * @property {number[]} [dash]
 */

export class LineChart {
  /**
   * @param {{title: string, unit: string, view: import("./timeview.js").TimeView, end?: () => number,
   *   signal: AbortSignal}} options `end`: where the time axis ends when everything is shown.
   */
  constructor({ title, unit, view, end = () => 0, signal }) {
    Object.assign(this, { title, unit, view, end });
    /** @type {Curve[]} */
    this.curves = [];
    this.plot = null;
    this.legend = h("div", { class: "legend" });
    this.heading = h("h3", { class: "chart-title", text: title });
    this.time = h("span", { class: "plot-time" });
    this.box = h("div", {
      class: "plot", tabindex: "0", role: "img", "aria-label": title,
      onkeydown: (event) => this.key(event), onblur: () => this.moveTo(-1),
    }, this.time);
    this.element = h("figure", { class: "chart" }, h("figcaption", {}, this.heading, this.legend), this.box);
    this.watch = new Watch(this.box, (...size) => this.draw(size), signal);
    view.onChange(() => this.touch());
    signal.addEventListener("abort", () => this.end(), { once: true });
  }

  /** @param {Curve[]} curves */
  setCurves(curves) {
    this.curves = curves;
    this.top = 0;
    this.end();
    this.values = curves.map(() => h("span", { class: "legend-value" }));
    this.legend.replaceChildren(...curves.map((curve, i) => {
      const swatch = h("span", { class: `swatch${curve.dash ? " swatch-dashed" : ""}` });
      return Object.assign(h("span", { class: "legend-entry" }, swatch, curve.label, this.values[i]), { swatch });
    }));
    this.touch();
  }

  end() {
    this.plot?.destroy();
    this.plot = null;
  }

  touch() {
    this.watch.touch();
  }

  draw(size) {
    const [range, count] = [this.range(), size[0] * devicePixelRatio];
    const data = joined(this.curves.map(({ series }) => columns(series, range, count)));
    if (!this.plot) this.make(size, data);
    else refresh(this.plot, size, data);
    this.writeLegend();
  }

  make(size, data) {
    const edge = { width: 0, points: { show: false } };
    this.plot = makePlot(this.box, {
      size,
      series: this.curves.flatMap(({ colour, dash }) =>
        [{ stroke: colour, width: 1.6, dash, points: { show: false } }, edge, edge]),
      bands: this.curves.map(({ colour }, i) => ({ series: [3 * i + 3, 3 * i + 2], fill: () => faded(colour(), 0.18) })),
      x: () => this.range(),
      y: (low, high) => this.headroom(low, high),
      unit: () => this.unit,
      onZoom: (zoom) => this.view.show({ zoom }),
      hooks: { setCursor: () => this.writeLegend() },
    }, data);
  }

  range() {
    const known = this.curves.map(({ series }) => series).filter(({ overview }) => overview.length);
    const first = Math.min(...known.map(({ overview }) => overview.t[0]));
    return this.view.range(first, Math.max(0, ...known.map(({ lastT }) => lastT)), this.end());
  }

  /** From zero, or from below the least value, to some room above the greatest; it only sinks once that makes a difference. */
  headroom(low, high) {
    if (!Number.isFinite(low) || !Number.isFinite(high)) return [0, 1];
    if (low < 0) {
      const room = 0.12 * (high - low) || 1;
      return [low - room, high + room];
    }
    const wanted = high > 0 ? high * 1.12 : 1;
    if (wanted > this.top || wanted < this.top * 0.6) this.top = wanted;
    return [0, this.top];
  }

  writeLegend() {
    if (!this.plot) return;
    const { cursor, data } = this.plot;
    const isShown = cursor.left >= 0;
    setText(this.time, isShown ? milliseconds(Math.round(10 * this.plot.posToVal(cursor.left, "x")) / 10) : "");
    const listed = this.curves.map((curve, i) => {
      const value = isShown ? data[3 * i + 1]?.[cursor.idxs[3 * i + 1]] : curve.series.last;
      const text = `${number(value)} ${this.unit}`;
      setText(this.values[i], text);
      this.legend.children[i].swatch.style.setProperty("--swatch", curve.colour());
      return `${curve.label} ${text}`;
    });
    this.box.setAttribute("aria-label", `${this.title}: ${listed.join(", ")}`);
  }

  /** Moves the cursor of all plots; below 0 it is hidden. */
  moveTo(left) {
    this.plot?.setCursor({ left, top: left < 0 ? -1 : 0 }, true, true);
  }

  key(event) {
    if (!this.plot || !["ArrowLeft", "ArrowRight", "Home", "End", "Escape"].includes(event.key)) return;
    event.preventDefault();
    const width = this.plot.bbox.width / devicePixelRatio;
    const step = width / (event.shiftKey ? 10 : 100);
    const from = this.plot.cursor.left >= 0 ? this.plot.cursor.left : width;
    const wanted = { ArrowLeft: from - step, ArrowRight: from + step, Home: 0, End: width }[event.key];
    this.moveTo(wanted === undefined ? -1 : Math.min(width, Math.max(0, wanted)));
    if (event.key === "Escape" && this.view.zoom) this.view.show({ zoom: null });
  }
}

/**
 * Joins the points of a curve that fall into one column of pixels, since drawing more only smears.
 * @param {import("./series.js").Series} series
 * @param {[number, number]} range From and to in ms.
 * @param {number} count Columns.
 * @returns {number[][]} Times, means, least and greatest values; a lone sample stays as it is.
 */
export function columns(series, [from, to], count) {
  const [times, means, lows, highs] = [[], [], [], []];
  let place = NaN, joined = 0;
  series.each(from, (t, mean, low, high) => {
    const here = Math.floor(((t - from) / (to - from)) * count);
    if (here !== place) {
      [place, joined] = [here, 1];
      [[times, t], [means, mean], [lows, low], [highs, high]].forEach(([list, value]) => list.push(value));
      return;
    }
    const last = times.length - 1;
    joined += 1;
    times[last] += (t - times[last]) / joined;
    means[last] += (mean - means[last]) / joined;
    lows[last] = Math.min(lows[last], low);
    highs[last] = Math.max(highs[last], high);
  });
  return [times, means, lows, highs];
}
