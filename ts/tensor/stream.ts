/**
 * Single steps of recurrent and linear layers, for one sequence: one call of the core a step, on arguments that
 * are filled once and looked at again when a parameter has changed. A step takes no memory and makes no objects.
 *
 * Results are those of whole sequences, bit for bit, unless the weights are in 8 bits.
 */
import type { Core } from "../core/core.js";
import { Int8Weights } from "./int8-weights.js";
import { type Parameter, writeCount } from "./parameter.js";
import { operand, type Tensor } from "./tensor.js";

/** Where one layer's state is: a slice of a tensor of the model's state. */
export interface StateSlice {
  readonly name: string;
  /** Shape of the whole tensor, for one sequence: (slices, 1, size). */
  readonly shape: readonly number[];
  readonly index: number;
}

/** What a cell of a stream works on: pointers. */
export interface StreamEdges {
  /** Of what comes in, from each source. */
  readonly inputs: readonly number[];
  /** Of the token that the only input is the row of in the identity; 0 where it is no such row. */
  readonly id: number;
  /** Of each state. */
  readonly states: readonly number[];
}

/** What takes a step in the core: ur_stream_step in crate/src/bindings.rs says which kinds there are. */
export interface StreamCell {
  /** Values that it gives. */
  readonly output: number;
  /** Words of its arguments. */
  readonly words: number;
  /** Another number when its packed weights are others. */
  readonly version: number;
  /** Fills its arguments at this pointer, and packs weights that have changed. Returns the pointer of what a step gives. */
  fill(core: Core, at: number, edges: StreamEdges): number;
}

/** One cell of a stack, and its states by number. */
export interface StreamLayer {
  readonly cell: StreamCell;
  readonly states: readonly StateSlice[];
  /** Numbers of the layers before it whose outputs come in; -1: what comes into the model. */
  readonly from: readonly number[];
}

/** Fields of a module that hold parameters, or nothing. They may be replaced at any time, to tie weights. */
export interface ParameterFields {
  readonly owner: object;
  readonly names: readonly string[];
}

/** A model as a stream runs it; a module has a method `streamPlan` that makes it, see infer/session.ts. */
export interface StreamPlan {
  /** Values of an input. */
  readonly inputSize: number;
  /** In the order of their work; the last one's output is the model's. */
  readonly layers: readonly StreamLayer[];
  /** Tokens that come in: rows of a table, or of the identity when that is null. Null: vectors come in. */
  readonly tokens: {
    readonly vocabulary: number;
    /** The table (V, I). */
    readonly table: () => Parameter | null;
  } | null;
  /** Everything that the cells and the function above read. */
  readonly fields: readonly ParameterFields[];
}

interface SeenField {
  readonly owner: Readonly<Record<string, unknown>>;
  readonly name: string;
  readonly value: unknown;
}

/** The steps of one plan. The state is in tensors of the caller's, see {@link bind}. */
export class Stream {
  readonly plan: StreamPlan;
  /** Values that a step gives. */
  readonly outputSize: number;
  readonly #core: Core;
  readonly #inputSize: number;
  /** Pointer of the arguments of all cells and their 8-bit weights, two words a cell. */
  readonly #pointer: number;
  readonly #bytes: number;
  /** Pointers of the arguments of each. */
  readonly #blocks: readonly number[];
  /** Pointers of what comes in, and of the id that says the same. */
  readonly #x: number;
  readonly #id: number;
  readonly #int8: Int8Weights | null;
  /** Pointer of the table of the tokens; 0 for none. */
  #table = 0;
  /** The place of the 1 among what comes in, of tokens without a table. */
  #token = 0;
  /** Pointer of what a step gives. */
  #result = 0;
  #states: ReadonlyMap<string, Tensor> = new Map();
  /** The fields of parameters as they were when the arguments were filled, and the count of writes then. */
  #seen: readonly SeenField[] = [];
  #writes = -1;

  /** @param int8 - whether products are of 8-bit weights */
  constructor(core: Core, plan: StreamPlan, int8: boolean) {
    const cells = plan.layers.map(({ cell }) => cell);
    this.plan = plan;
    this.outputSize = (cells[cells.length - 1] as StreamCell).output;
    this.#core = core;
    this.#inputSize = plan.inputSize;
    this.#int8 = int8 ? new Int8Weights(core) : null;
    let words = 2 * cells.length;
    const offsets = cells.map((cell) => {
      words += cell.words;
      return words - cell.words;
    });
    this.#bytes = (words + this.#inputSize + 1) * 4;
    this.#pointer = core.alloc(this.#bytes);
    core.watch(this, this.#pointer, this.#bytes);
    this.#blocks = offsets.map((offset) => this.#pointer + offset * 4);
    this.#x = this.#pointer + words * 4;
    this.#id = this.#x + this.#inputSize * 4;
  }

  /** Names and shapes of the state. */
  get states(): ReadonlyMap<string, readonly number[]> {
    return new Map(this.plan.layers.flatMap(({ states }) => states.map(({ name, shape }) => [name, shape])));
  }

  /** Goes on from this state, which steps change in place; it has the shapes of {@link states}. */
  bind(states: ReadonlyMap<string, Tensor>): void {
    this.#states = states;
    this.#writes = -1;
  }

  /** Whether a step would take this input: a token where tokens come in, else a vector of the right size. */
  takes(input: number | Float32Array): boolean {
    const { tokens } = this.plan;
    if (typeof input !== "number") return tokens === null && input.length === this.#inputSize;
    return tokens !== null && input >= 0 && input < tokens.vocabulary && Number.isInteger(input);
  }

  /** Takes a step with an input that it {@link takes}, and writes the result to `into`, of `outputSize` values. */
  step(input: number | Float32Array, into: Float32Array): void {
    const core = this.#core;
    core.assertUsable();
    if (!this.#isCurrent()) this.#fill();
    const x = this.#x >>> 2;
    const size = this.#inputSize;
    if (typeof input !== "number") core.f32.set(input, x);
    else if (this.#table !== 0) {
      const row = (this.#table >>> 2) + input * size;
      core.f32.copyWithin(x, row, row + size);
    } else {
      const values = core.f32;
      values[x + this.#token] = 0;
      values[x + input] = 1;
      core.i32[this.#id >>> 2] = this.#token = input;
    }
    let status: number;
    try {
      status = core.raw.ur_stream_step(this.#pointer, this.#blocks.length);
    } catch (error) {
      if (error instanceof WebAssembly.RuntimeError) core.poison(error);
      core.assertUsable();
      throw error;
    }
    core.checkStatus(status, "Session.step");
    const from = core.f32;
    const at = this.#result >>> 2;
    // A view of the result to copy from would be an object a step.
    for (let i = 0; i < into.length; i++) into[i] = from[at + i] as number;
  }

  /** Frees the arguments. */
  dispose(): void {
    this.#int8?.dispose();
    this.#core.unwatch(this);
    this.#core.free(this.#pointer, this.#bytes);
  }

  /** Whether the arguments are those of the parameters as they are now. */
  #isCurrent(): boolean {
    if (this.#writes !== writeCount()) return false;
    // By index: an iterator would be an object a step.
    for (let i = 0; i < this.#seen.length; i++) {
      const { owner, name, value } = this.#seen[i] as SeenField;
      if (owner[name] !== value) return false;
    }
    return true;
  }

  /** Fills the arguments, and packs the weights that have changed. */
  #fill(): void {
    const core = this.#core;
    const { layers, tokens, fields } = this.plan;
    const table = tokens === null ? null : tokens.table();
    this.#table = table === null ? 0 : operand(table, "Session.step", core);
    const slice = ({ name, shape, index }: StateSlice): number =>
      (this.#states.get(name) as Tensor).pointer + index * (shape[2] as number) * 4;
    const outputs: number[] = [];
    layers.forEach(({ cell, from, states }, i) => {
      const inputs = from.map((number) => (number < 0 ? this.#x : (outputs[number] as number)));
      const id = tokens !== null && table === null && inputs.length === 1 && inputs[0] === this.#x ? this.#id : 0;
      outputs.push(cell.fill(core, this.#blocks[i] as number, { inputs, id, states: states.map(slice) }));
    });
    this.#result = outputs[outputs.length - 1] as number;
    this.#int8?.refresh(
      this.#blocks,
      layers.map(({ cell }) => cell.version),
    );
    const pairs = this.#blocks.flatMap((block, i) => [block, this.#int8?.places[i] ?? 0]);
    core.i32.set(pairs, this.#pointer >>> 2);
    core.raw.ur_fill(this.#x, this.#inputSize, 0);
    this.#token = 0;
    this.#seen = fields.flatMap(({ owner, names }) => {
      const record = owner as Readonly<Record<string, unknown>>;
      return names.map((name): SeenField => ({ owner: record, name, value: record[name] }));
    });
    this.#writes = writeCount();
  }
}
