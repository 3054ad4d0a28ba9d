/** Coloured words: the colours are those of the weights, and nothing in a word is markup. */
import { describe, expect, it } from "vitest";
import { ArgumentError, wordHeatHtml } from "../../ts/index.js";
import { parseSvg } from "./svg.js";

const coloursOf = (html: string) =>
  [...html.matchAll(/rgba\((\d+), \d+, \d+, ([\d.]+)\)" title="([^"]*)">([^<]*)</g)].map(
    ([, red, share, title, word]) => [Number(red), Number(share), title, word],
  );

describe("wordHeatHtml", () => {
  const words = [
    { word: "not", weight: -2 },
    { word: "a", weight: 0 },
    { word: "<b>&", weight: 1 },
  ];

  it("gives each word its colour", () => {
    const html = wordHeatHtml(words, { title: '"good"' });
    parseSvg(`<svg xmlns="http://www.w3.org/2000/svg">${html}</svg>`);
    expect(html).toContain("<b>&quot;good&quot;</b>");
    expect(coloursOf(html)).toEqual([
      [0, 0.8, "-2.00", "not"],
      [213, 0, "+0.00", "a"],
      [213, 0.4, "+1.00", "&lt;b&gt;&amp;"],
    ]);
  });

  it("takes the full colour from elsewhere, also for larger weights", () => {
    expect(coloursOf(wordHeatHtml(words, { most: 1 })).map(([, share]) => share)).toEqual([0.8, 0, 0.8]);
    expect(coloursOf(wordHeatHtml(words, { most: 8 })).map(([, share]) => share)).toEqual([0.2, 0, 0.1]);
  });

  it("is a line without words, and refuses what is no number", () => {
    expect(wordHeatHtml([])).toMatch(/^<p [^>]*><\/p>\n$/);
    expect(() => wordHeatHtml([{ word: "x", weight: Number.NaN }])).toThrow(ArgumentError);
  });
});
