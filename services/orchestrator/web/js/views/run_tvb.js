/** Curves of TVB's regions: those that are sent live, and any others by choice. */

import * as api from "../api.js";
import { LineChart } from "../curves.js";
import { fill, h, setText } from "../dom.js";
import { Series } from "../series.js";
import { seriesOf } from "../shapes.js";
import { regionColour } from "../theme.js";

const AT_FIRST = 4;
const MOST = 8;
const POLL_MS = 2000;
const POINTS = 2000;
const DASHES = [undefined, [5, 3]];

export class TvbPanel {
  /**
   * @param {import("../store.js").RunStore} store
   * @param {import("../timeview.js").TimeView} view
   * @param {AbortSignal} signal
   */
  constructor(store, view, signal) {
    this.store = store;
    this.signal = signal;
    this.labels = [];
    /** Regions shown; null: the reader has not chosen yet. */
    this.chosen = null;
    /** Curves of regions that are not sent live. */
    this.fetched = new Map();
    this.chart = new LineChart({
      title: "TVB", unit: "", view, signal, end: () => (store.isOver ? 0 : store.now_ms),
    });
    this.search = h("input", { type: "search", placeholder: "Find a region", "aria-label": "Find a region", oninput: () => this.list() });
    this.options = h("div", { class: "region-options", role: "group", "aria-label": "Regions shown" });
    this.count = h("span", {});
    this.element = h("section", { class: "card", "aria-label": "TVB regions" },
      h("div", { class: "card-head" }, h("h2", { text: "Regions of TVB" }), view.chooser()),
      this.chart.element,
      h("details", { class: "chooser", ontoggle: () => this.list() }, h("summary", {}, "Choose regions ", this.count), this.search, this.options));
    this.element.hidden = true;
    store.on("tvb", () => this.draw(), signal);
    const timer = setInterval(() => { if (!store.isOver && !document.hidden) this.fetch(); }, POLL_MS);
    signal.addEventListener("abort", () => clearInterval(timer));
  }

  /** Takes in the curves of the whole run until now. */
  offer({ variable, unit, curves }) {
    const first = this.shown(Object.keys(curves));
    for (const [name, points] of Object.entries(curves)) {
      // All regions come; only those shown are worth the memory.
      if (!first.includes(name) && !this.store.tvb.has(name)) continue;
      this.store.takeTvb({ variable, unit, regions: { [name]: points } });
    }
    this.know([...new Set([...this.labels, ...Object.keys(curves)])]);
  }

  /** Learns which regions there are. */
  know(labels) {
    this.labels = labels.length > this.labels.length ? labels : this.labels;
    this.list();
  }

  shown(names) {
    if (this.chosen) return [...this.chosen];
    const spiking = [...this.store.rates.keys()].filter((name) => names.includes(name));
    return [...new Set([...spiking, ...names])].slice(0, AT_FIRST);
  }

  draw() {
    const names = this.shown([...this.store.tvb.keys()]);
    this.element.hidden = !this.store.tvb.size;
    const known = names.filter((name) => this.curve(name));
    const content = known.join("\n");
    if (content !== this.content) {
      this.content = content;
      this.chart.setCurves(known.map((name, i) => ({
        label: name, series: this.curve(name), colour: () => regionColour(i), dash: DASHES[i < 7 ? 0 : 1],
      })));
      setText(this.count, `(${names.length} shown)`);
      this.list();
    }
    const variable = this.store.tvbVariable;
    setText(this.chart.heading, variable);
    this.chart.title = `TVB, ${variable}`;
    this.chart.unit = this.store.tvbUnit;
    this.chart.touch();
  }

  curve(name) {
    return this.store.tvb.get(name) ?? this.fetched.get(name);
  }

  list() {
    const sought = this.search.value.trim().toLowerCase();
    const shown = new Set(this.shown([...this.store.tvb.keys()]));
    const names = this.labels.filter((name) => name.toLowerCase().includes(sought));
    fill(this.options, names.map((name) => h("label", { class: "option" },
      h("input", { type: "checkbox", checked: shown.has(name), onchange: (event) => this.choose(name, event.target.checked) }), name)));
  }

  choose(name, on) {
    this.chosen ??= new Set(this.shown([...this.store.tvb.keys()]));
    if (on) this.chosen.add(name);
    else this.chosen.delete(name);
    for (const old of this.chosen) if (this.chosen.size > MOST) this.chosen.delete(old);
    for (const old of this.fetched.keys()) if (!this.chosen.has(old)) this.fetched.delete(old);
    this.draw();
    this.fetch();
  }

  /** Asks for the chosen regions that are not sent live. */
  async fetch() {
    const wanted = [...(this.chosen ?? [])].filter((name) => !this.store.tvb.has(name));
    if (!wanted.length) return;
    const filter = { kind: "tvb", max_points: POINTS, regions: wanted.join(",") };
    const answer = await api.series(this.store.run.id, filter, this.signal).catch(() => null);
    if (!answer) return;
    for (const [name, points] of Object.entries(seriesOf(answer).curves)) {
      if (!wanted.includes(name)) continue;
      const series = new Series();
      series.extend(points);
      this.fetched.set(name, series);
    }
    this.content = "";
    this.draw();
  }
}
