/**
 * Beam search over any model of tokens: at every step the `beamWidth` continuations of highest summed ln p are kept
 * (Lowerre 1976; for recurrent networks Graves 2012, arXiv:1211.3711, and Sutskever, Vinyals & Le 2014,
 * arXiv:1409.3215).
 *
 *     score = (sum of ln p) / length^lengthPenalty
 */
import { exp, log, pow } from "../core/elementary.js";
import { ArgumentError } from "../errors.js";
import { Session, type Streamable } from "./session.js";

/** Options of {@link beamSearch}. */
export interface BeamSearchOptions {
  /** Hypotheses kept at every step, and returned; default 4. */
  readonly beamWidth?: number;
  /** Tokens at most, those of the prompt not counted; default 100. */
  readonly maxTokens?: number;
  /** The token that ends a hypothesis, itself included; default: none. */
  readonly end?: number;
  /**
   * Exponent of the length that divides the final scores: 0, the default, prefers short hypotheses, 1 compares means.
   * Above 0 the search ends with `beamWidth` finished hypotheses, as that of OpenNMT (Klein et al. 2017).
   */
  readonly lengthPenalty?: number;
}

/** What beam search found. */
export interface Hypothesis {
  /** Without the prompt, with the end token if it was reached. */
  readonly tokens: readonly number[];
  /** Sum of ln p of its tokens. */
  readonly logProbability: number;
}

/** A hypothesis that takes its next step. @internal */
export interface BeamRow {
  /** Which of the searches it belongs to. */
  readonly search: number;
  /** The row of the step before that it goes on from; -1 at the start. */
  readonly from: number;
  /** The token that it was continued by; -1 at the start. */
  readonly token: number;
}

/** A hypothesis that goes on. */
interface Live extends Hypothesis {
  /** Its row of the latest step. */
  readonly row: number;
}

interface Candidate {
  readonly from: Live;
  readonly token: number;
  readonly sum: number;
}

/**
 * The best continuations of a prompt, best first; of equal ones that of the better ancestor and the lower token.
 * @param prompt - ids, at least one
 * @throws ArgumentError for an option out of its range, or a prompt without tokens
 */
export function beamSearch(model: Streamable, prompt: Int32Array, options: BeamSearchOptions = {}): Hypothesis[] {
  if (prompt.length === 0) throw new ArgumentError("beamSearch", "prompt", "at least one token", 0);
  const session = new Session(model);
  let states: ReturnType<Session["save"]>[] = [];
  const step = ({ from, token }: BeamRow): Float32Array => {
    if (from < 0) return session.feed(prompt) as Float32Array;
    session.restore(states[from] as ReturnType<Session["save"]>);
    return session.step(token);
  };
  try {
    const [found] = searchBeams(1, options, (rows) => {
      const after: typeof states = [];
      const scores = rows.map((row) => {
        const logits = step(row);
        after.push(session.save());
        return logProbabilities(logits);
      });
      states = after;
      return scores;
    });
    return found as Hypothesis[];
  } finally {
    session.dispose();
  }
}

/**
 * Several searches side by side.
 * @param advance - takes a step of all live hypotheses: for each ln p of every token to come
 * @returns what each search found, best first
 * @throws ArgumentError
 * @internal
 */
export function searchBeams(
  count: number,
  options: BeamSearchOptions,
  advance: (rows: readonly BeamRow[]) => readonly ArrayLike<number>[],
): Hypothesis[][] {
  const { beamWidth = 4, maxTokens = 100, end, lengthPenalty = 0 } = options;
  for (const [option, value] of Object.entries({ beamWidth, maxTokens })) {
    if (!(Number.isSafeInteger(value) && value >= 1)) {
      throw new ArgumentError("beamSearch", option, "a whole number from 1", value);
    }
  }
  if (!(lengthPenalty >= 0 && lengthPenalty < Infinity)) {
    throw new ArgumentError("beamSearch", "lengthPenalty", "a finite number, at least 0", lengthPenalty);
  }
  const finished = Array.from({ length: count }, (): Hypothesis[] => []);
  let live = finished.map((_, row): Live[] => [{ tokens: [], logProbability: 0, row }]);
  let rows: BeamRow[] = finished.map((_, search) => ({ search, from: -1, token: -1 }));
  for (let length = 1; rows.length > 0; length++) {
    const scores = advance(rows);
    rows = [];
    live = live.map((hypotheses, search) => {
      const done = finished[search] as Hypothesis[];
      const going: Live[] = [];
      const kept = continuations(hypotheses, scores, beamWidth);
      for (const { from, token, sum } of kept) {
        const hypothesis = { tokens: [...from.tokens, token], logProbability: sum };
        if (token === end || length === maxTokens) done.push(hypothesis);
        else going.push({ ...hypothesis, row: from.row });
      }
      // Sums only fall: without a penalty nothing alive can overtake what is finished and better.
      const bar = lengthPenalty > 0 ? (done.length < beamWidth ? -Infinity : Infinity) : nthBest(done, beamWidth);
      return going
        .filter(({ logProbability }) => logProbability > bar)
        .map(({ row, ...hypothesis }) => {
          rows.push({ search, from: row, token: hypothesis.tokens.at(-1) as number });
          return { ...hypothesis, row: rows.length - 1 };
        });
    });
  }
  const score = ({ tokens, logProbability }: Hypothesis): number => logProbability / pow(tokens.length, lengthPenalty);
  return finished.map((hypotheses) => hypotheses.sort((a, b) => score(b) - score(a)).slice(0, beamWidth));
}

/** The best continuations by one token of all hypotheses, best first. */
function continuations(
  live: readonly Live[],
  scores: readonly ArrayLike<number>[],
  count: number,
): readonly Candidate[] {
  const best: Candidate[] = [];
  for (const from of live) {
    const row = scores[from.row] as ArrayLike<number>;
    for (let token = 0; token < row.length; token++) {
      const sum = from.logProbability + (row[token] as number);
      if (best.length === count && !(sum > (best[count - 1] as Candidate).sum)) continue;
      let at = best.length;
      while (at > 0 && (best[at - 1] as Candidate).sum < sum) at--;
      best.splice(at, 0, { from, token, sum });
      if (best.length > count) best.pop();
    }
  }
  return best;
}

/** The n-th highest sum, minus infinity when there are fewer. */
function nthBest(hypotheses: readonly Hypothesis[], n: number): number {
  return hypotheses.map(({ logProbability }) => logProbability).sort((a, b) => b - a)[n - 1] ?? -Infinity;
}

/** ln softmax in double precision. @internal */
export function logProbabilities(logits: ArrayLike<number>): Float64Array {
  const values = Float64Array.from(logits);
  const top = values.reduce((a, b) => Math.max(a, b), -Infinity);
  const offset = top + log(values.reduce((sum, value) => sum + exp(value - top), 0));
  return values.map((value) => value - offset);
}
