/** Matrix products. */
import { ArgumentError, ShapeError } from "../errors.js";
import { Parameter } from "./parameter.js";
import { currentTape, releaseScratch } from "./scope.js";
import type { Operation, Tape } from "./tape.js";
import { coreOf, createTensor, operand, sameShape, sizeOf, type Tensor } from "./tensor.js";

/** Options of {@link matmul}. */
export interface MatmulOptions {
  /** Take `a` as (..., K, M); default false. */
  readonly transposeA?: boolean;
  /** Take `b` as (..., N, K); default false. */
  readonly transposeB?: boolean;
}

/** One matrix product of the core: y (+)= op(a) op(b), of m x k and k x n. */
interface Product {
  a: number;
  b: number;
  transposeA: number;
  transposeB: number;
  m: number;
  k: number;
  n: number;
}

/** Adds `batch` products to `to`; strides in elements, 0 for an operand or result that is shared by the batch. */
function accumulate(
  tape: Tape,
  to: number,
  batch: number,
  product: Product,
  strideA: number,
  strideB: number,
  shared: boolean,
): void {
  const { a, b, transposeA, transposeB, m, k, n } = product;
  const { core } = tape;
  if (!shared) {
    const status = core.raw.ur_matmul(a, b, to, batch, m, k, n, transposeA, transposeB, strideA, strideB, 1);
    core.checkStatus(status, "matmul");
    return;
  }
  for (let i = 0; i < batch; i++) {
    const [ai, bi] = [a + i * strideA * 4, b + i * strideB * 4];
    core.checkStatus(core.raw.ur_matmul(ai, bi, to, 1, m, k, n, transposeA, transposeB, 0, 0, 1), "matmul");
  }
}

const Matmul: Operation = {
  name: "matmul",
  // Y = A B gives dA = dY B^T and dB = A^T dY; an operand stored transposed gets the transpose of that product.
  backward({ inputs, outputs, saved }, tape) {
    const [a, b] = [inputs[0] as Tensor, inputs[1] as Tensor];
    const [batch, m, k, n, ta, tb, strideA, strideB] = saved as [
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    const dy = tape.gradient(outputs[0] as Tensor);
    const [da, db] = [tape.gradient(a), tape.gradient(b)];
    if (da !== 0) {
      const shared = strideA === 0 && batch > 1;
      if (ta === 0) {
        const product = { a: dy, b: b.pointer, transposeA: 0, transposeB: 1 - tb, m, k: n, n: k };
        accumulate(tape, da, batch, product, m * n, strideB, shared);
      } else {
        const product = { a: b.pointer, b: dy, transposeA: tb, transposeB: 1, m: k, k: n, n: m };
        accumulate(tape, da, batch, product, strideB, m * n, shared);
      }
    }
    if (db !== 0) {
      const shared = strideB === 0 && batch > 1;
      if (tb === 0) {
        const product = { a: a.pointer, b: dy, transposeA: 1 - ta, transposeB: 0, m: k, k: m, n };
        accumulate(tape, db, batch, product, strideA, m * n, shared);
      } else {
        const product = { a: dy, b: a.pointer, transposeA: 1, transposeB: ta, m: n, k: m, n: k };
        accumulate(tape, db, batch, product, m * n, strideA, shared);
      }
    }
  },
};

/**
 * Matrix product over the last two axes, (..., M, K) by (..., K, N). The leading axes are equal, or one operand has
 * none and is shared by the whole batch.
 *
 * @throws ShapeError
 */
export function matmul(a: Tensor, b: Tensor, options: MatmulOptions = {}): Tensor {
  const core = coreOf(a, "matmul");
  const [left, right] = [operand(a, "matmul", core), operand(b, "matmul", core)];
  const [ta, tb] = [options.transposeA === true ? 1 : 0, options.transposeB === true ? 1 : 0];
  const [da, db] = [a.shape.length, b.shape.length];
  if (da < 2) throw new ShapeError("matmul", "a", "two or more dimensions", a.shape);
  if (db < 2) throw new ShapeError("matmul", "b", "two or more dimensions", b.shape);
  const [m, k] = [a.shape[da - 2 + ta], a.shape[da - 1 - ta]] as [number, number];
  const [n, inner] = [b.shape[db - 1 - tb], b.shape[db - 2 + tb]] as [number, number];
  if (k !== inner) throw new ShapeError("matmul", "b", tb === 0 ? ["...", k, n] : ["...", n, k], b.shape);
  const [leadA, leadB] = [a.shape.slice(0, -2), b.shape.slice(0, -2)];
  if (leadA.length > 0 && leadB.length > 0 && !sameShape(leadA, leadB)) {
    throw new ShapeError("matmul", "b", [...leadA, ...b.shape.slice(-2)], b.shape);
  }
  const lead = leadA.length > 0 ? leadA : leadB;
  const y = createTensor(core, [...lead, m, n]);
  // A shared right operand makes the batch one tall matrix.
  const tall = leadB.length === 0 && ta === 0;
  const batch = tall ? 1 : sizeOf(lead);
  const rows = tall ? m * sizeOf(leadA) : m;
  const strideA = leadA.length === 0 || tall ? 0 : m * k;
  const strideB = leadB.length === 0 ? 0 : k * n;
  core.checkStatus(
    core.raw.ur_matmul(left, right, y.pointer, batch, rows, k, n, ta, tb, strideA, strideB, 0),
    "matmul",
  );
  if (a.requiresGrad || b.requiresGrad) {
    currentTape()?.push(Matmul, [a, b], [y], [batch, rows, k, n, ta, tb, strideA, strideB]);
  }
  return y;
}

const Linear: Operation = {
  name: "linear",
  backward({ inputs, outputs }, tape) {
    const [x, weight, bias] = [inputs[0] as Tensor, inputs[1] as Tensor, inputs[2] as Tensor | null];
    const y = outputs[0] as Tensor;
    const [rows, features, width] = [x.size, weight.shape[1] as number, weight.shape[0] as number];
    const { raw } = tape.core;
    const dx = tape.gradient(x);
    const status = raw.ur_linear_backward(
      x.pointer,
      features === 0 ? 0 : rows / features,
      features,
      width,
      dx === 0 ? 0 : packed(weight, 1),
      tape.gradient(y),
      dx,
      tape.gradient(weight),
      tape.gradient(bias),
    );
    tape.core.checkStatus(status, "linear");
  },
};

/** A parameter keeps its packed forms; any other weight is packed into the arena for this use. */
function packed(weight: Tensor, kind: 0 | 1): number {
  if (weight instanceof Parameter) return weight.pack(kind);
  const core = weight.home;
  const [rows, columns] = weight.shape;
  if (core === null || rows === undefined || columns === undefined) return 0;
  const pointer = core.arenaAlloc(core.raw.ur_packed_bytes(kind, rows, columns) >>> 0);
  core.raw.ur_pack(kind, weight.pointer, rows, columns, pointer);
  return pointer;
}

/**
 * x Wt + b over the last axis of x: (..., I) with weight (O, I) and bias (O) gives (..., O).
 *
 * @param where name for error messages
 * @throws ShapeError
 */
export function linear(x: Tensor, weight: Tensor, bias: Tensor | null = null, where = "linear"): Tensor {
  const core = coreOf(x, where);
  const from = operand(x, where, core);
  operand(weight, where, core);
  const [width, features] = weight.shape;
  if (width === undefined || features === undefined || weight.shape.length !== 2) {
    throw new ShapeError(where, "weight", ["outputs", "inputs"], weight.shape);
  }
  if (x.shape[x.shape.length - 1] !== features) throw new ShapeError(where, "x", ["...", features], x.shape);
  if (features === 0) throw new ArgumentError(where, "inputs", "1 or more", 0);
  if (bias !== null && (bias.size !== width || bias.shape.length !== 1)) {
    throw new ShapeError(where, "bias", [width], bias.shape);
  }
  const offset = bias === null ? 0 : operand(bias, where, core);
  const y = createTensor(core, [...x.shape.slice(0, -1), width]);
  core.raw.ur_linear_forward(from, x.size / features, features, width, packed(weight, 0), offset, y.pointer);
  if (x.requiresGrad || weight.requiresGrad || bias?.requiresGrad === true) {
    currentTape()?.push(Linear, [x, weight, bias], [y], []);
  }
  releaseScratch(core);
  return y;
}
