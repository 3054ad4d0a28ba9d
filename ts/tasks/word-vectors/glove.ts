/**
 * GloVe: products of word vectors are the logarithms of how often words occur near each other. Pennington, Socher &
 * Manning 2014, "GloVe: global vectors for word representation".
 *
 *     loss = sum over pairs of f(X_ij) (w_i . w~_j + b_i + b~_j - ln X_ij)^2      f(X) = min(1, X / 100)^0.75
 */
import { log, pow } from "../../core/elementary.js";
import { ArgumentError, ShapeError } from "../../errors.js";
import { checkSize } from "../../nn/check.js";
import { normal } from "../../nn/initializers.js";
import { type ReductionOptions, reduce } from "../../nn/losses/reduction.js";
import { Module } from "../../nn/module.js";
import { add, mul, sub } from "../../tensor/binary.js";
import { embedding } from "../../tensor/embedding.js";
import { Ids } from "../../tensor/ids.js";
import { Parameter } from "../../tensor/parameter.js";
import { sum } from "../../tensor/reduce.js";
import { reshape } from "../../tensor/shape.js";
import { type Tensor, tensor } from "../../tensor/tensor.js";
import { square } from "../../tensor/unary.js";
import { WordVectors } from "../../text/word-vectors.js";

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

/** Two vectors and two biases a word; their sum is used afterwards. */
export class GloVe extends Module {
  /** w, (V, D) */
  readonly vectors: Parameter;
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
    super();
    checkSize("GloVe", "vocabSize", vocabSize);
    checkSize("GloVe", "size", size);
    const draw = normal(0, 0.5 / Math.sqrt(size));
    this.vectors = new Parameter([vocabSize, size], draw);
    this.contextVectors = new Parameter([vocabSize, size], draw);
    this.bias = new Parameter([vocabSize], draw);
    this.contextBias = new Parameter([vocabSize], draw);
  }

  /** Loss of the pairs, their mean by default. @throws ShapeError, ArgumentError (an id that is no word, a count) */
  loss({ words, contexts, counts }: CoOccurrences, options: ReductionOptions = {}): Tensor {
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
    return reduce("GloVe", mul(weights, square(sub(predicted, logarithms))), options);
  }

  /** w + w~ of every word, as the paper uses them. */
  wordVectors(words: readonly string[]): WordVectors {
    const context = this.contextVectors.toArray();
    const both = this.vectors.toArray().map((value, i) => value + (context[i] as number));
    return new WordVectors(words, both, this.vectors.shape[1] as number);
  }
}

/**
 * Counts of a text: each pair at most `window` words apart counts as 1 / distance, in both orders.
 * @param ids - the text; a negative id is no word, but takes its place
 */
export function coOccurrences(ids: ArrayLike<number>, options: { readonly window?: number } = {}): CoOccurrences {
  const { window = 10 } = options;
  checkSize("coOccurrences", "window", window);
  const counts = new Map<number, Map<number, number>>();
  const note = (word: number, context: number, share: number): void => {
    const row = counts.get(word) ?? new Map<number, number>();
    if (row.size === 0) counts.set(word, row);
    row.set(context, (row.get(context) ?? 0) + share);
  };
  for (let at = 0; at < ids.length; at++) {
    for (let back = 1; back <= Math.min(window, at); back++) {
      const [word, other] = [ids[at] as number, ids[at - back] as number];
      if (word < 0 || other < 0) continue;
      note(word, other, 1 / back);
      note(other, word, 1 / back);
    }
  }
  const pairs = [...counts].flatMap(([word, row]) =>
    [...row].map(([context, count]) => [word, context, count] as const),
  );
  const column = (i: 0 | 1): Ids => new Ids(Int32Array.from(pairs, (pair) => pair[i]));
  return {
    words: column(0),
    contexts: column(1),
    counts: Float32Array.from(pairs, (pair) => pair[2]),
    count: pairs.length,
  };
}
