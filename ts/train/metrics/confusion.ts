/**
 * The confusion matrix, and what follows from it. With N[i][j] the targets of class i that were taken for class j:
 *
 *     precision of i = N[i][i] / sum_j N[j][i]      recall of i = N[i][i] / sum_j N[i][j]
 *     F1 = 2 precision recall / (precision + recall)
 *
 * Macro: the mean over classes. Micro: from the counts of all classes together. As in scikit-learn 1.x: a fraction with
 * nothing below the line is 0, and classes that are neither target nor prediction are left out of macro means.
 */
import { IGNORED_TARGET } from "../../data/lanes.js";
import { ArgumentError, ShapeError } from "../../errors.js";
import type { PlainTensor } from "../../tensor/tensor.js";
import { type Classes, checkClass, eachRow, flat } from "./targets.js";

/** Of one class, or of several together. */
export interface ClassScores {
  /** Of what was predicted to be the class, the fraction that is. */
  readonly precision: number;
  /** Of what is the class, the fraction that was found. */
  readonly recall: number;
  /** Harmonic mean of precision and recall. */
  readonly f1: number;
  /** Targets. */
  readonly support: number;
}

/** Counts of what was taken for what, over a stream of batches. */
export class ConfusionMatrix {
  /** Names of the classes. */
  readonly labels: readonly string[];
  /** Row-major (K, K): row = target, column = prediction. */
  readonly counts: Float64Array;

  /**
   * No pairs yet.
   * @param classes - how many, or their names
   * @throws ArgumentError
   */
  constructor(classes: number | readonly string[]) {
    if (typeof classes === "number" && !(Number.isSafeInteger(classes) && classes >= 1)) {
      throw new ArgumentError("ConfusionMatrix", "classes", "a whole number from 1, or names", classes);
    }
    this.labels = typeof classes === "number" ? Array.from({ length: classes }, (_, i) => String(i)) : [...classes];
    this.counts = new Float64Array(this.labels.length * this.labels.length);
  }

  /**
   * @param predicted - class numbers
   * @param targets - class numbers, as many; where one is -100, the pair is not counted
   * @throws ShapeError, ArgumentError (a number that is no class)
   */
  add(predicted: Classes, targets: Classes): this {
    const [guesses, wanted] = [flat(predicted), flat(targets)];
    if (guesses.length !== wanted.length) {
      throw new ShapeError("ConfusionMatrix", "predicted", [wanted.length], [guesses.length]);
    }
    for (let i = 0; i < wanted.length; i++) {
      if (wanted[i] !== IGNORED_TARGET) this.#count(guesses[i] as number, wanted[i] as number);
    }
    return this;
  }

  /** The same where the prediction is the highest of scores (..., K), of equal ones the lower class. */
  addScores(scores: PlainTensor, targets: Classes): this {
    eachRow("ConfusionMatrix", scores, targets, (row, target) => {
      let highest = 0;
      for (let i = 1; i < row.length; i++) if ((row[i] as number) > (row[highest] as number)) highest = i;
      this.#count(highest, target);
    });
    return this;
  }

  #count(predicted: number, target: number): void {
    const size = this.labels.length;
    checkClass("ConfusionMatrix", "prediction", predicted, size);
    checkClass("ConfusionMatrix", "target", target, size);
    const place = target * size + predicted;
    this.counts[place] = this.at(target, predicted) + 1;
  }

  /** Targets of class `target` that were taken for class `predicted`. */
  at(target: number, predicted: number): number {
    return this.counts[target * this.labels.length + predicted] ?? 0;
  }

  /** Pairs so far. */
  get total(): number {
    return this.counts.reduce((total, count) => total + count, 0);
  }

  /** The fraction on the diagonal; NaN of nothing. */
  get accuracy(): number {
    return this.labels.reduce((right, _, i) => right + this.at(i, i), 0) / this.total;
  }

  /** Of each class. */
  get classes(): ClassScores[] {
    return this.labels.map((_, i) => {
      const { guesses, targets } = this.#sums(i);
      return scoresOf(this.at(i, i), guesses, targets);
    });
  }

  /** The means over the classes that occur. */
  get macro(): ClassScores {
    const occurring = this.classes.filter((_, i) => {
      const { guesses, targets } = this.#sums(i);
      return guesses + targets > 0;
    });
    const mean = (name: keyof ClassScores) =>
      occurring.reduce((total, scores) => total + scores[name], 0) / occurring.length;
    return { precision: mean("precision"), recall: mean("recall"), f1: mean("f1"), support: this.total };
  }

  /** From the counts of some classes together; of all of them, which is the default, each equals the accuracy. */
  micro(classes: readonly number[] = this.labels.map((_, i) => i)): ClassScores {
    let [right, guesses, targets] = [0, 0, 0];
    for (const i of classes) {
      checkClass("ConfusionMatrix.micro", "class", i, this.labels.length);
      const sums = this.#sums(i);
      right += this.at(i, i);
      guesses += sums.guesses;
      targets += sums.targets;
    }
    return scoresOf(right, guesses, targets);
  }

  #sums(i: number): { guesses: number; targets: number } {
    let [guesses, targets] = [0, 0];
    for (let j = 0; j < this.labels.length; j++) {
      guesses += this.at(j, i);
      targets += this.at(i, j);
    }
    return { guesses, targets };
  }

  /** Starts over. */
  reset(): void {
    this.counts.fill(0);
  }

  /** A table: a row for each target, a column for each prediction. */
  toString(): string {
    const rows = [
      ["target", ...this.labels],
      ...this.labels.map((label, i) => [label, ...this.labels.map((_, j) => String(this.at(i, j)))]),
    ];
    const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
    return rows
      .map((row) =>
        row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join("  "),
      )
      .join("\n");
  }
}

/** Scores from counts. @internal */
export function scoresOf(right: number, guesses: number, targets: number): ClassScores {
  const over = (below: number) => (below === 0 ? 0 : right / below);
  // 2 P R / (P + R) without its own division by zero.
  const f1 = guesses + targets === 0 ? 0 : (2 * right) / (guesses + targets);
  return { precision: over(guesses), recall: over(targets), f1, support: targets };
}
