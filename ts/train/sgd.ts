/**
 * Stochastic gradient descent, as torch.optim.SGD.
 *
 *     g = gradient + weightDecay p          (negated first when maximising)
 *     v = momentum v + (1 - dampening) g    (v = g at the first update)
 *     d = nesterov ? g + momentum v : v
 *     p = p - lr d
 *
 * Momentum: Polyak 1964; in this form Sutskever, Martens, Dahl & Hinton 2013, "On the importance of initialization and
 * momentum in deep learning", with the learning rate outside v as PyTorch has it. `lrInVelocity`: g = lr g before v and
 * p = p - d, as in Keras, which differs once the learning rate changes.
 */
import type { Core } from "../core/core.js";
import { ArgumentError } from "../errors.js";
import type { Module } from "../nn/module.js";
import type { Parameter } from "../tensor/parameter.js";
import { checkRange, Optimizer, type OptimizerOptions } from "./optimizer.js";

/** Options of {@link SGD}; `lr` defaults to 0.001. */
export interface SGDOptions extends OptimizerOptions {
  /** Default 0. */
  readonly momentum?: number;
  /** Default 0. */
  readonly dampening?: number;
  /** Default false; takes momentum and no dampening. */
  readonly nesterov?: boolean;
  /** Goes up instead of down; default false. */
  readonly maximize?: boolean;
  /** Whether the velocity holds the learning rate; default false. */
  readonly lrInVelocity?: boolean;
}

/**
 * Stochastic gradient descent, p -= lr g, with momentum (Polyak 1964) or Nesterov's (Sutskever et al. 2013). As
 * `torch.optim.SGD`; `lr` defaults to 0.001.
 *
 * @throws ArgumentError for a setting that is out of its range
 */
export class SGD extends Optimizer {
  protected readonly kind = "SGD";
  protected readonly slots: readonly string[];
  #momentum: number;
  readonly #dampening: number;
  readonly #nesterov: boolean;
  readonly #maximize: boolean;
  readonly #lrInVelocity: boolean;

  /**
   * @param target - a module, for all its parameters, or the parameters
   * @throws ArgumentError for a setting that is out of its range
   */
  constructor(target: Module | Iterable<Parameter>, options: SGDOptions = {}) {
    super(target, 1e-3, options);
    const { momentum = 0, dampening = 0, nesterov = false, maximize = false, lrInVelocity = false } = options;
    checkRange("SGD", "momentum", momentum, 0, Infinity);
    if (!Number.isFinite(dampening)) throw new ArgumentError("SGD", "dampening", "a finite number", dampening);
    if (nesterov && (momentum === 0 || dampening !== 0)) {
      throw new ArgumentError("SGD", "nesterov", "false without momentum or with dampening", nesterov);
    }
    this.slots = momentum === 0 ? [] : ["momentum_buffer"];
    this.#momentum = momentum;
    this.#dampening = dampening;
    this.#nesterov = nesterov;
    this.#maximize = maximize;
    this.#lrInVelocity = lrInVelocity;
  }

  /** For schedules of it, as {@link oneCycleMomentum}; an optimizer made with momentum keeps some, one without has none. */
  get momentum(): number {
    return this.#momentum;
  }

  /** @throws ArgumentError below 0, or where it would begin or end to be 0 */
  set momentum(value: number) {
    checkRange("SGD", "momentum", value, 0, Infinity);
    if ((value === 0) !== (this.#momentum === 0)) {
      throw new ArgumentError(
        "SGD",
        "momentum",
        this.#momentum === 0 ? "0, as at first" : "above 0, as at first",
        value,
      );
    }
    this.#momentum = value;
  }

  protected apply(core: Core, p: Parameter, gradient: number, slot: (name: string) => number, step: number): void {
    core.raw.ur_sgd(
      p.size,
      p.pointer,
      gradient,
      this.#momentum === 0 ? 0 : slot("momentum_buffer"),
      this.lrOf(p),
      this.#momentum,
      this.#dampening,
      this.decayOf(p),
      this.#nesterov ? 1 : 0,
      this.#maximize ? 1 : 0,
      step === 1 ? 1 : 0,
      this.#lrInVelocity ? 1 : 0,
    );
  }
}
