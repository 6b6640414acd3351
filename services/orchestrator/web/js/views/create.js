/** A new run: preset, common parameters, YAML, and what the planner says about them. */

import * as api from "../api.js";
import { Editor } from "../editor.js";
import { fill, h, icon, setText } from "../dom.js";
import { ParameterForm } from "./create_form.js";
import { showVerdict } from "./create_verdict.js";

const DEBOUNCE_MS = 350;

/** What was typed is kept while other pages are shown. */
const draft = { preset: "", yaml: "", values: {}, more: "", label: "" };

export async function createView(root, parameters, signal) {
  const page = new CreatePage(signal);
  root.append(page.element);
  await page.load();
}

class CreatePage {
  constructor(signal) {
    this.signal = signal;
    this.pending = new AbortController();
    this.timer = 0;
    this.editor = new Editor({ label: "Experiment in YAML", onInput: (text) => this.edited(text) });
    this.form = new ParameterForm(draft, () => this.check());
    this.presets = h("select", { id: "preset", onchange: () => this.choose(this.presets.value) });
    this.about = h("p", { class: "hint" });
    this.label = h("input", {
      id: "label", type: "text", value: draft.label, maxlength: "120", placeholder: "optional",
      oninput: () => { draft.label = this.label.value; },
    });
    this.verdict = h("div", { class: "verdict", role: "status", "aria-live": "polite", "aria-label": "Validation" });
    this.startButton = h("button", {
      type: "button", class: "button button-primary button-large", title: "Ctrl + Enter", disabled: true, onclick: () => this.start(),
    }, icon("play"), "Start");
    this.where = h("p", { class: "hint" });
    this.element = this.layout();
    this.element.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.start();
    });
    signal.addEventListener("abort", () => { clearTimeout(this.timer); this.pending.abort(); });
  }

  layout() {
    return h("div", { class: "create" },
      h("div", { class: "page-head" }, h("h1", { text: "New run" }), this.where),
      h("section", { class: "card stack", "aria-label": "Preset and parameters" },
        h("div", { class: "field" }, h("label", { for: "preset", text: "Preset" }), this.presets, this.about),
        this.form.element,
        h("div", { class: "field" }, h("label", { for: "label", text: "Label of the run" }), this.label)),
      h("div", { class: "create-main" },
        h("section", { class: "card verdict-card" }, this.verdict, this.startButton),
        h("section", { class: "card editor-card", "aria-label": "Experiment" }, this.editor.element)));
  }

  async load() {
    const presets = await api.listExperiments(this.signal);
    this.descriptions = new Map(presets.map((preset) => [preset.name, preset.description]));
    fill(this.presets, presets.map(({ name }) => h("option", { value: name, text: name })),
      h("option", { value: "", text: "Empty" }));
    this.describeEnsemble().catch(() => undefined);
    if (draft.yaml) {
      this.presets.value = draft.preset;
      this.show(draft.preset, draft.yaml);
    } else {
      const first = presets.find(({ name }) => name === "quickstart") ?? presets[0];
      this.presets.value = first?.name ?? "";
      await this.choose(this.presets.value);
    }
  }

  async describeEnsemble() {
    const { launcher, agents = [] } = await api.ensemble(this.signal);
    const hosts = agents.map(({ role, host, busy }) => `${role} on ${host}${busy ? " (busy)" : ""}`);
    const agentsSay = hosts.length ? `Runs on agents: ${hosts.join(", ")}` : "No agent is there; a run waits for them";
    setText(this.where, launcher === "attach" ? agentsSay : "Runs on the machine of this server");
  }

  async choose(name) {
    const yaml = name ? await api.experimentYaml(name, this.signal) : "name: experiment\n";
    this.form.clear();
    this.show(name, yaml);
  }

  show(name, yaml) {
    Object.assign(draft, { preset: name, yaml });
    setText(this.about, this.descriptions.get(name) ?? "");
    this.editor.text = yaml;
    this.check(0);
  }

  edited(text) {
    draft.yaml = text;
    this.check();
  }

  body() {
    const label = draft.label.trim();
    return { yaml: draft.yaml, overrides: this.form.overrides(), ...(label ? { label } : {}) };
  }

  check(delay = DEBOUNCE_MS) {
    clearTimeout(this.timer);
    this.verdict.dataset.state = "checking";
    this.timer = setTimeout(() => this.validate(), delay);
  }

  async validate() {
    this.pending.abort();
    this.pending = new AbortController();
    const { signal } = this.pending;
    try {
      this.judge(await api.validate(this.body(), signal));
    } catch (error) {
      if (signal.aborted) return;
      this.judge({ valid: false, faults: error.faults, warnings: [], plan: null, problem: error.message });
    }
  }

  judge(verdict) {
    const fields = this.form.mark(verdict.faults);
    this.form.follow(verdict.experiment);
    this.editor.mark(verdict.faults.map(({ line }) => line).filter(Boolean));
    this.startButton.disabled = !verdict.valid;
    showVerdict(this.verdict, verdict, (fault) => {
      const field = fields.get(fault);
      if (field) return { where: "field", go: () => field.focus() };
      return fault.line ? { where: `line ${fault.line}`, go: () => this.editor.goTo(fault.line) } : null;
    });
  }

  async start() {
    if (this.startButton.disabled) return;
    this.startButton.disabled = true;
    try {
      const run = await api.createRun(this.body());
      location.hash = `#/runs/${encodeURIComponent(run.id)}`;
    } catch (error) {
      this.judge({ valid: false, faults: error.faults ?? [], warnings: [], plan: null, problem: error.message });
      this.startButton.disabled = false;
    }
  }
}
