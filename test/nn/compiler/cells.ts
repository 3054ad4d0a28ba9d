/** Cells for the tests of the compiler. */
import * as u from "../../../ts/index.js";

/** The equations of the fused LSTM, with its parameter names. */
export const EquationLSTM = u.defineCell({
  name: "EquationLSTM",
  state: ["h", "c"],
  biases: "two",
  step({ x, h, c }, { gate, sigmoid, tanh }) {
    const i = sigmoid(gate("i", x, h));
    const f = sigmoid(gate("f", x, h));
    const g = tanh(gate("g", x, h));
    const cNext = f.mul(c).add(i.mul(g));
    const o = sigmoid(gate("o", x, h));
    return { h: o.mul(tanh(cNext)), c: cNext };
  },
});

/** Of the fused LSTM with a projection. */
export const EquationProjectedLSTM = u.defineCell({
  name: "EquationProjectedLSTM",
  state: { h: "projection", c: "hidden" },
  gates: ["i", "f", "g", "o"],
  biases: "two",
  step({ x, h, c }, { gate, linear, sigmoid, tanh }) {
    const o = sigmoid(gate("o", x, h));
    const i = sigmoid(gate("i", x, h));
    const f = sigmoid(gate("f", x, h));
    const cNext = f.mul(c).add(i.mul(tanh(gate("g", x, h))));
    return { h: linear("hr", o.mul(tanh(cNext)), { size: "projection", bias: false }), c: cNext };
  },
});

/** Of the fused GRU. */
export const EquationGRU = u.defineCell({
  name: "EquationGRU",
  state: ["h"],
  biases: "two",
  step({ x, h }, { gate, sigmoid, tanh, constant }) {
    const r = sigmoid(gate("r", x, h));
    const z = sigmoid(gate("z", x, h));
    const n = tanh(gate("n", x).add(r.mul(gate("n", h))));
    return { h: constant(1).sub(z).mul(n).add(z.mul(h)) };
  },
});

/** Of the fused Elman cell. */
export const EquationRNN = u.defineCell({
  name: "EquationRNN",
  state: ["h"],
  biases: "two",
  step: ({ x, h }, { gate, tanh }) => ({ h: tanh(gate("h", x, h)) }),
});
