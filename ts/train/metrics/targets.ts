/** What metrics of classes are fed. */
import { IGNORED_TARGET } from "../../data/lanes.js";
import { ArgumentError, ShapeError } from "../../errors.js";
import { Ids } from "../../tensor/ids.js";
import type { PlainTensor } from "../../tensor/tensor.js";

/** Class numbers, in any shape; {@link IGNORED_TARGET} is not counted. */
export type Classes = ArrayLike<number> | Ids;

/** Class numbers in one row. @internal */
export function flat(classes: Classes): ArrayLike<number> {
  return classes instanceof Ids ? classes.data : classes;
}

/**
 * Calls `found` for every target that counts.
 * @param scores - (..., K), a row for each target
 * @internal
 */
export function eachRow(
  where: string,
  scores: PlainTensor,
  targets: Classes,
  found: (row: Float32Array, target: number) => void,
): void {
  const classes = scores.shape.at(-1) ?? 0;
  const wanted = flat(targets);
  if (classes === 0 || scores.data.length !== wanted.length * classes) {
    throw new ShapeError(where, `scores for ${wanted.length} targets`, [wanted.length, "K"], scores.shape);
  }
  for (let i = 0; i < wanted.length; i++) {
    const target = wanted[i] as number;
    if (target === IGNORED_TARGET) continue;
    checkClass(where, "target", target, classes);
    found(scores.data.subarray(i * classes, (i + 1) * classes), target);
  }
}

/** Throws ArgumentError unless it is the number of a class. @internal */
export function checkClass(where: string, option: string, value: number, classes: number): void {
  if (!(Number.isInteger(value) && value >= 0 && value < classes)) {
    throw new ArgumentError(where, option, `a whole number from 0 to ${classes - 1}`, value);
  }
}
