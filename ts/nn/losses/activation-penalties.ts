/**
 * Penalties of a recurrent layer's outputs, to be added to the loss. Merity, McCann & Socher 2017, "Revisiting
 * Activation Regularization for Language RNNs".
 */
import { ArgumentError, ShapeError } from "../../errors.js";
import { mul, sub } from "../../tensor/binary.js";
import { mean } from "../../tensor/reduce.js";
import { slice } from "../../tensor/shape.js";
import { type Tensor, zeros } from "../../tensor/tensor.js";
import { square } from "../../tensor/unary.js";

/** Options of {@link temporalActivationPenalty}. */
export interface TemporalPenaltyOptions {
  /** Outputs are (B, T, H); false: (T, B, H). Default true. */
  readonly batchFirst?: boolean;
}

function checkFactor(where: string, option: string, value: number): void {
  if (!(value >= 0 && value < Infinity)) throw new ArgumentError(where, option, "a finite number of 0 or more", value);
}

/**
 * alpha times the mean of h^2: large activations cost (AR). The authors take the outputs after dropout.
 * @param alpha default 2, as in AWD-LSTM
 */
export function activationPenalty(output: Tensor, alpha = 2): Tensor {
  checkFactor("activationPenalty", "alpha", alpha);
  return mul(mean(square(output)), alpha);
}

/**
 * beta times the mean of (h_{t+1} - h_t)^2: changes from step to step cost (TAR); 0 for a single step. The authors take
 * the outputs before dropout.
 *
 * @param output - (B, T, H), or one sequence (T, H)
 * @param beta default 1, as in AWD-LSTM
 * @throws ShapeError
 */
export function temporalActivationPenalty(output: Tensor, beta = 1, options: TemporalPenaltyOptions = {}): Tensor {
  const where = "temporalActivationPenalty";
  checkFactor(where, "beta", beta);
  const dimensions = output.shape.length;
  if (dimensions !== 2 && dimensions !== 3) throw new ShapeError(where, "output", "[B, T, H] or [T, H]", output.shape);
  const time = dimensions === 3 && (options.batchFirst ?? true) ? 1 : 0;
  if ((output.shape[time] as number) < 2) return zeros([], output.core);
  const changes = sub(slice(output, time, 1), slice(output, time, 0, -1));
  return mul(mean(square(changes)), beta);
}
