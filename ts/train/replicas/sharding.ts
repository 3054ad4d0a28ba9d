/** Cutting batches into shards of rows, and sending shards to other threads. */
import { IGNORED_TARGET } from "../../data/lanes.js";
import { ArgumentError } from "../../errors.js";
import { Ids } from "../../tensor/ids.js";

/** How batches are cut. */
export interface Sharding<B> {
  /** Rows of a batch. */
  rows(batch: B): number;
  /** The rows from `from` up to but without `to`, as a batch; its `count` is that of its own targets. */
  slice(batch: B, from: number, to: number): B;
}

interface RowMajor {
  readonly data: Int32Array | Float32Array;
  readonly shape: readonly number[];
}

/** Ids or a plain tensor. */
function isRowMajor(value: unknown): value is RowMajor {
  if (typeof value !== "object" || value === null) return false;
  const { data, shape } = value as Partial<RowMajor>;
  return ArrayBuffer.isView(data) && Array.isArray(shape);
}

/** Length along the first axis; undefined for what has none. */
function lengthOf(value: unknown): number | undefined {
  if (isRowMajor(value)) return value.shape[0];
  if (Array.isArray(value) || isTypedArray(value)) return value.length;
  return undefined;
}

function isTypedArray(value: unknown): value is Float32Array {
  return ArrayBuffer.isView(value) && !(value instanceof DataView);
}

function sliceOf(value: unknown, rows: number, from: number, to: number): unknown {
  if (lengthOf(value) !== rows) return value;
  if (!isRowMajor(value)) return (value as unknown[]).slice(from, to);
  const { data, shape } = value;
  const row = data.length / rows;
  const part = data.slice(from * row, to * row);
  const partShape = [to - from, ...shape.slice(1)];
  return value instanceof Ids ? new Ids(part as Int32Array, partShape) : { data: part, shape: partShape };
}

/** The targets that count among those of `lanes` and `paddedBatches`. */
function countOf({ targets, lengths }: { readonly targets?: unknown; readonly lengths?: unknown }): number | undefined {
  if (targets instanceof Ids && targets.size > 0) {
    return targets.data.reduce((count, target) => count + (target === IGNORED_TARGET ? 0 : 1), 0);
  }
  return lengths instanceof Int32Array ? lengths.reduce((sum, length) => sum + length, 0) : undefined;
}

/**
 * Batches that are objects with `inputs`, as those of `lanes` and `paddedBatches`: every field of as many rows is cut.
 * And arrays of examples.
 */
export const rowSharding: Sharding<unknown> = {
  rows(batch) {
    const rows = lengthOf(Array.isArray(batch) ? batch : (batch as { inputs?: unknown } | null)?.inputs);
    if (rows === undefined) {
      throw new ArgumentError("replicas", "sharding", "given for batches without rows of inputs", batch);
    }
    return rows;
  },

  slice(batch, from, to) {
    if (Array.isArray(batch)) return batch.slice(from, to);
    const rows = this.rows(batch);
    const fields = Object.entries(batch as object).map(([name, value]) => [name, sliceOf(value, rows, from, to)]);
    const shard = Object.fromEntries(fields) as { count?: unknown; targets?: unknown; lengths?: unknown };
    if (typeof shard.count === "number") shard.count = countOf(shard) ?? shard.count;
    return shard;
  },
};

/** Targets of a batch or a shard of it, or where it does not say, its rows. */
export function weightOf(shard: unknown, rows: number): number {
  const count = typeof shard === "object" && shard !== null ? (shard as { count?: unknown }).count : undefined;
  return typeof count === "number" ? count : rows;
}

/** Ids in a message, which would lose their class. */
interface SentIds {
  readonly unrolledIds: Int32Array;
  readonly shape: readonly number[];
}

/** A batch as a message: plain objects and arrays, in which ids have another form. */
export function toMessage(value: unknown): unknown {
  if (value instanceof Ids) return { unrolledIds: value.data, shape: value.shape } satisfies SentIds;
  return mapped(value, toMessage);
}

/** The opposite of {@link toMessage}. */
export function fromMessage(value: unknown): unknown {
  const { unrolledIds, shape } = (value ?? {}) as Partial<SentIds>;
  if (unrolledIds instanceof Int32Array) return new Ids(unrolledIds, shape);
  return mapped(value, fromMessage);
}

function mapped(value: unknown, change: (value: unknown) => unknown): unknown {
  if (Array.isArray(value)) return value.map(change);
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, change(inner)]));
}
