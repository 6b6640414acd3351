/** All that the page knows about one run, in bounded memory, and who wants to hear of changes. */

import { FINAL } from "./api.js";
import { Cloud, Series } from "./series.js";

export const LOG_LINES = 1000;

/**
 * @typedef {"run"|"progress"|"rates"|"tvb"|"raster"|"log"|"connection"} Topic
 */
export class RunStore {
  /** @param {import("./api.js").Run} run */
  constructor(run) {
    this.run = run;
    this.progress = null;
    /** @type {Map<string, Map<string, Series>>} Rates by region and population. */
    this.rates = new Map();
    /** @type {Map<string, Series>} */
    this.tvb = new Map();
    this.tvbVariable = "";
    this.tvbUnit = "";
    /** @type {Map<string, Cloud>} */
    this.raster = new Map();
    /** @type {Object<string, Object<string, number>>} Neurons by region and population. */
    this.populations = {};
    this.logs = [];
    this.droppedLogs = 0;
    this.connection = "idle";
    this.now_ms = 0;
    this.events = 0;
    this.states = 0;
    this.listeners = new Map();
  }

  get isOver() {
    return FINAL.has(this.run.state);
  }

  /**
   * @param {Topic} topic
   * @param {() => void} listener
   * @param {AbortSignal} signal Ends the subscription.
   */
  on(topic, listener, signal) {
    if (!this.listeners.has(topic)) this.listeners.set(topic, new Set());
    this.listeners.get(topic).add(listener);
    signal?.addEventListener("abort", () => this.listeners.get(topic).delete(listener), { once: true });
  }

  tell(topic) {
    for (const listener of this.listeners.get(topic) ?? []) listener();
  }

  setRun(run) {
    this.run = run;
    this.tell("run");
  }

  /** Takes in sizes of populations; rasters that were drawn without them are drawn anew. */
  setPopulations(populations) {
    this.populations = { ...this.populations, ...populations };
    this.tell("raster");
  }

  /** Makes room for data that are loaded afresh, whole and without gaps of lost connections. */
  forgetData() {
    for (const populations of this.rates.values()) for (const curve of populations.values()) curve.reset();
    for (const curve of this.tvb.values()) curve.reset();
    for (const cloud of this.raster.values()) cloud.reset();
  }

  setConnection(state) {
    this.connection = state;
    this.tell("connection");
  }

  /** Takes in one server-sent event. */
  take(type, data) {
    this.events += 1;
    if (type === "state") this.takeState(data);
    else if (type === "progress") this.takeProgress(data);
    else if (type === "data") this.takeData(data);
    else if (type === "log") this.takeLog(data);
  }

  takeState(data) {
    this.states += 1;
    this.setRun({ ...this.run, ...data });
  }

  /**
   * Takes in the answer to a question of earlier; events that came since know better.
   * @param {import("./api.js").Run} run
   * @param {number} states `states` when the question was asked.
   */
  catchUp(run, states) {
    const { state, cause } = states === this.states ? run : this.run;
    this.setRun({ ...run, state, cause, windows: Math.max(run.windows, this.run.windows) });
  }

  takeProgress(data) {
    this.progress = data;
    this.run = { ...this.run, windows: data.windows, windows_total: data.total ?? this.run.windows_total };
    this.now_ms = Math.max(this.now_ms, data.simulated_ms ?? 0);
    this.tell("progress");
  }

  takeData({ rates, tvb, raster }) {
    if (rates) this.takeRates(rates);
    if (tvb) this.takeTvb(tvb);
    if (raster) {
      for (const [region, points] of Object.entries(raster)) {
        if (!this.raster.has(region)) this.raster.set(region, new Cloud());
        const cloud = this.raster.get(region);
        cloud.extend(points);
        this.now_ms = Math.max(this.now_ms, cloud.lastT);
      }
      this.tell("raster");
    }
  }

  takeRates(rates) {
    for (const [region, populations] of Object.entries(rates)) {
      if (!this.rates.has(region)) this.rates.set(region, new Map());
      this.extend(this.rates.get(region), populations);
    }
    this.tell("rates");
  }

  takeTvb({ variable, unit, regions }) {
    if (variable) [this.tvbVariable, this.tvbUnit] = [variable, unit];
    this.extend(this.tvb, regions ?? {});
    this.tell("tvb");
  }

  extend(curves, named) {
    for (const [name, points] of Object.entries(named)) {
      if (!curves.has(name)) curves.set(name, new Series());
      const curve = curves.get(name);
      curve.extend(points);
      this.now_ms = Math.max(this.now_ms, curve.lastT);
    }
  }

  takeLog(line) {
    this.logs.push(line);
    if (this.logs.length > LOG_LINES) {
      this.logs.shift();
      this.droppedLogs += 1;
    }
    this.tell("log");
  }

  /** Points and lines kept at present; bounded whatever the length of the run. */
  get kept() {
    const curves = [...this.rates.values()].flatMap((region) => [...region.values()]);
    let total = this.logs.length;
    for (const curve of [...curves, ...this.tvb.values()]) total += curve.kept;
    for (const cloud of this.raster.values()) total += cloud.length;
    return total;
  }
}
