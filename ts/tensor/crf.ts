/**
 * Sequences of tags in a linear-chain conditional random field (Lafferty, McCallum & Pereira 2001, "Conditional random
 * fields"; crate/src/ops/crf.rs has the equations): how improbable given ones are, and how probable each tag is.
 */
import type { Core } from "../core/core.js";
import { ArgumentError, ShapeError } from "../errors.js";
import { writeIds } from "./embedding.js";
import { Ids } from "./ids.js";
import { currentTape, releaseScratch } from "./scope.js";
import type { Operation } from "./tape.js";
import { coreOf, createTensor, operand, sameShape, type Tensor, zeros } from "./tensor.js";

/** What a path is scored by. */
export interface ChainScores {
  /** Of each tag at each step, (B, T, K). */
  readonly emissions: Tensor;
  /** Of tag j after tag i, (K, K). */
  readonly transitions: Tensor;
  /** Of each tag at the first step (K). */
  readonly start: Tensor;
  /** Of each tag at the last step (K). */
  readonly end: Tensor;
}

/** Pointers of the parts of {@link ChainScores}, or of their gradients, in that order. */
type Pointers = readonly [emissions: number, transitions: number, start: number, end: number];

const Crf: Operation = {
  name: "crf",
  backward({ inputs, outputs, saved }, tape) {
    const { core } = tape;
    const [losses, parts] = [outputs[0] as Tensor, inputs as Tensor[]];
    const from = tape.gradient(losses) >>> 2;
    const values = parts.map((part) => part.pointer) as unknown as Pointers;
    const to = parts.map((part) => tape.gradient(part) || core.arenaZeros(part.size)) as unknown as Pointers;
    const [total, tags] = (parts[0] as Tensor).shape.slice(1) as [number, number];
    for (let b = 0; b < losses.size; b++) {
      const [steps, path, alphas] = saved.slice(b * 3, b * 3 + 3) as [number, number, number];
      backwardOf(core, b * total * tags, [steps, tags], values, path, alphas, core.f32[from + b] as number, to);
    }
  },
};

/** The gradients of one sequence, whose emissions are `offset` elements further on. */
function backwardOf(
  core: Core,
  offset: number,
  [steps, tags]: readonly [steps: number, tags: number],
  [emissions, ...values]: Pointers,
  path: number,
  alphas: number,
  slope: number,
  [to, ...others]: Pointers,
): void {
  const at = offset * 4;
  const { raw } = core;
  core.checkStatus(
    raw.ur_crf_backward(emissions + at, steps, tags, ...values, path, alphas, slope, to + at, ...others),
    "crf",
  );
}

/** Checks the shapes; sizes and pointers. */
function chainOf(where: string, scores: ChainScores, lengths: ArrayLike<number> | undefined) {
  const { emissions, transitions, start, end } = scores;
  const core = coreOf(emissions, where);
  const [batch, total, tags] = emissions.shape;
  if (emissions.shape.length !== 3 || batch === undefined || total === undefined || tags === undefined) {
    throw new ShapeError(where, "emissions", ["B", "T", "K"], emissions.shape);
  }
  if (!sameShape(transitions.shape, [tags, tags])) {
    throw new ShapeError(where, "transitions", [tags, tags], transitions.shape);
  }
  if (!sameShape(start.shape, [tags])) throw new ShapeError(where, "start", [tags], start.shape);
  if (!sameShape(end.shape, [tags])) throw new ShapeError(where, "end", [tags], end.shape);
  if (lengths !== undefined && lengths.length !== batch) {
    throw new ShapeError(where, "lengths", [batch], [lengths.length]);
  }
  const steps = Array.from({ length: batch }, (_, b) => {
    const length = lengths?.[b] ?? total;
    if (Number.isInteger(length) && length >= 0 && length <= total) return length;
    throw new ArgumentError(where, `lengths[${b}]`, `from 0 to ${total}`, length);
  });
  const parts = [emissions, transitions, start, end];
  const pointers = parts.map((part) => operand(part, where, core)) as unknown as Pointers;
  return { core, batch, total, tags, steps, parts, pointers };
}

/**
 * -ln p(path) of each sequence (B), 0 for those without steps.
 * @param paths - tags (B, T); past the lengths they are not looked at
 * @param lengths - steps of each sequence; default all T
 * @throws ShapeError, ArgumentError for a length or a tag out of range
 */
export function crfLosses(scores: ChainScores, paths: Ids, lengths?: ArrayLike<number>): Tensor {
  const where = "crfLosses";
  const { core, batch, total, tags, steps, parts, pointers } = chainOf(where, scores, lengths);
  if (!(paths instanceof Ids) || !sameShape(paths.shape, [batch, total])) {
    throw new ShapeError(where, "paths", [batch, total], paths instanceof Ids ? paths.shape : "no shape");
  }
  const [emissions, ...values] = pointers;
  const losses = createTensor(core, [batch]);
  const saved: number[] = [];
  steps.forEach((length, b) => {
    const path = paths.data.subarray(b * total, b * total + length);
    path.forEach((tag, t) => {
      if (tag < 0 || tag >= tags) throw new ArgumentError(where, `paths[${b}][${t}]`, `from 0 to ${tags - 1}`, tag);
    });
    const [to, alphas] = [writeIds(core, path), core.arenaAlloc((length + 1) * tags * 4)];
    const loss = core.raw.ur_crf(emissions + b * total * tags * 4, length, tags, ...values, to, alphas);
    core.f32[(losses.pointer >>> 2) + b] = loss;
    saved.push(length, to, alphas);
  });
  if (parts.some((part) => part.requiresGrad)) currentTape()?.push(Crf, parts, [losses], saved);
  releaseScratch(core);
  return losses;
}

/**
 * The probability of each tag at each step, over all paths (B, T, K); 0 past the lengths. No gradient flows through it.
 * @param lengths - steps of each sequence; default all T
 * @throws ShapeError, ArgumentError for a length out of range
 */
export function crfMarginals(scores: ChainScores, lengths?: ArrayLike<number>): Tensor {
  const { core, total, tags, steps, parts, pointers } = chainOf("crfMarginals", scores, lengths);
  const [emissions, ...values] = pointers;
  const shares = zeros(scores.emissions.shape, core);
  const [transitions = 0, start = 0, end = 0] = parts.slice(1).map(({ size }) => core.arenaZeros(size));
  steps.forEach((length, b) => {
    const offset = b * total * tags;
    const alphas = core.arenaAlloc((length + 1) * tags * 4);
    core.raw.ur_crf(emissions + offset * 4, length, tags, ...values, 0, alphas);
    backwardOf(core, offset, [length, tags], pointers, 0, alphas, 1, [shares.pointer, transitions, start, end]);
  });
  releaseScratch(core);
  return shares;
}
