/** Curves over simulated time: axes with units, a legend with values, a cursor by mouse and keys. */

import { drawAxes, scale } from "./axes.js";
import { columnsOf } from "./columns.js";
import { h, setText } from "./dom.js";
import { milliseconds, number } from "./format.js";
import { Surface } from "./surface.js";
import { colour } from "./theme.js";

/**
 * @typedef {Object} Curve
 * @property {string} label
 * @property {() => string} colour
 * @property {import("./series.js").Series} series
 * @property {number[]} [dash]
 */

export class LineChart {
  /**
   * @param {{title: string, unit: string, span?: () => number|null, end?: () => number,
   *   signal: AbortSignal}} options `span`: length in ms of what is shown, null: everything;
   *   `end`: where the time axis ends when everything is shown.
   */
  constructor({ title, unit, span = () => null, end = () => 0, signal }) {
    Object.assign(this, { title, unit, span, end });
    /** @type {Curve[]} */
    this.curves = [];
    this.cursor = null;
    this.top = 0;
    this.canvas = h("canvas", { class: "plot", tabindex: "0", role: "img", "aria-label": title });
    this.legend = h("div", { class: "legend" });
    this.heading = h("h3", { class: "chart-title", text: title });
    this.element = h("figure", { class: "chart" },
      h("figcaption", {}, this.heading, this.legend), this.canvas);
    this.surface = new Surface(this.canvas, (...all) => this.paint(...all), signal);
    this.canvas.addEventListener("pointermove", (event) => this.moveTo(event.offsetX));
    this.canvas.addEventListener("pointerleave", () => this.setCursor(null));
    this.canvas.addEventListener("blur", () => this.setCursor(null));
    this.canvas.addEventListener("keydown", (event) => this.key(event));
  }

  /** @param {Curve[]} curves */
  setCurves(curves) {
    this.curves = curves;
    this.top = 0;
    this.values = curves.map(() => h("span", { class: "legend-value" }));
    this.legend.replaceChildren(...curves.map((curve, i) => {
      const swatch = h("span", { class: `swatch${curve.dash ? " swatch-dashed" : ""}` });
      const entry = h("span", { class: "legend-entry" }, swatch, curve.label, this.values[i]);
      entry.swatch = swatch;
      return entry;
    }));
    this.touch();
  }

  touch() {
    this.surface.touch();
  }

  range() {
    let last = 0, first = Infinity;
    for (const { series } of this.curves) {
      last = Math.max(last, series.lastT);
      if (series.overview.length) first = Math.min(first, series.overview.t[0]);
    }
    const span = this.span();
    if (span) return [Math.max(0, last - span), Math.max(last, span)];
    return [Math.min(0, first), Math.max(last, this.end(), 1)];
  }

  paint(context, width, height) {
    const area = { left: 44, right: width - 18, top: 16, bottom: height - 32 };
    const [from, to] = this.range();
    this.x = scale(from, to, area.left, area.right);
    const pixels = context.getTransform().a;
    const drawn = this.curves.map(({ series }) => columnsOf(series, from, this.x, pixels));
    this.top = this.headroom(drawn);
    const y = scale(0, this.top, area.bottom, area.top);
    drawAxes(context, area, this.x, y, { yUnit: this.unit });
    context.save();
    context.beginPath();
    context.rect(area.left, area.top - 4, area.right - area.left, area.bottom - area.top + 5);
    context.clip();
    this.curves.forEach((curve, i) => this.line(context, curve, drawn[i], y));
    context.restore();
    if (this.cursor !== null) this.drawCursor(context, area);
    this.writeLegend();
  }

  /** Greatest value shown with some room above; it only sinks once that makes a difference. */
  headroom(drawn) {
    let greatest = 0;
    for (const columns of drawn) for (const { high } of columns) if (high > greatest) greatest = high;
    const wanted = greatest > 0 ? greatest * 1.12 : 1;
    return wanted > this.top || wanted < this.top * 0.6 ? wanted : this.top;
  }

  line(context, curve, columns, y) {
    const paint = curve.colour();
    if (columns.some(({ low, high }) => high > low)) this.band(context, columns, y, paint);
    context.strokeStyle = paint;
    context.lineWidth = 1.6;
    context.lineJoin = "round";
    context.setLineDash(curve.dash ?? []);
    context.beginPath();
    for (const { x, mean } of columns) context.lineTo(x, y(mean));
    context.stroke();
    context.setLineDash([]);
  }

  /** Where columns stand for several samples: the range of these. */
  band(context, columns, y, paint) {
    context.beginPath();
    for (const { x, high } of columns) context.lineTo(x, y(high));
    for (const { x, low } of columns.toReversed()) context.lineTo(x, y(low));
    context.globalAlpha = 0.16;
    context.fillStyle = paint;
    context.fill();
    context.globalAlpha = 1;
  }

  drawCursor(context, area) {
    const at = Math.round(this.x(this.cursor)) + 0.5;
    if (at < area.left || at > area.right) return;
    context.strokeStyle = colour("axis");
    context.beginPath();
    context.moveTo(at, area.top);
    context.lineTo(at, area.bottom);
    context.stroke();
    context.fillStyle = colour("ink");
    context.textAlign = at > (area.left + area.right) / 2 ? "right" : "left";
    context.fillText(milliseconds(this.cursor), at + (context.textAlign === "left" ? 5 : -5), area.top + 8);
  }

  writeLegend() {
    const told = this.curves.map((curve, i) => {
      const value = this.cursor === null ? curve.series.last : curve.series.near(this.cursor);
      const text = `${number(value)} ${this.unit}`;
      setText(this.values[i], text);
      this.legend.children[i].swatch.style.setProperty("--swatch", curve.colour());
      return `${curve.label} ${text}`;
    });
    this.canvas.setAttribute("aria-label", `${this.title}: ${told.join(", ")}`);
  }

  moveTo(pixel) {
    if (!this.x) return;
    const { low, high } = this.x;
    this.setCursor(Math.min(high, Math.max(low, this.x.invert(pixel))));
  }

  setCursor(value) {
    if (this.cursor === value) return;
    this.cursor = value;
    this.touch();
  }

  key(event) {
    if (!this.x || !["ArrowLeft", "ArrowRight", "Home", "End", "Escape"].includes(event.key)) return;
    event.preventDefault();
    const { low, high } = this.x;
    const step = (high - low) / (event.shiftKey ? 10 : 100);
    const from = this.cursor ?? high;
    const wanted = { ArrowLeft: from - step, ArrowRight: from + step, Home: low, End: high }[event.key];
    this.setCursor(wanted === undefined ? null : Math.min(high, Math.max(low, wanted)));
  }
}
