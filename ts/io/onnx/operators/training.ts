/**
 * Updates of optimizers, domain ai.onnx.preview.training: for any number of tensors X with gradients G and the
 * optimizer's memory of them, given a learning rate R and the number T of updates before this one, the new X and memory.
 *
 * The equations are the specification's. They differ from those of the package's own optimizers, which are PyTorch's, in
 * where epsilon goes and in the decay of the learning rate.
 */

import { pow } from "../../../core/elementary.js";
import { ArgumentError } from "../../../errors.js";
import { add, div, mul, sub } from "../../../tensor/binary.js";
import type { Tensor } from "../../../tensor/tensor.js";
import { sqrt, square } from "../../../tensor/unary.js";
import type { Inputs, Node, Operator, Operators } from "../node.js";

/** One tensor's update: from its value, gradient and memory to its new value and memory. */
type Update = (rate: number, updates: number, x: Tensor, g: Tensor, ...memory: Tensor[]) => Tensor[];

/** An optimizer with so many memories a tensor. The tensors come kind by kind: all X, all G, all of the first memory. */
function optimizer(memories: readonly string[], read: (node: Node) => Update): Operator {
  const kinds = 2 + memories.length;
  return {
    inputs: ["R", "T", "X, G and memory..."],
    constantFolding: false,
    prepare: (node) => {
      const update = read(node);
      return (inputs) => {
        const tensors = (inputs.length - 2) / kinds;
        if (!Number.isInteger(tensors) || tensors < 1) {
          throw new ArgumentError(
            node.label,
            "inputs after R and T",
            `X, G, ${memories.join(", ")} for each tensor`,
            inputs.length - 2,
          );
        }
        const [rate, updates] = [node.real(inputs, 0).item(), node.whole(inputs, 1).data[0] ?? 0];
        const results = Array.from({ length: tensors }, (_, i) =>
          update(rate, updates, ...(tensorsOf(node, inputs, i, tensors, kinds) as [Tensor, Tensor])),
        );
        // Kind by kind again: all new X, then all of the first memory.
        return [...Array(kinds - 1).keys()].flatMap((kind) => results.map((result) => result[kind] as Tensor));
      };
    },
  };
}

function tensorsOf(node: Node, inputs: Inputs, i: number, tensors: number, kinds: number): Tensor[] {
  return Array.from({ length: kinds }, (_, kind) => node.real(inputs, 2 + kind * tensors + i));
}

/** G + norm_coefficient X: the gradient of the loss with weight decay. */
function regularized(decay: number, x: Tensor, g: Tensor): Tensor {
  return add(mul(x, decay), g);
}

/** r = R / (1 + T decay_factor);  H' = H + G^2;  X' = X - r G / (sqrt(H') + epsilon) */
const adagrad = optimizer(["H"], (node) => {
  const [decayFactor, epsilon] = [node.float("decay_factor", 0), node.float("epsilon", 1e-6)];
  const decay = node.float("norm_coefficient", 0);
  return (rate, updates, x, g, h) => {
    const gradient = regularized(decay, x, g);
    const sum = add(h as Tensor, square(gradient));
    const step = div(gradient, add(sqrt(sum), epsilon));
    return [sub(x, mul(step, rate / (1 + updates * decayFactor))), sum];
  };
});

/**
 * V' = alpha V + (1 - alpha) G;  H' = beta H + (1 - beta) G^2;  r = R sqrt(1 - beta^T) / (1 - alpha^T), R where T is 0;
 * X' = (1 - norm_coefficient_post) (X - r V' / (sqrt(H') + epsilon))
 */
const adam = optimizer(["V", "H"], (node) => {
  const [alpha, beta, epsilon] = [node.float("alpha", 0.9), node.float("beta", 0.999), node.float("epsilon", 1e-6)];
  const [decay, decayAfter] = [node.float("norm_coefficient", 0), node.float("norm_coefficient_post", 0)];
  return (rate, updates, x, g, v, h) => {
    const gradient = regularized(decay, x, g);
    const first = add(mul(v as Tensor, alpha), mul(gradient, 1 - alpha));
    const second = add(mul(h as Tensor, beta), mul(square(gradient), 1 - beta));
    const correction = updates > 0 ? Math.sqrt(1 - pow(beta, updates)) / (1 - pow(alpha, updates)) : 1;
    const step = div(mul(first, rate * correction), add(sqrt(second), epsilon));
    return [mul(sub(x, step), 1 - decayAfter), first, second];
  };
});

/** V' = alpha V + b G, b being 1 in the first update and beta later;  X' = X - R V', nesterov: X - R (G + alpha V') */
const momentum = optimizer(["V"], (node) => {
  for (const name of ["alpha", "beta", "mode", "norm_coefficient"]) {
    if (!node.has(name)) throw node.invalid(name, "given", "none");
  }
  const [alpha, beta, decay] = [node.float("alpha", 0), node.float("beta", 0), node.float("norm_coefficient", 0)];
  const nesterov = node.choice("mode", ["standard", "nesterov"]) === "nesterov";
  return (rate, updates, x, g, v) => {
    const gradient = regularized(decay, x, g);
    const velocity = add(mul(v as Tensor, alpha), mul(gradient, updates > 0 ? beta : 1));
    const step = nesterov ? add(gradient, mul(velocity, alpha)) : velocity;
    return [sub(x, mul(step, rate)), velocity];
  };
});

export const trainingOperators: Operators = { Adagrad: adagrad, Adam: adam, Momentum: momentum };
