/** Dropout and masking. */
import { ArgumentError, ShapeError } from "../errors.js";
import { writeIds } from "./embedding.js";
import { Ids } from "./ids.js";
import { currentScope, currentTape, releaseScratch } from "./scope.js";
import type { Operation } from "./tape.js";
import { coreOf, createTensor, operand, sameShape, Tensor } from "./tensor.js";

const Dropout: Operation = {
  name: "dropout",
  backward({ inputs, outputs, saved }, tape) {
    const [x, y] = [inputs[0] as Tensor, outputs[0] as Tensor];
    const [p, stream, call] = saved as [number, number, number];
    const [seedLow, seedHigh] = seedWords(tape.seed);
    const { raw } = tape.core;
    raw.ur_dropout_backward(
      tape.gradient(y),
      tape.gradient(x),
      x.size,
      p,
      seedLow,
      seedHigh,
      stream,
      tape.update,
      call,
      0,
    );
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
 */
export function dropout(x: Tensor, p: number, stream = 0): Tensor {
  checkProbability("dropout", "p", p);
  const tape = currentTape();
  if (tape === null || !tape.training || p === 0) return x;
  const core = coreOf(x, "dropout");
  const from = operand(x, "dropout", core);
  const y = createTensor(core, x.shape);
  const call = tape.nextCall(stream);
  const [seedLow, seedHigh] = seedWords(tape.seed);
  core.raw.ur_dropout(from, y.pointer, x.size, p, seedLow, seedHigh, stream, tape.update, call, 0);
  if (x.requiresGrad) tape.push(Dropout, [x], [y], [p, stream, call]);
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
  const [seedLow, seedHigh] = seedWords(tape.seed);
  const call = tape.firstCall;
  core.raw.ur_dropout(from, y.pointer, weight.size, p, seedLow, seedHigh, stream, tape.update, call, 0);
  if (weight.requiresGrad) tape.push(Dropout, [weight], [y], [p, stream, call]);
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
