import { openAsBlob, readFileSync } from "node:fs";
import { CompressionType, compressionRegistry } from "apache-arrow";
import { compressors } from "hyparquet-compressors";
import { afterEach, describe, expect, it, vi } from "vitest";
import { type ArrowSource, readArrow } from "../../ts/data/arrow.js";
import { readParquet } from "../../ts/data/parquet.js";
import { type TableBatch, type TableOptions, tableRows } from "../../ts/data/table.js";
import { DataError } from "../../ts/errors.js";

const path = (name: string) => new URL(`../fixtures/tables/${name}`, import.meta.url);
const bytesOf = (name: string) => new Uint8Array(readFileSync(path(name)));
/** What pyarrow reads from the same tables. */
const expected = JSON.parse(readFileSync(path("expected.json"), "utf8")) as { [column: string]: unknown[] };
const small = ["int32", "int64", "float32", "missing", "string", "tokens", "ids"];

type Reader = (source: Uint8Array, options?: TableOptions) => AsyncGenerator<TableBatch, void, undefined>;

async function all(batches: AsyncIterable<TableBatch>): Promise<TableBatch[]> {
  const found: TableBatch[] = [];
  for await (const batch of batches) found.push(batch);
  return found;
}
/** Typed arrays, at any depth, as arrays. */
function plain(value: unknown): unknown {
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<unknown>);
  return Array.isArray(value) ? value.map(plain) : value;
}
/** Columns over all batches; singles as the float32 they are. */
function together(batches: readonly TableBatch[]): { [column: string]: unknown[] } {
  const names = Array.from(batches[0]?.columns.keys() ?? []);
  return Object.fromEntries(
    names.map((name) => [name, batches.flatMap(({ columns }) => plain(columns.get(name)) as unknown[])]),
  );
}
const some = (names: readonly string[]) =>
  Object.fromEntries(
    names.map((name) => [
      name,
      name === "float32" ? expected[name]!.map((v) => Math.fround(v as number)) : expected[name],
    ]),
  );
const message = (batches: AsyncIterable<TableBatch>) =>
  all(batches).then(
    () => "no error",
    (error: Error) => (error instanceof DataError ? error.message : `not a DataError: ${error.stack}`),
  );

describe.each([
  ["readParquet", readParquet as Reader, "plain.parquet", "odd.parquet"],
  ["readArrow of a file", readArrow as Reader, "table.arrow", "odd.arrows"],
  ["readArrow of a stream", readArrow as Reader, "table.arrows", "odd.arrows"],
])("%s", (_, read, table, odd) => {
  it("gives what pyarrow reads, batch by batch", async () => {
    const batches = await all(read(bytesOf(table)));
    expect(batches.map(({ start, rows }) => [start, rows])).toEqual([
      [0, 4],
      [4, 3],
    ]);
    expect(together(batches)).toEqual(some(Object.keys(expected)));
    for (const { rows, columns } of batches) for (const values of columns.values()) expect(values.length).toBe(rows);
  });

  it("gives numbers without nulls as typed arrays, lists of them too", async () => {
    const [{ columns }] = (await all(read(bytesOf(table)))) as [TableBatch];
    const kinds = Array.from(columns, ([name, values]) => [name, values.constructor.name]);
    expect(Object.fromEntries(kinds)).toEqual({
      int8: "Int8Array",
      uint8: "Uint8Array",
      int16: "Int16Array",
      uint16: "Uint16Array",
      int32: "Int32Array",
      uint32: "Uint32Array",
      int64: "Float64Array",
      uint64: "Float64Array",
      float16: "Float32Array",
      float32: "Float32Array",
      float64: "Float64Array",
      missing: "Array",
      bool: "Array",
      string: "Array",
      binary: "Array",
      date: "Array",
      time: "Float64Array",
      tag: "Array",
      tokens: "Array",
      ids: "Array",
      windows: "Array",
      vector: "Array",
      nothing: "Array",
    });
    const first = (name: string) => columns.get(name)![0]!.constructor.name;
    expect(["binary", "tokens", "ids", "vector"].map(first)).toEqual([
      "Uint8Array",
      "Array",
      "Float64Array",
      "Float32Array",
    ]);
    expect((columns.get("windows") as Float32Array[][])[0]![1]).toEqual(Float32Array.of(3.5));
  });

  it("reads the columns asked for, and rows", async () => {
    const batches = read(bytesOf(table), { columns: ["tag", "int32"] });
    const rows: unknown[] = [];
    for await (const row of tableRows(batches)) rows.push(row);
    expect(rows).toEqual(expected["tag"]!.map((tag, row) => ({ tag, int32: expected["int32"]![row] })));
    expect(await message(read(bytesOf(table), { columns: ["none"] }))).toContain('no column "none", only ["int8",');
  });

  it("reads large integers as bigints, and otherwise names the one that is no exact number", async () => {
    const [{ columns }] = (await all(read(bytesOf(odd), { columns: ["big"], bigint: true }))) as [TableBatch];
    expect(columns.get("big")).toEqual(BigInt64Array.of(1n, 2n ** 53n));
    expect(await message(read(bytesOf(odd), { columns: ["big"] }))).toMatch(
      /(row group|record batch) 0, column "big": 9007199254740992 is no exact number/,
    );
    const [ids] = (await all(read(bytesOf(table), { columns: ["uint64", "ids"], bigint: true }))) as [TableBatch];
    expect(ids.columns.get("uint64")).toEqual(BigUint64Array.from(expected["uint64"]!.slice(0, 4) as number[], BigInt));
    expect(ids.columns.get("ids")?.[0]).toEqual(BigInt64Array.of(3n, 1n, 4n));
  });

  it("says which columns it does not read", async () => {
    for (const name of ["record", "decimal"]) {
      expect(await message(read(bytesOf(odd), { columns: [name] }))).toMatch(
        new RegExp(`column "${name}".* holds what is not read`),
      );
    }
  });

  it("refuses files cut anywhere", async () => {
    const whole = bytesOf(table);
    const complete = together(await all(read(whole)));
    for (let length = 0; length < whole.length; length += 41) {
      const found: TableBatch[] = [];
      let refused = "";
      try {
        for await (const batch of read(whole.slice(0, length))) found.push(batch);
      } catch (error) {
        refused = error instanceof DataError ? error.message : String(error);
      }
      // A stream may end after any of its batches.
      if (!table.endsWith("s")) expect(`${length}: ${refused}`).toMatch(/^\d+: read(Parquet|Arrow): /);
      else expect(refused).toMatch(/^(readArrow: |$)/);
      for (const [name, values] of Object.entries(together(found))) {
        expect(values).toEqual(complete[name]!.slice(0, values.length));
      }
    }
  });
});

describe("readParquet", () => {
  it("reads or refuses files damaged at any byte", async () => {
    for (const name of ["plain.parquet", "required.parquet", "snappy.parquet"]) {
      const whole = bytesOf(name);
      for (let at = 0; at < whole.length; at += 37) {
        const bytes = whole.slice();
        bytes[at]! ^= 1 << (at % 8);
        expect(`${at}: ${await message(readParquet(bytes))}`).toMatch(/^\d+: (no error$|readParquet: )/);
      }
    }
  });

  it.each(["snappy", "gzip", "zstd", "lz4"])("reads pages compressed by %s", async (codec) => {
    expect(together(await all(readParquet(bytesOf(`${codec}.parquet`))))).toEqual(some(small));
  });

  it("refuses pages compressed by Brotli", async () => {
    expect(await message(readParquet(bytesOf("brotli.parquet")))).toMatch(
      /^readParquet: row group 0, column "int32" cannot be read: .*BROTLI/,
    );
  });

  it("reads pages of the second version, newer encodings and columns without nulls", async () => {
    const names = ["int32", "int64", "float32", "ids"];
    expect(together(await all(readParquet(bytesOf("required.parquet"))))).toEqual(some(names));
  });

  it("reads blobs and other sources of parts, only what it needs", async () => {
    const bytes = bytesOf("plain.parquet");
    let read = 0;
    const source = {
      byteLength: bytes.length,
      slice(start: number, end?: number) {
        const part = bytes.slice(start, end);
        read += part.length;
        return Promise.resolve(part.buffer);
      },
    };
    for (const from of [await openAsBlob(path("plain.parquet")), source]) {
      expect(together(await all(readParquet(from, { columns: ["tokens"] })))).toEqual(some(["tokens"]));
    }
    // The metadata is read whole, from the end.
    expect(read).toBeLessThan(bytes.length * 2);
  });
});

describe("readArrow", () => {
  it("reads or refuses files damaged at any byte", async () => {
    for (const name of ["table.arrow", "table.arrows"]) {
      const whole = bytesOf(name);
      for (let at = 0; at < whole.length; at += 37) {
        const bytes = whole.slice();
        bytes[at]! ^= 1 << (at % 8);
        expect(`${at}: ${await message(readArrow(bytes))}`).toMatch(/^\d+: (no error$|readArrow: )/);
      }
    }
  });

  it("reads pieces of any size, streams and blobs", async () => {
    for (const name of ["table.arrow", "table.arrows"]) {
      const bytes = bytesOf(name);
      const pieces = Array.from({ length: Math.ceil(bytes.length / 13) }, (_, n) =>
        bytes.subarray(n * 13, n * 13 + 13),
      );
      const sources: ArrowSource[] = [pieces, new Blob([bytes]), new Blob([bytes]).stream()];
      for (const source of sources) {
        expect(together(await all(readArrow(source, { columns: ["tag", "ids"] })))).toEqual(some(["tag", "ids"]));
      }
    }
  });

  it("reads compressed batches with a codec of the library's registry", async () => {
    expect(await message(readArrow(bytesOf("lz4.arrows")))).toMatch(/^readArrow: record batch 0 .*compressed/);
    compressionRegistry.set(CompressionType.ZSTD, { decode: (data) => compressors.ZSTD!(data, 0).slice() });
    expect(together(await all(readArrow(bytesOf("zstd.arrows"))))).toEqual(some(small));
  });
});

describe("libraries that are not installed", () => {
  afterEach(() => {
    for (const name of ["hyparquet", "hyparquet-compressors", "apache-arrow"]) vi.doUnmock(name);
  });
  const withoutIt = async (name: string, batches: () => AsyncIterable<TableBatch>) => {
    vi.doMock(name, () => {
      throw new Error("not found");
    });
    return all(batches()).catch((error: Error) => `${error.name}: ${error.message}`);
  };

  it("are named, and how to install them", async () => {
    expect(await withoutIt("apache-arrow", () => readArrow(bytesOf("table.arrow")))).toBe(
      "MissingPackageError: readArrow needs what is not installed: npm install apache-arrow",
    );
    expect(await withoutIt("hyparquet-compressors", () => readParquet(bytesOf("zstd.parquet")))).toBe(
      "MissingPackageError: readParquet needs what is not installed: npm install hyparquet-compressors",
    );
    expect(await withoutIt("hyparquet", () => readParquet(bytesOf("plain.parquet")))).toBe(
      "MissingPackageError: readParquet needs what is not installed: npm install hyparquet",
    );
  });
});
