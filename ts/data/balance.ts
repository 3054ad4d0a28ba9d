/**
 * Class balance: classes that are rare count for more.
 *
 * With n labels, n_k of them of class k, and K classes that occur: w_k = n / (K n_k). King and Zeng 2001, "Logistic
 * regression in rare events data"; scikit-learn's `class_weight="balanced"`. Every class then has the same total, and
 * the mean weight of a label is 1.
 */
import { ArgumentError, DataError } from "../errors.js";
import { checkCount } from "./check.js";
import { IGNORED_TARGET } from "./lanes.js";

/** Options of {@link classWeights}. */
export interface ClassWeightOptions {
  /** Classes; labels are 0 to classes - 1. */
  readonly classes: number;
  /** A label that is not counted; default {@link IGNORED_TARGET}. */
  readonly ignoreIndex?: number | undefined;
}

/**
 * The weight of each class (K), for the `weight` of `crossEntropy` as a tensor; 0 for a class that does not occur.
 * @throws DataError naming a label that is no class, or when there are no labels
 */
export function classWeights(labels: ArrayLike<number>, options: ClassWeightOptions): Float32Array {
  const { classes, ignoreIndex = IGNORED_TARGET } = options;
  checkCount("classWeights", "classes", classes);
  const counts = new Float64Array(classes);
  let total = 0;
  for (let index = 0; index < labels.length; index++) {
    const label = labels[index] as number;
    if (label === ignoreIndex) continue;
    if (!(Number.isSafeInteger(label) && label >= 0 && label < classes)) {
      throw new DataError(
        `classWeights: label ${index} is ${String(label)}, expected 0 to ${classes - 1} or ${ignoreIndex}`,
      );
    }
    counts[label] = (counts[label] as number) + 1;
    total++;
  }
  if (total === 0) throw new DataError("classWeights: no labels");
  const present = counts.reduce((sum, count) => sum + (count > 0 ? 1 : 0), 0);
  return Float32Array.from(counts, (count) => (count === 0 ? 0 : total / (present * count)));
}

/**
 * The weight of each example by its class (n), for the `weights` of a batch source: with it all classes are drawn
 * equally often.
 * @throws ArgumentError when there are no labels
 */
export function balancedWeights(labels: ArrayLike<string | number>): Float64Array {
  if (labels.length === 0) throw new ArgumentError("balancedWeights", "labels", "at least one", "none");
  const counts = new Map<string | number, number>();
  const all = Array.from(labels);
  for (const label of all) counts.set(label, (counts.get(label) ?? 0) + 1);
  return Float64Array.from(all, (label) => all.length / (counts.size * (counts.get(label) as number)));
}
