/**
 * Dropout whose mask is the same at every step. Gal & Ghahramani 2016, "A Theoretically Grounded Application of Dropout
 * in Recurrent Neural Networks" (variational dropout).
 */
import { ShapeError } from "../errors.js";
import { mul } from "../tensor/binary.js";
import { checkProbability, dropout } from "../tensor/dropout.js";
import { currentTape } from "../tensor/scope.js";
import { ones, type Tensor } from "../tensor/tensor.js";
import { Module } from "./module.js";

/** Options of {@link LockedDropout}. */
export interface LockedDropoutOptions {
  /** Sequences are (B, T, ...); false: (T, B, ...). Default true. */
  readonly batchFirst?: boolean;
}

/**
 * While a training recording runs, zeroes features of whole sequences with probability p and divides the others by
 * 1 - p; else nothing. Each sequence of a batch has a mask of its own, drawn by seed, update and path.
 */
export class LockedDropout extends Module {
  /** Probability that a feature is dropped. */
  readonly p: number;
  /** Whether sequences are (B, T, ...); else (T, B, ...). */
  readonly batchFirst: boolean;

  /**
   * @param p - probability that a feature is dropped; default 0.5
   * @throws ArgumentError for a p outside [0, 1]
   */
  constructor(p = 0.5, options: LockedDropoutOptions = {}) {
    super();
    checkProbability("LockedDropout", "p", p);
    this.p = p;
    this.batchFirst = options.batchFirst ?? true;
  }

  /**
   * Sequences (B, T, H), or (T, B, H) without `batchFirst`, or one sequence (T, H), to the same shape.
   * @throws ShapeError
   */
  forward(x: Tensor): Tensor {
    const dimensions = x.shape.length;
    if (dimensions !== 2 && dimensions !== 3) throw new ShapeError(this.label, "x", "[B, T, H] or [T, H]", x.shape);
    return lockedDropout(x, this.p, dimensions === 3 && this.batchFirst ? 1 : 0, this.stream);
  }
}

/** {@link dropout} with one mask for all of the time axis. @internal */
export function lockedDropout(x: Tensor, p: number, timeAxis: number, stream: number): Tensor {
  const tape = currentTape();
  if (tape === null || !tape.training || p === 0) return x;
  const shape = x.shape.map((length, axis) => (axis === timeAxis ? 1 : length));
  const batchAxis = shape.length > 2 ? 1 - timeAxis : -1;
  return mul(x, dropout(ones(shape, x.core), p, stream, batchAxis));
}
