/** Where the time goes, live from progress and in phases after the end. */

import * as api from "../api.js";
import { ShareBars } from "../bars.js";
import { h } from "../dom.js";
import { sharesOf, sharesOfTiming } from "../shapes.js";

export class TimingPanel {
  /**
   * @param {import("../store.js").RunStore} store
   * @param {AbortSignal} signal
   */
  constructor(store, signal) {
    this.store = store;
    this.signal = signal;
    this.bars = new ShareBars();
    this.element = h("section", { class: "card", "aria-label": "Where the time goes" },
      h("h2", { text: "Where the time goes" }), this.bars.element);
    this.element.hidden = true;
    store.on("progress", () => this.draw(), signal);
    store.on("run", () => this.ended(), signal);
    this.ended();
  }

  draw() {
    const peers = this.store.progress?.peers ?? [];
    if (!peers.length || this.isFinal) return;
    this.element.hidden = false;
    this.bars.show(sharesOf(peers));
  }

  async ended() {
    if (!this.store.isOver || !this.store.run.windows || this.isFinal) return;
    const timing = await api.timing(this.store.run.id, this.signal).catch(() => null);
    const shares = timing ? sharesOfTiming(timing) : [];
    if (!shares.length || this.isFinal) return;
    this.isFinal = true;
    const bars = new ShareBars();
    this.bars.element.replaceWith(bars.element);
    this.bars = bars;
    this.element.hidden = false;
    bars.show(shares);
  }
}
