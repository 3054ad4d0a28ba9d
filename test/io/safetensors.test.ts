import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ArgumentError, LoadError } from "../../ts/errors.js";
import { readSafetensors, readShardIndex, readShards, toFloat32, writeSafetensors } from "../../ts/io/safetensors.js";

const corpus = process.env["CONFORMANCE_DIR"]!;

interface Malformed {
  id: string;
  format: string;
  file: string;
  must: "reject" | "accept" | "either";
  error: string | null;
  mention_any?: string[];
  expect?: Record<string, number[]>;
  context?: unknown;
}

/** Files that are broken as files; those with a context are well formed and only fit no such network (model-file.test.ts). */
const malformed = (
  JSON.parse(readFileSync(join(corpus, "malformed/index.json"), "utf8")) as { cases: Malformed[] }
).cases.filter((entry) => entry.format === "safetensors" && entry.context === undefined);

/** A file by hand: header text and data. */
function file(header: string, data: ArrayLike<number> = []): Uint8Array {
  const json = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + json.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  bytes.set(data, 8 + json.length);
  return bytes;
}

function loadError(read: () => unknown): LoadError {
  try {
    read();
  } catch (error) {
    expect(error).toBeInstanceOf(LoadError);
    return error as LoadError;
  }
  throw new Error("nothing was thrown");
}

describe("readSafetensors", () => {
  it.each(malformed.map((entry) => [entry.id, entry] as const))("%s", (_id, entry) => {
    const bytes = new Uint8Array(readFileSync(join(corpus, entry.file)));
    if (entry.must === "accept") {
      const { tensors } = readSafetensors(bytes);
      for (const [name, values] of Object.entries(entry.expect ?? {})) {
        expect([...toFloat32(name, tensors.get(name)!)]).toEqual(values);
      }
      expect(Object.keys(Object.prototype)).toEqual([]);
      return;
    }
    const error = loadError(() => readSafetensors(bytes));
    // A tensor that ends past the end of the file is always called truncated, whichever of the two was meant.
    if (entry.id !== "safetensors/offsets-past-end") expect(error.category).toBe(entry.error);
    for (const word of (entry.mention_any ?? []).slice(0, 1)) expect(error.message).toContain(word);
  });

  it("refuses what was cut or changed anywhere, or reads it, but never fails otherwise", () => {
    const whole = writeSafetensors(
      [
        ["a", { shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) }],
        ["b", { shape: [2], data: Int32Array.of(-1, 7) }],
      ],
      [["k", "v"]],
    );
    for (let length = 0; length < whole.length; length++) loadError(() => readSafetensors(whole.subarray(0, length)));
    for (let at = 0; at < whole.length; at++) {
      for (const byte of [0, 0x22, 0x7b, 0x7d, 0x39, 0xff]) {
        const damaged = whole.slice();
        damaged[at] = byte;
        try {
          readSafetensors(damaged);
        } catch (error) {
          expect(error).toBeInstanceOf(LoadError);
        }
      }
    }
  });

  it("sees duplicate keys behind escapes and at any level", () => {
    const entry = '{"dtype":"F32","shape":[0],"data_offsets":[0,0]}';
    expect(loadError(() => readSafetensors(file(`{"a":${entry},"\\u0061":${entry}}`))).message).toContain('"a" twice');
    expect(loadError(() => readSafetensors(file('{"__metadata__":{"k":"1","k":"2"}}'))).message).toContain('"k" twice');
    // The same key in two objects, and a key that is also a value, are fine.
    const { tensors } = readSafetensors(
      file(`{"__metadata__":{"x":"x","y":"{\\"x\\":[,"},"x":${entry},"dtype":${entry}}`),
    );
    expect([...tensors.keys()]).toEqual(["x", "dtype"]);
  });

  it("reads views and plain buffers", () => {
    const whole = writeSafetensors([["a", { shape: [], data: Float32Array.of(2.5) }]]);
    const shifted = new Uint8Array(whole.length + 3);
    shifted.set(whole, 3);
    for (const input of [whole.slice().buffer as ArrayBuffer, shifted.subarray(3)]) {
      expect([...toFloat32("a", readSafetensors(input).tensors.get("a")!)]).toEqual([2.5]);
    }
  });
});

describe("toFloat32", () => {
  const convert = (dtype: string, bytes: Uint8Array, count: number) => [
    ...toFloat32("a", { dtype, shape: [count], bytes }),
  ];

  it("converts each dtype", () => {
    const bytesOf = (array: ArrayBufferView) => new Uint8Array(array.buffer);
    expect(convert("F64", bytesOf(Float64Array.of(1.5, -2)), 2)).toEqual([1.5, -2]);
    expect(convert("I64", bytesOf(BigInt64Array.of(-3n, 5n)), 2)).toEqual([-3, 5]);
    expect(convert("U64", bytesOf(BigUint64Array.of(9n)), 1)).toEqual([9]);
    expect(convert("I32", bytesOf(Int32Array.of(-7)), 1)).toEqual([-7]);
    expect(convert("U32", bytesOf(Uint32Array.of(4e9)), 1)).toEqual([4e9]);
    expect(convert("I16", bytesOf(Int16Array.of(-8)), 1)).toEqual([-8]);
    expect(convert("U16", bytesOf(Uint16Array.of(65535)), 1)).toEqual([65535]);
    expect(convert("I8", bytesOf(Int8Array.of(-128)), 1)).toEqual([-128]);
    expect(convert("BOOL", Uint8Array.of(0, 1, 2), 3)).toEqual([0, 1, 1]);
    // Known halves: 1, -2, largest, smallest normal, smallest subnormal, -0, infinity (Wikipedia, half-precision
    // format).
    const halves = Uint16Array.of(0x3c00, 0xc000, 0x7bff, 0x0400, 0x0001, 0x8000, 0x7c00, 0x3555);
    expect(convert("F16", bytesOf(halves), 8)).toEqual([
      1,
      -2,
      65504,
      2 ** -14,
      2 ** -24,
      -0,
      Infinity,
      0.333251953125,
    ]);
    expect(convert("F16", bytesOf(Uint16Array.of(0x7e00)), 1)).toEqual([NaN]);
    expect(convert("BF16", bytesOf(Uint16Array.of(0x3f80, 0xc040, 0x7f80)), 3)).toEqual([1, -3, Infinity]);
  });

  it("refuses what it does not convert, by name", () => {
    const error = loadError(() => convert("F8_E4M3", Uint8Array.of(1), 1));
    expect(error.category).toBe("dtype");
    expect(error.message).toContain("F8_E4M3");
  });
});

describe("writeSafetensors", () => {
  it("gives the same bytes whatever the order, and reads back", () => {
    const a = ["a", { shape: [2, 1], data: Float32Array.of(1, NaN) }] as const;
    const b = ["__proto__", { shape: [], data: Int32Array.of(-5) }] as const;
    const c = ['\ud800 "quoted" \u{1f600}', { shape: [3], data: Uint8Array.of(7, 8, 9) }] as const;
    const bytes = writeSafetensors(
      [a, b, c],
      [
        ["z", "\ud800"],
        ["y", "é"],
      ],
    );
    expect(
      writeSafetensors(
        [c, a, b],
        [
          ["y", "é"],
          ["z", "\ud800"],
        ],
      ),
    ).toEqual(bytes);
    expect((8 + Number(new DataView(bytes.buffer).getBigUint64(0, true))) % 8).toBe(0);
    const read = readSafetensors(bytes);
    expect([...read.metadata]).toEqual([
      ["y", "é"],
      ["z", "\ud800"],
    ]);
    expect([...read.tensors.keys()]).toEqual(["__proto__", "a", c[0]]);
    expect([...toFloat32("a", read.tensors.get("a")!)]).toEqual([1, NaN]);
    expect(read.tensors.get("__proto__")).toMatchObject({ dtype: "I32", shape: [] });
    expect([...read.tensors.get(c[0])!.bytes]).toEqual([7, 8, 9]);
  });

  it("refuses what no file can hold", () => {
    const one = { shape: [1], data: Float32Array.of(1) };
    expect(() =>
      writeSafetensors([
        ["a", one],
        ["a", one],
      ]),
    ).toThrow(ArgumentError);
    expect(() => writeSafetensors([["__metadata__", one]])).toThrow(ArgumentError);
    expect(() => writeSafetensors([["a", { shape: [2], data: Float32Array.of(1) }]])).toThrow(ArgumentError);
  });
});

describe("shards", () => {
  const json = (weightMap: unknown) => JSON.stringify({ weight_map: weightMap });
  const part = (name: string, value: number) =>
    writeSafetensors([[name, { shape: [1], data: Float32Array.of(value) }]]);

  it("are read as one file", () => {
    const index = readShardIndex(json({ a: "2.safetensors", b: "1.safetensors" }));
    expect(index.files).toEqual(["1.safetensors", "2.safetensors"]);
    const shards = new Map([
      ["1.safetensors", part("b", 2)],
      ["2.safetensors", part("a", 1)],
    ]);
    const { tensors } = readShards(index, shards);
    expect([...tensors].map(([name, tensor]) => [name, ...toFloat32(name, tensor)])).toEqual([
      ["b", 2],
      ["a", 1],
    ]);
  });

  it("are refused when they disagree with the index or leave the folder", () => {
    const index = readShardIndex(json({ a: "1" }));
    expect(loadError(() => readShards(index, new Map())).category).toBe("external_data");
    expect(loadError(() => readShards(index, new Map([["1", part("b", 1)]]))).category).toBe("unexpected_tensor");
    expect(loadError(() => readShards(index, new Map([["1", writeSafetensors([])]]))).category).toBe("missing_tensor");
    for (const name of ["../secret", "/etc/passwd", "..", "a\\b", "C:x", "http://host/x", "", "x\0"]) {
      expect(loadError(() => readShardIndex(json({ a: name }))).category).toBe("external_data");
    }
    for (const text of ["", "[]", "{}", json([]), json({ a: 1 }), "[".repeat(100_000)]) {
      expect(loadError(() => readShardIndex(text)).category).toBe("header");
    }
  });
});
