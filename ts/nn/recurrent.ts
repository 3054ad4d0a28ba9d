/**
 * What the recurrent layers share: stacking, two directions, dropout between layers, lengths, states, layouts.
 *
 * Each layer and direction is one call of the core over the whole sequence. Between layers tensors are time-major
 * (T, B, directions * S), whatever the outside is: the first call reads and the last one writes it by strides.
 */
import type { Core } from "../core/core.js";
import { ArgumentError, ShapeError } from "../errors.js";
import { checkProbability, dropout, dropWeight } from "../tensor/dropout.js";
import { writeIds } from "../tensor/embedding.js";
import { type Initializer, Parameter } from "../tensor/parameter.js";
import { releaseScratch } from "../tensor/scope.js";
import { PreparedWeights, type SequenceWeights, sequence, type TimeStrides } from "../tensor/sequence.js";
import { coreOf, createTensor, operand, sameShape, type Tensor } from "../tensor/tensor.js";
import { checkSize } from "./check.js";
import { uniform } from "./initializers.js";
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
  /**
   * Probability that an element of the recurrent weights `weight_hh` is dropped while training, the same ones at every
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

/** What tells one kind of cell from another. */
export interface CellKind {
  /** Number of the cell in the core. */
  readonly cell: number;
  /** Rows of the weights, in units of H. */
  readonly gates: number;
  /** Whether there is a memory c beside h. */
  readonly memory: boolean;
  /** Activation of the Elman cell. */
  readonly activation: number;
  readonly alpha: number;
}

/** Names of one layer's parameters, PyTorch's. */
interface WeightNames {
  readonly weightIh: string;
  readonly weightHh: string;
  readonly biasIh: string;
  readonly biasHh: string;
  readonly weightHr: string;
}

function weightNames(suffix: string): WeightNames {
  return {
    weightIh: `weight_ih${suffix}`,
    weightHh: `weight_hh${suffix}`,
    biasIh: `bias_ih${suffix}`,
    biasHh: `bias_hh${suffix}`,
    weightHr: `weight_hr${suffix}`,
  };
}

/** A module whose parameters are fields of computed names. */
abstract class Weights extends Module {
  [name: `weight_${string}` | `bias_${string}`]: Parameter;

  protected declareWeights(
    names: WeightNames,
    kind: CellKind,
    sizes: { input: number; hidden: number; projection: number },
    bias: boolean,
    initializer: Initializer | undefined,
  ): void {
    const fields = this as unknown as Record<string, Parameter>;
    const { input, hidden, projection } = sizes;
    const rows = kind.gates * hidden;
    const bound = 1 / Math.sqrt(hidden);
    const draw = initializer ?? uniform(-bound, bound);
    fields[names.weightIh] = new Parameter([rows, input], draw);
    fields[names.weightHh] = new Parameter([rows, projection > 0 ? projection : hidden], draw);
    if (bias) {
      fields[names.biasIh] = new Parameter([rows], draw);
      fields[names.biasHh] = new Parameter([rows], draw);
    }
    if (projection > 0) fields[names.weightHr] = new Parameter([projection, hidden], draw);
  }

  /** The parameters as they are now: fields may have been replaced, to tie weights. */
  protected weightsOf(names: WeightNames, core: Core): SequenceWeights {
    const fields = this as unknown as Record<string, Parameter | undefined>;
    const found = (name: string): Parameter | null => {
      const parameter = fields[name];
      if (parameter === undefined) return null;
      operand(parameter, this.label, core);
      return parameter;
    };
    return {
      weightIh: found(names.weightIh) as Parameter,
      weightHh: found(names.weightHh) as Parameter,
      biasIh: found(names.biasIh),
      biasHh: found(names.biasHh),
      weightHr: found(names.weightHr),
    };
  }
}

/** One layer in one direction. */
interface Direction {
  readonly names: WeightNames;
  readonly prepared: PreparedWeights;
  /** Of the weights that dropout changed: apart, so that a forward pass without it changes nothing for backward. */
  readonly dropped: PreparedWeights;
}

/** Base of RNN, LSTM and GRU. */
export abstract class RecurrentLayer<S extends RecurrentState> extends Weights {
  readonly inputSize: number;
  readonly hiddenSize: number;
  readonly numLayers: number;
  readonly bias: boolean;
  readonly bidirectional: boolean;
  readonly dropout: number;
  readonly weightDropout: number;
  /** Steps of a segment that backward computes again; 0 for none. */
  readonly recompute: number;
  readonly batchFirst: boolean;
  /** Size that h is projected to; 0 for none. */
  readonly projectionSize: number;
  readonly #kind: CellKind;
  /** By layer, then direction. */
  readonly #stack: Direction[] = [];

  /** @internal */
  constructor(kind: CellKind, inputSize: number, hiddenSize: number, options: RecurrentOptions, projectionSize = 0) {
    super();
    const where = new.target.name;
    checkSize(where, "inputSize", inputSize);
    checkSize(where, "hiddenSize", hiddenSize);
    this.inputSize = inputSize;
    this.hiddenSize = hiddenSize;
    this.numLayers = options.numLayers ?? 1;
    this.bias = options.bias ?? true;
    this.bidirectional = options.bidirectional ?? false;
    this.dropout = options.dropout ?? 0;
    this.weightDropout = options.weightDropout ?? 0;
    this.recompute = options.recompute ?? 0;
    this.batchFirst = options.batchFirst ?? true;
    this.projectionSize = projectionSize;
    checkSize(where, "numLayers", this.numLayers);
    checkProbability(where, "dropout", this.dropout);
    checkProbability(where, "weightDropout", this.weightDropout);
    if (options.recompute !== undefined) checkSize(where, "recompute", this.recompute);
    if (projectionSize !== 0) checkSize(where, "projectionSize", projectionSize);
    if (projectionSize >= hiddenSize) {
      throw new ArgumentError(where, "projectionSize", "less than hiddenSize", projectionSize);
    }
    this.#kind = kind;
    for (let layer = 0; layer < this.numLayers; layer++) {
      const input = layer === 0 ? inputSize : this.outputSize;
      for (let direction = 0; direction < this.directions; direction++) {
        const names = weightNames(`_l${layer}${direction === 1 ? "_reverse" : ""}`);
        const sizes = { input, hidden: hiddenSize, projection: projectionSize };
        this.declareWeights(names, kind, sizes, this.bias, options.initializer);
        this.#stack.push({ names, prepared: new PreparedWeights(), dropped: new PreparedWeights() });
      }
    }
  }

  /** 2 when bidirectional, else 1. */
  get directions(): number {
    return this.bidirectional ? 2 : 1;
  }

  /** Size of h: the projection's, or H. */
  get stateSize(): number {
    return this.projectionSize > 0 ? this.projectionSize : this.hiddenSize;
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
  forward(x: Tensor, options: SequenceOptions<S> = {}): SequenceResult<S> {
    const where = this.label;
    const core = coreOf(x, where);
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
    const h0 = this.#initial(options.state, "h", stateShape(this.stateSize), core);
    const c0 = this.#kind.memory ? this.#initial(options.state, "c", stateShape(this.hiddenSize), core) : null;
    const last = batched && this.batchFirst ? [batch, steps, this.outputSize] : [steps, batch, this.outputSize];
    const output = createTensor(core, batched ? last : [steps, this.outputSize]);
    const hn = createTensor(core, stateShape(this.stateSize));
    const cn = this.#kind.memory ? createTensor(core, stateShape(this.hiddenSize)) : null;
    const lengths = this.#lengths(options.lengths, batch, steps, core);
    const strides = (width: number, outer: boolean): TimeStrides =>
      outer && timeAxis === 1 ? { time: width, batch: steps * width } : { time: batch * width, batch: width };
    let below = x;
    for (let layer = 0; layer < this.numLayers; layer++) {
      const top = layer === this.numLayers - 1;
      const input = layer === 0 ? this.inputSize : this.outputSize;
      const out = top ? output : createTensor(core, [steps, batch, this.outputSize]);
      for (let direction = 0; direction < this.directions; direction++) {
        const stateIndex = layer * this.directions + direction;
        const { names, prepared, dropped } = this.#stack[stateIndex] as Direction;
        const weights = this.weightsOf(names, core);
        // A stream of its own for every layer and direction, other than that of dropout between layers.
        const stream = Math.imul(this.stream ^ (stateIndex + 1), 0x01000193) >>> 0;
        const weightHh = dropWeight(weights.weightHh, this.weightDropout, stream);
        sequence({
          where,
          core,
          cell: this.#kind.cell,
          activation: this.#kind.activation,
          alpha: this.#kind.alpha,
          steps,
          batch,
          input,
          hidden: this.hiddenSize,
          projection: this.projectionSize,
          reverse: direction === 1,
          lengths,
          x: below,
          xStrides: strides(input, layer === 0),
          weights: { ...weights, weightHh },
          prepared: weightHh === weights.weightHh ? prepared : dropped,
          h0,
          c0,
          stateIndex,
          out,
          outStrides: strides(this.outputSize, top),
          outColumn: direction * this.stateSize,
          hn,
          cn,
          recompute: this.recompute,
        });
      }
      if (below !== x) below.dispose();
      below = top ? out : dropout(out, this.dropout, this.stream);
    }
    releaseScratch(core);
    return { output, state: (cn === null ? { h: hn } : { h: hn, c: cn }) as unknown as S };
  }

  #initial(state: S | undefined, name: string, shape: readonly number[], core: Core): Tensor | null {
    if (state === undefined) return null;
    const value = state[name];
    if (value === undefined) throw new ArgumentError(this.label, "state", `an object with ${name}`, state);
    if (!sameShape(value.shape, shape)) throw new ShapeError(this.label, `state.${name}`, shape, value.shape);
    operand(value, this.label, core);
    return value;
  }

  /** Copies lengths into the arena; 0 for none. */
  #lengths(lengths: SequenceOptions<S>["lengths"], batch: number, steps: number, core: Core): number {
    if (lengths === undefined) return 0;
    if (lengths.length !== batch) throw new ShapeError(this.label, "lengths", [batch], [lengths.length]);
    for (let row = 0; row < batch; row++) {
      const length = lengths[row] as number;
      if (!Number.isInteger(length) || length < 0 || length > steps) {
        throw new ArgumentError(this.label, `lengths[${row}]`, `an integer from 0 to ${steps}`, length);
      }
    }
    return writeIds(core, lengths);
  }

  protected override release(): void {
    for (const { prepared, dropped } of this.#stack) {
      prepared.dispose();
      dropped.dispose();
    }
  }
}

/** Options of every cell. */
export interface CellOptions {
  /** Two biases, as PyTorch; default true. */
  readonly bias?: boolean;
  /** Draws every weight and bias; default U(-1/sqrt(H), 1/sqrt(H)), as PyTorch. */
  readonly initializer?: Initializer;
}

/** Base of RNNCell, LSTMCell and GRUCell: one step. */
export abstract class RecurrentCell<S extends RecurrentState> extends Weights {
  readonly inputSize: number;
  readonly hiddenSize: number;
  readonly bias: boolean;
  readonly #kind: CellKind;
  readonly #names = weightNames("");
  readonly #prepared = new PreparedWeights();

  /** @internal */
  constructor(kind: CellKind, inputSize: number, hiddenSize: number, options: CellOptions) {
    super();
    checkSize(new.target.name, "inputSize", inputSize);
    checkSize(new.target.name, "hiddenSize", hiddenSize);
    this.inputSize = inputSize;
    this.hiddenSize = hiddenSize;
    this.bias = options.bias ?? true;
    this.#kind = kind;
    this.declareWeights(
      this.#names,
      kind,
      { input: inputSize, hidden: hiddenSize, projection: 0 },
      this.bias,
      options.initializer,
    );
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
    const batched = x.shape.length === 2;
    if (!(batched || x.shape.length === 1) || x.shape[x.shape.length - 1] !== this.inputSize) {
      throw new ShapeError(where, "x", `[B, ${this.inputSize}] or [${this.inputSize}]`, x.shape);
    }
    const batch = batched ? (x.shape[0] as number) : 1;
    const shape = batched ? [batch, this.hiddenSize] : [this.hiddenSize];
    const initial = (name: string): Tensor | null => {
      if (state === undefined) return null;
      const value = state[name];
      if (value === undefined) throw new ArgumentError(where, "state", `an object with ${name}`, state);
      if (!sameShape(value.shape, shape)) throw new ShapeError(where, `state.${name}`, shape, value.shape);
      operand(value, where, core);
      return value;
    };
    const [h0, c0] = [initial("h"), this.#kind.memory ? initial("c") : null];
    const hn = createTensor(core, shape);
    const cn = this.#kind.memory ? createTensor(core, shape) : null;
    sequence({
      where,
      core,
      cell: this.#kind.cell,
      activation: this.#kind.activation,
      alpha: this.#kind.alpha,
      steps: 1,
      batch,
      input: this.inputSize,
      hidden: this.hiddenSize,
      projection: 0,
      reverse: false,
      lengths: 0,
      x,
      xStrides: { time: batch * this.inputSize, batch: this.inputSize },
      weights: this.weightsOf(this.#names, core),
      prepared: this.#prepared,
      h0,
      c0,
      stateIndex: 0,
      out: null,
      outStrides: { time: 0, batch: 0 },
      outColumn: 0,
      hn,
      cn,
      recompute: 0,
    });
    releaseScratch(core);
    return (cn === null ? { h: hn } : { h: hn, c: cn }) as unknown as S;
  }

  protected override release(): void {
    this.#prepared.dispose();
  }
}
