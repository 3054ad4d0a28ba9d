/**
 * A compiled cell in one direction over whole sequences: one call of the core forward, one back, as for the fused cells
 * in sequence.ts.
 */
import type { Core } from "../core/core.js";
import { LazyRows } from "./embedding.js";
import { type Segment, segmentsOf } from "./recompute.js";
import { currentTape } from "./scope.js";
import type { TimeStrides } from "./sequence.js";
import { type InputPointers, shifted, writeEdges } from "./sequence-edges.js";
import type { Operation } from "./tape.js";
import type { Tensor } from "./tensor.js";

/** Places in the block of arguments; the same as in crate/src/cells/program.rs, which knows nothing of `start`. */
const WORD = {
  program: 0,
  prepared: 1,
  steps: 2,
  batch: 3,
  reverse: 4,
  lengths: 5,
  training: 6,
  x: 7,
  xStrideTime: 8,
  xStrideBatch: 9,
  ids: 10,
  idsStrideTime: 11,
  idsStrideBatch: 12,
  table: 13,
  tableRows: 14,
  out: 15,
  outStrideTime: 16,
  outStrideBatch: 17,
  dOut: 18,
  dX: 19,
  dTable: 20,
  pointers: 28,
  weights: 29,
  start: 31,
} as const;

/** Words in a block of arguments. @internal */
export const ARGUMENT_WORDS = 32;

/** A tensor from an element on. */
export interface Part {
  readonly tensor: Tensor;
  readonly first: number;
}

/** A further input: rows by element strides of time and batch. */
export interface StridedInput extends TimeStrides {
  readonly tensor: Tensor;
}

/** What a program multiplies and adds. */
export interface ProgramOperands {
  readonly weights: readonly Part[];
  readonly biases: readonly Part[];
  readonly vectors: readonly Part[];
  /** Changes when any of the above does. */
  readonly versions: readonly number[];
}

/** One call: everything has been validated by the layer. */
export interface ProgramCall extends ProgramOperands {
  /** Name for error messages. */
  readonly where: string;
  readonly core: Core;
  readonly program: PreparedProgram;
  readonly steps: number;
  readonly batch: number;
  /** Width of x; 0: the program takes no x. */
  readonly input: number;
  readonly reverse: boolean;
  /** Pointer of B i32 lengths in the arena; 0: all are T. */
  readonly lengths: number;
  readonly x: Tensor;
  readonly xStrides: TimeStrides;
  readonly inputs: readonly StridedInput[];
  /** Initial states (any, B, width), of which this call takes the slice `stateIndex`; null is zeros. */
  readonly initial: readonly (Tensor | null)[];
  readonly final: readonly Tensor[];
  /** Widths of the states. */
  readonly widths: readonly number[];
  readonly stateIndex: number;
  readonly out: Tensor | null;
  readonly outStrides: TimeStrides;
  readonly outColumn: number;
  /** Steps of a segment that backward computes again, see recompute.ts; 0: everything is kept. */
  readonly recompute: number;
}

/** A program and its packed weights in persistent memory, taken once and refreshed when a weight has changed. */
export class PreparedProgram {
  readonly #words: Int32Array;
  #core: Core | null = null;
  #program = 0;
  #prepared = 0;
  #bytes = 0;
  #versions: readonly number[] = [];
  #backward = false;
  #packings = 0;

  constructor(words: Int32Array) {
    this.#words = words;
  }

  /** How often weights have been packed. */
  get packings(): number {
    return this.#packings;
  }

  /** Pointers of the program and of the block for packed weights, which may be stale. */
  reserve(core: Core): { program: number; prepared: number } {
    if (this.#core !== core) {
      this.dispose();
      const { byteLength } = this.#words;
      this.#program = core.alloc(byteLength);
      core.i32.set(this.#words, this.#program >>> 2);
      this.#bytes = core.raw.ur_program_prepared_bytes(this.#program) >>> 0;
      try {
        this.#prepared = core.alloc(this.#bytes);
      } catch (error) {
        core.free(this.#program, byteLength);
        throw error;
      }
      this.#core = core;
      core.watch(this, this.#program, byteLength);
      core.watch(this, this.#prepared, this.#bytes);
    }
    return { program: this.#program, prepared: this.#prepared };
  }

  /** Packs the weights that the arguments name, when they have another version than last time. */
  refresh(
    { core, where, versions }: Pick<ProgramCall, "core" | "where" | "versions">,
    argumentsPointer: number,
    backward: boolean,
  ): void {
    const fresh =
      versions.length === this.#versions.length && versions.every((version, i) => version === this.#versions[i]);
    if (fresh && (this.#backward || !backward)) return;
    core.checkStatus(core.raw.ur_program_prepare(argumentsPointer, backward ? 1 : 0), where);
    this.#packings++;
    this.#versions = versions;
    this.#backward = backward;
  }

  /** Frees the memory. */
  dispose(): void {
    if (this.#core === null) return;
    this.#core.unwatch(this);
    this.#core.free(this.#program, this.#words.byteLength);
    this.#core.free(this.#prepared, this.#bytes);
    this.#core = null;
    this.#versions = [];
  }
}

/** Places in the table of pointers, by how many of each there are. @internal */
export class PointerTable {
  readonly size: number;
  readonly weights: readonly [values: number, gradients: number];
  readonly biases: readonly [values: number, gradients: number];
  readonly vectors: readonly [values: number, gradients: number];
  /** Initial, final, gradients of the final, gradients of the initial. */
  readonly states: readonly [number, number, number, number];
  /** Pointers, strides of time, strides of batch, gradients. */
  readonly inputs: readonly [number, number, number, number];

  constructor(weights: number, biases: number, vectors: number, states: number, inputs: number) {
    let at = 0;
    const next = (count: number): number => {
      at += count;
      return at - count;
    };
    this.weights = [next(weights), next(weights)];
    this.biases = [next(biases), next(biases)];
    this.vectors = [next(vectors), next(vectors)];
    this.states = [next(states), next(states), next(states), next(states)];
    this.inputs = [next(inputs), next(inputs), next(inputs), next(inputs)];
    this.size = at;
  }
}

/** What backward needs to know beside the blocks of arguments. */
const SAVED = {
  weights: 0,
  biases: 1,
  vectors: 2,
  states: 3,
  inputs: 4,
  outOffset: 5,
  stateIndex: 6,
  batch: 7,
} as const;

const Program: Operation = {
  name: "program",
  backward({ inputs: operands, outputs, saved }, tape) {
    const { core } = tape;
    const counts = saved.slice(0, 5) as [number, number, number, number, number];
    const [nw, nb, nv, ns, ni] = counts;
    const table = new PointerTable(...counts);
    const [outOffset, stateIndex, batch] = saved.slice(SAVED.outOffset, SAVED.batch + 1) as [number, number, number];
    const widths = saved.slice(SAVED.batch + 1, SAVED.batch + 1 + ns);
    const firsts = saved.slice(SAVED.batch + 1 + ns, SAVED.batch + 1 + ns + nw + nb + nv);
    const blocks = saved.slice(SAVED.batch + 1 + ns + nw + nb + nv);
    const [x, out] = [operands[0] as Tensor, outputs[0] ?? null];
    const recompute = blocks.length > 1;
    // All pointers first: making an accumulator may grow the memory.
    const lazy = x instanceof LazyRows && core.i32[(blocks[0] as number) + WORD.ids] !== 0;
    const takesX = lazy || core.i32[(blocks[0] as number) + WORD.x] !== 0;
    const dX = lazy || !takesX ? 0 : tape.gradient(x);
    const dTable = lazy ? tape.gradient(x.table) : 0;
    const dOut = existing(out, outOffset);
    const dParameters = operands
      .slice(1, 1 + nw + nb + nv)
      .map((parameter, i) => shifted(tape.gradient(parameter), (firsts[i] as number) * 4));
    const stateOffset = (i: number): number => stateIndex * batch * (widths[i] as number) * 4;
    const dInitial = operands
      .slice(1 + nw + nb + nv, 1 + nw + nb + nv + ns)
      .map((state, i) => shifted(tape.gradient(state), stateOffset(i)));
    const dInputs = operands.slice(1 + nw + nb + nv + ns).map((input) => tape.gradient(input));
    let dAfter = outputs.slice(1).map((state, i) => existing(state, stateOffset(i)));
    // Gradients of the states before and after a segment, in turns.
    const between = recompute ? [0, 1].map(() => stateMemory(core, widths, batch)) : [];
    for (let i = blocks.length - 1; i >= 0; i--) {
      const at = blocks[i] as number;
      const mark = core.arenaMark();
      const pointers = () => (core.i32[at + WORD.pointers] as number) >>> 2;
      const dBefore = i > 0 ? (between[i % 2] as number[]) : dInitial;
      if (i > 0) dBefore.forEach((pointer, k) => core.raw.ur_fill(pointer, batch * (widths[k] as number), 0));
      if (i < blocks.length - 1) {
        core.i32[at + WORD.training] = 1;
        core.i32[at + WORD.out] = 0;
        core.i32.fill(0, pointers() + table.states[1], pointers() + table.states[1] + ns);
        core.checkStatus(core.raw.ur_program_forward(at * 4), "program");
      }
      const words = core.i32;
      const start = words[at + WORD.start] as number;
      words[at + WORD.dOut] = shifted(dOut, start * (words[at + WORD.outStrideTime] as number) * 4);
      words[at + WORD.dX] = shifted(dX, start * (words[at + WORD.xStrideTime] as number) * 4);
      words[at + WORD.dTable] = dTable;
      const to = pointers();
      words.set(dParameters.slice(0, nw), to + table.weights[1]);
      words.set(dParameters.slice(nw, nw + nb), to + table.biases[1]);
      words.set(dParameters.slice(nw + nb), to + table.vectors[1]);
      words.set(dAfter, to + table.states[2]);
      words.set(dBefore, to + table.states[3]);
      for (let k = 0; k < ni; k++) {
        const stride = words[to + table.inputs[1] + k] as number;
        words[to + table.inputs[3] + k] = shifted(dInputs[k] as number, start * stride * 4);
      }
      core.checkStatus(core.raw.ur_program_backward(at * 4), "program");
      if (recompute) core.arenaReset(mark);
      dAfter = dBefore;
    }
  },
};

/** A gradient that exists already; an output nobody used has none, and is not worth zeros. */
function existing(tensor: Tensor | null, offset: number): number {
  return tensor === null ? 0 : shifted(tensor.gradient, offset);
}

function stateMemory(core: Core, widths: readonly number[], batch: number): number[] {
  return widths.map((width) => core.arenaAlloc(batch * width * 4));
}

/** Runs the program over its sequences and records it. */
export function runProgram(call: ProgramCall): void {
  const { core, where, x, weights, biases, vectors, initial, final, widths, inputs, out, batch } = call;
  const tape = currentTape();
  const parts = [...weights, ...biases, ...vectors];
  const operands = [x, ...parts.map(({ tensor }) => tensor), ...initial, ...inputs.map(({ tensor }) => tensor)];
  const recorded = tape !== null && operands.some((operand) => operand?.requiresGrad === true);
  const segments = segmentsOf(core, call, recorded ? call.recompute : 0);
  // All pointers before any is written: resolving and allocating may grow the memory and detach the views.
  const lazy = call.input > 0 && x instanceof LazyRows && x.foldable;
  const pointers: Pointers = {
    ...call.program.reserve(core),
    x: lazy || call.input === 0 ? 0 : x.resolve(where),
    ids: lazy ? x.idsPointer() : 0,
    table: lazy && x.table !== null ? x.table.resolve(where) : 0,
    tableRows: lazy ? x.vocabulary : 0,
    parts: partPointers(call, where),
    inputs: inputs.map(({ tensor }) => tensor.resolve(where)),
  };
  const stateOffset = (i: number): number => call.stateIndex * batch * (widths[i] as number) * 4;
  let before = initial.map((state, i) => (state === null ? 0 : state.resolve(where) + stateOffset(i)));
  const end = final.map((state, i) => state.pointer + stateOffset(i));
  const table = new PointerTable(weights.length, biases.length, vectors.length, final.length, inputs.length);
  const blocks = segments.map((segment, i) => {
    const last = i === segments.length - 1;
    const after = last ? end : stateMemory(core, widths, batch);
    const pointer = core.arenaAlloc((ARGUMENT_WORDS + table.size) * 4);
    writeArguments(call, pointers, table, segment, recorded && last, before, after, pointer >>> 2);
    if (i === 0) call.program.refresh(call, pointer, recorded);
    core.checkStatus(core.raw.ur_program_forward(pointer), where);
    before = after;
    return pointer >>> 2;
  });
  if (!recorded) return;
  const counts = [weights.length, biases.length, vectors.length, final.length, inputs.length];
  const layout = [call.outColumn * 4, call.stateIndex, batch];
  const firsts = parts.map(({ first }) => first);
  tape.push(Program, operands, [out, ...final], [...counts, ...layout, ...widths, ...firsts, ...blocks]);
}

/** Pointers of weights, biases and vectors. @internal */
export function partPointers({ weights, biases, vectors }: ProgramOperands, where: string): number[] {
  return [...weights, ...biases, ...vectors].map(({ tensor, first }) => tensor.resolve(where) + first * 4);
}

interface Pointers extends InputPointers {
  readonly program: number;
  readonly prepared: number;
  readonly parts: readonly number[];
  readonly inputs: readonly number[];
}

/** What the arguments say of a call that is not in pointers. */
interface ArgumentsCall
  extends ProgramOperands,
    Pick<ProgramCall, "core" | "batch" | "input" | "reverse" | "xStrides" | "out" | "outStrides" | "outColumn"> {
  readonly inputs: readonly TimeStrides[];
}

/** Fills the block of arguments at a word of the memory, and the table of pointers behind it. @internal */
export function writeArguments(
  call: ArgumentsCall,
  from: Pointers,
  table: PointerTable,
  segment: Segment,
  training: boolean,
  before: readonly number[],
  after: readonly number[],
  at: number,
): void {
  const words = call.core.i32;
  words.fill(0, at, at + ARGUMENT_WORDS + table.size);
  words[at + WORD.program] = from.program;
  words[at + WORD.prepared] = from.prepared;
  writeEdges(WORD, call, from, segment, training, at);
  const pointers = at + ARGUMENT_WORDS;
  words[at + WORD.pointers] = pointers * 4;
  words[at + WORD.weights] = call.weights.length;
  const [nw, nb] = [call.weights.length, call.biases.length];
  words.set(from.parts.slice(0, nw), pointers + table.weights[0]);
  words.set(from.parts.slice(nw, nw + nb), pointers + table.biases[0]);
  words.set(from.parts.slice(nw + nb), pointers + table.vectors[0]);
  words.set(before, pointers + table.states[0]);
  words.set(after, pointers + table.states[1]);
  call.inputs.forEach(({ time, batch }, i) => {
    words[pointers + table.inputs[0] + i] = (from.inputs[i] as number) + segment.start * time * 4;
    words[pointers + table.inputs[1] + i] = time;
    words[pointers + table.inputs[2] + i] = batch;
  });
}
