/**
 * Schedules that fall by a formula in the number of updates t; named and parametrised as in torch.optim.lr_scheduler,
 * with the options of Keras where those say more.
 */

import { pow } from "../../core/elementary.js";
import { checkCount } from "../../data/check.js";
import { ArgumentError } from "../../errors.js";
import { checkFactor, checkRate, type Schedule } from "./schedule.js";

/**
 * lr gamma^floor(t / stepSize). `gamma` defaults to 0.1.
 * @throws ArgumentError naming the option
 */
export function stepDecay(
  lr: number,
  { stepSize, gamma = 0.1 }: { readonly stepSize: number; readonly gamma?: number },
): Schedule {
  checkRate("stepDecay", "lr", lr);
  checkCount("stepDecay", "stepSize", stepSize);
  checkFactor("stepDecay", "gamma", gamma);
  return (update) => lr * pow(gamma, Math.floor(update / stepSize));
}

/**
 * lr gamma^(how many of `milestones` are at most t). `gamma` defaults to 0.1.
 * @throws ArgumentError naming the option
 */
export function multiStepDecay(
  lr: number,
  { milestones, gamma = 0.1 }: { readonly milestones: readonly number[]; readonly gamma?: number },
): Schedule {
  checkRate("multiStepDecay", "lr", lr);
  checkFactor("multiStepDecay", "gamma", gamma);
  return (update) => lr * pow(gamma, milestones.filter((milestone) => milestone <= update).length);
}

/** Options of {@link exponentialDecay}. */
export interface ExponentialDecayOptions {
  /** Factor of each `every` updates. */
  readonly gamma: number;
  /** Updates that one factor takes; default 1. */
  readonly every?: number;
  /** Whether it falls once every `every` updates instead of at all of them; default false. */
  readonly staircase?: boolean;
  /** Updates before the first factor; default 0. */
  readonly after?: number;
}

/**
 * lr gamma^(max(0, t - after) / every). As in char-rnn, 3% an epoch after the tenth:
 * `byEpoch(exponentialDecay(2e-3, { gamma: 0.97, after: 9 }))`.
 * @throws ArgumentError naming the option
 */
export function exponentialDecay(
  lr: number,
  { gamma, every = 1, staircase = false, after = 0 }: ExponentialDecayOptions,
): Schedule {
  checkRate("exponentialDecay", "lr", lr);
  checkFactor("exponentialDecay", "gamma", gamma);
  checkFactor("exponentialDecay", "every", every);
  return (update) => {
    const exponent = Math.max(0, update - after) / every;
    return lr * pow(gamma, staircase ? Math.floor(exponent) : exponent);
  };
}

/**
 * lr / (1 + rate t / every). `every` defaults to 1.
 * @throws ArgumentError naming the option
 */
export function inverseTimeDecay(
  lr: number,
  { rate, every = 1 }: { readonly rate: number; readonly every?: number },
): Schedule {
  checkRate("inverseTimeDecay", "lr", lr);
  checkRate("inverseTimeDecay", "rate", rate);
  checkFactor("inverseTimeDecay", "every", every);
  return (update) => lr / (1 + (rate * update) / every);
}

/** Options of {@link linearSchedule}. */
export interface LinearScheduleOptions {
  /** Updates from one end to the other. */
  readonly steps: number;
  /** Of lr, at first; default 1/3. */
  readonly startFactor?: number;
  /** Of lr, from `steps` on; default 1. */
  readonly endFactor?: number;
}

/**
 * lr (startFactor + (endFactor - startFactor) min(t, steps) / steps).
 * @throws ArgumentError naming the option
 */
export function linearSchedule(
  lr: number,
  { steps, startFactor = 1 / 3, endFactor = 1 }: LinearScheduleOptions,
): Schedule {
  checkRate("linearSchedule", "lr", lr);
  checkCount("linearSchedule", "steps", steps);
  checkRate("linearSchedule", "startFactor", startFactor);
  checkRate("linearSchedule", "endFactor", endFactor);
  return (update) => lr * (startFactor + (endFactor - startFactor) * (Math.min(update, steps) / steps));
}

/** Options of {@link polynomialDecay}. */
export interface PolynomialDecayOptions {
  /** Updates until `end`. */
  readonly steps: number;
  /** Learning rate from `steps` on; default 0. */
  readonly end?: number;
  /** Default 1. */
  readonly power?: number;
}

/**
 * end + (lr - end) (1 - min(t, steps) / steps)^power.
 * @throws ArgumentError naming the option
 */
export function polynomialDecay(lr: number, { steps, end = 0, power = 1 }: PolynomialDecayOptions): Schedule {
  checkRate("polynomialDecay", "lr", lr);
  checkCount("polynomialDecay", "steps", steps);
  checkRate("polynomialDecay", "end", end);
  checkFactor("polynomialDecay", "power", power);
  return (update) => end + (lr - end) * pow(1 - Math.min(update, steps) / steps, power);
}

/**
 * lr min((t + 1)^-1/2, (t + 1) warmUp^-3/2): rises for `warmUp` updates, then falls (Vaswani et al. 2017, "Attention Is
 * All You Need", equation 3, where lr is one over the root of the model's width). The highest rate is lr /
 * sqrt(warmUp).
 * @throws ArgumentError naming the option
 */
export function inverseSquareRoot(lr: number, { warmUp }: { readonly warmUp: number }): Schedule {
  checkRate("inverseSquareRoot", "lr", lr);
  if (!(warmUp > 0)) throw new ArgumentError("inverseSquareRoot", "warmUp", "a number above 0", warmUp);
  return (update) => lr * Math.min(1 / Math.sqrt(update + 1), (update + 1) / (warmUp * Math.sqrt(warmUp)));
}
