/**
 * Dilated recurrence: every step goes on from the state `dilation` steps before. Chang et al. 2017, "Dilated recurrent
 * neural networks".
 *
 *   s_t = f(x_t, s_{t-d})
 *
 * A sequence is d interleaved ones that never meet, so they are run as d rows of a batch, T / d steps each: exact, and
 * fewer steps of more rows.
 */
import { ArgumentError } from "../../errors.js";
import { concat, permute, reshape, slice } from "../../tensor/shape.js";
import type { StateSlice, StreamPlan } from "../../tensor/stream.js";
import { rotated } from "../../tensor/stream-moves.js";
import { type Tensor, zeros } from "../../tensor/tensor.js";
import { checkLengths, checkSize } from "../check.js";
import { Module } from "../module.js";
import type { SequenceResult } from "../recurrent.js";
import { mapValues, type RecurrentState } from "../state.js";
import {
  checkCausal,
  refuseResets,
  type SequenceModule,
  type SequenceSizes,
  type StateOf,
  sequenceSizes,
  takeRows,
  type WiringOptions,
} from "./sequence-module.js";
import { INPUT, WiringPlan } from "./stream-plan.js";

/**
 * A layer whose recurrence skips from every step to the one `dilation` steps on.
 *
 * The state is the layer's for each of the next `dilation` steps: a tensor of (n, B, H) of the layer is here
 * (dilation * n, B, H), the states that step 0 will go on from first.
 */
export class Dilated<L extends SequenceModule> extends Module {
  /** The layer that runs over the interleaved sequences. */
  readonly layer: L;
  /** Steps from a state to the one it goes on to. */
  readonly dilation: number;
  /** Whether it also, or only, reads sequences from their end. */
  readonly bidirectional = false;

  /** @throws ArgumentError unless dilation is an integer of 1 or more and the layer reads forwards only */
  constructor(layer: L, dilation: number) {
    super();
    checkSize("Dilated", "dilation", dilation);
    checkCausal("Dilated", layer);
    this.layer = layer;
    this.dilation = dilation;
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
   * Batched sequences as the layer's, of any number of steps.
   * @throws ShapeError, ArgumentError (lengths, state; resets, and force of a layer that does not take it)
   */
  forward(x: Tensor, { state, lengths, resets, force }: WiringOptions<StateOf<L>> = {}): SequenceResult<StateOf<L>> {
    const { layer, label, dilation } = this;
    refuseResets(label, resets);
    const sizes = sequenceSizes(label, x, layer.inputSize, layer.batchFirst);
    checkLengths(label, lengths, sizes.batch, sizes.steps);
    const ends = lengths ?? new Int32Array(sizes.batch).fill(sizes.steps);
    const result = layer.forward(this.#interleave(x, sizes), {
      force,
      state: state === undefined ? undefined : this.#spread(state, sizes),
      lengths: lengths === undefined && sizes.steps % dilation === 0 ? undefined : this.#phaseLengths(ends),
    });
    return { output: this.#deinterleave(result.output, sizes), state: this.#collect(result.state, sizes, ends) };
  }

  /** How a stream takes single steps, if the layer has such a plan. @internal */
  streamPlan(): StreamPlan | null {
    const part = this.layer.streamPlan?.();
    if (!part || this.forward !== Dilated.prototype.forward) return null;
    const { dilation, outputSize } = this;
    const plan = new WiringPlan(this.inputSize);
    const sizes = new Map<string, number>();
    const states = new Map<string, StateSlice>();
    // The next step's state is the first, and goes to the end when it has been replaced.
    const output = plan.addPart(part, INPUT, (slice) => {
      const [n, , width] = slice.shape as [number, number, number];
      const shape = [dilation * n, 1, width];
      sizes.set(slice.name, n * width);
      states.set(slice.name, { name: slice.name, shape, index: 0 });
      return { ...slice, shape };
    });
    plan.add(rotated(outputSize, [...sizes.values()], dilation), [output], [...states.values()]);
    return plan;
  }

  /** Row of the layer's batch that has the steps t of row b with t mod dilation = phase. */
  #row(b: number, phase: number, batch: number): number {
    return this.batchFirst ? b * this.dilation + phase : phase * batch + b;
  }

  /** (B, T, I) to (B * dilation, ceil(T / dilation), I), or (T, B, I) to (ceil(T / dilation), dilation * B, I). */
  #interleave(x: Tensor, { batch, steps, timeAxis }: SequenceSizes): Tensor {
    const { dilation, inputSize } = this;
    const rounds = Math.ceil(steps / dilation);
    const padding = rounds * dilation - steps;
    const filler = () => zeros(timeAxis === 1 ? [batch, padding, inputSize] : [padding, batch, inputSize], x.core);
    const full = padding === 0 ? x : concat([x, filler()], timeAxis);
    if (timeAxis === 0) return reshape(full, [rounds, dilation * batch, inputSize]);
    const byPhase = permute(reshape(full, [batch, rounds, dilation, inputSize]), [0, 2, 1, 3]);
    return reshape(byPhase, [batch * dilation, rounds, inputSize]);
  }

  /** The opposite of {@link Dilated.#interleave}, for outputs. */
  #deinterleave(output: Tensor, { batch, steps, timeAxis }: SequenceSizes): Tensor {
    const { dilation, outputSize } = this;
    const rounds = Math.ceil(steps / dilation);
    if (timeAxis === 0) return slice(reshape(output, [rounds * dilation, batch, outputSize]), 0, 0, steps);
    const byTime = permute(reshape(output, [batch, dilation, rounds, outputSize]), [0, 2, 1, 3]);
    return slice(reshape(byTime, [batch, rounds * dilation, outputSize]), 1, 0, steps);
  }

  /** How many of the first `ends[b]` steps each row of the layer's batch has. */
  #phaseLengths(ends: ArrayLike<number>): Int32Array {
    const { dilation } = this;
    const lengths = new Int32Array(ends.length * dilation);
    for (let b = 0; b < ends.length; b++) {
      for (let phase = 0; phase < dilation; phase++) {
        lengths[this.#row(b, phase, ends.length)] = Math.ceil(Math.max(0, (ends[b] as number) - phase) / dilation);
      }
    }
    return lengths;
  }

  /** Our state as the layer's: (dilation * n, B, H) to (n, dilation * B, H). */
  #spread(state: RecurrentState, { batch }: SequenceSizes): RecurrentState {
    const { dilation } = this;
    return mapValues(state, (value, name) => {
      const [slices, rows, width] = value.shape;
      if (value.shape.length !== 3 || rows !== batch || width === undefined || (slices as number) % dilation !== 0) {
        const expected = `of shape [${dilation} n, ${batch}, H]`;
        throw new ArgumentError(this.label, `state.${name}`, expected, value.shape);
      }
      const n = (slices as number) / dilation;
      const from = new Int32Array(n * dilation * batch);
      this.#visit(n, batch, (slice, phase, b) => {
        from[slice * dilation * batch + this.#row(b, phase, batch)] = (phase * n + slice) * batch + b;
      });
      return takeRows(value, from, [n, dilation * batch]);
    });
  }

  /** The layer's state as ours. After `ends[b]` steps it is phase ends[b] mod dilation that comes next. */
  #collect(state: RecurrentState, { batch }: SequenceSizes, ends: ArrayLike<number>): StateOf<L> {
    const { dilation } = this;
    return mapValues(state, (value) => {
      const n = value.shape[0] as number;
      const from = new Int32Array(n * dilation * batch);
      this.#visit(n, batch, (slice, phase, b) => {
        const inside = (phase + (ends[b] as number)) % dilation;
        from[(phase * n + slice) * batch + b] = slice * dilation * batch + this.#row(b, inside, batch);
      });
      return takeRows(value, from, [dilation * n, batch]);
    }) as StateOf<L>;
  }

  #visit(slices: number, batch: number, found: (slice: number, phase: number, b: number) => void): void {
    for (let slice = 0; slice < slices; slice++) {
      for (let phase = 0; phase < this.dilation; phase++) for (let b = 0; b < batch; b++) found(slice, phase, b);
    }
  }
}
