/**
 * A recurrent layer in one direction over whole sequences: one call of the core forward, one back.
 *
 * The core takes its arguments in a block of 64 words, which forward fills here and backward completes; the same block
 * carries what the core saved for itself.
 */
import type { Core } from "../core/core.js";
import type { VersionedTensor } from "./dropout.js";
import { LazyRows } from "./embedding.js";
import type { Parameter } from "./parameter.js";
import { currentTape } from "./scope.js";
import type { Operation } from "./tape.js";
import type { Tensor } from "./tensor.js";

/** Places in the block of arguments; the same as in crate/src/bindings.rs. */
const WORD = {
  cell: 0,
  activation: 1,
  alpha: 2,
  steps: 3,
  batch: 4,
  input: 5,
  hidden: 6,
  projection: 7,
  reverse: 8,
  lengths: 9,
  training: 10,
  x: 11,
  xStrideTime: 12,
  xStrideBatch: 13,
  ids: 14,
  idsStrideTime: 15,
  idsStrideBatch: 16,
  table: 17,
  tableRows: 18,
  weightIh: 19,
  weightHh: 20,
  biasIh: 21,
  biasHh: 22,
  weightHr: 23,
  prepared: 24,
  h0: 25,
  c0: 26,
  hn: 27,
  cn: 28,
  out: 29,
  outStrideTime: 30,
  outStrideBatch: 31,
  dOut: 40,
  dOutStrideTime: 41,
  dOutStrideBatch: 42,
  dHn: 43,
  dCn: 44,
  dX: 45,
  dXStrideTime: 46,
  dXStrideBatch: 47,
  dTable: 48,
  dWeightIh: 49,
  dWeightHh: 50,
  dBiasIh: 51,
  dBiasHh: 52,
  dWeightHr: 53,
  dH0: 54,
  dC0: 55,
} as const;

const ARGUMENT_WORDS = 64;

/** The weights of one layer in one direction, PyTorch's shapes and gate order. */
export interface SequenceWeights {
  readonly weightIh: Parameter;
  /** The parameter, or what dropout left of it. */
  readonly weightHh: VersionedTensor;
  readonly biasIh: Parameter | null;
  readonly biasHh: Parameter | null;
  readonly weightHr: Parameter | null;
}

/**
 * Packed forms of the weights of one layer in one direction: a persistent block that is taken once and refreshed when a
 * weight has changed, the backward forms only for recordings.
 */
export class PreparedWeights {
  #core: Core | null = null;
  #pointer = 0;
  #bytes = 0;
  #versions: readonly number[] = [];
  #backward = false;

  /** Pointer of the block, of the right size; what it holds may be stale. */
  reserve(core: Core, cell: number, input: number, hidden: number, projection: number): number {
    if (this.#core !== core) {
      this.dispose();
      const bytes = core.raw.ur_sequence_prepared_bytes(cell, input, hidden, projection) >>> 0;
      this.#pointer = core.alloc(bytes);
      this.#bytes = bytes;
      this.#core = core;
      core.watch(this, this.#pointer, bytes);
    }
    return this.#pointer;
  }

  /** Packs the weights that the arguments name, when one has another version than last time. */
  refresh(call: SequenceCall, argumentsPointer: number, backward: boolean): void {
    const { weightIh, weightHh, biasIh, biasHh, weightHr } = call.weights;
    const [a, b, c, d, e] = this.#versions;
    const fresh =
      a === weightIh.version &&
      b === weightHh.version &&
      c === (biasIh?.version ?? 0) &&
      d === (biasHh?.version ?? 0) &&
      e === (weightHr?.version ?? 0);
    if (fresh && (this.#backward || !backward)) return;
    call.core.checkStatus(call.core.raw.ur_sequence_prepare(argumentsPointer, backward ? 1 : 0), call.where);
    this.#versions = [
      weightIh.version,
      weightHh.version,
      biasIh?.version ?? 0,
      biasHh?.version ?? 0,
      weightHr?.version ?? 0,
    ];
    this.#backward = backward;
  }

  /** Frees the block. */
  dispose(): void {
    if (this.#core === null) return;
    this.#core.unwatch(this);
    this.#core.free(this.#pointer, this.#bytes);
    this.#core = null;
    this.#versions = [];
  }
}

/** Element strides of time and batch of a (T, B, ...) or (B, T, ...) tensor; the last axis is contiguous. */
export interface TimeStrides {
  readonly time: number;
  readonly batch: number;
}

/** One call: everything has been validated by the layer. */
export interface SequenceCall {
  /** Name for error messages. */
  readonly where: string;
  readonly core: Core;
  readonly cell: number;
  readonly activation: number;
  readonly alpha: number;
  readonly steps: number;
  readonly batch: number;
  readonly input: number;
  readonly hidden: number;
  /** 0 for none. */
  readonly projection: number;
  readonly reverse: boolean;
  /** Pointer of B i32 lengths in the arena; 0: all are T. */
  readonly lengths: number;
  readonly x: Tensor;
  readonly xStrides: TimeStrides;
  readonly weights: SequenceWeights;
  readonly prepared: PreparedWeights;
  /** Initial states (any, B, H), of which this call takes the slice `stateIndex`; null is zeros. */
  readonly h0: Tensor | null;
  readonly c0: Tensor | null;
  readonly stateIndex: number;
  /** Receives the outputs at column `outColumn` of each row; null when only the states are of interest. */
  readonly out: Tensor | null;
  readonly outStrides: TimeStrides;
  readonly outColumn: number;
  /** Receive the final states, slice `stateIndex`. */
  readonly hn: Tensor;
  readonly cn: Tensor | null;
}

const Sequence: Operation = {
  name: "sequence",
  backward({ inputs, outputs, saved }, tape) {
    const [at, outOffset, stateOffset, cellOffset] = saved as [number, number, number, number];
    const [x, weightIh, weightHh, biasIh, biasHh, weightHr, h0, c0] = inputs;
    const [out, hn, cn] = outputs;
    const { core } = tape;
    // All pointers first: making an accumulator may grow the memory.
    const lazy = x instanceof LazyRows && core.i32[at + WORD.ids] !== 0;
    const dX = lazy ? 0 : tape.gradient(x ?? null);
    const dTable = lazy ? tape.gradient(x.table) : 0;
    const dOut = optional(out, outOffset);
    const dHn = optional(hn, stateOffset);
    const dCn = optional(cn, cellOffset);
    const dWeightIh = tape.gradient(weightIh ?? null);
    const dWeightHh = tape.gradient(weightHh ?? null);
    const dBiasIh = tape.gradient(biasIh ?? null);
    const dBiasHh = tape.gradient(biasHh ?? null);
    const dWeightHr = tape.gradient(weightHr ?? null);
    const dH0 = shifted(tape.gradient(h0 ?? null), stateOffset);
    const dC0 = shifted(tape.gradient(c0 ?? null), cellOffset);
    const words = core.i32;
    words[at + WORD.dOut] = dOut;
    words[at + WORD.dOutStrideTime] = words[at + WORD.outStrideTime] as number;
    words[at + WORD.dOutStrideBatch] = words[at + WORD.outStrideBatch] as number;
    words[at + WORD.dHn] = dHn;
    words[at + WORD.dCn] = dCn;
    words[at + WORD.dX] = dX;
    words[at + WORD.dXStrideTime] = words[at + WORD.xStrideTime] as number;
    words[at + WORD.dXStrideBatch] = words[at + WORD.xStrideBatch] as number;
    words[at + WORD.dTable] = dTable;
    words[at + WORD.dWeightIh] = dWeightIh;
    words[at + WORD.dWeightHh] = dWeightHh;
    words[at + WORD.dBiasIh] = dBiasIh;
    words[at + WORD.dBiasHh] = dBiasHh;
    words[at + WORD.dWeightHr] = dWeightHr;
    words[at + WORD.dH0] = dH0;
    words[at + WORD.dC0] = dC0;
    core.checkStatus(core.raw.ur_sequence_backward(at * 4), "sequence");
  },
};

/** A gradient that exists already; an output nobody used has none, and is not worth zeros. */
function optional(tensor: Tensor | null | undefined, offset: number): number {
  return tensor == null ? 0 : shifted(tensor.gradient, offset);
}

function shifted(pointer: number, offset: number): number {
  return pointer === 0 ? 0 : pointer + offset;
}

/** Runs the layer over its sequences and records it. */
export function sequence(call: SequenceCall): void {
  const { core, where, x, weights, h0, c0, out, hn, cn, hidden, projection } = call;
  const tape = currentTape();
  const wants =
    x.requiresGrad ||
    weights.weightIh.requiresGrad ||
    weights.weightHh.requiresGrad ||
    weights.biasIh?.requiresGrad === true ||
    weights.biasHh?.requiresGrad === true ||
    weights.weightHr?.requiresGrad === true ||
    h0?.requiresGrad === true ||
    c0?.requiresGrad === true;
  const training = tape !== null && wants;
  const lazy = x instanceof LazyRows && x.foldable;
  const stateSize = projection > 0 ? projection : hidden;
  const stateOffset = call.stateIndex * call.batch * stateSize * 4;
  const cellOffset = call.stateIndex * call.batch * hidden * 4;
  const outOffset = call.outColumn * 4;
  // All pointers first: resolving and allocating may grow the memory and detach the views.
  const ids = lazy ? x.idsPointer() : 0;
  const table = lazy && x.table !== null ? x.table.resolve(where) : 0;
  const from = lazy ? 0 : x.resolve(where);
  const prepared = call.prepared.reserve(core, call.cell, call.input, hidden, projection);
  const pointer = core.arenaAlloc(ARGUMENT_WORDS * 4);
  const at = pointer >>> 2;
  const words = core.i32;
  words.fill(0, at, at + ARGUMENT_WORDS);
  words[at + WORD.cell] = call.cell;
  words[at + WORD.activation] = call.activation;
  core.f32[at + WORD.alpha] = call.alpha;
  words[at + WORD.steps] = call.steps;
  words[at + WORD.batch] = call.batch;
  words[at + WORD.input] = call.input;
  words[at + WORD.hidden] = hidden;
  words[at + WORD.projection] = projection;
  words[at + WORD.reverse] = call.reverse ? 1 : 0;
  words[at + WORD.lengths] = call.lengths;
  words[at + WORD.training] = training ? 1 : 0;
  words[at + WORD.x] = from;
  words[at + WORD.xStrideTime] = call.xStrides.time;
  words[at + WORD.xStrideBatch] = call.xStrides.batch;
  if (lazy) {
    words[at + WORD.ids] = ids;
    words[at + WORD.idsStrideTime] = call.xStrides.time / call.input;
    words[at + WORD.idsStrideBatch] = call.xStrides.batch / call.input;
    words[at + WORD.table] = table;
    words[at + WORD.tableRows] = x.vocabulary;
  }
  words[at + WORD.weightIh] = weights.weightIh.pointer;
  words[at + WORD.weightHh] = weights.weightHh.pointer;
  words[at + WORD.biasIh] = weights.biasIh?.pointer ?? 0;
  words[at + WORD.biasHh] = weights.biasHh?.pointer ?? 0;
  words[at + WORD.weightHr] = weights.weightHr?.pointer ?? 0;
  words[at + WORD.prepared] = prepared;
  words[at + WORD.h0] = h0 === null ? 0 : h0.pointer + stateOffset;
  words[at + WORD.c0] = c0 === null ? 0 : c0.pointer + cellOffset;
  words[at + WORD.hn] = hn.pointer + stateOffset;
  words[at + WORD.cn] = cn === null ? 0 : cn.pointer + cellOffset;
  words[at + WORD.out] = out === null ? 0 : out.pointer + outOffset;
  words[at + WORD.outStrideTime] = call.outStrides.time;
  words[at + WORD.outStrideBatch] = call.outStrides.batch;
  call.prepared.refresh(call, pointer, training);
  core.checkStatus(core.raw.ur_sequence_forward(pointer), where);
  if (!training) return;
  const { weightIh, weightHh, biasIh, biasHh, weightHr } = weights;
  tape.push(
    Sequence,
    [x, weightIh, weightHh, biasIh, biasHh, weightHr, h0, c0],
    [out, hn, cn],
    [at, outOffset, stateOffset, cellOffset],
  );
}
