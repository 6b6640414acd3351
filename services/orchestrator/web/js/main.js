/** Entry: header, routes, keys that work everywhere. */

import * as api from "./api.js";
import { fill, h, icon, setText } from "./dom.js";
import { showHelp } from "./dialogs.js";
import { isDark, onTheme, startTheme, toggleTheme } from "./theme.js";
import { compareView } from "./views/compare.js";
import { createView } from "./views/create.js";
import { runView } from "./views/run.js";
import { runsView } from "./views/runs.js";
import { tokenView } from "./views/token.js";

/**
 * @callback View Fills `root`; everything it starts ends with `signal`.
 * @param {HTMLElement} root
 * @param {string[]} parameters Of its address.
 * @param {AbortSignal} signal
 * @returns {Promise<void>|void}
 */

/** @type {[RegExp, string, string, View][]} Address, page of the navigation, title, view. */
const ROUTES = [
  [/^#\/new$/, "new", "New run", createView],
  [/^#\/runs$/, "runs", "Runs", runsView],
  [/^#\/runs\/([^/]+)$/, "runs", "Run", runView],
  [/^#\/compare\/([^/]+)\/([^/]+)$/, "runs", "Comparison", compareView],
];

const PING_MS = 5000;
const main = document.getElementById("main");
const pill = document.getElementById("connection");
let current = new AbortController();
let asking = false;
let denied = false;

function show(title, page, view, parameters) {
  current.abort();
  current = new AbortController();
  document.title = `${title} · cosim`;
  for (const link of document.querySelectorAll("[data-page]")) {
    if (link.dataset.page === page) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const root = h("div", { class: "view" });
  fill(main, root);
  main.focus({ preventScroll: true });
  window.scrollTo(0, 0);
  const { signal } = current;
  Promise.resolve(view(root, parameters, signal)).catch((error) => {
    if (signal.aborted || error.name === "AbortError") return;
    if (!(error instanceof api.ApiError)) throw error;
    fill(root, h("div", { class: "empty" }, h("h1", { text: "This cannot be shown" }),
      h("p", { text: error.message }), h("a", { class: "button", href: "#/runs", text: "All runs" })));
  });
}

function route() {
  asking = false;
  for (const [address, page, title, view] of ROUTES) {
    const match = location.hash.match(address);
    if (match) return show(title, page, view, match.slice(1).map(decodeURIComponent));
  }
  location.replace("#/new");
}

function askForToken() {
  if (asking) return;
  asking = true;
  setConnection("refused", "signed out");
  show("Token", "", (root) => tokenView(root, start, denied), []);
}

function setConnection(state, text) {
  pill.dataset.state = state;
  setText(pill, text);
}

/** Asks for something small now and then, so that the header tells whether the server is there. */
async function ping() {
  try {
    const { total } = await api.listRuns({ limit: 1, state: "running" });
    setConnection("live", total ? "running" : "connected");
    return true;
  } catch (error) {
    if (error.status === 0) setConnection("lost", "server not reached");
    else if (error.status !== 401) setConnection("lost", `server error ${error.status}`);
    return error.status !== 401;
  }
}

async function start() {
  if (await ping()) route();
}

const KEYS = {
  "?": showHelp,
  n: () => { location.hash = "#/new"; },
  r: () => { location.hash = "#/runs"; },
  t: toggleTheme,
};

function onKey(event) {
  const typing = event.target.closest?.("input, textarea, select, dialog");
  if (typing || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (asking && ["n", "r"].includes(event.key)) return;
  KEYS[event.key]?.();
}

function themeButton() {
  const button = document.getElementById("theme");
  const draw = () => {
    const name = isDark() ? "Use light colours" : "Use dark colours";
    fill(button, icon(isDark() ? "sun" : "moon"));
    button.setAttribute("aria-label", name);
    button.title = `${name} (t)`;
  };
  button.addEventListener("click", toggleTheme);
  onTheme(draw);
  draw();
}

startTheme();
themeButton();
api.onRefused(askForToken);
document.getElementById("help").addEventListener("click", showHelp);
document.addEventListener("keydown", onKey);
window.addEventListener("hashchange", route);
const address = new URL(location.href);
denied = address.searchParams.has("denied");
if (address.search) {
  // The server has taken its token from there; it must not stay in the address bar.
  address.search = "";
  history.replaceState(null, "", address);
}
start();
setInterval(() => { if (!document.hidden && !asking) ping(); }, PING_MS);
