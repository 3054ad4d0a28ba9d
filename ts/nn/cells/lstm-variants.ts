/**
 * The LSTM with peepholes and its eight variants of Greff, Srivastava, Koutník, Steunebrink & Schmidhuber 2017, "LSTM: A
 * Search Space Odyssey". Peepholes: Gers & Schmidhuber 2000, "Recurrent nets that time and count".
 *
 *   i   = sigmoid(W_i x_t + R_i h_{t-1} + b_i + p_i c_{t-1})      NIG: 1
 *   f   = sigmoid(W_f x_t + R_f h_{t-1} + b_f + p_f c_{t-1})      NFG: 1        CIFG: 1 - i
 *   g   = tanh(W_g x_t + R_g h_{t-1} + b_g)                       NIAF: without tanh
 *   c_t = f c_{t-1} + i g
 *   o   = sigmoid(W_o x_t + R_o h_{t-1} + b_o + p_o c_t)          NOG: 1
 *   h_t = o tanh(c_t)                                             NOAF: o c_t
 *
 * NP has no peepholes p. FGR adds, within the sigmoid of each gate, all three gates of the step before, each times a
 * matrix; they are states of their own.
 *
 * Parameters: weight_ih = W, weight_hh = R, bias = b, rows i, f, g, o of those that there are; p_i, p_f, p_o of (H). FGR
 * also has weight_inputGateh, weight_forgetGateh and weight_outputGateh (rows i, f, o), from the gate so named.
 */
import type { CellTools, Value } from "../compiler/trace.js";
import { defineCellLazily } from "../define-cell.js";

/** What a variant does without, or otherwise. */
interface Departure {
  readonly inputGate?: "none";
  readonly forgetGate?: "none" | "coupled";
  readonly outputGate?: "none";
  readonly inputActivation?: "none";
  readonly outputActivation?: "none";
  readonly peepholes?: "none";
}

/** The gates of a step; null for one that is always 1. */
interface Gates {
  readonly i: Value | null;
  readonly f: Value | null;
  readonly o: Value | null;
}

/** The equations above; `fed` are the sources of the gates, x and h first, `block` those of g. */
function lstmStep(
  departure: Departure,
  { gate, vector, sigmoid, tanh }: CellTools,
  c: Value,
  block: readonly [Value, Value],
  fed: readonly [Value, ...Value[]],
): Gates & { readonly h: Value; readonly c: Value } {
  const gated = (name: string, memory: Value): Value => {
    const sum = gate(name, ...fed);
    return sigmoid(departure.peepholes === "none" ? sum : sum.add(vector(`p_${name}`).mul(memory)));
  };
  const i = departure.inputGate === "none" ? null : gated("i", c);
  const f = departure.forgetGate === undefined ? gated("f", c) : null;
  const z = gate("g", ...block);
  const g = departure.inputActivation === "none" ? z : tanh(z);
  const written = i === null ? g : i.mul(g);
  const kept = departure.forgetGate === "coupled" && i !== null ? c.sub(i.mul(c)) : f === null ? c : f.mul(c);
  const next = kept.add(written);
  const o = departure.outputGate === "none" ? null : gated("o", next);
  const shown = departure.outputActivation === "none" ? next : tanh(next);
  return { i, f, o, h: o === null ? shown : o.mul(shown), c: next };
}

function defineVariant(name: string, departure: Departure) {
  const without = [
    ...(departure.inputGate === "none" ? ["i"] : []),
    ...(departure.forgetGate === undefined ? [] : ["f"]),
    ...(departure.outputGate === "none" ? ["o"] : []),
  ];
  return defineCellLazily({
    name,
    state: ["h", "c"],
    gates: ["i", "f", "g", "o"].filter((row) => !without.includes(row)),
    step({ x, h, c }, tools) {
      const next = lstmStep(departure, tools, c, [x, h], [x, h]);
      return { h: next.h, c: next.c };
    },
  });
}

/** LSTM with peepholes, the "vanilla" one of Greff et al. State: h and c of (numLayers * directions, B, H). */
export const PeepholeLSTM = /* @__PURE__ */ defineVariant("PeepholeLSTM", {});

/** No input gate: i = 1. */
export const NoInputGateLSTM = /* @__PURE__ */ defineVariant("NoInputGateLSTM", { inputGate: "none" });

/** No forget gate: f = 1, as in Hochreiter & Schmidhuber 1997. */
export const NoForgetGateLSTM = /* @__PURE__ */ defineVariant("NoForgetGateLSTM", { forgetGate: "none" });

/** No output gate: o = 1. */
export const NoOutputGateLSTM = /* @__PURE__ */ defineVariant("NoOutputGateLSTM", { outputGate: "none" });

/** No input activation function: g without tanh. */
export const NoInputActivationLSTM = /* @__PURE__ */ defineVariant("NoInputActivationLSTM", {
  inputActivation: "none",
});

/** No output activation function: h = o c. */
export const NoOutputActivationLSTM = /* @__PURE__ */ defineVariant("NoOutputActivationLSTM", {
  outputActivation: "none",
});

/** Coupled input and forget gate, CIFG: f = 1 - i. */
export const CoupledGateLSTM = /* @__PURE__ */ defineVariant("CoupledGateLSTM", { forgetGate: "coupled" });

/** No peepholes: the LSTM of `LSTM`, with one bias. */
export const NoPeepholeLSTM = /* @__PURE__ */ defineVariant("NoPeepholeLSTM", { peepholes: "none" });

/** Full gate recurrence: gates also see the gates of the step before. State: h, c, inputGate, forgetGate, outputGate. */
export const FullGateRecurrenceLSTM = /* @__PURE__ */ defineCellLazily({
  name: "FullGateRecurrenceLSTM",
  state: ["h", "c", "inputGate", "forgetGate", "outputGate"],
  gates: ["i", "f", "g", "o"],
  step({ x, h, c, inputGate, forgetGate, outputGate }, tools) {
    const next = lstmStep({}, tools, c, [x, h], [x, h, inputGate, forgetGate, outputGate]);
    const { i, f, o } = next as { readonly [gate in "i" | "f" | "o"]: Value };
    return { h: next.h, c: next.c, inputGate: i, forgetGate: f, outputGate: o };
  },
});
