/** The state of a run as colour, sign and word. */

import { h, icon } from "./dom.js";

const SIGNS = {
  queued: "clock", building: "build", running: "play", paused: "pause", stopping: "stop", finishing: "clock",
  finished: "check", failed: "cross", interrupted: "warn", refused: "warn",
};

/** @param {string} state */
export function badge(state) {
  const sign = SIGNS[state];
  return h("span", { class: `badge state-${sign ? state : "queued"}`, dataset: { state } }, sign && icon(sign), state);
}
