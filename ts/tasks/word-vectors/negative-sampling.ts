/** The loss of negative sampling: the right word against words drawn at random. */
import { ArgumentError, ShapeError } from "../../errors.js";
import { add } from "../../tensor/binary.js";
import { embedding } from "../../tensor/embedding.js";
import type { Ids } from "../../tensor/ids.js";
import { matmul } from "../../tensor/matmul.js";
import type { Parameter } from "../../tensor/parameter.js";
import { mean, sum } from "../../tensor/reduce.js";
import { reshape } from "../../tensor/shape.js";
import type { Tensor } from "../../tensor/tensor.js";
import { neg, softplus } from "../../tensor/unary.js";

/**
 * The mean over N of -ln s(v_o . h) - sum over k of ln s(-v_nk . h), in nats, for right words o and drawn words n_k.
 * @param hidden - h, (N, D)
 * @param outputVectors - v, (V, D)
 * @param targets - o, (N)
 * @param negatives - n, (N, K)
 * @throws ShapeError, ArgumentError
 */
export function negativeSamplingLoss(
  where: string,
  hidden: Tensor,
  outputVectors: Parameter,
  targets: Ids,
  negatives: Ids,
): Tensor {
  const [rows, size] = hidden.shape as [number, number];
  const drawn = negatives.shape[1];
  if (negatives.shape.length !== 2 || negatives.shape[0] !== rows || targets.size !== rows) {
    throw new ShapeError(where, "negatives", [rows, "K"], negatives.shape);
  }
  if (drawn === undefined || drawn === 0) throw new ArgumentError(where, "negatives", "one or more a row", drawn);
  const column = reshape(hidden, [rows, size, 1]);
  const scores = (ids: Ids, count: number): Tensor =>
    reshape(matmul(reshape(embedding(outputVectors, ids), [rows, count, size]), column), [rows, count]);
  // -ln s(x) is softplus(-x).
  const right = sum(softplus(neg(scores(targets, 1))), 1);
  return mean(add(right, sum(softplus(scores(negatives, drawn)), 1)));
}
