/**
 * What the pages of a Parquet file claim, checked before `hyparquet` acts on it: a damaged or hostile page could otherwise
 * take all memory, which ends the process, or never end.
 * (https://parquet.apache.org/docs/file-format/data-pages, "Run Length Encoding / Bit-Packing Hybrid (RLE = 3)".)
 */
import type { ColumnMetaData, Compressors, SchemaTree } from "hyparquet";
import { DataError } from "../errors.js";
import { checkedCount } from "./table.js";

/** A page may unpack to so many bytes at most; writers make pages of 1 MB. */
const MAX_PAGE = 0x1000_0000;

type PageHeader = ReturnType<typeof import("hyparquet/src/column.js")["parquetHeader"]>;
type ReadHeader = (reader: { view: DataView; offset: number }) => PageHeader;
type Decompress = NonNullable<Compressors[keyof Compressors]>;

/** How deep the values of a column lie: in optional and repeated groups, and in repeated ones. */
interface Levels {
  readonly definition: number;
  readonly repetition: number;
}

/** Checks the pages of one column of one row group, and those that are compressed when they are unpacked. @internal */
export class PageChecker {
  readonly #header: ReadHeader;
  /** Compressed pages in the order they are read, each with the check of what it unpacks to. */
  #expected: ((page: Uint8Array) => void)[] = [];

  constructor(header: ReadHeader) {
    this.#header = header;
  }

  /** The bytes of a column of a row group, before they are read. */
  check(bytes: Uint8Array, column: SchemaTree, { codec, num_values }: ColumnMetaData): void {
    const levels = levelsOf(column);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const reader = { view, offset: 0 };
    let left = checkedCount("values", num_values);
    this.#expected = [];
    while (reader.offset < bytes.length - 1) {
      const header = this.#header(reader);
      const size = checkedCount("bytes in a page", header.compressed_page_size, bytes.length - reader.offset);
      const page = bytes.subarray(reader.offset, reader.offset + size);
      reader.offset += size;
      checkedCount("bytes in a page", header.uncompressed_page_size, MAX_PAGE);
      const v1 = header.data_page_header;
      const v2 = header.data_page_header_v2;
      const values = (v1 ?? v2 ?? header.dictionary_page_header)?.num_values;
      const count = checkedCount("values in a page", values, v1 || v2 ? left : undefined);
      if (v1 || v2) left -= count;
      const content = new PageContent(count, levels);
      if (v2) {
        const start = content.levelsOfV2(page, v2);
        checkedCount("nulls in a page", v2.num_nulls, count);
        this.#unpacked(page.subarray(start), codec, v2.is_compressed === false, (part) =>
          content.values(part, v2.encoding),
        );
      } else if (v1) {
        this.#unpacked(page, codec, false, (part) =>
          content.values(part.subarray(content.levelsOfV1(part)), v1.encoding),
        );
      } else this.#unpacked(page, codec, false, () => {});
    }
  }

  /** Unpacks a page and checks it. */
  unpack(packed: Uint8Array, size: number, decompress: Decompress): Uint8Array {
    const page = decompress(packed, checkedCount("bytes in a page", size, MAX_PAGE));
    const check = this.#expected.shift();
    if (check === undefined) throw new DataError("it has a page more than it had");
    check(page);
    return page;
  }

  #unpacked(page: Uint8Array, codec: string, plain: boolean, check: (page: Uint8Array) => void): void {
    if (plain || codec === "UNCOMPRESSED") check(page);
    else this.#expected.push(check);
  }
}

function levelsOf(column: SchemaTree): Levels {
  let definition = 0;
  let repetition = 0;
  for (let at: SchemaTree | undefined = column; at !== undefined; at = at.children[0]) {
    if (at.element.repetition_type !== "REQUIRED") definition++;
    if (at.element.repetition_type === "REPEATED") repetition++;
  }
  return { definition, repetition };
}

class PageContent {
  readonly #count: number;
  readonly #levels: Levels;

  constructor(count: number, levels: Levels) {
    this.#count = count;
    this.#levels = levels;
  }

  /** Where the values of a page of the first version begin. */
  levelsOfV1(page: Uint8Array): number {
    let offset = 0;
    for (const level of [this.#levels.repetition, this.#levels.definition]) {
      if (level === 0) continue;
      this.#runs(page, offset + 4, 32 - Math.clz32(level));
      offset += 4 + (littleEndian(page, offset) >>> 0);
    }
    return offset;
  }

  levelsOfV2(
    page: Uint8Array,
    sizes: { readonly repetition_levels_byte_length: number; readonly definition_levels_byte_length: number },
  ): number {
    const repetition = checkedCount("bytes of levels", sizes.repetition_levels_byte_length, page.length);
    const definition = checkedCount("bytes of levels", sizes.definition_levels_byte_length, page.length - repetition);
    if (this.#levels.repetition > 0) this.#runs(page, 0, 32 - Math.clz32(this.#levels.repetition));
    if (this.#levels.definition > 0) this.#runs(page, repetition, 32 - Math.clz32(this.#levels.definition));
    return repetition + definition;
  }

  values(page: Uint8Array, encoding: string): void {
    if (encoding === "RLE") this.#runs(page, 4, 1);
    else if (encoding.endsWith("_DICTIONARY")) this.#runs(page, 1, page[0] ?? 0);
    else if (encoding.startsWith("DELTA_")) {
      const [block, next] = varint(page, 0);
      const [parts] = varint(page, next);
      if (!(parts > 0 && parts <= block && block <= 0x1_0000 && block % parts === 0)) {
        throw new DataError(`${parts} parts in a block of ${block} differences`);
      }
    }
  }

  /** Each run of a hybrid of runs and packed bits: none may be longer than all of the values. */
  #runs(page: Uint8Array, start: number, width: number): void {
    for (let offset = start, seen = 0; seen < this.#count && offset < page.length; ) {
      const [header, next] = varint(page, offset);
      const packed = (header & 1) === 1;
      const count = packed ? (header >>> 1) * 8 : header >>> 1;
      if (packed ? count > this.#count + 504 : count > this.#count) {
        throw new DataError(`a run of ${count} values in a page of ${this.#count}`);
      }
      seen += count;
      offset = next + (packed ? (header >>> 1) * width : (width + 7) >>> 3);
    }
  }
}

function littleEndian(bytes: Uint8Array, offset: number): number {
  return (
    (bytes[offset] ?? 0) |
    ((bytes[offset + 1] ?? 0) << 8) |
    ((bytes[offset + 2] ?? 0) << 16) |
    ((bytes[offset + 3] ?? 0) << 24)
  );
}

/** A number of 7 bits a byte, and where the next begins. */
function varint(bytes: Uint8Array, start: number): [value: number, next: number] {
  let value = 0;
  let offset = start;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[offset++];
    if (byte === undefined || shift > 28) throw new DataError("a number goes on past its page");
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return [value >>> 0, offset];
  }
}
