/** Sequences read from their end, each from its own. */
import type { Core } from "../core/core.js";
import { currentTape } from "./scope.js";
import { contiguousStrides, copyStrided } from "./shape.js";
import type { Operation } from "./tape.js";
import { coreOf, createTensor, operand, type Tensor } from "./tensor.js";

const ReverseTime: Operation = {
  name: "reverseTime",
  backward({ inputs, outputs, saved }, tape) {
    const [x, y] = [inputs[0] as Tensor, outputs[0] as Tensor];
    const [timeAxis, ...lengths] = saved as [number, ...number[]];
    // Its own inverse.
    reverseInto(tape.core, tape.gradient(y), tape.gradient(x), x.shape, timeAxis, lengths, true);
  },
};

/**
 * The first `lengths[b]` steps of sequence b in reverse order, those after them where they are; as tf.reverse_sequence.
 *
 * @param x (B, T, W) with time axis 1, or (T, B, W) or (T, W) with time axis 0
 * @param lengths each from 0 to T, checked by the caller; undefined: all are T
 * @internal
 */
export function reverseTime(x: Tensor, timeAxis: 0 | 1, lengths: ArrayLike<number> | undefined): Tensor {
  const core = coreOf(x, "reverseTime");
  const from = operand(x, "reverseTime", core);
  const y = createTensor(core, x.shape);
  const ends = Array.from(lengths ?? []);
  reverseInto(core, from, y.pointer, x.shape, timeAxis, ends, false);
  if (x.requiresGrad) currentTape()?.push(ReverseTime, [x], [y], [timeAxis, ...ends]);
  return y;
}

/** y (+)= x reversed; no lengths: every sequence as a whole. */
function reverseInto(
  core: Core,
  x: number,
  y: number,
  shape: readonly number[],
  timeAxis: number,
  lengths: readonly number[],
  accumulate: boolean,
): void {
  const strides = contiguousStrides(shape);
  const steps = shape[timeAxis] as number;
  const time = strides[timeAxis] as number;
  if (lengths.length === 0) {
    const backwards = strides.map((stride, axis) => (axis === timeAxis ? -stride : stride));
    copyStrided(core, x, y + (steps - 1) * time * 4, shape, strides, backwards, accumulate);
    return;
  }
  const [batch, width] = [strides[1 - timeAxis] as number, shape[shape.length - 1] as number];
  lengths.forEach((length, row) => {
    const first = row * batch * 4;
    const rest = first + length * time * 4;
    copyStrided(core, x + first, y + rest - time * 4, [length, width], [time, 1], [-time, 1], accumulate);
    copyStrided(core, x + rest, y + rest, [steps - length, width], [time, 1], [time, 1], accumulate);
  });
}
