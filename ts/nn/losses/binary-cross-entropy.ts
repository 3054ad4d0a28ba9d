/** Binary cross-entropy of logits. */
import { add, mul, sub } from "../../tensor/binary.js";
import type { Tensor } from "../../tensor/tensor.js";
import { neg, softplus } from "../../tensor/unary.js";
import { checkSameShape, type ReductionOptions, reduce } from "./reduction.js";

/** Options of {@link binaryCrossEntropyWithLogits}. */
export interface BinaryCrossEntropyOptions extends ReductionOptions {
  /** Factor of each element, of a shape that broadcasts; default 1. */
  readonly weight?: Tensor;
  /** Factor of the positive part, of a shape that broadcasts (one a class); default 1. */
  readonly posWeight?: Tensor;
}

/**
 * -(p y log sigmoid(x) + (1 - y) log(1 - sigmoid(x))), with targets y in [0, 1] and posWeight p; mean nats by default
 * (over the number of elements, weighted or not, as PyTorch).
 *
 * @throws ShapeError unless logits and target have one shape
 */
export function binaryCrossEntropyWithLogits(
  logits: Tensor,
  target: Tensor,
  options: BinaryCrossEntropyOptions = {},
): Tensor {
  const where = "binaryCrossEntropyWithLogits";
  checkSameShape(where, logits, target);
  const { weight, posWeight } = options;
  // -log sigmoid(x) = softplus(-x) and -log(1 - sigmoid(x)) = x + softplus(-x): nothing overflows.
  const tail = softplus(neg(logits));
  const factor = posWeight === undefined ? 1 : add(mul(sub(posWeight, 1), target), 1);
  const losses = add(mul(sub(1, target), logits), mul(factor, tail));
  return reduce(where, weight === undefined ? losses : mul(losses, weight), options);
}
