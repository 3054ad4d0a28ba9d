/**
 * RMSprop: Tieleman & Hinton 2012, lecture 6.5 of "Neural Networks for Machine Learning"; as torch.optim.RMSprop.
 *
 *     g = gradient + weightDecay p
 *     v = alpha v + (1 - alpha) g^2
 *     centered (Graves 2013, arXiv:1308.0850): a = alpha a + (1 - alpha) g, and v - a^2 in place of v below
 *     d = g / (sqrt(v) + epsilon)
 *     momentum: b = momentum b + d, and b in place of d below
 *     p = p - lr d
 *
 * `epsilonInside`: g / sqrt(v + epsilon), as in Keras.
 */
import type { Core } from "../core/core.js";
import type { Module } from "../nn/module.js";
import type { Parameter } from "../tensor/parameter.js";
import { checkRange, Optimizer, type OptimizerOptions } from "./optimizer.js";

/** Options of {@link RMSprop}; `lr` defaults to 0.01. */
export interface RMSpropOptions extends OptimizerOptions {
  /** Decay of the average of squares; default 0.99. */
  readonly alpha?: number;
  /** Default 1e-8. */
  readonly epsilon?: number;
  /** Whether epsilon is added under the root; default false. */
  readonly epsilonInside?: boolean;
  /** Default 0. */
  readonly momentum?: number;
  /** Divides by the standard deviation instead of the root mean square; default false. */
  readonly centered?: boolean;
}

/**
 * RMSprop, p -= lr g / (sqrt(v) + epsilon) with a running mean v of squared gradients: Tieleman & Hinton 2012;
 * centred: Graves 2013. As `torch.optim.RMSprop`; `lr` defaults to 0.01.
 *
 * @throws ArgumentError for a setting that is out of its range
 */
export class RMSprop extends Optimizer {
  protected readonly kind = "RMSprop";
  protected readonly slots: readonly string[];
  readonly #alpha: number;
  readonly #epsilon: number;
  readonly #epsilonInside: boolean;
  readonly #momentum: number;
  readonly #centered: boolean;

  /**
   * @param target - a module, for all its parameters, or the parameters
   * @throws ArgumentError for a setting that is out of its range
   */
  constructor(target: Module | Iterable<Parameter>, options: RMSpropOptions = {}) {
    super(target, 1e-2, options);
    const { alpha = 0.99, epsilon = 1e-8, epsilonInside = false, momentum = 0, centered = false } = options;
    checkRange("RMSprop", "alpha", alpha, 0, 1);
    checkRange("RMSprop", "epsilon", epsilon, 0, Infinity);
    checkRange("RMSprop", "momentum", momentum, 0, Infinity);
    this.slots = ["square_avg", ...(momentum === 0 ? [] : ["momentum_buffer"]), ...(centered ? ["grad_avg"] : [])];
    this.#alpha = alpha;
    this.#epsilon = epsilon;
    this.#epsilonInside = epsilonInside;
    this.#momentum = momentum;
    this.#centered = centered;
  }

  protected apply(core: Core, p: Parameter, gradient: number, slot: (name: string) => number): void {
    core.raw.ur_rmsprop(
      p.size,
      p.pointer,
      gradient,
      slot("square_avg"),
      this.#centered ? slot("grad_avg") : 0,
      this.#momentum === 0 ? 0 : slot("momentum_buffer"),
      this.lrOf(p),
      this.#alpha,
      this.#epsilon,
      this.decayOf(p),
      this.#momentum,
      this.#epsilonInside ? 1 : 0,
    );
  }
}
