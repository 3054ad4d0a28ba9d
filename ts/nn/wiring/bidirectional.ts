/**
 * Sequences read from their end, and both ways. Schuster & Paliwal 1997, "Bidirectional recurrent neural networks".
 *
 * `bidirectional: true` of a layer is PyTorch's: both directions of every layer, side by side. These are for everything
 * else: one direction only, two different layers, other ways of merging, and wirings of several layers.
 */
import { ArgumentError, ShapeError } from "../../errors.js";
import { add, mul } from "../../tensor/binary.js";
import { reverseTime } from "../../tensor/reverse.js";
import { concat, reshape } from "../../tensor/shape.js";
import type { Tensor } from "../../tensor/tensor.js";
import { checkLengths } from "../check.js";
import { Module } from "../module.js";
import type { SequenceResult } from "../recurrent.js";
import {
  type PartState,
  partOf,
  type SequenceModule,
  type SequenceSizes,
  type StateOf,
  sequenceSizes,
  type WiringOptions,
  withPrefix,
} from "./sequence-module.js";

/** How the outputs of two directions become one; "concat" puts the forward one first. */
export type Merge = "concat" | "sum" | "mul" | "average";

/** How each way of merging is done; both are (..., width). @internal */
export const MERGES: Readonly<Record<Merge, (ahead: Tensor, back: Tensor) => Tensor>> = {
  concat: (ahead, back) => concat([ahead, back]),
  sum: add,
  mul,
  average: (ahead, back) => mul(add(ahead, back), 0.5),
};

/** Where sequences begin when each row is turned round: at the step that another sequence follows. */
function reversedResets(
  where: string,
  resets: ArrayLike<number>,
  { batch, steps, timeAxis }: SequenceSizes,
  lengths: ArrayLike<number> | undefined,
): Float32Array {
  const size = batch * steps;
  if (resets.length !== size) throw new ShapeError(where, `resets of ${resets.length} values`, [size], [resets.length]);
  const turned = new Float32Array(size);
  for (let row = 0; row < batch; row++) {
    const length = lengths?.[row] ?? steps;
    const at = (t: number): number => (timeAxis === 1 ? row * steps + t : t * batch + row);
    for (let t = 1; t < length; t++) turned[at(t)] = resets[at(length - t)] as number;
  }
  return turned;
}

/** Runs a layer over sequences turned round, each from its own end, and turns the outputs back. */
function runBackwards<L extends SequenceModule>(
  where: string,
  layer: L,
  x: Tensor,
  { resets, ...others }: WiringOptions<StateOf<L>>,
): SequenceResult<StateOf<L>> {
  const { lengths } = others;
  const [steps = 0, width = 0] = x.shape;
  // One sequence (T, I) is turned round as (T, 1, I) would be.
  const sizes =
    x.shape.length === 2
      ? sequenceSizes(where, reshape(x, [steps, 1, width]), layer.inputSize, false)
      : sequenceSizes(where, x, layer.inputSize, layer.batchFirst);
  checkLengths(where, lengths, sizes.batch, sizes.steps);
  const { timeAxis } = sizes;
  const result = layer.forward(reverseTime(x, timeAxis, lengths), {
    ...others,
    resets: resets === undefined ? undefined : reversedResets(where, resets, sizes, lengths),
  });
  return { output: reverseTime(result.output, timeAxis, lengths), state: result.state as StateOf<L> };
}

/**
 * A layer that reads every sequence from its own end. Outputs stand where their inputs do (output t has seen the inputs
 * from t on); the state is that after the first input.
 */
export class Backwards<L extends SequenceModule> extends Module {
  /** The layer that is given the reversed sequences. */
  readonly layer: L;
  /** Whether it also, or only, reads sequences from their end. */
  readonly bidirectional = true;

  /** Wraps a recurrent layer or a wiring. */
  constructor(layer: L) {
    super();
    this.layer = layer;
  }

  /** Features of each input step, I. */
  get inputSize(): number {
    return this.layer.inputSize;
  }

  /** Features of each output step. */
  get outputSize(): number {
    return this.layer.outputSize;
  }

  /** Whether sequences are (B, T, ...); else (T, B, ...). */
  get batchFirst(): boolean {
    return this.layer.batchFirst;
  }

  /**
   * Sequences and states as the layer's.
   * @throws ShapeError, ArgumentError (lengths, state; resets and force of layers that do not take them)
   */
  forward(x: Tensor, options: WiringOptions<StateOf<L>> = {}): SequenceResult<StateOf<L>> {
    return runBackwards(this.label, this.layer, x, options);
  }
}

/** Options of {@link Bidirectional}. */
export interface BidirectionalOptions {
  /** Default "concat". The others take outputs of one size. */
  readonly merge?: Merge;
}

/** State of both directions: `forward.h`, `backward.h` ..., each as its layer has it. */
export type BidirectionalState<F extends SequenceModule, B extends SequenceModule> = PartState<"forward", StateOf<F>> &
  PartState<"backward", StateOf<B>>;

/** Two layers over the same sequences, the second reading them backwards; as Keras's layer of that name. */
export class Bidirectional<F extends SequenceModule, B extends SequenceModule> extends Module {
  /** Reads from the start. */
  readonly forwardLayer: F;
  /** Reads from the end. */
  readonly backwardLayer: B;
  /** How the two outputs become one. */
  readonly merge: Merge;
  /** Features of each input step, I. */
  readonly inputSize: number;
  /** Features of each output step. */
  readonly outputSize: number;
  /** Whether sequences are (B, T, ...); else (T, B, ...). */
  readonly batchFirst: boolean;
  /** Whether it also, or only, reads sequences from their end. */
  readonly bidirectional = true;

  /** @throws ArgumentError when the two layers do not fit together, or are one */
  constructor(forwardLayer: F, backwardLayer: B, options: BidirectionalOptions = {}) {
    super();
    const { merge = "concat" } = options;
    const where = "Bidirectional";
    if (!Object.hasOwn(MERGES, merge)) {
      throw new ArgumentError(where, "merge", '"concat", "sum", "mul" or "average"', merge);
    }
    for (const option of ["inputSize", "batchFirst", ...(merge === "concat" ? [] : ["outputSize" as const])] as const) {
      if (backwardLayer[option] !== forwardLayer[option]) {
        const expected = `${forwardLayer[option]}, as the forward layer's`;
        throw new ArgumentError(where, `backwardLayer.${option}`, expected, backwardLayer[option]);
      }
    }
    this.forwardLayer = forwardLayer;
    this.backwardLayer = backwardLayer;
    this.merge = merge;
    this.inputSize = forwardLayer.inputSize;
    this.outputSize = forwardLayer.outputSize + (merge === "concat" ? backwardLayer.outputSize : 0);
    this.batchFirst = forwardLayer.batchFirst;
  }

  /**
   * Sequences as the layers'; each direction starts from its own part of the state.
   * @throws ShapeError, ArgumentError (lengths, state; resets and force of layers that do not take them)
   */
  forward(
    x: Tensor,
    { state, ...others }: WiringOptions<BidirectionalState<F, B>> = {},
  ): SequenceResult<BidirectionalState<F, B>> {
    const ahead = this.forwardLayer.forward(x, { ...others, state: partOf("forward", state) });
    const back = runBackwards(this.label, this.backwardLayer, x, {
      ...others,
      state: partOf("backward", state),
    });
    return {
      output: MERGES[this.merge](ahead.output, back.output),
      state: {
        ...withPrefix("forward", ahead.state),
        ...withPrefix("backward", back.state),
      } as BidirectionalState<F, B>,
    };
  }
}
