/**
 * Lion: Chen et al. 2023, "Symbolic Discovery of Optimization Algorithms", algorithm 2. Its learning rates are those of
 * AdamW divided by 3 to 10, its weight decays times as much.
 *
 *     p = p - lr weightDecay p
 *     p = p - lr sign(beta1 m + (1 - beta1) gradient)
 *     m = beta2 m + (1 - beta2) gradient
 */
import type { Core } from "../core/core.js";
import type { Module } from "../nn/module.js";
import type { Parameter } from "../tensor/parameter.js";
import { checkRange, Optimizer, type OptimizerOptions } from "./optimizer.js";

/** Options of {@link Lion}; `lr` defaults to 0.0001. */
export interface LionOptions extends OptimizerOptions {
  /** Shares of m in the direction and in the next m; default [0.9, 0.99]. */
  readonly betas?: readonly [number, number];
}

/**
 * Lion, p -= lr sign(beta1 m + (1 - beta1) g) with a running mean m of gradients: Chen et al. 2023. `lr` defaults to
 * 0.0001; take a third to a tenth of what suits AdamW.
 *
 * @throws ArgumentError for a setting that is out of its range
 */
export class Lion extends Optimizer {
  protected readonly kind = "Lion";
  protected readonly slots = ["exp_avg"];
  readonly #beta1: number;
  readonly #beta2: number;

  /**
   * @param target - a module, for all its parameters, or the parameters
   * @throws ArgumentError for a setting that is out of its range
   */
  constructor(target: Module | Iterable<Parameter>, options: LionOptions = {}) {
    super(target, 1e-4, options);
    const { betas = [0.9, 0.99] } = options;
    checkRange("Lion", "betas[0]", betas[0], 0, 1);
    checkRange("Lion", "betas[1]", betas[1], 0, 1);
    [this.#beta1, this.#beta2] = betas;
  }

  protected apply(core: Core, p: Parameter, gradient: number, slot: (name: string) => number): void {
    const { raw } = core;
    const average = slot("exp_avg");
    raw.ur_lion(p.size, p.pointer, gradient, average, this.lrOf(p), this.#beta1, this.#beta2, this.decayOf(p));
  }
}
