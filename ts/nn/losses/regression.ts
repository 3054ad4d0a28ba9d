/** Losses between numbers: squared, absolute, Huber's and the smooth absolute one. */
import { ArgumentError } from "../../errors.js";
import { minimum, mul, sub } from "../../tensor/binary.js";
import type { Tensor } from "../../tensor/tensor.js";
import { abs, square } from "../../tensor/unary.js";
import { checkSameShape, type ReductionOptions, reduce } from "./reduction.js";

/**
 * (input - target)^2.
 * @throws ShapeError unless both have one shape
 */
export function mseLoss(input: Tensor, target: Tensor, options: ReductionOptions = {}): Tensor {
  checkSameShape("mseLoss", input, target);
  return reduce("mseLoss", square(sub(input, target)), options);
}

/**
 * |input - target|.
 * @throws ShapeError unless both have one shape
 */
export function l1Loss(input: Tensor, target: Tensor, options: ReductionOptions = {}): Tensor {
  checkSameShape("l1Loss", input, target);
  return reduce("l1Loss", abs(sub(input, target)), options);
}

/** Options of {@link huberLoss}. */
export interface HuberOptions extends ReductionOptions {
  /** Where the square becomes a line; default 1. */
  readonly delta?: number;
}

/**
 * d^2 / 2 for |d| <= delta, else delta (|d| - delta / 2), with d = input - target. Huber 1964.
 * @throws ShapeError unless both have one shape
 */
export function huberLoss(input: Tensor, target: Tensor, options: HuberOptions = {}): Tensor {
  checkSameShape("huberLoss", input, target);
  const delta = options.delta ?? 1;
  if (!(delta > 0 && Number.isFinite(delta)))
    throw new ArgumentError("huberLoss", "delta", "a finite number above 0", delta);
  const distance = abs(sub(input, target));
  // With a = min(|d|, delta), a (|d| - a / 2) is both branches.
  const near = minimum(distance, delta);
  return reduce("huberLoss", mul(near, sub(distance, mul(near, 0.5))), options);
}

/** Options of {@link smoothL1Loss}. */
export interface SmoothL1Options extends ReductionOptions {
  /** Where the square becomes a line; default 1. With 0 it is {@link l1Loss}. */
  readonly beta?: number;
}

/**
 * d^2 / (2 beta) for |d| < beta, else |d| - beta / 2, with d = input - target: Huber's loss over beta. Girshick 2015.
 * @throws ShapeError unless both have one shape
 */
export function smoothL1Loss(input: Tensor, target: Tensor, options: SmoothL1Options = {}): Tensor {
  checkSameShape("smoothL1Loss", input, target);
  const beta = options.beta ?? 1;
  if (!(beta >= 0 && Number.isFinite(beta)))
    throw new ArgumentError("smoothL1Loss", "beta", "a finite number of 0 or more", beta);
  const distance = abs(sub(input, target));
  if (beta === 0) return reduce("smoothL1Loss", distance, options);
  const near = minimum(distance, beta);
  return reduce("smoothL1Loss", mul(mul(near, sub(distance, mul(near, 0.5))), 1 / beta), options);
}
