import { expect, it } from "vitest";
import { ShapeError } from "../../ts/errors.js";
import { alignmentSvg } from "../../ts/inspect/alignment-svg.js";
import { parseSvg } from "./svg.js";

const weights = { data: Float32Array.of(0.9, 0.1, 0, 0.25, 0.5, 0.25), shape: [2, 3] };

it("draws a row for each word of the target, a column for each of the source", () => {
  const source = ["the", "<cat> & \u0000", "<end>"];
  const svg = alignmentSvg({ weights, source, target: ["le", "chat"] }, { title: 'a "title"' });
  parseSvg(svg);
  const cells = [...svg.matchAll(/<rect x="(\d+)" y="(\d+)" .*?fill-opacity="([\d.]+)"/g)].map((m) =>
    m.slice(1).map(Number),
  );
  expect(cells.map(([, , opacity]) => opacity)).toEqual([0.9, 0.1, 0, 0.25, 0.5, 0.25]);
  expect(new Set(cells.map(([x]) => x)).size).toBe(3);
  expect(new Set(cells.map(([, y]) => y)).size).toBe(2);
  expect(svg).toContain("<title>le / the: 0.900</title>");
  expect(svg).toContain("&lt;cat&gt; &amp; \ufffd");
});

it("draws no words at all, and names weights of another shape", () => {
  parseSvg(alignmentSvg({ weights: { data: new Float32Array(0), shape: [0, 0] }, source: [], target: [] }));
  expect(() => alignmentSvg({ weights, source: ["a"], target: ["b", "c"] })).toThrow(ShapeError);
});
