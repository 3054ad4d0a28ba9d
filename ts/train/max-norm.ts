/**
 * A limit of the norm of each unit's incoming weights: Srebro & Shraibman 2005; Srivastava et al. 2014, "Dropout",
 * section 5.1. With w a row of a matrix (the weights into one unit),
 *
 *     w = w min(1, limit / |w|)
 */
import { ArgumentError } from "../errors.js";
import type { Parameter } from "../tensor/parameter.js";

/**
 * Scales the rows of a parameter whose norm is above `limit` down to it; a row is everything but the first axis.
 * Parameters of one dimension, such as biases, are left alone. Optimizers do this after every update with the option
 * `maxNorm`.
 *
 * @throws ArgumentError unless the limit is above 0
 */
export function limitNorm(parameter: Parameter, limit: number): void {
  checkLimit("limitNorm", limit);
  const [rows, ...rest] = parameter.shape;
  if (rows === undefined || rest.length === 0) return;
  const { raw } = parameter.core;
  const width = parameter.size / rows;
  const first = parameter.resolve("limitNorm");
  for (let row = 0; row < rows; row++) {
    const pointer = first + row * width * 4;
    const norm = Math.sqrt(raw.ur_sum_squares(width, pointer));
    if (norm > limit) raw.ur_scale(width, limit / norm, pointer);
  }
  parameter.touch();
}

/** @throws ArgumentError unless the limit is above 0 @internal */
export function checkLimit(where: string, limit: number): void {
  if (!(limit > 0)) throw new ArgumentError(where, "maxNorm", "a number above 0", limit);
}
