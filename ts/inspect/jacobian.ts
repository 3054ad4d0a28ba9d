/**
 * The recurrent Jacobian ds_t / ds_{t-1}: how a small change of the state before a step changes the state after it. Its
 * largest singular value bounds how much a gradient can grow or must shrink on its way back through the step (Pascanu,
 * Mikolov & Bengio 2013, "On the difficulty of training recurrent neural networks"); of products over k steps, through
 * all of them.
 *
 * A Jacobian of N rows is N gradients. They are taken in one pass: N copies of the step are a batch, and the loss of
 * copy r is element r of the state after it.
 */
import type { Core } from "../core/core.js";
import { ArgumentError, ShapeError } from "../errors.js";
import { mapValues } from "../nn/state.js";
import type { SequenceModule } from "../nn/wiring/sequence-module.js";
import { add, mul } from "../tensor/binary.js";
import { gradients } from "../tensor/record.js";
import { sum } from "../tensor/reduce.js";
import { runScope } from "../tensor/scope.js";
import { type PlainTensor, sizeOf, type Tensor, tensor } from "../tensor/tensor.js";
import { type CurveOptions, curveSvg } from "./curve.js";
import { largestSingularValue, type Matrix, product } from "./matrix.js";

/** Options of {@link recurrentJacobians} and {@link jacobianNorms}. */
export interface JacobianOptions {
  /** State before the first step, of a batch of one; default zeros. */
  readonly state?: Readonly<Record<string, PlainTensor>> | undefined;
  /**
   * Which parts of the state, by name: ["c"] for the memory of an LSTM alone, its h held fixed. Default: all of it, the
   * names after each other; layers of a tensor after each other.
   */
  readonly parts?: readonly string[] | undefined;
}

/** Where a part of the state, (n, 1, width), lies in the vector of all parts. */
interface Part {
  readonly name: string;
  readonly slices: number;
  readonly width: number;
  readonly offset: number;
}

type PlainState = Readonly<Record<string, PlainTensor>>;

/** The states of one sequence, so that the Jacobian of any step can be taken. */
class Trajectory {
  readonly steps: number;
  readonly size: number;
  readonly #layer: SequenceModule;
  readonly #core: Core;
  readonly #x: Float32Array;
  readonly #parts: readonly Part[];
  /** State before each step. */
  readonly #states: PlainState[] = [];

  constructor(where: string, layer: SequenceModule, x: Float32Array | Tensor, options: JacobianOptions) {
    if (layer.bidirectional) throw new ArgumentError(where, "layer", "one that only reads forwards", layer);
    const { inputSize } = layer;
    this.#layer = layer;
    this.#core = layer.core;
    this.#x = x instanceof Float32Array ? x : x.toArray();
    this.steps = this.#x.length / inputSize;
    if (!Number.isInteger(this.steps) || this.steps === 0) {
      throw new ShapeError(where, "x", ["T", inputSize], x instanceof Float32Array ? [x.length] : x.shape);
    }
    let state = options.state;
    for (let t = 0; t < this.steps; t++) {
      const next = this.#step(t, state);
      // Only the first step tells the shapes of the state, which is zero before it.
      this.#states.push(state ?? mapValues(next, ({ shape }) => ({ shape, data: new Float32Array(sizeOf(shape)) })));
      state = next;
    }
    const all = this.#states[0] as PlainState;
    let offset = 0;
    this.#parts = (options.parts ?? Object.keys(all)).map((name) => {
      const value = all[name];
      if (value === undefined) throw new ArgumentError(where, "parts", `of ${Object.keys(all).join(", ")}`, name);
      const [slices, , width] = value.shape as [number, number, number];
      const part = { name, slices, width, offset };
      offset += slices * width;
      return part;
    });
    this.size = offset;
  }

  #step(t: number, state: PlainState | undefined): PlainState {
    return runScope(this.#core, () => {
      const before = state === undefined ? undefined : mapValues(state, ({ data, shape }) => tensor(data, shape));
      const next = this.#layer.forward(this.#inputs(t, 1), { state: before }).state;
      return mapValues(next, (value) => ({ data: value.toArray(), shape: value.shape }));
    });
  }

  /** Step t of `copies` rows of a batch. */
  #inputs(t: number, copies: number): Tensor {
    const { inputSize, batchFirst } = this.#layer;
    const row = this.#x.subarray(t * inputSize, (t + 1) * inputSize);
    return tensor(repeat(row, 1, copies), batchFirst ? [copies, 1, inputSize] : [1, copies, inputSize], this.#core);
  }

  /** d(state after step t) / d(state before it), the chosen parts of both. */
  jacobian(t: number): Matrix {
    const { size } = this;
    const before = mapValues(this.#states[t] as PlainState, ({ data, shape: [slices = 0, , width = 0] }) =>
      tensor(repeat(data, slices, size), [slices, size, width], this.#core),
    );
    const ones = this.#parts.map(({ slices, width, offset }) => {
      const data = new Float32Array(slices * size * width);
      for (let i = 0; i < slices * width; i++) {
        data[(Math.floor(i / width) * size + offset + i) * width + (i % width)] = 1;
      }
      return tensor(data, [slices, size, width], this.#core);
    });
    const leaves = this.#parts.map(({ name }) => before[name] as Tensor);
    const loss = (): Tensor => {
      const { state } = this.#layer.forward(this.#inputs(t, size), { state: before });
      const terms = this.#parts.map(({ name }, i) => sum(mul(state[name] as Tensor, ones[i] as Tensor)));
      return terms.reduce((total, term) => add(total, term));
    };
    const { grads } = gradients(loss, { parameters: leaves, training: false, core: this.#core });
    const data = new Float64Array(size * size);
    this.#parts.forEach(({ slices, width, offset }, p) => {
      const gradient = grads.get(leaves[p] as Tensor) as Float32Array;
      for (let slice = 0; slice < slices; slice++) {
        for (let row = 0; row < size; row++) {
          const from = (slice * size + row) * width;
          data.set(gradient.subarray(from, from + width), row * size + offset + slice * width);
        }
      }
    });
    for (const made of [...Object.values(before), ...ones]) made.dispose();
    return { rows: size, columns: size, data };
  }
}

/** (slices, 1, width) to (slices, copies, width). */
function repeat(data: Float32Array, slices: number, copies: number): Float32Array {
  const width = data.length / slices;
  const repeated = new Float32Array(data.length * copies);
  for (let row = 0; row < slices * copies; row++) {
    const slice = Math.floor(row / copies);
    repeated.set(data.subarray(slice * width, (slice + 1) * width), row * width);
  }
  return repeated;
}

/**
 * The Jacobian of every step of a sequence.
 *
 * @param layer any recurrent layer or wiring that reads forwards; dropout is off
 * @param x one sequence (T, I), as a tensor or its values
 * @returns for each step a matrix (N, N), N the size of the state: element (i, j) is d s_t[i] / d s_{t-1}[j]
 * @throws ShapeError, ArgumentError
 */
export function recurrentJacobians(
  layer: SequenceModule,
  x: Float32Array | Tensor,
  options: JacobianOptions = {},
): Matrix[] {
  const trajectory = new Trajectory("recurrentJacobians", layer, x, options);
  return Array.from({ length: trajectory.steps }, (_, t) => trajectory.jacobian(t));
}

/** What {@link jacobianNorms} returns. */
export interface JacobianNorms {
  /** Largest singular value of ds_t / ds_{t-1} at each step, the first first. */
  readonly steps: readonly number[];
  /** Largest singular value of ds_T / ds_{T-k}: element k - 1 for k = 1 to T. */
  readonly products: readonly number[];
}

/**
 * The largest singular values of the recurrent Jacobian at every step, and of its products over the last k steps. Below 1
 * throughout, gradients must vanish; above 1 they may explode. Takes T times N^3 multiplications for a state of N numbers.
 *
 * @param x one sequence (T, I), as a tensor or its values
 * @throws ShapeError, ArgumentError
 */
export function jacobianNorms(
  layer: SequenceModule,
  x: Float32Array | Tensor,
  options: JacobianOptions = {},
): JacobianNorms {
  const trajectory = new Trajectory("jacobianNorms", layer, x, options);
  const [steps, products]: [number[], number[]] = [[], []];
  let through: Matrix | undefined;
  for (let t = trajectory.steps - 1; t >= 0; t--) {
    const jacobian = trajectory.jacobian(t);
    through = through === undefined ? jacobian : product(through, jacobian);
    steps.unshift(largestSingularValue(jacobian));
    products.push(largestSingularValue(through));
  }
  return { steps, products };
}

/**
 * Products of Jacobians as curves over the number of steps, on a logarithmic axis.
 * @param networks results of {@link jacobianNorms} by name
 */
export function jacobianSvg(networks: Readonly<Record<string, JacobianNorms>>, options: CurveOptions = {}): string {
  const series = Object.entries(networks).map(([name, { products }]) => ({
    name,
    points: products.map((value, i) => [i + 1, value] as const),
  }));
  return curveSvg(series, {
    title: "What a change of the state becomes",
    xLabel: "steps k",
    yLabel: "largest singular value of ds_T / ds_(T-k)",
    logY: true,
    ...options,
  });
}
