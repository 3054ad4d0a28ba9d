/** Recurrent state: what goes from one call to the next, explicitly. */
import type { Core } from "../core/core.js";
import { ScopeError, ShapeError } from "../errors.js";
import { currentScope } from "../tensor/scope.js";
import { createPersistent, createTensor, type PlainTensor, sameShape, sizeOf, type Tensor } from "../tensor/tensor.js";

/** State of an Elman network or a GRU. */
export type HiddenState = {
  /** Outputs of the last step, (layers * directions, B, H). */
  readonly h: Tensor;
};

/** State of an LSTM. */
export type LSTMState = {
  /** Outputs of the last step, (layers * directions, B, H or the projection's size). */
  readonly h: Tensor;
  /** Memory after the last step, (layers * directions, B, H). */
  readonly c: Tensor;
};

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
  #core: Core | null = null;
  #now = new Held();
  /** What it was before the work of the core that set it last: a trap in that work brings it back. */
  #before = new Held();
  #work = -1;

  /**
   * The state as tensors of the current scope, without gradient history; undefined before the first `set` and after
   * `reset` (recurrent layers take that as zeros).
   *
   * They are copies: a `set` before the scope ends does not change them, backward may still need them.
   */
  get(): S | undefined {
    const held = this.#current();
    if (held === undefined) return undefined;
    if (currentScope() === null) throw new ScopeError("CarriedState.get: call it inside run, gradients or update");
    const state: Record<string, Tensor> = {};
    for (const [name, own] of held) {
      const copy = createTensor(own.core, own.shape);
      copyValues(own.core, own, copy);
      state[name] = copy;
    }
    return state as S;
  }

  /** Copies a state into this object's own memory, which is taken once. */
  set(state: S): void {
    const entries = Object.entries(state);
    const held = this.#fit(entries.map(([name, value]) => [name, value.shape, value.core]));
    for (const [name, value] of entries) copyValues(value.core, value, held.get(name) as Tensor);
  }

  /**
   * The tensors of the state themselves, of these shapes, for what changes them in place; zeros where there is no state.
   * They are good until the next `set`, `fromArrays`, `reset` or `dispose`; a trap does not undo what is done to them.
   * @throws ShapeError when a state of other names or shapes is held
   * @internal
   */
  inPlace(shapes: ReadonlyMap<string, readonly number[]>, core: Core): ReadonlyMap<string, Tensor> {
    let held = this.#current();
    if (held === undefined) {
      held = this.#fit([...shapes].map(([name, shape]) => [name, shape, core]));
      for (const own of held.values()) core.raw.ur_fill(own.pointer, own.size, 0);
    }
    for (const [name, shape] of shapes) {
      const own = held.get(name);
      if (own?.home !== core || !sameShape(own.shape, shape)) {
        throw new ShapeError("CarriedState", `state.${name}`, shape, own?.shape ?? "none");
      }
    }
    this.#work = -1;
    return held;
  }

  /** Back to no state. */
  reset(): void {
    if (this.#core !== null) this.#next(this.#core).set = false;
  }

  /** A plain copy, for checkpoints; undefined where there is no state. */
  toArrays(): Record<string, PlainTensor> | undefined {
    const held = this.#current();
    if (held === undefined) return undefined;
    return Object.fromEntries([...held].map(([name, own]) => [name, { data: own.toArray(), shape: own.shape }]));
  }

  /** The opposite of {@link toArrays}; the values go to `core`. */
  fromArrays(arrays: Record<string, PlainTensor> | undefined, core: Core): void {
    if (arrays === undefined) {
      this.reset();
      return;
    }
    const entries = Object.entries(arrays);
    for (const [name, { data, shape }] of entries) {
      if (data.length !== sizeOf(shape))
        throw new ShapeError("CarriedState", `${name} of ${data.length} values`, shape, shape);
    }
    const held = this.#fit(entries.map(([name, value]) => [name, value.shape, core]));
    for (const [name, { data }] of entries) core.f32.set(data, (held.get(name) as Tensor).pointer >>> 2);
  }

  /** Frees the memory. */
  dispose(): void {
    this.#now.dispose();
    this.#before.dispose();
    this.#core = null;
  }

  /** The same as {@link dispose}, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** The tensors of the state, undefined when there is none. */
  #current(): ReadonlyMap<string, Tensor> | undefined {
    if (this.#core?.undone(this.#work)) this.#turn(-1);
    return this.#now.set ? this.#now.tensors : undefined;
  }

  /** Where the next state goes; what work before this one has set is kept beside it. */
  #next(core: Core): Held {
    this.#current();
    if (this.#work !== core.work || this.#core !== core) this.#turn(core.work);
    this.#core = core;
    return this.#now;
  }

  #turn(work: number): void {
    [this.#now, this.#before] = [this.#before, this.#now];
    this.#work = work;
  }

  /** Tensors for a state to be set, of memory that is taken unless what is held already fits. */
  #fit(wanted: [name: string, shape: readonly number[], core: Core][]): ReadonlyMap<string, Tensor> {
    const [first] = wanted;
    const next = first === undefined ? this.#now : this.#next(first[2]);
    const fits = ([name, shape, core]: (typeof wanted)[number]): boolean => {
      const own = next.tensors.get(name);
      return own !== undefined && own.home === core && sameShape(own.shape, shape);
    };
    if (next.tensors.size !== wanted.length || !wanted.every(fits)) {
      next.dispose();
      for (const [name, shape, core] of wanted) next.tensors.set(name, createPersistent(core, shape));
    }
    next.set = true;
    return next.tensors;
  }
}

/** Memory of one state. */
class Held {
  readonly tensors = new Map<string, Tensor>();
  /** Whether there is a state in it. */
  set = false;

  dispose(): void {
    for (const tensor of this.tensors.values()) tensor.dispose();
    this.tensors.clear();
    this.set = false;
  }
}

function copyValues(core: Core, from: Tensor, to: Tensor): void {
  const source = from.resolve("CarriedState");
  core.u8.copyWithin(to.pointer, source, source + from.size * 4);
}
