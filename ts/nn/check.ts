/** Checks of layer options. */
import { ArgumentError } from "../errors.js";
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
