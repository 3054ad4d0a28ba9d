/** Files of word vectors: written here by the formats' descriptions. */
import { describe, expect, it } from "vitest";
import * as u from "../../ts/index.js";

const rows: readonly (readonly [string, ...number[]])[] = [
  ["the", 0.5, -1.25, 3],
  ["naïve", 1e-3, 2, -4],
  ["🦆", 7, 8, 9],
];
const glove = rows.map((row) => row.join(" ")).join("\n");
const encode = (text: string) => new TextEncoder().encode(text);

/** As word2vec.c writes it: a line feed after each vector, which other programs leave out. */
function binary(feed: string, header = `${rows.length} 3\n`): Uint8Array {
  const parts = [encode(header)];
  for (const [word, ...values] of rows) {
    const vector = new DataView(new ArrayBuffer(12));
    values.forEach((value, i) => vector.setFloat32(4 * i, value, true));
    parts.push(encode(`${word} `), new Uint8Array(vector.buffer), encode(feed));
  }
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** The bytes one by one, and in pieces that end anywhere. */
function* pieces(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size);
}

function check(vectors: u.WordVectors): void {
  expect(vectors.words).toEqual(rows.map(([word]) => word));
  for (const [word, ...values] of rows) expect([...vectors.vector(word)]).toEqual(values.map(Math.fround));
}

describe("text", () => {
  it.each([
    ["GloVe", glove],
    ["word2vec", `3 3\n${glove}\n`],
    ["with CR LF", glove.replaceAll("\n", " \r\n")],
  ])("reads %s", async (_, text) => {
    check(await u.readWordVectors(text));
    check(await u.readWordVectors(pieces(encode(text), 1)));
  });

  it("reads words with spaces in them, and the first of two that are alike", async () => {
    const { words, data } = await u.readWordVectors("a 1 2\n. . . 3 4\na 5 6\n");
    expect(words).toEqual(["a", ". . ."]);
    expect([...data]).toEqual([1, 2, 3, 4]);
  });

  it("reads as many as wanted", async () => {
    expect((await u.readWordVectors(glove, { maxWords: 2 })).words).toEqual(["the", "naïve"]);
    expect((await u.readWordVectors(glove, { only: new Set(["🦆", "goose"]) })).words).toEqual(["🦆"]);
  });

  it.each([
    ["", /line 1: the file has no word vectors/],
    ["a 1 2\nb 1\n", /line 2: 1 numbers, expected 2/],
    ["a 1 2\nb 1 x\n", /line 2: number 2 is "x"/],
    ["a 1 2\nb 1 1e999\n", /line 2: number 2/],
    ["4 2\na 1 2\n", /line 3: the file ends after 1 words, expected 4/],
    ["4 99999999\na 1 2\n", /line 1: vectors of 99999999 numbers/],
    ["alone\n", /line 1: vectors of 0 numbers/],
    ["a 1 nan\n", /line 1: number 2 is "nan"/],
    ["a 1 1e39\n", /line 1: number 2 is "1e39"/],
    ["1 2\na 1 2\nb 3 4\n", /line 3: another word, expected 1/],
  ])("refuses %j", async (text, message) => {
    await expect(u.readWordVectors(text)).rejects.toThrow(message);
    await expect(u.readWordVectors(text)).rejects.toBeInstanceOf(u.DataError);
  });
});

/** Written by gensim 4.4.0: KeyedVectors.save_word2vec_format, the same words. */
const GENSIM = {
  text: "3 3\nthe 0.5 -1.25 3.0\nnaïve 0.001 2.0 -4.0\n🦆 7.0 8.0 9.0\n",
  binary: "MyAzCnRoZSAAAAA/AACgvwAAQEBuYcOvdmUgbxKDOgAAAEAAAIDA8J+mhiAAAOBAAAAAQQAAEEE=",
};

it("reads what gensim writes", async () => {
  check(await u.readWordVectors(GENSIM.text));
  check(await u.readBinaryWordVectors(Uint8Array.from(atob(GENSIM.binary), (character) => character.charCodeAt(0))));
});

describe("binary", () => {
  it.each([["\n"], [""]])("reads it with %j after each vector", async (feed) => {
    check(await u.readBinaryWordVectors(binary(feed)));
    for (const size of [1, 5, 1000]) check(await u.readBinaryWordVectors(pieces(binary(feed), size)));
  });

  it("reads as many as wanted", async () => {
    expect((await u.readBinaryWordVectors(binary("\n"), { maxWords: 2 })).words).toEqual(["the", "naïve"]);
    expect((await u.readBinaryWordVectors(binary("\n"), { only: new Set(["🦆"]) })).words).toEqual(["🦆"]);
  });

  it("reads a blob and a stream, and keeps the first of two words that are alike", async () => {
    check(await u.readBinaryWordVectors(new Blob([binary("\n") as Uint8Array<ArrayBuffer>])));
    check(await u.readBinaryWordVectors(new Blob([binary("") as Uint8Array<ArrayBuffer>]).stream()));
    const twice = binary("", "6 3\n");
    const { words } = await u.readBinaryWordVectors([twice, binary("", "").slice()]);
    expect(words).toEqual(rows.map(([word]) => word));
  });

  it("gives its source back when it has enough, and when something is wrong", async () => {
    let closed = 0;
    async function* watched(bytes: Uint8Array) {
      try {
        yield* pieces(bytes, 5);
      } finally {
        closed++;
      }
    }
    await u.readBinaryWordVectors(watched(binary("")), { maxWords: 1 });
    expect(closed).toBe(1);
    await expect(u.readBinaryWordVectors(watched(encode("no vectors at all, certainly\n")))).rejects.toThrow(/byte 0/);
    expect(closed).toBe(2);
  });

  it("refuses a file that ends anywhere, and one that announces what it does not have", async () => {
    const whole = binary("");
    for (let end = 0; end < whole.length; end++) {
      await expect(u.readBinaryWordVectors(whole.slice(0, end)), `${end}`).rejects.toThrow(/^byte [0-9]+: /);
    }
    await expect(u.readBinaryWordVectors(binary("", "999999999999 3\n"))).rejects.toThrow(/ends in word 4/);
    await expect(u.readBinaryWordVectors(binary("", "3 999999999\n"))).rejects.toThrow(/byte 0: vectors of 999999999/);
    await expect(u.readBinaryWordVectors(encode("<!DOCTYPE html>\n"))).rejects.toThrow(/byte 0: expected a line/);
  });

  it("names the byte of what is broken", async () => {
    const infinite = binary("");
    new DataView(infinite.buffer).setFloat32(4 + 4 + 4, Infinity, true);
    await expect(u.readBinaryWordVectors(infinite)).rejects.toThrow(/byte 12: the number is Infinity/);
    const broken = binary("");
    broken[4] = 0xff;
    await expect(u.readBinaryWordVectors(broken)).rejects.toThrow(/byte 4: the text is not valid UTF-8/);
    await expect(
      u.readBinaryWordVectors(Uint8Array.of(...encode("1 1\n"), ...new Uint8Array(70_000).fill(65))),
    ).rejects.toThrow(/byte 4: no end within/);
  });
});

describe("written", () => {
  const values = Float32Array.of(Math.fround(0.1), 1e-45, -3.4028234e38, Math.fround(1 / 3), 0, 16777217);
  const vectors = new u.WordVectors(["a", "naïve\u00a0🦆", "c"], values, 2);
  const same = ({ words, data }: u.WordVectors) => {
    expect(words).toEqual(vectors.words);
    expect(data).toEqual(values);
  };

  it("comes back bit for bit", async () => {
    same(await u.readWordVectors(u.writeWordVectors(vectors)));
    same(await u.readWordVectors(u.writeWordVectors(vectors, { header: false })));
    same(await u.readBinaryWordVectors(u.writeBinaryWordVectors(vectors)));
    const none = await u.readWordVectors(u.writeWordVectors(new u.WordVectors([], new Float32Array(0), 5)));
    expect([none.words.length, none.size]).toEqual([0, 5]);
  });

  it("is what the formats say", async () => {
    const made = new u.WordVectors(
      rows.map(([word]) => word),
      Float32Array.from(rows.flatMap(([, ...numbers]) => numbers)),
      3,
    );
    expect([...u.writeWordVectors(made)].join("")).toBe(`3 3\n${glove}\n`);
    expect([...u.writeWordVectors(made, { header: false })].join("")).toBe(`${glove}\n`);
    expect([...u.writeBinaryWordVectors(made)].flatMap((piece) => [...piece])).toEqual([...binary("\n")]);
  });

  it.each(["", "two words", "two\nlines", "\ud83e"])("refuses the word %j", (word) => {
    const wrong = new u.WordVectors([word], new Float32Array(2), 2);
    expect(() => [...u.writeWordVectors(wrong)]).toThrow(/cannot be written/);
    expect(() => [...u.writeBinaryWordVectors(wrong)]).toThrow(u.DataError);
  });

  it("refuses numbers that no reader takes", () => {
    const wrong = new u.WordVectors(["a"], Float32Array.of(1, Number.NaN), 2);
    expect(() => [...u.writeWordVectors(wrong)]).toThrow(/number 2 of "a" is NaN/);
    expect(() => [...u.writeBinaryWordVectors(wrong)]).toThrow(/number 2 of "a" is NaN/);
  });
});
