/**
 * The typed errors. Every message names the layer, the parameter or the option, what was expected and what came.
 *
 * Two copies of the package (an ESM and a CommonJS one) can live in one process, so `instanceof` is not reliable:
 * ask {@link isUnrolledError} and compare `code`.
 */

const brand = Symbol.for("unrolled.error");

/** Base of every error that this package throws on purpose. */
export class UnrolledError extends Error {
  /** Stable identifier of the kind of error, for example `"SHAPE"`. */
  readonly code: string;

  /** @internal */
  constructor(code: string, name: string, message: string) {
    super(message);
    this.code = code;
    // Set explicitly: the class name is lost when a bundler minifies.
    Object.defineProperty(this, "name", { value: name, enumerable: false });
    Object.defineProperty(this, brand, { value: true, enumerable: false });
  }
}

/** Whether a value is an error of this package, also when it comes from another copy of it. */
export function isUnrolledError(value: unknown): value is UnrolledError {
  return typeof value === "object" && value !== null && brand in value;
}

/** `[3, 4]` for a shape; `scalar []` reads badly, so the empty shape says what it is. */
export function formatShape(shape: readonly (number | string)[]): string {
  return shape.length === 0 ? "[] (a scalar)" : `[${shape.join(", ")}]`;
}

function formatValue(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "number" || typeof value === "boolean" || typeof value === "bigint") return String(value);
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return value.length <= 8 ? `[${value.map(formatValue).join(", ")}]` : "an array";
  if (typeof value === "function") return value.name === "" ? "a function" : `function ${value.name}`;
  if (typeof value === "symbol") return value.toString();
  return value.constructor?.name ?? "an object";
}

/** A tensor, parameter or array has another shape than needed. */
export class ShapeError extends UnrolledError {
  /**
   * Names the place, the value and both shapes.
   * @param where layer path or operation, for example `encoder (LSTM)`
   * @param what the offending value, for example `state.h`
   * @param expected the shape that would fit, or a phrase
   * @param got the shape that came, or a phrase
   */
  constructor(
    where: string,
    what: string,
    expected: string | readonly (number | string)[],
    got: string | readonly number[],
  ) {
    const expectation = typeof expected === "string" ? expected : formatShape(expected);
    const reality = typeof got === "string" ? got : formatShape(got);
    super("SHAPE", "ShapeError", `${where}: ${what} has shape ${reality}, expected ${expectation}`);
  }
}

/** Values of another type than needed: ids where a tensor is wanted, or the other way round. */
export class DTypeError extends UnrolledError {
  /** @internal */
  constructor(where: string, what: string, expected: string, got: unknown) {
    super("DTYPE", "DTypeError", `${where}: ${what} must be of type ${expected}, got ${formatValue(got)}`);
  }
}

/** An argument or option has a value that cannot be used. */
export class ArgumentError extends UnrolledError {
  /** Name of the argument or option. */
  readonly option: string;

  /** @internal */
  constructor(where: string, option: string, expected: string, got: unknown) {
    super("ARGUMENT", "ArgumentError", `${where}: ${option} must be ${expected}, got ${formatValue(got)}`);
    this.option = option;
  }
}

/** A tensor was used after the scope that made it, after `dispose()`, or together with tensors of another core. */
export class ScopeError extends UnrolledError {
  /** @internal */
  constructor(message: string) {
    super("SCOPE", "ScopeError", message);
  }
}

/** A parameter was used before `model.init()` or a loader gave it a value. */
export class NotInitializedError extends UnrolledError {
  /** @internal */
  constructor(message: string) {
    super("NOT_INITIALIZED", "NotInitializedError", message);
  }
}

/** A parameter was used that no `init()` can reach: it is held in a `#private` field, a Map, a Set or a getter. */
export class UnregisteredParameterError extends UnrolledError {
  /** @internal */
  constructor(message: string) {
    super("UNREGISTERED_PARAMETER", "UnregisteredParameterError", message);
  }
}

/** The core could not grow its memory. Everything made before stays usable. */
export class OutOfMemoryError extends UnrolledError {
  /** The size that was asked for. */
  readonly bytes: number;

  /** @internal */
  constructor(bytes: number, where = "allocation") {
    super("OUT_OF_MEMORY", "OutOfMemoryError", `${where}: out of memory: ${bytes} bytes more could not be allocated`);
    this.bytes = bytes;
  }
}

/** The core trapped: its intermediate results are not to be trusted. Parameters can still be read. */
export class CorePoisonedError extends UnrolledError {
  /** @internal */
  constructor(cause: unknown, what = "it trapped and computes no more until core.recover(); parameters can be read") {
    super("CORE_POISONED", "CorePoisonedError", `the core: ${what} (${String(cause)})`);
    this.cause = cause;
  }
}

/** A function that is recorded or scoped returned a promise; its tensors would be gone before it settles. */
export class PromiseInUpdateError extends UnrolledError {
  /** @internal */
  constructor(where: string) {
    super(
      "PROMISE_IN_UPDATE",
      "PromiseInUpdateError",
      `${where}: the function returned a promise; it must compute synchronously (await the data before the call)`,
    );
  }
}

/** Gradients of gradients were asked for: recording was started inside a recording. */
export class HigherOrderGradientError extends UnrolledError {
  /** @internal */
  constructor(where: string) {
    super(
      "HIGHER_ORDER_GRADIENT",
      "HigherOrderGradientError",
      `${where}: a recording is already running; only first-order gradients exist, so recordings do not nest`,
    );
  }
}

/** What is wrong with a file that could not be loaded. */
export type LoadErrorCategory =
  | "truncated"
  | "header"
  | "offsets"
  | "dtype"
  | "shape"
  | "missing_tensor"
  | "unexpected_tensor"
  | "unsupported_op"
  | "unsupported_version"
  | "value"
  | "graph"
  | "encoding"
  | "external_data"
  | "too_large"
  | "foreign";

/** A file is damaged, hostile, foreign, or does not fit the model. */
export class LoadError extends UnrolledError {
  /** What is wrong, for programs. */
  readonly category: LoadErrorCategory;

  /** @internal */
  constructor(category: LoadErrorCategory, message: string) {
    super("LOAD", "LoadError", message);
    this.category = category;
  }
}

/** The equations of a cell given to `defineCell` cannot be compiled. */
export class CellDefinitionError extends UnrolledError {
  /** The offending expression, for example `sigmoid(gate("i")).mul(c)`. */
  readonly expression: string;

  /** @internal */
  constructor(cell: string, expression: string, problem: string) {
    super(
      "CELL_DEFINITION",
      "CellDefinitionError",
      `${cell}: ${expression}: ${problem} (what cannot be written with these operations can be a Module that computes ` +
        "step by step with ordinary tensors)",
    );
    this.expression = expression;
  }
}

/** A text or an id cannot be encoded or decoded. */
export class TokenizerError extends UnrolledError {
  /** @internal */
  constructor(message: string) {
    super("TOKENIZER", "TokenizerError", message);
  }
}

/** Data cannot be turned into sequences, for example because a text is shorter than one chunk. */
export class DataError extends UnrolledError {
  /** @internal */
  constructor(message: string) {
    super("DATA", "DataError", message);
  }
}

/** A function needs a package that is not installed: an optional peer dependency. */
export class MissingPackageError extends UnrolledError {
  /** @internal */
  constructor(where: string, packages: string) {
    super("MISSING_PACKAGE", "MissingPackageError", `${where} needs what is not installed: npm install ${packages}`);
  }
}

/** A loss or a gradient stopped being finite. The parameters are those before that update. */
export class TrainingDivergedError extends UnrolledError {
  /** Number of the update, from 1. */
  readonly update: number;
  /** Where the first value that is not finite appeared: operation, layer and parameter. */
  readonly where: string;

  /** @internal */
  constructor(update: number, loss: number, gradNorm: number, where = "the loss") {
    super(
      "TRAINING_DIVERGED",
      "TrainingDivergedError",
      `training diverged at update ${update}: loss ${loss}, gradient norm ${gradNorm}, first in ${where}; ` +
        "the parameters are those before it (a lower learning rate or gradient clipping may help)",
    );
    this.update = update;
    this.where = where;
  }
}

/** A replica of a training run ended, failed, or was not made as the model was. */
export class ReplicaError extends UnrolledError {
  /** Which one, from 0. */
  readonly replica: number;

  /**
   * Names the replica and its problem.
   * @param problem - what happened to it, for example `its worker ended with exit code 1`
   */
  constructor(replica: number, problem: string) {
    super("REPLICA", "ReplicaError", `replica ${replica}: ${problem}`);
    this.replica = replica;
  }
}
