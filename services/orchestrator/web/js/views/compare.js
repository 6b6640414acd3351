/** Two runs side by side: numbers, what differs in their experiments, rates on shared axes. */

import * as api from "../api.js";
import { badge } from "../badge.js";
import { LineChart } from "../curves.js";
import { h } from "../dom.js";
import { milliseconds, moment, number, seconds, speed } from "../format.js";
import { Series } from "../series.js";
import { differences, seriesOf } from "../shapes.js";
import { populationColour } from "../theme.js";
import { TimeView } from "../timeview.js";

const POINTS = 2000;

export async function compareView(root, ids, signal) {
  const [a, b] = await Promise.all(ids.map((id) => loaded(id, signal)));
  root.append(h("div", { class: "stack" },
    h("div", { class: "page-head" }, h("h1", { text: "Comparison" }), h("a", { class: "button", href: "#/runs", text: "All runs" })),
    h("section", { class: "card", "aria-label": "Key numbers" }, h("h2", { text: "Key numbers" }), keyNumbers(a, b)),
    h("section", { class: "card", "aria-label": "Differences" }, h("h2", { text: "Differences of the experiments" }), experimentTable(a, b)),
    h("section", { class: "card", "aria-label": "Rates" }, h("h2", { text: "Rates" }),
      h("p", { class: "hint", text: "Continuous: first run. Dashed: second run." }), rateCharts(a, b, signal))));
}

async function loaded(id, signal) {
  const [run, experiment, rates] = await Promise.all([
    api.showRun(id, signal), api.runExperiment(id, signal).catch(() => ({})),
    api.series(id, { kind: "rates", max_points: POINTS }, signal).catch(() => ({})),
  ]);
  const curves = new Map();
  for (const [region, populations] of Object.entries(seriesOf(rates).curves)) {
    curves.set(region, new Map(Object.entries(populations).map(([name, points]) => {
      const series = new Series();
      if (Array.isArray(points)) series.extend(points);
      return [name, series];
    })));
  }
  return { run, experiment, curves };
}

function keyNumbers(a, b) {
  const rows = [
    ["State", ({ run }) => badge(run.state)],
    ["Experiment", ({ run }) => run.name],
    ["Created", ({ run }) => moment(run.created)],
    ["Simulated", ({ run }) => milliseconds(run.duration_ms)],
    ["Windows", ({ run }) => `${run.windows} / ${run.windows_total ?? "–"}`],
    ["Wall time", ({ run }) => seconds(run.wall_s)],
    ["Against real time", ({ run }) => speed(run.wall_s / (run.duration_ms / 1000) / share(run))],
    ["Digest", ({ run }) => h("code", { class: "digest-short", title: run.digest ?? "", text: run.digest?.slice(0, 16) ?? "–" })],
    ...meanRates(a, b),
  ];
  const same = a.run.digest && a.run.digest === b.run.digest;
  return [
    a.run.digest && b.run.digest && h("p", { class: `verdict-title ${same ? "is-good" : ""}`, text: same ? "Identical results: every bit of both runs agrees." : "The results differ." }),
    h("div", { class: "table-box" }, h("table", { class: "compare" },
      h("thead", {}, h("tr", {}, h("td", {}), [a, b].map(({ run }) => h("th", { scope: "col" },
        h("a", { href: `#/runs/${encodeURIComponent(run.id)}`, text: run.label || run.name }), h("span", { class: "hint", text: run.id }))))),
      h("tbody", {}, rows.map(([name, of]) => h("tr", {}, h("th", { scope: "row", text: name }), h("td", {}, of(a)), h("td", {}, of(b))))))),
  ];
}

/** What tells a run from the other one in a legend. */
function title({ run }, other) {
  const name = run.label || run.name;
  return name === (other.run.label || other.run.name) ? run.id : name;
}

const share = (run) => (run.windows_total ? run.windows / run.windows_total : 1);

function meanRates(a, b) {
  return pairs(a, b).map(([region, population]) => [
    `Mean rate, ${region} ${population}`,
    ({ curves }) => {
      const series = curves.get(region)?.get(population);
      return series ? `${number(mean(series))} Hz` : "–";
    },
  ]);
}

function mean(series) {
  let sum = 0, n = 0;
  series.each(-Infinity, (t, value) => { sum += value; n += 1; });
  return n ? sum / n : NaN;
}

/** Regions and populations that either run has. */
function pairs(a, b) {
  const found = new Map();
  for (const { curves } of [a, b]) {
    for (const [region, populations] of curves) for (const name of populations.keys()) found.set(`${region}\n${name}`, [region, name]);
  }
  return [...found.values()];
}

function experimentTable(a, b) {
  const rows = differences(a.experiment, b.experiment);
  if (!rows.length) return h("p", { class: "hint", text: "The experiments are the same." });
  const cell = (value) => h("td", {}, value === null ? h("span", { class: "hint", text: "not there" }) : h("code", { text: value || "(empty)" }));
  return h("div", { class: "table-box" }, h("table", { class: "compare" },
    h("thead", {}, h("tr", {}, h("th", { scope: "col", text: "Key" }), [a, b].map(({ run }) => h("th", { scope: "col", text: run.label || run.id })))),
    h("tbody", {}, rows.map((row) => h("tr", {}, h("th", { scope: "row" }, h("code", { text: row.path })), cell(row.a), cell(row.b))))));
}

function rateCharts(a, b, signal) {
  const regions = [...new Set(pairs(a, b).map(([region]) => region))];
  if (!regions.length) return h("p", { class: "hint", text: "Neither run has rates." });
  const view = new TimeView(signal);
  return h("div", { class: "chart-grid" }, regions.map((region) => {
    const chart = new LineChart({ title: region, unit: "Hz", view, signal });
    const names = [...new Set(pairs(a, b).filter(([where]) => where === region).map(([, name]) => name))];
    chart.setCurves([a, b].flatMap((one, which) => names.flatMap((name, i) => {
      const series = one.curves.get(region)?.get(name);
      return series ? [{ label: `${title(one, which ? a : b)} ${name}`, series, colour: () => populationColour(i), dash: which ? [5, 3] : undefined }] : [];
    })));
    return chart.element;
  }));
}
