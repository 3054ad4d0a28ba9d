/**
 * Choosing a token from logits.
 *
 * After the penalty of repetition.ts, with p = softmax(logits / temperature): keep the topK most probable tokens; of these, renormalised, the fewest most
 * probable ones whose probabilities sum to at least topP (Holtzman et al. 2020, "The Curious Case of Neural Text
 * Degeneration"); renormalise; with u uniform in [0, 1), the token is the smallest id whose cumulative probability, in
 * the order of ids, exceeds u. Equal probabilities rank by id, the lowest first. Temperature 0 takes the most probable
 * token.
 */
import { type Core, getCore } from "../core/core.js";
import { ArgumentError } from "../errors.js";
import { seedWords } from "../tensor/dropout.js";
import { runScope } from "../tensor/scope.js";
import { RepetitionPenalty } from "./repetition.js";

/** How to choose a token. */
export interface SamplingOptions {
  /** Below 1 sharpens, above 1 flattens, 0 always takes the most probable; default 1. */
  readonly temperature?: number | undefined;
  /** Tokens to keep; default: all. */
  readonly topK?: number | undefined;
  /** Probability to keep, above 0 and at most 1; default 1. */
  readonly topP?: number | undefined;
  /** Divides the logits of tokens that occurred (see `repetition.ts`); above 1 they become less probable. Default 1. */
  readonly repetitionPenalty?: number | undefined;
  /** How many of the latest tokens count as occurred; default: all, those of the prompt included. */
  readonly repetitionWindow?: number | undefined;
}

/** The stream of random numbers that sampling draws from. */
const STREAM = 0x53414d50;

/** Draws tokens; the n-th draw depends on the seed, n, the logits and, with a penalty, the tokens before alone. */
export class Sampler {
  readonly #core: Core;
  readonly #temperature: number;
  readonly #topK: number;
  readonly #topP: number;
  readonly #seed: readonly [number, number];
  readonly #repetition: RepetitionPenalty;
  #draws = 0;

  /**
   * @param options.seed - default 0
   * @param options.core - where the softmax is computed; default: the default core
   * @throws ArgumentError for a setting that is out of its range
   */
  constructor(options: SamplingOptions & { readonly seed?: number | undefined; readonly core?: Core } = {}) {
    const { temperature = 1, topK = Infinity, topP = 1, seed = 0 } = options;
    const { repetitionPenalty = 1, repetitionWindow = Infinity } = options;
    if (!(temperature >= 0 && temperature < Infinity)) {
      throw new ArgumentError("sampling", "temperature", "a finite number, at least 0", temperature);
    }
    if (!(topK >= 1 && (Number.isSafeInteger(topK) || topK === Infinity))) {
      throw new ArgumentError("sampling", "topK", "a whole number from 1", topK);
    }
    if (!(topP > 0 && topP <= 1)) throw new ArgumentError("sampling", "topP", "above 0 and at most 1", topP);
    this.#core = options.core ?? getCore();
    this.#temperature = temperature;
    this.#topK = topK;
    this.#topP = topP;
    this.#seed = seedWords(seed);
    this.#repetition = new RepetitionPenalty(repetitionPenalty, repetitionWindow);
  }

  /** Takes note of tokens that were not drawn here, a prompt's for example, for the repetition penalty. */
  observe(tokens: Int32Array): void {
    for (const id of tokens) this.#repetition.observe(id);
  }

  /** The next token. Throws `ArgumentError` when the logits make no distribution, as NaN do. */
  sample(logits: Float32Array): number {
    const id = this.#choose(this.#repetition.apply(logits));
    this.#repetition.observe(id);
    return id;
  }

  #choose(logits: Float32Array): number {
    if (this.#temperature === 0) return mostProbable(logits);
    const probabilities = this.#softmax(logits);
    if (this.#topK < probabilities.length || this.#topP < 1) keepMostProbable(probabilities, this.#topK, this.#topP);
    return pick(probabilities, this.#core.raw.ur_random_f64(...this.#seed, STREAM, 0, 0, this.#draws++));
  }

  #softmax(logits: Float32Array): Float32Array {
    const core = this.#core;
    return runScope(core, () => {
      const x = core.arenaAlloc(logits.byteLength);
      const y = core.arenaAlloc(logits.byteLength);
      core.f32.set(logits, x >>> 2);
      core.raw.ur_softmax(x, y, 1, logits.length, 1 / this.#temperature, 0);
      return core.readF32(y, logits.length);
    });
  }
}

/** The id of the largest logit, the lowest of equal ones. */
function mostProbable(logits: Float32Array): number {
  let best = 0;
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id] as number;
    if (Number.isNaN(logit)) throw noDistribution(logit);
    if (logit > (logits[best] as number)) best = id;
  }
  return best;
}

/** Zeroes all but the tokens that topK and topP keep. @internal */
export function keepMostProbable(probabilities: Float32Array, topK: number, topP: number): void {
  const size = probabilities.length;
  const ascending = probabilities.slice().sort();
  let kept = Math.min(topK, size);
  if (topP < 1) {
    let total = 0;
    for (let rank = 0; rank < kept; rank++) total += ascending[size - 1 - rank] as number;
    let sum = 0;
    let needed = 0;
    while (needed < kept && sum < topP * total) sum += ascending[size - 1 - needed++] as number;
    kept = Math.max(1, needed);
  }
  const threshold = ascending[size - kept] as number;
  let ties = kept;
  for (const probability of probabilities) if (probability > threshold) ties--;
  for (let id = 0; id < size; id++) {
    const probability = probabilities[id] as number;
    if (probability < threshold || (probability === threshold && --ties < 0)) probabilities[id] = 0;
  }
}

/** The smallest id at which the cumulative weight exceeds u times the whole. @internal */
export function pick(weights: Float32Array, u: number): number {
  let total = 0;
  for (const weight of weights) total += weight;
  if (!(total > 0 && total < Infinity)) throw noDistribution(total);
  const target = u * total;
  let sum = 0;
  let last = 0;
  for (let id = 0; id < weights.length; id++) {
    const weight = weights[id] as number;
    if (weight === 0) continue;
    sum += weight;
    if (sum > target) return id;
    last = id;
  }
  // Rounding made u times the whole the whole.
  return last;
}

function noDistribution(got: number): ArgumentError {
  return new ArgumentError("sampling", "logits", "numbers that make a distribution", got);
}
