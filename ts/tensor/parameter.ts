/** Parameters: the values that training changes. */
import type { Core } from "../core/core.js";
import { ArgumentError, NotInitializedError, ScopeError, ShapeError, UnregisteredParameterError } from "../errors.js";
import { checkShape, Tensor } from "./tensor.js";

/**
 * Fills a fresh parameter. It draws from (`seed`, `stream`), the stream being derived from the parameter's name, so
 * that the order of construction does not matter.
 */
export type Initializer = (parameter: Parameter, seed: number, stream: number) => void;

// One clock for all parameters: a version identifies both the parameter and the write.
let writes = 0;

/** How often parameters have been written, or lost their memory, so far: as long as it stays, all stay. @internal */
export function writeCount(): number {
  return writes;
}

// Only for telling two mistakes apart: declared before the latest init() and yet without a value means unreachable.
let declared = 0;
let declaredAtLatestInit = 0;

/** Notes that an `init()` or a loader visited every parameter it can reach. @internal */
export function noteInitialization(): void {
  declaredAtLatestInit = declared;
}

/**
 * A persistent tensor with a name, a version and an initializer. It holds the canonical row-major value; packed forms
 * derived from it are refreshed when `version` has moved on.
 */
export class Parameter extends Tensor {
  /** Path from the model that was initialised, for example `encoder.weight_ih_l0`. */
  name = "";
  /** Draws the first value; null: zeros. */
  readonly initializer: Initializer | null;
  /** Packed forms for products, [for x.Wt, for dy.W]; made when first needed. @internal */
  readonly packed: [PackedForm | null, PackedForm | null] = [null, null];
  readonly #declared = ++declared;
  #version = 0;

  /**
   * Declares; memory is taken by `init` or a loader.
   * @param initializer how `init` draws it; none leaves zeros
   */
  constructor(shape: readonly number[], initializer: Initializer | null = null) {
    checkShape("Parameter", shape);
    super(null, [...shape], 0, null, null);
    this.initializer = initializer;
    this.requiresGrad = true;
  }

  /** Whether it receives gradients and updates; default true. */
  get trainable(): boolean {
    return this.requiresGrad;
  }

  /** False freezes it. */
  set trainable(value: boolean) {
    this.requiresGrad = value;
  }

  /** A number that is new after every write. */
  get version(): number {
    return this.#version;
  }

  /** Whether it has a value. */
  get initialized(): boolean {
    return this.pointer !== 0;
  }

  override assertAlive(operation: string): void {
    if (this.pointer === 0) this.#missing(operation);
  }

  #missing(operation: string): never {
    const what = `${operation}: parameter ${this.name === "" ? "(without a name)" : this.name} of shape [${this.shape.join(", ")}]`;
    if (this.home !== null) throw new ScopeError(`${what} was used after dispose()`);
    if (this.#declared > declaredAtLatestInit) {
      throw new NotInitializedError(`${what} has no value yet; call model.init({ seed }) or load the model first`);
    }
    throw new UnregisteredParameterError(
      `${what} was used but no init() reached it: hold layers and parameters in public fields or arrays of the model ` +
        "(not in a #private field, Map, Set or getter), and initialise the model that holds them",
    );
  }

  /** Takes memory of a core, zeroed. @internal */
  allocate(core: Core): void {
    if (this.pointer !== 0 && this.home === core) return;
    core.assertUsable();
    this.dispose();
    this.home = core;
    this.pointer = core.alloc(this.size * 4);
    core.watch(this, this.pointer, this.size * 4);
    core.f32.fill(0, this.pointer >>> 2, (this.pointer >>> 2) + this.size);
    this.touch();
  }

  /**
   * Replaces the value by a copy of `values` (row-major).
   * @throws ShapeError when the number of values differs
   */
  write(values: ArrayLike<number>): void {
    const pointer = this.resolve("write");
    if (values.length !== this.size) {
      throw new ShapeError(`parameter ${this.name}`, `an array of ${values.length} values`, this.shape, "another size");
    }
    (this.home as Core).f32.set(values, pointer >>> 2);
    this.touch();
  }

  /** Notes a write that went straight to memory, so that packed forms are made anew. */
  touch(): void {
    this.#version = ++writes;
  }

  /** Pointer of the packed form for y = x.Wt (kind 0) or dx = dy.W (kind 1), refreshed when stale. @internal */
  pack(kind: 0 | 1): number {
    const [rows, columns] = this.shape;
    if (rows === undefined || columns === undefined || this.shape.length !== 2) {
      throw new ArgumentError(`parameter ${this.name}`, "shape", "two-dimensional to be packed", this.shape);
    }
    const pointer = this.resolve("pack");
    const core = this.home as Core;
    let form = this.packed[kind];
    if (form === null) {
      const bytes = core.raw.ur_packed_bytes(kind, rows, columns) >>> 0;
      form = { pointer: core.alloc(bytes), bytes, version: -1 };
      core.watch(form, form.pointer, bytes);
      this.packed[kind] = form;
    }
    if (form.version !== this.version) {
      core.raw.ur_pack(kind, pointer, rows, columns, form.pointer);
      form.version = this.version;
    }
    return form.pointer;
  }

  override dispose(): void {
    this.touch();
    for (const kind of [0, 1] as const) {
      const form = this.packed[kind];
      if (form === null || this.home === null) continue;
      this.home.unwatch(form);
      this.home.free(form.pointer, form.bytes);
      this.packed[kind] = null;
    }
    super.dispose();
  }
}

interface PackedForm {
  readonly pointer: number;
  readonly bytes: number;
  version: number;
}
