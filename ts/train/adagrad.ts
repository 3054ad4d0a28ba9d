/**
 * Adagrad: Duchi, Hazan & Singer 2011, "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization";
 * as torch.optim.Adagrad.
 *
 *     g = gradient + weightDecay p
 *     s = s + g^2                                   (s starts at initialAccumulatorValue)
 *     p = p - lr / (1 + (t - 1) lrDecay) g / (sqrt(s) + epsilon)
 *
 * `epsilonInside`: g / sqrt(s + epsilon), as in min-char-rnn and Keras, which starts s at 0.1.
 */
import type { Core } from "../core/core.js";
import type { Module } from "../nn/module.js";
import type { Parameter } from "../tensor/parameter.js";
import { checkRange, Optimizer, type OptimizerOptions } from "./optimizer.js";

/** Options of {@link Adagrad}; `lr` defaults to 0.01. */
export interface AdagradOptions extends OptimizerOptions {
  /** Default 0. */
  readonly lrDecay?: number;
  /** Default 0. */
  readonly initialAccumulatorValue?: number;
  /** Default 1e-10. */
  readonly epsilon?: number;
  /** Whether epsilon is added under the root; default false. */
  readonly epsilonInside?: boolean;
}

/**
 * Adagrad, p -= lr g / (sqrt(s) + epsilon) with s the sum of squared gradients: Duchi, Hazan & Singer 2011. As
 * `torch.optim.Adagrad`; `lr` defaults to 0.01.
 *
 * @throws ArgumentError for a setting that is out of its range
 */
export class Adagrad extends Optimizer {
  protected readonly kind = "Adagrad";
  protected readonly slots = ["sum"];
  readonly #lrDecay: number;
  readonly #initial: number;
  readonly #epsilon: number;
  readonly #epsilonInside: boolean;

  /**
   * @param target - a module, for all its parameters, or the parameters
   * @throws ArgumentError for a setting that is out of its range
   */
  constructor(target: Module | Iterable<Parameter>, options: AdagradOptions = {}) {
    super(target, 1e-2, options);
    const { lrDecay = 0, initialAccumulatorValue = 0, epsilon = 1e-10, epsilonInside = false } = options;
    checkRange("Adagrad", "lrDecay", lrDecay, 0, Infinity);
    checkRange("Adagrad", "initialAccumulatorValue", initialAccumulatorValue, 0, Infinity);
    checkRange("Adagrad", "epsilon", epsilon, 0, Infinity);
    this.#lrDecay = lrDecay;
    this.#initial = initialAccumulatorValue;
    this.#epsilon = epsilon;
    this.#epsilonInside = epsilonInside;
  }

  protected override initialValue(): number {
    return this.#initial;
  }

  protected apply(core: Core, p: Parameter, gradient: number, slot: (name: string) => number, step: number): void {
    const lr = this.lrOf(p) / (1 + (step - 1) * this.#lrDecay);
    const inside = this.#epsilonInside ? 1 : 0;
    core.raw.ur_adagrad(p.size, p.pointer, gradient, slot("sum"), lr, this.decayOf(p), this.#epsilon, inside);
  }
}
