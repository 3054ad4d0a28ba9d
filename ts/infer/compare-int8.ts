import { exp, log } from "../core/elementary.js";
import { ArgumentError } from "../errors.js";
import { Session, type StepInput, type Streamable } from "./session.js";

/** What 8-bit weights cost a model: see {@link compareInt8}. */
export interface Int8Comparison {
  /** Root of the mean square of the results with 32-bit weights. */
  readonly rms: number;
  /** Root of the mean square of the differences. */
  readonly rmsError: number;
  /** The largest difference. */
  readonly maxError: number;
  /** Part of the steps at which the largest value is at the same place: the same token or class. */
  readonly sameLargest: number;
  /** Mean cross-entropy of each token given those before, in nats, for ids (at least two); null for vectors. */
  readonly crossEntropy: { readonly float32: number; readonly int8: number } | null;
  /** All of it in a line. */
  toString(): string;
}

/**
 * Runs a model over the same inputs with 32-bit and with 8-bit weights, a session each from the zero state, and compares
 * the results step by step.
 * @param inputs - token ids, or vectors, at least one
 * @throws ArgumentError for a model that a `Session` does not run with 8-bit weights
 */
export function compareInt8(model: Streamable, inputs: ArrayLike<StepInput>): Int8Comparison {
  if (inputs.length === 0) throw new ArgumentError("compareInt8", "inputs", "at least one", 0);
  const [exact, rounded] = [new Session(model), new Session(model, { weights: "int8" })];
  let [count, squares, errors, maxError, same] = [0, 0, 0, 0, 0];
  const nats = [0, 0];
  try {
    for (let t = 0; t < inputs.length; t++) {
      const input = inputs[t] as StepInput;
      const next = inputs[t + 1];
      const results = [exact.step(input), rounded.step(input)] as const;
      const [a, b] = results;
      a.forEach((value, i) => {
        const error = Math.abs(value - (b[i] as number));
        squares += value * value;
        errors += error * error;
        maxError = Math.max(maxError, error);
      });
      count += a.length;
      if (largest(a) === largest(b)) same++;
      if (typeof next !== "number") continue;
      results.forEach((logits, which) => {
        nats[which] = (nats[which] as number) + negativeLogLikelihood(logits, next);
      });
    }
  } finally {
    exact.dispose();
    rounded.dispose();
  }
  const [float32, int8] = nats.map((total) => total / (inputs.length - 1)) as [number, number];
  return {
    rms: Math.sqrt(squares / count),
    rmsError: Math.sqrt(errors / count),
    maxError,
    sameLargest: same / inputs.length,
    crossEntropy: typeof inputs[0] === "number" && inputs.length > 1 ? { float32, int8 } : null,
    toString: inALine,
  };
}

function inALine(this: Int8Comparison): string {
  const { rms, rmsError, maxError, sameLargest, crossEntropy } = this;
  const percent = (part: number): string => `${(100 * part).toFixed(2)}%`;
  const parts = [
    `8-bit weights change results by ${percent(rmsError / rms)} (root mean square; at most ${maxError.toPrecision(3)})`,
    `the largest is the same in ${percent(sameLargest)} of the steps`,
  ];
  if (crossEntropy !== null) {
    const { float32, int8 } = crossEntropy;
    parts.push(`the cross-entropy is ${int8.toFixed(4)} nats a token, not ${float32.toFixed(4)}`);
  }
  return parts.join("; ");
}

function largest(values: Float32Array): number {
  return values.reduce((best, value, i) => (value > (values[best] as number) ? i : best), 0);
}

function negativeLogLikelihood(logits: Float32Array, id: number): number {
  const most = logits[largest(logits)] as number;
  return most + log(logits.reduce((sum, value) => sum + exp(value - most), 0)) - (logits[id] as number);
}
