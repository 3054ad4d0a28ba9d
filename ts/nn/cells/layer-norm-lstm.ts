/**
 * LSTM with layer normalisation. Ba, Kiros & Hinton 2016, "Layer Normalization", supplementary material:
 *
 *   (i~, f~, g~, o~) = LN(W x_t) + LN(U h_{t-1}) + b        each LN over all 4 H values, with a gain for each
 *   c_t = sigmoid(f~) c_{t-1} + sigmoid(i~) tanh(g~)
 *   h_t = sigmoid(o~) tanh(LN(c_t))                         LN over the H values, with gain and offset
 *
 *   LN(a) = (a - mean) / sqrt(variance + 1e-5)
 *
 * The paper gives the first two LN offsets of their own besides b; only the sum of the three matters, which is b here.
 *
 * Parameters: weight_ih = W and weight_hh = U, rows i, f, g, o; of each gate gain_ih_<gate>, gain_hh_<gate> (ones at
 * first) and bias_<gate> (zeros); norm_c_weight and norm_c_bias.
 */
import type { CellTools, Value } from "../compiler/trace.js";
import { defineCellLazily } from "../define-cell.js";
import { constant } from "../initializers.js";

type Four = readonly [Value, Value, Value, Value];

/** The mean over the units of four values of equal width. */
function meanOf({ mean }: CellTools, [a, b, c, d]: Four): Value {
  return mean(a.add(b).add(c.add(d))).mul(0.25);
}

/** Layer normalisation of four values as one. */
function normalized(tools: CellTools, values: Four): Four {
  const { square, sqrt } = tools;
  const center = meanOf(tools, values);
  const centered = values.map((value) => value.sub(center)) as unknown as Four;
  const deviation = sqrt(meanOf(tools, centered.map(square) as unknown as Four).add(1e-5));
  return centered.map((value) => value.div(deviation)) as unknown as Four;
}

/** LSTM with layer normalisation. State: h and c of (numLayers * directions, B, H). */
export const LayerNormLSTM = /* @__PURE__ */ defineCellLazily({
  name: "LayerNormLSTM",
  state: ["h", "c"],
  step({ x, h, c }, tools) {
    const { gate, vector, norm, sigmoid, tanh } = tools;
    const names = ["i", "f", "g", "o"] as const;
    const products = (source: Value): Four =>
      normalized(tools, names.map((name) => gate(name, source, { bias: false })) as unknown as Four);
    const [fromInput, fromState] = [products(x), products(h)];
    const sums = names.map((name, k) => {
      const input = (fromInput[k] as Value).mul(vector(`gain_ih_${name}`, { initializer: constant(1) }));
      const state = (fromState[k] as Value).mul(vector(`gain_hh_${name}`, { initializer: constant(1) }));
      return input.add(state).add(vector(`bias_${name}`, { initializer: constant(0) }));
    });
    const [i, f, g, o] = sums as unknown as Four;
    const next = sigmoid(f)
      .mul(c)
      .add(sigmoid(i).mul(tanh(g)));
    return { h: sigmoid(o).mul(tanh(norm(next, "norm_c"))), c: next };
  },
});
