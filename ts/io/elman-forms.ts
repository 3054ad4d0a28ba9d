/**
 * Two other ways to write down an Elman layer, as a file or a textbook may have it, and the layer's own parameters.
 *
 *   concatenated   h_t = phi(W [h_{t-1}; x_t] + b)      W (H, H + I), b (H)
 *   absorbed       h_t = phi(W [h_{t-1}; x_t; 1])       W (H, H + I + 1): its last column is the bias
 *
 * Both may have x_t before h_{t-1}. A layer has two biases, which are added: b becomes bias_ih, and bias_hh is 0.
 */
import { LoadError, ShapeError } from "../errors.js";
import type { StateDict } from "../nn/module.js";
import type { PlainTensor } from "../tensor/tensor.js";

/** Values in row-major order with their shape. */
type Values = { readonly data: ArrayLike<number>; readonly shape: readonly number[] };

/** An Elman layer as one matrix. */
export interface ElmanMatrix {
  /** (H, H + I), or (H, H + I + 1) with the bias as its last column. */
  readonly weight: PlainTensor;
  /** (H), unless the matrix has absorbed it. */
  readonly bias?: PlainTensor;
}

/** Options of {@link splitElmanMatrix} and {@link joinElmanMatrix}. */
export interface ElmanFormOptions {
  /** Columns of x come before those of h; default false: h first. */
  readonly inputFirst?: boolean;
  /** End of the parameters' names; default "_l0", the first layer. */
  readonly suffix?: string;
}

/**
 * The parameters of an {@link RNN} layer from one matrix; the bias is its last column where none is given.
 *
 * @throws ShapeError when matrix, bias and inputSize do not fit
 */
export function splitElmanMatrix(
  { weight, bias }: { readonly weight: Values; readonly bias?: Values | undefined },
  inputSize: number,
  options: ElmanFormOptions = {},
): StateDict {
  const where = "splitElmanMatrix";
  const { inputFirst = false, suffix = "_l0" } = options;
  const [hidden = 0, columns = 0] = weight.shape;
  const used = hidden + inputSize;
  const expected = [hidden, bias === undefined ? used + 1 : used];
  if (weight.shape.length !== 2 || columns !== expected[1] || weight.data.length !== hidden * columns) {
    throw new ShapeError(where, "weight", ["H", `H + ${inputSize}${bias === undefined ? " + 1" : ""}`], weight.shape);
  }
  if (bias !== undefined && (bias.shape.length !== 1 || bias.data.length !== hidden)) {
    throw new ShapeError(where, "bias", [hidden], bias.shape);
  }
  const part = (first: number, width: number): PlainTensor => {
    const data = new Float32Array(hidden * width);
    for (let row = 0; row < hidden; row++) {
      for (let k = 0; k < width; k++) data[row * width + k] = weight.data[row * columns + first + k] as number;
    }
    return { data, shape: [hidden, width] };
  };
  const absorbed = bias ?? part(used, 1);
  return new Map([
    [`weight_ih${suffix}`, part(inputFirst ? 0 : hidden, inputSize)],
    [`weight_hh${suffix}`, part(inputFirst ? inputSize : 0, hidden)],
    [`bias_ih${suffix}`, { data: Float32Array.from(absorbed.data), shape: [hidden] }],
    [`bias_hh${suffix}`, { data: new Float32Array(hidden), shape: [hidden] }],
  ]);
}

/**
 * The opposite of {@link splitElmanMatrix}: one matrix from the parameters of an {@link RNN} layer.
 *
 * @param options.absorbBias the bias, the sum of the layer's two, becomes the last column; default false
 * @throws LoadError (missing_tensor)
 */
export function joinElmanMatrix(
  values: ReadonlyMap<string, Values>,
  options: ElmanFormOptions & { readonly absorbBias?: boolean } = {},
): ElmanMatrix {
  const { inputFirst = false, suffix = "_l0", absorbBias = false } = options;
  const named = (name: string): Values => {
    const found = values.get(`${name}${suffix}`);
    if (found === undefined) throw new LoadError("missing_tensor", `joinElmanMatrix: ${name}${suffix} missing`);
    return found;
  };
  const [weightIh, weightHh] = [named("weight_ih"), named("weight_hh")];
  const [hidden, input] = weightIh.shape as [number, number];
  const bias = new Float32Array(hidden);
  if (values.has(`bias_ih${suffix}`)) {
    const [fromInput, fromState] = [named("bias_ih").data, named("bias_hh").data];
    for (let row = 0; row < hidden; row++) bias[row] = (fromInput[row] as number) + (fromState[row] as number);
  }
  const columns = hidden + input + (absorbBias ? 1 : 0);
  const data = new Float32Array(hidden * columns);
  const place = (from: ArrayLike<number>, first: number, width: number): void => {
    for (let row = 0; row < hidden; row++) {
      for (let k = 0; k < width; k++) data[row * columns + first + k] = from[row * width + k] as number;
    }
  };
  place(weightIh.data, inputFirst ? 0 : hidden, input);
  place(weightHh.data, inputFirst ? input : 0, hidden);
  const weight = { data, shape: [hidden, columns] };
  if (!absorbBias) return { weight, bias: { data: bias, shape: [hidden] } };
  place(bias, hidden + input, 1);
  return { weight };
}
