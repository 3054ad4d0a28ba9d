/** Integers that choose rows or classes: token ids, tags, targets. Plain JavaScript memory, usable anywhere. */
import { ArgumentError, ShapeError } from "../errors.js";
import { checkShape, fromNested, type NestedNumbers, sizeOf } from "./tensor.js";

/** An n-dimensional array of 32-bit integers, row-major. */
export class Ids {
  /** The integers, row-major. */
  readonly data: Int32Array;
  /** Length of each axis. */
  readonly shape: readonly number[];
  /** Number of integers. */
  readonly size: number;

  /** @throws ShapeError when the data does not fill the shape */
  constructor(data: Int32Array, shape: readonly number[] = [data.length]) {
    checkShape("Ids", shape);
    if (sizeOf(shape) !== data.length)
      throw new ShapeError("Ids", `data of ${data.length} integers`, "a fitting shape", shape);
    this.data = data;
    this.shape = shape;
    this.size = data.length;
  }
}

/**
 * Ids of nested arrays of integers, or of a flat Int32Array (not copied) with a shape (default: one dimension).
 *
 * @throws ArgumentError for numbers that are not 32-bit integers
 */
export function ids(values: NestedNumbers | Int32Array, shape?: readonly number[]): Ids {
  if (values instanceof Int32Array) return new Ids(values, shape);
  const nested = fromNested("ids", values);
  for (const value of nested.data) {
    if ((value | 0) !== value) throw new ArgumentError("ids", "every value", "a 32-bit integer", value);
  }
  return new Ids(Int32Array.from(nested.data), shape ?? nested.shape);
}
