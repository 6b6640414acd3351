/** What the planner says: the plan in a line of numbers, or every fault with its place. */

import { fill, h, icon } from "../dom.js";
import { bytes, count, milliseconds } from "../format.js";

/**
 * @param {HTMLElement} box
 * @param {{valid: boolean, faults: Object[], warnings: string[], plan: Object|null, problem?: string}} verdict
 * @param {(fault: Object) => {where: string, go: () => void}|null} place Where a fault stands.
 */
export function showVerdict(box, { valid, faults, warnings, plan, problem }, place) {
  box.dataset.state = valid ? "valid" : "invalid";
  const title = valid ? "Ready to start" : faults.length ? `Cannot run: ${count(faults.length, "fault")}` : "Not checked";
  fill(box,
    h("p", { class: "verdict-title" }, icon(valid ? "check" : "warn"), title),
    plan && planSummary(plan),
    !faults.length && problem && h("p", { text: problem }),
    faults.length > 0 && h("ul", { class: "faults" }, faults.map((fault) => faultItem(fault, place(fault)))),
    warnings.length > 0 && h("details", { class: "warnings" },
      h("summary", { text: count(warnings.length, "warning") }),
      h("ul", {}, warnings.map((warning) => h("li", { text: warning })))));
}

function faultItem({ path, message, detail }, place) {
  const where = place
    ? h("button", { type: "button", class: "link mono", onclick: place.go, text: path ? `${path} (${place.where})` : place.where })
    : path && h("code", { text: path });
  return h("li", {}, where, " ", message, detail && h("pre", { class: "detail", text: detail }));
}

function planSummary(plan) {
  const limit = plan.limit_ms === null || plan.limit_ms === undefined ? "none" : milliseconds(plan.limit_ms);
  const facts = [
    ["Simulated", milliseconds(plan.duration_ms)],
    ["Window", `${milliseconds(plan.window_ms)} × ${plan.window_count}`],
    ["Exact limit", limit, plan.limit_edge],
    ["Lookahead", count(plan.lookahead, "window")],
    ["Processes", Object.entries(plan.participants).map(([role, n]) => `${n} ${role}`).join(", ")],
    ["Memory", bytes(plan.memory_bytes)],
    ["Disk", bytes(plan.disk_bytes)],
  ];
  return h("dl", { class: "facts" }, facts.map(([name, value, title]) =>
    h("div", { title: title ?? null }, h("dt", { text: name }), h("dd", { text: value }))));
}
