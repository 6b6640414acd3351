/** Curves cut down to what a screen can show, since drawing more is slow and only smears. */

/**
 * All samples of a curve that fall into one column of pixels.
 * @typedef {Object} Column
 * @property {number} x The mean of its samples, so that a lone one stays where it is.
 * @property {number} mean
 * @property {number} low
 * @property {number} high
 */

/**
 * Joins the points of a curve by columns of pixels.
 * @param {import("./series.js").Series} series
 * @param {number} from In ms.
 * @param {(t: number) => number} x From ms to CSS pixels.
 * @param {number} scale The screen's pixels per CSS pixel.
 * @returns {Column[]} From left to right.
 */
export function columnsOf(series, from, x, scale) {
  const columns = [];
  let column = null, place = NaN, count = 0;
  series.each(from, (t, mean, low, high) => {
    const at = x(t);
    const here = Math.floor(at * scale);
    if (here !== place) {
      place = here;
      count = 0;
      columns.push(column = { x: 0, mean: 0, low, high });
    }
    count += 1;
    column.x += (at - column.x) / count;
    column.mean += (mean - column.mean) / count;
    if (low < column.low) column.low = low;
    if (high > column.high) column.high = high;
  });
  return columns;
}
