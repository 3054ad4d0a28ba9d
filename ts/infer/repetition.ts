/**
 * Repetition penalty: Keskar et al. 2019, "CTRL: A Conditional Transformer Language Model for Controllable Generation",
 * section 4.1, as Hugging Face's RepetitionPenaltyLogitsProcessor has it, so that negative logits fall too:
 *
 *     logit / penalty   where the logit is at least 0
 *     logit * penalty   where it is below
 *
 * for each token that occurred, once however often it did.
 */
import { ArgumentError } from "../errors.js";

/** Lowers the logits of tokens that occurred, all of them or those among the latest `window`. @internal */
export class RepetitionPenalty {
  readonly #penalty: number;
  readonly #window: number;
  /** How often a token is among those that count. */
  readonly #counts = new Map<number, number>();
  /** The tokens that count, a ring; empty without a window. */
  readonly #recent: number[] = [];
  #seen = 0;
  #lowered = new Float32Array(0);

  /** @throws ArgumentError */
  constructor(penalty: number, window: number) {
    if (!(penalty > 0 && penalty < Infinity)) {
      throw new ArgumentError("sampling", "repetitionPenalty", "a finite number above 0", penalty);
    }
    if (!(window >= 1 && (Number.isSafeInteger(window) || window === Infinity))) {
      throw new ArgumentError("sampling", "repetitionWindow", "a whole number from 1", window);
    }
    this.#penalty = penalty;
    this.#window = window;
  }

  /** Takes note of a token. */
  observe(id: number): void {
    if (this.#penalty === 1) return;
    this.#counts.set(id, (this.#counts.get(id) ?? 0) + 1);
    if (this.#window === Infinity) return;
    const place = this.#seen++ % this.#window;
    const forgotten = this.#recent[place];
    this.#recent[place] = id;
    if (forgotten === undefined) return;
    const left = (this.#counts.get(forgotten) as number) - 1;
    if (left > 0) this.#counts.set(forgotten, left);
    else this.#counts.delete(forgotten);
  }

  /** The logits after the penalty: the same array where there is nothing to lower, else one that the next call overwrites. */
  apply(logits: Float32Array): Float32Array {
    if (this.#counts.size === 0) return logits;
    if (this.#lowered.length !== logits.length) this.#lowered = new Float32Array(logits.length);
    const lowered = this.#lowered;
    lowered.set(logits);
    for (const id of this.#counts.keys()) {
      const logit = logits[id];
      if (logit !== undefined) lowered[id] = logit < 0 ? logit * this.#penalty : logit / this.#penalty;
    }
    return lowered;
  }
}
