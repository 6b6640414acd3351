/** Top of a run: what it is, how far it is, and the buttons that command it. */

import * as api from "../api.js";
import { badge } from "../badge.js";
import { ask } from "../dialogs.js";
import { fill, h, icon, setText, toast } from "../dom.js";
import { milliseconds, moment, number, seconds, speed } from "../format.js";

const STREAM = {
  idle: "", connecting: "connecting…", live: "live", waiting: "connection lost, trying again…", over: "",
};

/** What stands in place of the time to finish. */
const STANDING = { paused: "paused", finishing: "writing results, drawing the report" };

export class RunHead {
  /**
   * @param {import("../store.js").RunStore} store
   * @param {AbortSignal} signal
   */
  constructor(store, signal) {
    this.store = store;
    this.badge = h("span", {});
    this.stream = h("span", { class: "pill", role: "status", id: "stream" });
    this.cause = h("div", { class: "cause", role: "alert" });
    this.counter = h("span", { class: "counter-now", id: "window-now" });
    this.total = h("span", { class: "counter-total", id: "window-total" });
    this.bar = h("div", { class: "progress", role: "progressbar", "aria-label": "Windows done", "aria-valuemin": "0" }, h("span", {}));
    this.facts = new Map(["Simulated", "Speed", "To finish", "Wall time"].map((name) => [name, h("dd", {})]));
    this.controls = this.buttons();
    const { run } = store;
    this.element = h("section", { class: "card run-head", "aria-label": "State of the run" },
      h("div", { class: "page-head" },
        h("div", {}, h("h1", { text: run.label || run.name }),
          h("p", { class: "hint" }, run.label ? `${run.name} · ` : "", h("code", { text: run.id }), ` · created ${moment(run.created)}`)),
        h("div", { class: "toolbar" }, this.badge, this.stream)),
      this.cause,
      h("div", { class: "progress-row" },
        h("div", { class: "counter" }, this.counter, this.total), this.bar),
      h("div", { class: "spread" },
        h("dl", { class: "facts" }, [...this.facts].map(([name, dd]) => h("div", {}, h("dt", { text: name }), dd))),
        h("div", { class: "toolbar", role: "group", "aria-label": "Commands" }, this.controls)));
    for (const topic of ["run", "progress", "connection"]) store.on(topic, () => this.draw(), signal);
    document.addEventListener("keydown", (event) => this.key(event), { signal });
    this.draw();
  }

  buttons() {
    const button = (sign, text, key, action) =>
      h("button", { type: "button", class: "button", title: `${text} (${key})`, onclick: action }, icon(sign), text);
    this.pause = button("pause", "Pause", "p", () => this.command("pause"));
    this.resume = button("play", "Resume", "p", () => this.command("resume"));
    this.windows = h("input", { type: "number", min: "1", value: "1", class: "step-count", "aria-label": "Windows to step" });
    this.step = button("step", "Step", "s", () => this.command("step", { windows: Math.max(1, Number(this.windows.value) || 1) }));
    this.stepGroup = h("span", { class: "joined" }, this.step, this.windows);
    this.stop = button("stop", "Stop", "x", () => this.askToStop());
    this.stop.classList.add("button-danger");
    this.cancel = button("cross", "Take out of the queue", "x", () => this.askToDelete());
    this.remove = button("trash", "Delete", "Delete", () => this.askToDelete());
    return [this.pause, this.resume, this.stepGroup, this.stop, this.cancel, this.remove];
  }

  async command(what, body) {
    try {
      await api.command(this.store.run.id, what, body);
    } catch (error) {
      toast(error.message, "problem");
    }
  }

  async askToStop() {
    const answer = await ask({
      title: "Stop this run?",
      text: "What was computed so far is kept and can be looked at.",
      choices: [
        { value: "abort", label: "Abort at once", kind: "quiet" },
        { value: "stop", label: "Stop in good order", kind: "danger" },
      ],
    });
    if (answer) await this.command(answer);
  }

  async askToDelete() {
    const answer = await ask({
      title: "Delete this run?", text: "Its record and all its files are removed for good.",
      choices: [{ value: "delete", label: "Delete", kind: "danger" }],
    });
    if (!answer) return;
    try {
      await api.deleteRun(this.store.run.id);
      location.hash = "#/runs";
    } catch (error) {
      toast(error.message, "problem");
    }
  }

  draw() {
    const { run, progress, connection, isOver } = this.store;
    if (this.badge.firstChild?.dataset.state !== run.state) fill(this.badge, badge(run.state));
    this.stream.hidden = isOver || !STREAM[connection];
    this.stream.dataset.state = { live: "live", waiting: "lost" }[connection] ?? "idle";
    setText(this.stream, STREAM[connection]);
    setText(this.cause, run.cause ?? "");
    this.cause.dataset.state = run.state;
    const [done, total] = [run.windows ?? 0, run.windows_total];
    setText(this.counter, String(done));
    setText(this.total, ` / ${total ?? "–"} windows`);
    // A width would be laid out and painted anew in every frame of its transition.
    this.bar.firstChild.style.transform = `scaleX(${total ? done / total : 0})`;
    this.bar.dataset.state = run.state;
    this.bar.setAttribute("aria-valuenow", String(done));
    this.bar.setAttribute("aria-valuemax", String(total ?? 0));
    this.drawFacts(run, progress, isOver);
    this.drawButtons(run.state, isOver);
  }

  drawFacts(run, progress, isOver) {
    const share = run.windows_total ? Math.min(1, run.windows / run.windows_total) : 0;
    const simulated = progress?.simulated_ms ?? run.duration_ms * share;
    const factor = isOver && run.wall_s && simulated ? run.wall_s / (simulated / 1000) : progress?.speed;
    const percent = number(100 * share, 3);
    setText(this.facts.get("Simulated"), `${milliseconds(simulated)} of ${milliseconds(run.duration_ms)} (${percent} %)`);
    setText(this.facts.get("Speed"), factor ? `${speed(factor)} than real time` : "–");
    setText(this.facts.get("To finish"), isOver ? "–" : STANDING[run.state] ?? seconds(progress?.eta_s));
    setText(this.facts.get("Wall time"), seconds(run.wall_s ?? elapsed(run)));
  }

  drawButtons(state, isOver) {
    this.pause.hidden = state !== "running";
    this.resume.hidden = state !== "paused";
    this.stepGroup.hidden = state !== "paused";
    this.stop.hidden = !["building", "running", "paused", "stopping"].includes(state);
    this.stop.disabled = state === "stopping";
    this.cancel.hidden = state !== "queued";
    this.remove.hidden = !isOver;
  }

  key(event) {
    if (event.target.closest("input, textarea, select, dialog") || event.ctrlKey || event.metaKey || event.altKey) return;
    const wanted = { p: [this.pause, this.resume], s: [this.step], x: [this.stop, this.cancel] }[event.key];
    wanted?.find((button) => button.offsetParent && !button.disabled)?.click();
  }
}

function elapsed(run) {
  if (!run.started) return null;
  return (new Date(run.ended ?? Date.now()) - new Date(run.started)) / 1000;
}
