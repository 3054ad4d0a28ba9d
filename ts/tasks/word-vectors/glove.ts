/**
 * GloVe: products of word vectors are the logarithms of how often words occur near each other. Pennington, Socher &
 * Manning 2014, "GloVe: global vectors for word representation".
 *
 *     loss = mean over pairs of f(X_ij) (w_i . w~_j + b_i + b~_j - ln X_ij)^2      f(X) = min(1, X / 100)^0.75
 */
import { log, pow } from "../../core/elementary.js";
import { BatchOrder } from "../../data/order.js";
import { ArgumentError, ShapeError } from "../../errors.js";
import { checkSize } from "../../nn/check.js";
import { normal } from "../../nn/initializers.js";
import { add, mul, sub } from "../../tensor/binary.js";
import { embedding } from "../../tensor/embedding.js";
import { Ids } from "../../tensor/ids.js";
import { type Initializer, Parameter } from "../../tensor/parameter.js";
import { mean, sum } from "../../tensor/reduce.js";
import { reshape } from "../../tensor/shape.js";
import { type Tensor, tensor } from "../../tensor/tensor.js";
import { square } from "../../tensor/unary.js";
import { WordVectors } from "../../text/word-vectors.js";
import type { BatchSource } from "../../train/loop.js";
import { frequencies } from "./windows.js";
import { WordVectorModel } from "./word-vector-model.js";

/** Pairs of words and how often they occur near each other. */
export interface CoOccurrences {
  /** i, (N) */
  readonly words: Ids;
  /** j, (N) */
  readonly contexts: Ids;
  /** X, (N), each above 0. */
  readonly counts: Float32Array;
  /** Pairs. */
  readonly count: number;
}

/** Counts from which all pairs weigh the same, and how fast the weight falls below. */
const [FULL_COUNT, EXPONENT] = [100, 0.75];

/** Two vectors and two biases a word; the sum of the vectors, w and w~, is used afterwards. */
export class GloVe extends WordVectorModel {
  /** w~, (V, D) */
  readonly contextVectors: Parameter;
  /** b, (V) */
  readonly bias: Parameter;
  /** b~, (V) */
  readonly contextBias: Parameter;

  /**
   * @param vocabSize - words, V
   * @param size - length of a vector, D
   * @throws ArgumentError unless both are whole numbers from 1
   */
  constructor(vocabSize: number, size: number) {
    const draw = (width: number): Initializer => normal(0, 0.5 / Math.sqrt(width));
    super(vocabSize, size, draw);
    this.contextVectors = new Parameter([vocabSize, size], draw(size));
    this.bias = new Parameter([vocabSize], draw(size));
    this.contextBias = new Parameter([vocabSize], draw(size));
  }

  /** Mean loss of the pairs. @throws ShapeError, ArgumentError (an id that is no word, a count) */
  loss({ words, contexts, counts }: CoOccurrences): Tensor {
    const pairs = words.size;
    if (contexts.size !== pairs || counts.length !== pairs) {
      throw new ShapeError("GloVe", "contexts and counts", [pairs], [contexts.size, counts.length]);
    }
    const broken = counts.findIndex((count) => !(count > 0 && count < Infinity));
    if (broken >= 0) throw new ArgumentError("GloVe", `counts[${broken}]`, "a finite number above 0", counts[broken]);
    const { core } = this;
    const biasOf = (bias: Parameter, ids: Ids): Tensor =>
      reshape(embedding(reshape(bias, [bias.size, 1]), ids), [pairs]);
    const products = sum(mul(embedding(this.vectors, words), embedding(this.contextVectors, contexts)), -1);
    const predicted = add(
      add(reshape(products, [pairs]), biasOf(this.bias, words)),
      biasOf(this.contextBias, contexts),
    );
    const logarithms = tensor(counts.map(log), [pairs], core);
    const weights = tensor(
      counts.map((count) => pow(Math.min(1, count / FULL_COUNT), EXPONENT)),
      [pairs],
      core,
    );
    return mean(mul(weights, square(sub(predicted, logarithms))));
  }

  /** w + w~ of every word, as the paper uses them. */
  override wordVectors(words: readonly string[]): WordVectors {
    const context = this.contextVectors.toArray();
    const both = this.vectors.toArray().map((value, i) => value + (context[i] as number));
    return new WordVectors(words, both, this.size);
  }
}

/**
 * Counts of a text: each pair at most `window` words apart counts as 1 / distance, in both orders.
 * @param ids - the text; a negative id is no word and ends a sentence, over which no pair reaches
 */
export function coOccurrences(ids: Int32Array, options: { readonly window?: number } = {}): CoOccurrences {
  const { window = 10 } = options;
  checkSize("coOccurrences", "window", window);
  const counts = frequencies(ids);
  // Where each word is, one word after the other.
  const ends = counts.map(Number);
  ends.forEach((count, id) => {
    ends[id] = count + (ends[id - 1] ?? 0);
  });
  const places = new Int32Array(ends[ends.length - 1] ?? 0);
  for (let place = ids.length - 1; place >= 0; place--) {
    const id = ids[place] as number;
    if (id >= 0) {
      ends[id] = (ends[id] as number) - 1;
      places[ends[id] as number] = place;
    }
  }
  const [words, contexts, found] = [new Numbers(Int32Array), new Numbers(Int32Array), new Numbers(Float32Array)];
  const shares = new Float64Array(counts.length);
  let first = 0;
  counts.forEach((count, word) => {
    const seen: number[] = [];
    for (const place of places.subarray(first, first + count)) {
      for (const step of [-1, 1]) {
        for (let distance = 1; distance <= window; distance++) {
          const other = ids[place + step * distance] ?? -1;
          if (other < 0) break;
          if (shares[other] === 0) seen.push(other);
          shares[other] = (shares[other] as number) + 1 / distance;
        }
      }
    }
    first += count;
    for (const other of seen) {
      words.push(word);
      contexts.push(other);
      found.push(shares[other] as number);
      shares[other] = 0;
    }
  });
  return {
    words: new Ids(words.values()),
    contexts: new Ids(contexts.values()),
    counts: found.values(),
    count: found.length,
  };
}

/** A typed array that grows. */
class Numbers<T extends Int32Array | Float32Array> {
  length = 0;
  #data: T;
  readonly #make: new (
    length: number,
  ) => T;

  constructor(make: new (length: number) => T) {
    this.#make = make;
    this.#data = new make(1024);
  }

  push(value: number): void {
    if (this.length === this.#data.length) {
      const larger = new this.#make(2 * this.length);
      larger.set(this.#data);
      this.#data = larger;
    }
    this.#data[this.length++] = value;
  }

  values(): T {
    return this.#data.slice(0, this.length) as T;
  }
}

/**
 * Batches of pairs for `GloVe`, in another order each epoch.
 * @param options.batchSize - pairs of a batch
 * @param options.seed - default 0
 */
export function coOccurrenceBatches(
  pairs: CoOccurrences,
  options: { readonly batchSize: number; readonly seed?: number },
): BatchSource<CoOccurrences> {
  const { batchSize, seed = 0 } = options;
  const order = new BatchOrder("coOccurrenceBatches", pairs.count, { batchSize, seed });
  return {
    length: order.length,
    batch(index) {
      const chosen = order.batch(index);
      const ids = (of: Ids): Ids => new Ids(chosen.map((pair) => of.data[pair] as number));
      const counts = Float32Array.from(chosen, (pair) => pairs.counts[pair] as number);
      return { words: ids(pairs.words), contexts: ids(pairs.contexts), counts, count: chosen.length };
    },
  };
}
