/** Curves of unbounded length in bounded memory. */

export const OVERVIEW_POINTS = 2048;
export const RECENT_POINTS = 4096;

/**
 * A whole curve. When it is full, neighbouring points are merged and every later point stands for
 * twice as many samples; the least and the greatest of them are kept beside their mean.
 */
export class Overview {
  constructor(capacity = OVERVIEW_POINTS) {
    this.capacity = capacity;
    this.length = 0;
    this.stride = 1;
    [this.t, this.mean, this.low, this.high] = [0, 1, 2, 3].map(() => new Float64Array(capacity));
    this.open = 0;
  }

  push(t, value) {
    if (this.open === 0) {
      if (this.length === this.capacity) this.halve();
      this.t[this.length] = this.mean[this.length] = 0;
      this.low[this.length] = Infinity;
      this.high[this.length] = -Infinity;
      this.length += 1;
    }
    const at = this.length - 1;
    this.open += 1;
    this.t[at] += (t - this.t[at]) / this.open;
    this.mean[at] += (value - this.mean[at]) / this.open;
    if (value < this.low[at]) this.low[at] = value;
    if (value > this.high[at]) this.high[at] = value;
    if (this.open === this.stride) this.open = 0;
  }

  halve() {
    const half = this.capacity / 2;
    for (let i = 0; i < half; i += 1) {
      const [a, b] = [2 * i, 2 * i + 1];
      this.t[i] = (this.t[a] + this.t[b]) / 2;
      this.mean[i] = (this.mean[a] + this.mean[b]) / 2;
      this.low[i] = Math.min(this.low[a], this.low[b]);
      this.high[i] = Math.max(this.high[a], this.high[b]);
    }
    this.length = half;
    this.stride *= 2;
  }
}

/** The last samples of a curve, unmerged. */
export class Recent {
  constructor(capacity = RECENT_POINTS) {
    this.capacity = capacity;
    this.length = 0;
    this.next = 0;
    this.t = new Float64Array(capacity);
    this.value = new Float64Array(capacity);
  }

  push(t, value) {
    this.t[this.next] = t;
    this.value[this.next] = value;
    this.next = (this.next + 1) % this.capacity;
    this.length = Math.min(this.length + 1, this.capacity);
  }

  /** Position in the ring of the i-th oldest sample. */
  at(i) {
    return (this.next - this.length + i + this.capacity) % this.capacity;
  }
}

/** A curve with both views of it; samples must come in order, repeated ones are left out. */
export class Series {
  constructor() {
    this.reset();
  }

  /** Forgets all samples. */
  reset() {
    this.overview = new Overview();
    this.recent = new Recent();
    this.lastT = -Infinity;
    this.last = NaN;
  }

  push(t, value) {
    if (!(t > this.lastT) || !Number.isFinite(value)) return;
    this.overview.push(t, value);
    this.recent.push(t, value);
    this.lastT = t;
    this.last = value;
  }

  /** Adds a list of [t, value]. */
  extend(points) {
    for (const [t, value] of points) this.push(t, value);
  }

  /** Number of points that are kept. */
  get kept() {
    return this.overview.length + this.recent.length;
  }

  /**
   * Calls `visit(t, mean, low, high)` for what is known from `from` on, at the finest grain.
   * @param {number} from
   */
  each(from, visit) {
    const { recent, overview } = this;
    if (recent.length && recent.t[recent.at(0)] <= from) {
      for (let i = 0; i < recent.length; i += 1) {
        const at = recent.at(i);
        if (recent.t[at] >= from) visit(recent.t[at], recent.value[at], recent.value[at], recent.value[at]);
      }
      return;
    }
    for (let i = 0; i < overview.length; i += 1) {
      if (overview.t[i] >= from) visit(overview.t[i], overview.mean[i], overview.low[i], overview.high[i]);
    }
  }
}

/** Points of the last stretch of time, at most so many. */
export class Cloud {
  constructor(span_ms = 1000, capacity = 30000) {
    this.span_ms = span_ms;
    this.capacity = capacity;
    this.topNeuron = 0;
    this.t = new Float64Array(capacity);
    this.neuron = new Uint32Array(capacity);
    this.reset();
  }

  /** Forgets all points. */
  reset() {
    this.length = 0;
    this.next = 0;
    this.lastT = -Infinity;
  }

  /** Adds a list of [t_ms, neuron]; those no later than the last list's end are known already. */
  extend(points) {
    const known = this.lastT;
    for (const [t, neuron] of points) {
      if (t <= known) continue;
      this.t[this.next] = t;
      this.neuron[this.next] = neuron;
      this.next = (this.next + 1) % this.capacity;
      this.length = Math.min(this.length + 1, this.capacity);
      if (t > this.lastT) this.lastT = t;
      if (neuron > this.topNeuron) this.topNeuron = neuron;
    }
  }

  /** Calls `visit(t, neuron)` for the points from `from` on. */
  each(from, visit) {
    for (let i = 0; i < this.length; i += 1) {
      if (this.t[i] >= from) visit(this.t[i], this.neuron[i]);
    }
  }
}
