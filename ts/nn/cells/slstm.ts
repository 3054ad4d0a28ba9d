/**
 * sLSTM: an LSTM with exponential gates. Beck, Pöppel, Spanring, Auer et al. 2024, "xLSTM: Extended Long Short-Term
 * Memory".
 *
 *   i~, f~, z~, o~ = W x_t + R h_{t-1} + b           R block-diagonal: a head sees only its own units
 *   m_t = max(log f + m_{t-1}, i~)                   stabiliser; log f is log sigmoid(f~), or f~ for an exponential gate
 *   i   = exp(i~ - m_t)
 *   f   = exp(log f + m_{t-1} - m_t)
 *   c_t = f c_{t-1} + i tanh(z~)
 *   n_t = f n_{t-1} + i                              normaliser
 *   h_t = sigmoid(o~) c_t / n_t
 *
 * The stabiliser cancels in c / n: it only keeps both exponentials at 1 or below. Only where everything ever written is
 * below the smallest float32 would 0 be divided by 0; then h is 0.
 *
 * Parameters: weight_ih = W, weight_hh = R (4 H, H / heads), bias = b, rows i, f, z, o. Forget biases start from 3 at the
 * first unit of a head to 6 at its last, so that memories last and differ.
 */
import { ArgumentError } from "../../errors.js";
import { checkSize } from "../check.js";
import { defineCellLazily } from "../define-cell.js";
import { gateBias } from "../initializers.js";

/** The smallest normal float32. */
const SMALLEST = 1.1754943508222875e-38;

/** Options of {@link defineSLSTM}. */
export interface SLSTMDefinition {
  /** Blocks of the recurrent weights; hiddenSize must be a multiple of it. Default 1. */
  readonly heads?: number;
  /** Activation of the forget gate; default "sigmoid". */
  readonly forgetGate?: "sigmoid" | "exponential";
}

/**
 * An sLSTM with heads, or with an exponential forget gate.
 * @throws ArgumentError
 */
export function defineSLSTM({ heads = 1, forgetGate = "sigmoid" }: SLSTMDefinition = {}) {
  checkSize("defineSLSTM", "heads", heads);
  if (forgetGate !== "sigmoid" && forgetGate !== "exponential") {
    throw new ArgumentError("defineSLSTM", "forgetGate", '"sigmoid" or "exponential"', forgetGate);
  }
  const forgetBias = (unit: number, width: number): number => {
    const last = width / heads - 1;
    return 3 + (3 * (unit % (last + 1))) / Math.max(1, last);
  };
  return defineCellLazily({
    name: "SLSTM",
    state: ["h", "c", "n", "m"],
    initializers: { bias: gateBias(["i", "f", "z", "o"], { f: forgetBias }) },
    step({ x, h, c, n, m }, { gate, sigmoid, tanh, exp, softplus }) {
      const logI = gate("i", x, h, { heads });
      const forget = gate("f", x, h, { heads });
      const z = tanh(gate("z", x, h, { heads }));
      const o = sigmoid(gate("o", x, h, { heads }));
      const logF = forgetGate === "sigmoid" ? softplus(forget.neg()).neg() : forget;
      const kept = logF.add(m);
      const mNext = kept.max(logI);
      const i = exp(logI.sub(mNext));
      const f = exp(kept.sub(mNext));
      const cNext = f.mul(c).add(i.mul(z));
      const nNext = f.mul(n).add(i);
      return { h: o.mul(cNext.div(nNext.max(SMALLEST))), c: cNext, n: nNext, m: mNext };
    },
  });
}

/** sLSTM of one head. State: h, c, n and m of (numLayers * directions, B, H). */
export const SLSTM = /* @__PURE__ */ defineSLSTM();
