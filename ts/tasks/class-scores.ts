/** What models that choose among classes, of texts or of words, say, and how well they do. */
import { type IdExample, paddedBatches } from "../data/padded.js";
import { ArgumentError, DataError } from "../errors.js";
import { crossEntropy } from "../nn/losses/cross-entropy.js";
import type { Module } from "../nn/module.js";
import type { Ids } from "../tensor/ids.js";
import type { Tensor } from "../tensor/tensor.js";
import { Accuracy } from "../train/metrics/accuracy.js";
import { ConfusionMatrix } from "../train/metrics/confusion.js";

/** A text and its class. */
export interface LabelledText {
  readonly text: string;
  readonly label: string;
}

/** What a classifier says of a text. */
export interface Classification {
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

/** Loss, accuracy and confusions over examples, each of one class or of one a step. */
export function classScores(
  model: Module & { readonly labels: readonly string[]; forward(ids: Ids, lengths: Int32Array): Tensor },
  examples: readonly IdExample[],
): ClassifierScores {
  const accuracy = new Accuracy();
  const confusion = new ConfusionMatrix(model.labels);
  let total = 0;
  for (const { inputs, lengths, targets, count } of paddedBatches(examples, { batchSize: BATCH })) {
    const { logits, loss } = model.run(() => {
      const logits = model.forward(inputs, lengths);
      return { logits, loss: crossEntropy(logits, targets).item() };
    });
    total += loss * count;
    accuracy.add(logits, targets);
    confusion.addScores(logits, targets);
  }
  return { loss: total / accuracy.count, accuracy: accuracy.value, confusion };
}
