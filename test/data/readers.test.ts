import { createReadStream, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { jsonErrorOffset, readConll, readJsonLines, readLines } from "../../ts/data/readers.js";
import type { TextSource } from "../../ts/data/text-source.js";
import { ArgumentError, DataError } from "../../ts/errors.js";
import { Random } from "../reference/random.js";

async function all<T>(values: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const value of values) found.push(value);
  return found;
}
const fails = async (values: AsyncIterable<unknown>, message: RegExp) => {
  const error = await all(values).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(DataError);
  expect((error as DataError).message).toMatch(message);
};

/** The same bytes or units, cut at every position in turn and after every one. */
function* cuts(text: string): Generator<TextSource> {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at <= bytes.length; at++) yield [bytes.subarray(0, at), bytes.subarray(at)];
  for (let at = 0; at <= text.length; at++) yield [text.slice(0, at), text.slice(at)];
  yield Array.from(bytes, (byte) => Uint8Array.of(byte));
}

const shared = (path: string) => {
  const found = join(process.env["UNROLLED_DATA"] ?? "", path);
  if (existsSync(found)) return found;
  console.log(`left out: ${path} is not in UNROLLED_DATA`);
  return undefined;
};

describe("readLines", () => {
  it("gives the same lines wherever the pieces end", async () => {
    const text = "\ufeffone\r\n\ntwo \u00e9\u20ac\ud83d\ude00\nthree\rstill\r\n last";
    const lines = ["one", "", "two \u00e9\u20ac\ud83d\ude00", "three\rstill", " last"];
    for (const source of cuts(text)) expect(await all(readLines(source))).toEqual(lines);
  });

  it("has no line after the last end, and none in nothing", async () => {
    expect(await all(readLines("a\nb\n"))).toEqual(["a", "b"]);
    expect(await all(readLines("a\n\n"))).toEqual(["a", ""]);
    expect(await all(readLines(""))).toEqual([]);
    expect(await all(readLines([]))).toEqual([]);
  });

  it("reads web streams, async generators and bytes", async () => {
    const bytes = new TextEncoder().encode("x\ny\u00e9\nz");
    expect(await all(readLines(bytes))).toEqual(["x", "y\u00e9", "z"]);
    expect(await all(readLines(new Blob([bytes]).stream()))).toEqual(["x", "y\u00e9", "z"]);
    const stream = new Blob([bytes]).stream();
    const plain = { getReader: () => stream.getReader() } as unknown as ReadableStream<Uint8Array>;
    expect(await all(readLines(plain))).toEqual(["x", "y\u00e9", "z"]);
    async function* later() {
      yield "x\ny";
      await Promise.resolve();
      yield "\u00e9\nz";
    }
    expect(await all(readLines(later()))).toEqual(["x", "y\u00e9", "z"]);
  });

  it("names line and column of what is not UTF-8", async () => {
    const good = [...new TextEncoder().encode("ab\n\u00e9\ud83d\ude00")];
    // A byte that starts nothing, an overlong form, a surrogate, and characters cut short by another or by the end.
    for (const bad of [[0xff, 0x61], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xe2, 0x82, 0x61], [0xe2, 0x82], [0x80]]) {
      const bytes = Uint8Array.from([...good, ...bad]);
      for (let at = 0; at <= bytes.length; at++) {
        await fails(readLines([bytes.subarray(0, at), bytes.subarray(at)]), /^line 2, column 3: .*not valid UTF-8/);
      }
    }
    await fails(readLines([Uint8Array.of(0xe2), "a"]), /line 1, column 1/);
  });

  it("does not let a line grow for ever", async () => {
    function* endless() {
      for (;;) yield "xxxxx";
    }
    await fails(readLines(endless(), { maxLength: 17 }), /line 1, column 18: the line is longer than maxLength, 17/);
    await fails(readLines("abc\nabcd\n", { maxLength: 3 }), /line 2/);
    await expect(all(readLines("", { maxLength: 0 }))).rejects.toThrow(ArgumentError);
  });
});

describe("readJsonLines", () => {
  it("reads a value a line", async () => {
    const text = '{"a": [1, -2.5e3]}\r\n\n  "\u00e9\\u00e9"\n[]\nnull';
    for (const source of cuts(text)) {
      expect(await all(readJsonLines(source))).toEqual([{ a: [1, -2500] }, "\u00e9\u00e9", [], null]);
    }
  });

  it("names line and column of the first token that is wrong", async () => {
    for (const [text, column, found] of [
      ['{"a": x}', 7, 'unexpected "x"'],
      ["[1, 2,]", 7, 'unexpected "]"'],
      ['{"\ud83d\ude00": 1 2}', 9, 'unexpected "2"'],
      ["[1, 2", 6, "it ends too early"],
      ['{"a" 1}', 6, 'unexpected "1"'],
      ["{1: 2}", 2, 'unexpected "1"'],
      ["01", 2, 'unexpected "1"'],
      ['"open', 1, 'unexpected "\\""'],
      ["[1}", 3, 'unexpected "}"'],
      ["{} {}", 4, 'unexpected "{"'],
      ['{"a":1,}', 8, 'unexpected "}"'],
      ["'a'", 1, 'unexpected "\'"'],
    ] as const) {
      const error = await all(readJsonLines(`1\n\n${text}\n2`)).catch((thrown: Error) => thrown);
      expect((error as Error).message).toBe(`line 3, column ${column}: not JSON: ${found}`);
    }
  });

  it("finds an error where the engine does, and no earlier than it is", () => {
    const parses = (text: string) => {
      try {
        JSON.parse(text);
        return true;
      } catch {
        return false;
      }
    };
    const closers = [""];
    for (let from = 0; closers.length < 31; from++) closers.push(`${closers[from]}]`, `${closers[from]}}`);
    const completable = (text: string) =>
      ["", "0", '"k":0', ":0"].some((more) => closers.some((closer) => parses(text + more + closer)));
    const random = new Random(11);
    const alphabet = '{}[]:,"\\a1-.e0 tn';
    const texts = ['{"a":[1,-2.5e+3,{"b":null}],"c":"x\\n","d":{}}', "[true,false,[],{}]", '"\\u00e9"', "-0.1E5"];
    let broken = 0;
    for (let round = 0; round < 2000; round++) {
      const text = texts[random.below(texts.length)] as string;
      const at = random.below(text.length);
      const mutated = text.slice(0, at) + alphabet[random.below(alphabet.length)] + text.slice(at + random.below(3));
      const offset = jsonErrorOffset(mutated);
      if (parses(mutated)) {
        expect(offset).toBe(mutated.length);
        continue;
      }
      broken++;
      // What comes before the error is the beginning of some JSON text.
      if (!completable(mutated.slice(0, offset))) throw new Error(`${mutated}: ${offset} is too late`);
    }
    expect(broken).toBeGreaterThan(1000);
  });

  it("reads the strokes of kanji", async () => {
    const path = shared("kanji-strokes/train.jsonl");
    if (path === undefined) return;
    const sketches = (await all(readJsonLines(createReadStream(path)))) as number[][][];
    // What the data set's own description counts.
    expect(sketches.length).toBe(6000);
    expect(sketches.reduce((sum, points) => sum + points.length, 0)).toBe(243_611);
    expect(sketches[0]![0]).toEqual([-1, 25, 0]);
  });
});

describe("readConll", () => {
  const tab = "The\tDT\tO\ncat sat\tNN\tB-x\n\n \n#tag\tNN\tO\n";

  it("gives columns and the line of each sentence, wherever the pieces end", async () => {
    const sentences = [
      {
        columns: [
          ["The", "cat sat"],
          ["DT", "NN"],
          ["O", "B-x"],
        ],
        line: 1,
      },
      { columns: [["#tag"], ["NN"], ["O"]], line: 5 },
    ];
    for (const source of cuts(tab)) expect(await all(readConll(source))).toEqual(sentences);
    expect(await all(readConll(tab.trimEnd()))).toEqual(sentences);
    expect(await all(readConll(tab, { comment: "#" }))).toEqual(sentences.slice(0, 1));
    expect(await all(readConll("a  b c\nd e f"))).toEqual([
      {
        columns: [
          ["a", "d"],
          ["b", "e"],
          ["c", "f"],
        ],
        line: 1,
      },
    ]);
    expect(await all(readConll("a b|c\n", { separator: "|" }))).toEqual([{ columns: [["a b"], ["c"]], line: 1 }]);
    expect(await all(readConll("\n\n"))).toEqual([]);
  });

  it("gives tags in the scheme that is asked for", async () => {
    // As in CoNLL-2003, where a B stands between two names of a type.
    const file = "U.N. NNP I-ORG\nofficial NN O\nEkeus NNP I-PER\n\nJim NNP I-PER\nAnn NNP B-PER\n";
    const tags = async (scheme?: "BIO" | "BIOES" | "IOB1") =>
      (await all(readConll(file, { scheme }))).map(({ columns }) => columns[2]!.join(" "));
    expect(await tags()).toEqual(["I-ORG O I-PER", "I-PER B-PER"]);
    expect(await tags("IOB1")).toEqual(await tags());
    expect(await tags("BIO")).toEqual(["B-ORG O B-PER", "B-PER B-PER"]);
    expect(await tags("BIOES")).toEqual(["S-ORG O S-PER", "S-PER S-PER"]);
    await expect(all(readConll(file, { scheme: "BILOU" as "BIO" }))).rejects.toThrow(ArgumentError);
  });

  it("names line and column of a row that does not fit", async () => {
    await fails(readConll("a\tb\n\nc\td\te\n"), /^line 3, column 5: 3 columns, expected 2$/);
    await fails(readConll("a\tb\nc\u00e9\n"), /^line 2, column 3: 1 columns, expected 2$/);
    await fails(readConll("a\tb\n\ud83d\ude00\t\n"), /^line 2, column 3: column 2 of the row is empty$/);
    await fails(readConll("a  b\nc   d  e\n"), /^line 2, column 8: 3 columns, expected 2$/);
    await expect(all(readConll("a b", { separator: "" }))).rejects.toThrow(ArgumentError);
  });

  it("reads WNUT 17", async () => {
    const path = shared("wnut17/train.conll");
    if (path === undefined) return;
    const sentences = await all(readConll(createReadStream(path)));
    // What the data set's own description counts.
    expect(sentences.length).toBe(3394);
    expect(sentences.reduce((sum, { columns }) => sum + columns[0]!.length, 0)).toBe(62_730);
    const tags = new Set(sentences.flatMap(({ columns }) => columns[1]!.map((tag) => tag.replace(/^[BI]-/, ""))));
    expect(tags.size).toBe(7);
    // Memory holds a sentence: the whole text at once gives the same.
    expect(await all(readConll(readFileSync(path)))).toEqual(sentences);
  });
});
