/**
 * Minimal gated unit. Zhou, Wu, Zhang & Zhou 2016, "Minimal Gated Unit for Recurrent Neural Networks".
 *
 *   f   = sigmoid(W_f x_t + U_f h_{t-1} + b_f)
 *   n   = tanh(W_n x_t + U_n (f h_{t-1}) + b_n)
 *   h_t = (1 - f) h_{t-1} + f n
 *
 * Parameters: weight_ih = W, weight_hh = U, bias = b, rows f, n.
 */
import { defineCellLazily } from "../define-cell.js";

/** Minimal gated unit. State: h of (numLayers * directions, B, H). */
export const MinimalGatedUnit = /* @__PURE__ */ defineCellLazily({
  name: "MinimalGatedUnit",
  state: ["h"],
  step({ x, h }, { gate, sigmoid, tanh }) {
    const f = sigmoid(gate("f", x, h));
    const n = tanh(gate("n", x, f.mul(h)));
    return { h: h.add(f.mul(n.sub(h))) };
  },
});
