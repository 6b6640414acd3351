/** Rates of the spiking populations, and the raster of the last second. */

import { LineChart } from "../curves.js";
import { h } from "../dom.js";
import { RasterChart } from "../raster.js";
import { populationColour } from "../theme.js";

export class RatesPanel {
  /**
   * @param {import("../store.js").RunStore} store
   * @param {import("../timeview.js").TimeView} view
   * @param {AbortSignal} signal
   */
  constructor(store, view, signal) {
    this.store = store;
    this.view = view;
    this.signal = signal;
    this.charts = new Map();
    this.grid = h("div", { class: "chart-grid" });
    this.element = h("section", { class: "card", "aria-label": "Rates" },
      h("div", { class: "card-head" }, h("h2", { text: "Rates of spiking populations" }), view.chooser()), this.grid);
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
      title: region, unit: "Hz", view: this.view, signal: this.signal,
      end: () => (this.store.isOver ? 0 : this.store.now_ms),
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
