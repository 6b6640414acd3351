/** Regions as points in space, turned by hand; near ones are larger and in front. */

import { FONT } from "./plot.js";
import { colour } from "./theme.js";

const STRONGEST = 140;
const kept = new WeakMap();

/** What does not depend on the pose: centred places, the extent, the edges worth drawing. */
function prepare({ centres, weights, spiking }) {
  const mean = [0, 1, 2].map((axis) => centres.reduce((sum, row) => sum + row[axis], 0) / centres.length);
  const places = centres.map((row) => row.map((value, axis) => value - mean[axis]));
  const extent = Math.max(...places.map((place) => Math.hypot(...place)), 1e-9);
  const edges = [];
  weights.forEach((row, target) => row.forEach((weight, source) => {
    if (weight > 0 && source !== target) edges.push({ source, target, weight, marked: spiking.has(source) || spiking.has(target) });
  }));
  edges.sort((a, b) => b.weight - a.weight);
  const marked = edges.filter((edge) => edge.marked).slice(0, 60);
  return { places, extent, edges: [...edges.filter((edge) => !edge.marked).slice(0, STRONGEST), ...marked] };
}

/** Draws the regions and returns where they are on the canvas. */
export function drawCloud(context, width, height, data, pose, hover) {
  if (!kept.has(data)) kept.set(data, prepare(data));
  const { places, extent, edges } = kept.get(data);
  const size = (Math.min(width, height) / 2 - 18) * pose.zoom / extent;
  const [sy, cy, sp, cp] = [Math.sin(pose.yaw), Math.cos(pose.yaw), Math.sin(pose.pitch), Math.cos(pose.pitch)];
  const points = places.map(([px, py, pz], index) => {
    const x = cy * px - sy * py;
    const depth = sy * px + cy * py;
    const y = cp * pz - sp * depth;
    const z = (sp * pz + cp * depth) / extent;
    return { index, x: width / 2 + x * size, y: height / 2 - y * size, near: (1 - z) / 2 };
  });
  drawEdges(context, points, edges);
  for (const point of [...points].sort((a, b) => a.near - b.near)) drawRegion(context, point, data, hover);
  drawNames(context, points, data, hover);
  return points;
}

function drawEdges(context, points, edges) {
  const top = edges.length ? Math.max(...edges.map((edge) => edge.weight)) : 1;
  for (const { source, target, weight, marked } of edges) {
    context.strokeStyle = colour(marked ? "population-0" : "muted");
    context.globalAlpha = (marked ? 0.25 : 0.1) + 0.35 * (weight / top);
    context.lineWidth = marked ? 1.2 : 0.8;
    context.beginPath();
    context.moveTo(points[source].x, points[source].y);
    context.lineTo(points[target].x, points[target].y);
    context.stroke();
  }
  context.globalAlpha = 1;
}

function drawRegion(context, { x, y, near, index }, { spiking }, hover) {
  const isSpiking = spiking.has(index);
  const radius = (isSpiking ? 6 : 2.6) * (0.65 + 0.7 * near);
  context.fillStyle = colour(isSpiking ? "population-0" : "population-1");
  context.globalAlpha = isSpiking ? 1 : 0.35 + 0.65 * near;
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
  context.globalAlpha = 1;
  if (!isSpiking && hover?.[0] !== index) return;
  context.strokeStyle = colour(hover?.[0] === index ? "ink" : "card");
  context.lineWidth = 1.5;
  context.stroke();
}

function drawNames(context, points, { labels, spiking }, hover) {
  context.font = `600 ${FONT}`;
  context.textAlign = "left";
  context.textBaseline = "middle";
  context.lineWidth = 3;
  for (const { x, y, index } of points) {
    if (!spiking.has(index) && hover?.[0] !== index) continue;
    context.strokeStyle = colour("card");
    context.fillStyle = colour("ink");
    context.strokeText(labels[index], x + 9, y);
    context.fillText(labels[index], x + 9, y);
  }
}
