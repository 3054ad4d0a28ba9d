/**
 * Reduction on a plateau, as torch.optim.lr_scheduler.ReduceLROnPlateau: when a metric has not improved for more than
 * `patience` observations, lr *= factor.
 */
import { ArgumentError } from "../../errors.js";
import { checkRate } from "./schedule.js";

/** Options of {@link ReduceOnPlateau}. */
export interface ReduceOnPlateauOptions {
  /** Whether less is better ("min", the default) or more. */
  readonly mode?: "min" | "max";
  /** Below 1; default 0.1. */
  readonly factor?: number;
  /** Observations without improvement that are let pass; default 10. */
  readonly patience?: number;
  /** How much better is better; default 1e-4. */
  readonly threshold?: number;
  /** Whether the threshold is a fraction of the best ("relative", the default) or a difference. */
  readonly thresholdMode?: "relative" | "absolute";
  /** Observations after a reduction that are not counted; default 0. */
  readonly cooldown?: number;
  /** Default 0. */
  readonly minimum?: number;
  /** A reduction by less is left out; default 1e-8. */
  readonly epsilon?: number;
}

/** Everything a {@link ReduceOnPlateau} needs to go on as if never stopped; numbers only, which JSON keeps. */
export interface PlateauState {
  /** The learning rate it has come to. */
  readonly lr: number;
  /** Best metric so far, null before the first. */
  readonly best: number | null;
  /** Observations in a row without improvement. */
  readonly badCount: number;
  /** Observations that are still not counted. */
  readonly cooldownLeft: number;
}

/**
 * The one schedule with a state. `train` feeds it its validation losses and keeps its state in checkpoints:
 *
 * ```ts
 * const schedule = new ReduceOnPlateau(1e-3, { patience: 2 });
 * await train(model, data, { optimizer, valid, schedule }).done;
 * ```
 *
 * For another metric give `train` its function, `plateau.schedule`, and call `observe` yourself.
 */
export class ReduceOnPlateau {
  readonly #options: Required<ReduceOnPlateauOptions>;
  #lr: number;
  #best: number | null = null;
  #badCount = 0;
  #cooldownLeft = 0;

  /**
   * @param lr - the learning rate at first
   * @throws ArgumentError naming the option
   */
  constructor(lr: number, options: ReduceOnPlateauOptions = {}) {
    checkRate("ReduceOnPlateau", "lr", lr);
    this.#lr = lr;
    this.#options = {
      mode: "min",
      factor: 0.1,
      patience: 10,
      threshold: 1e-4,
      thresholdMode: "relative",
      cooldown: 0,
      minimum: 0,
      epsilon: 1e-8,
      ...options,
    };
    const { factor, patience, threshold, cooldown, minimum, epsilon } = this.#options;
    if (!(factor >= 0 && factor < 1)) {
      throw new ArgumentError("ReduceOnPlateau", "factor", "at least 0 and below 1", factor);
    }
    for (const [option, value] of Object.entries({ patience, threshold, cooldown, minimum, epsilon }))
      checkRate("ReduceOnPlateau", option, value);
  }

  /** The learning rate in force. */
  get lr(): number {
    return this.#lr;
  }

  /** For `train`. */
  readonly schedule = (): number => this.#lr;

  /**
   * Takes the next value of the metric, for example a validation loss; what is not finite is no improvement.
   * @returns the learning rate from now on
   */
  observe(metric: number): number {
    const { factor, patience, cooldown, minimum, epsilon } = this.#options;
    if (this.#isBetter(metric)) {
      this.#best = metric;
      this.#badCount = 0;
    } else this.#badCount++;
    if (this.#cooldownLeft > 0) {
      this.#cooldownLeft--;
      this.#badCount = 0;
    }
    if (this.#badCount > patience) {
      const reduced = Math.max(this.#lr * factor, minimum);
      if (this.#lr - reduced > epsilon) this.#lr = reduced;
      this.#cooldownLeft = cooldown;
      this.#badCount = 0;
    }
    return this.#lr;
  }

  #isBetter(metric: number): boolean {
    if (this.#best === null) return Number.isFinite(metric);
    const { mode, threshold, thresholdMode } = this.#options;
    const sign = mode === "min" ? -1 : 1;
    const margin = thresholdMode === "relative" ? threshold * this.#best : threshold;
    return sign * (metric - (this.#best + sign * margin)) > 0;
  }

  /** Where it stands, for {@link loadStateDict}. */
  stateDict(): PlateauState {
    return { lr: this.#lr, best: this.#best, badCount: this.#badCount, cooldownLeft: this.#cooldownLeft };
  }

  /** Goes on from where another stood. */
  loadStateDict({ lr, best, badCount, cooldownLeft }: PlateauState): void {
    checkRate("ReduceOnPlateau", "lr", lr);
    this.#lr = lr;
    this.#best = best;
    this.#badCount = badCount;
    this.#cooldownLeft = cooldownLeft;
  }
}
