/** Dropout and masking. */
import { ArgumentError, ShapeError } from "../errors.js";
import { writeIds } from "./embedding.js";
import { Ids } from "./ids.js";
import { currentScope, currentTape, releaseScratch } from "./scope.js";
import type { Operation, Tape } from "./tape.js";
import { coreOf, createTensor, operand, sameShape, Tensor } from "./tensor.js";

/** Either direction of dropout in the core: from, to, elements, p, seed (two words), stream, update, call, first element. */
type MaskKernel = (
  from: number,
  to: number,
  size: number,
  p: number,
  seedLow: number,
  seedHigh: number,
  stream: number,
  update: number,
  call: number,
  first: number,
) => void;

/** Applies the mask of (stream, call) to a tensor; of rows of a split batch, that which they have in the whole batch. */
function applyMask(
  kernel: MaskKernel,
  tape: Tape,
  from: number,
  to: number,
  { shape, size }: Tensor,
  saved: readonly number[],
): void {
  const [p, stream, call, batchAxis] = saved as [number, number, number, number];
  const [seedLow, seedHigh] = seedWords(tape.seed);
  const { rows } = tape;
  let blocks = 1;
  let [first, stride] = [0, 0];
  if (rows !== undefined && (shape[batchAxis] ?? NaN) % rows.count === 0) {
    for (let axis = 0; axis < batchAxis; axis++) blocks *= shape[axis] as number;
    const row = size / blocks / rows.count;
    first = rows.first * row;
    stride = rows.total * row;
  }
  const length = size / blocks;
  for (let block = 0; block < blocks; block++) {
    const offset = block * length * 4;
    const at = first + block * stride;
    kernel(from + offset, to + offset, length, p, seedLow, seedHigh, stream, tape.update, call, at);
  }
}

const Dropout: Operation = {
  name: "dropout",
  backward({ inputs, outputs, saved }, tape) {
    const [x, y] = [inputs[0] as Tensor, outputs[0] as Tensor];
    applyMask(tape.core.raw.ur_dropout_backward, tape, tape.gradient(y), tape.gradient(x), x, saved);
  },
};

/** The two 32-bit halves of a seed, which may be any integer that a number holds exactly. @internal */
export function seedWords(seed: number): [low: number, high: number] {
  if (!Number.isSafeInteger(seed)) throw new ArgumentError("random draw", "seed", "a safe integer", seed);
  return [seed >>> 0, Math.floor(seed / 0x1_0000_0000) >>> 0];
}

/** @throws ArgumentError unless p is in [0, 1] @internal */
export function checkProbability(where: string, option: string, p: number): void {
  if (!(p >= 0 && p <= 1)) throw new ArgumentError(where, option, "a number from 0 to 1", p);
}

/**
 * While a training recording runs: each value is zeroed with probability p, and the others are divided by 1 - p.
 * Otherwise x itself. Masks depend on seed, update, stream and call only (see {@link RecordContext}).
 *
 * @param stream separates the draws of different places; layers use a hash of their path
 * @param batchAxis axis of x that has the rows of the batch, for batches that are split; -1 where none has. Default 0
 * @throws ArgumentError unless p is from 0 to 1
 */
export function dropout(x: Tensor, p: number, stream = 0, batchAxis = 0): Tensor {
  checkProbability("dropout", "p", p);
  const tape = currentTape();
  if (tape === null || !tape.training || p === 0) return x;
  const core = coreOf(x, "dropout");
  const from = operand(x, "dropout", core);
  const y = createTensor(core, x.shape);
  const saved = [p, stream, tape.nextCall(stream), batchAxis];
  applyMask(core.raw.ur_dropout, tape, from, y.pointer, x, saved);
  if (x.requiresGrad) tape.push(Dropout, [x], [y], saved);
  return y;
}

/** A tensor whose packed forms are refreshed when the version has moved on; a parameter is one. @internal */
export type VersionedTensor = Tensor & { readonly version: number };

/** A weight with elements dropped, in one recording. */
class DroppedWeight extends Tensor {
  /** NaN equals nothing: what is packed of it is never taken for fresh. */
  readonly version = NaN;
}

/**
 * {@link dropout} of a weight (DropConnect), whose mask is the same for all calls in one recording: what is packed
 * of it may then serve them all. The stream must be used for nothing else. @internal
 */
export function dropWeight(weight: VersionedTensor, p: number, stream: number): VersionedTensor {
  const tape = currentTape();
  if (tape === null || !tape.training || p === 0) return weight;
  const core = coreOf(weight, "weight dropout");
  const from = operand(weight, "weight dropout", core);
  const y = new DroppedWeight(core, weight.shape, core.arenaAlloc(weight.size * 4), currentScope(), null);
  const saved = [p, stream, tape.firstCall, -1];
  applyMask(core.raw.ur_dropout, tape, from, y.pointer, weight, saved);
  if (weight.requiresGrad) tape.push(Dropout, [weight], [y], saved);
  return y;
}

const MaskedFill: Operation = {
  name: "maskedFill",
  backward({ inputs, outputs, saved }, tape) {
    const [x, y] = [inputs[0] as Tensor, outputs[0] as Tensor];
    tape.core.raw.ur_masked_fill_backward(tape.gradient(y), saved[0] as number, tape.gradient(x), x.size);
  },
};

/**
 * `value` where the mask is not 0, x elsewhere; the mask has x's shape.
 * @throws ShapeError
 */
export function maskedFill(x: Tensor, mask: Ids | Int32Array, value: number): Tensor {
  const core = coreOf(x, "maskedFill");
  const from = operand(x, "maskedFill", core);
  const given = mask instanceof Ids ? mask : new Ids(mask, mask.length === x.size ? x.shape : [mask.length]);
  if (!sameShape(given.shape, x.shape)) throw new ShapeError("maskedFill", "the mask", x.shape, given.shape);
  const y = createTensor(core, x.shape);
  const pointer = writeIds(core, given.data);
  core.raw.ur_masked_fill(from, pointer, y.pointer, x.size, value);
  if (x.requiresGrad) currentTape()?.push(MaskedFill, [x], [y], [pointer]);
  releaseScratch(core);
  return y;
}
