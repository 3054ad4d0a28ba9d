/**
 * Averaged stochastic gradient descent: Polyak & Juditsky 1992, "Acceleration of Stochastic Approximation by
 * Averaging"; as torch.optim.ASGD, with `lambda` and `averageAfter` for its lambd and t0.
 *
 *     eta = lr / (1 + lambda lr (t - 1))^alpha
 *     p = p - eta (gradient + (weightDecay + lambda) p)
 *     a = a + (p - a) / max(1, t - 1 - averageAfter)
 *
 * With the trigger of Merity, Keskar & Socher 2018, "Regularizing and Optimizing LSTM Language Models" (NT-ASGD),
 * `lambda` is 0 and averaging begins when validation stops to improve. `train` tells the optimizer its validation losses,
 * and uses the averages to validate, for samples and for the weights that `keepBest` keeps:
 *
 * ```ts
 * const optimizer = new AveragedSGD(model, { lr: 30, trigger: new NonMonotoneTrigger() });
 * await train(model, data, { optimizer, valid, epochs: 100 }).done;
 * const bytes = optimizer.withAverages(() => save(model));
 * ```
 */
import type { Core } from "../core/core.js";
import { pow } from "../core/elementary.js";
import { ArgumentError, LoadError } from "../errors.js";
import type { Module, StateDict } from "../nn/module.js";
import type { Parameter } from "../tensor/parameter.js";
import { withValues } from "./average.js";
import { checkRange, Optimizer, type OptimizerOptions } from "./optimizer.js";

/** Options of {@link AveragedSGD}; `lr` defaults to 0.01. */
export interface AveragedSGDOptions extends OptimizerOptions {
  /** Decay of parameters and of the learning rate; default 0.0001, with a trigger 0. */
  readonly lambda?: number;
  /** How fast the learning rate decays; default 0.75. */
  readonly alpha?: number;
  /** Updates before averaging begins; default 1 000 000, with a trigger Infinity. */
  readonly averageAfter?: number;
  /** Has averaging begin when it tells, unless it has begun before: see {@link AveragedSGD.observe}. Default none. */
  readonly trigger?: NonMonotoneTrigger;
}

/**
 * Stochastic gradient descent whose result is the mean of its parameters over updates: Polyak & Juditsky 1992; begun by
 * a trigger (NT-ASGD), Merity, Keskar & Socher 2018. As `torch.optim.ASGD`; `lr` defaults to 0.01.
 *
 * @throws ArgumentError for a setting that is out of its range
 */
export class AveragedSGD extends Optimizer {
  protected readonly kind = "ASGD";
  protected readonly slots = ["ax"];
  readonly #lambda: number;
  readonly #alpha: number;
  #averageAfter: number;
  readonly #trigger: NonMonotoneTrigger | undefined;

  /**
   * @param target - a module, for all its parameters, or the parameters
   * @throws ArgumentError for a setting that is out of its range
   */
  constructor(target: Module | Iterable<Parameter>, options: AveragedSGDOptions = {}) {
    super(target, 1e-2, options);
    const { trigger, alpha = 0.75 } = options;
    const { lambda = trigger ? 0 : 1e-4, averageAfter = trigger ? Infinity : 1e6 } = options;
    checkRange("AveragedSGD", "lambda", lambda, 0, Infinity);
    checkRange("AveragedSGD", "alpha", alpha, 0, Infinity);
    if (!(averageAfter >= 0)) throw new ArgumentError("AveragedSGD", "averageAfter", "at least 0", averageAfter);
    this.#lambda = lambda;
    this.#alpha = alpha;
    this.#averageAfter = averageAfter;
    this.#trigger = trigger;
  }

  /** Updates before averaging begins. */
  get averageAfter(): number {
    return this.#averageAfter;
  }

  /** Whether an update has been averaged. */
  get averaging(): boolean {
    return this.#done > this.#averageAfter;
  }

  get #done(): number {
    return Math.max(...this.parameters.map((parameter) => this.stepsOf(parameter)));
  }

  /** Averages from now on, if it does not yet. */
  startAveraging(): void {
    this.#averageAfter = Math.min(this.#averageAfter, this.#done);
  }

  /** Takes the loss of a validation, by which a `trigger` begins to average. `train` calls it. */
  override observe(loss: number): void {
    if (!this.averaging && this.#trigger?.observe(loss)) this.startAveraging();
  }

  /** Copies of the averages of parameters that were updated, by name; before averaging begins the parameters themselves. */
  averages(): StateDict {
    return new Map(
      this.#held().map(([parameter, average]) => [
        this.nameOf(parameter),
        { data: average.toArray() as Float32Array, shape: average.shape },
      ]),
    );
  }

  /**
   * Runs `fn` with the averages as the parameters' values, if it returns a promise until that has settled; before
   * averaging begins with the values as they are.
   */
  override withAverages<R>(fn: () => R): R {
    return this.averaging ? withValues(this.#held(), fn) : fn();
  }

  #held() {
    return this.parameters.flatMap((parameter) => {
      const average = this.slotOf(parameter, "ax");
      return average === undefined ? [] : [[parameter, average] as const];
    });
  }

  protected override numbers(): Record<string, number> {
    const losses = this.#trigger?.stateDict().losses ?? [];
    return { averageAfter: this.#averageAfter, ...Object.fromEntries(losses.map((loss, i) => [`loss${i}`, loss])) };
  }

  protected override loadNumbers({ averageAfter = NaN, ...rest }: Readonly<Record<string, number>>): void {
    if (!(averageAfter >= 0)) {
      throw new LoadError("value", `optimizer state: averageAfter must be at least 0, got ${averageAfter}`);
    }
    this.#averageAfter = averageAfter;
    const losses: number[] = [];
    for (let loss = rest["loss0"]; loss !== undefined; loss = rest[`loss${losses.length}`]) losses.push(loss);
    this.#trigger?.loadStateDict({ losses });
  }

  protected apply(core: Core, p: Parameter, gradient: number, slot: (name: string) => number, step: number): void {
    const lr = this.lrOf(p);
    const eta = lr / pow(1 + this.#lambda * lr * (step - 1), this.#alpha);
    // Plain descent: lambda is one more weight decay.
    core.raw.ur_sgd(p.size, p.pointer, gradient, 0, eta, 0, 0, this.decayOf(p) + this.#lambda, 0, 0, 0, 0);
    core.raw.ur_average(p.size, slot("ax"), p.pointer, 1 / Math.max(1, step - 1 - this.#averageAfter));
  }
}

/**
 * Tells when a loss has stopped to fall, with some patience: at the first value that is above the best of all but the
 * latest `patience` before it (Merity, Keskar & Socher 2018, algorithm 1).
 */
export class NonMonotoneTrigger {
  readonly #patience: number;
  #losses: number[] = [];

  /**
   * @param options - `patience`: the paper's n, a whole number from 0; default 5
   * @throws ArgumentError when it is not such a number
   */
  constructor(options: { readonly patience?: number } = {}) {
    const { patience = 5 } = options;
    if (!(Number.isSafeInteger(patience) && patience >= 0)) {
      throw new ArgumentError("NonMonotoneTrigger", "patience", "a whole number from 0", patience);
    }
    this.#patience = patience;
  }

  /** Takes the next loss; true when it has stopped to fall. */
  observe(loss: number): boolean {
    const early = this.#losses.slice(0, Math.max(0, this.#losses.length - this.#patience));
    this.#losses.push(loss);
    return early.some((best) => loss > best);
  }

  /** The losses so far, for {@link loadStateDict}. */
  stateDict(): { readonly losses: readonly number[] } {
    return { losses: [...this.#losses] };
  }

  /** Goes on from where another stood. */
  loadStateDict({ losses }: { readonly losses: readonly number[] }): void {
    this.#losses = [...losses];
  }
}
