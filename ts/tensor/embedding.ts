/**
 * Rows chosen by ids: embeddings and one-hot vectors.
 *
 * Both are lazy: recurrent layers take the ids and the table themselves (a one-hot product is a row of the weights, and
 * a table smaller than T B is multiplied once), every other operation sees an ordinary tensor, made when first needed.
 */
import type { Core } from "../core/core.js";
import { ArgumentError, DTypeError, ShapeError } from "../errors.js";
import { Ids } from "./ids.js";
import { currentScope, currentTape, releaseScratch } from "./scope.js";
import type { Operation } from "./tape.js";
import { coreOf, currentCore, operand, Tensor } from "./tensor.js";

/** Options of {@link embedding}. */
export interface EmbeddingOptions {
  /** Row of the table that receives no gradient; default none. */
  readonly paddingIndex?: number | undefined;
  /** Divide a row's gradient by how often its id occurs; default false. */
  readonly scaleGradByFrequency?: boolean | undefined;
  /** Name for error messages; default "embedding". @internal */
  readonly where?: string;
}

const Gather: Operation = {
  name: "embedding",
  backward({ inputs, outputs, saved }, tape) {
    const [table, y] = [inputs[0] as Tensor, outputs[0] as Tensor];
    const [ids, paddingIndex, byFrequency] = saved as [number, number, number];
    const [vocabulary, width] = table.shape as [number, number];
    const rows = width === 0 ? 0 : y.size / width;
    const status = tape.core.raw.ur_scatter_add(
      tape.gradient(y),
      ids,
      rows,
      width,
      tape.gradient(table),
      vocabulary,
      paddingIndex,
      byFrequency,
    );
    tape.core.checkStatus(status, "embedding", vocabulary * 4);
  },
};

/** Copies ids into the arena. @internal */
export function writeIds(core: Core, ids: ArrayLike<number>): number {
  const pointer = core.arenaAlloc(ids.length * 4);
  core.i32.set(ids, pointer >>> 2);
  return pointer;
}

/**
 * Rows of a table, or of the identity, that are not copied out until someone needs them.
 * @internal
 */
export class LazyRows extends Tensor {
  /** The table (V, width); null for one-hot rows. */
  readonly table: Tensor | null;
  readonly ids: Ids;
  /** Rows of the table, or classes. */
  readonly vocabulary: number;
  readonly paddingIndex: number;
  readonly byFrequency: boolean;
  #idsPointer = 0;
  #disposed = false;

  constructor(core: Core, table: Tensor | null, ids: Ids, vocabulary: number, options: EmbeddingOptions) {
    const width = table === null ? vocabulary : (table.shape[1] as number);
    super(core, [...ids.shape, width], 0, currentScope(), null);
    this.table = table;
    this.ids = ids;
    this.vocabulary = vocabulary;
    this.paddingIndex = options.paddingIndex ?? -1;
    this.byFrequency = options.scaleGradByFrequency === true;
    this.requiresGrad = currentTape() !== null && table?.requiresGrad === true;
  }

  /** Whether a recurrent layer may use ids and table: not after a copy was made, nor for special gradients. */
  get foldable(): boolean {
    return this.pointer === 0 && this.paddingIndex < 0 && !this.byFrequency;
  }

  /** The ids in the arena, written once in a scope. */
  idsPointer(): number {
    if (this.scope === null) return writeIds(this.home as Core, this.ids.data);
    if (this.#idsPointer === 0) this.#idsPointer = writeIds(this.home as Core, this.ids.data);
    return this.#idsPointer;
  }

  override assertAlive(operation: string): void {
    if (this.#disposed || (this.scope !== null && !this.scope.open)) this.gone(operation);
  }

  override resolve(operation: string): number {
    this.assertAlive(operation);
    if (this.pointer === 0) this.#materialize(operation);
    return this.pointer;
  }

  override dispose(): void {
    super.dispose();
    this.#disposed = this.scope === null;
  }

  #materialize(operation: string): void {
    const core = this.home as Core;
    const { table, vocabulary, ids } = this;
    const from = table === null ? 0 : operand(table, operation, core);
    const bytes = this.size * 4;
    if (this.scope === null) {
      this.pointer = core.alloc(bytes);
      core.watch(this, this.pointer, bytes);
    } else {
      this.pointer = core.arenaAlloc(bytes);
    }
    const chosen = this.idsPointer();
    const width = this.shape[this.shape.length - 1] as number;
    const status =
      table === null
        ? core.raw.ur_one_hot(chosen, ids.size, vocabulary, this.pointer)
        : core.raw.ur_gather(from, chosen, ids.size, width, this.pointer, vocabulary);
    core.checkStatus(status, operation);
    if (this.requiresGrad) {
      currentTape()?.push(Gather, [table], [this], [chosen, this.paddingIndex, this.byFrequency ? 1 : 0]);
    }
    releaseScratch(core);
  }
}

/** @throws DTypeError unless these are ids, ArgumentError naming the first that is not a row */
function checkIds(where: string, ids: Ids, vocabulary: number): void {
  if (!(ids instanceof Ids)) throw new DTypeError(where, "ids", "Ids", ids);
  const { data } = ids;
  for (let i = 0; i < data.length; i++) {
    const id = data[i] as number;
    if (id < 0 || id >= vocabulary) {
      throw new ArgumentError(where, `id at position ${i}`, `from 0 to ${vocabulary - 1}`, id);
    }
  }
}

/**
 * Rows of a table (V, D) chosen by ids of any shape: (..., D). Lazy, see above.
 *
 * @throws ShapeError when the table is not two-dimensional, ArgumentError for an id outside the table
 */
export function embedding(table: Tensor, ids: Ids, options: EmbeddingOptions = {}): Tensor {
  const where = options.where ?? "embedding";
  const core = coreOf(table, where);
  operand(table, where, core);
  if (table.shape.length !== 2) throw new ShapeError(where, "the table", ["V", "D"], table.shape);
  const vocabulary = table.shape[0] as number;
  checkIds(where, ids, vocabulary);
  return new LazyRows(core, table, ids, vocabulary, options);
}

/**
 * One-hot rows: (..., classes), 1 at each id and 0 elsewhere. Lazy, see above.
 *
 * @param core where; default: the core of the current scope
 * @throws ArgumentError for an id that is no class
 */
export function oneHot(ids: Ids, classes: number, core?: Core): Tensor {
  if (!Number.isSafeInteger(classes) || classes < 1) {
    throw new ArgumentError("oneHot", "classes", "an integer of 1 or more", classes);
  }
  checkIds("oneHot", ids, classes);
  return new LazyRows(core ?? currentCore(), null, ids, classes, {});
}
