/** A text area with line numbers beside it, and marks at lines that have a fault. */

import { h } from "./dom.js";

export class Editor {
  /** @param {{label: string, onInput: (text: string) => void}} options */
  constructor({ label, onInput }) {
    this.gutter = h("div", { class: "editor-gutter", "aria-hidden": "true" });
    this.area = h("textarea", {
      class: "editor-text", "aria-label": label, spellcheck: "false", autocapitalize: "off",
      autocomplete: "off", wrap: "off", rows: "22",
    });
    this.element = h("div", { class: "editor" }, this.gutter, this.area);
    this.marked = new Set();
    this.area.addEventListener("input", () => { this.number(); onInput(this.text); });
    this.area.addEventListener("scroll", () => { this.gutter.scrollTop = this.area.scrollTop; });
    this.number();
  }

  get text() {
    return this.area.value;
  }

  set text(text) {
    this.area.value = text;
    this.area.scrollTop = 0;
    this.mark([]);
  }

  /** @param {Iterable<number>} lines Lines with a fault, counted from 1. */
  mark(lines) {
    this.marked = new Set(lines);
    this.lines = -1;
    this.number();
  }

  /** Puts the cursor at the beginning of a line, counted from 1. */
  goTo(line) {
    const before = this.text.split("\n").slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
    this.area.focus();
    this.area.setSelectionRange(before, before);
    const height = parseFloat(getComputedStyle(this.area).lineHeight);
    this.area.scrollTop = Math.max(0, (line - 5) * height);
  }

  number() {
    const lines = this.text.split("\n").length;
    if (lines === this.lines) return;
    this.lines = lines;
    this.gutter.replaceChildren(...Array.from({ length: lines }, (_, i) =>
      h("span", { class: this.marked.has(i + 1) ? "line-faulty" : "", text: String(i + 1) })));
    this.gutter.scrollTop = this.area.scrollTop;
  }
}
