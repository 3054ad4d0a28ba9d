/**
 * minGRU. Feng, Tung, Ahmed, Bengio & Hajimirsadeghi 2024, "Were RNNs All We Needed?"
 *
 *   z   = sigmoid(W_z x_t + b_z)
 *   n   = g(W_n x_t + b_n)                  g(a) = a + 1/2 for a >= 0, else sigmoid(a)
 *   h_t = (1 - z) h_{t-1} + z n
 *
 * This is the form that the paper trains in log space: g makes all values positive, so that they have logarithms. No gate
 * sees the state: all products are of the input, one for the whole sequence, and what is left of a step is one weighted
 * mean, in which nothing can overflow. States should be positive; zeros, the default, are the paper's limit.
 *
 * Parameters: weight_ih = W, bias = b, rows z, n.
 */
import type { CellTools, Value } from "../compiler/trace.js";
import { defineCellLazily } from "../define-cell.js";

/** g: a + 1/2 for a >= 0, else sigmoid(a); continuous, and positive. @internal */
export function positive({ relu, sigmoid }: CellTools, a: Value): Value {
  return relu(a).add(sigmoid(a.min(0)));
}

/** minGRU. State: h of (numLayers * directions, B, H). */
export const MinGRU = /* @__PURE__ */ defineCellLazily({
  name: "MinGRU",
  state: ["h"],
  step({ x, h }, tools) {
    const { gate, sigmoid } = tools;
    const z = sigmoid(gate("z", x));
    const n = positive(tools, gate("n", x));
    return { h: h.add(z.mul(n.sub(h))) };
  },
});
