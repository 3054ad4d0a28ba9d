/** Layer normalisation. */
import { ArgumentError, ShapeError } from "../errors.js";
import { currentTape, releaseScratch } from "./scope.js";
import type { Operation } from "./tape.js";
import { coreOf, createTensor, operand, sameShape, sizeOf, type Tensor } from "./tensor.js";

/** Options of {@link layerNorm}. */
export interface LayerNormOptions {
  /** Factor of every element, of the normalised shape; default none. */
  readonly weight?: Tensor | null;
  /** Added to every element, of the normalised shape; default none. */
  readonly bias?: Tensor | null;
  /** Added to the variance; default 1e-5. */
  readonly epsilon?: number;
}

const LayerNormalisation: Operation = {
  name: "layerNorm",
  backward({ inputs, outputs, saved }, tape) {
    const [x, weight, bias] = inputs as [Tensor, Tensor | null, Tensor | null];
    const [rows, n, means, scales] = saved as [number, number, number, number];
    tape.core.raw.ur_layer_norm_backward(
      x.pointer,
      weight?.pointer ?? 0,
      rows,
      n,
      means,
      scales,
      tape.gradient(outputs[0] as Tensor),
      tape.gradient(x),
      tape.gradient(weight),
      tape.gradient(bias),
    );
  },
};

/**
 * (x - mean) / sqrt(variance + epsilon) weight + bias, mean and biased variance being those of the trailing axes of
 * `normalizedShape`; as torch.nn.functional.layer_norm.
 *
 * @param where name for error messages
 * @throws ShapeError unless x ends in `normalizedShape` and weight and bias have it
 */
export function layerNorm(
  x: Tensor,
  normalizedShape: readonly number[],
  { weight = null, bias = null, epsilon = 1e-5 }: LayerNormOptions = {},
  where = "layerNorm",
): Tensor {
  const core = coreOf(x, where);
  const lead = x.shape.length - normalizedShape.length;
  if (normalizedShape.length === 0 || lead < 0 || !sameShape(x.shape.slice(lead), normalizedShape)) {
    throw new ShapeError(where, "x", ["...", ...normalizedShape], x.shape);
  }
  if (!(epsilon >= 0 && epsilon < Infinity)) {
    throw new ArgumentError(where, "epsilon", "a finite number, at least 0", epsilon);
  }
  const from = operand(x, where, core);
  const [factor, offset] = (["weight", "bias"] as const).map((name) => {
    const value = name === "weight" ? weight : bias;
    if (value === null) return 0;
    if (!sameShape(value.shape, normalizedShape)) throw new ShapeError(where, name, normalizedShape, value.shape);
    return operand(value, where, core);
  }) as [number, number];
  const n = sizeOf(normalizedShape);
  const rows = n === 0 ? 0 : x.size / n;
  const y = createTensor(core, x.shape);
  const [means, scales] = [core.arenaAlloc(rows * 4), core.arenaAlloc(rows * 4)];
  core.raw.ur_layer_norm(from, factor, offset, rows, n, epsilon, y.pointer, means, scales);
  if (x.requiresGrad || weight?.requiresGrad === true || bias?.requiresGrad === true) {
    currentTape()?.push(LayerNormalisation, [x, weight, bias], [y], [rows, n, means, scales]);
  }
  releaseScratch(core);
  return y;
}
