/**
 * Batches of words and their neighbours, as word2vec reads a text (Mikolov et al. 2013): the neighbours of each word are
 * those at most d away, d drawn from 1 to `window`, so that near ones are seen more often; negatives are drawn by
 * frequency^0.75.
 */

import { getCore } from "../../core/core.js";
import { pow } from "../../core/elementary.js";
import { shuffled } from "../../data/order.js";
import { ArgumentError, DataError } from "../../errors.js";
import { checkSize } from "../../nn/check.js";
import { seedWords } from "../../tensor/dropout.js";
import { Ids } from "../../tensor/ids.js";
import type { BatchSource } from "../../train/loop.js";
import type { BagOfWordsBatch } from "./cbow.js";
import type { SkipGramBatch } from "./skip-gram.js";

/** Options of {@link skipGramBatches} and {@link bagOfWordsBatches}. */
export interface WindowOptions {
  /** Words of a batch, each with its neighbours. */
  readonly batchSize: number;
  /** Most words to each side; default 5. */
  readonly window?: number;
  /** Default 0. */
  readonly seed?: number;
}

/** The stream of random numbers that windows are drawn from. */
const STREAM = 0x57494e44;
const NEGATIVE_EXPONENT = 0.75;

/** Draws of a batch, by its number: the same again whenever it is made. */
function drawsOf(seed: number, batch: number): () => number {
  const words = seedWords(seed);
  const { raw } = getCore();
  let index = 0;
  return () => raw.ur_random_f64(...words, STREAM, batch, 0, index++);
}

/** Places of words with neighbours, in batches, in another order each epoch. */
function windows<B>(
  where: string,
  ids: Int32Array,
  { batchSize, window = 5, seed = 0 }: WindowOptions,
  make: (found: readonly { word: number; around: readonly number[] }[], draw: () => number) => B,
): BatchSource<B> {
  checkSize(where, "batchSize", batchSize);
  checkSize(where, "window", window);
  if (ids.length < 2) throw new DataError(`${where}: a text of ${ids.length} words, expected 2 or more`);
  const length = Math.ceil(ids.length / batchSize);
  let epoch = -1;
  let order: readonly number[] = [];
  const places = Array.from(ids, (_, place) => place);
  return {
    length,
    batch(index) {
      if (Math.floor(index / length) !== epoch) {
        epoch = Math.floor(index / length);
        order = shuffled(places, seed + epoch);
      }
      const draw = drawsOf(seed, index);
      const from = (index % length) * batchSize;
      const found = order.slice(from, from + batchSize).map((place) => {
        const reach = 1 + Math.floor(draw() * window);
        const before = ids.subarray(Math.max(0, place - reach), place);
        const after = ids.subarray(place + 1, place + 1 + reach);
        return { word: ids[place] as number, around: [...before, ...after] };
      });
      return make(found, draw);
    },
  };
}

/**
 * Batches for `SkipGram`.
 * @param ids - the text
 * @param options.negatives - words drawn for each pair; default 5
 * @throws DataError for a text of fewer than two words
 */
export function skipGramBatches(
  ids: Int32Array,
  options: WindowOptions & { readonly negatives?: number },
): BatchSource<SkipGramBatch> {
  const { negatives = 5 } = options;
  checkSize("skipGramBatches", "negatives", negatives);
  const sums = sumsOf(ids);
  return windows("skipGramBatches", ids, options, (found, draw) => {
    const contexts = Int32Array.from(found.flatMap(({ around }) => around));
    const centers = Int32Array.from(found.flatMap(({ word, around }) => around.map(() => word)));
    const drawn = Int32Array.from({ length: contexts.length * negatives }, () => wordAt(sums, draw()));
    return {
      centers: new Ids(centers),
      contexts: new Ids(contexts),
      negatives: new Ids(drawn, [contexts.length, negatives]),
      count: contexts.length,
    };
  });
}

/**
 * Batches for `ContinuousBagOfWords`.
 * @param ids - the text
 * @throws DataError for a text of fewer than two words
 */
export function bagOfWordsBatches(ids: Int32Array, options: WindowOptions): BatchSource<BagOfWordsBatch> {
  const most = 2 * (options.window ?? 5);
  return windows("bagOfWordsBatches", ids, options, (found) => {
    const contexts = new Int32Array(found.length * most).fill(-1);
    found.forEach(({ around }, row) => contexts.set(around, row * most));
    return {
      contexts: new Ids(contexts, [found.length, most]),
      targets: new Ids(Int32Array.from(found, ({ word }) => word)),
      count: found.length,
    };
  });
}

/** Running sums of frequency^0.75 by id. */
function sumsOf(ids: Int32Array): Float64Array {
  const broken = ids.findIndex((id) => id < 0);
  if (broken >= 0) throw new ArgumentError("skipGramBatches", `ids[${broken}]`, "0 or more", ids[broken]);
  const counts = new Float64Array(ids.reduce((most, id) => Math.max(most, id), -1) + 1);
  for (const id of ids) counts[id] = (counts[id] as number) + 1;
  let total = 0;
  return counts.map((count) => {
    total += pow(count, NEGATIVE_EXPONENT);
    return total;
  });
}

/** The word whose part of the sums holds u, of [0, 1). */
function wordAt(sums: Float64Array, u: number): number {
  const wanted = u * (sums[sums.length - 1] as number);
  let [low, high] = [0, sums.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sums[middle] as number) > wanted) high = middle;
    else low = middle + 1;
  }
  return low;
}
