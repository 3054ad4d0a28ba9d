/** Softmax and its logarithm. */
import { ArgumentError } from "../errors.js";
import { currentTape } from "./scope.js";
import { axisOf, transpose } from "./shape.js";
import type { Operation } from "./tape.js";
import { coreOf, createTensor, operand, type Tensor } from "./tensor.js";

/** Options of {@link softmax} and {@link logSoftmax}. */
export interface SoftmaxOptions {
  /** Axis that sums to one; default the last. */
  readonly axis?: number;
  /** Divides the values first; default 1. */
  readonly temperature?: number;
}

const Softmax: Operation = {
  name: "softmax",
  backward({ inputs, outputs, saved }, tape) {
    const [x, y] = [inputs[0] as Tensor, outputs[0] as Tensor];
    const [rows, columns, inverse, logarithm] = saved as [number, number, number, number];
    const { raw } = tape.core;
    raw.ur_softmax_backward(y.pointer, tape.gradient(y), tape.gradient(x), rows, columns, inverse, logarithm);
  },
};

function softmaxOf(name: string, x: Tensor, options: SoftmaxOptions, logarithm: 0 | 1): Tensor {
  const core = coreOf(x, name);
  const temperature = options.temperature ?? 1;
  if (!(temperature > 0 && Number.isFinite(temperature))) {
    throw new ArgumentError(name, "temperature", "a finite number above 0", temperature);
  }
  const last = x.shape.length - 1;
  const axis = axisOf(name, options.axis ?? -1, x.shape.length);
  if (axis !== last)
    return transpose(softmaxOf(name, transpose(x, axis, last), { temperature }, logarithm), axis, last);
  const from = operand(x, name, core);
  const columns = x.shape[last] as number;
  const rows = columns === 0 ? 0 : x.size / columns;
  const y = createTensor(core, x.shape);
  core.raw.ur_softmax(from, y.pointer, rows, columns, 1 / temperature, logarithm);
  if (x.requiresGrad) currentTape()?.push(Softmax, [x], [y], [rows, columns, 1 / temperature, logarithm]);
  return y;
}

/**
 * e^(x / temperature), normalised to sum to one along an axis.
 * @throws ArgumentError for an axis that is none, or a temperature that is not above 0
 */
export function softmax(x: Tensor, options: SoftmaxOptions = {}): Tensor {
  return softmaxOf("softmax", x, options, 0);
}

/**
 * Logarithm of {@link softmax}, without the overflow.
 * @throws ArgumentError for an axis that is none, or a temperature that is not above 0
 */
export function logSoftmax(x: Tensor, options: SoftmaxOptions = {}): Tensor {
  return softmaxOf("logSoftmax", x, options, 1);
}
