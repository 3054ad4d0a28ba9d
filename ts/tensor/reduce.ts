/** Sums, means, maxima. */
import { ArgumentError } from "../errors.js";
import { Ids } from "./ids.js";
import { currentTape, releaseScratch } from "./scope.js";
import { axisOf, replaceAxis } from "./shape.js";
import type { Operation } from "./tape.js";
import { coreOf, createTensor, operand, sizeOf, type Tensor } from "./tensor.js";

/** Options of a reduction. */
export interface ReduceOptions {
  /** Keep the axis with length 1; default false. */
  readonly keepDims?: boolean;
}

const Sum: Operation = {
  name: "sum",
  backward({ inputs, outputs, saved }, tape) {
    const [x, y] = [inputs[0] as Tensor, outputs[0] as Tensor];
    const [outer, length, inner, scale] = saved as [number, number, number, number];
    tape.core.raw.ur_reduce_sum_backward(tape.gradient(y), tape.gradient(x), outer, length, inner, scale);
  },
};

function reduceSum(name: string, x: Tensor, axis: number | undefined, mean: boolean, options: ReduceOptions): Tensor {
  const core = coreOf(x, name);
  const from = operand(x, name, core);
  const [outer, length, inner, shape] = axes(name, x, axis, options);
  const y = createTensor(core, shape);
  const scale = mean ? 1 / length : 1;
  core.raw.ur_reduce_sum(from, y.pointer, outer, length, inner, scale);
  if (x.requiresGrad) currentTape()?.push(Sum, [x], [y], [outer, length, inner, scale]);
  return y;
}

/** A tensor as (outer, length, inner) around an axis, and the shape without it; no axis means all elements. */
function axes(
  name: string,
  x: Tensor,
  axis: number | undefined,
  options: ReduceOptions,
): [outer: number, length: number, inner: number, shape: readonly number[]] {
  if (axis === undefined) return [1, x.size, 1, options.keepDims === true ? x.shape.map(() => 1) : []];
  const along = axisOf(name, axis, x.shape.length);
  const shape = options.keepDims === true ? replaceAxis(x.shape, along, 1) : replaceAxis(x.shape, along);
  return [sizeOf(x.shape.slice(0, along)), x.shape[along] as number, sizeOf(x.shape.slice(along + 1)), shape];
}

/**
 * Sum along an axis; without one, of all elements (a scalar).
 * @throws ArgumentError for an axis that is none
 */
export function sum(x: Tensor, axis?: number, options: ReduceOptions = {}): Tensor {
  return reduceSum("sum", x, axis, false, options);
}

/**
 * Mean along an axis; without one, of all elements (a scalar).
 * @throws ArgumentError for an axis that is none
 */
export function mean(x: Tensor, axis?: number, options: ReduceOptions = {}): Tensor {
  return reduceSum("mean", x, axis, true, options);
}

const Max: Operation = {
  name: "max",
  backward({ inputs, outputs, saved }, tape) {
    const [x, y] = [inputs[0] as Tensor, outputs[0] as Tensor];
    const [index, length, inner] = saved as [number, number, number];
    const outer = y.size / inner;
    tape.core.raw.ur_reduce_max_backward(tape.gradient(y), index, tape.gradient(x), outer, length, inner);
  },
};

/**
 * Greatest element along an axis; without one, of all elements (a scalar). The gradient goes to the first of equals.
 * @throws ArgumentError when the axis has length 0
 */
export function max(x: Tensor, axis?: number, options: ReduceOptions = {}): Tensor {
  const core = coreOf(x, "max");
  const from = operand(x, "max", core);
  const [outer, length, inner, shape] = axes("max", x, axis, options);
  if (length === 0) throw new ArgumentError("max", "the axis", "of length 1 or more", 0);
  const y = createTensor(core, shape);
  const index = core.arenaAlloc(y.size * 4);
  core.raw.ur_reduce_max(from, y.pointer, index, outer, length, inner);
  if (x.requiresGrad) currentTape()?.push(Max, [x], [y], [index, length, inner]);
  releaseScratch(core);
  return y;
}

/**
 * Position of the greatest element along an axis (default the last), the first of equals: a choice, no gradient.
 * @throws ArgumentError for an axis that is none
 */
export function argmax(x: Tensor, axis = -1): Ids {
  const core = coreOf(x, "argmax");
  const from = operand(x, "argmax", core);
  const [outer, length, inner, shape] = axes("argmax", x, axis, {});
  if (length === 0) throw new ArgumentError("argmax", "the axis", "of length 1 or more", 0);
  const mark = core.arenaMark();
  const size = sizeOf(shape);
  const index = core.arenaAlloc(size * 4);
  core.raw.ur_reduce_max(from, core.arenaAlloc(size * 4), index, outer, length, inner);
  const chosen = new Ids(core.readI32(index, size), shape);
  core.arenaReset(mark);
  return chosen;
}
