/** Negative log-likelihood of a Gaussian whose mean and variance a network predicts. Nix & Weigend 1994. */
import { ArgumentError } from "../../errors.js";
import { add, div, maximum, mul, sub } from "../../tensor/binary.js";
import type { Tensor } from "../../tensor/tensor.js";
import { log, square } from "../../tensor/unary.js";
import { checkSameShape, type ReductionOptions, reduce } from "./reduction.js";

/** ln(2 pi), which `Math.log` would not give with the same bits everywhere. @internal */
export const LOG_TWO_PI = 1.8378770664093453;

/** Options of {@link gaussianNllLoss}. */
export interface GaussianNllOptions extends ReductionOptions {
  /** Also the constant ln(2 pi) / 2; default false, as PyTorch. */
  readonly full?: boolean;
  /** Least variance; below it the variance has no gradient. Default 1e-6. */
  readonly epsilon?: number;
}

/**
 * (ln v + (mean - target)^2 / v) / 2, v = max(variance, epsilon); nats, mean of the elements by default.
 *
 * @param variance - of the shape of `mean`, or one that broadcasts to it (one for all: a scalar)
 * @throws ShapeError unless mean and target have one shape and the variance broadcasts to it
 */
export function gaussianNllLoss(
  mean: Tensor,
  target: Tensor,
  variance: Tensor,
  options: GaussianNllOptions = {},
): Tensor {
  const where = "gaussianNllLoss";
  const { full = false, epsilon = 1e-6 } = options;
  checkSameShape(where, mean, target);
  if (!(epsilon > 0 && epsilon < Infinity)) {
    throw new ArgumentError(where, "epsilon", "a finite number above 0", epsilon);
  }
  const v = maximum(variance, epsilon);
  const losses = mul(add(log(v), div(square(sub(mean, target)), v)), 0.5);
  checkSameShape(where, mean, losses);
  return reduce(where, full ? add(losses, LOG_TWO_PI / 2) : losses, options);
}
