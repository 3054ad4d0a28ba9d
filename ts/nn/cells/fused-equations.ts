/**
 * The cells that the core has by heart, from their equations: what `RNN`, `LSTM` and `GRU` compute, for what only
 * compiled layers take: gates held at a number (`force`), states reset in mid-sequence (`resets`), zoneout and dropout
 * of the recurrence. Elman 1990; Hochreiter & Schmidhuber 1997, Gers et al. 2000, the projection Sak et al. 2014;
 * Cho et al. 2014.
 *
 *   RNN    h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)
 *   LSTM   i, f, o = sigmoid(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh),  g with tanh
 *          c_t = f c_{t-1} + i g,  h_t = o tanh(c_t)        with a projection: W_hr (o tanh(c_t))
 *   GRU    r, z = sigmoid(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh),  n = tanh(W_in x_t + b_in + r (W_hn h_{t-1} + b_hn))
 *          h_t = (1 - z) n + z h_{t-1}
 *
 * Parameters: names, shapes and the order of rows are those of the fused layers, so that weights go from one to the
 * other: `compiled.loadStateDict(fused.stateDict())`.
 */
import { defineCellLazily } from "../define-cell.js";

/** {@link RNN} with tanh, compiled. State: h of (numLayers * directions, B, H). */
export const CompiledRNN = /* @__PURE__ */ defineCellLazily({
  name: "CompiledRNN",
  state: ["h"],
  biases: "two",
  step: ({ x, h }, { gate, tanh }) => ({ h: tanh(gate("h", x, h)) }),
});

/** {@link LSTM} without projection, compiled. State: h and c of (numLayers * directions, B, H). */
export const CompiledLSTM = /* @__PURE__ */ defineCellLazily({
  name: "CompiledLSTM",
  state: ["h", "c"],
  biases: "two",
  step({ x, h, c }, { gate, sigmoid, tanh }) {
    const i = sigmoid(gate("i", x, h));
    const f = sigmoid(gate("f", x, h));
    const g = tanh(gate("g", x, h));
    const next = f.mul(c).add(i.mul(g));
    const o = sigmoid(gate("o", x, h));
    return { h: o.mul(tanh(next)), c: next };
  },
});

/** {@link LSTM} with `projectionSize`, compiled. State: h of (numLayers * directions, B, projectionSize), c of (.., H). */
export const CompiledProjectedLSTM = /* @__PURE__ */ defineCellLazily({
  name: "CompiledProjectedLSTM",
  state: { h: "projection", c: "hidden" },
  gates: ["i", "f", "g", "o"],
  biases: "two",
  step({ x, h, c }, { gate, linear, sigmoid, tanh }) {
    const o = sigmoid(gate("o", x, h));
    const i = sigmoid(gate("i", x, h));
    const f = sigmoid(gate("f", x, h));
    const next = f.mul(c).add(i.mul(tanh(gate("g", x, h))));
    return { h: linear("hr", o.mul(tanh(next)), { size: "projection", bias: false }), c: next };
  },
});

/** {@link GRU}, compiled. State: h of (numLayers * directions, B, H). */
export const CompiledGRU = /* @__PURE__ */ defineCellLazily({
  name: "CompiledGRU",
  state: ["h"],
  biases: "two",
  step({ x, h }, { gate, sigmoid, tanh, constant }) {
    const r = sigmoid(gate("r", x, h));
    const z = sigmoid(gate("z", x, h));
    const n = tanh(gate("n", x).add(r.mul(gate("n", h))));
    return { h: constant(1).sub(z).mul(n).add(z.mul(h)) };
  },
});
