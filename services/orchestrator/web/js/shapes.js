/** Brings the answers about series into the form in which views use them. */

/**
 * @param {{kind: string}} answer Of `/series`: points by region and population under the name of
 *   their kind; for `tvb` with the name of the variable.
 * @returns {{variable: string, curves: Object}}
 */
export function seriesOf(answer) {
  const content = answer?.[answer.kind] ?? {};
  if (answer?.kind !== "tvb") return { variable: "", curves: content };
  return { variable: content.variable ?? "", curves: content.regions ?? {} };
}

/**
 * Sums up a run's timing, which has mean seconds per window of groups of windows.
 * @param {{phases: string[], participants: Object<string, Object<string, number[]>>}} timing
 * @returns {import("./bars.js").Share[]}
 */
export function sharesOfTiming({ phases, participants }) {
  return Object.entries(participants).filter(([, item]) => item.windows?.length).map(([name, item]) => {
    const perGroup = item.windows.length > 1 ? item.windows[1] - item.windows[0] : 1;
    const parts = Object.fromEntries(phases.map((phase) => [phase, perGroup * item[phase].reduce((sum, value) => sum + value, 0)]));
    const { wait = 0, ...busy } = parts;
    return { name, parts: { ...busy, wait }, note: "" };
  });
}

/** Shares from a progress event. */
export function sharesOf(peers) {
  return peers.map(({ name, state, windows, compute_s, wait_s, waiting_for }) => ({
    name,
    parts: { compute: compute_s ?? 0, wait: wait_s ?? 0 },
    note: waiting_for ? `${state}, waits for ${waiting_for}` : `${state}, window ${windows ?? 0}`,
  }));
}
