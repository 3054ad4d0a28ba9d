/**
 * Modules: layers and models, which are classes whose fields are parameters, other modules, or arrays of them.
 *
 * Names come from the enumerable fields in the order they are defined, so that `stateDict()` has PyTorch's keys.
 */
import { type Core, getCore } from "../core/core.js";
import { LoadError, ShapeError } from "../errors.js";
import { type Initializer, noteInitialization, Parameter } from "../tensor/parameter.js";
import { refusePromise, withScope } from "../tensor/scope.js";
import { type PlainTensor, sameShape, Tensor } from "../tensor/tensor.js";

/** Options of {@link Module.init}. */
export interface InitOptions {
  /** Every parameter is drawn from this and its own path; default 0. */
  readonly seed?: number;
  /** Where the values live; default: the default core. */
  readonly core?: Core;
  /** Draws every parameter, in place of each layer's own default. */
  readonly initializer?: Initializer;
}

/** The value of every parameter by its name. Tied parameters appear under each of their names. */
export type StateDict = Map<string, PlainTensor>;

/** What {@link Module.run} makes of a value: tensors become plain arrays, whatever holds them stays what it is. */
export type Plain<T> = T extends Tensor
  ? PlainTensor
  : T extends ReadonlyMap<infer K, infer V>
    ? Map<K, Plain<V>>
    : T extends ArrayBufferView | ((...given: never[]) => unknown)
      ? T
      : T extends object
        ? { [K in keyof T]: Plain<T[K]> }
        : T;

/** The result of a function that does not return a promise: its tensors would be gone before it settles. */
export type Synchronous<R> = R extends PromiseLike<unknown> ? never : R;

/** Base of every layer and model. Constructors only declare; {@link init} or a loader materialises. */
export abstract class Module {
  #path = "";
  #stream = 0;
  #core: Core | null = null;

  /** Path in the model that was initialised; "" for the model itself. */
  get path(): string {
    return this.#path;
  }

  /** What the module's random draws depend on besides seed and update: a hash of its path. @internal */
  get stream(): number {
    return this.#stream;
  }

  /** Name for error messages: path and class, for example `encoder (LSTM)`. @internal */
  get label(): string {
    const kind = this.constructor.name;
    return this.#path === "" ? kind : `${this.#path} (${kind})`;
  }

  /** Every parameter with its name, tied ones once a name. */
  namedParameters(): [name: string, parameter: Parameter][] {
    const found: [string, Parameter][] = [];
    visit(this, "", [], (path, value) => {
      if (value instanceof Parameter) found.push([path, value]);
    });
    return found;
  }

  /** Every parameter once, in the order of the fields. */
  parameters(): Parameter[] {
    return [...new Set(this.namedParameters().map(([, parameter]) => parameter))];
  }

  /** Every module with its path, this one first (path ""). */
  namedModules(): [path: string, module: Module][] {
    const found: [string, Module][] = [];
    visit(this, "", [], (path, value) => {
      if (value instanceof Module) found.push([path, value]);
    });
    return found;
  }

  /** The core that holds the parameters; the default core while there are none. */
  get core(): Core {
    return this.#core ?? this.parameters().find((parameter) => parameter.initialized)?.core ?? getCore();
  }

  /** Gives every parameter memory and its first value. */
  init(options: InitOptions = {}): this {
    this.allocate(options.core);
    const seed = options.seed ?? 0;
    for (const parameter of this.parameters()) {
      (options.initializer ?? parameter.initializer)?.(parameter, seed, hashPath(parameter.name));
      parameter.touch();
    }
    return this;
  }

  /** Gives names and memory (zeros) to everything that has none, as loaders need it. @internal */
  allocate(core: Core = this.core): void {
    for (const [path, module] of this.namedModules()) {
      module.#path = path;
      module.#stream = hashPath(path);
      module.#core = core;
    }
    const named = new Set<Parameter>();
    for (const [name, parameter] of this.namedParameters()) {
      if (!named.has(parameter)) parameter.name = name;
      named.add(parameter);
      parameter.allocate(core);
    }
    noteInitialization();
  }

  /** A copy of every value. */
  stateDict(): StateDict {
    return new Map(
      this.namedParameters().map(([name, parameter]) => [name, { data: parameter.toArray(), shape: parameter.shape }]),
    );
  }

  /**
   * Replaces the values by copies. Everything is checked before anything is written.
   *
   * @param options.strict default true: names must be the same on both sides; otherwise the common ones are loaded
   * @throws LoadError (missing_tensor, unexpected_tensor, value: two different values for tied parameters), ShapeError
   */
  loadStateDict(
    dict: ReadonlyMap<string, { readonly data: ArrayLike<number>; readonly shape: readonly number[] }>,
    options: { readonly strict?: boolean; readonly core?: Core } = {},
  ): this {
    const strict = options.strict ?? true;
    const chosen = new Map<Parameter, { name: string; data: ArrayLike<number> }>();
    const named = this.namedParameters();
    for (const [name, parameter] of named) {
      const value = dict.get(name);
      if (value === undefined) continue;
      if (!sameShape(value.shape, parameter.shape)) {
        throw new ShapeError("loadStateDict", name, parameter.shape, value.shape);
      }
      if (value.data.length !== parameter.size) {
        throw new ShapeError("loadStateDict", `${name} with ${value.data.length} values`, parameter.shape, value.shape);
      }
      const other = chosen.get(parameter);
      if (other !== undefined && !sameValues(other.data, value.data)) {
        throw new LoadError("value", `loadStateDict: ${other.name} and ${name} are one parameter but have two values`);
      }
      chosen.set(parameter, { name, data: value.data });
    }
    if (strict) {
      const missing = named.filter(([, parameter]) => !chosen.has(parameter)).map(([name]) => name);
      if (missing.length > 0) throw new LoadError("missing_tensor", `loadStateDict: ${missing.join(", ")} missing`);
      const names = new Set(named.map(([name]) => name));
      const unexpected = [...dict.keys()].filter((name) => !names.has(name));
      if (unexpected.length > 0) {
        throw new LoadError("unexpected_tensor", `loadStateDict: no parameter is named ${unexpected.join(", ")}`);
      }
    }
    this.allocate(options.core);
    for (const [parameter, { data }] of chosen) parameter.write(data);
    return this;
  }

  /**
   * Runs `fn` without gradients and without dropout. Tensors in its result, however nested, come back as plain arrays
   * (`{ data, shape }`): nothing to dispose of.
   *
   * @throws PromiseInUpdateError when `fn` returns a promise
   */
  run<R>(fn: (model: this) => Synchronous<R>): Plain<R> {
    const where = `${this.label}.run`;
    return withScope(this.core, null, where, () => {
      const result = fn(this);
      refusePromise(result, where);
      return plain(result);
    }) as Plain<R>;
  }

  /** Frees every parameter and what was derived from it. */
  dispose(): void {
    for (const [, module] of this.namedModules()) module.release();
    for (const parameter of this.parameters()) parameter.dispose();
  }

  /** The same as {@link dispose}, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Frees memory of this module other than parameters. */
  protected release(): void {
    // Most modules own nothing else.
  }
}

/** Calls `found` for every module and parameter below `value`, in the order of the fields. */
function visit(value: unknown, path: string, above: Module[], found: (path: string, value: object) => void): void {
  if (value instanceof Parameter) {
    found(path, value);
  } else if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) visit(value[i], `${path}.${i}`, above, found);
  } else if (value instanceof Module && !above.includes(value)) {
    found(path, value);
    const inside = [...above, value];
    for (const [field, inner] of Object.entries(value)) {
      if (typeof inner === "object") visit(inner, path === "" ? field : `${path}.${field}`, inside, found);
    }
  }
}

/** The stream of random draws of a path: FNV-1a over UTF-16 code units; 32 bits. @internal */
export function hashPath(path: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < path.length; i++) hash = Math.imul(hash ^ path.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

function sameValues(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  for (let i = 0; i < a.length; i++) if (!Object.is(a[i], b[i])) return false;
  return true;
}

function plain(value: unknown): unknown {
  if (value instanceof Tensor) return { data: value.toArray(), shape: value.shape };
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return value;
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Map) return new Map([...value].map(([key, inner]) => [key, plain(inner)]));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}
