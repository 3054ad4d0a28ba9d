/** Checks of layer options. */
import { ArgumentError, ShapeError } from "../errors.js";
import { type ActivationName, unaryKinds } from "../tensor/kinds.js";

/** @throws ArgumentError unless the value is an integer of `least` or more @internal */
export function checkSize(where: string, option: string, value: number, least = 1): void {
  if (!Number.isSafeInteger(value) || value < least) {
    throw new ArgumentError(where, option, `an integer of ${least} or more`, value);
  }
}

/** The core's number of an activation. @throws ArgumentError unless the name is that of one @internal */
export function checkActivation(where: string, option: string, name: ActivationName): number {
  const kind: number | undefined = Object.hasOwn(unaryKinds, name) ? unaryKinds[name] : undefined;
  if (kind === undefined || kind >= 16) throw new ArgumentError(where, option, "the name of an activation", name);
  return kind;
}

/** @throws ShapeError, ArgumentError unless there is a length from 0 to T for each row @internal */
export function checkLengths(
  where: string,
  lengths: ArrayLike<number> | undefined,
  batch: number,
  steps: number,
): void {
  if (lengths === undefined) return;
  if (lengths.length !== batch) throw new ShapeError(where, "lengths", [batch], [lengths.length]);
  for (let row = 0; row < batch; row++) {
    const length = lengths[row] as number;
    if (!Number.isInteger(length) || length < 0 || length > steps) {
      throw new ArgumentError(where, `lengths[${row}]`, `an integer from 0 to ${steps}`, length);
    }
  }
}
