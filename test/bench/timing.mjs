// How a workload is timed, and how a result is printed: the same protocol for every system that is compared.
import { writeSync } from "node:fs";

/** Measured seconds a case. */
const seconds = Number(process.env["PEERS_SECONDS"] ?? 4);

/** What the core is, of {@link cores}. */
export const core = process.argv[3] ?? "simd";

/**
 * The cores that are compared, and what makes them of `loadFasterCore`: the portable one, with relaxed SIMD, and with
 * instructions joined by the engine.
 * @type {Record<string, import("unrolled/node").FasterCoreOptions>}
 */
export const cores = {
  simd: { relaxed: false },
  relaxed: { relaxed: true },
  revectorize: { relaxed: false, revectorize: true },
  "relaxed-revectorize": { relaxed: true, revectorize: true },
};

/** A linear congruential generator: the same inputs in every language. */
export class Lcg {
  #state = 12345;

  /** The upper 24 of 32 bits. */
  next() {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return this.#state >>> 8;
  }

  /** From -0.5 to 0.5. */
  unit() {
    return this.next() / 16777216 - 0.5;
  }
}

/**
 * Symbols of which three in four follow from the one before, so that a model that learns gets far below ln(symbols).
 * @param {number} length
 * @param {number} symbols
 */
export function text(length, symbols) {
  const random = new Lcg();
  let current = 1;
  return Int32Array.from({ length }, () => {
    const chance = random.next();
    current = chance % 4 === 0 ? random.next() % symbols : (current * 7 + 3) % symbols;
    return current;
  });
}

/**
 * @typedef {{ first: number, last: number, times: number[] }} Measured the first and the last result, milliseconds a
 * measured step
 */

/**
 * One step, then a quarter of the time to warm up, then steps until the time is over and there are at least 5 (or ten
 * times the time is over). Wherever it yields it is to be given the result of a step: a loss, or anything.
 * @returns {Generator<undefined, Measured, number>}
 */
function* measuring() {
  const first = yield;
  for (const end = performance.now() + seconds * 250; performance.now() < end; ) yield;
  /** @type {number[]} */
  const times = [];
  const begin = performance.now();
  for (;;) {
    const before = performance.now();
    const last = yield;
    const after = performance.now();
    times.push(after - before);
    const spent = after - begin;
    if (spent >= seconds * 1000 && (times.length >= 5 || spent >= seconds * 10_000)) return { first, last, times };
  }
}

/** @param {() => number} step */
function measure(step) {
  const steps = measuring();
  let state = steps.next();
  while (!state.done) state = steps.next(step());
  return state.value;
}

/** @param {readonly number[]} values */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}

/**
 * Mean milliseconds of 5 consecutive blocks of steps.
 * @param {readonly number[]} times
 */
function blocks(times) {
  const count = Math.min(5, times.length);
  const length = Math.floor(times.length / count);
  return Array.from({ length: count }, (_, block) => {
    const part = times.slice(block * length, (block + 1) * length);
    return part.reduce((a, b) => a + b, 0) / length;
  });
}

/**
 * Prints one result as a line of JSON.
 * @param {string} workload
 * @param {string} metric
 * @param {number | null} value
 * @param {"higher" | "lower"} better
 * @param {Record<string, unknown>} [more]
 */
export function report(workload, metric, value, better, more = {}) {
  const line = {
    schema: 1,
    system: `unrolled${process.env["PEERS_SYSTEM_SUFFIX"] ?? ""}`,
    variant: `wasm-${core}`,
    threads: 1,
    workload,
    metric,
    value,
    better,
    status: "ok",
    ...more,
    versions: { node: process.versions.node },
  };
  // Synchronous, so that nothing is lost when the process exits.
  writeSync(1, `${JSON.stringify(line)}\n`);
}

/**
 * Times training: units a second, the median of the blocks.
 * @param {string} workload
 * @param {string} metric
 * @param {number} units what a step trains on
 * @param {() => number} step returns the loss
 */
export function throughput(workload, metric, units, step) {
  reportThroughput(workload, metric, units, measure(step), 1);
}

/**
 * The same for steps that are waited for.
 * @param {string} workload
 * @param {string} metric
 * @param {number} threads
 * @param {number} units
 * @param {() => Promise<number>} step
 */
export async function throughputOfThreads(workload, metric, threads, units, step) {
  const steps = measuring();
  let state = steps.next();
  while (!state.done) state = steps.next(await step());
  reportThroughput(workload, metric, units, state.value, threads);
}

/**
 * @param {string} workload
 * @param {string} metric
 * @param {number} units
 * @param {Measured} measured
 * @param {number} threads
 */
function reportThroughput(workload, metric, units, { first, last, times }, threads) {
  const runs = blocks(times).map((milliseconds) => (units * 1000) / milliseconds);
  const more = { threads, runs, steps: times.length, loss_first: first, loss_last: last };
  report(workload, metric, median(runs), "higher", more);
}

/**
 * Times single calls: the median and the 99th percentile.
 * @param {string} workload
 * @param {string} metric whose `p50`, if there, has a `p99` beside it
 * @param {"us" | "ms"} unit
 * @param {() => number} step
 * @param {Record<string, unknown>} [more] of the lines
 */
export function latency(workload, metric, unit, step, more = {}) {
  const { times } = measure(step);
  const sorted = times.sort((a, b) => a - b);
  const quantile = (/** @type {number} */ q) =>
    (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? NaN) * (unit === "us" ? 1000 : 1);
  const [p50, p99] = [quantile(0.5), quantile(0.99)];
  report(workload, metric, p50, "lower", { p99, steps: times.length, ...more });
  const count = { steps: times.length, ...more };
  if (metric.includes("p50")) report(workload, metric.replace("p50", "p99"), p99, "lower", count);
}
