/**
 * Truncated back-propagation through time with two lengths (Williams & Peng 1990, "An efficient gradient-based
 * algorithm for on-line training of recurrent network trajectories"): after every k1 steps the network is unrolled over
 * the last k2 of them and learns from the losses of the last k1. With k2 = k1 the windows follow each other, and each
 * begins with the state at the end of the one before.
 *
 * With k2 > k1 windows overlap. Their first state, at `start`, is one of an earlier window, kept without its history;
 * the steps from there to `from` are run again under the present weights, for the gradient alone:
 *
 * ```ts
 * const states = new Map<number, CarriedState<HiddenState>>();
 * for (const { start, from, end } of truncatedWindows(steps, { k1: 5, k2: 20 })) {
 *   optimizer.update(() => {
 *     const { output, state } = rnn.forward(slice(x, 1, start, end), { state: states.get(start)?.get() });
 *     const next = new CarriedState<HiddenState>();
 *     next.set(state);
 *     states.set(end, next);
 *     return lossOf(slice(output, 1, from - start), from, end);
 *   });
 * }
 * ```
 */
import { ArgumentError } from "../errors.js";

/** Steps of one window: unrolled from `start`, learning from the losses of `from` on, up to but without `end`. */
export interface TruncatedWindow {
  /** First step that is unrolled. */
  readonly start: number;
  /** First step whose loss counts. */
  readonly from: number;
  /** After its last step. */
  readonly end: number;
}

/**
 * The windows of a sequence, in order; steps that do not fill a last k1 are left out.
 * @param steps - steps of the sequence
 * @param options - `k1`: steps between updates; `k2`: steps unrolled, a multiple of k1 so that every window starts where
 *   another ended, default k1
 * @throws ArgumentError when they are not such numbers
 */
export function* truncatedWindows(
  steps: number,
  options: { readonly k1: number; readonly k2?: number },
): Generator<TruncatedWindow, void, undefined> {
  const { k1, k2 = k1 } = options;
  if (!(Number.isSafeInteger(k1) && k1 >= 1)) {
    throw new ArgumentError("truncatedWindows", "k1", "a whole number from 1", k1);
  }
  if (!(Number.isSafeInteger(k2) && k2 >= k1 && k2 % k1 === 0)) {
    throw new ArgumentError("truncatedWindows", "k2", `a multiple of k1, which is ${k1}`, k2);
  }
  for (let end = k1; end <= steps; end += k1) yield { start: Math.max(0, end - k2), from: end - k1, end };
}
