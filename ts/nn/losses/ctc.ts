/**
 * Connectionist temporal classification: Graves, Fernandez, Gomez & Schmidhuber 2006, "Connectionist Temporal
 * Classification: Labelling Unsegmented Sequence Data with Recurrent Neural Networks"; as torch.nn.functional.ctc_loss
 * of a log softmax.
 */
import { ArgumentError, ShapeError } from "../../errors.js";
import { mul } from "../../tensor/binary.js";
import { writeIds } from "../../tensor/embedding.js";
import { sum } from "../../tensor/reduce.js";
import { currentTape, releaseScratch } from "../../tensor/scope.js";
import { logSoftmax } from "../../tensor/softmax.js";
import type { Operation } from "../../tensor/tape.js";
import { coreOf, createTensor, operand, type Tensor, tensor } from "../../tensor/tensor.js";
import { checkReduction, type ReductionOptions } from "./reduction.js";

/** Options of {@link ctcLoss}. */
export interface CtcOptions extends ReductionOptions {
  /** Steps of each sequence; default all T. */
  readonly lengths?: ArrayLike<number>;
  /** The class that stands for no label; default 0. */
  readonly blank?: number;
  /** Whether the loss of a sequence too short for its labels is 0 instead of infinite; default false. */
  readonly zeroInfinity?: boolean;
}

const Ctc: Operation = {
  name: "ctcLoss",
  backward({ inputs, outputs, saved }, tape) {
    const [y, losses] = [inputs[0] as Tensor, outputs[0] as Tensor];
    const [, total, classes] = y.shape as [number, number, number];
    const [blank, ...sequences] = saved;
    const { core } = tape;
    const [from, to] = [tape.gradient(losses), tape.gradient(y)];
    for (let b = 0; b < losses.size; b++) {
      const [steps, labels, count, alphas] = sequences.slice(b * 4, b * 4 + 4) as [number, number, number, number];
      if (alphas === 0) continue;
      const [x, slope, offset] = [y.pointer, core.f32[(from >>> 2) + b] as number, b * total * classes * 4];
      core.checkStatus(
        core.raw.ur_ctc_backward(
          x + offset,
          steps,
          classes,
          labels,
          count,
          blank as number,
          alphas,
          slope,
          to + offset,
        ),
        "ctcLoss",
      );
    }
  },
};

/**
 * -ln p(labels | logits), p summing over all ways to spread the labels over the steps: each label takes one step or
 * more, with blanks anywhere between them, and at least one between equal neighbours.
 *
 * With reduction "mean" each loss is divided by its number of labels (by 1 when there are none) first, as in PyTorch. A
 * sequence too short for its labels has an infinite loss and no gradient.
 *
 * @param logits - (B, T, K), batch first (unlike PyTorch's (T, N, C)), before softmax
 * @param targets - the labels of each sequence, classes other than the blank
 * @throws ShapeError, ArgumentError (a label, a length or a blank out of range)
 */
export function ctcLoss(logits: Tensor, targets: readonly ArrayLike<number>[], options: CtcOptions = {}): Tensor {
  const where = "ctcLoss";
  const reduction = checkReduction(where, options.reduction);
  const { lengths, blank = 0, zeroInfinity = false } = options;
  const [batch, total, classes] = logits.shape;
  if (logits.shape.length !== 3 || batch === undefined || total === undefined || classes === undefined) {
    throw new ShapeError(where, "logits", ["B", "T", "K"], logits.shape);
  }
  if (targets.length !== batch) throw new ShapeError(where, "targets", [batch], [targets.length]);
  if (lengths !== undefined && lengths.length !== batch) {
    throw new ShapeError(where, "lengths", [batch], [lengths.length]);
  }
  if (!(Number.isInteger(blank) && blank >= 0 && blank < classes)) {
    throw new ArgumentError(where, "blank", `from 0 to ${classes - 1}`, blank);
  }
  const y = logSoftmax(logits);
  const core = coreOf(y, where);
  const from = operand(y, where, core);
  const losses = createTensor(core, [batch]);
  const saved = [blank];
  for (let b = 0; b < batch; b++) {
    const steps = lengths?.[b] ?? total;
    if (!(Number.isInteger(steps) && steps >= 0 && steps <= total)) {
      throw new ArgumentError(where, `lengths[${b}]`, `from 0 to ${total}`, steps);
    }
    const target = targets[b] as ArrayLike<number>;
    for (let u = 0; u < target.length; u++) {
      const label = target[u] as number;
      if (!(Number.isInteger(label) && label >= 0 && label < classes && label !== blank)) {
        throw new ArgumentError(where, `targets[${b}][${u}]`, `from 0 to ${classes - 1} and not ${blank}`, label);
      }
    }
    const [labels, count] = [writeIds(core, target), target.length];
    const alphas = core.arenaAlloc(steps * core.raw.ur_ctc_row(count) * 4);
    const [row, to] = [from + b * total * classes * 4, losses.pointer + b * 4];
    core.checkStatus(core.raw.ur_ctc(row, steps, classes, labels, count, blank, alphas, to), where);
    const impossible = core.f32[to >>> 2] === Infinity;
    if (impossible && zeroInfinity) core.f32[to >>> 2] = 0;
    saved.push(steps, labels, count, impossible ? 0 : alphas);
  }
  if (y.requiresGrad) currentTape()?.push(Ctc, [y], [losses], saved);
  releaseScratch(core);
  if (reduction === "none") return losses;
  if (reduction === "sum") return sum(losses);
  const shares = targets.map((target) => 1 / (Math.max(1, target.length) * batch));
  return sum(mul(losses, tensor(shares, [batch], core)));
}
