import { describe, expect, it } from "vitest";
import { ArgumentError, TokenizerError } from "../../ts/errors.js";
import { tokenizerFromJSON } from "../../ts/text/from-json.js";
import { VocabularyTokenizer } from "../../ts/text/vocabulary-tokenizer.js";
import { NASTY, nastyString, randomNumbers } from "./strings.js";

const splitBy = (split: "spaces" | "words" | "treebank" | "french") => (text: string) =>
  new VocabularyTokenizer([], { split }).words(text);

describe("VocabularyTokenizer", () => {
  it("numbers the special tokens, then words by frequency", () => {
    const tokenizer = VocabularyTokenizer.from(["b a b", "c b a <unk>"], { split: "spaces" });
    expect(tokenizer.tokens).toEqual(["<pad>", "<bos>", "<eos>", "<unk>", "b", "a", "c"]);
    expect([tokenizer.pad, tokenizer.bos, tokenizer.eos, tokenizer.unknown]).toEqual([0, 1, 2, 3]);
    expect([...tokenizer.encode("a d\t<eos>\n<unk>")]).toEqual([5, 3, 2, 3]);
    expect(tokenizer.decode([5, 3, 4])).toBe("a <unk> b");
  });

  it("cuts off by size and by count", () => {
    const text = "one two two three three three";
    expect(VocabularyTokenizer.from(text, { maxSize: 6 }).tokens.slice(4)).toEqual(["three", "two"]);
    expect(VocabularyTokenizer.from(text, { minCount: 2 }).tokens.slice(4)).toEqual(["three", "two"]);
    expect(VocabularyTokenizer.from(text, { minCount: 4 }).size).toBe(4);
    expect(() => VocabularyTokenizer.from(text, { maxSize: 3 })).toThrow(ArgumentError);
    expect(() => VocabularyTokenizer.from(text, { minCount: 0 })).toThrow(ArgumentError);
  });

  it("splits by spaces", () => {
    expect(splitBy("spaces")(" the  cat's\u00a0hat,\n\u2003N.Y. ")).toEqual(["the", "cat's", "hat,", "N.Y."]);
  });

  it("splits into words and marks", () => {
    expect(splitBy("words")("Don't say 3.5% \u{1f600}\u{1f600}  (l’été)!")).toEqual([
      "Don't",
      "say",
      "3",
      ".",
      "5",
      "%",
      "\u{1f600}",
      "\u{1f600}",
      "(",
      "l’été",
      ")",
      "!",
    ]);
  });

  it("splits French, and puts it together again", () => {
    const text = "Est-ce que l’homme d'aujourd'hui l'a-t-il dit, peut-être (à\u00a0toi)\u202f?";
    const words = "Est -ce que l' homme d' aujourd' hui l' a -t -il dit , peut -être ( à toi ) ?".split(" ");
    expect(splitBy("french")(text)).toEqual(words);
    const tokenizer = VocabularyTokenizer.from(text, { split: "french" });
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(
      "Est-ce que l'homme d'aujourd'hui l'a-t-il dit, peut-être (à toi) ?",
    );
    expect(splitBy("french")("« - 'n'importe quoi' » --")).toEqual([
      "«",
      "-",
      "'",
      "n'",
      "importe",
      "quoi'",
      "»",
      "-",
      "-",
    ]);
  });

  it("splits as the Penn Treebank", () => {
    const treebank = splitBy("treebank");
    expect(treebank("There isn't a well-made film in it, they'd say...")).toEqual([
      "There",
      "is",
      "n't",
      "a",
      "well-made",
      "film",
      "in",
      "it",
      ",",
      "they",
      "'d",
      "say",
      "...",
    ]);
    expect(treebank('"It\'s 3.5% (of $1,000)!"')).toEqual([
      '"',
      "It",
      "'s",
      "3.5",
      "%",
      "(",
      "of",
      "$",
      "1,000",
      ")",
      "!",
      '"',
    ]);
    expect(treebank("the movie 's `` heart '' -- <unk> does n't -lrb- ca n't -rrb- .")).toEqual([
      "the",
      "movie",
      "'s",
      "``",
      "heart",
      "''",
      "--",
      "<unk>",
      "does",
      "n't",
      "-lrb-",
      "ca",
      "n't",
      "-rrb-",
      ".",
    ]);
  });

  it("leaves what is split as it is", () => {
    const random = randomNumbers(5);
    for (const split of ["spaces", "words", "treebank", "french"] as const) {
      const words = splitBy(split);
      for (const text of [...NASTY, ...Array.from({ length: 300 }, () => nastyString(random, 40))]) {
        const once = words(text);
        expect(once.every((word) => word !== "")).toBe(true);
        // In French, a mark before a hyphen within a word is at an end once the word is split.
        if (split !== "french") expect(words(once.join(" "))).toEqual(once);
      }
    }
  });

  it("puts words together to be read, at once and one by one", () => {
    const text = "(It isn't here, is it?) Yes.";
    const tokenizer = VocabularyTokenizer.from(text, { split: "treebank" });
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
    const decoder = tokenizer.decoder();
    expect(Array.from(tokenizer.encode(text), (id) => decoder.push(id)).join("") + decoder.end()).toBe(text);
    expect(() => tokenizer.decode([99])).toThrow(TokenizerError);
  });

  it("lower-cases when told to", () => {
    const tokenizer = VocabularyTokenizer.from("The ÉTÉ the", { lowerCase: true });
    expect(tokenizer.tokens.slice(4)).toEqual(["the", "été"]);
    expect([...tokenizer.encode("THE Été")]).toEqual([4, 5]);
  });

  it("goes through JSON", () => {
    const tokenizer = VocabularyTokenizer.from("Is it so? Isn't it?", { split: "treebank", lowerCase: true });
    const read = tokenizerFromJSON(JSON.parse(JSON.stringify(tokenizer)));
    expect(read.tokens).toEqual(tokenizer.tokens);
    expect(read.encode("ISN'T it?")).toEqual(tokenizer.encode("ISN'T it?"));
    const json = tokenizer.toJSON();
    for (const wrong of [
      { split: "letters" },
      { lowerCase: 1 },
      { words: ["a", "a"] },
      { words: ["<pad>"] },
      { words: [1] },
    ]) {
      expect(() => tokenizerFromJSON({ ...json, ...wrong })).toThrow(TokenizerError);
    }
  });

  it("answers at once for a million characters without a space", () => {
    const tokenizer = VocabularyTokenizer.from("a b", { split: "treebank" });
    for (const repeated of ["x", ".", "'", "\u{1f600}", " ", ".,", "(["]) {
      expect(tokenizer.encode(repeated.repeat(1e6 / [...repeated].length)).length).toBeLessThanOrEqual(1e6);
    }
  });
});
