/**
 * A recurrent layer in one direction over whole sequences: one call of the core forward, one back.
 *
 * The core takes its arguments in a block of 64 words, which forward fills here and backward completes; the same block
 * carries what the core saved for itself. With recomputation there is a block for every segment.
 */
import type { Core } from "../core/core.js";
import type { VersionedTensor } from "./dropout.js";
import { LazyRows } from "./embedding.js";
import type { Parameter } from "./parameter.js";
import { type Segment, segmentsOf } from "./recompute.js";
import { currentTape } from "./scope.js";
import { type InputPointers, shifted, writeEdges } from "./sequence-edges.js";
import type { Operation } from "./tape.js";
import type { Tensor } from "./tensor.js";

/** Places in the block of arguments; the same as in crate/src/bindings.rs, which knows nothing of `start`. @internal */
export const WORD = {
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
  start: 63,
} as const;

/** Words in a block of arguments. @internal */
export const ARGUMENT_WORDS = 64;

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
  #packings = 0;

  /** How often the weights have been packed. */
  get packings(): number {
    return this.#packings;
  }

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
  refresh(
    { core, where, weights }: Pick<SequenceCall, "core" | "where" | "weights">,
    argumentsPointer: number,
    backward: boolean,
  ): void {
    const { weightIh, weightHh, biasIh, biasHh, weightHr } = weights;
    const [a, b, c, d, e] = this.#versions;
    const fresh =
      a === weightIh.version &&
      b === weightHh.version &&
      c === (biasIh?.version ?? 0) &&
      d === (biasHh?.version ?? 0) &&
      e === (weightHr?.version ?? 0);
    if (fresh && (this.#backward || !backward)) return;
    core.checkStatus(core.raw.ur_sequence_prepare(argumentsPointer, backward ? 1 : 0), where);
    this.#packings++;
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

/** A layer in one direction, as the core knows it. */
export interface SequenceLayer {
  /** Name for error messages. */
  readonly where: string;
  readonly cell: number;
  readonly activation: number;
  readonly alpha: number;
  readonly input: number;
  readonly hidden: number;
  /** 0 for none. */
  readonly projection: number;
  readonly prepared: PreparedWeights;
}

/** One call: everything has been validated by the layer. */
export interface SequenceCall extends SequenceLayer {
  readonly core: Core;
  readonly steps: number;
  readonly batch: number;
  readonly reverse: boolean;
  /** Pointer of B i32 lengths in the arena; 0: all are T. */
  readonly lengths: number;
  readonly x: Tensor;
  readonly xStrides: TimeStrides;
  readonly weights: SequenceWeights;
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
  /** Steps of a segment that backward computes again, see recompute.ts; 0: everything is kept. */
  readonly recompute: number;
}

const Sequence: Operation = {
  name: "sequence",
  backward({ inputs, outputs, saved }, tape) {
    const [outOffset, stateOffset, cellOffset, stateElements, cellElements, ...blocks] = saved as [
      number,
      number,
      number,
      number,
      number,
      ...number[],
    ];
    const [x, weightIh, weightHh, biasIh, biasHh, weightHr, h0, c0] = inputs;
    const [out, hn, cn] = outputs;
    const { core } = tape;
    const recompute = blocks.length > 1;
    // All pointers first: making an accumulator may grow the memory.
    const lazy = x instanceof LazyRows && core.i32[(blocks[0] as number) + WORD.ids] !== 0;
    const dX = lazy ? 0 : tape.gradient(x ?? null);
    const dTable = lazy ? tape.gradient(x.table) : 0;
    const dOut = optional(out, outOffset);
    let dHn = optional(hn, stateOffset);
    let dCn = optional(cn, cellOffset);
    const dWeightIh = tape.gradient(weightIh ?? null);
    const dWeightHh = tape.gradient(weightHh ?? null);
    const dBiasIh = tape.gradient(biasIh ?? null);
    const dBiasHh = tape.gradient(biasHh ?? null);
    const dWeightHr = tape.gradient(weightHr ?? null);
    const dH0 = shifted(tape.gradient(h0 ?? null), stateOffset);
    const dC0 = shifted(tape.gradient(c0 ?? null), cellOffset);
    // Gradients of the states before and after a segment, in turns.
    const between = recompute ? [0, 1].map(() => stateMemory(core, stateElements, cellElements)) : [];
    for (let i = blocks.length - 1; i >= 0; i--) {
      const at = blocks[i] as number;
      const mark = core.arenaMark();
      let [dHStart, dCStart] = [dH0, dC0];
      if (i > 0) {
        ({ h: dHStart, c: dCStart } = between[i % 2] as StateMemory);
        core.raw.ur_fill(dHStart, stateElements, 0);
        if (dCStart !== 0) core.raw.ur_fill(dCStart, cellElements, 0);
      }
      if (i < blocks.length - 1) {
        core.i32[at + WORD.training] = 1;
        core.i32[at + WORD.out] = 0;
        core.i32[at + WORD.hn] = 0;
        core.i32[at + WORD.cn] = 0;
        core.checkStatus(core.raw.ur_sequence_forward(at * 4), "sequence");
      }
      const words = core.i32;
      const start = words[at + WORD.start] as number;
      const timeStride = (stride: number): number => start * (words[at + stride] as number) * 4;
      words[at + WORD.dOut] = shifted(dOut, timeStride(WORD.outStrideTime));
      words[at + WORD.dOutStrideTime] = words[at + WORD.outStrideTime] as number;
      words[at + WORD.dOutStrideBatch] = words[at + WORD.outStrideBatch] as number;
      words[at + WORD.dHn] = dHn;
      words[at + WORD.dCn] = dCn;
      words[at + WORD.dX] = shifted(dX, timeStride(WORD.xStrideTime));
      words[at + WORD.dXStrideTime] = words[at + WORD.xStrideTime] as number;
      words[at + WORD.dXStrideBatch] = words[at + WORD.xStrideBatch] as number;
      words[at + WORD.dTable] = dTable;
      words[at + WORD.dWeightIh] = dWeightIh;
      words[at + WORD.dWeightHh] = dWeightHh;
      words[at + WORD.dBiasIh] = dBiasIh;
      words[at + WORD.dBiasHh] = dBiasHh;
      words[at + WORD.dWeightHr] = dWeightHr;
      words[at + WORD.dH0] = dHStart;
      words[at + WORD.dC0] = dCStart;
      core.checkStatus(core.raw.ur_sequence_backward(at * 4), "sequence");
      if (recompute) core.arenaReset(mark);
      [dHn, dCn] = [dHStart, dCStart];
    }
  },
};

/** Pointers of the states of one call; c is 0 for cells without. */
interface StateMemory {
  readonly h: number;
  readonly c: number;
}

function stateMemory(core: Core, stateElements: number, cellElements: number): StateMemory {
  const h = core.arenaAlloc(stateElements * 4);
  return { h, c: cellElements === 0 ? 0 : core.arenaAlloc(cellElements * 4) };
}

/** A gradient that exists already; an output nobody used has none, and is not worth zeros. */
function optional(tensor: Tensor | null | undefined, offset: number): number {
  return tensor == null ? 0 : shifted(tensor.gradient, offset);
}

/** Runs the layer over its sequences and records it. */
export function sequence(call: SequenceCall): void {
  const { core, where, x, weights, h0, c0, out, hn, cn, hidden, projection, batch } = call;
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
  const recorded = tape !== null && wants;
  const stateElements = batch * (projection > 0 ? projection : hidden);
  const cellElements = cn === null ? 0 : batch * hidden;
  const stateOffset = call.stateIndex * stateElements * 4;
  const cellOffset = call.stateIndex * cellElements * 4;
  const outOffset = call.outColumn * 4;
  const segments = segmentsOf(core, call, recorded ? call.recompute : 0);
  let before: StateMemory = {
    h: h0 === null ? 0 : h0.pointer + stateOffset,
    c: c0 === null ? 0 : c0.pointer + cellOffset,
  };
  const end: StateMemory = { h: hn.pointer + stateOffset, c: cn === null ? 0 : cn.pointer + cellOffset };
  // All pointers before any is written: resolving and allocating may grow the memory and detach the views.
  const operands = operandsOf(call);
  const blocks = segments.map((segment, i) => {
    const last = i === segments.length - 1;
    const after = last ? end : stateMemory(core, stateElements, cellElements);
    const pointer = core.arenaAlloc(ARGUMENT_WORDS * 4);
    writeArguments(call, operands, segment, recorded && last, before, after, pointer >>> 2);
    if (i === 0) call.prepared.refresh(call, pointer, recorded);
    core.checkStatus(core.raw.ur_sequence_forward(pointer), where);
    before = after;
    return pointer >>> 2;
  });
  if (!recorded) return;
  const { weightIh, weightHh, biasIh, biasHh, weightHr } = weights;
  tape.push(
    Sequence,
    [x, weightIh, weightHh, biasIh, biasHh, weightHr, h0, c0],
    [out, hn, cn],
    [outOffset, stateOffset, cellOffset, stateElements, cellElements, ...blocks],
  );
}

/** Pointers of what comes in, 0 where absent, and of the packed weights. */
interface Operands extends InputPointers {
  readonly prepared: number;
}

function operandsOf({ core, where, x, prepared, cell, input, hidden, projection }: SequenceCall): Operands {
  const lazy = x instanceof LazyRows && x.foldable;
  return {
    x: lazy ? 0 : x.resolve(where),
    ids: lazy ? x.idsPointer() : 0,
    table: lazy && x.table !== null ? x.table.resolve(where) : 0,
    tableRows: lazy ? x.vocabulary : 0,
    prepared: prepared.reserve(core, cell, input, hidden, projection),
  };
}

/** Fills the block of arguments at a word of the memory. */
function writeArguments(
  call: SequenceCall,
  operands: Operands,
  segment: Segment,
  training: boolean,
  before: StateMemory,
  after: StateMemory,
  at: number,
): void {
  const { core } = call;
  writeLayer(core, call, call.weights, operands.prepared, at);
  writeEdges(WORD, call, operands, segment, training, at);
  const words = core.i32;
  words[at + WORD.h0] = before.h;
  words[at + WORD.c0] = before.c;
  words[at + WORD.hn] = after.h;
  words[at + WORD.cn] = after.c;
}

/** Fills what describes the layer itself, and the rest of the block with zeros. @internal */
export function writeLayer(
  core: Core,
  layer: SequenceLayer,
  weights: SequenceWeights,
  prepared: number,
  at: number,
): void {
  const words = core.i32;
  words.fill(0, at, at + ARGUMENT_WORDS);
  words[at + WORD.cell] = layer.cell;
  words[at + WORD.activation] = layer.activation;
  core.f32[at + WORD.alpha] = layer.alpha;
  words[at + WORD.input] = layer.input;
  words[at + WORD.hidden] = layer.hidden;
  words[at + WORD.projection] = layer.projection;
  words[at + WORD.weightIh] = weights.weightIh.pointer;
  words[at + WORD.weightHh] = weights.weightHh.pointer;
  words[at + WORD.biasIh] = weights.biasIh?.pointer ?? 0;
  words[at + WORD.biasHh] = weights.biasHh?.pointer ?? 0;
  words[at + WORD.weightHr] = weights.weightHr?.pointer ?? 0;
  words[at + WORD.prepared] = prepared;
}
