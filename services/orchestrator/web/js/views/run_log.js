/** The last lines of all participants' logs. */

import { fill, h } from "../dom.js";
import { LOG_LINES } from "../store.js";

const LEVELS = ["debug", "info", "warning", "error", "critical"];
const SHOWN = 250;

export class LogPanel {
  /**
   * @param {import("../store.js").RunStore} store
   * @param {AbortSignal} signal
   */
  constructor(store, signal) {
    this.store = store;
    this.level = h("select", { "aria-label": "Least level", onchange: () => this.draw() },
      LEVELS.slice(0, 4).map((level) => h("option", { value: level, text: level === "debug" ? "all levels" : `${level} and above` })));
    this.lines = h("div", { class: "log", role: "log", tabindex: "0", "aria-label": "Log" });
    this.element = h("section", { class: "card", "aria-label": "Log" },
      h("div", { class: "card-head" }, h("h2", { text: "Log" }), this.level), this.lines);
    this.asked = false;
    store.on("log", () => this.later(), signal);
    this.draw();
  }

  /** Many lines arrive at once; they are shown together. */
  later() {
    if (this.asked) return;
    this.asked = true;
    requestAnimationFrame(() => { this.asked = false; this.draw(); });
  }

  draw() {
    const least = LEVELS.indexOf(this.level.value);
    const fitting = this.store.logs.filter(({ level }) => LEVELS.indexOf((level ?? "info").toLowerCase()) >= least);
    const { scrollTop, scrollHeight, clientHeight } = this.lines;
    const atEnd = scrollHeight - scrollTop - clientHeight < 30;
    fill(this.lines,
      this.store.droppedLogs > 0 && h("p", { class: "hint", text: `The last ${LOG_LINES} lines are kept here; the files have all.` }),
      !fitting.length && h("p", { class: "hint", text: "Nothing yet." }),
      fitting.slice(-SHOWN).map(({ time, level, participant, message }) => h("div", { class: `log-line level-${level}` },
        h("time", { text: clock(time) }), h("span", { class: "log-who", text: participant }),
        h("span", { class: "log-text" }, level !== "info" && h("strong", { text: `${level}: ` }), message))));
    if (atEnd) this.lines.scrollTop = this.lines.scrollHeight;
  }
}

function clock(time) {
  const date = new Date(typeof time === "number" ? time * 1000 : time);
  return Number.isNaN(date.getTime()) ? "" : date.toTimeString().slice(0, 8);
}
