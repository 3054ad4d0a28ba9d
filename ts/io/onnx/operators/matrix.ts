/** Matrix products. */
import { ShapeError } from "../../../errors.js";
import { add, broadcastShape, mul } from "../../../tensor/binary.js";
import { matmul } from "../../../tensor/matmul.js";
import { reshape } from "../../../tensor/shape.js";
import { ones, sameShape, sizeOf, type Tensor } from "../../../tensor/tensor.js";
import type { Node, Operator, Operators } from "../node.js";

/** As NumPy has it: a vector is a row on the left and a column on the right; leading axes broadcast. */
const matMul: Operator = {
  inputs: ["A", "B"],
  prepare: (node) => (inputs) => {
    const [a, b] = [node.real(inputs, 0), node.real(inputs, 1)];
    const left = a.shape.length === 1 ? reshape(a, [1, a.size]) : a;
    const right = b.shape.length === 1 ? reshape(b, [b.size, 1]) : b;
    const [leadA, leadB] = [left.shape.slice(0, -2), right.shape.slice(0, -2)];
    const lead = broadcastShape(node.label, leadA, leadB);
    node.reserve([...lead, left.shape.at(-2) ?? 1, right.shape.at(-1) ?? 1]);
    const plain = leadA.length === 0 || leadB.length === 0 || sameShape(leadA, leadB);
    const y = plain ? matmul(left, right) : matmul(stretch(node, left, lead), stretch(node, right, lead));
    const shape = [...lead];
    if (a.shape.length > 1) shape.push(a.shape.at(-2) as number);
    if (b.shape.length > 1) shape.push(b.shape.at(-1) as number);
    return [reshape(y, shape)];
  },
};

/** Matrices repeated along the leading axes that broadcast. */
function stretch(node: Node, x: Tensor, lead: readonly number[]): Tensor {
  const shape = [...lead, ...x.shape.slice(-2)];
  if (x.size === sizeOf(shape)) return reshape(x, shape);
  node.reserve(shape);
  return mul(x, ones(shape, node.context.core));
}

/** alpha op(A) op(B) + beta C */
const gemm: Operator = {
  inputs: ["A", "B", "C?"],
  prepare: (node) => {
    const [alpha, beta] = [node.float("alpha", 1), node.float("beta", 1)];
    const options = { transposeA: node.flag("transA"), transposeB: node.flag("transB") };
    return (inputs) => {
      const [a, b, c] = [node.real(inputs, 0), node.real(inputs, 1), node.optionalReal(inputs, 2)];
      for (const [name, { shape }] of [
        ["A", a],
        ["B", b],
      ] as const) {
        if (shape.length !== 2) throw new ShapeError(node.label, name, "two dimensions", shape);
      }
      node.reserve([a.shape[options.transposeA ? 1 : 0] as number, b.shape[options.transposeB ? 0 : 1] as number]);
      const product = matmul(a, b, options);
      const y = alpha === 1 ? product : mul(product, alpha);
      return [c === undefined ? y : add(y, beta === 1 ? c : mul(c, beta))];
    };
  },
};

export const matrixOperators: Operators = { Gemm: gemm, MatMul: matMul };
