/** Rates of the spiking populations, and the raster of the last second. */

import { h } from "../dom.js";
import { LineChart } from "../plot.js";
import { RasterChart } from "../raster.js";
import { populationColour } from "../theme.js";

const SPANS = [["Whole run", null], ["10 s", 10000], ["1 s", 1000]];

/** Buttons that choose how much of the time axis is shown. */
export function spanChooser(onChange) {
  const choice = { span: null };
  const buttons = SPANS.map(([text, span]) => h("button", {
    type: "button", class: "segment", text, "aria-pressed": String(span === null),
    onclick: () => {
      choice.span = span;
      buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(SPANS[i][1] === span)));
      onChange();
    },
  }));
  choice.element = h("div", { class: "segments", role: "group", "aria-label": "Time shown" }, buttons);
  return choice;
}

export class RatesPanel {
  /**
   * @param {import("../store.js").RunStore} store
   * @param {AbortSignal} signal
   */
  constructor(store, signal) {
    this.store = store;
    this.signal = signal;
    this.charts = new Map();
    this.choice = spanChooser(() => this.charts.forEach(({ chart }) => chart.touch()));
    this.grid = h("div", { class: "chart-grid" });
    this.element = h("section", { class: "card", "aria-label": "Rates" },
      h("div", { class: "card-head" }, h("h2", { text: "Rates of spiking populations" }), this.choice.element), this.grid);
    store.on("rates", () => this.draw(), signal);
    this.draw();
  }

  draw() {
    this.element.hidden = !this.store.rates.size;
    for (const [region, populations] of this.store.rates) {
      if (!this.charts.has(region)) this.add(region);
      const entry = this.charts.get(region);
      if (entry.known !== populations.size) {
        entry.known = populations.size;
        entry.chart.setCurves([...populations].map(([label, series], i) => ({ label, series, colour: () => populationColour(i) })));
      }
      entry.chart.touch();
    }
  }

  add(region) {
    const chart = new LineChart({
      title: region, unit: "Hz", signal: this.signal,
      span: () => this.choice.span, end: () => (this.store.isOver ? 0 : this.store.now_ms),
    });
    this.charts.set(region, { chart, known: 0 });
    this.grid.append(chart.element);
  }
}

export class RastersPanel {
  /**
   * @param {import("../store.js").RunStore} store
   * @param {AbortSignal} signal
   */
  constructor(store, signal) {
    this.store = store;
    this.signal = signal;
    this.charts = new Map();
    this.grid = h("div", { class: "chart-grid" });
    this.element = h("section", { class: "card", "aria-label": "Raster" },
      h("div", { class: "card-head" }, h("h2", { text: "Spikes of the last second" })), this.grid);
    store.on("raster", () => this.draw(), signal);
    store.on("rates", () => this.draw(), signal);
    this.draw();
  }

  draw() {
    this.element.hidden = !this.store.raster.size;
    for (const [region, cloud] of this.store.raster) {
      if (!this.charts.has(region)) this.add(region, cloud);
      this.charts.get(region).touch();
    }
  }

  add(region, cloud) {
    const chart = new RasterChart({
      region, cloud, now: () => this.store.now_ms, signal: this.signal,
      sizes: () => this.store.populations[region] ?? null,
    });
    this.charts.set(region, chart);
    this.grid.append(chart.element);
  }
}
