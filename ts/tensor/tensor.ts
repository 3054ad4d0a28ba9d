/**
 * Tensors: row-major values in the core's memory.
 *
 * Inside a scope a new tensor lives in the arena and dies with the scope; outside it owns a persistent block.
 */
import { type Core, getCore } from "../core/core.js";
import { ArgumentError, DTypeError, formatShape, ScopeError, ShapeError } from "../errors.js";
import { currentScope, type Scope } from "./scope.js";

/** Nested arrays of numbers, as deep as the shape has dimensions. */
export type NestedNumbers = number | readonly NestedNumbers[];

/** Most dimensions of a tensor. */
export const MAX_DIMENSIONS = 8;

/** A plain copy of a tensor, as {@link Module.run} returns it. */
export interface PlainTensor {
  /** Row-major. */
  readonly data: Float32Array;
  /** Length of each axis. */
  readonly shape: readonly number[];
}

/** An n-dimensional array of the core; immutable, except for parameters. */
export class Tensor {
  /** Length of each axis. */
  readonly shape: readonly number[];
  /** Number of elements. */
  readonly size: number;
  /** Core that holds the values; null before initialisation. @internal */
  home: Core | null;
  /** Byte offset of the first element; 0 while there is none. @internal */
  pointer: number;
  /** Scope that the values die with; null for a persistent block. @internal */
  readonly scope: Scope | null;
  /** The tensor whose storage (and gradient) this one shares. @internal */
  readonly base: Tensor | null;
  /** Whether gradients flow to it in the current recording. @internal */
  requiresGrad = false;
  /** Pointer of its gradient in the arena of the current recording. @internal */
  gradient = 0;

  /** @internal use {@link tensor}, {@link zeros} or an operation */
  constructor(core: Core | null, shape: readonly number[], pointer: number, scope: Scope | null, base: Tensor | null) {
    this.shape = shape;
    this.size = sizeOf(shape);
    this.home = core;
    this.pointer = pointer;
    this.scope = scope;
    this.base = base;
  }

  /** The core that holds the values. */
  get core(): Core {
    return coreOf(this, "core");
  }

  /**
   * Checks that the values are there.
   * @throws ScopeError naming the operation and the shape
   * @internal
   */
  assertAlive(operation: string): void {
    if (this.scope !== null ? !this.scope.open : this.pointer === 0) this.gone(operation);
    if (this.base !== null) this.base.assertAlive(operation);
  }

  /**
   * Checks that the values are there and returns their pointer.
   * @internal
   */
  resolve(operation: string): number {
    this.assertAlive(operation);
    return this.pointer;
  }

  /** @internal */
  protected gone(operation: string): never {
    const what = `${operation}: a tensor of shape ${formatShape(this.shape)}`;
    throw new ScopeError(
      this.scope === null
        ? `${what} was used after dispose()`
        : `${what} was used after the scope that made it; keep a copy with toArray() or a CarriedState`,
    );
  }

  /** A copy of the values, row-major. */
  toArray(): Float32Array {
    const pointer = this.resolve("toArray");
    return (this.home as Core).readF32(pointer, this.size);
  }

  /** The value of a tensor of one element. */
  item(): number {
    if (this.size !== 1) throw new ShapeError("item", "the tensor", "one element", this.shape);
    const pointer = this.resolve("item");
    return (this.home as Core).f32[pointer >>> 2] as number;
  }

  /** Frees a tensor made outside scopes; others are freed by their scope. A second call does nothing. */
  dispose(): void {
    if (this.scope !== null || this.base !== null || this.pointer === 0 || this.home === null) return;
    this.home.unwatch(this);
    this.home.free(this.pointer, this.size * 4);
    this.pointer = 0;
  }

  /** The same as {@link dispose}, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Number of elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  let size = 1;
  for (const length of shape) size *= length;
  return size;
}

/** Whether two shapes are the same. */
export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((length, i) => length === b[i]);
}

/** Checks a shape that a caller gave. */
export function checkShape(where: string, shape: readonly number[]): void {
  if (shape.length > MAX_DIMENSIONS || !shape.every((n) => Number.isSafeInteger(n) && n >= 0)) {
    throw new ArgumentError(where, "shape", `at most ${MAX_DIMENSIONS} lengths, each an integer of 0 or more`, shape);
  }
}

/** A new tensor, not zeroed: in the arena inside a scope, else a persistent block. @internal */
export function createTensor(core: Core, shape: readonly number[]): Tensor {
  const scope = currentScope();
  const bytes = sizeOf(shape) * 4;
  if (scope !== null) {
    if (scope.core !== core) throw new ScopeError("a tensor of one core was used inside a scope of another core");
    return new Tensor(core, shape, core.arenaAlloc(bytes), scope, null);
  }
  return createPersistent(core, shape);
}

/** A new tensor that owns a persistent block, inside a scope too; not zeroed. @internal */
export function createPersistent(core: Core, shape: readonly number[]): Tensor {
  core.assertUsable();
  const bytes = sizeOf(shape) * 4;
  const made = new Tensor(core, shape, core.alloc(bytes), null, null);
  core.watch(made, made.pointer, bytes);
  return made;
}

/** A tensor of another shape over the same values, `offset` elements in; gradients are shared too. @internal */
export function createView(source: Tensor, shape: readonly number[], offset: number): Tensor {
  const pointer = source.pointer + offset * 4;
  const base = source.base ?? source;
  const view = new Tensor(source.home, shape, pointer, base.scope, base);
  view.requiresGrad = source.requiresGrad;
  return view;
}

/** The core of an operand, after checking that it is a tensor and alive. @internal */
export function coreOf(value: Tensor, operation: string): Core {
  if (!(value instanceof Tensor)) throw new DTypeError(operation, "an operand", "Tensor", value);
  value.assertAlive(operation);
  return value.home as Core;
}

/** Pointer of an f32 operand, after checking that it is alive and of this core. @internal */
export function operand(value: Tensor, operation: string, core: Core): number {
  if (!(value instanceof Tensor)) throw new DTypeError(operation, "an operand", "Tensor", value);
  const pointer = value.resolve(operation);
  if (value.home !== core) {
    throw new ScopeError(`${operation}: a tensor of shape ${formatShape(value.shape)} belongs to another core`);
  }
  return pointer;
}

function flatten(where: string, value: NestedNumbers, depth: number, shape: number[], into: number[]): void {
  if (typeof value === "number") {
    if (depth !== shape.length) throw new ShapeError(where, "a nested array", "equal lengths at every depth", "ragged");
    into.push(value);
    return;
  }
  if (value.length !== shape[depth]) {
    throw new ShapeError(where, "a nested array", "equal lengths at every depth", "ragged");
  }
  for (const inner of value) flatten(where, inner, depth + 1, shape, into);
}

/** Values and shape of nested arrays. @internal */
export function fromNested(where: string, value: NestedNumbers): { data: number[]; shape: number[] } {
  const shape: number[] = [];
  for (let inner: NestedNumbers | undefined = value; Array.isArray(inner); inner = inner[0] as NestedNumbers) {
    shape.push(inner.length);
  }
  const data: number[] = [];
  flatten(where, value, 0, shape, data);
  return { data, shape };
}

/** The core of the current scope, else the default one. @internal */
export function currentCore(): Core {
  return currentScope()?.core ?? getCore();
}

/**
 * A tensor of given values: nested arrays, or a flat array with a shape (default: one dimension).
 *
 * @param core where to put it; default: the core of the current scope, else the default core
 * @throws ShapeError when the values do not fill the shape
 */
export function tensor(
  data: NestedNumbers | Float32Array | Float64Array | Int32Array,
  shape?: readonly number[],
  core: Core = currentCore(),
): Tensor {
  let flat: ArrayLike<number>;
  let full: readonly number[];
  if (typeof data === "number" || Array.isArray(data)) {
    const nested = fromNested("tensor", data as NestedNumbers);
    flat = nested.data;
    full = shape ?? nested.shape;
  } else {
    flat = data as ArrayLike<number>;
    full = shape ?? [flat.length];
  }
  checkShape("tensor", full);
  if (sizeOf(full) !== flat.length)
    throw new ShapeError("tensor", `data of ${flat.length} values`, "a fitting shape", full);
  const made = createTensor(core, [...full]);
  core.f32.set(flat, made.pointer >>> 2);
  return made;
}

/**
 * A tensor of zeros.
 * @throws ArgumentError unless lengths are whole numbers from 0
 */
export function zeros(shape: readonly number[], core: Core = currentCore()): Tensor {
  return full(shape, 0, core);
}

/**
 * A tensor of ones.
 * @throws ArgumentError unless lengths are whole numbers from 0
 */
export function ones(shape: readonly number[], core: Core = currentCore()): Tensor {
  return full(shape, 1, core);
}

/**
 * A tensor whose every element is `value`.
 * @throws ArgumentError unless lengths are whole numbers from 0
 */
export function full(shape: readonly number[], value: number, core: Core = currentCore()): Tensor {
  checkShape("full", shape);
  const made = createTensor(core, [...shape]);
  core.raw.ur_fill(made.pointer, made.size, value);
  return made;
}
