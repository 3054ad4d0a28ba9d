import { describe, expect, it } from "vitest";
import { tagRules, tagSpans } from "../../ts/text/entity-tags.js";

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

  it("has no span of no tags", () => expect(tagSpans([])).toEqual([]));
});

describe("tagRules", () => {
  /** The sequences of tags of this length that the rules allow. */
  function allowed(labels: readonly string[], length: number): string[][] {
    const rules = tagRules(labels);
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
    ["BIO", ["O", "B-x", "I-x", "B-y", "I-y"]],
    ["BIOES", ["O", "B-x", "I-x", "E-x", "S-x", "B-y", "I-y", "E-y", "S-y"]],
  ])("allow every set of spans in %s in one way", (scheme, labels) => {
    // Sequences of three words: each way to cut them into spans of two types and words outside.
    const ways = (words: number): number => {
      if (words <= 0) return words === 0 ? 1 : 0;
      return ways(words - 1) + 2 * Array.from({ length: words }, (_, i) => ways(words - i - 1)).reduce((a, b) => a + b);
    };
    const found = allowed(labels, 3);
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
