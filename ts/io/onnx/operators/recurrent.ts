/**
 * What RNN, LSTM and GRU have in common: directions, layouts, lengths, states, and weights that come all gates together,
 * W [directions, gates * H, I], R [directions, gates * H, H], B [directions, 2 * gates * H] (of W, then of R).
 *
 * The weights become those of one of the package's layers: when they are constant once, while loading, else in every
 * call. Such a layer runs forward, or in both directions; for the direction "reverse" alone, or where the directions have
 * different activations, rows are turned around before and after.
 */
import { ArgumentError, DTypeError, formatShape, ShapeError } from "../../../errors.js";
import type { Module } from "../../../nn/module.js";
import type { RecurrentOptions, SequenceOptions, SequenceResult } from "../../../nn/recurrent.js";
import type { LSTMState, RecurrentState } from "../../../nn/state.js";
import { embedding } from "../../../tensor/embedding.js";
import { Ids } from "../../../tensor/ids.js";
import { concat, permute, reshape, slice } from "../../../tensor/shape.js";
import { type PlainTensor, type Tensor, zeros } from "../../../tensor/tensor.js";
import type { Inputs, Node, Operator } from "../node.js";
import type { PlainValue, Value } from "../tensors.js";
import { type Activation, type ActivationKind, readActivations } from "./activations.js";

/** Any of the package's recurrent layers; those without a memory leave the state's c alone. */
export interface SequenceLayer extends Module {
  forward(x: Tensor, options: SequenceOptions<LSTMState>): SequenceResult<RecurrentState>;
}

/**
 * How the steps of a node are computed. The layer's parameters have PyTorch's names (weight_ih, weight_hh, bias_ih,
 * bias_hh), and peephole_i, peephole_f, peephole_o.
 */
export interface Form {
  /** Where each gate of the layer is among those of ONNX. */
  readonly gates: readonly number[];
  readonly make: (inputSize: number, hiddenSize: number, options: LayerOptions) => SequenceLayer;
}

/** The options that a node decides. */
type LayerOptions = Pick<RecurrentOptions, "bias" | "batchFirst" | "bidirectional">;

/** One of the three operators. */
export interface RecurrentKind<A extends readonly ActivationKind[] = readonly ActivationKind[]> {
  /** How many gates there are in the weights. */
  readonly gates: number;
  /** Whether there is a state c beside h. */
  readonly memory: boolean;
  /** The default activations of one direction. */
  readonly activations: A;
  /** Reads the attributes that are the operator's own; the result is asked for each direction. */
  readonly form: (
    node: Node,
    clip: number | undefined,
  ) => (activations: { readonly [I in keyof A]: Activation }, peepholes: boolean) => Form;
}

/** Places of the inputs; the last two are of the LSTM alone. */
const [X, W, R, B, LENGTHS, H0, C0, P] = [0, 1, 2, 3, 4, 5, 6, 7];
const weightInputs = [W, R, B, P];

/** Directions that one layer computes. */
interface Unit {
  readonly first: number;
  readonly directions: number;
  /** Whether the layer is given the rows turned around. */
  readonly turned: boolean;
  readonly form: Form;
}

export function recurrentOperator<const A extends readonly ActivationKind[]>(kind: RecurrentKind<A>): Operator {
  const states = kind.memory ? ["initial_c?", "P?"] : [];
  return {
    inputs: ["X", "W", "R", "B?", "sequence_lens?", "initial_h?", ...states],
    constantFolding: false,
    prepare: (node) => {
      const run = new RecurrentNode(node, kind as unknown as RecurrentKind);
      return (inputs) => run.evaluate(inputs);
    },
  };
}

class RecurrentNode {
  readonly #node: Node;
  readonly #kind: RecurrentKind;
  readonly #batchFirst: boolean;
  readonly #directions: number;
  /** As the attribute says, which may be left out. */
  readonly #hidden: number | undefined;
  readonly #units: readonly Unit[];
  /** One a unit, of the sizes below. */
  #layers: SequenceLayer[] = [];
  #inputSize = 0;
  #hiddenSize = 0;
  readonly #constantWeights: boolean;

  constructor(node: Node, kind: RecurrentKind) {
    this.#node = node;
    this.#kind = kind;
    const direction = node.choice("direction", ["forward", "reverse", "bidirectional"]);
    this.#batchFirst = node.flag("layout");
    this.#directions = direction === "bidirectional" ? 2 : 1;
    this.#hidden = node.has("hidden_size") ? node.integer("hidden_size", 0) : undefined;
    if (this.#hidden !== undefined && this.#hidden < 1)
      throw node.invalid("hidden_size", "1 or more", `${this.#hidden}`);
    const clip = node.has("clip") ? node.float("clip", 0) : undefined;
    if (clip !== undefined && !(clip >= 0)) throw node.invalid("clip", "0 or more", String(clip));
    const activations = readActivations(node, kind.activations, this.#directions);
    const formOf = kind.form(node, clip);
    const peepholes = node.given(P);
    const alike = JSON.stringify(activations[0]) === JSON.stringify(activations[1]);
    this.#units = (alike ? activations.slice(1) : activations).map((own, first) => ({
      first,
      directions: alike ? 2 : 1,
      turned: direction === "reverse" || first === 1,
      form: formOf(own, peepholes),
    }));
    this.#check(node.shapes);
    const lengths = node.constants[LENGTHS];
    const steps = node.shapes[X]?.[this.#batchFirst ? 1 : 0];
    if (lengths instanceof Ids && typeof steps === "number") this.#checkLengths(lengths, steps);
    const weights = weightInputs.map((index) => node.constants[index]);
    this.#constantWeights = weightInputs.every((index, i) => !node.given(index) || weights[i] !== undefined);
    if (this.#constantWeights) {
      this.#setWeights(weights);
      for (const index of weightInputs) node.consumed.add(index);
    }
  }

  /** Holds shapes against each other; lengths that are not known yet, which are text, fit everything. */
  #check(shapes: readonly (readonly (number | string)[] | undefined)[]): void {
    const node = this.#node;
    const directions = this.#directions;
    const hidden = this.#hidden ?? shapes[R]?.[2];
    const rows = (n: number): number | string => (typeof hidden === "number" ? n * hidden : `${n} H`);
    const { gates } = this.#kind;
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
        throw new ShapeError(node.label, `input ${node.inputName(index)}`, wanted, formatShape(shape));
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
  #setWeights(weights: readonly (PlainValue | undefined)[]): void {
    weights.forEach((value, i) => {
      if (!(value instanceof Ids)) return;
      const name = this.#node.inputName(weightInputs[i] as number);
      throw new DTypeError(this.#node.label, `input ${name}`, "Tensor, real numbers", value);
    });
    const [w, r, b, p] = weights as readonly [
      PlainTensor,
      PlainTensor,
      PlainTensor | undefined,
      PlainTensor | undefined,
    ];
    const [inputSize, hiddenSize] = [w.shape[2] as number, r.shape[2] as number];
    if (this.#inputSize !== inputSize || this.#hiddenSize !== hiddenSize) {
      const { core, layers, temporary } = this.#node.context;
      for (const layer of this.#layers) {
        layer.dispose();
        temporary.delete(layer);
      }
      const options = { bias: b !== undefined, batchFirst: this.#batchFirst };
      this.#layers = this.#units.map(({ form, directions }) => {
        const layer = form.make(inputSize, hiddenSize, { ...options, bidirectional: directions === 2 });
        // Weights that come with every call are the caller's, not the model's.
        if (this.#constantWeights) layers.push(layer);
        else temporary.add(layer);
        layer.allocate(core);
        return layer;
      });
      [this.#inputSize, this.#hiddenSize] = [inputSize, hiddenSize];
    }
    const total = this.#directions;
    this.#units.forEach(({ first, directions, form }, unit) => {
      const values = new Map<string, Float32Array>();
      for (let i = 0; i < directions; i++) {
        const direction = first + i;
        const gatesOf = (value: PlainTensor, part: number, parts: number): Float32Array =>
          inOrder(partOf(value.data, part, parts), form.gates, this.#kind.gates);
        const suffix = i === 1 ? "_l0_reverse" : "_l0";
        values.set(`weight_ih${suffix}`, gatesOf(w, direction, total));
        values.set(`weight_hh${suffix}`, gatesOf(r, direction, total));
        if (b !== undefined) {
          values.set(`bias_ih${suffix}`, gatesOf(b, 2 * direction, 2 * total));
          values.set(`bias_hh${suffix}`, gatesOf(b, 2 * direction + 1, 2 * total));
        }
        if (p !== undefined) {
          ["i", "o", "f"].forEach((gate, place) => {
            values.set(`peephole_${gate}${suffix}`, partOf(p.data, 3 * direction + place, 3 * total));
          });
        }
      }
      for (const [name, parameter] of (this.#layers[unit] as SequenceLayer).namedParameters()) {
        parameter.write(values.get(name) as Float32Array);
        parameter.trainable = this.#constantWeights;
      }
    });
  }

  evaluate(inputs: Inputs): readonly Value[] {
    const node = this.#node;
    const x = node.real(inputs, X);
    // The weights that are the layers' own already are held against the others too.
    this.#check(inputs.map((value, i) => value?.shape ?? (node.consumed.has(i) ? node.shapes[i] : undefined)));
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
    const hiddenSize = this.#hiddenSize;
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

function agree(length: number | string, wanted: number | string | undefined): boolean {
  return typeof length === "string" || typeof wanted === "string" || length === wanted;
}

/** One of some equal parts. */
function partOf(data: Float32Array, part: number, parts: number): Float32Array {
  const size = data.length / parts;
  return data.subarray(part * size, (part + 1) * size);
}

/** Some of the gates, in another order. */
export function inOrder(data: Float32Array, gates: readonly number[], count: number): Float32Array {
  const size = data.length / count;
  const reordered = new Float32Array(size * gates.length);
  gates.forEach((gate, i) => {
    reordered.set(partOf(data, gate, count), i * size);
  });
  return reordered;
}

/** The part of a state that belongs to the directions of a layer. */
function sliced(state: RecurrentState, { first, directions }: Unit): RecurrentState {
  return Object.fromEntries(
    Object.entries(state).map(([name, value]) => [name, slice(value, 0, first, first + directions)]),
  );
}
