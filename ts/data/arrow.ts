/**
 * The entry `unrolled/arrow`: tables in files and streams of Apache Arrow
 * (https://arrow.apache.org/docs/format/Columnar.html, "Serialization and Interprocess Communication"), which Feather 2 is
 * too, read by the package `apache-arrow`, a record batch at a time.
 */
import type { Data, DataType, Field, Vector } from "apache-arrow";
import { DataError, DTypeError, MissingPackageError } from "../errors.js";
import { checkMessage } from "./arrow-messages.js";
import { type ByteSource, bytePieces } from "./byte-source.js";
import {
  type ColumnType,
  checkedCount,
  chosenColumns,
  columnValues,
  damaged,
  type NumberArrayType,
  type TableBatch,
  type TableOptions,
} from "./table.js";
import { joined } from "./text-source.js";

export { type ColumnValues, type TableBatch, type TableOptions, type TableValue, tableRows } from "./table.js";

/** What {@link readArrow} reads. */
export type ArrowSource = ByteSource;

type Arrow = typeof import("apache-arrow");

/**
 * The rows of an Arrow file or stream, a record batch at a time: memory holds one and the dictionaries, however long the
 * file is.
 *
 * It needs the package `apache-arrow`. Compressed batches need a codec, which `compressionRegistry` of that package takes.
 * @throws MissingPackageError when it is not installed
 * @throws DataError naming record batch and column: damage; records, maps, unions, decimals, intervals and times of day,
 *   which are not read; an integer that is no exact number, without `bigint`; a column that is not there
 */
export async function* readArrow(
  source: ArrowSource,
  options: TableOptions = {},
): AsyncGenerator<TableBatch, void, undefined> {
  const arrow = await import("apache-arrow").catch(() => {
    throw new MissingPackageError("readArrow", "apache-arrow");
  });
  const bytes = new ArrowBytes(source);
  const opened = await open(arrow, bytes).catch((error: unknown) => {
    throw damaged("readArrow: the schema", error);
  });
  const { reader, fields } = opened;
  const names = chosenColumns(
    "readArrow",
    fields.map(({ name }) => name),
    options,
  );
  const chosen = names.map((name) => {
    const index = fields.findIndex((field) => field.name === name);
    try {
      return { name, index, type: columnType(arrow, (fields[index] as Field).type) };
    } catch (error) {
      throw damaged(`readArrow: column ${JSON.stringify(name)}`, error);
    }
  });
  let start = 0;
  try {
    for (let number = 0; ; number++) {
      const where = `readArrow: record batch ${number}`;
      const read = await reader.next().catch((error: unknown) => {
        throw damaged(where, error);
      });
      if (read.done === true) break;
      const batch = read.value;
      const rows = checkedCount(`${where}: rows`, batch.numRows);
      const columns = new Map<string, ReturnType<typeof columnValues>>();
      for (const { name, index, type } of chosen) {
        try {
          const vector = batch.getChildAt(index);
          if (vector === null || vector.length !== rows)
            throw new DataError(`${vector?.length} values for ${rows} rows`);
          for (const data of vector.data) checkData(arrow, data);
          columns.set(name, columnValues(plainValues(vector, type), type, options));
        } catch (error) {
          throw damaged(`${where}, column ${JSON.stringify(name)}`, error);
        }
      }
      yield { start, rows, columns };
      start += rows;
    }
    await bytes.end();
  } finally {
    await reader.cancel();
  }
}

async function open(arrow: Arrow, bytes: ArrowBytes) {
  const reader = await arrow.RecordBatchReader.from(bytes.stream());
  await reader.open();
  if (reader.schema === undefined) throw new DataError("the file has none: it is empty, cut short or no Arrow file");
  return { reader, fields: reader.schema.fields as readonly Field[] };
}

/** Bytes of the metadata of a message, at most; a table of a thousand columns has some 100 kB. */
const MAX_METADATA = 0x100_0000;

const MAGIC = Uint8Array.from("ARROW1", (character) => character.charCodeAt(0));

function littleEndian(bytes: Uint8Array): number {
  return bytes.length < 4 ? 0 : new DataView(bytes.buffer, bytes.byteOffset).getInt32(0, true);
}

function startsWith(bytes: Uint8Array, beginning: Uint8Array): boolean {
  return beginning.every((byte, index) => bytes[index] === byte);
}

/** A file is a stream between a beginning of 8 bytes, the magic word and padding, and an end with the word again. */
class ArrowBytes {
  readonly #pieces: AsyncIterator<Uint8Array>;
  #isFile = false;
  #held: Uint8Array = new Uint8Array(0);
  #tail: Uint8Array = new Uint8Array(0);

  constructor(source: ArrowSource) {
    this.#pieces = bytePieces(source);
  }

  /** The stream, in which no message is passed on unchecked. */
  async *stream(): AsyncGenerator<Uint8Array, void, undefined> {
    const first = await this.#take(8);
    this.#isFile = startsWith(first, MAGIC);
    if (!this.#isFile) this.#held = joined(first, this.#held);
    for (;;) {
      const mark = await this.#take(4);
      yield mark;
      const size = littleEndian(mark) === -1 ? await this.#take(4) : mark;
      if (size !== mark) yield size;
      const length = littleEndian(size);
      if (size.length < 4 || length === 0) return;
      if (!(length > 0 && length <= MAX_METADATA)) throw new DataError(`a message of ${length} bytes`);
      const metadata = await this.#take(length);
      let body = metadata.length === length ? checkMessage(metadata) : 0;
      yield metadata;
      while (body > 0) {
        const part = await this.#take(1, body);
        if (part.length === 0) return;
        yield part;
        body -= part.length;
      }
    }
  }

  /** After the stream: whether a file is whole. */
  async end(): Promise<void> {
    if (!this.#isFile) return;
    while ((await this.#next()) !== undefined) {}
    if (!startsWith(this.#tail, MAGIC))
      throw new DataError("readArrow: the file does not end as it should: it was cut short");
  }

  /** At least so many bytes, or what is left; at most so many. */
  async #take(least: number, most = least): Promise<Uint8Array> {
    while (this.#held.length < least) {
      const piece = await this.#next();
      if (piece === undefined) break;
      this.#held = joined(this.#held, piece);
    }
    const taken = this.#held.subarray(0, most);
    this.#held = this.#held.subarray(taken.length);
    return taken;
  }

  async #next(): Promise<Uint8Array | undefined> {
    const { done, value } = await this.#pieces.next();
    if (done === true) return undefined;
    if (!(value instanceof Uint8Array)) throw new DTypeError("readArrow", "every piece", "Uint8Array", value);
    this.#tail = joined(this.#tail, value.subarray(-MAGIC.length)).slice(-MAGIC.length);
    return value;
  }
}

/** What the library takes for granted: that what a vector says of itself is in its buffers. */
function checkData(arrow: Arrow, data: Data): void {
  const { type, length, valueOffsets, children, dictionary } = data;
  const need = (what: string, have: number | undefined, wanted: number) => {
    if (!((have ?? 0) >= wanted)) throw new DataError(`${have ?? 0} ${what}, expected ${wanted}`);
  };
  const { DataType } = arrow;
  if (data.nullCount > 0 && !DataType.isNull(type)) need("bits of its nulls", data.nullBitmap?.length * 8, length);
  if (DataType.isBool(type)) need("bits", data.values?.length * 8, length);
  else if (DataType.isList(type) || DataType.isLargeList(type) || isVariable(arrow, type)) {
    need("offsets", valueOffsets?.length, length === 0 ? 0 : length + 1);
    for (let item = 0; item < length; item++)
      need("as an offset", Number(valueOffsets[item + 1]), Number(valueOffsets[item]));
    const items = isVariable(arrow, type) ? data.values?.length : children[0]?.length;
    if (length > 0) need("values", items, Number(valueOffsets[length]));
    if (length > 0) need("as its first offset", Number(valueOffsets[0]), 0);
  } else if (DataType.isFixedSizeList(type)) need("values", children[0]?.length, length * type.listSize);
  else if (!DataType.isNull(type)) need("values", data.values?.length, length * data.stride);
  if (DataType.isDictionary(type)) {
    if (dictionary === undefined) throw new DataError("its dictionary is missing");
    const nulls = data.nullCount > 0;
    for (let item = 0; item < length; item++) {
      const index = Number(data.values[item]);
      if (!(index >= 0 && index < dictionary.length) && !(nulls && !data.getValid(item))) {
        throw new DataError(`entry ${index} of a dictionary of ${dictionary.length}`);
      }
    }
    for (const part of dictionary.data) checkData(arrow, part);
  }
  for (const child of children) checkData(arrow, child);
}

function isVariable({ DataType }: Arrow, type: DataType): boolean {
  return DataType.isUtf8(type) || DataType.isLargeUtf8(type) || DataType.isBinary(type) || DataType.isLargeBinary(type);
}

/** The values of a vector, at once where they are in one array already. */
function plainValues(vector: Vector, type: ColumnType): Iterable<unknown> {
  if (type.kind !== "numbers" || vector.nullCount > 0) return vector;
  const values: unknown = vector.toArray();
  // A copy: the array is a part of the batch, which would be kept as long as the column.
  return values instanceof type.array ? values.slice() : vector;
}

function columnType(arrow: Arrow, type: DataType): ColumnType {
  const { DataType, Precision } = arrow;
  if (DataType.isDictionary(type)) return columnType(arrow, type.dictionary);
  if (DataType.isList(type) || DataType.isLargeList(type) || DataType.isFixedSizeList(type)) {
    return { kind: "lists", items: columnType(arrow, type.valueType) };
  }
  if (DataType.isInt(type)) {
    return type.bitWidth === 64
      ? { kind: "int64", signed: type.isSigned }
      : { kind: "numbers", array: type.ArrayType as NumberArrayType };
  }
  if (DataType.isFloat(type)) {
    return { kind: "numbers", array: type.precision === Precision.DOUBLE ? Float64Array : Float32Array };
  }
  if (DataType.isDate(type) || DataType.isTimestamp(type)) return { kind: "numbers", array: Float64Array };
  if (DataType.isBool(type) || DataType.isNull(type) || DataType.isFixedSizeBinary(type) || isVariable(arrow, type)) {
    return { kind: "values" };
  }
  throw new DataError(`it holds what is not read (${type}): leave it out with columns`);
}
