/**
 * Adaptive softmax: classes in clusters by frequency, the rare ones with small projections and computed only where they
 * occur. Grave, Joulin, Cisse, Grangier & Jegou 2017, "Efficient softmax approximation for GPUs"; names and sizes are
 * those of torch.nn.AdaptiveLogSoftmaxWithLoss.
 *
 *   p(k | h) = softmax(head h)_k                                                 k among the frequent classes
 *   p(k | h) = softmax(head h)_{cluster i} softmax(tail_i h)_{k - first of i}    k in cluster i
 */
import { ArgumentError, ShapeError } from "../errors.js";
import { add, div } from "../tensor/binary.js";
import { embedding } from "../tensor/embedding.js";
import { Ids } from "../tensor/ids.js";
import { sum } from "../tensor/reduce.js";
import { concat, reshape, slice } from "../tensor/shape.js";
import { logSoftmax } from "../tensor/softmax.js";
import { type Tensor, zeros } from "../tensor/tensor.js";
import { checkSize } from "./check.js";
import { Linear } from "./linear.js";
import { crossEntropy } from "./losses/cross-entropy.js";
import { checkReduction, type ReductionOptions, targetIds } from "./losses/reduction.js";
import { Module } from "./module.js";

/** Options of {@link AdaptiveSoftmax}. */
export interface AdaptiveSoftmaxOptions {
  /** First class of each cluster, ascending, between 1 and numClasses - 1; classes are sorted, frequent ones first. */
  readonly cutoffs: readonly number[];
  /** Cluster i (from 1) is projected to inFeatures / divValue^i, rounded down; default 4. */
  readonly divValue?: number;
  /** Bias of the head; default false. */
  readonly headBias?: boolean;
}

/** Options of {@link AdaptiveSoftmax.loss}. */
export interface AdaptiveSoftmaxLossOptions extends ReductionOptions {
  /** Target that counts for nothing; default -100. */
  readonly ignoreIndex?: number;
}

/** A head over many classes, in place of a linear layer and {@link crossEntropy}. */
export class AdaptiveSoftmax extends Module {
  /** Features of each position. */
  readonly inFeatures: number;
  /** All classes, K. */
  readonly numClasses: number;
  /** First class of each cluster, ascending. */
  readonly cutoffs: readonly number[];
  /** Logits of the frequent classes and of each cluster. */
  readonly head: Linear;
  /** For each cluster: down to its size, then to its classes. */
  readonly tail: readonly (readonly [Linear, Linear])[];

  /**
   * @param inFeatures - features of each position
   * @param numClasses - all classes, K, frequent ones first
   * @throws ArgumentError for sizes or cutoffs that do not fit
   */
  constructor(inFeatures: number, numClasses: number, options: AdaptiveSoftmaxOptions) {
    super();
    const { cutoffs, divValue = 4, headBias = false } = options;
    checkSize("AdaptiveSoftmax", "inFeatures", inFeatures);
    checkSize("AdaptiveSoftmax", "numClasses", numClasses, 2);
    const ascending = cutoffs.every((value, i) => Number.isInteger(value) && value > (cutoffs[i - 1] ?? 0));
    if (cutoffs.length === 0 || !ascending || (cutoffs[cutoffs.length - 1] as number) >= numClasses) {
      throw new ArgumentError("AdaptiveSoftmax", "cutoffs", `ascending, from 1 to ${numClasses - 1}`, cutoffs);
    }
    if (!(divValue >= 1 && divValue < Infinity)) {
      throw new ArgumentError("AdaptiveSoftmax", "divValue", "a finite number of 1 or more", divValue);
    }
    this.inFeatures = inFeatures;
    this.numClasses = numClasses;
    this.cutoffs = [...cutoffs];
    this.head = new Linear(inFeatures, (cutoffs[0] as number) + cutoffs.length, { bias: headBias });
    let divisor = 1;
    this.tail = cutoffs.map((first, i) => {
      divisor *= divValue;
      const size = Math.floor(inFeatures / divisor);
      if (size < 1) {
        const expected = `small enough for ${cutoffs.length} clusters of ${inFeatures} features`;
        throw new ArgumentError("AdaptiveSoftmax", "divValue", expected, divValue);
      }
      const classes = (cutoffs[i + 1] ?? numClasses) - first;
      return [new Linear(inFeatures, size, { bias: false }), new Linear(size, classes, { bias: false })] as const;
    });
  }

  #check(x: Tensor): void {
    if (x.shape[x.shape.length - 1] !== this.inFeatures) {
      throw new ShapeError(this.label, "x", ["...", this.inFeatures], x.shape);
    }
  }

  /**
   * The logarithms of all probabilities: (..., inFeatures) to (..., numClasses). Exact, and as slow as a full softmax.
   */
  forward(x: Tensor): Tensor {
    this.#check(x);
    const frequent = this.cutoffs[0] as number;
    const head = logSoftmax(this.head.forward(x));
    const clusters = this.tail.map(([down, up], i) =>
      add(logSoftmax(up.forward(down.forward(x))), slice(head, -1, frequent + i, frequent + i + 1)),
    );
    return concat([slice(head, -1, 0, frequent), ...clusters]);
  }

  /**
   * -ln p(target | x) in nats: x (..., inFeatures), targets of the leading shape. Each cluster is computed only for the
   * positions whose target is in it.
   *
   * @throws ShapeError, ArgumentError (a target that is neither a class nor `ignoreIndex`)
   */
  loss(x: Tensor, targets: Ids | Int32Array, options: AdaptiveSoftmaxLossOptions = {}): Tensor {
    this.#check(x);
    const where = this.label;
    const reduction = checkReduction(where, options.reduction);
    const { ignoreIndex = -100 } = options;
    const lead = x.shape.slice(0, -1);
    const { data } = targetIds(where, targets, lead);
    const frequent = this.cutoffs[0] as number;
    const headTargets = new Int32Array(data.length);
    const members: number[][] = this.cutoffs.map(() => []);
    let counted = 0;
    data.forEach((target, row) => {
      if (target === ignoreIndex) {
        headTargets[row] = -1;
        return;
      }
      if (target < 0 || target >= this.numClasses) {
        const expected = `from 0 to ${this.numClasses - 1} or ${ignoreIndex}`;
        throw new ArgumentError(where, `target at position ${row}`, expected, target);
      }
      counted++;
      let cluster = this.cutoffs.length - 1;
      while (cluster >= 0 && target < (this.cutoffs[cluster] as number)) cluster--;
      headTargets[row] = cluster < 0 ? target : frequent + cluster;
      if (cluster >= 0) (members[cluster] as number[]).push(row);
    });
    const flat = reshape(x, [data.length, this.inFeatures]);
    const each = { reduction: "none" } as const;
    const head = crossEntropy(this.head.forward(flat), headTargets, { ...each, ignoreIndex: -1 });
    // The losses within clusters, one after the other, and a zero for the rows that have none.
    const parts: Tensor[] = [];
    const position = new Int32Array(data.length).fill(-1);
    let total = 0;
    members.forEach((rows, i) => {
      if (rows.length === 0) return;
      const [down, up] = this.tail[i] as readonly [Linear, Linear];
      const chosen = embedding(flat, new Ids(Int32Array.from(rows)));
      const first = this.cutoffs[i] as number;
      const inside = Int32Array.from(rows, (row) => (data[row] as number) - first);
      parts.push(crossEntropy(up.forward(down.forward(chosen)), inside, each));
      for (const row of rows) position[row] = total++;
    });
    const nothing = zeros([1], x.core);
    const tails = reshape(concat([...parts, nothing]), [total + 1, 1]);
    const places = new Ids(position.map((place) => (place < 0 ? total : place)));
    const losses = add(head, reshape(embedding(tails, places), [data.length]));
    if (reduction === "none") return reshape(losses, lead);
    return reduction === "sum" ? sum(losses) : div(sum(losses), counted);
  }
}
