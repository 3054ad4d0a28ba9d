/**
 * Mixture densities: a network predicts not a value but the density of it. Bishop 1994, "Mixture Density Networks";
 * with a pen, Graves 2013, "Generating Sequences With Recurrent Neural Networks", equations 16 to 26.
 *
 * The losses take what a linear layer gives, for M components along the last axis, in blocks: first the M logits of the
 * weights, then the M first coordinates of the means, and so on. Deviations are predicted by their logarithm and
 * correlations through tanh, so that any number is valid.
 */
import { ShapeError } from "../../errors.js";
import { add, mul, sub } from "../../tensor/binary.js";
import { max, sum } from "../../tensor/reduce.js";
import { detach, reshape, slice } from "../../tensor/shape.js";
import { logSoftmax } from "../../tensor/softmax.js";
import { sameShape, type Tensor } from "../../tensor/tensor.js";
import { exp, log, neg, softplus, square } from "../../tensor/unary.js";
import { binaryCrossEntropyWithLogits } from "./binary-cross-entropy.js";
import { LOG_TWO_PI } from "./gaussian.js";
import { type ReductionOptions, reduce } from "./reduction.js";

/** ln of the sum of e^x over the last axis, without the overflow. */
function logSumExp(x: Tensor): Tensor {
  // The shift cancels: no gradient needs to go through it.
  const shift = detach(max(x, -1, { keepDims: true }));
  return add(log(sum(exp(sub(x, shift)), -1)), reshape(shift, x.shape.slice(0, -1)));
}

/** The number of components, from the widths of predictions and targets. */
function components(where: string, output: Tensor, target: Tensor, width: number, each: number, rest: number): number {
  const found = ((output.shape[output.shape.length - 1] ?? 0) - rest) / each;
  if (!(Number.isInteger(found) && found >= 1)) {
    const expected = `[..., ${each} M${rest > 0 ? ` + ${rest}` : ""}], M the number of components`;
    throw new ShapeError(where, "output", expected, output.shape);
  }
  const shape = [...output.shape.slice(0, -1), width];
  if (!sameShape(target.shape, shape)) throw new ShapeError(where, "target", shape, target.shape);
  return found;
}

/**
 * -ln sum_m w_m prod_d N(y_d; mean_md, deviation_md), a mixture of Gaussians with diagonal covariance, in nats.
 *
 * @param output - (..., M (1 + 2 D)): M logits of the weights, D blocks of M means, D blocks of M logarithms of
 *   deviations
 * @param target - (..., D)
 * @throws ShapeError
 */
export function gaussianMixtureLoss(output: Tensor, target: Tensor, options: ReductionOptions = {}): Tensor {
  const where = "gaussianMixtureLoss";
  const dimensions = target.shape[target.shape.length - 1] ?? 0;
  if (dimensions === 0) throw new ShapeError(where, "target", ["...", "D"], target.shape);
  const m = components(where, output, target, dimensions, 1 + 2 * dimensions, 0);
  const block = (index: number): Tensor => slice(output, -1, index * m, (index + 1) * m);
  let density = logSoftmax(block(0));
  for (let d = 0; d < dimensions; d++) {
    const scale = block(1 + dimensions + d);
    const z = mul(sub(slice(target, -1, d, d + 1), block(1 + d)), exp(neg(scale)));
    density = sub(sub(density, scale), add(mul(square(z), 0.5), LOG_TWO_PI / 2));
  }
  return reduce(where, neg(logSumExp(density)), options);
}

/**
 * -ln of the density of a point times the probability of whether the pen is lifted after it: a mixture of M bivariate
 * Gaussians and a Bernoulli variable, in nats.
 *
 * With z_x = (x - mean_x) / deviation_x, rho the correlation and Z = z_x^2 + z_y^2 - 2 rho z_x z_y, a component is
 * exp(-Z / (2 (1 - rho^2))) / (2 pi deviation_x deviation_y sqrt(1 - rho^2)).
 *
 * @param output - (..., 1 + 6 M): the logit of the pen being lifted (the paper has its negative), then M each:
 *   logits of the weights, means of x, means of y, logarithms of the deviations of x, of y, correlations before tanh
 * @param target - (..., 3): x, y, and 1 where the pen is lifted, else 0
 * @throws ShapeError
 */
export function handwritingLoss(output: Tensor, target: Tensor, options: ReductionOptions = {}): Tensor {
  const where = "handwritingLoss";
  const m = components(where, output, target, 3, 6, 1);
  const block = (index: number): Tensor => slice(output, -1, 1 + index * m, 1 + (index + 1) * m);
  const coordinate = (index: number): Tensor => slice(target, -1, index, index + 1);
  const [scaleX, scaleY, raw] = [block(3), block(4), block(5)];
  const zx = mul(sub(coordinate(0), block(1)), exp(neg(scaleX)));
  const zy = mul(sub(coordinate(1), block(2)), exp(neg(scaleY)));
  // Along the axes of the ellipse, of variances 1 + rho and 1 - rho, Z / (1 - rho^2) is a sum of squares; with
  // 1 / (1 + tanh r) = (1 + e^(-2 r)) / 2 nothing cancels where tanh is near 1 or -1.
  const along = mul(square(add(zx, zy)), add(exp(mul(raw, -2)), 1));
  const across = mul(square(sub(zx, zy)), add(exp(mul(raw, 2)), 1));
  const exponent = mul(add(along, across), -1 / 8);
  // ln(1 - tanh^2 r) = 2 (ln 2 - r - softplus(-2 r)).
  const spread = mul(sub(sub(Math.LN2, raw), softplus(mul(raw, -2))), 2);
  const constants = add(add(add(scaleX, scaleY), mul(spread, 0.5)), LOG_TWO_PI);
  const point = neg(logSumExp(sub(add(logSoftmax(block(0)), exponent), constants)));
  const pen = binaryCrossEntropyWithLogits(slice(output, -1, 0, 1), coordinate(2), { reduction: "none" });
  return reduce(where, add(point, reshape(pen, point.shape)), options);
}
