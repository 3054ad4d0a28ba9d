/** Other arrangements of the same values: reshape, permute, slice, concatenate. */
import type { Core } from "../core/core.js";
import { ArgumentError, ShapeError } from "../errors.js";
import { currentTape } from "./scope.js";
import type { Operation } from "./tape.js";
import { coreOf, createTensor, createView, MAX_DIMENSIONS, operand, sizeOf, type Tensor } from "./tensor.js";

/** An axis counted from the front; negative ones count from the back. @internal */
export function axisOf(where: string, axis: number, dimensions: number): number {
  const index = axis < 0 ? axis + dimensions : axis;
  if (!Number.isInteger(index) || index < 0 || index >= dimensions) {
    throw new ArgumentError(where, "axis", `an axis of ${dimensions} dimensions`, axis);
  }
  return index;
}

/** A shape with the length of one axis replaced, or the axis left out. @internal */
export function replaceAxis(shape: readonly number[], axis: number, ...lengths: number[]): number[] {
  const replaced = [...shape];
  replaced.splice(axis, 1, ...lengths);
  return replaced;
}

/** Element strides of a contiguous tensor. @internal */
export function contiguousStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = stride;
    stride *= shape[i] as number;
  }
  return strides;
}

/** destination[strides] (+)= source[strides] over a shape; pointers are of the first elements. @internal */
export function copyStrided(
  core: Core,
  source: number,
  destination: number,
  shape: readonly number[],
  sourceStrides: readonly number[],
  destinationStrides: readonly number[],
  accumulate: boolean,
): void {
  const { scratch, raw } = core;
  const words = core.i32;
  const at = scratch >>> 2;
  // A scalar is one element of one dimension to the core.
  const dimensions = Math.max(shape.length, 1);
  for (let i = 0; i < dimensions; i++) {
    words[at + i] = shape[i] ?? 1;
    words[at + MAX_DIMENSIONS + i] = sourceStrides[i] ?? 1;
    words[at + 2 * MAX_DIMENSIONS + i] = destinationStrides[i] ?? 1;
  }
  const stridesAt = scratch + MAX_DIMENSIONS * 4;
  const second = stridesAt + MAX_DIMENSIONS * 4;
  raw.ur_copy_strided(source, destination, dimensions, scratch, stridesAt, second, accumulate ? 1 : 0);
}

/**
 * The same values under another shape, without copying. One length may be -1: it is what remains.
 * @throws ShapeError when the number of elements differs
 */
export function reshape(x: Tensor, shape: readonly number[]): Tensor {
  x.resolve("reshape");
  const open = shape.indexOf(-1);
  let full = shape;
  if (open >= 0) {
    const known = -sizeOf(shape);
    full = replaceAxis(shape, open, known === 0 ? 0 : x.size / known);
  }
  if (sizeOf(full) !== x.size || !full.every((n) => Number.isInteger(n) && n >= 0) || full.length > MAX_DIMENSIONS) {
    throw new ShapeError("reshape", `a tensor of ${x.size} elements`, shape, x.shape);
  }
  return createView(x, [...full], 0);
}

/** The same values, through which no gradient flows. */
export function detach(x: Tensor): Tensor {
  x.resolve("detach");
  const view = createView(x, x.shape, 0);
  view.requiresGrad = false;
  return view;
}

const Permute: Operation = {
  name: "permute",
  backward({ inputs, outputs, saved }, tape) {
    const [x, y] = [inputs[0] as Tensor, outputs[0] as Tensor];
    const strides = contiguousStrides(x.shape);
    const toStrides = saved.map((axis) => strides[axis] as number);
    copyStrided(tape.core, tape.gradient(y), tape.gradient(x), y.shape, contiguousStrides(y.shape), toStrides, true);
  },
};

/**
 * Axes in another order: axis i of the result is axis `axes[i]` of x. Copies.
 * @throws ArgumentError for axes that are none
 */
export function permute(x: Tensor, axes: readonly number[]): Tensor {
  const core = coreOf(x, "permute");
  const from = operand(x, "permute", core);
  const order = axes.map((axis) => axisOf("permute", axis, x.shape.length));
  if (order.length !== x.shape.length || new Set(order).size !== order.length) {
    throw new ArgumentError("permute", "axes", `each of ${x.shape.length} axes once`, axes);
  }
  const strides = contiguousStrides(x.shape);
  const shape = order.map((axis) => x.shape[axis] as number);
  const y = createTensor(core, shape);
  const fromStrides = order.map((axis) => strides[axis] as number);
  copyStrided(core, from, y.pointer, shape, fromStrides, contiguousStrides(shape), false);
  if (x.requiresGrad) currentTape()?.push(Permute, [x], [y], order);
  return y;
}

/**
 * Two axes exchanged; default the last two. Copies.
 * @throws ArgumentError for axes that are none
 */
export function transpose(x: Tensor, first = -2, second = -1): Tensor {
  const dimensions = x.shape.length;
  const axes = x.shape.map((_, i) => i);
  const [a, b] = [axisOf("transpose", first, dimensions), axisOf("transpose", second, dimensions)];
  axes[a] = b;
  axes[b] = a;
  return permute(x, axes);
}

const Slice: Operation = {
  name: "slice",
  backward({ inputs, outputs, saved }, tape) {
    const [x, y] = [inputs[0] as Tensor, outputs[0] as Tensor];
    const to = tape.gradient(x) + (saved[0] as number) * 4;
    copyStrided(tape.core, tape.gradient(y), to, y.shape, contiguousStrides(y.shape), contiguousStrides(x.shape), true);
  },
};

/**
 * The part from `start` up to `end` (not included) of an axis; negative numbers count from the back. Default: to the
 * end. Along the first axis nothing is copied.
 * @throws ArgumentError for an axis or a position that is none
 */
export function slice(x: Tensor, axis: number, start: number, end?: number): Tensor {
  const core = coreOf(x, "slice");
  const from = operand(x, "slice", core);
  const along = axisOf("slice", axis, x.shape.length);
  const length = x.shape[along] as number;
  const first = start < 0 ? start + length : start;
  const last = end === undefined ? length : end < 0 ? end + length : end;
  if (!Number.isInteger(first) || first < 0 || first > length) {
    throw new ArgumentError("slice", "start", `an integer within ${length}`, start);
  }
  if (!Number.isInteger(last) || last < first || last > length) {
    throw new ArgumentError("slice", "end", `an integer from start to ${length}`, end);
  }
  const shape = replaceAxis(x.shape, along, last - first);
  const strides = contiguousStrides(x.shape);
  const offset = first * (strides[along] as number);
  // The leading axes before it all of length 1: the part is one piece of memory.
  if (sizeOf(x.shape.slice(0, along)) === 1) return createView(x, shape, offset);
  const y = createTensor(core, shape);
  copyStrided(core, from + offset * 4, y.pointer, shape, strides, contiguousStrides(shape), false);
  if (x.requiresGrad) currentTape()?.push(Slice, [x], [y], [offset]);
  return y;
}

/**
 * One position of an axis, which disappears: `select(x, 1, t)` of (B, T, H) is (B, H).
 * @throws ArgumentError for an axis or a position that is none
 */
export function select(x: Tensor, axis: number, index: number): Tensor {
  const along = axisOf("select", axis, x.shape.length);
  const at = index < 0 ? index + (x.shape[along] as number) : index;
  return reshape(slice(x, along, at, at + 1), replaceAxis(x.shape, along));
}

const Concat: Operation = {
  name: "concat",
  backward({ inputs, outputs, saved }, tape) {
    const y = outputs[0] as Tensor;
    const strides = contiguousStrides(y.shape);
    inputs.forEach((input, i) => {
      const x = input as Tensor;
      const to = tape.gradient(x);
      if (to === 0) return;
      const from = tape.gradient(y) + (saved[i] as number) * 4;
      copyStrided(tape.core, from, to, x.shape, strides, contiguousStrides(x.shape), true);
    });
  },
};

/**
 * Tensors one after the other along an axis; their other lengths are equal.
 * @throws ShapeError unless the other lengths are equal; ArgumentError for no tensors, or an axis that is none
 */
export function concat(parts: readonly Tensor[], axis = -1): Tensor {
  const first = parts[0];
  if (first === undefined) throw new ArgumentError("concat", "parts", "at least one tensor", parts);
  const core = coreOf(first, "concat");
  const along = axisOf("concat", axis, first.shape.length);
  let total = 0;
  for (const part of parts) {
    const expected = replaceAxis(first.shape, along, part.shape[along] ?? 0);
    if (part.shape.length !== expected.length || !part.shape.every((n, i) => n === expected[i])) {
      throw new ShapeError(
        "concat",
        "a part",
        first.shape.map((n, i) => (i === along ? "any" : n)),
        part.shape,
      );
    }
    total += part.shape[along] as number;
  }
  const pointers = parts.map((part) => operand(part, "concat", core));
  const y = createTensor(core, replaceAxis(first.shape, along, total));
  const strides = contiguousStrides(y.shape);
  const offsets: number[] = [];
  let offset = 0;
  parts.forEach((part, i) => {
    offsets.push(offset);
    const to = y.pointer + offset * 4;
    copyStrided(core, pointers[i] as number, to, part.shape, contiguousStrides(part.shape), strides, false);
    offset += (part.shape[along] as number) * (strides[along] as number);
  });
  if (parts.some((part) => part.requiresGrad)) currentTape()?.push(Concat, parts, [y], offsets);
  return y;
}

/**
 * Tensors of one shape along a new axis: T tensors of (B, H) with axis 1 are (B, T, H).
 * @throws ShapeError unless the other lengths are equal; ArgumentError for no tensors, or an axis that is none
 */
export function stack(parts: readonly Tensor[], axis = 0): Tensor {
  const along = axisOf("stack", axis, (parts[0]?.shape.length ?? 0) + 1);
  return concat(
    parts.map((part) => reshape(part, [...part.shape.slice(0, along), 1, ...part.shape.slice(along)])),
    along,
  );
}
