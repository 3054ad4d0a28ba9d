/**
 * Recurrent layers over masked and reversed sequences, with Keras' meaning of both.
 *
 * A masked step keeps the state and repeats the output of the step before it (zeros where there is none), or gives
 * zeros. So the steps that count, moved together, are an ordinary sequence with a length; of its outputs each step
 * of the original takes the latest. Reading backwards is another order of the same steps. Whatever holes a mask has, the
 * layer stays one call of the core.
 */
import { ShapeError } from "../../errors.js";
import type { SequenceOptions, SequenceResult } from "../../nn/recurrent.js";
import type { RecurrentState } from "../../nn/state.js";
import { takeRows } from "../../nn/wiring/sequence-module.js";
import type { Ids } from "../../tensor/ids.js";
import { concat, reshape } from "../../tensor/shape.js";
import { type Tensor, zeros } from "../../tensor/tensor.js";

/** A recurrent layer of one direction; sequences are (B, T, ...). */
export interface StepLayer {
  forward(x: Tensor, options: SequenceOptions<RecurrentState>): SequenceResult<RecurrentState>;
}

/** How the steps of sequences are gone through. */
export interface StepOrder {
  /** (B, T), 0 for steps that do not count; null: all count. */
  readonly mask: Ids | null;
  /** From the last to the first. */
  readonly backwards: boolean;
  /** Masked steps give zeros instead of the output before them. */
  readonly zeroMasked: boolean;
  /** Outputs in order of time also when read backwards. */
  readonly inTime: boolean;
}

/** Where the steps of a call come from and go to. */
interface Plan {
  /** For each place (B, T) of the sequence that is run, the row of x (B T, I); null: x as it is. */
  readonly read: Int32Array | null;
  readonly lengths: Int32Array | undefined;
  /** For each place (B, T) of the result, 1 + the row of the outputs (B T, S), or 0 for zeros; null: as they are. */
  readonly write: Int32Array | null;
}

function plan(batch: number, steps: number, { mask, backwards, zeroMasked, inTime }: StepOrder): Plan {
  const read = new Int32Array(batch * steps);
  const write = new Int32Array(batch * steps);
  const lengths = new Int32Array(batch);
  for (let row = 0; row < batch; row++) {
    const first = row * steps;
    let length = 0;
    for (let step = 0; step < steps; step++) {
      const from = first + (backwards ? steps - 1 - step : step);
      const counts = mask === null || mask.data[from] !== 0;
      if (counts) read[first + length++] = from;
      const shown = counts || !zeroMasked ? length : 0;
      write[inTime ? from : first + step] = shown === 0 ? 0 : first + shown;
    }
    lengths[row] = length;
    // What is read past the length does not matter; in place it may save a copy.
    for (let step = length; step < steps; step++) read[first + step] = first + step;
  }
  const inPlace = read.every((from, i) => from === i);
  // Past the length the outputs of a layer are zeros by themselves.
  const asIs = write.every(
    (from, i) => from === i + 1 || (from === 0 && i % steps >= (lengths[(i - (i % steps)) / steps] as number)),
  );
  return { read: inPlace ? null : read, lengths: mask === null ? undefined : lengths, write: asIs ? null : write };
}

/** What {@link runSteps} gives. */
export interface StepResult {
  /** (B, T, S), or (B, S) of the last step that was gone through. */
  readonly output: Tensor;
  readonly state: RecurrentState;
}

/**
 * Runs a layer over x (B, T, I).
 * @param sequences whether the outputs of all steps are wanted, or those of the last alone
 * @throws ShapeError when the mask is not (B, T)
 */
export function runSteps(
  layer: StepLayer,
  x: Tensor,
  order: StepOrder,
  sequences: boolean,
  state: RecurrentState | undefined,
  where: string,
): StepResult {
  const [batch = 0, steps = 0] = x.shape;
  if (x.shape.length !== 3) throw new ShapeError(where, "x", ["B", "T", "I"], x.shape);
  const { mask } = order;
  if (mask !== null && mask.shape.join() !== [batch, steps].join()) {
    throw new ShapeError(where, "the mask", [batch, steps], mask.shape);
  }
  const { read, lengths, write } = plan(batch, steps, { ...order, inTime: order.inTime && sequences });
  const ran = read === null ? x : takeRows(x, read, [batch, steps]);
  const { output, state: last } = layer.forward(ran, { state, lengths });
  const width = output.shape[2] as number;
  if (!sequences && (mask === null || steps === 0))
    return { output: reshape(last["h"] as Tensor, [batch, width]), state: last };
  if (sequences && write === null) return { output, state: last };
  const rows = concat([zeros([1, width], x.core), reshape(output, [batch * steps, width])], 0);
  const shown = write ?? Int32Array.from({ length: batch * steps }, (_, i) => i + 1);
  if (sequences) return { output: takeRows(rows, shown, [batch, steps]), state: last };
  const final = Int32Array.from({ length: batch }, (_, row) => shown[row * steps + steps - 1] as number);
  return { output: takeRows(rows, final, [batch]), state: last };
}
