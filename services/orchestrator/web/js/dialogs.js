/** Questions and help, as modal dialogs: Escape closes them, focus goes back to where it was. */

import { h } from "./dom.js";

const SHORTCUTS = [
  ["Everywhere", [
    ["?", "This help"], ["n", "New run"], ["r", "Runs"], ["t", "Light or dark"],
  ]],
  ["New run", [["Ctrl + Enter", "Start"], ["Tab", "Leaves the editor (it is never trapped)"]]],
  ["Runs", [
    ["j / k", "Next, previous run"], ["Enter", "Open"], ["c", "Choose for comparison"], ["/", "Search"],
  ]],
  ["A run", [
    ["p", "Pause or resume"], ["s", "Step (while paused)"], ["x", "Stop"],
    ["← →", "Move the cursor of all curves, rotate the connectome (when focused)"],
    ["Drag", "Zoom into all curves; a double click or Esc goes back"],
  ]],
];

function show(dialog) {
  document.body.append(dialog);
  dialog.addEventListener("close", () => dialog.remove(), { once: true });
  dialog.showModal();
}

/** Shows what the keys do. */
export function showHelp() {
  if (document.querySelector("dialog[open]")) return;
  const sections = SHORTCUTS.map(([title, keys]) => h("section", {},
    h("h3", { text: title }),
    h("dl", { class: "keys" }, keys.map(([key, meaning]) => [
      h("dt", {}, h("kbd", { text: key })), h("dd", { text: meaning }),
    ]))));
  const close = h("button", { type: "submit", class: "button", text: "Close" });
  show(h("dialog", { class: "dialog", "aria-labelledby": "help-title" },
    h("h2", { id: "help-title", text: "Keyboard" }), sections,
    h("p", { class: "hint" }, "Everything on this page can be done with the REST interface as well."),
    h("form", { method: "dialog", class: "dialog-buttons" }, close)));
}

/**
 * Asks a question.
 * @param {{title: string, text: string, choices: {value: string, label: string, kind?: string}[]}} question
 * @returns {Promise<string>} The chosen value, or "" for none.
 */
export function ask({ title, text, choices }) {
  return new Promise((resolve) => {
    const buttons = choices.map(({ value, label, kind }) =>
      h("button", { type: "submit", value, class: `button ${kind ? `button-${kind}` : ""}`, text: label }));
    const cancel = h("button", { type: "submit", value: "", class: "button button-quiet", text: "Cancel" });
    const dialog = h("dialog", { class: "dialog", "aria-labelledby": "ask-title" },
      h("h2", { id: "ask-title", text: title }), h("p", { text }),
      h("form", { method: "dialog", class: "dialog-buttons" }, cancel, buttons));
    dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true });
    show(dialog);
  });
}
