/**
 * What RNN, LSTM and GRU have in common: directions, layouts, lengths, states, and weights that come all gates together,
 * W [directions, gates * H, I], R [directions, gates * H, H], B [directions, 2 * gates * H] (of W, then of R).
 *
 * The weights become those of one of the package's layers: when they are constant once, while loading, else in every
 * call. Such a layer runs forward, or in both directions; for the direction "reverse" alone, or where the directions have
 * different activations, rows are turned around before and after.
 */
import { ArgumentError, ShapeError } from "../../../errors.js";
import type { Module } from "../../../nn/module.js";
import type { RecurrentOptions, SequenceOptions, SequenceResult } from "../../../nn/recurrent.js";
import type { LSTMState, RecurrentState } from "../../../nn/state.js";
import { embedding } from "../../../tensor/embedding.js";
import { Ids } from "../../../tensor/ids.js";
import { concat, permute, reshape, slice } from "../../../tensor/shape.js";
import { type PlainTensor, type Tensor, zeros } from "../../../tensor/tensor.js";
import type { Inputs, Node, Operator } from "../node.js";
import { isPlainTensor, type PlainValue, type Value } from "../tensors.js";
import { type Activation, type ActivationKind, readActivations } from "./activations.js";

/** Any of the package's recurrent layers; those without a memory leave the state's c alone. */
export interface SequenceLayer extends Module {
  forward(x: Tensor, options: SequenceOptions<LSTMState>): SequenceResult<RecurrentState>;
}

/** The weights of one direction, gates in the order of the package: by the names that PyTorch has for them. */
export interface DirectionWeights {
  /** [gates * H, I] */
  readonly weight_ih: PlainTensor;
  /** [gates * H, H] */
  readonly weight_hh: PlainTensor;
  /** [gates * H] each; undefined where there is no B. */
  readonly bias_ih: PlainTensor | undefined;
  readonly bias_hh: PlainTensor | undefined;
  /** [3 * H], as the file has them; undefined where there is no P. */
  readonly peepholes: PlainTensor | undefined;
}

/** How the steps of a node are computed. */
export interface Form {
  readonly make: (inputSize: number, hiddenSize: number, options: RecurrentOptions) => SequenceLayer;
  /** The layer's parameters of one direction, without the suffix of layer and direction. */
  readonly parameters: (weights: DirectionWeights) => Readonly<Record<string, PlainTensor | undefined>>;
}

/** One of the three operators. */
export interface RecurrentKind {
  /** Where each gate of the package is among those of ONNX. */
  readonly gates: readonly number[];
  /** Whether there is a state c beside h. */
  readonly memory: boolean;
  readonly activations: readonly ActivationKind[];
  /** Reads the attributes that are the operator's own. */
  readonly form: (
    node: Node,
    clip: number | undefined,
  ) => (activations: readonly Activation[], peepholes: boolean) => Form;
}

/** Places of the inputs; the last two are of the LSTM alone. */
const [X, W, R, B, LENGTHS, H0, C0, P] = [0, 1, 2, 3, 4, 5, 6, 7];
const weightInputs = [W, R, B, P];

/** A layer, and the directions that it computes. */
interface Unit {
  readonly first: number;
  readonly directions: number;
  /** Whether the layer is given the rows turned around. */
  readonly turned: boolean;
  readonly activations: readonly Activation[];
}

export function recurrentOperator(kind: RecurrentKind): Operator {
  const states = kind.memory ? ["initial_c?", "P?"] : [];
  return {
    inputs: ["X", "W", "R", "B?", "sequence_lens?", "initial_h?", ...states],
    constantFolding: false,
    prepare: (node) => {
      const run = new RecurrentNode(node, kind);
      return (inputs) => run.evaluate(inputs);
    },
  };
}

class RecurrentNode {
  readonly #node: Node;
  readonly #kind: RecurrentKind;
  readonly #batchFirst: boolean;
  readonly #directions: number;
  readonly #units: readonly Unit[];
  readonly #form: ReturnType<RecurrentKind["form"]>;
  /** One layer a unit, for the sizes of `#sizes`. */
  #layers: SequenceLayer[] = [];
  #sizes = "";
  readonly #constantWeights: boolean;

  constructor(node: Node, kind: RecurrentKind) {
    this.#node = node;
    this.#kind = kind;
    const direction = node.choice("direction", ["forward", "reverse", "bidirectional"]);
    this.#batchFirst = node.flag("layout");
    this.#directions = direction === "bidirectional" ? 2 : 1;
    const clip = node.has("clip") ? node.float("clip", 0) : undefined;
    if (clip !== undefined && !(clip >= 0)) throw node.invalid("clip", "0 or more", String(clip));
    this.#form = kind.form(node, clip);
    const activations = readActivations(node, kind.activations, this.#directions);
    this.#units = unitsOf(activations, direction === "reverse");
    this.#check(node.shapes);
    const lengths = node.constants[LENGTHS];
    const steps = node.shapes[X]?.[this.#batchFirst ? 1 : 0];
    if (lengths instanceof Ids && typeof steps === "number") this.#checkLengths(lengths, steps);
    const weights = weightInputs.map((index) => node.constants[index]);
    this.#constantWeights =
      weightInputs.every((index, i) => node.shapes[index] === undefined || weights[i] !== undefined) &&
      weights[0] !== undefined;
    if (this.#constantWeights) {
      this.#setWeights(weights);
      for (const index of weightInputs) node.consumed.add(index);
    }
  }

  /** Holds shapes against each other; lengths that are not known yet, which are text, fit everything. */
  #check(shapes: readonly (readonly (number | string)[] | undefined)[]): void {
    const node = this.#node;
    const directions = this.#directions;
    const known = node.integer("hidden_size", 0);
    const hidden = known > 0 ? known : shapes[R]?.[2];
    const rows = (n: number): number | string => (typeof hidden === "number" ? n * hidden : `${n} H`);
    const gates = this.#kind.gates.length;
    const state = this.#batchFirst ? ["B", directions, hidden ?? "H"] : [directions, "B", hidden ?? "H"];
    const expected: (readonly (number | string)[])[] = [];
    expected[X] = this.#batchFirst ? ["B", "T", "I"] : ["T", "B", "I"];
    expected[W] = [directions, rows(gates), "I"];
    expected[R] = [directions, rows(gates), hidden ?? "H"];
    expected[B] = [directions, rows(2 * gates)];
    expected[LENGTHS] = ["B"];
    expected[H0] = state;
    expected[C0] = state;
    expected[P] = [directions, rows(3)];
    const lengths = new Map<string, number>();
    shapes.forEach((shape, index) => {
      if (shape === undefined) return;
      const wanted = (expected[index] ?? []).map((length) =>
        typeof length === "string" ? (lengths.get(length) ?? length) : length,
      );
      const fits = shape.length === wanted.length && shape.every((length, i) => agree(length, wanted[i]));
      if (!fits) {
        throw new ShapeError(node.label, `input ${node.inputName(index)}`, wanted, shape.map(String).join(", "));
      }
      shape.forEach((length, i) => {
        const name = wanted[i];
        if (typeof name === "string" && typeof length === "number") lengths.set(name, length);
      });
    });
  }

  #checkLengths({ data }: Ids, steps: number): void {
    data.forEach((length, row) => {
      if (length >= 0 && length <= steps) return;
      throw new ArgumentError(this.#node.label, `sequence_lens[${row}]`, `from 0 to ${steps}`, length);
    });
  }

  /** Makes the layers if there are none for these sizes, and gives them their weights: W, R, B and P. */
  #setWeights([w, r, b, p]: readonly (PlainValue | undefined)[]): void {
    const { core, layers } = this.#node.context;
    const [, , inputSize] = (w as PlainTensor).shape as [number, number, number];
    const [, , hiddenSize] = (r as PlainTensor).shape as [number, number, number];
    const sizes = `${inputSize}, ${hiddenSize}`;
    if (this.#sizes !== sizes) {
      for (const layer of this.#layers) layer.dispose();
      const options = { bias: b !== undefined, batchFirst: this.#batchFirst };
      this.#layers = this.#units.map(({ activations, directions }) =>
        this.#form(activations, p !== undefined).make(inputSize, hiddenSize, {
          ...options,
          bidirectional: directions === 2,
        }),
      );
      for (const layer of this.#layers) {
        layer.allocate(core);
        layers.push(layer);
      }
      this.#sizes = sizes;
    }
    this.#units.forEach(({ first, directions, activations }, unit) => {
      const { parameters } = this.#form(activations, p !== undefined);
      const values = new Map<string, PlainTensor>();
      for (let direction = 0; direction < directions; direction++) {
        const suffix = direction === 1 ? "_l0_reverse" : "_l0";
        const weights = this.#weightsOf(first + direction, [w, r, b, p]);
        for (const [name, value] of Object.entries(parameters(weights))) {
          if (value !== undefined) values.set(name + suffix, value);
        }
      }
      for (const [name, parameter] of (this.#layers[unit] as SequenceLayer).namedParameters()) {
        parameter.write((values.get(name) as PlainTensor).data);
      }
    });
  }

  #weightsOf(direction: number, [w, r, b, p]: readonly (PlainValue | undefined)[]): DirectionWeights {
    const { gates } = this.#kind;
    const part = (value: PlainValue | undefined): PlainTensor | undefined =>
      value === undefined || !isPlainTensor(value) ? undefined : row(value, direction, this.#directions);
    const [weightIh, weightHh, biases] = [part(w), part(r), part(b)];
    return {
      weight_ih: inOrder(weightIh as PlainTensor, gates),
      weight_hh: inOrder(weightHh as PlainTensor, gates),
      bias_ih: biases && inOrder(row(biases, 0, 2), gates),
      bias_hh: biases && inOrder(row(biases, 1, 2), gates),
      peepholes: part(p),
    };
  }

  evaluate(inputs: Inputs): readonly Value[] {
    const node = this.#node;
    const x = node.real(inputs, X);
    this.#check(inputs.map((value) => value?.shape));
    if (!this.#constantWeights) {
      this.#setWeights(
        weightInputs.map((index) => {
          const value = node.optionalReal(inputs, index);
          return value && { data: value.toArray(), shape: value.shape };
        }),
      );
    }
    const [batch, steps] = this.#batchFirst ? x.shape : [x.shape[1], x.shape[0]];
    const given = inputs[LENGTHS] === undefined ? undefined : node.whole(inputs, LENGTHS);
    if (given !== undefined) this.#checkLengths(given, steps as number);
    const lengths = given?.data;
    const hiddenSize = Number(this.#sizes.split(", ")[1]);
    const [h0, c0] = [H0, C0].map((index) => this.#initial(inputs, index));
    const zero = (): Tensor => zeros([this.#directions, batch as number, hiddenSize], node.context.core);
    const state =
      h0 === undefined && c0 === undefined
        ? undefined
        : { h: h0 ?? zero(), ...(this.#kind.memory ? { c: c0 ?? zero() } : {}) };
    const results = this.#units.map((unit, i) => {
      const turn = (value: Tensor): Tensor => (unit.turned ? this.#turned(value, lengths) : value);
      const part = state && (sliced(state, unit) as LSTMState);
      const { output, state: last } = (this.#layers[i] as SequenceLayer).forward(turn(x), { state: part, lengths });
      return { output: turn(output), state: last };
    });
    const joined = (values: Tensor[], axis: number): Tensor =>
      values.length === 1 ? (values[0] as Tensor) : concat(values, axis);
    const output = joined(
      results.map((result) => result.output),
      -1,
    );
    const y = reshape(output, [...output.shape.slice(0, 2), this.#directions, hiddenSize]);
    const names = this.#kind.memory ? ["h", "c"] : ["h"];
    const finals = names.map((name) => {
      const last = joined(
        results.map((result) => result.state[name] as Tensor),
        0,
      );
      return this.#batchFirst ? permute(last, [1, 0, 2]) : last;
    });
    return [this.#batchFirst ? y : permute(y, [0, 2, 1, 3]), ...finals];
  }

  /** An initial state as the layers take it, [directions, B, H]. */
  #initial(inputs: Inputs, index: number): Tensor | undefined {
    if (!this.#kind.memory && index === C0) return undefined;
    const value = this.#node.optionalReal(inputs, index);
    return value !== undefined && this.#batchFirst ? permute(value, [1, 0, 2]) : value;
  }

  /** Every row read from its own end: step t is step length - 1 - t; what is past a row's length stays. */
  #turned(value: Tensor, lengths: Int32Array | undefined): Tensor {
    const [outer, inner, width] = value.shape as [number, number, number];
    const [batch, steps] = this.#batchFirst ? [outer, inner] : [inner, outer];
    const [timeStride, batchStride] = this.#batchFirst ? [1, steps] : [batch, 1];
    const positions = new Int32Array(batch * steps);
    for (let row = 0; row < batch; row++) {
      const length = lengths?.[row] ?? steps;
      for (let t = 0; t < steps; t++) {
        const from = t < length ? length - 1 - t : t;
        positions[t * timeStride + row * batchStride] = from * timeStride + row * batchStride;
      }
    }
    return embedding(reshape(value, [batch * steps, width]), new Ids(positions, [outer, inner]));
  }
}

/** One layer for both directions where they are alike; else one each. */
function unitsOf(activations: readonly (readonly Activation[])[], reverse: boolean): Unit[] {
  const [first, second] = activations;
  if (second !== undefined && JSON.stringify(first) === JSON.stringify(second)) {
    return [{ first: 0, directions: 2, turned: false, activations: second }];
  }
  return activations.map((own, i) => ({ first: i, directions: 1, turned: reverse || i === 1, activations: own }));
}

function agree(length: number | string, wanted: number | string | undefined): boolean {
  return typeof length === "string" || typeof wanted === "string" || length === wanted;
}

/** One of `count` equal parts along the first axis, which disappears, or of a vector. */
function row({ data, shape }: PlainTensor, index: number, count: number): PlainTensor {
  const size = data.length / count;
  const rest = shape.length === 1 ? [size] : shape.slice(1);
  return { data: data.subarray(index * size, (index + 1) * size), shape: rest };
}

/** Gates in another order, each an equal part of the first axis. */
export function inOrder({ data, shape }: PlainTensor, gates: readonly number[]): PlainTensor {
  const size = data.length / gates.length;
  const reordered = new Float32Array(data.length);
  gates.forEach((gate, i) => {
    reordered.set(data.subarray(gate * size, (gate + 1) * size), i * size);
  });
  return { data: reordered, shape };
}

/** The part of a state that belongs to the directions of a layer. */
function sliced(state: RecurrentState, { first, directions }: Unit): RecurrentState {
  return Object.fromEntries(
    Object.entries(state).map(([name, value]) => [name, slice(value, 0, first, first + directions)]),
  );
}
