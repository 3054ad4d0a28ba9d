/**
 * The best sequence of tags: Viterbi 1967, "Error bounds for convolutional codes and an asymptotically optimum decoding
 * algorithm".
 *
 *     best[1, j] = start[j] + x[1, j]      best[t, j] = x[t, j] + max over i of best[t - 1, i] + transitions[i, j]
 *
 * and from the largest best[T, j] + end[j] back along the i of each step.
 */
import { ArgumentError, ShapeError } from "../errors.js";
import type { PlainTensor } from "../tensor/tensor.js";
import type { TagRules } from "../text/entity-tags.js";

/** Options of {@link viterbi}. */
export interface ViterbiOptions {
  /** Scores of tag j after tag i, row-major (K, K), as a `ConditionalRandomField` has them; default 0. */
  readonly transitions?: ArrayLike<number> | undefined;
  /** Scores of beginning with a tag (K); default 0. */
  readonly start?: ArrayLike<number> | undefined;
  /** Scores of ending with it (K); default 0. */
  readonly end?: ArrayLike<number> | undefined;
  /** What may follow what, see `tagRules`; default: everything. */
  readonly rules?: TagRules | undefined;
}

/** A sequence of tags and its score. */
export interface BestPath {
  /** A tag for each step (T). */
  readonly path: Int32Array;
  /** Sum of all scores on the way; -Infinity when the rules leave no path. */
  readonly score: number;
}

/** Scores, -Infinity where a rule forbids. */
function ruled(
  option: string,
  given: ArrayLike<number> | undefined,
  rules: readonly boolean[] | undefined,
  size: number,
): Float64Array {
  for (const part of [given, rules]) {
    if (part !== undefined && part.length !== size) throw new ShapeError("viterbi", option, [size], [part.length]);
  }
  return Float64Array.from({ length: size }, (_, i) => (rules?.[i] === false ? -Infinity : (given?.[i] ?? 0)));
}

/**
 * The sequence of tags with the highest score, of equal ones that with lower tags at its end.
 * @param emissions - scores (T, K); logits with a conditional random field or without any other score, else logarithms of
 *   probabilities
 * @throws ShapeError, ArgumentError for a score that is not a number
 */
export function viterbi(emissions: PlainTensor, options: ViterbiOptions = {}): BestPath {
  const { data, shape } = emissions;
  const [steps, tags] = shape;
  if (shape.length !== 2 || steps === undefined || tags === undefined || data.length !== steps * tags) {
    throw new ShapeError("viterbi", "emissions", ["T", "K"], shape);
  }
  const transitions = ruled("transitions", options.transitions, options.rules?.transitions, tags * tags);
  const start = ruled("start", options.start, options.rules?.start, tags);
  const end = ruled("end", options.end, options.rules?.end, tags);
  const path = new Int32Array(steps);
  if (steps === 0) return { path, score: 0 };
  if (tags === 0) throw new ShapeError("viterbi", "emissions", ["T", "1 or more"], shape);
  const before = new Int32Array(steps * tags);
  let best = new Float64Array(tags);
  let next = new Float64Array(tags);
  for (let t = 0; t < steps; t++) {
    for (let j = 0; j < tags; j++) {
      let [from, highest] = [0, t === 0 ? (start[j] as number) : -Infinity];
      for (let i = 0; t > 0 && i < tags; i++) {
        const score = (best[i] as number) + (transitions[i * tags + j] as number);
        if (score > highest) [from, highest] = [i, score];
      }
      const emission = data[t * tags + j] as number;
      if (Number.isNaN(emission)) throw new ArgumentError("viterbi", `emissions[${t}][${j}]`, "a number", emission);
      before[t * tags + j] = from;
      next[j] = highest + emission;
    }
    [best, next] = [next, best];
  }
  let last = 0;
  let score = -Infinity;
  for (let j = 0; j < tags; j++) {
    const whole = (best[j] as number) + (end[j] as number);
    if (whole > score) [last, score] = [j, whole];
  }
  for (let t = steps - 1; t >= 0; t--) {
    path[t] = last;
    last = before[t * tags + last] as number;
  }
  return { path, score };
}
