import { describe, expect, it } from "vitest";
import { ArgumentError, ShapeError } from "../../ts/errors.js";
import { ctcBeamSearch, ctcGreedyDecode } from "../../ts/infer/ctc-decode.js";
import { Random } from "../reference/random.js";

/** ln p of every labelling, by going through all paths. */
function byEnumeration(logits: Float32Array, classes: number, blank: number): Map<string, number> {
  const steps = logits.length / classes;
  const rows = Array.from({ length: steps }, (_, t) => {
    const values = [...logits.subarray(t * classes, (t + 1) * classes)].map(Math.exp);
    const total = values.reduce((a, b) => a + b, 0);
    return values.map((value) => value / total);
  });
  const found = new Map<string, number>();
  for (let path = 0; path < classes ** steps; path++) {
    const symbols = rows.map((_, t) => Math.floor(path / classes ** t) % classes);
    const labels = symbols.filter((symbol, t) => symbol !== blank && symbol !== symbols[t - 1]).join();
    const probability = symbols.reduce((product, symbol, t) => product * (rows[t]?.[symbol] as number), 1);
    found.set(labels, (found.get(labels) ?? 0) + probability);
  }
  return new Map([...found].map(([labels, probability]) => [labels, Math.log(probability)]));
}

describe("ctcBeamSearch", () => {
  it("ranks all labellings when the beam holds them all", () => {
    const [steps, classes] = [5, 3];
    for (const blank of [0, 1, 2]) {
      const data = new Random(blank + 1).values(steps * classes, 2);
      const expected = [...byEnumeration(data, classes, blank)].sort((a, b) => b[1] - a[1]);
      const [found] = ctcBeamSearch({ data, shape: [steps, classes] }, { blank, beamWidth: 500, paths: 6 });
      expect(found?.map(({ labels }) => labels.join())).toEqual(expected.slice(0, 6).map(([labels]) => labels));
      found?.forEach(({ logProbability }, i) => expect(logProbability).toBeCloseTo(expected[i]?.[1] as number, 10));
    }
  });

  it("finds what the best path misses", () => {
    // p(blank) 0.6, p(a) 0.4 twice: the best path is empty with 0.36, "a" has 0.64 on three paths.
    const row = [Math.log(0.6), Math.log(0.4)];
    const logits = { data: Float32Array.from([...row, ...row]), shape: [1, 2, 2] };
    expect(ctcGreedyDecode(logits)).toEqual([[]]);
    const [[best] = []] = ctcBeamSearch(logits, { beamWidth: 2 });
    expect(best?.labels).toEqual([1]);
    expect(best?.logProbability).toBeCloseTo(Math.log(0.64), 6);
  });

  it("takes lengths, no steps, and names what is wrong", () => {
    const logits = { data: new Random(1).values(24), shape: [2, 4, 3] };
    const [, second] = ctcBeamSearch(logits, { lengths: [4, 0] });
    expect(second).toEqual([{ labels: [], logProbability: 0 }]);
    expect(ctcGreedyDecode(logits, { lengths: [0, 0] })).toEqual([[], []]);
    expect(() => ctcGreedyDecode({ data: logits.data, shape: [24] })).toThrow(ShapeError);
    expect(() => ctcGreedyDecode(logits, { blank: 3 })).toThrow(/blank/);
    expect(() => ctcGreedyDecode(logits, { lengths: [5, 1] })).toThrow(/lengths\[0\]/);
    expect(() => ctcBeamSearch(logits, { beamWidth: 0 })).toThrow(ArgumentError);
    expect(() => ctcBeamSearch(logits, { beamWidth: 2, paths: 3 })).toThrow(/paths/);
  });
});
