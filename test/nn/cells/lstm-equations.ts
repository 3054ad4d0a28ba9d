/** LSTMs in float64, each equation where its paper has it. */
import { each, gate, type Reference, rows, sigmoid, softplus, sum, times, type Vector } from "./equations.js";

const ones = (like: Vector): Vector => like.map(() => 1);

/**
 * Greff et al. 2017, section II, and the variants of section IV. Rows of the stacked parameters are those of i, f, g, o
 * that the variant has.
 */
export function odyssey(variant: string): Reference {
  const rowsOf = ["i", "f", "g", "o"].filter(
    (row) =>
      !(row === "i" && variant === "NIG") &&
      !(row === "f" && (variant === "NFG" || variant === "CIFG")) &&
      !(row === "o" && variant === "NOG"),
  );
  return {
    step(x, { h, c, inputGate, forgetGate, outputGate }, weights) {
      const previousH = h as Vector;
      const previousC = c as Vector;
      const hidden = previousH.length;
      const net = (name: string): Vector => gate(weights, rowsOf.indexOf(name), x, previousH);
      const peephole = (name: string, memory: Vector): Vector =>
        variant === "NP" ? memory.map(() => 0) : each((p, m) => p * m, weights(`p_${name}`).data, memory);
      // Full gate recurrence: R_xi i_{t-1} + R_xf f_{t-1} + R_xo o_{t-1} for each gate x, in the order i, f, o.
      const recurrence = (name: string): Vector =>
        variant === "FGR"
          ? sum(
              times(weights("weight_inputGateh"), inputGate as Vector, ["i", "f", "o"].indexOf(name), hidden),
              times(weights("weight_forgetGateh"), forgetGate as Vector, ["i", "f", "o"].indexOf(name), hidden),
              times(weights("weight_outputGateh"), outputGate as Vector, ["i", "f", "o"].indexOf(name), hidden),
            )
          : previousH.map(() => 0);
      const open = (name: string, memory: Vector): Vector =>
        each(sigmoid, sum(net(name), peephole(name, memory), recurrence(name)));
      const i = variant === "NIG" ? ones(previousH) : open("i", previousC);
      const f = variant === "NFG" ? ones(previousH) : variant === "CIFG" ? each((v) => 1 - v, i) : open("f", previousC);
      const z = variant === "NIAF" ? net("g") : each(Math.tanh, net("g"));
      const next = previousC.map((m, j) => z[j]! * i[j]! + m * f[j]!);
      const o = variant === "NOG" ? ones(previousH) : open("o", next);
      const y = variant === "NOAF" ? each((a, b) => a * b, next, o) : each((a, b) => Math.tanh(a) * b, next, o);
      return { h: y, c: next, ...(variant === "FGR" ? { inputGate: i, forgetGate: f, outputGate: o } : {}) };
    },
  };
}

/** LN of a vector without gain: mean and variance over all of it. */
function normalize(a: Vector): Vector {
  const mean = a.reduce((total, v) => total + v, 0) / a.length;
  const variance = a.reduce((total, v) => total + (v - mean) * (v - mean), 0) / a.length;
  return a.map((v) => (v - mean) / Math.sqrt(variance + 1e-5));
}

/** Ba et al. 2016, equations 20 to 22 of the supplementary material. */
export const layerNormLSTM: Reference = {
  step(x, { h, c }, weights) {
    const hidden = (h as Vector).length;
    const all = (prefix: string): Vector => ["i", "f", "g", "o"].flatMap((name) => weights(prefix + name).data);
    const fromInput = normalize(times(weights("weight_ih"), x));
    const fromState = normalize(times(weights("weight_hh"), h as Vector));
    const sums = fromInput.map(
      (v, j) => v * all("gain_ih_")[j]! + fromState[j]! * all("gain_hh_")[j]! + all("bias_")[j]!,
    );
    const part = (k: number): Vector => sums.slice(k * hidden, (k + 1) * hidden);
    const [i, f, g, o] = [part(0), part(1), part(2), part(3)];
    const next = (c as Vector).map((m, j) => sigmoid(f[j]!) * m + sigmoid(i[j]!) * Math.tanh(g[j]!));
    const scaled = each(
      (v, w, b) => v * w + b,
      normalize(next),
      weights("norm_c_weight").data,
      weights("norm_c_bias").data,
    );
    return { h: each((a, b) => sigmoid(a) * Math.tanh(b), o, scaled), c: next };
  },
};

/** Beck et al. 2024, equations 8 to 17, with stabiliser, of heads. */
export function sLSTM(heads: number, forget: "sigmoid" | "exponential"): Reference {
  return {
    step(x, state, weights) {
      const { h, c, n, m } = state as { h: Vector; c: Vector; n: Vector; m: Vector };
      const hidden = h.length;
      const part = hidden / heads;
      const inHeads = Array.from({ length: heads }, (_, head) => h.slice(head * part, (head + 1) * part));
      // R is block-diagonal: rows of a head see its units.
      const net = (k: number): Vector =>
        sum(
          times(weights("weight_ih"), x, k, hidden),
          inHeads.flatMap((units, head) => times(weights("weight_hh"), units, k * heads + head, part)),
          rows(weights("bias"), k, hidden),
        );
      const [it, ft, zt, ot] = [net(0), net(1), net(2), net(3)];
      const logF = forget === "sigmoid" ? ft.map((v) => -softplus(-v)) : ft;
      const nextM = logF.map((v, j) => Math.max(v + m[j]!, it[j]!));
      const i = it.map((v, j) => Math.exp(v - nextM[j]!));
      const f = logF.map((v, j) => Math.exp(v + m[j]! - nextM[j]!));
      const nextC = c.map((v, j) => f[j]! * v + i[j]! * Math.tanh(zt[j]!));
      const nextN = n.map((v, j) => f[j]! * v + i[j]!);
      return { h: ot.map((v, j) => (sigmoid(v) * nextC[j]!) / nextN[j]!), c: nextC, n: nextN, m: nextM };
    },
  };
}
