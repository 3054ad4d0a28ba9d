import type { Core } from "../core/core.js";
import { ArgumentError } from "../errors.js";
import type { Module } from "../nn/module.js";
import { CarriedState, type RecurrentState } from "../nn/state.js";
import { Ids } from "../tensor/ids.js";
import { runScope } from "../tensor/scope.js";
import { Stream, type StreamPlan } from "../tensor/stream.js";
import { type Tensor, tensor } from "../tensor/tensor.js";

/** One step's input: a token id, or a vector. */
export type StepInput = number | Float32Array;

/** What a {@link Session} runs: a recurrent layer (vectors in, outputs out) or a model such as `LanguageModel` (ids in, logits out). */
export type Streamable = Module & {
  // A method, so that either input fits.
  /** Takes steps: of ids (B, T) for models of tokens, of vectors (B, T, I) for layers. */
  forward(
    input: never,
    options: { readonly state?: never },
  ):
    | { readonly output: Tensor; readonly state: RecurrentState }
    | { readonly logits: Tensor; readonly state: RecurrentState };
  /** How to take single steps in one call of the core, see `streamPlan`; null or absent: they go through `forward`. */
  streamPlan?(): StreamPlan | null;
};

type Forward = (
  input: Ids | Tensor,
  options: { readonly state?: RecurrentState },
) => { readonly output?: Tensor; readonly logits?: Tensor; readonly state: RecurrentState };

/** Options of a {@link Session}. */
export interface SessionOptions {
  /**
   * `"int8"` multiplies 8-bit weights, a fourth of the size, which large models read faster: symmetric, with a scale for
   * each row of a matrix, and inputs and states rounded to 8 bits with a scale for each step. A product sum w x is then
   * off by at most sum (|x| max|w| + |w| max|x|) / 254 and a little, typically by one part in a hundred of its size;
   * `compareInt8` measures what that does to a model. Rows of embeddings and one-hot inputs, biases and everything
   * between products stay in 32 bits. The same bits in every runtime. Default `"float32"`.
   */
  readonly weights?: "float32" | "int8" | undefined;
}

/**
 * Runs a recurrent model one step at a time, for streams and for generation. The state between steps is here, in memory
 * of the session's own, taken once; nothing else is kept.
 *
 * The model must be causal: a bidirectional layer has no step. Sessions of one model are independent.
 */
export class Session {
  readonly #model: Streamable;
  readonly #core: Core;
  readonly #state = new CarriedState<RecurrentState>();
  readonly #id = new Ids(new Int32Array(1), [1, 1]);
  readonly #weights: "float32" | "int8";
  /** Takes the steps, null where the model has no plan for it; undefined before the first. */
  #stream: Stream | null | undefined;
  /** Whether the stream goes on from the memory where the state here is. */
  #bound = false;

  /**
   * A session that starts from a zero state. The model must have its values.
   * @throws ArgumentError for 8-bit weights of a model whose steps are more than one call of the core: of others than
   *   recurrent layers, their wirings and `LanguageModel`, of what reads backwards, and of cells with a softmax or further inputs
   */
  constructor(model: Streamable, { weights = "float32" }: SessionOptions = {}) {
    if (weights !== "float32" && weights !== "int8") {
      throw new ArgumentError("Session", "weights", '"float32" or "int8"', weights);
    }
    this.#model = model;
    this.#core = model.core;
    this.#weights = weights;
    if (weights === "int8") this.#stream = this.#newStream();
  }

  /**
   * Takes one step.
   * @param input - a token id, or a vector of the input's size
   * @param into - where to write the result; default: a new array
   * @returns the logits or the output of this step
   * @throws ArgumentError for an id that is none and for a vector or `into` of another size; nothing has changed then
   */
  step(input: StepInput, into?: Float32Array): Float32Array {
    if (this.#stream === undefined) this.#stream = this.#newStream();
    // What the stream does not take, `forward` refuses, with a reason.
    if (this.#stream?.takes(input)) {
      const result = into ?? new Float32Array(this.#stream.outputSize);
      checkInto(result, this.#stream.outputSize);
      if (!this.#bound) this.#stream.bind(this.#state.inPlace(this.#stream.states, this.#core));
      this.#bound = true;
      this.#stream.step(input, result);
      return result;
    }
    if (typeof input === "number" && !Number.isInteger(input)) {
      throw new ArgumentError("Session.step", "input", "a token id or a vector", input);
    }
    return runScope(this.#core, () => {
      if (typeof input !== "number") return this.#forward(tensor(input, [1, 1, input.length], this.#core), into);
      this.#id.data[0] = input;
      return this.#forward(this.#id, into);
    });
  }

  /**
   * Takes a step for every token, as repeated calls of {@link step} would, but faster (not with 8-bit weights).
   * @returns the logits after the last one; undefined when there is none
   */
  feed(tokens: Int32Array): Float32Array | undefined {
    let result: Float32Array | undefined;
    if (this.#weights === "int8") {
      for (const token of tokens) result = this.step(token, result);
      return result;
    }
    for (let at = 0; at < tokens.length; at += FEED_STEPS) {
      const chunk = tokens.subarray(at, at + FEED_STEPS);
      result = runScope(this.#core, () => this.#forward(new Ids(chunk, [1, chunk.length]), undefined));
    }
    return result;
  }

  /** A second session that goes on from here. */
  branch(): Session {
    const branch = new Session(this.#model, { weights: this.#weights });
    branch.restore(this.save());
    return branch;
  }

  /** A copy of the state, to be given to {@link restore}; undefined at the zero state. */
  save(): ReturnType<CarriedState<RecurrentState>["toArrays"]> {
    return this.#state.toArrays();
  }

  /** Goes on from a saved state. */
  restore(state: ReturnType<Session["save"]>): void {
    this.#state.fromArrays(state, this.#core);
    this.#bound = false;
  }

  /** Back to the zero state. */
  reset(): void {
    this.#state.reset();
    this.#bound = false;
  }

  /** Frees the state; the session can be used on, from the zero state. */
  dispose(): void {
    this.#state.dispose();
    this.#stream?.dispose();
    this.#stream = undefined;
    this.#bound = false;
  }

  /** The same as {@link dispose}, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  #newStream(): Stream | null {
    const plan = this.#model.streamPlan?.();
    const int8 = this.#weights === "int8";
    if (plan) return new Stream(this.#core, plan, int8);
    if (int8)
      throw new ArgumentError("Session", "weights", '"float32" for a model whose steps are several calls', "int8");
    return null;
  }

  #forward(input: Ids | Tensor, into: Float32Array | undefined): Float32Array {
    const before = this.#state.get();
    const forward = this.#model.forward as Forward;
    const result = forward.call(this.#model, input, before === undefined ? {} : { state: before });
    this.#state.set(result.state);
    this.#bound = false;
    const rows = (result.logits ?? result.output) as Tensor;
    const width = rows.shape[rows.shape.length - 1] as number;
    const end = (rows.resolve("Session.step") >>> 2) + rows.size;
    const last = this.#core.f32.subarray(end - width, end);
    if (into === undefined) return last.slice();
    checkInto(into, width);
    into.set(last);
    return into;
  }
}

function checkInto(into: Float32Array, width: number): void {
  if (into.length !== width) throw new ArgumentError("Session.step", "into", `of ${width} values`, into.length);
}

/** Tokens taken in one call by `feed`: enough to fill the kernels, few enough for memory. */
const FEED_STEPS = 256;
