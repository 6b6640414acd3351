/** The REST interface. Every answer is checked here, so that views get plain, known shapes. */

const BASE = "api/v1";
const RETRY_MS = 300;

/**
 * @typedef {Object} Fault
 * @property {string} path Key path in the experiment.
 * @property {string} message
 * @property {string} [detail]
 * @property {number|null} [line] Line of the YAML, counted from 1.
 *
 * @typedef {Object} Run
 * @property {string} id
 * @property {string|null} label
 * @property {string} name
 * @property {string} state
 * @property {string|null} cause
 * @property {string} created
 * @property {string|null} started
 * @property {string|null} ended
 * @property {number} windows
 * @property {number|null} windows_total
 * @property {number} duration_ms
 * @property {number|null} wall_s
 * @property {string|null} digest
 * @property {Fault[]} faults
 *
 * @typedef {Object} Body
 * @property {string} yaml
 * @property {string[]} overrides
 * @property {string} [label]
 */

/** States after which a run changes no more. */
export const FINAL = new Set(["finished", "failed", "interrupted", "refused"]);

/** What the server refused, or why it was not reached (status 0). */
export class ApiError extends Error {
  constructor(status, message, faults = []) {
    super(message);
    this.status = status;
    this.faults = faults;
  }
}

let refused = () => {};

/** Sets what happens when the server does not know us. */
export function onRefused(callback) {
  refused = callback;
}

/** Address of a path below the interface's prefix. */
export function address(path) {
  return `${BASE}${path}`;
}

/**
 * Sends a request and returns the response, or raises what the server says.
 * @param {string} path Below the prefix.
 * @param {{method?: string, body?: any, signal?: AbortSignal, headers?: Object}} [options]
 */
export async function send(path, { method = "GET", body, signal, headers = {} } = {}) {
  const own = method === "GET" ? {} : { "X-Cosim": "1" };
  if (body !== undefined) own["Content-Type"] = "application/json";
  const response = await reach(address(path), {
    method, signal, credentials: "same-origin", cache: "no-store",
    headers: { ...own, ...headers }, body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (!response.ok) throw await failure(response);
  return response;
}

/** Fetches; what only reads is tried twice, as browsers drop requests when a network comes or goes. */
async function reach(url, options, triesLeft = options.method === "GET" ? 1 : 0) {
  try {
    return await fetch(url, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    if (!triesLeft) throw new ApiError(0, "The server cannot be reached.");
  }
  await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  return reach(url, options, triesLeft - 1);
}

async function failure(response) {
  let told = {};
  try {
    told = await response.json();
  } catch {
    told = { detail: response.statusText };
  }
  if (response.status === 401) refused();
  const detail = typeof told.detail === "string" ? told.detail : told.detail?.message ?? told.message;
  const faults = told.faults ?? told.detail?.faults ?? [];
  return new ApiError(response.status, detail || `The server answered ${response.status}.`, faults);
}

const json = async (path, options) => (await send(path, options)).json();
const text = async (path, options) => (await send(path, options)).text();
const query = (values) => {
  const kept = Object.entries(values).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return kept.length ? `?${new URLSearchParams(kept)}` : "";
};
const items = (answer) => (Array.isArray(answer) ? answer : answer.items ?? []);
const of = (id) => `/runs/${encodeURIComponent(id)}`;

/** @returns {Promise<{total: number, items: Run[]}>} */
export const listRuns = (filter, signal) => json(`/runs${query(filter)}`, { signal });
/** @returns {Promise<Run>} */
export const showRun = (id, signal) => json(of(id), { signal });
/** @returns {Promise<Run>} */
export const createRun = (body) => json("/runs", { method: "POST", body });
export const deleteRun = (id) => send(of(id), { method: "DELETE" });

/** Asks a run to `pause`, `resume`, `stop` or `abort`, or to `step` some windows. */
export const command = (id, what, body) => send(`${of(id)}/${what}`, { method: "POST", body });

/**
 * @returns {Promise<{valid: boolean, faults: Fault[], warnings: string[], plan: Object|null,
 *   experiment: Object|null}>} `experiment`: with every default written out, if it can be read.
 */
export const validate = (body, signal) =>
  json("/validate", { method: "POST", body: { ...body, build: false }, signal });

/** @returns {Promise<{name: string, description: string}[]>} */
export async function listExperiments(signal) {
  const listed = items(await json("/experiments", { signal }));
  return listed.map((item) => (typeof item === "string" ? { name: item, description: "" } : item));
}

export const experimentYaml = (name, signal) => text(`/experiments/${encodeURIComponent(name)}`, { signal });
/** The experiment of a run with every default written out, as a tree. */
export const runExperiment = (id, signal) =>
  json(`${of(id)}/experiment`, { signal, headers: { Accept: "application/json" } });
export const ensemble = (signal) => json("/ensemble", { signal });
export const connectome = (id, signal) => json(`${of(id)}/connectome`, { signal });
export const timing = (id, signal) => json(`${of(id)}/timing`, { signal });
export const series = (id, filter, signal) => json(`${of(id)}/series${query(filter)}`, { signal });
export const raster = (id, filter, signal) => json(`${of(id)}/raster${query(filter)}`, { signal });

/** @returns {Promise<{name: string, bytes: number|null, href: string}[]>} */
export async function listFiles(id, signal) {
  const listed = items(await json(`${of(id)}/files`, { signal }));
  return listed.map((file) => {
    const name = typeof file === "string" ? file : file.name;
    return { name, bytes: file.bytes ?? file.size ?? null, href: fileAddress(id, "files", name) };
  });
}

/** @returns {Promise<{name: string, title: string, href: string}[]>} */
export async function listFigures(id, signal) {
  const listed = items(await json(`${of(id)}/figures`, { signal }));
  return listed.map((figure) => {
    const name = typeof figure === "string" ? figure : figure.name;
    return { name, title: figure.title ?? titleOf(name), href: fileAddress(id, "figures", name) };
  });
}

/** Address of a downloadable file; slashes in names stay slashes. */
export function fileAddress(id, kind, name) {
  return address(`${of(id)}/${kind}/${name.split("/").map(encodeURIComponent).join("/")}`);
}

export const reportAddress = (id) => address(`${of(id)}/report.html`);
export const archiveAddress = (id) => address(`${of(id)}/archive.zip`);

function titleOf(name) {
  const plain = name.replace(/\.[a-z]+$/, "").replace(/^[0-9]+[-_]/, "").replace(/[-_]/g, " ");
  return plain.charAt(0).toUpperCase() + plain.slice(1);
}
