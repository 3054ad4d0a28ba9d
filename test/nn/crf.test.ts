/** The conditional random field against all sequences of tags, enumerated in float64. */
import { describe, expect, it } from "vitest";
import { ArgumentError, ShapeError } from "../../ts/errors.js";
import { viterbi } from "../../ts/infer/viterbi.js";
import { ConditionalRandomField } from "../../ts/nn/crf.js";
import { ids } from "../../ts/tensor/ids.js";
import { gradients } from "../../ts/tensor/record.js";
import { tensor } from "../../ts/tensor/tensor.js";
import { tagRules } from "../../ts/text/entity-tags.js";
import { Random } from "../reference/random.js";

const [BATCH, STEPS, TAGS] = [3, 4, 5];
const LENGTHS = [4, 0, 3];
const TARGETS = [
  [2, 0, 4, 4],
  [0, 0, 0, 0],
  [1, 1, 3, -100],
];

/** Scores in the order emissions (B, T, K), transitions (K, K), start, end (K), in one array. */
const PARTS = [BATCH * STEPS * TAGS, TAGS * TAGS, TAGS, TAGS] as const;
const values = Float64Array.from(new Random(5).values(PARTS.reduce((a, b) => a + b)), (value) => 2 * value);
const part = (from: Float64Array, number: number) => {
  const start = PARTS.slice(0, number).reduce((a, b) => a + b, 0);
  return from.subarray(start, start + (PARTS[number] as number));
};

/** Every sequence of tags of a length. */
const paths = (length: number): number[][] =>
  length === 0 ? [[]] : paths(length - 1).flatMap((path) => Array.from({ length: TAGS }, (_, tag) => [...path, tag]));

/** The score of a path in a row of the batch; 0 of none. */
function score(from: Float64Array, row: number, path: readonly number[]): number {
  if (path.length === 0) return 0;
  const [emissions, transitions, start, end] = [0, 1, 2, 3].map((number) => part(from, number));
  let sum = start![path[0]!]! + end![path.at(-1)!]!;
  path.forEach((tag, t) => {
    sum += emissions![(row * STEPS + t) * TAGS + tag]!;
    if (t > 0) sum += transitions![path[t - 1]! * TAGS + tag]!;
  });
  return sum;
}

const total = (from: Float64Array, row: number, keep: (path: readonly number[]) => boolean = () => true) =>
  paths(LENGTHS[row]!)
    .filter(keep)
    .reduce((sum, path) => sum + Math.exp(score(from, row, path)), 0);

const lossOf = (from: Float64Array, row: number) =>
  Math.log(total(from, row)) - score(from, row, TARGETS[row]!.slice(0, LENGTHS[row]));

const crf = new ConditionalRandomField(TAGS).init({ seed: 1 });
[crf.transitions, crf.start_transitions, crf.end_transitions].forEach((parameter, i) => {
  parameter.write(part(values, i + 1));
});
const emissions = tensor(Float32Array.from(part(values, 0)), [BATCH, STEPS, TAGS]);
const targets = ids(TARGETS);

describe("a conditional random field", () => {
  it("has the loss of all sequences of tags", () => {
    const losses = crf.loss(emissions, targets, { lengths: LENGTHS, reduction: "none" }).toArray();
    LENGTHS.forEach((_, row) => expect(losses[row]).toBeCloseTo(lossOf(values, row), 5));
    const sum = losses.reduce((a, b) => a + b);
    expect(crf.loss(emissions, targets, { lengths: LENGTHS, reduction: "sum" }).item()).toBeCloseTo(sum, 5);
    expect(crf.loss(emissions, targets, { lengths: LENGTHS }).item()).toBeCloseTo(sum / 3, 5);
  });

  it("has their gradient", () => {
    const parameters = [emissions, crf.transitions, crf.start_transitions, crf.end_transitions];
    const record = () => crf.loss(emissions, targets, { lengths: LENGTHS });
    const { grads } = gradients(record, { parameters });
    const mean = (from: Float64Array) => LENGTHS.reduce((sum, _, row) => sum + lossOf(from, row) / 3, 0);
    const found = parameters.flatMap((parameter) => [...grads.get(parameter)!]);
    expect(found).toHaveLength(values.length);
    found.forEach((slope, i) => {
      const [above, below] = [1e-4, -1e-4].map((step) =>
        mean(values.map((value, at) => (at === i ? value + step : value))),
      );
      expect(slope, `${i}`).toBeCloseTo((above! - below!) / 2e-4, 5);
    });
    // Some of the parameters alone.
    for (const parameter of parameters) {
      const alone = gradients(record, { parameters: [parameter] }).grads.get(parameter)!;
      expect([...alone]).toEqual([...grads.get(parameter)!]);
    }
  });

  it("knows how probable each tag is", () => {
    const shares = crf.marginals(emissions, LENGTHS).toArray();
    LENGTHS.forEach((length, row) => {
      for (let t = 0; t < STEPS; t++) {
        for (let tag = 0; tag < TAGS; tag++) {
          const expected = t < length ? total(values, row, (path) => path[t] === tag) / total(values, row) : 0;
          expect(shares[(row * STEPS + t) * TAGS + tag]).toBeCloseTo(expected, 6);
        }
      }
    });
  });

  it("does not look past a length", () => {
    const broken = emissions.toArray();
    broken.fill(Number.NaN, 3 * TAGS);
    const [rows, path] = [tensor(broken.slice(0, STEPS * TAGS), [1, STEPS, TAGS]), ids([[2, 0, 4, 99]])];
    const { loss, grads } = gradients(() => crf.loss(rows, path, { lengths: [3] }), { parameters: [rows] });
    const short = tensor(broken.slice(0, 3 * TAGS), [1, 3, TAGS]);
    expect(loss).toBe(crf.loss(short, ids([[2, 0, 4]])).item());
    expect([...grads.get(rows)!].every(Number.isFinite)).toBe(true);
  });

  it("names what is wrong", () => {
    expect(() => new ConditionalRandomField(0)).toThrow(ArgumentError);
    expect(() => crf.loss(emissions, ids([[1]]))).toThrow(ShapeError);
    expect(() => crf.loss(tensor(new Float32Array(6), [1, 2, 3]), ids([[0, 0]]))).toThrow(/transitions/);
    expect(() => crf.loss(tensor(new Float32Array(6), [2, 3]), ids([[0, 0]]))).toThrow(/emissions/);
    expect(() => crf.loss(emissions, targets)).toThrow(/paths\[2\]\[3\]/);
    expect(() => crf.loss(emissions, targets, { lengths: [4, 0] })).toThrow(ShapeError);
    expect(() => crf.marginals(emissions, [4, 0, 5])).toThrow(/lengths\[2\]/);
  });
});

describe("viterbi", () => {
  const scores = (row: number) => ({
    data: emissions.toArray().slice(row * STEPS * TAGS, (row * STEPS + LENGTHS[row]!) * TAGS),
    shape: [LENGTHS[row]!, TAGS],
  });
  const [transitions, start, end] = [1, 2, 3].map((number) => part(values, number));
  const rules = tagRules(["O", "B-x", "I-x", "B-y", "I-y"]);

  it.each([undefined, rules])("finds the best of all sequences of tags, of those that rules allow: %#", (kept) => {
    const allowed = (path: readonly number[]): boolean =>
      kept === undefined ||
      path.every((tag, t) => (t === 0 ? kept.start[tag] : kept.transitions[path[t - 1]! * TAGS + tag])!);
    for (const row of [0, 2]) {
      const best = paths(LENGTHS[row]!)
        .filter(allowed)
        .reduce((a, b) => (score(values, row, b) > score(values, row, a) ? b : a));
      const found = viterbi(scores(row), { transitions, start, end, rules: kept });
      expect([...found.path]).toEqual(best);
      expect(found.score).toBeCloseTo(score(values, row, best), 5);
    }
    // Without rules these scores lead to what BIO does not allow, so that the test above tests them.
    expect(allowed([...viterbi(scores(0), { transitions, start, end }).path])).toBe(kept === undefined);
  });

  it("takes the best tag of each step where that is all there is", () => {
    expect([...viterbi({ data: Float32Array.of(1, 3, 2, 5, 4, 4), shape: [2, 3] }).path]).toEqual([1, 0]);
    expect(viterbi({ data: new Float32Array(0), shape: [0, 3] })).toEqual({ path: new Int32Array(0), score: 0 });
  });

  it("names what is wrong", () => {
    expect(() => viterbi({ data: new Float32Array(3), shape: [3] })).toThrow(ShapeError);
    expect(() => viterbi({ data: new Float32Array(3), shape: [1, 3] }, { start: [1] })).toThrow(/start/);
    expect(() => viterbi({ data: new Float32Array(3), shape: [1, 3] }, { rules })).toThrow(/transitions/);
    expect(() => viterbi({ data: Float32Array.of(1, Number.NaN), shape: [1, 2] })).toThrow(/emissions\[0\]\[1\]/);
    const nothing = { start: [false], end: [true], transitions: [true] };
    expect(viterbi({ data: Float32Array.of(1), shape: [1, 1] }, { rules: nothing }).score).toBe(-Infinity);
  });
});
