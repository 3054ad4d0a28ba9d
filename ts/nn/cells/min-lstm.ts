/**
 * minLSTM. Feng, Tung, Ahmed, Bengio & Hajimirsadeghi 2024, "Were RNNs All We Needed?"
 *
 *   f   = sigmoid(W_f x_t + b_f)
 *   i   = sigmoid(W_i x_t + b_i)
 *   n   = g(W_n x_t + b_n)                  g(a) = a + 1/2 for a >= 0, else sigmoid(a)
 *   h_t = f / (f + i) h_{t-1} + i / (f + i) n
 *
 * The normalised gates are computed from logarithms, as the paper does, so that two closed gates are no division of 0
 * by 0: with d = log i - log f they are sigmoid(-d) and sigmoid(d). No gate sees the state: see minGRU.
 *
 * Parameters: weight_ih = W, bias = b, rows f, i, n.
 */
import { defineCellLazily } from "../define-cell.js";
import { positive } from "./min-gru.js";

/** minLSTM. State: h of (numLayers * directions, B, H). */
export const MinLSTM = /* @__PURE__ */ defineCellLazily({
  name: "MinLSTM",
  state: ["h"],
  step({ x, h }, tools) {
    const { gate, sigmoid, softplus } = tools;
    // log sigmoid(a) = -softplus(-a)
    const negativeLogF = softplus(gate("f", x).neg());
    const negativeLogI = softplus(gate("i", x).neg());
    const i = sigmoid(negativeLogF.sub(negativeLogI));
    const n = positive(tools, gate("n", x));
    return { h: h.add(i.mul(n.sub(h))) };
  },
});
