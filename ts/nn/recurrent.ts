/**
 * What the recurrent layers share: stacking, two directions, dropout between layers, lengths, states, layouts.
 *
 * Each layer and direction is one call of the core over the whole sequence. Between layers tensors are time-major
 * (T, B, directions * S), whatever the outside is: the first call reads and the last one writes it by strides.
 */
import type { Core } from "../core/core.js";
import { ArgumentError, ShapeError } from "../errors.js";
import { checkProbability, dropout } from "../tensor/dropout.js";
import { writeIds } from "../tensor/embedding.js";
import { type Initializer, Parameter } from "../tensor/parameter.js";
import { releaseScratch } from "../tensor/scope.js";
import type { TimeStrides } from "../tensor/sequence.js";
import type { StreamCell, StreamLayer, StreamPlan } from "../tensor/stream.js";
import { coreOf, createTensor, operand, sameShape, type Tensor } from "../tensor/tensor.js";
import { checkLengths, checkSize } from "./check.js";
import { lockedDropout } from "./locked-dropout.js";
import { Module } from "./module.js";
import type { RecurrentState } from "./state.js";

/** Options of every recurrent layer. */
export interface RecurrentOptions {
  /** Layers above each other; default 1. */
  readonly numLayers?: number;
  /** Two biases a layer, as PyTorch; default true. */
  readonly bias?: boolean;
  /** Also read the sequence backwards; outputs are concatenated, forward first. Default false. */
  readonly bidirectional?: boolean;
  /** Probability of dropout between layers (not after the last), while training; default 0. */
  readonly dropout?: number;
  /** Whether that dropout has one mask for all steps of a sequence (variational dropout, as in AWD-LSTM); default false. */
  readonly lockedDropout?: boolean;
  /**
   * Probability that an element of the recurrent weights (`weight_hh`) is dropped while training, the same ones at every
   * step (DropConnect, Wan et al. 2013; on recurrent weights Merity, Keskar & Socher 2018); default 0. All calls of the
   * layer in one update share a mask.
   */
  readonly weightDropout?: number;
  /**
   * Steps of a segment: while training only the state after each is stored, and backward computes the segment again.
   * Memory for T steps falls to that of about `recompute` + T / `recompute`, and training takes about a third longer;
   * results are the same, gradients up to the order of summation. Default: everything is stored.
   */
  readonly recompute?: number | undefined;
  /** Sequences are (B, T, ...); false: (T, B, ...). Default true, unlike PyTorch. States are never transposed. */
  readonly batchFirst?: boolean;
  /** Draws every weight and bias; default U(-1/sqrt(H), 1/sqrt(H)), as PyTorch. */
  readonly initializer?: Initializer;
}

/** What `forward` takes besides the sequences. */
export interface SequenceOptions<S extends RecurrentState> {
  /** Initial state; default zeros. */
  readonly state?: S | undefined;
  /** How many steps of each row count, each from 0 to T, in any order; default all. Outputs past them are 0. */
  readonly lengths?: Int32Array | readonly number[] | undefined;
}

/** What `forward` returns. */
export interface SequenceResult<S extends RecurrentState> {
  /** (B, T, directions * S), or as `batchFirst` says; S is the projection's size or H. */
  readonly output: Tensor;
  /** State after the last step of each row. */
  readonly state: S;
}

/** A state of a cell and its width. */
export interface StateSize {
  readonly name: string;
  readonly size: number;
}

/** What tells one kind of cell from another, with its sizes. @internal */
export interface CellKind {
  readonly states: readonly StateSize[];
  /** Number of the state that is the output. */
  readonly output: number;
  /** Declares the parameters of one layer and direction: names without suffix. */
  parameters(inputSize: number): readonly (readonly [name: string, parameter: Parameter])[];
  /** What runs one layer and direction. */
  runner(inputSize: number): CellRunner;
}

/** Runs one layer in one direction; owns what it derived from the weights. @internal */
export interface CellRunner {
  run(call: CellRun): void;
  /**
   * What takes single steps in a stream, without a `run`; null where nothing does.
   * @param parameter as in {@link CellRun}
   */
  streamCell(where: string, parameter: (name: string) => Parameter | null): StreamCell | null;
  dispose(): void;
}

/** The parameters of a run. @internal */
export interface ParametersRun {
  /** Name for error messages. */
  readonly where: string;
  readonly core: Core;
  /** The parameter of a name (without suffix), as it is now; null where there is none. */
  parameter(name: string): Parameter | null;
}

/** One run over sequences; everything has been validated by the layer. @internal */
export interface CellRun extends ParametersRun {
  readonly steps: number;
  readonly batch: number;
  readonly reverse: boolean;
  /** (B), each from 0 to T; undefined: all are T. */
  readonly lengths: ArrayLike<number> | undefined;
  /** Pointer of the same as i32 in the arena; 0 for none. */
  readonly lengthsPointer: number;
  readonly x: Tensor;
  readonly xStrides: TimeStrides;
  /** Initial states (any, B, width), of which this run takes the slice `stateIndex`; null is zeros. */
  readonly initial: readonly (Tensor | null)[];
  readonly stateIndex: number;
  /** Receives the outputs at column `outColumn` of each row; null when only the states are of interest. */
  readonly out: Tensor | null;
  readonly outStrides: TimeStrides;
  readonly outColumn: number;
  /** Receive the final states, slice `stateIndex`. */
  readonly final: readonly Tensor[];
  /** Probability of dropout of recurrent weights, and the stream of its draws. */
  readonly weightDropout: number;
  readonly stream: number;
  /** Steps of a segment that backward computes again; 0 for none. */
  readonly recompute: number;
  /** What the caller gave to `forward`. */
  readonly options: object;
  /** Element strides of time and batch of sequences that are given as options, by their width. */
  optionStrides(width: number): TimeStrides;
}

/** A module whose parameters are fields of computed names. */
abstract class Weights extends Module {
  [name: `weight_${string}` | `bias_${string}`]: Parameter;

  /** Declares the parameters of one layer and direction; the field of each by its name. @internal */
  protected declareWeights(kind: CellKind, inputSize: number, suffix: string): ReadonlyMap<string, string> {
    const fields = this as unknown as Record<string, Parameter>;
    const names = new Map<string, string>();
    for (const [name, parameter] of kind.parameters(inputSize)) {
      fields[name + suffix] = parameter;
      names.set(name, name + suffix);
    }
    return names;
  }

  /** The parameter as it is now: fields may have been replaced, to tie weights. */
  protected weight(field: string | undefined, core: Core): Parameter | null {
    const parameter =
      field === undefined ? undefined : (this as unknown as Record<string, Parameter | undefined>)[field];
    if (parameter === undefined) return null;
    operand(parameter, this.label, core);
    return parameter;
  }

  /** The given states by number; null for zeros. */
  protected initialStates(
    kind: CellKind,
    state: RecurrentState | undefined,
    shape: (size: number) => readonly number[],
    core: Core,
  ): (Tensor | null)[] {
    return kind.states.map(({ name, size }) => {
      if (state === undefined) return null;
      const value = state[name];
      if (value === undefined) throw new ArgumentError(this.label, "state", `an object with ${name}`, state);
      if (!sameShape(value.shape, shape(size))) {
        throw new ShapeError(this.label, `state.${name}`, shape(size), value.shape);
      }
      operand(value, this.label, core);
      return value;
    });
  }
}

/** Tensors by the names of the states. */
function named<S extends RecurrentState>(kind: CellKind, values: readonly Tensor[]): S {
  return Object.fromEntries(kind.states.map(({ name }, i) => [name, values[i] as Tensor])) as unknown as S;
}

function outputSizeOf(kind: CellKind): number {
  return (kind.states[kind.output] as StateSize).size;
}

/** One layer in one direction. */
interface Direction {
  /** The fields of the parameters: joining names anew in every call would cost more than small steps do. */
  readonly fields: ReadonlyMap<string, string>;
  readonly runner: CellRunner;
}

/** Base of all recurrent layers. */
export abstract class RecurrentLayer<
  S extends RecurrentState,
  O extends SequenceOptions<S> = SequenceOptions<S>,
> extends Weights {
  /** Features of each input step, I. */
  readonly inputSize: number;
  /** Units of a layer, H. */
  readonly hiddenSize: number;
  /** Layers above each other. */
  readonly numLayers: number;
  /** Whether there are biases. */
  readonly bias: boolean;
  /** Whether it also, or only, reads sequences from their end. */
  readonly bidirectional: boolean;
  /** Probability of dropout between layers while training. */
  readonly dropout: number;
  /** Whether that dropout's mask is the same for all steps. */
  readonly lockedDropout: boolean;
  /** Probability that a recurrent weight is dropped while training. */
  readonly weightDropout: number;
  /** Steps of a segment that backward computes again; 0 for none. */
  readonly recompute: number;
  /** Whether sequences are (B, T, ...); else (T, B, ...). */
  readonly batchFirst: boolean;
  readonly #kind: CellKind;
  /** By layer, then direction. */
  readonly #stack: Direction[] = [];

  /** @internal */
  constructor(kind: CellKind, inputSize: number, hiddenSize: number, options: RecurrentOptions) {
    super();
    const where = new.target.name;
    checkSize(where, "inputSize", inputSize);
    this.inputSize = inputSize;
    this.hiddenSize = hiddenSize;
    this.numLayers = options.numLayers ?? 1;
    this.bias = options.bias ?? true;
    this.bidirectional = options.bidirectional ?? false;
    this.dropout = options.dropout ?? 0;
    this.lockedDropout = options.lockedDropout ?? false;
    this.weightDropout = options.weightDropout ?? 0;
    this.recompute = options.recompute ?? 0;
    this.batchFirst = options.batchFirst ?? true;
    checkSize(where, "numLayers", this.numLayers);
    checkProbability(where, "dropout", this.dropout);
    checkProbability(where, "weightDropout", this.weightDropout);
    if (options.recompute !== undefined) checkSize(where, "recompute", this.recompute);
    this.#kind = kind;
    for (let layer = 0; layer < this.numLayers; layer++) {
      const input = layer === 0 ? inputSize : this.outputSize;
      for (let direction = 0; direction < this.directions; direction++) {
        const suffix = `_l${layer}${direction === 1 ? "_reverse" : ""}`;
        this.#stack.push({ fields: this.declareWeights(kind, input, suffix), runner: kind.runner(input) });
      }
    }
  }

  /** 2 when bidirectional, else 1. */
  get directions(): number {
    return this.bidirectional ? 2 : 1;
  }

  /** Names and widths of the states. */
  get states(): readonly StateSize[] {
    return this.#kind.states;
  }

  /** Width of the output in one direction: H, or what the cell makes of it, for example a projection's size. */
  get stateSize(): number {
    return outputSizeOf(this.#kind);
  }

  /** Last axis of the output: directions * stateSize. */
  get outputSize(): number {
    return this.directions * this.stateSize;
  }

  /**
   * Runs all layers over sequences (B, T, inputSize), or (T, B, inputSize) without `batchFirst`, or one sequence
   * (T, inputSize), whose output and states then have no batch axis either.
   *
   * @throws ShapeError, ArgumentError (lengths)
   */
  forward(x: Tensor, options?: O): SequenceResult<S> {
    const where = this.label;
    const core = coreOf(x, where);
    const kind = this.#kind;
    const batched = x.shape.length === 3;
    const layout = this.batchFirst ? ["B", "T", this.inputSize] : ["T", "B", this.inputSize];
    if (!(batched || x.shape.length === 2) || x.shape[x.shape.length - 1] !== this.inputSize) {
      throw new ShapeError(where, "x", `[${layout.join(", ")}] or [T, ${this.inputSize}]`, x.shape);
    }
    const timeAxis = batched && this.batchFirst ? 1 : 0;
    const steps = x.shape[timeAxis] as number;
    const batch = batched ? (x.shape[1 - timeAxis] as number) : 1;
    const slices = this.numLayers * this.directions;
    const stateShape = (size: number): number[] => (batched ? [slices, batch, size] : [slices, size]);
    const initial = this.initialStates(kind, options?.state, stateShape, core);
    const last = batched && this.batchFirst ? [batch, steps, this.outputSize] : [steps, batch, this.outputSize];
    const output = createTensor(core, batched ? last : [steps, this.outputSize]);
    const final = kind.states.map(({ size }) => createTensor(core, stateShape(size)));
    const lengths = options?.lengths;
    checkLengths(where, lengths, batch, steps);
    const lengthsPointer = lengths === undefined ? 0 : writeIds(core, lengths);
    const strides = (width: number, outer: boolean): TimeStrides =>
      outer && timeAxis === 1 ? { time: width, batch: steps * width } : { time: batch * width, batch: width };
    let below = x;
    for (let layer = 0; layer < this.numLayers; layer++) {
      const top = layer === this.numLayers - 1;
      const input = layer === 0 ? this.inputSize : this.outputSize;
      const out = top ? output : createTensor(core, [steps, batch, this.outputSize]);
      for (let direction = 0; direction < this.directions; direction++) {
        const stateIndex = layer * this.directions + direction;
        const { fields, runner } = this.#stack[stateIndex] as Direction;
        runner.run({
          where,
          core,
          steps,
          batch,
          reverse: direction === 1,
          lengths,
          lengthsPointer,
          x: below,
          xStrides: strides(input, layer === 0),
          parameter: (name) => this.weight(fields.get(name), core),
          initial,
          stateIndex,
          out,
          outStrides: strides(this.outputSize, top),
          outColumn: direction * this.stateSize,
          final,
          weightDropout: this.weightDropout,
          // A stream of its own for every layer and direction, other than that of dropout between layers.
          stream: Math.imul(this.stream ^ (stateIndex + 1), 0x01000193) >>> 0,
          options: options ?? {},
          optionStrides: (width) => strides(width, true),
          recompute: this.recompute,
        });
      }
      if (below !== x) below.dispose();
      if (top) below = out;
      else if (this.lockedDropout) below = lockedDropout(out, this.dropout, 0, this.stream);
      else below = dropout(out, this.dropout, this.stream, 1);
    }
    releaseScratch(core);
    return { output, state: named(kind, final) };
  }

  /** How a stream takes single steps; null for what reads backwards, or overrides `forward`, and some cells. @internal */
  streamPlan(): StreamPlan | null {
    if (this.bidirectional || this.forward !== RecurrentLayer.prototype.forward) return null;
    const layers: StreamLayer[] = [];
    for (const [index, { fields, runner }] of this.#stack.entries()) {
      const cell = runner.streamCell(this.label, (name) => this.weight(fields.get(name), this.core));
      if (cell === null) return null;
      const states = this.states.map(({ name, size }) => ({ name, shape: [this.numLayers, 1, size], index }));
      layers.push({ cell, states, from: [index - 1] });
    }
    const names = Object.entries(this).flatMap(([name, value]) => (value instanceof Parameter ? [name] : []));
    return { inputSize: this.inputSize, layers, tokens: null, fields: [{ owner: this, names }] };
  }

  protected override release(): void {
    for (const { runner } of this.#stack) runner.dispose();
  }
}

/** Options of every cell. */
export interface CellOptions {
  /** Two biases, as PyTorch; default true. */
  readonly bias?: boolean;
  /** Draws every weight and bias; default U(-1/sqrt(H), 1/sqrt(H)), as PyTorch. */
  readonly initializer?: Initializer;
}

/** Base of all cells: one step. */
export abstract class RecurrentCell<S extends RecurrentState> extends Weights {
  /** Features of an input, I. */
  readonly inputSize: number;
  /** Units of a layer, H. */
  readonly hiddenSize: number;
  /** Whether there are biases. */
  readonly bias: boolean;
  readonly #kind: CellKind;
  readonly #runner: CellRunner;

  /** @internal */
  constructor(kind: CellKind, inputSize: number, hiddenSize: number, options: CellOptions) {
    super();
    checkSize(new.target.name, "inputSize", inputSize);
    this.inputSize = inputSize;
    this.hiddenSize = hiddenSize;
    this.bias = options.bias ?? true;
    this.#kind = kind;
    this.declareWeights(kind, inputSize, "");
    this.#runner = kind.runner(inputSize);
  }

  /** Names and widths of the states. */
  get states(): readonly StateSize[] {
    return this.#kind.states;
  }

  /**
   * One step: x (B, inputSize) and a state of (B, hiddenSize) tensors, default zeros, to the next state. Without a
   * batch axis: (inputSize) and (hiddenSize).
   *
   * @throws ShapeError
   */
  forward(x: Tensor, state?: S): S {
    const where = this.label;
    const core = coreOf(x, where);
    const kind = this.#kind;
    const batched = x.shape.length === 2;
    if (!(batched || x.shape.length === 1) || x.shape[x.shape.length - 1] !== this.inputSize) {
      throw new ShapeError(where, "x", `[B, ${this.inputSize}] or [${this.inputSize}]`, x.shape);
    }
    const batch = batched ? (x.shape[0] as number) : 1;
    const shape = (size: number): number[] => (batched ? [batch, size] : [size]);
    const initial = this.initialStates(kind, state, shape, core);
    const final = kind.states.map(({ size }) => createTensor(core, shape(size)));
    this.#runner.run({
      where,
      core,
      steps: 1,
      batch,
      reverse: false,
      lengths: undefined,
      lengthsPointer: 0,
      x,
      xStrides: { time: batch * this.inputSize, batch: this.inputSize },
      parameter: (name) => this.weight(name, core),
      initial,
      stateIndex: 0,
      out: null,
      outStrides: { time: 0, batch: 0 },
      outColumn: 0,
      final,
      weightDropout: 0,
      stream: 0,
      options: {},
      optionStrides: (width) => ({ time: batch * width, batch: width }),
      recompute: 0,
    });
    releaseScratch(core);
    return named(kind, final);
  }

  protected override release(): void {
    this.#runner.dispose();
  }
}
