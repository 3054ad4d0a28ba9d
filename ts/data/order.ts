/**
 * In which order examples are trained on. Every draw is a function of the seed, the epoch and its place alone, so an
 * epoch is the same wherever and whenever it is made, and a position is all it takes to resume.
 *
 * Shuffling is by Fisher and Yates (Durstenfeld 1964, "Algorithm 235: Random permutation"): for i from n - 1 down to 1,
 * places i and floor(u (i + 1)) change their contents, u uniform in [0, 1).
 */

import { getCore } from "../core/core.js";
import { ArgumentError, DataError } from "../errors.js";
import { seedWords } from "../tensor/dropout.js";
import { checkCount } from "./check.js";

/** The stream of random numbers that data are drawn from. */
const STREAM = 0x44415441;

/** What a draw is for: the draws of one seed for two purposes have nothing to do with each other. @internal */
export const PURPOSE = { examples: 0, batches: 1, weighted: 2, split: 3, shuffled: 4 } as const;

/** Uniform numbers in [0, 1), by place. */
function uniformDraws(seed: number, purpose: number, round: number): (index: number) => number {
  const words = seedWords(seed);
  const { raw } = getCore();
  return (index) => raw.ur_random_f64(...words, STREAM, round, purpose, index);
}

/** The numbers 0 to count - 1 in a random order. @internal */
export function permutation(count: number, seed: number, purpose: number, round: number): Int32Array {
  const draw = uniformDraws(seed, purpose, round);
  const order = inOrder(count);
  for (let last = count - 1; last > 0; last--) {
    const other = Math.floor(draw(last) * (last + 1));
    const moved = order[last] as number;
    order[last] = order[other] as number;
    order[other] = moved;
  }
  return order;
}

function inOrder(count: number): Int32Array {
  return Int32Array.from({ length: count }, (_, index) => index);
}

/**
 * The items in a random order, a new array.
 * @param seed - a safe integer; the same seed gives the same order
 */
export function shuffled<T>(items: readonly T[], seed: number): T[] {
  return Array.from(permutation(items.length, seed, PURPOSE.shuffled, 0), (index) => items[index] as T);
}

/** How batches are made of examples. */
export interface BatchOrderOptions {
  /** Examples of a batch. */
  readonly batchSize: number;
  /** Shuffles anew in every epoch, by this seed; default: the order that is given. */
  readonly seed?: number | undefined;
  /** Leaves out the last batch of an epoch where it is smaller than the others; default false. */
  readonly dropLast?: boolean | undefined;
  /**
   * Draws every example of an epoch by these weights, with replacement, instead of going through all of them; needs
   * `seed`. See `balancedWeights`. Default: every example once.
   */
  readonly weights?: ArrayLike<number> | undefined;
}

/** How the batches of sequences of many lengths are ordered. */
export interface BucketOptions extends BatchOrderOptions {
  /**
   * Batches of similar length: the examples of so many batches are sorted by length before they are cut into batches,
   * whose order is then shuffled. 1: as they come; Infinity: all of them sorted. Default 1.
   */
  readonly bucketBatches?: number | undefined;
}

/** Which examples make up each batch of an endless sequence of epochs. @internal */
export class BatchOrder {
  /** Batches of an epoch. */
  readonly length: number;
  readonly #count: number;
  readonly #options: BucketOptions;
  readonly #lengths: ArrayLike<number> | undefined;
  readonly #cumulative: Float64Array | undefined;
  #epoch = -1;
  #examples: Int32Array = new Int32Array(0);
  #batches: Int32Array = new Int32Array(0);

  /** @param lengths - of each example, where there are any: to make buckets of */
  constructor(where: string, count: number, options: BucketOptions, lengths?: ArrayLike<number>) {
    const { batchSize, seed, weights, dropLast = false, bucketBatches = 1 } = options;
    checkCount(where, "batchSize", batchSize);
    if (bucketBatches !== Infinity) checkCount(where, "bucketBatches", bucketBatches);
    if (seed !== undefined) seedWords(seed);
    if (weights !== undefined) {
      if (seed === undefined) throw new ArgumentError(where, "seed", "given together with weights", undefined);
      this.#cumulative = cumulativeWeights(where, weights, count);
    }
    this.length = dropLast ? Math.floor(count / batchSize) : Math.ceil(count / batchSize);
    if (this.length === 0) {
      const needed = dropLast ? `${batchSize} for a whole batch` : "at least 1";
      throw new DataError(`${where}: ${count} examples, expected ${needed}`);
    }
    this.#count = count;
    this.#options = options;
    this.#lengths = lengths;
  }

  /** The examples of batch `index`; `floor(index / length)` is the epoch. */
  batch(index: number): Int32Array {
    const epoch = Math.floor(index / this.length);
    if (epoch !== this.#epoch) this.#arrange(epoch);
    const { batchSize } = this.#options;
    const from = (this.#batches[index % this.length] as number) * batchSize;
    return this.#examples.subarray(from, Math.min(from + batchSize, this.#count));
  }

  #arrange(epoch: number): void {
    const { batchSize, seed, bucketBatches = 1 } = this.#options;
    this.#examples = this.#drawExamples(epoch);
    // Bucketing ends at the last whole batch when the rest is dropped, so that no example is dropped for its length.
    const end = Math.min(this.#count, this.length * batchSize);
    if (bucketBatches > 1 && this.#lengths !== undefined) {
      const lengths = this.#lengths;
      for (let from = 0; from < end; from += bucketBatches * batchSize) {
        const pool = Array.from(this.#examples.subarray(from, Math.min(from + bucketBatches * batchSize, end)));
        pool.sort((a, b) => (lengths[a] as number) - (lengths[b] as number));
        this.#examples.set(pool, from);
      }
      this.#batches =
        seed === undefined ? inOrder(this.length) : permutation(this.length, seed, PURPOSE.batches, epoch);
    } else {
      this.#batches = inOrder(this.length);
    }
    this.#epoch = epoch;
  }

  #drawExamples(epoch: number): Int32Array {
    const { seed } = this.#options;
    if (seed === undefined) return inOrder(this.#count);
    const cumulative = this.#cumulative;
    if (cumulative === undefined) return permutation(this.#count, seed, PURPOSE.examples, epoch);
    const draw = uniformDraws(seed, PURPOSE.weighted, epoch);
    const total = cumulative[cumulative.length - 1] as number;
    return Int32Array.from({ length: this.#count }, (_, place) => firstAbove(cumulative, draw(place) * total));
  }
}

/** Sums of the weights so far. */
function cumulativeWeights(where: string, weights: ArrayLike<number>, count: number): Float64Array {
  if (weights.length !== count) {
    throw new ArgumentError(where, "weights", `${count} numbers, one an example`, weights.length);
  }
  const sums = new Float64Array(count);
  let sum = 0;
  for (let index = 0; index < count; index++) {
    const weight = weights[index] as number;
    if (!(weight >= 0 && weight < Infinity)) {
      throw new ArgumentError(where, `weights[${index}]`, "a finite number, at least 0", weight);
    }
    sum += weight;
    sums[index] = sum;
  }
  if (!(sum > 0 && sum < Infinity)) throw new ArgumentError(where, "the sum of weights", "above 0 and finite", sum);
  return sums;
}

/** The first index whose sum exceeds the target; no example of weight 0 is ever it. */
function firstAbove(sums: Float64Array, target: number): number {
  let [low, high] = [0, sums.length - 1];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sums[middle] as number) > target) high = middle;
    else low = middle + 1;
  }
  return low;
}
