/** Plots over simulated time, drawn by uPlot: axes with units, zoom, a cursor that all plots of a page share. */

import { number } from "./format.js";
import { colour } from "./theme.js";

const { uPlot } = window;
export const FONT = "11px system-ui, 'DejaVu Sans', sans-serif";
const CURSOR = "time";
const SHARED = new Set(["mousemove", "mouseleave"]);

/** Lines up tables of the form `[times, values, ...]` on common times. */
export const joined = (tables) => (tables.length ? uPlot.join(tables) : [[]]);

/**
 * @param {HTMLElement} box Where the plot goes.
 * @param {Object} options
 * @param {[number, number]} options.size In CSS pixels.
 * @param {Object[]} options.series uPlot's, without that of the time.
 * @param {Object[]} [options.bands] uPlot's.
 * @param {() => [number, number]} options.x Range of the time axis in ms.
 * @param {(low: number, high: number) => [number, number]} options.y Range of the other axis.
 * @param {() => string} options.unit Of the other axis.
 * @param {(range: [number, number]|null) => void} [options.onZoom] Null: back; without it there is no zoom.
 * @param {Object<string, Function>} options.hooks uPlot's, one of each.
 * @param {number[][]} data Times and values.
 */
export function makePlot(box, { size: [width, height], series, bands, x, y, unit, onZoom, hooks }, data) {
  const zoom = (plot) => {
    const { left, width: wide } = plot.select;
    if (!wide) return;
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    onZoom([left, left + wide].map((pixel) => plot.posToVal(pixel, "x")));
  };
  const all = { ...hooks, ...(onZoom && { setSelect: zoom }) };
  return new uPlot({
    width, height, bands, series: [{}, ...series],
    padding: [14, 24, 0, 0],
    pxAlign: 0,
    legend: { show: false },
    scales: { x: { time: false, range: x }, y: { range: (plot, low, high) => y(low, high) } },
    axes: [axis({ size: 26, space: 70, values: inTime }), axis({ size: 46, space: 42, values: inUnit(unit) })],
    cursor: {
      y: false,
      points: { show: (plot, at) => plot.series[at].width > 0 && document.createElement("div") },
      drag: { x: Boolean(onZoom), y: false, setScale: false, dist: 4 },
      bind: { dblclick: () => () => onZoom?.(null) },
      sync: { key: CURSOR, scales: ["x", null], filters: { pub: (type) => SHARED.has(type) } },
    },
    hooks: Object.fromEntries(Object.entries(all).map(([name, hook]) => [name, [hook]])),
  }, data, box);
}

/** Draws a plot anew, at its present size in CSS pixels. */
export function refresh(plot, [width, height], data) {
  if (plot.width !== width || plot.height !== height) plot.setSize({ width, height });
  plot.setData(data);
}

function axis(own) {
  return {
    font: FONT, gap: 6, stroke: () => colour("muted"), ticks: { show: false },
    grid: { stroke: () => colour("grid"), width: 1 }, ...own,
  };
}

/** Ticks in ms, or in s where the axis is long; the last one has the unit. */
function inTime(plot, ticks) {
  const inSeconds = plot.scales.x.max >= 5000;
  return withUnit(ticks.map((tick) => number(inSeconds ? tick / 1000 : tick, 6)), inSeconds ? "s" : "ms");
}

const inUnit = (unit) => (plot, ticks) => withUnit(ticks.map((tick) => number(tick, 4)), unit());

function withUnit(texts, unit) {
  return texts.map((text, i) => (i === texts.length - 1 ? `${text} ${unit}` : text));
}
