/**
 * Adam: Kingma & Ba 2015, "Adam: A Method for Stochastic Optimization"; as torch.optim.Adam.
 *
 *     g = gradient + weightDecay p
 *     m = beta1 m + (1 - beta1) g
 *     v = beta2 v + (1 - beta2) g^2
 *     amsgrad (Reddi, Kale & Kumar 2018): the largest v so far in place of v below
 *     p = p - lr / (1 - beta1^t) m / (sqrt(v / (1 - beta2^t)) + epsilon)
 *
 * Decoupled (AdamW): p = p - lr weightDecay p first, and g without decay. `epsilonBeforeCorrection`: the last divisor
 * is (sqrt(v) + epsilon) / sqrt(1 - beta2^t), as in the paper's section 2 and in Keras.
 */
import type { Core } from "../core/core.js";
import { pow } from "../core/elementary.js";
import type { Module } from "../nn/module.js";
import type { Parameter } from "../tensor/parameter.js";
import { checkRange, Optimizer, type OptimizerOptions } from "./optimizer.js";

/** Options of {@link Adam}; `lr` defaults to 0.001. */
export interface AdamOptions extends OptimizerOptions {
  /** Decay of the averages of gradients and of squares; default [0.9, 0.999]. */
  readonly betas?: readonly [number, number];
  /** Default 1e-8. */
  readonly epsilon?: number;
  /** Default false. */
  readonly amsgrad?: boolean;
  /** Whether epsilon is added before the bias correction of v; default false. */
  readonly epsilonBeforeCorrection?: boolean;
}

/**
 * Adam, p -= lr m / (sqrt(v) + epsilon) with running means m of gradients and v of their squares, both corrected for
 * their start at 0: Kingma & Ba 2015. As `torch.optim.Adam`; `lr` defaults to 0.001.
 *
 * @throws ArgumentError for a setting that is out of its range
 */
export class Adam extends Optimizer {
  protected readonly kind: string = "Adam";
  protected readonly slots: readonly string[];
  readonly #beta1: number;
  readonly #beta2: number;
  readonly #epsilon: number;
  readonly #amsgrad: boolean;
  readonly #epsilonBeforeCorrection: boolean;

  /**
   * @param target - a module, for all its parameters, or the parameters
   * @throws ArgumentError for a setting that is out of its range
   */
  constructor(target: Module | Iterable<Parameter>, options: AdamOptions = {}) {
    super(target, 1e-3, options);
    const { betas = [0.9, 0.999], epsilon = 1e-8, amsgrad = false, epsilonBeforeCorrection = false } = options;
    checkRange("Adam", "betas[0]", betas[0], 0, 1);
    checkRange("Adam", "betas[1]", betas[1], 0, 1);
    checkRange("Adam", "epsilon", epsilon, 0, Infinity);
    this.slots = ["exp_avg", "exp_avg_sq", ...(amsgrad ? ["max_exp_avg_sq"] : [])];
    [this.#beta1, this.#beta2] = betas;
    this.#epsilon = epsilon;
    this.#amsgrad = amsgrad;
    this.#epsilonBeforeCorrection = epsilonBeforeCorrection;
  }

  /** Whether decay shrinks the parameter instead of entering its gradient. */
  protected readonly decoupled: boolean = false;

  protected apply(core: Core, p: Parameter, gradient: number, slot: (name: string) => number, step: number): void {
    core.raw.ur_adam(
      p.size,
      p.pointer,
      gradient,
      slot("exp_avg"),
      slot("exp_avg_sq"),
      this.#amsgrad ? slot("max_exp_avg_sq") : 0,
      this.lrOf(p),
      this.#beta1,
      this.#beta2,
      this.#epsilon,
      this.decayOf(p),
      this.decoupled ? 1 : 0,
      1 - pow(this.#beta1, step),
      1 - pow(this.#beta2, step),
      this.#epsilonBeforeCorrection ? 1 : 0,
    );
  }
}
