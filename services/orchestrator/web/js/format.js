/** Numbers as people read them. */

/** A number with a few significant digits, without exponent where that reads well. */
export function number(value, digits = 3) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e6 || size < 1e-3)) return value.toExponential(2);
  return String(Number(value.toPrecision(size >= 1000 ? 6 : digits)));
}

/** Simulated time, in the unit that reads well. */
export function milliseconds(ms) {
  if (ms === null || ms === undefined) return "–";
  return ms >= 5000 ? `${number(ms / 1000, 4)} s` : `${number(ms, 4)} ms`;
}

/** Wall time. */
export function seconds(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  if (value < 60) return `${value < 10 ? value.toFixed(1) : Math.round(value)} s`;
  const whole = Math.round(value);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (n) => String(n).padStart(2, "0");
  return hours ? `${hours} h ${two(minutes)} min` : `${minutes} min ${two(rest)} s`;
}

/** How wall time compares with simulated time; `factor` is wall seconds per simulated second. */
export function speed(factor) {
  if (!factor || !Number.isFinite(factor)) return "–";
  return factor >= 1 ? `${number(factor, 2)}× slower` : `${number(1 / factor, 2)}× faster`;
}

/** Bytes in decimal units. */
export function bytes(count) {
  if (count === null || count === undefined) return "–";
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = count, unit = 0;
  while (value >= 1000 && unit < units.length - 1) { value /= 1000; unit += 1; }
  return `${value < 10 && unit ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** A point in time, in the reader's own zone. */
export function moment(iso) {
  if (!iso) return "–";
  const date = new Date(iso);
  const today = new Date().toDateString() === date.toDateString();
  const time = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  return today ? time : `${date.toLocaleDateString([], { day: "numeric", month: "short", year: "numeric" })}, ${time.slice(0, 5)}`;
}

/** "1 window", "2 windows". */
export function count(value, noun, plural = `${noun}s`) {
  return `${value} ${value === 1 ? noun : plural}`;
}
