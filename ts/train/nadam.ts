/**
 * NAdam: Dozat 2016, "Incorporating Nesterov Momentum into Adam"; as torch.optim.NAdam.
 *
 *     g = gradient + weightDecay p
 *     mu_t = beta1 (1 - 0.96^(t momentumDecay) / 2),  M_t = mu_1 ... mu_t
 *     m = beta1 m + (1 - beta1) g
 *     v = beta2 v + (1 - beta2) g^2
 *     n = (1 - mu_t) / (1 - M_t) g + mu_{t+1} / (1 - M_{t+1}) m
 *     p = p - lr n / (sqrt(v / (1 - beta2^t)) + epsilon)
 *
 * `decoupledWeightDecay`: p = p - lr weightDecay p first, and g without decay.
 */
import type { Core } from "../core/core.js";
import { pow } from "../core/elementary.js";
import type { Module } from "../nn/module.js";
import type { Parameter } from "../tensor/parameter.js";
import { checkRange, Optimizer, type OptimizerOptions } from "./optimizer.js";

/** Options of {@link NAdam}; `lr` defaults to 0.002. */
export interface NAdamOptions extends OptimizerOptions {
  /** Decay of the averages of gradients and of squares; default [0.9, 0.999]. */
  readonly betas?: readonly [number, number];
  /** Default 1e-8. */
  readonly epsilon?: number;
  /** Default 0.004. */
  readonly momentumDecay?: number;
  /** Default false. */
  readonly decoupledWeightDecay?: boolean;
}

/**
 * {@link Adam} with Nesterov's momentum: Dozat 2016. As `torch.optim.NAdam`; `lr` defaults to 0.002.
 *
 * @throws ArgumentError for a setting that is out of its range
 */
export class NAdam extends Optimizer {
  protected readonly kind = "NAdam";
  protected readonly slots = ["exp_avg", "exp_avg_sq"];
  readonly #beta1: number;
  readonly #beta2: number;
  readonly #epsilon: number;
  readonly #momentumDecay: number;
  readonly #decoupled: boolean;
  /** M_t of the latest t asked for: a function of t alone, kept because it is a long product. */
  #product = { step: 0, value: 1 };

  /**
   * @param target - a module, for all its parameters, or the parameters
   * @throws ArgumentError for a setting that is out of its range
   */
  constructor(target: Module | Iterable<Parameter>, options: NAdamOptions = {}) {
    super(target, 2e-3, options);
    const { betas = [0.9, 0.999], epsilon = 1e-8, momentumDecay = 4e-3, decoupledWeightDecay = false } = options;
    checkRange("NAdam", "betas[0]", betas[0], 0, 1);
    checkRange("NAdam", "betas[1]", betas[1], 0, 1);
    checkRange("NAdam", "epsilon", epsilon, 0, Infinity);
    checkRange("NAdam", "momentumDecay", momentumDecay, 0, Infinity);
    [this.#beta1, this.#beta2] = betas;
    this.#epsilon = epsilon;
    this.#momentumDecay = momentumDecay;
    this.#decoupled = decoupledWeightDecay;
  }

  #momentum(step: number): number {
    return this.#beta1 * (1 - 0.5 * pow(0.96, step * this.#momentumDecay));
  }

  #momentumProduct(step: number): number {
    let { step: known, value } = this.#product;
    if (known > step) [known, value] = [0, 1];
    for (let t = known + 1; t <= step; t++) value *= this.#momentum(t);
    this.#product = { step, value };
    return value;
  }

  protected apply(core: Core, p: Parameter, gradient: number, slot: (name: string) => number, step: number): void {
    const lr = this.lrOf(p);
    const product = this.#momentumProduct(step);
    const next = this.#momentum(step + 1);
    core.raw.ur_nadam(
      p.size,
      p.pointer,
      gradient,
      slot("exp_avg"),
      slot("exp_avg_sq"),
      lr,
      (lr * (1 - this.#momentum(step))) / (1 - product),
      (lr * next) / (1 - product * next),
      this.#beta1,
      this.#beta2,
      this.#epsilon,
      this.decayOf(p),
      this.#decoupled ? 1 : 0,
      1 - pow(this.#beta2, step),
    );
  }
}
