import { describe, expect, it } from "vitest";
import { TokenizerError } from "../../ts/errors.js";
import { ByteTokenizer } from "../../ts/text/byte-tokenizer.js";
import { tokenizerFromJSON } from "../../ts/text/from-json.js";
import { NASTY, nastyString, randomNumbers } from "./strings.js";

describe("ByteTokenizer", () => {
  const tokenizer = tokenizerFromJSON(JSON.parse(JSON.stringify(new ByteTokenizer())));

  it("has the bytes of UTF-8", () => {
    const text = "a\u00e9\u20ac\u{1f600}\u{10ffff}\n";
    expect([...tokenizer.encode(text)]).toEqual([...new TextEncoder().encode(text)]);
    expect(tokenizer.size).toBe(256);
    expect(tokenizer.tokens[97]).toBe("a");
    expect(tokenizer.tokens[0xc3]).toBe("<C3>");
  });

  it("gives any string back, whole and as a stream", () => {
    const random = randomNumbers(2);
    for (const text of [...NASTY, ...Array.from({ length: 200 }, () => nastyString(random, random() * 60))]) {
      const ids = tokenizer.encode(text);
      expect(tokenizer.decode(ids)).toBe(text);
      const decoder = tokenizer.decoder();
      expect(Array.from(ids, (id) => decoder.push(id)).join("") + decoder.end()).toBe(text);
    }
  });

  it("decodes a character that never ends, and no id past 255", () => {
    expect(tokenizer.decode([0xe2, 0x82])).toBe("\ufffd");
    expect(() => tokenizer.decode([256])).toThrow(TokenizerError);
    expect(() => ByteTokenizer.fromJSON({ kind: "char" })).toThrow(TokenizerError);
  });
});
