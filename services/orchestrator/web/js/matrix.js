/** The connectome's weights as an image. */

import { FONT } from "./plot.js";
import { colour, rgb } from "./theme.js";

/** Draws one pixel per pair of regions, on a logarithmic scale of three decades. */
export function matrixImage({ weights }) {
  const size = weights.length;
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = size;
  const context = canvas.getContext("2d");
  const image = context.createImageData(size, size);
  const [from, to] = [rgb(colour("matrix-low")), rgb(colour("matrix-high"))];
  let top = 0;
  for (const row of weights) for (const weight of row) if (weight > top) top = weight;
  weights.forEach((row, target) => row.forEach((weight, source) => {
    const share = weight > 0 ? Math.max(0.08, 1 + Math.log10(weight / top) / 3) : 0;
    const at = 4 * (target * size + source);
    for (let c = 0; c < 3; c += 1) image.data[at + c] = from[c] + (to[c] - from[c]) * share;
    image.data[at + 3] = 255;
  }));
  context.putImageData(image, 0, 0);
  return canvas;
}

/** Draws the image with marks beside the spiking regions' rows and columns. */
export function drawMatrix(context, width, height, { labels, spiking }, image, hover) {
  const size = labels.length;
  const side = Math.min(width - 20, height - 20);
  const cell = side / size;
  const [left, top] = [(width - side) / 2, (height - side) / 2 + 4];
  context.imageSmoothingEnabled = false;
  context.drawImage(image, left, top, side, side);
  context.strokeStyle = colour("line");
  context.strokeRect(left - 0.5, top - 0.5, side + 1, side + 1);
  context.fillStyle = colour("population-0");
  for (const index of spiking) {
    const thick = Math.max(2, cell);
    context.globalAlpha = 0.22;
    context.fillRect(left, top + index * cell, side, thick);
    context.fillRect(left + index * cell, top, thick, side);
    context.globalAlpha = 1;
    context.fillRect(left - 7, top + index * cell - 0.5, 5, thick + 1);
    context.fillRect(left + index * cell - 0.5, top - 7, thick + 1, 5);
  }
  if (hover) {
    context.strokeStyle = colour("ink");
    context.font = FONT;
    context.strokeRect(left + hover[1] * cell - 1, top + hover[0] * cell - 1, cell + 2, cell + 2);
  }
  return { left, top, cell };
}
