/** Functions of two tensors element by element, with broadcasting as in NumPy: lengths are equal or 1, from the right. */
import type { Core } from "../core/core.js";
import { ArgumentError, ShapeError } from "../errors.js";
import { binaryKinds } from "./kinds.js";
import { currentTape } from "./scope.js";
import type { Operation } from "./tape.js";
import { coreOf, createTensor, full, MAX_DIMENSIONS, operand, sameShape, type Tensor } from "./tensor.js";

const Binary: Operation = {
  name: "binary",
  backward({ inputs, outputs, saved }, tape) {
    const [a, b, y] = [inputs[0] as Tensor, inputs[1] as Tensor, outputs[0] as Tensor];
    const { core } = tape;
    const { raw, scratch } = core;
    const dimensions = writeBroadcast(core, y.shape, a.shape, b.shape);
    raw.ur_binary_backward(
      saved[0] as number,
      a.pointer,
      b.pointer,
      y.pointer,
      tape.gradient(y),
      tape.gradient(a),
      tape.gradient(b),
      dimensions,
      scratch,
      scratch + MAX_DIMENSIONS * 4,
      scratch + MAX_DIMENSIONS * 8,
    );
  },
};

function binary(name: keyof typeof binaryKinds, left: Tensor | number, right: Tensor | number): Tensor {
  const given = typeof left === "number" ? right : left;
  if (typeof given === "number") throw new ArgumentError(name, "one operand", "a tensor", given);
  const core = coreOf(given, name);
  const a = typeof left === "number" ? full([], left, core) : left;
  const b = typeof right === "number" ? full([], right, core) : right;
  const [from, and] = [operand(a, name, core), operand(b, name, core)];
  const y = createTensor(core, broadcastShape(name, a.shape, b.shape));
  const { raw, scratch } = core;
  const dimensions = writeBroadcast(core, y.shape, a.shape, b.shape);
  const stridesA = scratch + MAX_DIMENSIONS * 4;
  raw.ur_binary(binaryKinds[name], from, and, y.pointer, dimensions, scratch, stridesA, stridesA + MAX_DIMENSIONS * 4);
  if (a.requiresGrad || b.requiresGrad) currentTape()?.push(Binary, [a, b], [y], [binaryKinds[name]]);
  if (a !== left) a.dispose();
  if (b !== right) b.dispose();
  return y;
}

/** The shape that two shapes broadcast to. @internal */
export function broadcastShape(where: string, a: readonly number[], b: readonly number[]): readonly number[] {
  if (sameShape(a, b)) return a;
  const shape: number[] = [];
  for (let i = Math.max(a.length, b.length); i > 0; i--) {
    const [m, n] = [a[a.length - i] ?? 1, b[b.length - i] ?? 1];
    if (m !== n && m !== 1 && n !== 1)
      throw new ShapeError(where, "the second operand", `one that fits [${a.join(", ")}]`, b);
    shape.push(m === 1 ? n : m);
  }
  return shape;
}

/** Writes shape and both strides to the scratch words; returns the number of dimensions. */
function writeBroadcast(core: Core, y: readonly number[], a: readonly number[], b: readonly number[]): number {
  const words = core.i32;
  const at = core.scratch >>> 2;
  if (a.length === y.length && b.length === y.length && sameShape(a, b)) {
    let size = 1;
    for (const length of y) size *= length;
    words[at] = size;
    words[at + MAX_DIMENSIONS] = 1;
    words[at + 2 * MAX_DIMENSIONS] = 1;
    return 1;
  }
  y.forEach((length, i) => {
    words[at + i] = length;
  });
  writeStrides(words, at + MAX_DIMENSIONS, a, y.length);
  writeStrides(words, at + 2 * MAX_DIMENSIONS, b, y.length);
  return y.length;
}

/** Element strides of a contiguous shape aligned right in `dimensions`; 0 where it broadcasts. @internal */
export function writeStrides(words: Int32Array, at: number, shape: readonly number[], dimensions: number): void {
  let stride = 1;
  for (let i = 1; i <= dimensions; i++) {
    const length = shape[shape.length - i] ?? 1;
    words[at + dimensions - i] = length === 1 ? 0 : stride;
    stride *= length;
  }
}

/**
 * a + b.
 * @throws ShapeError unless one shape broadcasts to the other, as in NumPy; ArgumentError for two numbers
 */
export function add(a: Tensor | number, b: Tensor | number): Tensor {
  return binary("add", a, b);
}

/**
 * a - b.
 * @throws ShapeError unless one shape broadcasts to the other, as in NumPy; ArgumentError for two numbers
 */
export function sub(a: Tensor | number, b: Tensor | number): Tensor {
  return binary("sub", a, b);
}

/**
 * a b, element by element.
 * @throws ShapeError unless one shape broadcasts to the other, as in NumPy; ArgumentError for two numbers
 */
export function mul(a: Tensor | number, b: Tensor | number): Tensor {
  return binary("mul", a, b);
}

/**
 * a / b.
 * @throws ShapeError unless one shape broadcasts to the other, as in NumPy; ArgumentError for two numbers
 */
export function div(a: Tensor | number, b: Tensor | number): Tensor {
  return binary("div", a, b);
}

/**
 * The greater of both; where they are equal, both get half the gradient.
 * @throws ShapeError unless one shape broadcasts to the other, as in NumPy; ArgumentError for two numbers
 */
export function maximum(a: Tensor | number, b: Tensor | number): Tensor {
  return binary("maximum", a, b);
}

/**
 * The lesser of both; where they are equal, both get half the gradient.
 * @throws ShapeError unless one shape broadcasts to the other, as in NumPy; ArgumentError for two numbers
 */
export function minimum(a: Tensor | number, b: Tensor | number): Tensor {
  return binary("minimum", a, b);
}
