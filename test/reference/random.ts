/** A sequence of numbers that is the same everywhere, so that a failing test fails again. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** An integer from 0 to 2^24 - 1. */
  next(): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return this.#state >>> 8;
  }

  /** An integer from 0 to n - 1. */
  below(n: number): number {
    return this.next() % n;
  }

  /** Values from (-scale, scale), exact in float32. */
  values(count: number, scale = 1): Float32Array {
    return Float32Array.from({ length: count }, () => (this.next() / 8388608 - 1) * scale);
  }
}
