/** The stretch of simulated time that the plots of a page show, and the buttons that choose it. */

import { h } from "./dom.js";

const SPANS = [["Whole run", null], ["10 s", 10000], ["1 s", 1000]];

export class TimeView {
  /** @param {AbortSignal} signal Ends it. */
  constructor(signal) {
    this.signal = signal;
    /** Length in ms of what is shown up to the end; null: everything. */
    this.span = null;
    /** What the reader zoomed into, from and to in ms. */
    this.zoom = null;
    this.changes = new EventTarget();
  }

  onChange(listener) {
    this.changes.addEventListener("change", listener, { signal: this.signal });
  }

  /** @param {{span?: number|null, zoom?: [number, number]|null}} change Whatever it is, an earlier zoom ends. */
  show(change) {
    Object.assign(this, { zoom: null }, change);
    this.changes.dispatchEvent(new Event("change"));
  }

  /**
   * @param {number} first Time of the first sample, in ms.
   * @param {number} last Time of the last sample.
   * @param {number} end Where the axis ends when everything is shown.
   * @returns {[number, number]} From and to in ms.
   */
  range(first, last, end) {
    if (this.zoom) return this.zoom;
    if (this.span) return [Math.max(0, last - this.span), Math.max(last, this.span)];
    return [Math.min(0, first), Math.max(last, end, 1)];
  }

  /** Makes buttons for the usual spans; none is pressed while the reader has zoomed. */
  chooser() {
    const buttons = SPANS.map(([text, span]) =>
      h("button", { type: "button", class: "segment", text, onclick: () => this.show({ span }) }));
    const mark = () => buttons.forEach((button, i) =>
      button.setAttribute("aria-pressed", String(!this.zoom && SPANS[i][1] === this.span)));
    this.onChange(mark);
    mark();
    return h("div", { class: "segments", role: "group", "aria-label": "Time shown" }, buttons);
  }
}
