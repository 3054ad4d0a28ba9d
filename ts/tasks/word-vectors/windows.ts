/**
 * Batches of words and their neighbours, as word2vec reads a text (Mikolov et al. 2013): the neighbours of each word are
 * those at most d away, d drawn from 1 to `window`, so that near ones are seen more often; negatives are drawn by
 * frequency^0.75. A negative id is no word and ends a sentence: no window reaches over it.
 */

import { getCore } from "../../core/core.js";
import { pow } from "../../core/elementary.js";
import { BatchOrder } from "../../data/order.js";
import { ArgumentError, DataError } from "../../errors.js";
import { checkSize } from "../../nn/check.js";
import { seedWords } from "../../tensor/dropout.js";
import { Ids } from "../../tensor/ids.js";
import { runScope } from "../../tensor/scope.js";
import type { BatchSource } from "../../train/loop.js";
import type { BagOfWordsBatch } from "./cbow.js";
import type { SkipGramBatch } from "./skip-gram.js";

/** Options of {@link skipGramBatches} and {@link bagOfWordsBatches}. */
export interface WindowOptions {
  /** Words of a batch, each with its neighbours; words without any are left out. */
  readonly batchSize: number;
  /** Most words to each side; default 5. */
  readonly window?: number;
  /** Words drawn against each right one; default 5 for skip-gram, 0 (the full softmax) for CBOW. */
  readonly negatives?: number;
  /** How often each id occurs, for negatives; default: in this text. */
  readonly frequencies?: Float64Array;
  /** Default 0. */
  readonly seed?: number;
}

/** The stream of random numbers that windows are drawn from, and what for. */
const STREAM = 0x57494e44;
const PURPOSE = { reach: 0, negatives: 1, subsample: 2 };
const NEGATIVE_EXPONENT = 0.75;

/** Numbers of [0, 1), a function of all three: the same again whenever they are drawn. */
function uniforms(count: number, seed: number, purpose: number, round: number): Float32Array {
  const core = getCore();
  return runScope(core, () => {
    const pointer = core.arenaAlloc(count * 4);
    core.raw.ur_uniform(pointer, count, 0, 1, ...seedWords(seed), STREAM, round, purpose);
    return core.readF32(pointer, count);
  });
}

/** How often each id occurs, up to the largest. @internal */
export function frequencies(ids: Int32Array): Float64Array {
  const counts = new Float64Array(ids.reduce((most, id) => Math.max(most, id), -1) + 1);
  for (const id of ids) if (id >= 0) counts[id] = (counts[id] as number) + 1;
  return counts;
}

/** Draws words by frequency^0.75. */
class NoiseWords {
  /** Running sums by id. */
  readonly #sums: Float64Array;

  constructor(counts: Float64Array) {
    let total = 0;
    this.#sums = counts.map((count) => {
      total += count === 0 ? 0 : pow(count, NEGATIVE_EXPONENT);
      return total;
    });
  }

  /** (rows, drawn) of batch `index`. */
  draw(rows: number, drawn: number, seed: number, index: number): Ids {
    const draws = uniforms(rows * drawn, seed, PURPOSE.negatives, index);
    const words = new Int32Array(draws.length);
    for (let i = 0; i < words.length; i++) words[i] = this.#wordAt(draws[i] as number);
    return new Ids(words, [rows, drawn]);
  }

  /** The word whose part of the sums holds u, of [0, 1). */
  #wordAt(u: number): number {
    const sums = this.#sums;
    const wanted = u * (sums[sums.length - 1] as number);
    let [low, high] = [0, sums.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((sums[middle] as number) > wanted) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** Places of words with neighbours, in batches, in another order each epoch. */
class Windows {
  readonly length: number;
  readonly seed: number;
  readonly window: number;
  readonly #ids: Int32Array;
  readonly #places: Int32Array;
  readonly #order: BatchOrder;

  constructor(where: string, ids: Int32Array, { batchSize, window = 5, seed = 0 }: WindowOptions) {
    checkSize(where, "batchSize", batchSize);
    checkSize(where, "window", window);
    const isWord = (place: number): boolean => (ids[place] ?? -1) >= 0;
    this.#places = ids
      .map((_, place) => place)
      .filter((place) => isWord(place) && (isWord(place - 1) || isWord(place + 1)));
    if (this.#places.length === 0) {
      throw new DataError(`${where}: a text of ${ids.length} words, expected 2 or more beside each other`);
    }
    this.#order = new BatchOrder(where, this.#places.length, { batchSize, seed });
    this.length = this.#order.length;
    this.#ids = ids;
    this.window = window;
    this.seed = seed;
  }

  /**
   * The words of batch `index`.
   * @param visit - takes a word and its neighbours, `count` of them in an array that is used again
   * @returns how many words there are
   */
  visit(index: number, visit: (word: number, around: Int32Array, count: number, row: number) => void): number {
    const chosen = this.#order.batch(index);
    const draws = uniforms(chosen.length, this.seed, PURPOSE.reach, index);
    const around = new Int32Array(2 * this.window);
    const ids = this.#ids;
    for (let row = 0; row < chosen.length; row++) {
      const place = this.#places[chosen[row] as number] as number;
      const reach = 1 + Math.floor((draws[row] as number) * this.window);
      let [first, last] = [place, place];
      while (place - first < reach && first > 0 && (ids[first - 1] as number) >= 0) first--;
      while (last - place < reach && last < ids.length - 1 && (ids[last + 1] as number) >= 0) last++;
      let count = 0;
      for (let at = first; at <= last; at++) if (at !== place) around[count++] = ids[at] as number;
      visit(ids[place] as number, around, count, row);
    }
    return chosen.length;
  }
}

/**
 * Batches for `SkipGram`.
 * @param ids - the text
 * @throws DataError for a text without two words beside each other
 */
export function skipGramBatches(ids: Int32Array, options: WindowOptions): BatchSource<SkipGramBatch> {
  const { negatives = 5 } = options;
  checkSize("skipGramBatches", "negatives", negatives);
  const noise = new NoiseWords(options.frequencies ?? frequencies(ids));
  const windows = new Windows("skipGramBatches", ids, options);
  const most = options.batchSize * 2 * windows.window;
  return {
    length: windows.length,
    batch(index) {
      const [centers, contexts] = [new Int32Array(most), new Int32Array(most)];
      let count = 0;
      windows.visit(index, (word, around, neighbours) => {
        centers.fill(word, count, count + neighbours);
        contexts.set(around.subarray(0, neighbours), count);
        count += neighbours;
      });
      return {
        centers: new Ids(centers.slice(0, count)),
        contexts: new Ids(contexts.slice(0, count)),
        negatives: noise.draw(count, negatives, windows.seed, index),
        count,
      };
    },
  };
}

/**
 * Batches for `ContinuousBagOfWords`.
 * @param ids - the text
 * @throws DataError for a text without two words beside each other
 */
export function bagOfWordsBatches(ids: Int32Array, options: WindowOptions): BatchSource<BagOfWordsBatch> {
  const { negatives = 0 } = options;
  if (negatives !== 0) checkSize("bagOfWordsBatches", "negatives", negatives);
  const noise = new NoiseWords(options.frequencies ?? frequencies(ids));
  const windows = new Windows("bagOfWordsBatches", ids, options);
  const most = 2 * windows.window;
  return {
    length: windows.length,
    batch(index) {
      const contexts = new Int32Array(options.batchSize * most).fill(-1);
      const targets = new Int32Array(options.batchSize);
      const count = windows.visit(index, (word, around, neighbours, row) => {
        targets[row] = word;
        contexts.set(around.subarray(0, neighbours), row * most);
      });
      return {
        contexts: new Ids(contexts.slice(0, count * most), [count, most]),
        targets: new Ids(targets.slice(0, count)),
        ...(negatives > 0 && { negatives: noise.draw(count, negatives, windows.seed, index) }),
        count,
      };
    },
  };
}

/**
 * The text without a part of its frequent words, which say little of those around them: a word that is the share f of
 * all stays with the probability sqrt(t / f) + t / f, as in word2vec.c. Ends of sentences stay.
 * @param options.threshold - t; default 1e-3
 * @param options.seed - default 0
 */
export function subsample(
  ids: Int32Array,
  options: { readonly threshold?: number; readonly seed?: number } = {},
): Int32Array {
  const { threshold = 1e-3, seed = 0 } = options;
  if (!(threshold > 0)) throw new ArgumentError("subsample", "threshold", "a number above 0", threshold);
  const counts = frequencies(ids);
  const total = counts.reduce((sum, count) => sum + count, 0);
  const draws = uniforms(ids.length, seed, PURPOSE.subsample, 0);
  return ids.filter((id, place) => {
    if (id < 0) return true;
    const ratio = (threshold * total) / (counts[id] as number);
    return (draws[place] as number) < Math.sqrt(ratio) + ratio;
  });
}
