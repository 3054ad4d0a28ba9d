/**
 * What recurrent layers and their wirings have in common, so that each can be part of another.
 *
 * Every tensor of a state is (any, B, width): rows of a batch can be chosen along axis 1 whatever the wiring. A wiring
 * of parts gives their states together, under the names of the parts: `0.h`, `1.h`, `1.c`.
 */
import { ArgumentError, ShapeError } from "../../errors.js";
import { embedding } from "../../tensor/embedding.js";
import { Ids } from "../../tensor/ids.js";
import { reshape } from "../../tensor/shape.js";
import type { StreamPlan } from "../../tensor/stream.js";
import type { Tensor } from "../../tensor/tensor.js";
import type { CompiledRunOptions } from "../compiler/compiled.js";
import type { Module } from "../module.js";
import type { SequenceOptions, SequenceResult } from "../recurrent.js";
import type { RecurrentState } from "../state.js";

/**
 * What wirings take besides the sequences: `resets` and `force` go to every layer, all of which must be compiled ones.
 */
export interface WiringOptions<S extends RecurrentState>
  extends SequenceOptions<S>,
    Pick<CompiledRunOptions, "resets" | "force"> {}

/** A recurrent layer, or a wiring of some. */
export interface SequenceModule<S extends RecurrentState = RecurrentState> extends Module {
  /** Features of each input step, I. */
  readonly inputSize: number;
  /** Features of each output step. */
  readonly outputSize: number;
  /** Sequences are (B, T, ...), else (T, B, ...). */
  readonly batchFirst: boolean;
  /** Whether it also, or only, reads sequences backwards: then it has no single step, and no state to go on from. */
  readonly bidirectional: boolean;
  /** x (B, T, inputSize) to outputs (B, T, outputSize) and the state after the last step; with `batchFirst: false` (T, B, ...). */
  forward(x: Tensor, options?: WiringOptions<S>): SequenceResult<S>;
  /** How a stream takes single steps in one call of the core; null or absent: it goes through `forward`. @internal */
  streamPlan?(): StreamPlan | null;
}

/** The state of a sequence module. */
export type StateOf<L extends SequenceModule> = ReturnType<L["forward"]>["state"];

/** A state whose names have the part's name before them: `forward.h`. */
export type PartState<P extends string, S extends RecurrentState> = {
  readonly [K in keyof S & string as `${P}.${K}`]: S[K];
};

/** Names the state of one part within that of the whole. @internal */
export function withPrefix<P extends string, S extends RecurrentState>(part: P, state: S): PartState<P, S> {
  return Object.fromEntries(Object.entries(state).map(([name, value]) => [`${part}.${name}`, value])) as PartState<
    P,
    S
  >;
}

/** The state of one part out of that of the whole; what it lacks, the part will say. @internal */
export function partOf<S extends RecurrentState>(part: string, state: RecurrentState | undefined): S | undefined {
  if (state === undefined) return undefined;
  const prefix = `${part}.`;
  const own = Object.entries(state).filter(([name]) => name.startsWith(prefix));
  return Object.fromEntries(own.map(([name, value]) => [name.slice(prefix.length), value])) as S;
}

/** Batch, steps and the axis of time. @internal */
export interface SequenceSizes {
  readonly batch: number;
  readonly steps: number;
  readonly timeAxis: 0 | 1;
}

/**
 * Reads the sizes of sequences.
 * @throws ShapeError unless x is (B, T, inputSize), or (T, B, inputSize) without `batchFirst` @internal
 */
export function sequenceSizes(where: string, x: Tensor, inputSize: number, batchFirst: boolean): SequenceSizes {
  const [first, second, width] = x.shape;
  if (x.shape.length !== 3 || width !== inputSize) {
    throw new ShapeError(where, "x", batchFirst ? ["B", "T", inputSize] : ["T", "B", inputSize], x.shape);
  }
  const [batch, steps] = (batchFirst ? [first, second] : [second, first]) as [number, number];
  return { batch, steps, timeAxis: batchFirst ? 1 : 0 };
}

/** @throws ArgumentError for a part that reads backwards, where only what can go on step by step fits @internal */
export function checkCausal(where: string, part: SequenceModule): void {
  if (part.bidirectional) {
    throw new ArgumentError(where, "layer", "one that only reads forwards (wrap the whole to read backwards)", part);
  }
}

/** @throws ArgumentError for resets, where a step reads more than the layer's states, which is all that they clear @internal */
export function refuseResets(where: string, resets: ArrayLike<number> | undefined): void {
  if (resets === undefined) return;
  throw new ArgumentError(where, "resets", "left out: steps also read what no reset clears", resets);
}

/**
 * Rows of a tensor, its last axis being the width, in another order: row i of the result is row `rows[i]`.
 * @param shape of the result without its last axis @internal
 */
export function takeRows(x: Tensor, rows: Int32Array, shape: readonly number[]): Tensor {
  const width = x.shape[x.shape.length - 1] as number;
  const table = reshape(x, [x.size / width, width]);
  // An embedding is a choice of rows; reshaping makes of the lazy one a tensor like any other.
  return reshape(embedding(table, new Ids(rows)), [...shape, width]);
}
