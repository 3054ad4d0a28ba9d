/** How losses of single elements become one. */
import { ArgumentError, DTypeError, ShapeError } from "../../errors.js";
import { Ids } from "../../tensor/ids.js";
import { mean, sum } from "../../tensor/reduce.js";
import { sameShape, type Tensor } from "../../tensor/tensor.js";

/** "mean" of the elements (weighted where there are weights), their "sum", or "none": each by itself. */
export type Reduction = "mean" | "sum" | "none";

/** Option that every loss has. */
export interface ReductionOptions {
  /** Default "mean". */
  readonly reduction?: Reduction;
}

/** @throws ArgumentError for a name that is no reduction @internal */
export function checkReduction(where: string, reduction: Reduction = "mean"): Reduction {
  if (reduction !== "mean" && reduction !== "sum" && reduction !== "none") {
    throw new ArgumentError(where, "reduction", '"mean", "sum" or "none"', reduction);
  }
  return reduction;
}

/** Applies a reduction to element losses. @internal */
export function reduce(where: string, losses: Tensor, options: ReductionOptions): Tensor {
  const reduction = checkReduction(where, options.reduction);
  return reduction === "none" ? losses : reduction === "sum" ? sum(losses) : mean(losses);
}

/** @throws ShapeError unless both shapes are the same @internal */
export function checkSameShape(where: string, input: Tensor, target: Tensor): void {
  if (!sameShape(input.shape, target.shape)) throw new ShapeError(where, "target", input.shape, target.shape);
}

/** Ids of the shape that targets need. @internal */
export function targetIds(where: string, targets: Ids | Int32Array, shape: readonly number[]): Ids {
  if (!(targets instanceof Ids || targets instanceof Int32Array)) {
    throw new DTypeError(where, "targets", "Ids or Int32Array", targets);
  }
  let size = 1;
  for (const length of shape) size *= length;
  const fits = targets instanceof Ids ? sameShape(targets.shape, shape) : targets.length === size;
  if (!fits) throw new ShapeError(where, "targets", shape, targets instanceof Ids ? targets.shape : [targets.length]);
  return targets instanceof Ids ? targets : new Ids(targets, shape);
}
