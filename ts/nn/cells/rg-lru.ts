/**
 * Real-gated linear recurrent unit, the recurrence of Griffin. De, Smith, Fernando, Botev et al. 2024, "Griffin: Mixing
 * Gated Linear Recurrences with Local Attention for Efficient Language Models".
 *
 *   r     = sigmoid(W_r x_t + b_r)
 *   i     = sigmoid(W_i x_t + b_i)
 *   log a = -8 r softplus(-lambda)                    a = sigmoid(lambda)^(8 r)
 *   h_t   = a h_{t-1} + sqrt(1 - a^2) (i x_t)
 *
 * The power is computed from logarithms, as the paper does. Under the root is at least 2.5e-7, which bounds the slope
 * there by 1000, as the authors' program does. inputSize must equal hiddenSize.
 *
 * Parameters: weight_ih = W, bias = b, rows r, i; lambda (H), drawn so that sigmoid(lambda)^8 is uniform on [0.9, 0.999].
 */
import { exp, log } from "../../core/elementary.js";
import type { Initializer } from "../../tensor/parameter.js";
import { defineCellLazily } from "../define-cell.js";
import { uniform } from "../initializers.js";

/** The paper's c: how much longer memories last than a gate half open says. */
const SHARPNESS = 8;

/** The lambda for which sigmoid(lambda)^c is uniform on [low, high]. */
function decayBetween(low: number, high: number): Initializer {
  return (parameter, seed, stream) => {
    uniform(low, high)(parameter, seed, stream);
    const { core, pointer, size } = parameter;
    const values = core.readF32(pointer, size).map((power) => {
      const logDecay = log(power) / SHARPNESS;
      return logDecay - log(1 - exp(logDecay));
    });
    core.f32.set(values, pointer >>> 2);
  };
}

/** RG-LRU. State: h of (numLayers * directions, B, H). */
export const RGLRU = /* @__PURE__ */ defineCellLazily({
  name: "RGLRU",
  state: ["h"],
  inputWidth: "hidden",
  step({ x, h }, { gate, vector, sigmoid, softplus, exp, sqrt }) {
    const r = sigmoid(gate("r", x));
    const i = sigmoid(gate("i", x));
    const decay = softplus(vector("lambda", { initializer: decayBetween(0.9, 0.999) }).neg()).mul(-SHARPNESS);
    const logA = r.mul(decay);
    const scale = sqrt(exp(logA.mul(2)).neg().add(1).max(2.5e-7));
    return {
      h: exp(logA)
        .mul(h)
        .add(scale.mul(i.mul(x))),
    };
  },
});
