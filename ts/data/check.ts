/** Checks of counts: batch sizes, lengths, numbers of steps. */
import { ArgumentError } from "../errors.js";

/** @throws ArgumentError unless the value is a whole number from 1 @internal */
export function checkCount(where: string, option: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 1) throw new ArgumentError(where, option, "a whole number from 1", value);
}
