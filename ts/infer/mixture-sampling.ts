/**
 * Drawing from mixture densities, from what `gaussianMixtureLoss` and `handwritingLoss` take: Graves 2013, "Generating
 * Sequences With Recurrent Neural Networks", section 5.4, with his bias b towards what is more probable (equations 61
 * and 62): deviations e^(s - b) and weights softmax(w (1 + b)).
 */
import { type Core, getCore } from "../core/core.js";
import { cosPi, exp, log } from "../core/elementary.js";
import { ArgumentError, ShapeError } from "../errors.js";
import { seedWords } from "../tensor/dropout.js";

/** Options of {@link MixtureSampler}. */
export interface MixtureSamplerOptions {
  /** b, at least 0: higher is more probable and less varied; default 0. */
  readonly bias?: number | undefined;
  /** Default 0. */
  readonly seed?: number | undefined;
  /** Where random numbers come from; default: the default core. */
  readonly core?: Core | undefined;
}

/** The stream of random numbers that mixtures are drawn from. */
const STREAM = 0x4d495854;

/** Draws points; the n-th draw depends on the seed, n and the output alone. */
export class MixtureSampler {
  readonly #core: Core;
  readonly #bias: number;
  readonly #seed: readonly [number, number];
  #draws = 0;

  /** @throws ArgumentError for a setting that is out of its range */
  constructor({ bias = 0, seed = 0, core = getCore() }: MixtureSamplerOptions = {}) {
    if (!(bias >= 0 && bias < Infinity)) {
      throw new ArgumentError("MixtureSampler", "bias", "a finite number of 0 or more", bias);
    }
    this.#core = core;
    this.#bias = bias;
    this.#seed = seedWords(seed);
  }

  /**
   * A point of D coordinates.
   * @param output - (M (1 + 2 D)), as for `gaussianMixtureLoss`
   * @throws ShapeError, or ArgumentError for an output that makes no distribution
   */
  sample(output: Float32Array, dimensions: number): Float32Array {
    const m = output.length / (1 + 2 * dimensions);
    if (!(Number.isInteger(m) && m >= 1)) {
      throw new ShapeError("MixtureSampler", "output", [`M (1 + 2 ${dimensions})`], [output.length]);
    }
    const chosen = this.#component(output.subarray(0, m));
    const at = (block: number): number => output[block * m + chosen] as number;
    return Float32Array.from(
      { length: dimensions },
      (_, d) => at(1 + d) + this.#deviation(at(1 + dimensions + d)) * this.#normal(),
    );
  }

  /**
   * A stroke: an offset, and whether the pen is lifted after it.
   * @param output - (1 + 6 M), as for `handwritingLoss`
   * @throws ShapeError, or ArgumentError for an output that makes no distribution
   */
  sampleStroke(output: Float32Array): { readonly x: number; readonly y: number; readonly lifted: boolean } {
    const m = (output.length - 1) / 6;
    if (!(Number.isInteger(m) && m >= 1))
      throw new ShapeError("MixtureSampler", "output", ["1 + 6 M"], [output.length]);
    const lifted = this.#uniform() < 1 / (1 + exp(-(output[0] as number)));
    const chosen = this.#component(output.subarray(1, 1 + m));
    const at = (block: number): number => output[1 + block * m + chosen] as number;
    const correlation = 2 / (1 + exp(-2 * at(5))) - 1;
    const [first, second] = [this.#normal(), this.#normal()];
    const x = at(1) + this.#deviation(at(3)) * first;
    const along = correlation * first + Math.sqrt(1 - correlation * correlation) * second;
    return { x, y: at(2) + this.#deviation(at(4)) * along, lifted };
  }

  #deviation(logarithm: number): number {
    return exp(logarithm - this.#bias);
  }

  #component(logits: Float32Array): number {
    const highest = logits.reduce((most, logit) => Math.max(most, logit), -Infinity);
    const weights = Array.from(logits, (logit) => exp((logit - highest) * (1 + this.#bias)));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    if (!(total > 0)) throw new ArgumentError("MixtureSampler", "output", "numbers that make a distribution", total);
    let left = this.#uniform() * total;
    const chosen = weights.findIndex((weight) => {
      left -= weight;
      return left < 0;
    });
    // Rounding may leave a rest behind the last.
    return chosen < 0 ? weights.length - 1 : chosen;
  }

  /** In [0, 1). */
  #uniform(): number {
    return this.#core.raw.ur_random_f64(...this.#seed, STREAM, 0, 0, this.#draws++);
  }

  /** Of mean 0 and deviation 1: Box & Muller 1958. */
  #normal(): number {
    const radius = Math.sqrt(-2 * log(1 - this.#uniform()));
    return radius * cosPi(2 * this.#uniform());
  }
}
