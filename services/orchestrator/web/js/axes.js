/** Scales and axes of a plot. */

import { number } from "./format.js";
import { colour } from "./theme.js";

export const FONT = "11px system-ui, 'DejaVu Sans', sans-serif";

/** Round numbers between two values, about `wanted` of them. */
export function ticks(low, high, wanted = 5) {
  const span = high - low;
  if (!(span > 0)) return [low];
  const rough = span / Math.max(1, wanted);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= rough) * power;
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i += 1) found.push(i * step);
  return found;
}

/** A linear map from values to pixels. */
export function scale(low, high, from, to) {
  const factor = (to - from) / (high - low || 1);
  return Object.assign((value) => from + (value - low) * factor, {
    invert: (pixel) => low + (pixel - from) / factor, low, high,
  });
}

/**
 * Draws grid, ticks and units around a plot area.
 * @param {CanvasRenderingContext2D} context
 * @param {{left: number, right: number, top: number, bottom: number}} area
 * @param {ReturnType<typeof scale>} x In ms.
 * @param {ReturnType<typeof scale>} y
 * @param {{xUnit?: string, yUnit?: string, yTicks?: number}} labels
 */
export function drawAxes(context, area, x, y, { yUnit = "", yTicks = 4 } = {}) {
  context.font = FONT;
  context.lineWidth = 1;
  context.fillStyle = colour("muted");
  const inSeconds = x.high >= 5000;
  context.textAlign = "center";
  context.textBaseline = "top";
  for (const tick of ticks(x.low, x.high, (area.right - area.left) / 75)) {
    const at = Math.round(x(tick)) + 0.5;
    stroke(context, "grid", at, area.top, at, area.bottom);
    context.fillText(number(inSeconds ? tick / 1000 : tick, 5), at, area.bottom + 5);
  }
  context.textAlign = "right";
  context.fillText(inSeconds ? "s" : "ms", area.right + 12, area.bottom + 18);
  context.textBaseline = "middle";
  for (const tick of ticks(y.low, y.high, yTicks)) {
    const at = Math.round(y(tick)) + 0.5;
    stroke(context, "grid", area.left, at, area.right, at);
    context.fillText(number(tick), area.left - 6, at);
  }
  context.textAlign = "left";
  context.textBaseline = "alphabetic";
  context.fillText(yUnit, 2, 10);
  stroke(context, "axis", area.left, area.bottom + 0.5, area.right, area.bottom + 0.5);
}

function stroke(context, name, x0, y0, x1, y1) {
  context.strokeStyle = colour(name);
  context.beginPath();
  context.moveTo(x0, y0);
  context.lineTo(x1, y1);
  context.stroke();
}
