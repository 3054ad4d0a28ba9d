import { createReadStream, existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type CsvOptions, readCsv } from "../../ts/data/csv.js";
import { seriesWindows } from "../../ts/data/series.js";
import type { TextSource } from "../../ts/data/text-source.js";
import { ArgumentError, DataError } from "../../ts/errors.js";

async function rows(source: TextSource, options?: CsvOptions): Promise<(readonly string[])[]> {
  const found: (readonly string[])[] = [];
  for await (const { fields } of readCsv(source, options)) found.push(fields);
  return found;
}
const message = (source: TextSource, options?: CsvOptions) =>
  rows(source, options).then(
    () => "no error",
    (error: Error) => (error instanceof DataError ? error.message : String(error)),
  );
const shared = (path: string) => {
  const found = join(process.env["UNROLLED_DATA"] ?? "", path);
  if (existsSync(found)) return found;
  console.log(`left out: ${path} is not in UNROLLED_DATA`);
  return undefined;
};

describe("readCsv", () => {
  // The rows are what Python's csv.reader(io.StringIO(text, newline=""), strict=True) makes of it, blank ones left out.
  const cases: readonly [text: string, expected: string[][]][] = [
    [
      "a,b\r\n1,2\r\n",
      [
        ["a", "b"],
        ["1", "2"],
      ],
    ],
    [
      "a,b\n,\n1,",
      [
        ["a", "b"],
        ["", ""],
        ["1", ""],
      ],
    ],
    [
      '"x, y","say ""hi""",""\r\n"","""","a\r\nb\n\nc"\r\n',
      [
        ["x, y", 'say "hi"', ""],
        ["", '"', "a\r\nb\n\nc"],
      ],
    ],
    [
      "\u00e9,\ud83d\ude00\n\n \t,z\n",
      [
        ["\u00e9", "\ud83d\ude00"],
        [" \t", "z"],
      ],
    ],
    ['"a"\n"b"', [["a"], ["b"]]],
    ["", []],
  ];

  it("reads what Python reads, wherever the pieces end", async () => {
    for (const [text, expected] of cases) {
      const bytes = new TextEncoder().encode(text);
      for (let at = 0; at <= bytes.length; at++) {
        expect(await rows([bytes.subarray(0, at), bytes.subarray(at)])).toEqual(expected);
      }
      expect(await rows(Array.from(text))).toEqual(expected);
    }
  });

  it("takes other separators, and quotes as characters", async () => {
    expect(await rows('a\tb,"\n', { separator: "\t", quotes: false })).toEqual([["a", 'b,"']]);
    expect(await rows('a;"b;c"\n', { separator: ";" })).toEqual([["a", "b;c"]]);
    for (const separator of ["", ",,", '"', "\n"]) {
      await expect(rows("a", { separator })).rejects.toThrow(ArgumentError);
    }
  });

  it("knows the line of each row", async () => {
    const lines: number[] = [];
    for await (const { line } of readCsv('a,b\n\n"1\n2\n",3\r\n4,5\n')) lines.push(line);
    expect(lines).toEqual([1, 3, 6]);
  });

  it("names line and column of what is wrong", async () => {
    expect(await message("a,b\n1\n")).toBe("line 2, column 2: 1 fields, expected 2");
    expect(await message("a,b\r\n\u00e9,\ud83d\ude00,3\r\n")).toBe("line 2, column 5: more than 2 fields");
    expect(await message('a,b\nx,y"z"\n')).toBe("line 2, column 4: a quote in a field that does not begin with one");
    expect(await message('a,"b"c\n')).toBe("line 1, column 6: a quoted field goes on after its quote");
    expect(await message('a,"b\n\nc"d\n')).toBe("line 3, column 3: a quoted field goes on after its quote");
    expect(await message('a,b\n1,"2\n3,4\n')).toBe("line 2, column 3: the quote is never closed");
    expect(await message('"aaa\nbbb\nccc"\n', { maxLength: 6 })).toBe("line 1, column 1: the quote is never closed");
    expect(await message([new TextEncoder().encode("a,b\n1,"), Uint8Array.of(0xff)])).toMatch(/^line 2, column 3: /);
  });

  it("reads tables of the shared data", async () => {
    const colours = shared("color-names/colornames.csv");
    if (colours !== undefined) {
      const [header, ...all] = await rows(createReadStream(colours));
      expect(header).toEqual(["name", "hex", "good name"]);
      // Rows and characters as counted by Python's csv module.
      expect(all.length).toBe(28_755);
      const characters = [header!, ...all].flat().reduce((sum, field) => sum + Array.from(field).length, 0);
      expect(characters).toBe(548_435);
      expect(all.every(([name, hex]) => name !== "" && /^#[0-9a-f]{6}$/.test(hex!))).toBe(true);
    }
    const passengers = shared("time-series/airline-passengers.csv");
    if (passengers !== undefined) {
      const [header, ...all] = await rows(createReadStream(passengers));
      expect(header).toEqual(["Month", "Passengers"]);
      // Box and Jenkins: 144 months, from 112 thousand to 432 thousand.
      expect([all.length, all[0], all.at(-1)]).toEqual([144, ["1949-01", "112"], ["1960-12", "432"]]);
      const series = seriesWindows(
        all.map(([, value]) => Number(value)),
        { batchSize: 10, seqLen: 12, seed: 1 },
      );
      expect(series.windows).toBe(132);
    }
  });
});
