/** All runs: filter, search, pages, and two of them chosen for comparison. */

import * as api from "../api.js";
import { badge } from "../badge.js";
import { fill, h, setText } from "../dom.js";
import { count, milliseconds, moment, seconds, speed } from "../format.js";

const STATES = ["queued", "building", "running", "paused", "stopping", "finishing", "finished", "failed", "interrupted", "refused"];
const PAGE = 20;
const REFRESH_MS = 2000;
const TYPING_MS = 250;

/** Kept while other pages are shown. */
const filter = { state: "", search: "", offset: 0 };
const chosen = new Set();

export async function runsView(root, parameters, signal) {
  const page = new RunsPage(signal);
  root.append(page.element);
  await page.refresh();
  const timer = setInterval(() => { if (!document.hidden) page.refresh().catch(() => undefined); }, REFRESH_MS);
  signal.addEventListener("abort", () => clearInterval(timer));
}

class RunsPage {
  constructor(signal) {
    this.signal = signal;
    this.shown = "";
    /** @type {Map<string, {content: string, element: HTMLElement}>} Rows shown, by run. */
    this.rows = new Map();
    this.state = h("select", { "aria-label": "State", onchange: () => this.apply({ state: this.state.value }) },
      h("option", { value: "", text: "All states" }), STATES.map((state) => h("option", { value: state, text: state })));
    this.state.value = filter.state;
    this.search = h("input", {
      type: "search", placeholder: "Search by name, label or id", "aria-label": "Search", value: filter.search,
      oninput: () => { clearTimeout(this.typing); this.typing = setTimeout(() => this.apply({ search: this.search.value }), TYPING_MS); },
    });
    this.compare = h("a", { class: "button" });
    this.body = h("div", { class: "run-list", role: "list" });
    this.pages = h("nav", { class: "pages", "aria-label": "Pages of runs" });
    this.element = h("div", { class: "stack" },
      h("div", { class: "page-head" }, h("h1", { text: "Runs" }),
        h("div", { class: "toolbar" }, this.search, this.state, this.compare)),
      this.body, this.pages);
    document.addEventListener("keydown", (event) => this.key(event), { signal });
    this.showChoice();
  }

  apply(change) {
    Object.assign(filter, { offset: 0 }, change);
    this.refresh().catch(() => undefined);
  }

  async refresh() {
    const { total, items } = await api.listRuns({ ...filter, limit: PAGE }, this.signal);
    const content = JSON.stringify([total, items, filter]);
    if (content === this.shown) return;
    this.shown = content;
    const focused = document.activeElement?.id;
    this.showRows(items);
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    this.showPages(total);
  }

  /** Replaces only the rows that changed, so that no click falls between two drawings. */
  showRows(items) {
    const rows = new Map(items.map((run) => {
      const content = JSON.stringify(run);
      const known = this.rows.get(run.id);
      if (known?.content === content) return [run.id, known];
      const element = this.row(run);
      known?.element.replaceWith(element);
      return [run.id, { content, element }];
    }));
    this.rows = rows;
    const wanted = [...rows.values()].map(({ element }) => element);
    const isSame = wanted.length === this.body.children.length && wanted.every((row, i) => row === this.body.children[i]);
    if (!wanted.length) fill(this.body, this.nothing());
    else if (!isSame) fill(this.body, wanted);
  }

  nothing() {
    const filtered = filter.state || filter.search;
    return h("div", { class: "empty" },
      h("p", { text: filtered ? "No run fits." : "There is no run yet." }),
      !filtered && h("a", { class: "button button-primary", href: "#/new", text: "Start the first one" }));
  }

  row(run) {
    const box = h("input", {
      type: "checkbox", id: `choose-${run.id}`, checked: chosen.has(run.id),
      "aria-label": `Compare ${run.label || run.name}`, onchange: () => this.choose(run.id, box.checked),
    });
    const done = run.windows_total ? run.windows / run.windows_total : 0;
    const bar = h("span", { class: "mini-bar", "aria-hidden": "true" }, h("span", {}));
    bar.firstChild.style.width = `${100 * done}%`;
    return h("div", { class: "run-row", role: "listitem", dataset: { id: run.id } },
      box,
      h("a", { class: "run-name", id: `run-${run.id}`, href: `#/runs/${encodeURIComponent(run.id)}` },
        h("strong", { text: run.label || run.name }),
        h("span", { class: "hint", text: run.label ? `${run.name} · ${run.id}` : run.id })),
      badge(run.state),
      h("span", { class: "run-progress" }, bar,
        h("span", { class: "hint", text: `${run.windows ?? 0} / ${run.windows_total ?? "–"} windows` })),
      h("span", { class: "run-facts" },
        h("span", { title: "Simulated time", text: milliseconds(run.duration_ms) }),
        h("span", { title: "Wall time", text: wall(run) }),
        h("span", { class: "run-when", title: run.created, text: moment(run.created) })),
      run.cause && h("span", { class: "run-cause", text: run.cause }));
  }

  choose(id, on) {
    if (on) chosen.add(id);
    else chosen.delete(id);
    // Two at most: the one chosen first makes room.
    for (const old of chosen) if (chosen.size > 2) chosen.delete(old);
    for (const box of this.body.querySelectorAll("[type=checkbox]")) box.checked = chosen.has(box.id.slice(7));
    this.showChoice();
  }

  showChoice() {
    const ready = chosen.size === 2;
    setText(this.compare, ready ? "Compare the two" : `Choose two to compare (${chosen.size})`);
    this.compare.classList.toggle("button-primary", ready);
    this.compare.setAttribute("aria-disabled", String(!ready));
    if (ready) this.compare.href = `#/compare/${[...chosen].map(encodeURIComponent).join("/")}`;
    else this.compare.removeAttribute("href");
  }

  showPages(total) {
    const last = Math.min(total, filter.offset + PAGE);
    const step = (text, offset, disabled) =>
      h("button", { type: "button", class: "button", disabled, text, onclick: () => { filter.offset = offset; this.refresh(); } });
    fill(this.pages, h("span", { class: "hint", text: total ? `${filter.offset + 1} to ${last} of ${count(total, "run")}` : "" }),
      total > PAGE && [
        step("Newer", Math.max(0, filter.offset - PAGE), filter.offset === 0),
        step("Older", filter.offset + PAGE, last >= total),
      ]);
  }

  key(event) {
    if (event.target.closest("input:not([type=checkbox]), textarea, select, dialog") || event.ctrlKey || event.metaKey) return;
    const links = [...this.body.querySelectorAll(".run-name")];
    const at = links.findIndex((link) => link.parentElement.contains(document.activeElement));
    if (event.key === "/") { event.preventDefault(); this.search.focus(); }
    else if (event.key === "j") links[Math.min(links.length - 1, at + 1)]?.focus();
    else if (event.key === "k") links[Math.max(0, at - 1)]?.focus();
    else if (event.key === "c" && at >= 0) links[at].parentElement.querySelector("[type=checkbox]").click();
  }
}

function wall(run) {
  if (!run.wall_s) return "–";
  const simulated_s = run.windows_total ? (run.duration_ms / 1000) * (run.windows / run.windows_total) : 0;
  return simulated_s ? `${seconds(run.wall_s)}, ${speed(run.wall_s / simulated_s)}` : seconds(run.wall_s);
}
