/** Brings the answers about series into the form in which views use them. */

/**
 * @param {{kind: string}} answer Of `/series`: points by region and population under the name of
 *   their kind; for `tvb` with the name and the unit of the variable.
 * @returns {{variable: string, unit: string, curves: Object}}
 */
export function seriesOf(answer) {
  const content = answer?.[answer.kind] ?? {};
  if (answer?.kind !== "tvb") return { variable: "", unit: "", curves: content };
  return { variable: content.variable ?? "", unit: content.unit ?? "", curves: content.regions ?? {} };
}

/**
 * Lists the values of a tree by key path; a list of plain values is one value.
 * @returns {Map<string, string>}
 */
export function leaves(tree, path = "") {
  const isPlain = (value) => value === null || typeof value !== "object";
  if (isPlain(tree)) return new Map([[path, String(tree)]]);
  if (Array.isArray(tree) && tree.every(isPlain)) return new Map([[path, tree.join(", ")]]);
  return new Map(Object.entries(tree).flatMap(([key, value]) => [...leaves(value, path ? `${path}.${key}` : key)]));
}

/**
 * Compares two experiments.
 * @returns {{path: string, a: string|null, b: string|null}[]} What differs; null: not there.
 */
export function differences(a, b) {
  const [left, right] = [leaves(a), leaves(b)];
  return [...new Set([...left.keys(), ...right.keys()])]
    .map((path) => ({ path, a: left.get(path) ?? null, b: right.get(path) ?? null }))
    .filter((row) => row.a !== row.b);
}

/**
 * Sums up a run's timing, which has mean seconds per window of groups of windows.
 * @param {{phases: string[], participants: Object<string, Object<string, number[]>>}} timing
 * @returns {import("./bars.js").Share[]}
 */
export function sharesOfTiming({ phases, participants }) {
  return Object.entries(participants).filter(([, item]) => item.windows?.length).map(([name, item]) => {
    const total = (phase) => item[phase].reduce((sum, value, group) => sum + item.counts[group] * value, 0);
    const { wait = 0, ...parts } = Object.fromEntries(phases.map((phase) => [phase, total(phase)]));
    return { name, parts: { ...named(name, "advance", parts), wait }, note: "" };
  });
}

/** Shares from a progress event. */
export function sharesOf(peers) {
  return peers.map(({ name, state, windows, compute_s, wait_s, waiting_for }) => ({
    name,
    parts: { ...named(name, "compute", { compute: compute_s ?? 0 }), wait: wait_s ?? 0 },
    note: waiting_for ? `${state}, waits for ${waiting_for}` : `${state}, window ${windows ?? 0}`,
  }));
}

/** What simulators compute, the translator translates: the same phase by its own name. */
function named(participant, phase, { [phase]: spent, ...others }) {
  return { ...others, [participant.startsWith("translator") ? "translate" : phase]: spent };
}
