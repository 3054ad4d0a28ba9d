/** Recurrent state: what goes from one call to the next, explicitly. */
import type { Core } from "../core/core.js";
import { ScopeError, ShapeError } from "../errors.js";
import { currentScope } from "../tensor/scope.js";
import { createPersistent, createTensor, type PlainTensor, sameShape, type Tensor } from "../tensor/tensor.js";

/** State of an Elman network or a GRU: h of shape (layers * directions, B, H). */
export type HiddenState = { readonly h: Tensor };

/** State of an LSTM: h of (layers * directions, B, H or the projection's size), c of (layers * directions, B, H). */
export type LSTMState = { readonly h: Tensor; readonly c: Tensor };

/** Any cell's state, by name. */
export type RecurrentState = { readonly [name: string]: Tensor };

/** A record of the same names with other values. @internal */
export function mapValues<V, W>(
  values: Readonly<Record<string, V>>,
  change: (value: V, name: string) => W,
): Record<string, W> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, change(value, name)]));
}

/**
 * A state that outlives scopes: truncated back-propagation carries it from update to update, a session from step to
 * step. No gradient flows through it.
 */
export class CarriedState<S extends RecurrentState> {
  #held: Map<string, Tensor> | null = null;
  #set = false;

  /**
   * The state as tensors of the current scope, without gradient history; undefined before the first `set` and after
   * `reset` (recurrent layers take that as zeros).
   *
   * They are copies: a `set` before the scope ends does not change them, backward may still need them.
   */
  get(): S | undefined {
    if (!this.#set || this.#held === null) return undefined;
    if (currentScope() === null) throw new ScopeError("CarriedState.get: call it inside run, gradients or update");
    const state: Record<string, Tensor> = {};
    for (const [name, held] of this.#held) {
      const copy = createTensor(held.core, held.shape);
      copyValues(held.core, held, copy);
      state[name] = copy;
    }
    return state as S;
  }

  /** Copies a state into this object's own memory, which is taken once. */
  set(state: S): void {
    const entries = Object.entries(state);
    this.#fit(entries.map(([name, value]) => [name, value.shape, value.core]));
    for (const [name, value] of entries) copyValues(value.core, value, this.#held?.get(name) as Tensor);
    this.#set = true;
  }

  /**
   * The tensors of the state themselves, of these shapes, for what changes them in place; zeros where there is no state.
   * They are good until the next `set` or `fromArrays` of other shapes, and until `reset` and `dispose`.
   * @throws ShapeError when a state of other names or shapes is held
   * @internal
   */
  inPlace(shapes: ReadonlyMap<string, readonly number[]>, core: Core): ReadonlyMap<string, Tensor> {
    if (!this.#set) {
      this.#fit([...shapes].map(([name, shape]) => [name, shape, core]));
      for (const held of this.#held?.values() ?? []) core.raw.ur_fill(held.pointer, held.size, 0);
      this.#set = true;
    }
    const held = this.#held as Map<string, Tensor>;
    for (const [name, shape] of shapes) {
      const own = held.get(name);
      if (own?.home !== core || !sameShape(own.shape, shape)) {
        throw new ShapeError("CarriedState", `state.${name}`, shape, own?.shape ?? "none");
      }
    }
    return held;
  }

  /** Back to no state. */
  reset(): void {
    this.#set = false;
  }

  /** A plain copy, for checkpoints; undefined where there is no state. */
  toArrays(): Record<string, PlainTensor> | undefined {
    if (!this.#set || this.#held === null) return undefined;
    return Object.fromEntries(
      [...this.#held].map(([name, held]) => [name, { data: held.toArray(), shape: held.shape }]),
    );
  }

  /** The opposite of {@link toArrays}; the values go to `core`. */
  fromArrays(arrays: Record<string, PlainTensor> | undefined, core: Core): void {
    if (arrays === undefined) {
      this.reset();
      return;
    }
    const entries = Object.entries(arrays);
    this.#fit(entries.map(([name, value]) => [name, value.shape, core]));
    for (const [name, { data, shape }] of entries) {
      const held = this.#held?.get(name) as Tensor;
      if (data.length !== held.size)
        throw new ShapeError("CarriedState", `${name} of ${data.length} values`, shape, shape);
      core.f32.set(data, held.pointer >>> 2);
    }
    this.#set = true;
  }

  /** Frees the memory. */
  dispose(): void {
    for (const held of this.#held?.values() ?? []) held.dispose();
    this.#held = null;
    this.#set = false;
  }

  /** The same as {@link dispose}, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Takes memory unless what is held already fits. */
  #fit(wanted: [name: string, shape: readonly number[], core: Core][]): void {
    const held = this.#held;
    const fits = ([name, shape, core]: (typeof wanted)[number]): boolean => {
      const own = held?.get(name);
      return own !== undefined && own.home === core && sameShape(own.shape, shape);
    };
    if (held?.size === wanted.length && wanted.every(fits)) return;
    this.dispose();
    this.#held = new Map(wanted.map(([name, shape, core]) => [name, createPersistent(core, shape)]));
  }
}

function copyValues(core: Core, from: Tensor, to: Tensor): void {
  const source = from.resolve("CarriedState");
  core.u8.copyWithin(to.pointer, source, source + from.size * 4);
}
