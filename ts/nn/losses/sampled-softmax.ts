/**
 * Sampled softmax: while training, the target's logit competes with those of a few drawn classes instead of all.
 * Bengio & Senecal 2008, "Adaptive Importance Sampling to Accelerate Training of a Neural Probabilistic Language
 * Model"; logits adjusted as in Rawat et al. 2019, "Sampled Softmax with Random Fourier Features".
 *
 *   o_k  = w_k h + b_k
 *   q(k) = ln((k + 2) / (k + 1)) / ln(K + 1)       Zipf's law, for classes sorted by frequency; or q(k) = 1 / K
 *   loss = -o_target + ln(e^o_target + sum of e^o_k / (S q(k)) over the drawn k other than the target)
 *
 * with S classes drawn from q, with replacement: what is inside the logarithm has the full sum as its expectation.
 */
import { exp, log } from "../../core/elementary.js";
import { ArgumentError, ShapeError } from "../../errors.js";
import { add, mul, sub } from "../../tensor/binary.js";
import { uniformDraws } from "../../tensor/draws.js";
import { maskedFill } from "../../tensor/dropout.js";
import { embedding } from "../../tensor/embedding.js";
import { Ids } from "../../tensor/ids.js";
import { linear, matmul } from "../../tensor/matmul.js";
import { sum } from "../../tensor/reduce.js";
import { currentTape } from "../../tensor/scope.js";
import { concat, reshape } from "../../tensor/shape.js";
import { coreOf, type Tensor, tensor } from "../../tensor/tensor.js";
import { crossEntropy } from "./cross-entropy.js";
import { type ReductionOptions, targetIds } from "./reduction.js";

/** Options of {@link sampledSoftmaxLoss}. */
export interface SampledSoftmaxOptions extends ReductionOptions {
  /** How many classes are drawn for all positions together, S. */
  readonly samples: number;
  /** What they are drawn from: Zipf's law ("logUniform", the default; class 0 is the most frequent) or "uniform". */
  readonly distribution?: "logUniform" | "uniform";
  /** The classes, in place of drawn ones: S of them. */
  readonly sampled?: Int32Array;
  /** Separates the draws of different places, for example `this.stream` of a module; default 0. */
  readonly stream?: number;
}

/**
 * An estimate of {@link crossEntropy} of `linear(x, weight, bias)` by S drawn classes while a training recording
 * runs, in nats; the exact loss otherwise, for evaluation. The classes depend on seed, update and stream.
 *
 * @param x - (..., H)
 * @param weight - (K, H), as a linear layer has it
 * @param bias - (K), or null
 * @param targets - classes, of the leading shape
 * @throws ShapeError, ArgumentError (a target or a drawn class that is none)
 */
export function sampledSoftmaxLoss(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  targets: Ids | Int32Array,
  options: SampledSoftmaxOptions,
): Tensor {
  const where = "sampledSoftmaxLoss";
  const { samples, distribution = "logUniform" } = options;
  const core = coreOf(x, where);
  const [classes, features] = weight.shape;
  if (weight.shape.length !== 2 || classes === undefined || features === undefined) {
    throw new ShapeError(where, "weight", ["K", "H"], weight.shape);
  }
  if (x.shape[x.shape.length - 1] !== features) throw new ShapeError(where, "x", ["...", features], x.shape);
  if (!(Number.isSafeInteger(samples) && samples >= 1)) {
    throw new ArgumentError(where, "samples", "an integer of 1 or more", samples);
  }
  if (distribution !== "logUniform" && distribution !== "uniform") {
    throw new ArgumentError(where, "distribution", '"logUniform" or "uniform"', distribution);
  }
  const lead = x.shape.slice(0, -1);
  const wanted = targetIds(where, targets, lead);
  const tape = currentTape();
  if (options.sampled === undefined && (tape === null || !tape.training)) {
    return crossEntropy(linear(x, weight, bias, where), wanted, reductionOf(options));
  }
  if (options.sampled !== undefined && options.sampled.length !== samples) {
    throw new ShapeError(where, "sampled", [samples], [options.sampled.length]);
  }
  const range = log(classes + 1);
  // The logarithm of how often a class is expected among the drawn ones.
  const expected = (k: number): number => {
    const probability = distribution === "uniform" ? 1 / classes : log((k + 2) / (k + 1)) / range;
    return log(samples * probability);
  };
  const drawn =
    options.sampled ??
    Int32Array.from(uniformDraws(options.stream ?? 0, samples), (u) =>
      Math.min(classes - 1, Math.floor(distribution === "uniform" ? u * classes : exp(u * range) - 1)),
    );
  const rows = wanted.size;
  const flat = reshape(x, [rows, features]);
  const chosen = new Ids(wanted.data);
  const others = new Ids(drawn);
  // Of shapes (rows, 1) and (rows, S).
  let target = sum(mul(flat, embedding(weight, chosen, { where })), -1, { keepDims: true });
  let rivals = matmul(flat, embedding(weight, others, { where }), { transposeB: true });
  if (bias !== null) {
    const column = reshape(bias, [classes, 1]);
    target = add(target, embedding(column, chosen));
    rivals = add(rivals, reshape(embedding(column, others), [samples]));
  }
  rivals = sub(rivals, tensor(Float32Array.from(drawn, expected), [samples], core));
  // A drawn class that is the target would compete with itself.
  const hits = Int32Array.from({ length: rows * samples }, (_, i) =>
    drawn[i % samples] === wanted.data[Math.floor(i / samples)] ? 1 : 0,
  );
  const logits = concat([target, maskedFill(rivals, new Ids(hits, [rows, samples]), -Infinity)]);
  return crossEntropy(
    reshape(logits, [...lead, samples + 1]),
    new Ids(new Int32Array(rows), lead),
    reductionOf(options),
  );
}

function reductionOf({ reduction }: ReductionOptions): ReductionOptions {
  return reduction === undefined ? {} : { reduction };
}
