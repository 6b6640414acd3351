/**
 * Server-sent events over fetch: unlike EventSource it says why it failed, waits longer after every
 * failure, and can be told from which event to go on.
 */

import { send } from "./api.js";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15000;

/** Cuts a text stream into events. Pure; fed with chunks that may end anywhere. */
export class EventParser {
  constructor() {
    this.rest = "";
    this.event = { type: "message", data: [], id: null };
  }

  /**
   * @param {string} chunk
   * @returns {{type: string, data: string, id: string|null}[]} Events that are complete now.
   */
  feed(chunk) {
    const lines = (this.rest + chunk).split(/\r?\n/);
    this.rest = lines.pop();
    const done = [];
    for (const line of lines) {
      if (line === "") {
        const { type, data, id } = this.event;
        if (data.length) done.push({ type, data: data.join("\n"), id });
        this.event = { type: "message", data: [], id };
      } else if (!line.startsWith(":")) {
        this.field(line);
      }
    }
    return done;
  }

  field(line) {
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "data") this.event.data.push(value);
    else if (name === "event") this.event.type = value;
    else if (name === "id") this.event.id = value;
  }
}

/**
 * Listens until `signal` ends it or `isOver` says that nothing more will come.
 * @param {Object} options
 * @param {() => string} options.path Asked again at every connection.
 * @param {(type: string, data: any) => void} options.onEvent
 * @param {(state: "connecting"|"live"|"waiting"|"over", wait_s?: number) => void} options.onState
 * @param {() => boolean} options.isOver
 * @param {AbortSignal} options.signal
 */
export async function listen({ path, onEvent, onState, isOver, signal }) {
  let lastId = null;
  let wait_ms = FIRST_WAIT_MS;
  while (!signal.aborted) {
    onState("connecting");
    try {
      const headers = { Accept: "text/event-stream", ...(lastId === null ? {} : { "Last-Event-ID": lastId }) };
      const response = await send(path(), { signal, headers });
      onState("live");
      wait_ms = FIRST_WAIT_MS;
      lastId = await read(response.body, onEvent, lastId);
    } catch (error) {
      if (signal.aborted) return;
      lastId = error.lastId ?? lastId;
      if ([401, 404].includes(error.status)) return onState("over");
    }
    if (signal.aborted) return;
    if (isOver()) return onState("over");
    onState("waiting", wait_ms / 1000);
    await pause(wait_ms, signal);
    wait_ms = Math.min(LONGEST_WAIT_MS, wait_ms * 2);
  }
}

async function read(body, onEvent, lastId) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  const parser = new EventParser();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return lastId;
      for (const event of parser.feed(value)) {
        lastId = event.id ?? lastId;
        onEvent(event.type, JSON.parse(event.data));
      }
    }
  } catch (error) {
    throw Object.assign(error, { lastId });
  } finally {
    reader.cancel().catch(() => undefined);
  }
}

function pause(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
  });
}
