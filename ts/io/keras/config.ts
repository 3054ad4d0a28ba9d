/** Reading what a Keras file says about a layer, none of which is trusted. */
import { LoadError } from "../../errors.js";
import { entriesOf, quoted } from "../json.js";

/** The configuration of a layer or model. What is absent and what is null have the default. */
export class LayerConfig {
  /** Name for messages, for example `layer "lstm_1" (LSTM)`. */
  readonly where: string;
  readonly entries: ReadonlyMap<string, unknown>;

  /** @throws LoadError (value) unless the entries are an object's */
  constructor(where: string, entries: unknown) {
    const found = entries instanceof Map ? (entries as ReadonlyMap<string, unknown>) : entriesOf(entries);
    if (found === undefined) throw new LoadError("value", `${where}: the configuration is not an object`);
    this.where = where;
    this.entries = found;
  }

  /** The value of an entry; undefined when it is absent or null. */
  get(name: string): unknown {
    return this.entries.get(name) ?? undefined;
  }

  /** Whether the file has the entry, be it null. */
  has(name: string): boolean {
    return this.entries.has(name);
  }

  /** The same with one entry changed. */
  with(name: string, value: unknown): LayerConfig {
    return new LayerConfig(this.where, new Map([...this.entries, [name, value]]));
  }

  /** @throws LoadError (value) for anything but true, false or nothing */
  flag(name: string, fallback: boolean): boolean {
    const value = this.get(name) ?? fallback;
    if (typeof value !== "boolean") throw this.#wrong(name, "true or false", value);
    return value;
  }

  /** @throws LoadError (value) for anything but a finite number or nothing */
  number(name: string, fallback: number): number {
    const value = this.get(name) ?? fallback;
    if (typeof value !== "number" || !Number.isFinite(value)) throw this.#wrong(name, "a number", value);
    return value;
  }

  /** @throws LoadError (value) for anything but a number from 0 to 1, or nothing, which is 0 */
  fraction(name: string): number {
    const value = this.number(name, 0);
    if (value < 0 || value > 1) throw this.#wrong(name, "a number from 0 to 1", value);
    return value;
  }

  /** @throws LoadError (value) for anything but a whole number of 1 or more */
  size(name: string): number {
    const value = this.get(name);
    if (!Number.isSafeInteger(value) || (value as number) < 1) throw this.#wrong(name, "a whole number from 1", value);
    return value as number;
  }

  /** @throws LoadError (value) for anything but a string, or nothing when there is a default */
  text(name: string, fallback?: string): string {
    const value = this.get(name) ?? fallback;
    if (typeof value !== "string") throw this.#wrong(name, "a string", value);
    return value;
  }

  /** @throws LoadError (value) for anything but one of these strings */
  choice<T extends string>(name: string, choices: readonly T[], fallback: T): T {
    const value = this.text(name, fallback);
    const found = choices.find((choice) => choice === value);
    if (found === undefined) throw this.#wrong(name, `one of ${choices.join(", ")}`, value);
    return found;
  }

  /** Whole numbers, of either sign. @throws LoadError (value) */
  integers(name: string): number[] {
    const value = this.get(name);
    const numbers = typeof value === "number" ? [value] : value;
    if (!Array.isArray(numbers) || !numbers.every(Number.isSafeInteger)) {
      throw this.#wrong(name, "a list of whole numbers", value);
    }
    return numbers as number[];
  }

  /** @throws LoadError (unsupported_op) when the entry is set to something else than one of `values` or nothing */
  refuseUnless(name: string, ...values: unknown[]): void {
    const value = this.get(name);
    if (value !== undefined && !values.includes(value)) {
      throw new LoadError("unsupported_op", `${this.where}: ${name} ${brief(value)} is not supported`);
    }
  }

  #wrong(name: string, expected: string, value: unknown): LoadError {
    return new LoadError("value", `${this.where}: ${name} must be ${expected}, got ${brief(value)}`);
  }
}

/** A value of a file in a message. */
function brief(value: unknown): string {
  return quoted(typeof value === "string" ? value : (JSON.stringify(value) ?? "nothing"));
}

/** How the versions of Keras differ in what they leave unsaid. */
export interface Dialect {
  /** Slope of `hard_sigmoid`: 1/6 in Keras 3, 0.2 in Keras 2 and TensorFlow.js. */
  readonly hardSigmoid: "hardSigmoid" | "hardSigmoidOnnx";
  /** Gate activation of a layer that names none. */
  readonly recurrentActivation: string;
  /** Whether a GRU that does not say resets after the recurrent product. */
  readonly resetAfter: boolean;
  /** Where a step of merged inputs counts: where it does in any of them (none without mask), or in all that have a mask. */
  readonly mergedMask: "any" | "all";
}

export const keras3: Dialect = {
  hardSigmoid: "hardSigmoid",
  recurrentActivation: "sigmoid",
  resetAfter: true,
  mergedMask: "any",
};
export const keras2: Dialect = {
  hardSigmoid: "hardSigmoidOnnx",
  recurrentActivation: "sigmoid",
  resetAfter: true,
  mergedMask: "all",
};
export const tfjs: Dialect = {
  hardSigmoid: "hardSigmoidOnnx",
  recurrentActivation: "hard_sigmoid",
  resetAfter: false,
  mergedMask: "all",
};
