import { describe, expect, it } from "vitest";
import { ArgumentError } from "../../ts/errors.js";
import { convertTags, spanTags, type TagScheme, tagRules, tagSpans } from "../../ts/text/entity-tags.js";
import { randomNumbers } from "./strings.js";

/** "type start-end" of each span. */
const spans = (tags: string) => tagSpans(tags.split(" ")).map(({ type, start, end }) => `${type} ${start}-${end}`);

describe("tagSpans", () => {
  it.each([
    ["O O", []],
    ["B-x I-x O B-y", ["x 0-2", "y 3-4"]],
    // What conlleval makes of sequences that BIO does not allow.
    ["O I-x I-x O", ["x 1-3"]],
    ["I-x", ["x 0-1"]],
    ["B-x I-y", ["x 0-1", "y 1-2"]],
    ["I-x I-y I-x", ["x 0-1", "y 1-2", "x 2-3"]],
    ["B-x B-x I-x", ["x 0-1", "x 1-3"]],
    ["B-creative-work I-creative-work", ["creative-work 0-2"]],
    ["B I O I", [" 0-2", " 3-4"]],
    // BIOES.
    ["B-x I-x E-x S-x S-x", ["x 0-3", "x 3-4", "x 4-5"]],
    ["E-x I-x E-x", ["x 0-1", "x 1-3"]],
    ["S-x I-x B-x E-x", ["x 0-1", "x 1-2", "x 2-4"]],
    ["B-x E-y", ["x 0-1", "y 1-2"]],
    // No span at all.
    ["NN VB", []],
  ])("%s", (tags, expected) => expect(spans(tags)).toEqual(expected));

  it.each([
    // IOB1: an I begins a span, a B only one that touches another of its type.
    ["I-x I-x O I-x", ["x 0-2", "x 3-4"]],
    ["I-x B-x I-x", ["x 0-1", "x 1-3"]],
    ["I-x I-x B-x B-x O", ["x 0-2", "x 2-3", "x 3-4"]],
    ["I-x I-y B-y I-x", ["x 0-1", "y 1-2", "y 2-3", "x 3-4"]],
  ])("%s (IOB1)", (tags, expected) => expect(spans(tags)).toEqual(expected));

  it("has no span of no tags", () => expect(tagSpans([])).toEqual([]));

  it("equals conlleval.pl", () => {
    // Its endOfChunk and startOfChunk, condition by condition, for tags of IOB1 and BIO, right and wrong ones.
    const ends = (before: string, tag: string, typeBefore: string, type: string) =>
      ["BB", "BO", "IB", "IO"].includes(before + tag) || (before !== "O" && typeBefore !== type);
    const starts = (before: string, tag: string, typeBefore: string, type: string) =>
      ["BB", "IB", "OB", "OI"].includes(before + tag) || (tag !== "O" && typeBefore !== type);
    const random = randomNumbers(11);
    const known = ["O", "B-x", "I-x", "B-y", "I-y"];
    for (let round = 0; round < 2000; round++) {
      const tags = Array.from({ length: 6 }, () => known[Math.floor(random() * known.length)]!);
      const expected: string[] = [];
      let [before, typeBefore, open] = ["O", "", ""];
      [...tags, "O"].forEach((name, at) => {
        const [tag = "", type = ""] = name.split("-");
        if (open !== "" && ends(before, tag, typeBefore, type)) {
          expected.push(`${open}-${at}`);
          open = "";
        }
        if (starts(before, tag, typeBefore, type)) open = `${type} ${at}`;
        [before, typeBefore] = [tag, type];
      });
      expect(spans(tags.join(" ")), tags.join(" ")).toEqual(expected);
    }
  });
});

describe("convertTags", () => {
  const same: Record<TagScheme, string>[] = [
    // The example at the top of the file.
    { IOB1: "I-x O I-y I-y B-y O", BIO: "B-x O B-y I-y B-y O", BIOES: "S-x O B-y E-y S-y O" },
    { IOB1: "I-x I-x B-x I-x I-x", BIO: "B-x I-x B-x I-x I-x", BIOES: "B-x E-x B-x I-x E-x" },
    { IOB1: "I-x I-y B-y I-x O I-x", BIO: "B-x B-y B-y B-x O B-x", BIOES: "S-x S-y S-y S-x O S-x" },
    { IOB1: "I B O I I", BIO: "B B O B I", BIOES: "S S O B E" },
    { IOB1: "O O", BIO: "O O", BIOES: "O O" },
  ];
  const schemes = ["IOB1", "BIO", "BIOES"] as const;

  it.each(same)("$IOB1 = $BIO = $BIOES", (forms) => {
    for (const from of schemes) {
      for (const to of schemes) expect(convertTags(forms[from].split(" "), to).join(" "), from).toBe(forms[to]);
    }
  });

  it("says what no scheme allows in the one that is asked for, and no tags for none", () => {
    expect(convertTags(["O", "I-x", "E-x", "NN"], "BIO")).toEqual(["O", "B-x", "I-x", "O"]);
    expect(convertTags([], "IOB1")).toEqual([]);
  });

  it("refuses spans that no tags can mark, and other schemes", () => {
    expect(spanTags([{ type: "x", start: 1, end: 3 }], 4, "BIO")).toEqual(["O", "B-x", "I-x", "O"]);
    for (const [start, end] of [
      [-1, 1],
      [2, 2],
      [3, 5],
      [0.5, 2],
      [Number.NaN, 2],
    ]) {
      expect(() => spanTags([{ type: "x", start: start!, end: end! }], 4, "BIO")).toThrow(ArgumentError);
    }
    const overlapping = [
      { type: "x", start: 0, end: 2 },
      { type: "y", start: 1, end: 3 },
    ];
    expect(() => spanTags(overlapping, 4, "BIO")).toThrow(/from 2 on/);
    expect(() => spanTags([], -1, "BIO")).toThrow(ArgumentError);
    expect(() => convertTags([], "IOB2" as "BIO")).toThrow(/IOB1, BIO, BIOES/);
    expect(() => tagRules(["O"], "IOB2" as "BIO")).toThrow(ArgumentError);
  });
});

describe("tagRules", () => {
  /** The sequences of tags of this length that the rules allow. */
  function allowed(labels: readonly string[], length: number, scheme?: TagScheme): string[][] {
    const rules = tagRules(labels, scheme);
    let paths = labels.flatMap((_, tag) => (rules.start[tag] ? [[tag]] : []));
    for (let t = 1; t < length; t++) {
      paths = paths.flatMap((path) =>
        labels.flatMap((_, tag) =>
          rules.transitions[(path.at(-1) as number) * labels.length + tag] ? [[...path, tag]] : [],
        ),
      );
    }
    return paths.filter((path) => rules.end[path.at(-1) as number]).map((path) => path.map((tag) => labels[tag] ?? ""));
  }

  it.each([
    ["IOB1", ["O", "B-x", "I-x", "B-y", "I-y"]],
    ["BIO", ["O", "B-x", "I-x", "B-y", "I-y"]],
    ["BIOES", ["O", "B-x", "I-x", "E-x", "S-x", "B-y", "I-y", "E-y", "S-y"]],
  ] as [TagScheme, string[]][])("allow every set of spans in %s in one way", (scheme, labels) => {
    // Sequences of three words: each way to cut them into spans of two types and words outside.
    const ways = (words: number): number => {
      if (words <= 0) return words === 0 ? 1 : 0;
      return ways(words - 1) + 2 * Array.from({ length: words }, (_, i) => ways(words - i - 1)).reduce((a, b) => a + b);
    };
    const found = allowed(labels, 3, scheme);
    if (scheme !== "IOB1") expect(allowed(labels, 3)).toEqual(found);
    for (const tags of found) expect(convertTags(tags, scheme)).toEqual(tags);
    expect(found).toHaveLength(ways(3));
    expect(new Set(found.map((tags) => JSON.stringify(tagSpans(tags)))).size, scheme).toBe(found.length);
  });

  it.each([
    ["NN", "VB", "O"],
    ["O", "I-x", "I-y"],
  ])("leave tags alone that mark no span, or one without a beginning: %s", (...labels) => {
    const { start, end, transitions } = tagRules(labels);
    expect([start, end, transitions].flat().every(Boolean)).toBe(true);
  });
});
