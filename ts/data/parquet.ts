/**
 * The entry `unrolled/parquet`: tables in Apache Parquet files (https://parquet.apache.org/docs/file-format), read by the
 * package `hyparquet`, a row group at a time.
 */
import type { Compressors, ParquetParsers, SchemaTree } from "hyparquet";
import { DataError, isUnrolledError, MissingPackageError } from "../errors.js";
import { PageChecker } from "./parquet-pages.js";
import {
  type ColumnType,
  checkedCount,
  chosenColumns,
  columnValues,
  damaged,
  type TableBatch,
  type TableOptions,
} from "./table.js";

export { type ColumnValues, type TableBatch, type TableOptions, type TableValue, tableRows } from "./table.js";

/**
 * A file of which any part can be read: its bytes; a `Blob` or `File` (in Node from `openAsBlob`); or any object like
 * one, whose `slice(start, end)` gives the bytes from `start` to before `end`.
 */
export type ParquetSource = Uint8Array | Blob | ParquetParts;

/** A file that is read in parts. */
export interface ParquetParts {
  /** Its size. */
  readonly byteLength: number;
  /** The bytes from `start` to before `end`, or to the end. */
  slice(start: number, end?: number): ArrayBuffer | Promise<ArrayBuffer>;
}

type Parts = { readonly byteLength: number; slice(start: number, end?: number): Promise<ArrayBuffer> };

/**
 * The rows of a Parquet file, a row group at a time: memory holds one, and of a `Blob` or another source of parts only
 * the columns that are read.
 *
 * It needs the packages `hyparquet` and, for files compressed otherwise than with Snappy, `hyparquet-compressors` (gzip, zstd, LZ4; pages
 * compressed with Brotli are not read).
 * @throws MissingPackageError when one of them is not installed
 * @throws DataError naming row group and column: damage; records, maps, decimals and times of day, which are not read;
 *   an integer that is no exact number, without `bigint`; a column that is not there
 */
export async function* readParquet(
  source: ParquetSource,
  options: TableOptions = {},
): AsyncGenerator<TableBatch, void, undefined> {
  const [{ parquetMetadataAsync, parquetScan, parquetSchema, snappyUncompress }, { parquetHeader }] = await Promise.all(
    [import("hyparquet"), import("hyparquet/src/column.js")],
  ).catch(() => {
    throw new MissingPackageError("readParquet", "hyparquet");
  });
  const file = parts(source);
  const metadata = await parquetMetadataAsync(file, { geoparquet: false }).catch((error: unknown) => {
    throw damaged("readParquet: the file's metadata", error);
  });
  const types = schemaTypes(() => parquetSchema(metadata).children, options);
  const checker = new PageChecker(parquetHeader);
  const compressors: Compressors = {};
  const unpackers: Compressors = { SNAPPY: (packed, size) => unpackSnappy(snappyUncompress, packed, size) };
  if (metadata.row_groups.some(({ columns }) => columns.some(({ meta_data }) => !isPlain(meta_data?.codec)))) {
    const { compressors: others } = await import("hyparquet-compressors").catch(() => {
      throw new MissingPackageError("readParquet", "hyparquet-compressors");
    });
    // The package's decompressor of Brotli does not end on some damaged pages.
    Object.assign(unpackers, { ...others, ...unpackers, BROTLI: undefined });
  }
  for (const [codec, unpack] of Object.entries(unpackers)) {
    if (unpack === undefined) continue;
    compressors[codec as keyof Compressors] = (packed, size) => checker.unpack(packed, size, unpack);
  }
  const scan = await parquetScan({ file, metadata, compressors, parsers, utf8: false, useOffsetIndex: false });
  let start = 0;
  for (const [group, { num_rows, columns: chunks }] of metadata.row_groups.entries()) {
    const where = `readParquet: row group ${group}`;
    const rows = checkedCount(`readParquet: row group ${group}: its rows`, num_rows);
    const columns = new Map<string, ReturnType<typeof columnValues>>();
    for (const [name, { tree, type }] of types) {
      try {
        const chunk = chunks.find(({ meta_data }) => meta_data?.path_in_schema[0] === name)?.meta_data;
        if (chunk === undefined) throw new DataError("it is missing");
        const begin = Number(chunk.dictionary_page_offset || chunk.data_page_offset);
        const end = begin + Number(chunk.total_compressed_size);
        checker.check(new Uint8Array(await file.slice(begin, end)), tree, chunk);
        const read = rows === 0 ? [] : await scan.readColumn({ column: name, rowStart: start, rowEnd: start + rows });
        if (read.length !== rows) throw new DataError(`${read.length} values for ${rows} rows`);
        columns.set(name, columnValues(read, type, options));
      } catch (error) {
        throw damaged(`${where}, column ${quoted(name)}`, error);
      }
    }
    yield { start, rows, columns };
    start += rows;
  }
}

/** Times as milliseconds, text checked; the others are those of hyparquet. */
const parsers: Partial<ParquetParsers> = {
  timestampFromMilliseconds: Number,
  timestampFromMicroseconds: (time: bigint) => Number(time) / 1e3,
  timestampFromNanoseconds: (time: bigint) => Number(time) / 1e6,
  dateFromDays: (days: number) => days * 86_400_000,
  stringFromBytes: text,
  jsonFromBytes: text,
};

function text(bytes: Uint8Array | undefined): string | undefined {
  return bytes && new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
}

function quoted(name: string | undefined): string {
  return JSON.stringify(name ?? "");
}

function isPlain(codec: string | undefined): boolean {
  return codec === "UNCOMPRESSED" || codec === "SNAPPY";
}

function unpackSnappy(unpack: (packed: Uint8Array, to: Uint8Array) => void, packed: Uint8Array, size: number) {
  const page = new Uint8Array(size);
  unpack(packed, page);
  return page;
}

/** Where in the file a part lies comes from the file: a part that is not in it is refused. */
function parts(source: ParquetSource): Parts {
  const byteLength = source instanceof Blob ? source.size : source.byteLength;
  return {
    byteLength,
    async slice(start, end = byteLength) {
      if (!(start >= 0 && start <= end && end <= byteLength)) {
        throw new DataError(`bytes ${start} to ${end} of a file of ${byteLength}: it was cut short or is damaged`);
      }
      if (source instanceof Blob) return source.slice(start, end).arrayBuffer();
      if (source instanceof Uint8Array) return source.slice(start, end).buffer as ArrayBuffer;
      return source.slice(start, end);
    },
  };
}

const INTEGERS = {
  INT_8: Int8Array,
  INT_16: Int16Array,
  INT_32: Int32Array,
  UINT_8: Uint8Array,
  UINT_16: Uint16Array,
  UINT_32: Uint32Array,
};

type ReadColumn = readonly [name: string, { readonly tree: SchemaTree; readonly type: ColumnType }];

/** The columns to read, and what they become. */
function schemaTypes(schema: () => readonly SchemaTree[], options: TableOptions): readonly ReadColumn[] {
  try {
    const columns = new Map(schema().map((column) => [column.element.name, column]));
    const names = chosenColumns("readParquet", Array.from(columns.keys()), options);
    return names.map((name) => {
      const tree = columns.get(name) as SchemaTree;
      return [name, { tree, type: columnType(tree) }];
    });
  } catch (error) {
    throw isUnrolledError(error) ? error : damaged("readParquet: the file's schema", error);
  }
}

/** What a column of a schema becomes; its lists are nested groups, of which one is repeated. */
function columnType(column: SchemaTree): ColumnType {
  const { element, children } = column;
  const annotation = element.logical_type?.type ?? element.converted_type;
  if (children.length > 0) {
    const repeated = element.repetition_type === "REPEATED";
    const [child, other] = children;
    if (child === undefined || other !== undefined || (annotation !== "LIST" && !repeated))
      throw notRead(column, "record");
    return repeated ? { kind: "lists", items: columnType(child) } : columnType(child);
  }
  const type = leafType(column, annotation);
  return element.repetition_type === "REPEATED" ? { kind: "lists", items: type } : type;
}

function leafType(column: SchemaTree, annotation: string | undefined): ColumnType {
  const { type, converted_type } = column.element;
  if (
    annotation === "DECIMAL" ||
    annotation === "INTERVAL" ||
    annotation?.startsWith("TIME_") ||
    annotation === "TIME"
  ) {
    throw notRead(column, annotation);
  }
  if (annotation === "DATE" || annotation?.startsWith("TIMESTAMP") || type === "INT96" || type === "DOUBLE") {
    return { kind: "numbers", array: Float64Array };
  }
  if (type === "INT32") {
    return { kind: "numbers", array: INTEGERS[converted_type as keyof typeof INTEGERS] ?? Int32Array };
  }
  if (type === "INT64") return { kind: "int64", signed: converted_type !== "UINT_64" };
  if (type === "FLOAT" || annotation === "FLOAT16") return { kind: "numbers", array: Float32Array };
  return { kind: "values" };
}

function notRead(column: SchemaTree, what: string): DataError {
  return new DataError(
    `readParquet: column ${quoted(column.path[0])} holds what is not read (${what}): leave it out with columns`,
  );
}
