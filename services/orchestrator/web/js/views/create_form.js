/** Common parameters as fields. What is filled in overrides the YAML; what is empty leaves it. */

import { h, setText } from "../dom.js";

const DRIVES = ["poisson", "mip", "sip", "trains", "current"];

/** @type {{path: string, label: string, unit?: string, kind: string, choices?: string[]}[]} */
const FIELDS = [
  { path: "duration_ms", label: "Duration", unit: "ms", kind: "number" },
  { path: "seed", label: "Seed", kind: "number" },
  { path: "spiking.0.regions", label: "Spiking regions", kind: "names" },
  { path: "adex.neurons", label: "Neurons per region", kind: "number" },
  { path: "spiking.0.drive.kind", label: "Drive", kind: "choice", choices: DRIVES },
  { path: "window.length_ms", label: "Window", unit: "ms", kind: "text" },
  { path: "resources.nest.threads", label: "NEST threads", kind: "number" },
  { path: "resources.nest.ranks", label: "NEST ranks", kind: "number" },
];

export class ParameterForm {
  /**
   * @param {{values: Object<string, string>, more: string}} draft Changed in place.
   * @param {() => void} onChange
   */
  constructor(draft, onChange) {
    this.draft = draft;
    this.onChange = onChange;
    this.inputs = new Map(FIELDS.map((field) => [field.path, this.input(field)]));
    this.more = h("textarea", {
      id: "more", rows: "2", class: "mono", spellcheck: "false", placeholder: "adex.p_connect=0.2",
      value: draft.more, oninput: () => { draft.more = this.more.value; this.changed(); },
    });
    this.count = h("p", { class: "hint" });
    this.reset = h("button", { type: "button", class: "link", text: "Clear all", onclick: () => { this.clear(); onChange(); } });
    this.element = h("fieldset", { class: "parameters" },
      h("legend", { text: "Parameters" }),
      h("div", { class: "field-grid" }, FIELDS.map((field) => this.row(field))),
      h("details", { open: Boolean(draft.more) }, h("summary", { text: "Other overrides" }),
        h("label", { for: "more", class: "hint", text: "One key.path=value per line" }), this.more),
      h("div", { class: "spread" }, this.count, this.reset));
    this.tell();
  }

  input({ path, kind, choices }) {
    const common = { id: `field-${path}`, name: path, value: this.draft.values[path] ?? "" };
    const element = kind === "choice"
      ? h("select", common, h("option", { value: "" }), choices.map((choice) => h("option", { value: choice, text: choice })))
      : h("input", { ...common, type: "text", inputmode: kind === "number" ? "decimal" : "text", autocomplete: "off" });
    if (kind === "choice") element.value = common.value;
    element.addEventListener(kind === "choice" ? "change" : "input", () => {
      this.draft.values[path] = element.value;
      this.changed();
    });
    return element;
  }

  row({ path, label, unit, kind }) {
    return h("div", { class: `field${kind === "names" ? " field-wide" : ""}` },
      h("label", { for: `field-${path}`, title: path }, label, unit && h("span", { class: "unit", text: unit })),
      this.inputs.get(path));
  }

  changed() {
    this.tell();
    this.onChange();
  }

  tell() {
    const { length } = this.overrides();
    setText(this.count, length ? `${length} of these override${length === 1 ? "s" : ""} the YAML.` : "Empty fields leave what the YAML says.");
    this.reset.hidden = !length;
    for (const element of this.inputs.values()) element.classList.toggle("is-set", Boolean(element.value.trim()));
  }

  /** Shows as placeholders what the YAML says, except where a field overrides it. */
  follow(experiment) {
    if (!experiment) return;
    for (const { path, kind } of FIELDS) {
      const element = this.inputs.get(path);
      if (element.value.trim()) continue;
      const value = path.split(".").reduce((node, key) => node?.[key], experiment);
      const text = Array.isArray(value) ? value.join(", ") : String(value ?? "");
      if (kind === "choice") setText(element.options[0], text ? `${text} (YAML)` : "as in the YAML");
      else element.placeholder = text;
    }
  }

  /**
   * Marks the fields whose value is at fault.
   * @param {import("../api.js").Fault[]} faults
   * @returns {Map<Object, HTMLElement>} The field of each fault that has one.
   */
  mark(faults) {
    const found = new Map();
    for (const [path, element] of this.inputs) {
      const own = element.value.trim() ? faults.filter((fault) => `${fault.path}.`.startsWith(`${path}.`)) : [];
      for (const fault of own) found.set(fault, element);
      element.setAttribute("aria-invalid", String(own.length > 0));
    }
    return found;
  }

  clear() {
    for (const element of [...this.inputs.values(), this.more]) element.value = "";
    Object.assign(this.draft, { values: {}, more: "" });
    this.tell();
  }

  /** @returns {string[]} `key.path=value`, the value in YAML. */
  overrides() {
    const set = FIELDS.filter(({ path }) => this.draft.values[path]?.trim())
      .map(({ path, kind }) => `${path}=${kind === "names" ? names(this.draft.values[path]) : this.draft.values[path].trim()}`);
    return [...set, ...this.draft.more.split("\n").map((line) => line.trim()).filter(Boolean)];
  }
}

/** `rHC, lHC` as a YAML list; quoted, since a name may hold anything. */
function names(text) {
  const listed = text.replace(/^\s*\[|\]\s*$/g, "").split(",").map((name) => name.trim()).filter(Boolean);
  return JSON.stringify(listed.map((name) => name.replace(/^["']|["']$/g, "")));
}
