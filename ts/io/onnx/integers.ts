/** Arrangements of whole numbers, which are shapes, axes and ids: few, and outside the core. */
import { ShapeError } from "../../errors.js";
import { broadcastShape } from "../../tensor/binary.js";
import { Ids } from "../../tensor/ids.js";
import { contiguousStrides } from "../../tensor/shape.js";
import { sizeOf } from "../../tensor/tensor.js";
import { toInteger } from "./tensors.js";

/** The elements of `from` that strides lead to, as an array of another shape. */
export function rearrange(from: Ids, shape: readonly number[], strides: readonly number[], offset = 0): Ids {
  const data = new Int32Array(sizeOf(shape));
  const index = new Array<number>(shape.length).fill(0);
  let at = offset;
  for (let i = 0; i < data.length; i++) {
    data[i] = from.data[at] as number;
    // To the next element: the last axis first, as an odometer.
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const stride = strides[axis] as number;
      index[axis] = (index[axis] as number) + 1;
      at += stride;
      if ((index[axis] as number) < (shape[axis] as number)) break;
      at -= stride * (shape[axis] as number);
      index[axis] = 0;
    }
  }
  return new Ids(data, shape);
}

/** As if repeated along the axes where it has length 1. */
export function broadcast(where: string, from: Ids, shape: readonly number[]): Ids {
  const lead = shape.length - from.shape.length;
  const strides = contiguousStrides(from.shape);
  const fits = from.shape.every((length, i) => length === 1 || length === shape[lead + i]);
  if (lead < 0 || !fits) throw new ShapeError(where, "an operand", shape, from.shape);
  const stretched = shape.map((_, i) => (i < lead || from.shape[i - lead] === 1 ? 0 : (strides[i - lead] as number)));
  return rearrange(from, shape, stretched);
}

/** A function of two values, element by element, with broadcasting. */
export function combine(where: string, a: Ids, b: Ids, of: (a: number, b: number) => number): Ids {
  const shape = broadcastShape(where, a.shape, b.shape);
  const [left, right] = [broadcast(where, a, shape), broadcast(where, b, shape)];
  const data = left.data.map((value, i) => toInteger(of(value, right.data[i] as number)));
  return new Ids(data, shape);
}
