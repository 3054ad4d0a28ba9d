/** Accuracy: the fraction of targets that are among the k highest scores. */
import { ArgumentError } from "../../errors.js";
import type { PlainTensor } from "../../tensor/tensor.js";
import { type Classes, eachRow } from "./targets.js";

/** Accuracy over a stream of batches. Of equal scores the lower class comes first, as in `argmax`. */
export class Accuracy {
  readonly #k: number;
  #right = 0;
  #count = 0;

  /**
   * @param options - `topK`: how many of the highest scores may be the target; default 1
   * @throws ArgumentError when that is not a whole number from 1
   */
  constructor(options: { readonly topK?: number } = {}) {
    const { topK = 1 } = options;
    if (!(Number.isSafeInteger(topK) && topK >= 1)) {
      throw new ArgumentError("Accuracy", "topK", "a whole number from 1", topK);
    }
    this.#k = topK;
  }

  /**
   * @param scores - logits or probabilities (..., K)
   * @param targets - class numbers of the leading shape; -100 is not counted
   * @throws ShapeError, ArgumentError (a target that is no class)
   */
  add(scores: PlainTensor, targets: Classes): this {
    eachRow("Accuracy", scores, targets, (row, target) => {
      const own = row[target] as number;
      let before = 0;
      for (let i = 0; i < row.length; i++) {
        const score = row[i] as number;
        if (score > own || (score === own && i < target)) before++;
      }
      // A score that is NaN is never right, though nothing is above it.
      if (before < this.#k && !Number.isNaN(own)) this.#right++;
      this.#count++;
    });
    return this;
  }

  /** From 0 to 1; NaN of nothing. */
  get value(): number {
    return this.#right / this.#count;
  }

  /** Targets so far. */
  get count(): number {
    return this.#count;
  }

  /** Starts over. */
  reset(): void {
    this.#right = 0;
    this.#count = 0;
  }
}
