/** Cross-entropy between logits and classes. */
import type { Core } from "../../core/core.js";
import { ArgumentError, ShapeError } from "../../errors.js";
import { writeIds } from "../../tensor/embedding.js";
import type { Ids } from "../../tensor/ids.js";
import { currentTape, releaseScratch } from "../../tensor/scope.js";
import type { Operation, Tape } from "../../tensor/tape.js";
import { coreOf, createTensor, operand, sameShape, Tensor } from "../../tensor/tensor.js";
import { checkReduction, type ReductionOptions, targetIds } from "./reduction.js";

/** Options of {@link nllLoss}. */
export interface ClassLossOptions extends ReductionOptions {
  /** Target that counts for nothing; default -100. */
  readonly ignoreIndex?: number;
  /** Weight of each class (K); the mean divides by the sum of the targets' weights. Default 1. */
  readonly weight?: Tensor;
}

/** Options of {@link crossEntropy}. */
export interface CrossEntropyOptions extends ClassLossOptions {
  /** Part of the target that is spread evenly over all classes, from 0 to 1; default 0. */
  readonly labelSmoothing?: number;
}

/** Gradients of the row losses: the loss's own, or its one gradient times a factor in every row. */
function rowGradients(tape: Tape, y: Tensor, rows: number, scale: number): number {
  const from = tape.gradient(y);
  if (scale === 0) return from;
  const each = tape.core.arenaAlloc(rows * 4);
  tape.core.raw.ur_fill(each, rows, (tape.core.f32[from >>> 2] as number) * scale);
  return each;
}

/** The loss tensor of row losses, and the factor of their gradients (0: they are the loss). */
function reduceRows(
  core: Core,
  losses: Tensor,
  rowWeights: number,
  reduction: ReductionOptions["reduction"],
): [y: Tensor, scale: number] {
  if (reduction === "none") return [losses, 0];
  const rows = losses.size;
  const y = createTensor(core, []);
  const { f32 } = core;
  const [from, weights] = [losses.pointer >>> 2, rowWeights >>> 2];
  let total = 0;
  let weight = 0;
  for (let row = 0; row < rows; row++) {
    total += f32[from + row] as number;
    weight += f32[weights + row] as number;
  }
  const scale = reduction === "sum" ? 1 : 1 / weight;
  f32[y.pointer >>> 2] = reduction === "sum" ? total : total / weight;
  losses.dispose();
  return [y, scale];
}

/** The parts that both losses of classes take from their arguments. */
function classProblem(where: string, logits: Tensor, options: ClassLossOptions) {
  const reduction = checkReduction(where, options.reduction);
  const ignoreIndex = options.ignoreIndex ?? -100;
  if ((ignoreIndex | 0) !== ignoreIndex) throw new ArgumentError(where, "ignoreIndex", "a 32-bit integer", ignoreIndex);
  const core = coreOf(logits, where);
  const from = operand(logits, where, core);
  const classes = logits.shape[logits.shape.length - 1];
  if (classes === undefined || classes === 0) throw new ShapeError(where, "the input", ["...", "K"], logits.shape);
  return { core, from, classes, rows: logits.size / classes, lead: logits.shape.slice(0, -1), ignoreIndex, reduction };
}

/** @throws ArgumentError naming the first target that the core refused */
function checkTargets(where: string, targets: Ids, classes: number, ignoreIndex: number): void {
  const { data } = targets;
  for (let i = 0; i < data.length; i++) {
    const target = data[i] as number;
    if ((target < 0 || target >= classes) && target !== ignoreIndex) {
      throw new ArgumentError(where, `target at position ${i}`, `from 0 to ${classes - 1} or ${ignoreIndex}`, target);
    }
  }
}

function checkWeight(where: string, weight: Tensor | undefined, classes: number, core: Core): number {
  if (weight === undefined) return 0;
  if (!sameShape(weight.shape, [classes])) throw new ShapeError(where, "weight", [classes], weight.shape);
  return operand(weight, where, core);
}

const CrossEntropy: Operation = {
  name: "crossEntropy",
  backward({ inputs, outputs, saved }, tape) {
    const [logits, y] = [inputs[0] as Tensor, outputs[0] as Tensor];
    const [probabilities, ids, soft, weight, ignoreIndex, smoothing, rows, classes, scale] = saved as [
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    const each = rowGradients(tape, y, rows, scale);
    // The probabilities have no further use.
    const to = tape.adoptGradient(logits, probabilities) ? probabilities : tape.gradient(logits);
    const { raw } = tape.core;
    raw.ur_cross_entropy_backward(probabilities, ids, soft, weight, ignoreIndex, smoothing, rows, classes, each, to);
  },
};

/**
 * Cross-entropy of logits (..., K), the classes LAST (unlike PyTorch's (N, K, T)), in nats. Targets are classes of the
 * leading shape, or probabilities (..., K).
 *
 * With reduction "mean" it is the sum of the rows' losses over the sum of their weights; ignored rows count for
 * nothing, and where all are ignored the mean is NaN, as in PyTorch.
 *
 * @throws ShapeError, ArgumentError (a target that is neither a class nor `ignoreIndex`)
 */
export function crossEntropy(
  logits: Tensor,
  targets: Ids | Int32Array | Tensor,
  options: CrossEntropyOptions = {},
): Tensor {
  const where = "crossEntropy";
  const smoothing = options.labelSmoothing ?? 0;
  if (!(smoothing >= 0 && smoothing <= 1)) throw new ArgumentError(where, "labelSmoothing", "from 0 to 1", smoothing);
  const problem = classProblem(where, logits, options);
  const { core, from, classes, rows, lead, ignoreIndex, reduction } = problem;
  const losses = createTensor(core, lead);
  let chosen: Ids | null = null;
  let ids = 0;
  let soft = 0;
  if (targets instanceof Tensor) {
    if (!sameShape(targets.shape, logits.shape)) throw new ShapeError(where, "targets", logits.shape, targets.shape);
    soft = operand(targets, where, core);
  } else {
    chosen = targetIds(where, targets, lead);
    ids = writeIds(core, chosen.data);
  }
  const weight = checkWeight(where, options.weight, classes, core);
  const rowWeights = core.arenaAlloc(rows * 4);
  const probabilities = core.arenaAlloc(logits.size * 4);
  const status = core.raw.ur_cross_entropy(
    from,
    ids,
    soft,
    weight,
    ignoreIndex,
    smoothing,
    rows,
    classes,
    losses.pointer,
    rowWeights,
    probabilities,
  );
  if (status !== 0 && chosen !== null) checkTargets(where, chosen, classes, ignoreIndex);
  const [y, scale] = reduceRows(core, losses, rowWeights, reduction);
  if (logits.requiresGrad) {
    const saved = [probabilities, ids, soft, weight, ignoreIndex, smoothing, rows, classes, scale];
    currentTape()?.push(CrossEntropy, [logits], [y], saved);
  }
  releaseScratch(core);
  return y;
}

const NegativeLogLikelihood: Operation = {
  name: "nllLoss",
  backward({ inputs, outputs, saved }, tape) {
    const [x, y] = [inputs[0] as Tensor, outputs[0] as Tensor];
    const [ids, weight, ignoreIndex, rows, classes, scale] = saved as [number, number, number, number, number, number];
    const each = rowGradients(tape, y, rows, scale);
    tape.core.raw.ur_nll_backward(ids, weight, ignoreIndex, rows, classes, each, tape.gradient(x));
  },
};

/**
 * What remains of {@link crossEntropy} when the logarithms of the probabilities (..., K) are given: -w[t] x[t].
 *
 * @throws ShapeError, ArgumentError (a target that is neither a class nor `ignoreIndex`)
 */
export function nllLoss(logProbabilities: Tensor, targets: Ids | Int32Array, options: ClassLossOptions = {}): Tensor {
  const where = "nllLoss";
  const problem = classProblem(where, logProbabilities, options);
  const { core, from, classes, rows, lead, ignoreIndex, reduction } = problem;
  const losses = createTensor(core, lead);
  const chosen = targetIds(where, targets, lead);
  const ids = writeIds(core, chosen.data);
  const weight = checkWeight(where, options.weight, classes, core);
  const rowWeights = core.arenaAlloc(rows * 4);
  const status = core.raw.ur_nll(from, ids, weight, ignoreIndex, rows, classes, losses.pointer, rowWeights);
  if (status !== 0) checkTargets(where, chosen, classes, ignoreIndex);
  const [y, scale] = reduceRows(core, losses, rowWeights, reduction);
  if (logProbabilities.requiresGrad) {
    const saved = [ids, weight, ignoreIndex, rows, classes, scale];
    currentTape()?.push(NegativeLogLikelihood, [logProbabilities], [y], saved);
  }
  releaseScratch(core);
  return y;
}
