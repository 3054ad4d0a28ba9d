/**
 * Single steps of a stack of fused recurrent layers, for one sequence: one call of the core a step, on arguments that
 * are filled once and looked at again when a parameter has changed. A step takes no memory and makes no objects.
 *
 * Results are those of whole sequences, bit for bit, unless the weights are in 8 bits.
 */
import type { Core } from "../core/core.js";
import { Int8Weights } from "./int8-weights.js";
import { type Parameter, writeCount } from "./parameter.js";
import { ARGUMENT_WORDS, type SequenceLayer, type SequenceWeights, WORD, writeLayer } from "./sequence.js";
import { operand, type Tensor } from "./tensor.js";

/** Where one layer's state is: a slice of a tensor of the model's state. */
export interface StateSlice {
  readonly name: string;
  /** Shape of the whole tensor, for one sequence: (slices, 1, size). */
  readonly shape: readonly number[];
  readonly index: number;
}

/** One layer of a stack. */
export interface StreamLayer extends SequenceLayer {
  /** The weights as they are now. */
  weights(): SequenceWeights;
  readonly h: StateSlice;
  /** Null for cells without. */
  readonly c: StateSlice | null;
}

/** Fields of a module that hold parameters, or nothing. They may be replaced at any time, to tie weights. */
export interface ParameterFields {
  readonly owner: object;
  readonly names: readonly string[];
}

/** A model as a stream runs it; a module has a method `streamPlan` that makes it, see infer/session.ts. */
export interface StreamPlan {
  /** Each reads the output of the one before. */
  readonly layers: readonly StreamLayer[];
  /** Tokens that come in: rows of a table, or of the identity when that is null. Null: vectors come in. */
  readonly tokens: {
    readonly vocabulary: number;
    /** The table (V, I). */
    readonly table: () => Parameter | null;
  } | null;
  /** A linear layer above the last; null for none. */
  readonly head: {
    /** Its weights (K, H). */
    readonly weight: () => Parameter;
    /** Its bias (K). */
    readonly bias: () => Parameter | null;
  } | null;
  /** Everything that the functions above read. */
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
  readonly #pointer: number;
  readonly #bytes: number;
  /** Pointers of a vector that comes in, of an id, and of what the head gives. */
  readonly #x: number;
  readonly #id: number;
  readonly #y: number;
  readonly #int8: Int8Weights | null;
  /** Pointer of the table of the tokens, of the packed weights of the head, and of its bias; 0 for none. */
  #table = 0;
  #packed = 0;
  #bias = 0;
  /** Pointer of what a step gives. */
  #result = 0;
  #states: ReadonlyMap<string, Tensor> = new Map();
  /** The fields of parameters as they were when the arguments were filled, and the count of writes then. */
  #seen: readonly SeenField[] = [];
  #writes = -1;

  /** @param int8 - whether products are of 8-bit weights */
  constructor(core: Core, plan: StreamPlan, int8: boolean) {
    const [first, last] = [plan.layers[0] as StreamLayer, plan.layers[plan.layers.length - 1] as StreamLayer];
    const above = last.projection > 0 ? last.projection : last.hidden;
    this.plan = plan;
    this.outputSize = plan.head === null ? above : (plan.head.weight().shape[0] as number);
    this.#core = core;
    this.#inputSize = first.input;
    const blocks = plan.layers.length * ARGUMENT_WORDS * 4;
    this.#int8 = int8 ? new Int8Weights(core, plan) : null;
    this.#bytes = blocks + (this.#inputSize + 1 + this.outputSize) * 4;
    this.#pointer = core.alloc(this.#bytes);
    core.watch(this, this.#pointer, this.#bytes);
    this.#x = this.#pointer + blocks;
    this.#id = this.#x + this.#inputSize * 4;
    this.#y = this.#id + 4;
  }

  /** Names and shapes of the state. */
  get states(): ReadonlyMap<string, readonly number[]> {
    const slices = this.plan.layers.flatMap(({ h, c }) => (c === null ? [h] : [h, c]));
    return new Map(slices.map(({ name, shape }) => [name, shape]));
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
    const first = this.#pointer >>> 2;
    if (typeof input !== "number") core.f32.set(input, this.#x >>> 2);
    else if (this.#table === 0) core.i32[this.#id >>> 2] = input;
    else core.i32[first + WORD.x] = this.#table + input * this.#inputSize * 4;
    const { layers, head } = this.plan;
    const y = head === null ? 0 : this.#y;
    let status: number;
    try {
      status = core.raw.ur_stream_step(
        this.#pointer,
        layers.length,
        this.#int8 === null ? 0 : this.#int8.pointer,
        this.#packed,
        this.#bias,
        this.outputSize,
        y,
      );
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
    const { layers, tokens, head, fields } = this.plan;
    const table = tokens === null ? null : tokens.table();
    const bias = head === null ? null : head.bias();
    this.#table = table === null ? 0 : operand(table, "Session.step", core);
    this.#bias = bias === null ? 0 : operand(bias, "Session.step", core);
    if (head !== null) {
      operand(head.weight(), "Session.step", core);
      this.#packed = head.weight().pack(0);
    }
    const slice = ({ name, shape, index }: StateSlice): number =>
      (this.#states.get(name) as Tensor).pointer + index * (shape[2] as number) * 4;
    let below = this.#x;
    const blocks = layers.map((_, i) => this.#pointer + i * ARGUMENT_WORDS * 4);
    layers.forEach((layer, i) => {
      const pointer = blocks[i] as number;
      const at = pointer >>> 2;
      const weights = layer.weights();
      const prepared = layer.prepared.reserve(core, layer.cell, layer.input, layer.hidden, layer.projection);
      writeLayer(core, layer, weights, prepared, at);
      layer.prepared.refresh({ core, where: layer.where, weights }, pointer, false);
      const words = core.i32;
      if (i === 0 && tokens !== null && table === null) words[at + WORD.ids] = this.#id;
      words[at + WORD.x] = below;
      words[at + WORD.hn] = below = slice(layer.h);
      words[at + WORD.cn] = layer.c === null ? 0 : slice(layer.c);
    });
    this.#int8?.refresh(blocks, this.#packed);
    this.#result = head === null ? below : this.#y;
    this.#seen = fields.flatMap(({ owner, names }) => {
      const record = owner as Readonly<Record<string, unknown>>;
      return names.map((name): SeenField => ({ owner: record, name, value: record[name] }));
    });
    this.#writes = writeCount();
  }
}
