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
  /** Exponent of the length that divides the final scores: 0, the default, prefers short hypotheses, 1 compares means. */
  readonly lengthPenalty?: number;
}

/** What beam search found. */
export interface Hypothesis {
  /** Without the prompt, with the end token if it was reached. */
  readonly tokens: readonly number[];
  /** Sum of ln p of its tokens. */
  readonly logProbability: number;
}

/** A hypothesis that goes on: the state before its last token was fed. */
interface Live extends Hypothesis {
  readonly state: ReturnType<Session["save"]>;
  readonly scores: Float64Array;
}

/**
 * The best continuations of a prompt, best first; of equal ones that of the better ancestor and the lower token.
 * @param prompt - ids, at least one
 * @throws ArgumentError for an option out of its range, or a prompt without tokens
 */
export function beamSearch(model: Streamable, prompt: Int32Array, options: BeamSearchOptions = {}): Hypothesis[] {
  const { beamWidth = 4, maxTokens = 100, end, lengthPenalty = 0 } = options;
  for (const [option, value] of Object.entries({ beamWidth, maxTokens })) {
    if (!(Number.isSafeInteger(value) && value >= 1)) {
      throw new ArgumentError("beamSearch", option, "a whole number from 1", value);
    }
  }
  if (!(lengthPenalty >= 0 && lengthPenalty < Infinity)) {
    throw new ArgumentError("beamSearch", "lengthPenalty", "a finite number, at least 0", lengthPenalty);
  }
  const session = new Session(model);
  try {
    const logits = session.feed(prompt);
    if (logits === undefined) throw new ArgumentError("beamSearch", "prompt", "at least one token", 0);
    const finished: Hypothesis[] = [];
    let live: Live[] = [{ tokens: [], logProbability: 0, state: session.save(), scores: logProbabilities(logits) }];
    for (let length = 1; live.length > 0; length++) {
      const kept = continuations(live, beamWidth);
      const ended = kept.filter(({ token }) => token === end || length === maxTokens);
      finished.push(...ended.map(({ from, token, sum }) => ({ tokens: [...from.tokens, token], logProbability: sum })));
      // Sums only fall: without a penalty nothing alive can overtake what is finished and better.
      const bar = lengthPenalty > 0 ? -Infinity : nthBest(finished, beamWidth);
      live = kept
        .filter((candidate) => !ended.includes(candidate) && candidate.sum > bar)
        .map(({ from, token, sum }) => {
          session.restore(from.state);
          const scores = logProbabilities(session.step(token));
          return { tokens: [...from.tokens, token], logProbability: sum, state: session.save(), scores };
        });
    }
    const score = ({ tokens, logProbability }: Hypothesis): number =>
      logProbability / pow(tokens.length, lengthPenalty);
    return finished.sort((a, b) => score(b) - score(a)).slice(0, beamWidth);
  } finally {
    session.dispose();
  }
}

/** The best continuations by one token of all hypotheses. */
function continuations(live: readonly Live[], count: number): { from: Live; token: number; sum: number }[] {
  return live
    .flatMap((from) => Array.from(from.scores, (score, token) => ({ from, token, sum: from.logProbability + score })))
    .sort((a, b) => b.sum - a.sum)
    .slice(0, count);
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
