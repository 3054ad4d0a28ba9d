/**
 * Skips across time: a step sees the output k steps before, besides the state one step before. El Hihi & Bengio 1996,
 * "Hierarchical recurrent neural networks for long-term dependencies"; Lin et al. 1996, "Learning long-term dependencies
 * in NARX recurrent neural networks"; Zhang et al. 2016, "Architectural complexity measures of recurrent neural networks".
 *
 *   s_t = f([x_t; y_{t-k}], s_{t-1})     y the layer's output, so that the layer's weights of the input hold those of the
 *                                        skip: for an RNN h_t = tanh(W x_t + V h_{t-k} + b_ih + U h_{t-1} + b_hh)
 *
 * What k steps see is there before the first of them, so k steps are one call of the layer. Without the state one step
 * before, it is a {@link Dilated} layer.
 */
import { ArgumentError, ShapeError } from "../../errors.js";
import { concat, slice, transpose } from "../../tensor/shape.js";
import type { StreamPlan } from "../../tensor/stream.js";
import { delayed, joined } from "../../tensor/stream-moves.js";
import { sameShape, type Tensor, zeros } from "../../tensor/tensor.js";
import { checkLengths, checkSize } from "../check.js";
import { Module } from "../module.js";
import type { SequenceResult } from "../recurrent.js";
import {
  checkCausal,
  type PartState,
  partOf,
  refuseResets,
  type SequenceModule,
  type SequenceSizes,
  type StateOf,
  sequenceSizes,
  takeRows,
  type WiringOptions,
  withPrefix,
} from "./sequence-module.js";
import { INPUT, ofPart, WiringPlan } from "./stream-plan.js";

/** The layer's state as `layer.h` ..., and `past`, its last k outputs, (k, B, outputSize), the latest last. */
export type TimeSkipState<L extends SequenceModule> = PartState<"layer", StateOf<L>> & { readonly past: Tensor };

/** A layer that also sees its own output of `distance` steps before. */
export class TimeSkip<L extends SequenceModule> extends Module {
  /** The layer that reads inputs and earlier outputs. */
  readonly layer: L;
  /** Steps back to the output that is seen, k. */
  readonly distance: number;
  /** Features of each input step, without the skip. */
  readonly inputSize: number;
  /** Whether it also, or only, reads sequences from their end. */
  readonly bidirectional = false;

  /**
   * @param layer its inputSize is that of x and that of its output, together
   * @param distance steps, of 1 or more
   * @throws ArgumentError
   */
  constructor(layer: L, distance: number) {
    super();
    checkSize("TimeSkip", "distance", distance);
    checkCausal("TimeSkip", layer);
    if (layer.inputSize <= layer.outputSize) {
      const expected = `greater than its outputSize, ${layer.outputSize}: it reads x and its own output`;
      throw new ArgumentError("TimeSkip", "layer.inputSize", expected, layer.inputSize);
    }
    this.layer = layer;
    this.distance = distance;
    this.inputSize = layer.inputSize - layer.outputSize;
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
   * @throws ShapeError, ArgumentError (lengths, state; resets, and force of a layer that does not take it)
   */
  forward(
    x: Tensor,
    { state, lengths, resets, force }: WiringOptions<TimeSkipState<L>> = {},
  ): SequenceResult<TimeSkipState<L>> {
    const { layer, label, distance } = this;
    refuseResets(label, resets);
    const sizes = sequenceSizes(label, x, this.inputSize, layer.batchFirst);
    checkLengths(label, lengths, sizes.batch, sizes.steps);
    const { steps, timeAxis } = sizes;
    const past = this.#pastOf(state, sizes, x);
    const outputs: Tensor[] = [];
    let inner = partOf<StateOf<L>>("layer", state);
    let start = 0;
    do {
      const end = Math.min(start + distance, steps);
      const delayed = slice(outputs[outputs.length - 1] ?? past, timeAxis, 0, end - start);
      const result = layer.forward(concat([slice(x, timeAxis, start, end), delayed]), {
        force,
        state: inner,
        lengths: lengths === undefined ? undefined : within(lengths, start, end),
      });
      outputs.push(result.output);
      inner = result.state as StateOf<L>;
      start = end;
    } while (start < steps);
    const output = outputs.length === 1 ? (outputs[0] as Tensor) : concat(outputs, timeAxis);
    const next = this.#latest(concat([past, output], timeAxis), sizes, lengths);
    return { output, state: { ...withPrefix("layer", inner as StateOf<L>), past: next } };
  }

  /** How a stream takes single steps, if the layer has such a plan. @internal */
  streamPlan(): StreamPlan | null {
    const part = this.layer.streamPlan?.();
    if (!part || this.forward !== TimeSkip.prototype.forward) return null;
    const { inputSize, outputSize, distance } = this;
    const plan = new WiringPlan(inputSize);
    const past = { name: "past", shape: [distance, 1, outputSize], index: 0 };
    const both = plan.add(joined([inputSize], outputSize), [INPUT], [past]);
    const output = plan.addPart(part, both, ofPart("layer"));
    plan.add(delayed(outputSize, distance), [output], [past]);
    return plan;
  }

  /** The outputs before the first step, in the layout of sequences. */
  #pastOf(state: TimeSkipState<L> | undefined, { batch, timeAxis }: SequenceSizes, x: Tensor): Tensor {
    const shape = [this.distance, batch, this.outputSize];
    const past = state === undefined ? zeros(shape, x.core) : state.past;
    if (past === undefined) throw new ArgumentError(this.label, "state", "an object with past", state);
    if (!sameShape(past.shape, shape)) throw new ShapeError(this.label, "state.past", shape, past.shape);
    return timeAxis === 1 ? transpose(past, 0, 1) : past;
  }

  /** The last outputs of each row, of the past ones and the new ones together. */
  #latest(all: Tensor, { batch, steps, timeAxis }: SequenceSizes, lengths: ArrayLike<number> | undefined): Tensor {
    const { distance } = this;
    const rows = new Int32Array(distance * batch);
    for (let i = 0; i < distance; i++) {
      for (let b = 0; b < batch; b++) {
        const t = (lengths?.[b] ?? steps) + i;
        rows[i * batch + b] = timeAxis === 1 ? b * (distance + steps) + t : t * batch + b;
      }
    }
    return takeRows(all, rows, [distance, batch]);
  }
}

/** How many of the steps from `start` up to `end` each row has. */
function within(lengths: ArrayLike<number>, start: number, end: number): Int32Array {
  return Int32Array.from(lengths, (length) => Math.min(Math.max(length - start, 0), end - start));
}
