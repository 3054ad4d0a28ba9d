/** Tables as they are read from files of columns, a batch of rows at a time: what `unrolled/arrow` and `unrolled/parquet` share. */
import { DataError, isUnrolledError } from "../errors.js";

/** A value of a table. A list is a typed array where it has one for its items, none of which is null. */
export type TableValue = number | bigint | string | boolean | null | Uint8Array | ColumnValues;

/**
 * The values of a column. Numbers are in a typed array unless one of them is null:
 *
 * | type in the file | values |
 * |---|---|
 * | integers of 8, 16 and 32 bits | `Int8Array`, `Uint8Array`, ... |
 * | integers of 64 bits | `Float64Array`; `BigInt64Array` or `BigUint64Array` with `bigint` |
 * | floats of 16 and 32, of 64 bits | `Float32Array`, `Float64Array` |
 * | dates and timestamps | `Float64Array`, milliseconds since 1970 (UTC) |
 * | booleans, strings (also coded by a dictionary), bytes, nulls | an array of `boolean`, `string`, `Uint8Array`, `null` |
 * | lists, of any of these | an array of such values |
 */
export type ColumnValues = NumberArray | BigInt64Array | BigUint64Array | readonly TableValue[];

type NumberArray =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array;

/** Some rows of a table, column by column. */
export interface TableBatch {
  /** Number of its first row in the table, from 0. */
  readonly start: number;
  /** How many rows it has. */
  readonly rows: number;
  /** The values of each column by its name, in the order of the file; each as long as `rows`. */
  readonly columns: ReadonlyMap<string, ColumnValues>;
}

/** Options of the readers of tables. */
export interface TableOptions {
  /** Names of the columns to read; default all. */
  readonly columns?: readonly string[] | undefined;
  /**
   * Whether integers of 64 bits are bigints. Otherwise they are numbers, and one beyond 2^53 is an error. Default false.
   */
  readonly bigint?: boolean | undefined;
}

/** The rows of a table, each as an object with a property a column. */
export async function* tableRows(
  batches: AsyncIterable<TableBatch>,
): AsyncGenerator<{ readonly [column: string]: TableValue }, void, undefined> {
  for await (const { rows, columns } of batches) {
    for (let row = 0; row < rows; row++) {
      yield Object.fromEntries(Array.from(columns, ([name, values]) => [name, values[row] as TableValue]));
    }
  }
}

/** @internal */
export type NumberArrayType = new (values: ArrayLike<number>) => NumberArray;

/** What the values of a column become. @internal */
export type ColumnType =
  | { readonly kind: "numbers"; readonly array: NumberArrayType }
  | { readonly kind: "int64"; readonly signed: boolean }
  | { readonly kind: "values" }
  | { readonly kind: "lists"; readonly items: ColumnType };

/** Values as a library gives them, as those of a column. @internal */
export function columnValues(values: Iterable<unknown>, type: ColumnType, options: TableOptions): ColumnValues {
  if (type.kind === "lists") {
    return Array.from(values, (list) =>
      list === null || list === undefined ? null : columnValues(list as Iterable<unknown>, type.items, options),
    );
  }
  if (type.kind === "numbers" && values instanceof type.array) return values;
  const plain = Array.from(values, (value) => (value ?? null) as TableValue);
  if (type.kind === "values") return plain;
  if (type.kind === "int64" && options.bigint !== true) {
    plain.forEach((value, index) => {
      if (value !== null) plain[index] = toNumber(value as bigint);
    });
  }
  if (plain.includes(null)) return plain;
  if (type.kind === "numbers") return new type.array(plain as number[]);
  if (options.bigint !== true) return new Float64Array(plain as number[]);
  return type.signed ? new BigInt64Array(plain as bigint[]) : new BigUint64Array(plain as bigint[]);
}

function toNumber(value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) {
    throw new DataError(`${value} is no exact number: read it with { bigint: true }`);
  }
  return number;
}

/** The columns to read, checked against those that there are. @internal */
export function chosenColumns(where: string, names: readonly string[], options: TableOptions): readonly string[] {
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  if (repeated !== undefined) throw new DataError(`${where}: two columns are named ${JSON.stringify(repeated)}`);
  const missing = options.columns?.find((name) => !names.includes(name));
  if (missing !== undefined) {
    throw new DataError(`${where}: no column ${JSON.stringify(missing)}, only ${JSON.stringify(names)}`);
  }
  return options.columns ?? names;
}

/** Rows, and values of a column, in one batch: what a file claims may not be more than memory can hold. */
const MAX_COUNT = 0x100_0000;

/** A count that a file claims. @internal */
export function checkedCount(what: string, claimed: bigint | number | undefined, most = MAX_COUNT): number {
  const count = Number(claimed);
  if (count >= 0 && count <= most) return count;
  throw new DataError(`${what}: ${count}, expected at most ${most}`);
}

/** What a library says is wrong with a file, with where it is. @internal */
export function damaged(where: string, error: unknown): DataError {
  const said = error instanceof Error ? error.message : String(error);
  const found = new DataError(isUnrolledError(error) ? `${where}: ${said}` : `${where} cannot be read: ${said}`);
  found.cause = error;
  return found;
}
