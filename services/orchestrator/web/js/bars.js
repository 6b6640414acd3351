/** Where the time goes: one stacked bar per participant. */

import { h, setText } from "./dom.js";
import { number, seconds } from "./format.js";

const SAID = {
  compute: "computes", advance: "computes", translate: "translates", absorb: "takes in", read: "reads out", receive: "receives",
  encode: "encodes", send: "sends", record: "records", wait: "waits",
};

/**
 * @typedef {Object} Share
 * @property {string} name Participant.
 * @property {Object<string, number>} parts Seconds by phase, in the order drawn.
 * @property {string} note
 */

/** A list of bars that is updated in place. */
export class ShareBars {
  constructor() {
    this.rows = new Map();
    this.key = h("div", { class: "legend" });
    this.list = h("ul", { class: "bars" });
    this.element = h("div", { class: "stack" }, this.list, this.key);
  }

  /** @param {Share[]} shares */
  show(shares) {
    for (const share of shares) {
      if (!this.rows.has(share.name)) this.add(share);
      this.update(this.rows.get(share.name), share);
    }
  }

  add({ name, parts }) {
    const segments = new Map(Object.keys(parts).map((phase) => [phase, h("span", { class: `bar-part phase-${phase}` })]));
    const row = { segments, note: h("span", { class: "bar-note" }), text: h("span", { class: "bar-text" }) };
    row.bar = h("div", { class: "bar", role: "img" }, [...segments.values()]);
    this.list.append(h("li", {},
      h("div", { class: "bar-head" }, h("strong", { text: name }), row.note), row.bar, row.text));
    this.rows.set(name, row);
    const phases = new Set([...this.rows.values()].flatMap((each) => [...each.segments.keys()]));
    this.key.replaceChildren(...[...phases].map((phase) =>
      h("span", { class: "legend-entry" }, h("span", { class: `swatch phase-${phase}` }), SAID[phase] ?? phase)));
  }

  update(row, { name, parts, note }) {
    const total = Object.values(parts).reduce((sum, part) => sum + part, 0);
    const told = [];
    for (const [phase, spent] of Object.entries(parts)) {
      const percent = total ? (100 * spent) / total : 0;
      const segment = row.segments.get(phase);
      if (!segment) continue;
      // Finer steps are not seen, but each would start a transition.
      segment.style.width = `${percent.toFixed(1)}%`;
      if (percent >= 0.5) told.push(`${SAID[phase] ?? phase} ${number(percent, 2)} %`);
    }
    setText(row.note, note);
    setText(row.text, total ? `${told.join(", ")} of ${seconds(total)}` : "");
    row.bar.setAttribute("aria-label", `${name}: ${told.join(", ") || "nothing measured yet"}`);
  }
}
