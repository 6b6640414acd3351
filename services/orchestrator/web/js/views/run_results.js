/** What is left of a run: figures, report, files, digest, and faults if it was refused. */

import * as api from "../api.js";
import { fill, h, icon, toast } from "../dom.js";
import { bytes } from "../format.js";

export class ResultsPanel {
  /**
   * @param {import("../store.js").RunStore} store
   * @param {AbortSignal} signal
   */
  constructor(store, signal) {
    this.store = store;
    this.signal = signal;
    this.element = h("section", { class: "card results", "aria-label": "Results" });
    this.element.hidden = true;
    store.on("run", () => this.draw(), signal);
    this.draw();
  }

  async draw() {
    const { run, isOver } = this.store;
    const content = JSON.stringify([run.state, run.digest]);
    if (!isOver || content === this.content) return;
    this.content = content;
    const none = () => [];
    const [figures, files] = await Promise.all([
      api.listFigures(run.id, this.signal).catch(none), api.listFiles(run.id, this.signal).catch(none),
    ]);
    if (this.signal.aborted) return;
    this.element.hidden = false;
    fill(this.element, h("div", { class: "card-head" }, h("h2", { text: "Results" }), links(run.id, files)),
      faults(run.faults), digest(run.digest),
      h("div", { class: "figures" }, pictures(figures).map(picture)),
      files.length > 0 && h("details", { class: "files" }, h("summary", { text: `Files (${files.length})` }),
        h("ul", { class: "file-list" }, files.map(({ name, href, bytes: size }) => h("li", {},
          h("a", { href, download: name.split("/").at(-1) }, icon("download"), h("span", { text: name })), h("span", { class: "hint", text: bytes(size) }))))));
  }
}

function links(id, files) {
  return h("div", { class: "toolbar" },
    h("a", { class: "button button-primary", href: api.reportAddress(id), target: "_blank", rel: "noopener" }, icon("open"), "Report"),
    files.length > 0 && h("a", { class: "button", href: api.archiveAddress(id), download: `${id}.zip` }, icon("download"), "Everything (zip)"),
    h("a", { class: "button", href: api.address(`/runs/${encodeURIComponent(id)}/experiment`), target: "_blank", rel: "noopener" }, "Experiment"));
}

function faults(listed) {
  return listed?.length > 0 && h("ul", { class: "faults" }, listed.map(({ path, message, detail }) =>
    h("li", {}, path && h("code", { text: path }), " ", message, detail && h("pre", { class: "detail", text: detail }))));
}

function digest(value) {
  if (!value) return null;
  const copy = async () => {
    await navigator.clipboard.writeText(value);
    toast("Digest copied");
  };
  return h("p", { class: "digest" }, h("span", { class: "hint", text: "Digest of all results " }), h("code", { text: value }), " ",
    navigator.clipboard && h("button", { type: "button", class: "link", text: "copy", onclick: copy }));
}

/** Every figure comes as PNG and SVG; one of each is shown. */
function pictures(figures) {
  const chosen = new Map();
  for (const figure of figures) {
    const stem = figure.name.replace(/\.[a-z]+$/, "");
    if (!chosen.has(stem) || figure.name.endsWith(".svg")) chosen.set(stem, figure);
  }
  return [...chosen.values()];
}

function picture({ title, href }) {
  return h("figure", {}, h("a", { href, target: "_blank", rel: "noopener" },
    h("img", { src: href, alt: title, loading: "lazy" })), h("figcaption", { text: title }));
}
