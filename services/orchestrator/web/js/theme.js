/** Light and dark, and the colours that canvases take from the style sheet. */

const KEY = "cosim.theme";
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set();
let cache = new Map();

/** Whether the page is dark now. */
export function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : dark.matches;
}

/** Takes up the reader's last choice; without one the system's setting holds. */
export function startTheme() {
  const chosen = localStorage.getItem(KEY);
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
  dark.addEventListener("change", changed);
}

/** Switches between light and dark. */
export function toggleTheme() {
  const next = isDark() ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  localStorage.setItem(KEY, next);
  changed();
}

/** Calls back after every change of colours. */
export function onTheme(listener, signal) {
  listeners.add(listener);
  signal?.addEventListener("abort", () => listeners.delete(listener), { once: true });
}

function changed() {
  cache = new Map();
  for (const listener of listeners) listener();
}

/**
 * A colour of the style sheet.
 * @param {string} name Custom property without its dashes, e.g. `ink`.
 */
export function colour(name) {
  if (!cache.has(name)) {
    cache.set(name, getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim());
  }
  return cache.get(name);
}

/** Red, green and blue of `#rrggbb`, as all colours of series and of the matrix are written. */
export const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

/** A colour that lets through what lies behind it. */
export const faded = (hex, opacity) => `rgb(${rgb(hex).join(" ")} / ${opacity})`;

/** Colour of the i-th population: excitatory orange, inhibitory blue, as in the report. */
export const populationColour = (index) => colour(`population-${index % 6}`);

/** Colour of the i-th curve where curves are regions. */
export const regionColour = (index) => colour(`region-${index % 7}`);
