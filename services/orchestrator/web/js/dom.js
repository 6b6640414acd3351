/** Elements made from plain values. Text only ever becomes a text node, never markup. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * Makes an element.
 * @param {string} tag
 * @param {Object<string, any>} [attributes] `class`, `text`, `dataset`, `onclick`-like listeners,
 *   properties (`value`, `checked`, `disabled`, ...), everything else as an attribute; null and
 *   false are left out.
 * @param {...(Node|string|number|null|false|undefined|Array)} children
 * @returns {HTMLElement}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") element.className = value;
    else if (name === "text") element.textContent = value;
    else if (name === "dataset") Object.assign(element.dataset, value);
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (["value", "checked", "disabled", "selected", "open"].includes(name)) element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  append(element, children);
  return element;
}

/** Appends nodes and texts, nested lists too, leaving out what is null or false. */
export function append(parent, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    parent.append(child instanceof Node ? child : String(child));
  }
}

/** Replaces all children. */
export function fill(parent, ...children) {
  parent.replaceChildren();
  append(parent, children);
}

/** Sets text only if it differs, so that nothing is laid out or announced again for nothing. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const PATHS = {
  play: "M5 3.5v9l7.5-4.5z",
  pause: "M5 3.5v9M11 3.5v9",
  step: "M4 3.5v9l6-4.5zM12.5 3.5v9",
  stop: "M4 4h8v8H4z",
  check: "M3 8.5l3.5 3.5L13 4.5",
  cross: "M4 4l8 8M12 4l-8 8",
  clock: "M8 4.5V8l2.5 1.5M8 1.75a6.25 6.25 0 1 0 .01 0",
  build: "M2.5 13.5h11M4 13V7l4-4 4 4v6M7 13v-3h2v3",
  warn: "M8 2.5l6 11H2zM8 6.5v3.5M8 11.800v.2",
  sun: "M8 5a3 3 0 1 0 .01 0M8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1",
  moon: "M13 9.5A5.5 5.5 0 0 1 6.5 3a5.5 5.5 0 1 0 6.5 6.5z",
  trash: "M3 4.5h10M6.5 4V2.5h3V4M4.5 4.5l.6 9h5.800l.6-9",
  download: "M8 2.5v7.5M4.800 7L8 10.200 11.200 7M3 13h10",
  open: "M9.5 2.5h4v4M13.5 2.5L8 8M11.5 9v4.5h-9v-9H7",
  again: "M13 8a5 5 0 1 1-1.5-3.600M13 2v3h-3",
};

/**
 * Makes a small line icon; it means nothing to a screen reader.
 * @param {keyof typeof PATHS} name
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", `icon icon-${name}`);
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

/** Says something to screen readers. */
export function announce(text) {
  setText(document.getElementById("announcer"), text);
}

/** Shows a message for a while. */
export function toast(text, kind = "info") {
  const box = h("div", { class: `toast toast-${kind}`, text });
  document.getElementById("toasts").append(box);
  setTimeout(() => box.remove(), 6000);
}
