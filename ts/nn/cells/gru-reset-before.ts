/**
 * Gated recurrent unit whose reset gate acts before the recurrent product. Cho, van Merriënboer, Gulcehre, Bahdanau,
 * Bougares, Schwenk & Bengio 2014, "Learning Phrase Representations using RNN Encoder-Decoder" (Keras: reset_after=False;
 * ONNX: linear_before_reset=0). `GRU` is the form of cuDNN, whose reset gate acts after the product.
 *
 *   r   = sigmoid(W_r x_t + U_r h_{t-1} + b_r)
 *   z   = sigmoid(W_z x_t + U_z h_{t-1} + b_z)
 *   n   = tanh(W_n x_t + U_n (r h_{t-1}) + b_n)
 *   h_t = (1 - z) n + z h_{t-1}
 *
 * Parameters: weight_ih = W, weight_hh = U, bias = b, rows r, z, n. Where a file has h_t = z n + (1 - z) h_{t-1}, as
 * Chung et al. 2014: `complementGate`.
 */
import { defineCellLazily } from "../define-cell.js";

/** GRU with the reset before the product. State: h of (numLayers * directions, B, H). */
export const GRUResetBefore = /* @__PURE__ */ defineCellLazily({
  name: "GRUResetBefore",
  state: ["h"],
  step({ x, h }, { gate, sigmoid, tanh }) {
    const r = sigmoid(gate("r", x, h));
    const z = sigmoid(gate("z", x, h));
    const n = tanh(gate("n", x, r.mul(h)));
    // From h on, so that an open z keeps it to the last bit.
    return { h: h.add(z.neg().add(1).mul(n.sub(h))) };
  },
});
