/**
 * What a mean cross-entropy means: with L the mean of -ln p over all targets,
 *
 *     perplexity = e^L        bits per target (character, token) = L / ln 2
 */
import { exp } from "../../core/elementary.js";
import { ArgumentError } from "../../errors.js";

/** Perplexity and bits per target over a stream of batches of any sizes. */
export class Likelihood {
  #sum = 0;
  #count = 0;

  /**
   * Takes a batch in.
   * @param loss - mean cross-entropy of a batch, in nats
   * @param count - its targets
   */
  add(loss: number, count: number): this {
    if (!(count >= 0 && count < Infinity)) throw new ArgumentError("Likelihood", "count", "a number from 0", count);
    // An empty batch has the mean NaN.
    if (count > 0) this.#sum += loss * count;
    this.#count += count;
    return this;
  }

  /** Mean cross-entropy in nats; NaN of nothing. */
  get nats(): number {
    return this.#sum / this.#count;
  }

  /** The same in bits: bits per character, where the targets are characters. */
  get bits(): number {
    return this.nats / Math.LN2;
  }

  /**
   * Bits per character where targets are something else, such as words or subwords.
   * @param characters - of the text that the targets make up
   */
  bitsPerCharacter(characters: number): number {
    return this.#sum / Math.LN2 / characters;
  }

  /** e^nats. */
  get perplexity(): number {
    return exp(this.nats);
  }

  /** Targets so far. */
  get count(): number {
    return this.#count;
  }

  /** Starts over. */
  reset(): void {
    this.#sum = 0;
    this.#count = 0;
  }
}
