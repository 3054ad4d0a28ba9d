/** How well models that choose among classes, of texts or of words, do. */
import { type IdExample, paddedBatches } from "../data/padded.js";
import { crossEntropy } from "../nn/losses/cross-entropy.js";
import type { Module } from "../nn/module.js";
import type { Ids } from "../tensor/ids.js";
import type { Tensor } from "../tensor/tensor.js";
import { Accuracy } from "../train/metrics/accuracy.js";
import { ConfusionMatrix } from "../train/metrics/confusion.js";

/** How well a classifier does. */
export interface ClassifierScores {
  /** Mean nats. */
  readonly loss: number;
  readonly accuracy: number;
  /** With precision, recall and F1. */
  readonly confusion: ConfusionMatrix;
}

/** Texts at a time in `predict` and `evaluate`. */
export const BATCH = 32;

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
