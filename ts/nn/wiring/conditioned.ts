/**
 * A context vector injected into a recurrent layer: what an encoder gives, or an image.
 *
 *   s_t = f([x_t; v], s_{t-1})     at every step: Cho et al. 2014, "Learning phrase representations using RNN
 *                                  encoder-decoder"; Mikolov & Zweig 2012, "Context dependent recurrent neural network
 *                                  language model"
 *   s_0 = f([x_0; v], s_{-1}), then s_t = f([x_t; 0], s_{t-1})     at the first step: Karpathy & Fei-Fei 2015, "Deep
 *                                  visual-semantic alignments for generating image descriptions"
 *
 * The layer's weights of the input hold those of v: for an RNN h_t = tanh(W_xh x_t + W_vh v + b_ih + W_hh h_{t-1} + b_hh).
 */
import { ArgumentError, ShapeError } from "../../errors.js";
import { add } from "../../tensor/binary.js";
import { concat, reshape, slice } from "../../tensor/shape.js";
import type { StreamPlan } from "../../tensor/stream.js";
import { joined } from "../../tensor/stream-moves.js";
import { sameShape, type Tensor, zeros } from "../../tensor/tensor.js";
import { checkLengths, checkSize } from "../check.js";
import { Module } from "../module.js";
import type { SequenceResult } from "../recurrent.js";
import {
  type PartState,
  partOf,
  refuseResets,
  type SequenceModule,
  type SequenceSizes,
  type StateOf,
  sequenceSizes,
  type WiringOptions,
  withPrefix,
} from "./sequence-module.js";
import { INPUT, ofPart, WiringPlan } from "./stream-plan.js";

/** Options of {@link Conditioned}. */
export interface ConditionedOptions {
  /** "every": at every step; "first": at the first step of the call that is given a context. Default "every". */
  readonly at?: "every" | "first";
}

/** The layer's state as `layer.h` ..., and the context, (1, B, contextSize), where it is injected at every step. */
export type ConditionedState<L extends SequenceModule> = PartState<"layer", StateOf<L>> & {
  readonly context?: Tensor;
};

/** What {@link Conditioned} takes besides the sequences. */
export interface ConditionedSequenceOptions<L extends SequenceModule> extends WiringOptions<ConditionedState<L>> {
  /** (B, contextSize). Default: that of the state; without a state, zeros. */
  readonly context?: Tensor | undefined;
}

/** A layer that reads a context vector beside its inputs. */
export class Conditioned<L extends SequenceModule> extends Module {
  /** The layer that reads inputs and context. */
  readonly layer: L;
  /** Features of the context. */
  readonly contextSize: number;
  /** Whether every step reads the context, or the first alone. */
  readonly at: "every" | "first";
  /** Features of each input step, without the context. */
  readonly inputSize: number;
  /** Whether it also, or only, reads sequences from their end. */
  readonly bidirectional: boolean;

  /**
   * @param layer its inputSize is that of x and contextSize, together
   * @throws ArgumentError
   */
  constructor(layer: L, contextSize: number, options: ConditionedOptions = {}) {
    super();
    const { at = "every" } = options;
    checkSize("Conditioned", "contextSize", contextSize);
    if (at !== "every" && at !== "first") throw new ArgumentError("Conditioned", "at", '"every" or "first"', at);
    if (layer.inputSize <= contextSize) {
      const expected = `greater than contextSize, ${contextSize}: it reads x and the context`;
      throw new ArgumentError("Conditioned", "layer.inputSize", expected, layer.inputSize);
    }
    this.layer = layer;
    this.contextSize = contextSize;
    this.at = at;
    this.inputSize = layer.inputSize - contextSize;
    this.bidirectional = layer.bidirectional;
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
   * Batched sequences (B, T, inputSize), or (T, B, inputSize) without `batchFirst`.
   * @throws ShapeError, ArgumentError (lengths, state; resets and force of a layer that does not take them)
   */
  forward(x: Tensor, options: ConditionedSequenceOptions<L> = {}): SequenceResult<ConditionedState<L>> {
    const { layer, label, contextSize } = this;
    const { state, lengths, resets, force } = options;
    // The context of the first step would have to come again.
    if (this.at === "first") refuseResets(label, resets);
    const sizes = sequenceSizes(label, x, this.inputSize, layer.batchFirst);
    checkLengths(label, lengths, sizes.batch, sizes.steps);
    const context = this.#contextOf(options, sizes, x);
    const result = layer.forward(concat([x, this.#overTime(context, sizes, x)]), {
      state: partOf("layer", state),
      lengths,
      resets,
      force,
    });
    const inner = withPrefix("layer", result.state as StateOf<L>);
    const carried = this.at === "every" ? { context: reshape(context, [1, sizes.batch, contextSize]) } : {};
    return { output: result.output, state: { ...inner, ...carried } as ConditionedState<L> };
  }

  /** How a stream takes single steps, if the layer has such a plan; the context is that of a state, or zeros. @internal */
  streamPlan(): StreamPlan | null {
    const part = this.layer.streamPlan?.();
    if (!part || this.forward !== Conditioned.prototype.forward) return null;
    const { inputSize, contextSize } = this;
    const plan = new WiringPlan(inputSize);
    const context = { name: "context", shape: [1, 1, contextSize], index: 0 };
    const both = plan.add(joined([inputSize], contextSize), [INPUT], this.at === "every" ? [context] : []);
    plan.addPart(part, both, ofPart("layer"));
    return plan;
  }

  #contextOf({ context, state }: ConditionedSequenceOptions<L>, { batch }: SequenceSizes, x: Tensor): Tensor {
    const shape = [batch, this.contextSize];
    if (context !== undefined) {
      if (!sameShape(context.shape, shape)) throw new ShapeError(this.label, "context", shape, context.shape);
      return context;
    }
    const carried = state?.context;
    if (carried === undefined) return zeros(shape, x.core);
    if (!sameShape(carried.shape, [1, ...shape])) {
      throw new ShapeError(this.label, "state.context", [1, ...shape], carried.shape);
    }
    return reshape(carried, shape);
  }

  /** The context beside every step, or beside the first with zeros after it. */
  #overTime(context: Tensor, { batch, steps, timeAxis }: SequenceSizes, x: Tensor): Tensor {
    const { contextSize } = this;
    const layout = (length: number) => (timeAxis === 1 ? [batch, length, contextSize] : [length, batch, contextSize]);
    const single = reshape(context, layout(1));
    if (this.at === "every") return add(single, zeros(layout(steps), x.core));
    const first = slice(single, timeAxis, 0, Math.min(1, steps));
    return concat([first, zeros(layout(Math.max(0, steps - 1)), x.core)], timeAxis);
  }
}
