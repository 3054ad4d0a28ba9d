/** Checks of layer options. */
import { ArgumentError } from "../errors.js";

/** @throws ArgumentError unless the value is an integer of `least` or more @internal */
export function checkSize(where: string, option: string, value: number, least = 1): void {
  if (!Number.isSafeInteger(value) || value < least) {
    throw new ArgumentError(where, option, `an integer of ${least} or more`, value);
  }
}
