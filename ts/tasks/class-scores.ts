/** What models that choose among classes, of texts or of words, say, and how well they do. */
import { exp, log } from "../core/elementary.js";
import { type IdExample, paddedBatches } from "../data/padded.js";
import { ArgumentError, DataError } from "../errors.js";
import { crossEntropy } from "../nn/losses/cross-entropy.js";
import type { Module } from "../nn/module.js";
import type { Ids } from "../tensor/ids.js";
import type { Tensor } from "../tensor/tensor.js";
import { ConfusionMatrix } from "../train/metrics/confusion.js";

/** A text and its class. */
export interface LabelledText {
  /** The text. */
  readonly text: string;
  /** Its class. */
  readonly label: string;
}

/** What a classifier says of a text. */
export interface Classification {
  /** The most probable. */
  readonly label: string;
  /** Of that label. */
  readonly probability: number;
  /** Of every label, in their order. */
  readonly probabilities: readonly { readonly label: string; readonly probability: number }[];
}

/** How well a classifier does. */
export interface ClassifierScores {
  /** Mean nats. */
  readonly loss: number;
  /** From 0 to 1. */
  readonly accuracy: number;
  /** With precision, recall and F1. */
  readonly confusion: ConfusionMatrix;
}

/** Texts at a time in `predict` and `evaluate`. */
export const BATCH = 32;

/** @throws ArgumentError unless there are two names or more, all different */
export function checkLabels(where: string, labels: readonly string[]): void {
  if (labels.length < 2 || new Set(labels).size !== labels.length) {
    throw new ArgumentError(where, "labels", "two names or more, all different", labels);
  }
}

/** The number of a label. @throws DataError naming the example */
export function classOf(where: string, labels: readonly string[], label: string, example: number): number {
  const found = labels.indexOf(label);
  if (found < 0) throw new DataError(`${where}: example ${example}: no label is ${JSON.stringify(label)}`);
  return found;
}

/** The most probable label, of equal ones the first, with the probabilities (K) of all. */
export function classification(labels: readonly string[], probabilities: ArrayLike<number>): Classification {
  const all = labels.map((label, k) => ({ label, probability: probabilities[k] as number }));
  const best = all.reduce((a, b) => (b.probability > a.probability ? b : a));
  return { ...best, probabilities: all };
}

/** ln of a probability in float32, of 0 as of the least number it has. */
export function logProbability(probability: number): number {
  return log(Math.max(probability, 1.1754943508222875e-38));
}

/** Scores (K) less what makes them logarithms of probabilities. */
export function normalized(scores: Float64Array): Float64Array {
  const highest = highestOf(scores);
  const total = highest + log(scores.reduce((sum, score) => sum + exp(score - highest), 0));
  return scores.map((score) => score - total);
}

/** Loss, accuracy and confusions of texts from ln P(k | text) (K) of each. */
export class TextScores {
  readonly #where: string;
  readonly #confusion: ConfusionMatrix;
  #loss = 0;

  constructor(where: string, labels: readonly string[]) {
    this.#where = where;
    this.#confusion = new ConfusionMatrix(labels);
  }

  add(scores: Float64Array, target: number): void {
    this.#loss -= scores[target] as number;
    this.#confusion.add([scores.indexOf(highestOf(scores))], [target]);
  }

  /** @throws DataError when there were no texts */
  get value(): ClassifierScores {
    const { total, accuracy } = this.#confusion;
    if (total === 0) throw new DataError(`${this.#where}: no examples`);
    return { loss: this.#loss / total, accuracy, confusion: this.#confusion };
  }
}

function highestOf(scores: Float64Array): number {
  return scores.reduce((a, b) => Math.max(a, b));
}

/** Loss, accuracy and confusions over examples, each of one class or of one a step. */
export function classScores(
  model: Module & { readonly labels: readonly string[]; forward(ids: Ids, lengths: Int32Array): Tensor },
  examples: readonly IdExample[],
): ClassifierScores {
  const confusion = new ConfusionMatrix(model.labels);
  let total = 0;
  for (const { inputs, lengths, targets, count } of paddedBatches(examples, { batchSize: BATCH })) {
    const { logits, loss } = model.run(() => {
      const logits = model.forward(inputs, lengths);
      return { logits, loss: crossEntropy(logits, targets).item() };
    });
    total += loss * count;
    confusion.addScores(logits, targets);
  }
  return { loss: total / confusion.total, accuracy: confusion.accuracy, confusion };
}
