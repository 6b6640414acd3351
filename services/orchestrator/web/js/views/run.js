/** One run: live while it goes on, its results when it has ended. */

import * as api from "../api.js";
import { ConnectomeView } from "../connectome.js";
import { announce, h } from "../dom.js";
import { seriesOf } from "../shapes.js";
import { RunStore } from "../store.js";
import { listen } from "../stream.js";
import { TimeView } from "../timeview.js";
import { RatesPanel, RastersPanel } from "./run_curves.js";
import { RunHead } from "./run_head.js";
import { LogPanel } from "./run_log.js";
import { ResultsPanel } from "./run_results.js";
import { TimingPanel } from "./run_timing.js";
import { TvbPanel } from "./run_tvb.js";

const BACKFILL_POINTS = 2000;
const LINGER_MS = 2000;
const RETRY_MS = 300;
const TRIES = 10;

export async function runView(root, [id], signal) {
  const store = new RunStore(await api.showRun(id, signal));
  document.title = `${store.run.label || store.run.name} · cosim`;
  // For tests and for curious people with the browser's console.
  window.cosimStore = store;
  const page = new RunPage(store, signal);
  root.append(page.element);
  await page.begin();
}

class RunPage {
  /**
   * @param {RunStore} store
   * @param {AbortSignal} signal
   */
  constructor(store, signal) {
    this.store = store;
    this.signal = signal;
    this.wasOver = false;
    this.results = new ResultsPanel(store, signal);
    this.log = new LogPanel(store, signal);
    this.timing = new TimingPanel(store, signal);
    const view = new TimeView(signal);
    this.tvb = new TvbPanel(store, view, signal);
    this.connectome = card("Connectome");
    this.element = h("div", { class: "run-page" },
      new RunHead(store, signal).element, this.results.element,
      h("div", { class: "run-grid" },
        h("div", { class: "stack" }, new RatesPanel(store, view, signal).element,
          new RastersPanel(store, signal).element, this.tvb.element),
        h("div", { class: "stack" }, this.timing.element, this.connectome, this.log.element)));
    store.on("run", () => this.changed(), signal);
    store.on("progress", () => this.showConnectome(), signal);
    store.on("raster", () => this.learnPopulations(), signal);
  }

  async begin() {
    await this.fillIn();
    this.showConnectome();
    this.changed();
    if (this.store.isOver) this.store.setConnection("over");
    else this.follow();
  }

  /** Loads what happened before anybody listened; a run that waits has nothing yet. */
  async fillIn() {
    const { id, windows } = this.store.run;
    if (!windows) return;
    const loaded = (kind) => api.series(id, { kind, max_points: BACKFILL_POINTS }, this.signal).catch(() => null);
    const [rates, tvb] = await Promise.all([loaded("rates"), loaded("tvb")]);
    if (this.store.isOver && rates) this.store.forgetData();
    if (rates) this.store.takeRates(seriesOf(rates).curves);
    if (tvb) this.tvb.offer(seriesOf(tvb));
    const to_ms = this.store.now_ms;
    if (!to_ms) return;
    const from_ms = Math.max(0, to_ms - 1000);
    const spikes = await api.raster(id, { from_ms, to_ms, max_points: 20000 }, this.signal).catch(() => null);
    if (!spikes) return;
    this.store.setPopulations(spikes.populations);
    this.store.takeData({ raster: spikes.raster });
  }

  /** Live spikes come without the sizes of populations; they are asked for until they are known. */
  async learnPopulations() {
    const isKnown = [...this.store.raster.keys()].every((region) => region in this.store.populations);
    if (this.isLearning || isKnown) return;
    this.isLearning = true;
    const filter = { from_ms: 0, to_ms: 0, max_points: 2 };
    const known = await api.raster(this.store.run.id, filter, this.signal).catch(() => null);
    if (known) this.store.setPopulations(known.populations);
    setTimeout(() => { this.isLearning = false; }, RETRY_MS);
  }

  follow() {
    const ended = new AbortController();
    this.signal.addEventListener("abort", () => ended.abort(), { once: true });
    this.ended = ended;
    listen({
      path: () => `/runs/${encodeURIComponent(this.store.run.id)}/events`,
      onEvent: (type, data) => this.store.take(type, data),
      onState: (state) => this.connected(state),
      isOver: () => this.store.isOver,
      signal: ended.signal,
    });
  }

  /** The state may have changed while nobody listened. */
  async connected(state) {
    this.store.setConnection(state);
    if (state !== "live") return;
    const { states } = this.store;
    const run = await api.showRun(this.store.run.id, this.signal).catch(() => null);
    if (run) this.store.catchUp(run, states);
  }

  /** Once a run is over its record is read again: digest, times and results are there now. */
  async changed() {
    const { run, isOver } = this.store;
    if (run.state === "deleted") location.hash = "#/runs";
    announce(`Run ${run.label || run.name} is ${run.state}`);
    if (!isOver || this.wasOver) return;
    this.wasOver = true;
    setTimeout(() => this.ended?.abort(), LINGER_MS);
    try {
      this.store.setRun(await this.finalRecord());
      await this.fillIn();
    } catch (error) {
      if (error.name !== "AbortError") throw error;
    }
    this.showConnectome();
  }

  /** The end may be told a moment before it is on record. */
  async finalRecord() {
    for (let tries = 1; ; tries += 1) {
      const run = await api.showRun(this.store.run.id, this.signal);
      if (api.FINAL.has(run.state) || tries === TRIES) return { ...run, state: this.store.run.state };
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  async showConnectome() {
    if (this.hasConnectome || !this.store.run.windows) return;
    this.hasConnectome = true;
    try {
      const data = await api.connectome(this.store.run.id, this.signal);
      this.tvb.know(data.labels);
      this.connectome.append(new ConnectomeView(data, this.signal).element);
      this.connectome.hidden = false;
    } catch {
      this.hasConnectome = false;
    }
  }
}

function card(title) {
  const section = h("section", { class: "card", "aria-label": title }, h("h2", { text: title }));
  section.hidden = true;
  return section;
}
