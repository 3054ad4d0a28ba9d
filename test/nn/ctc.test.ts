import { describe, expect, it } from "vitest";
import { ArgumentError, ShapeError } from "../../ts/errors.js";
import { ctcLoss } from "../../ts/nn/losses/ctc.js";
import { gradients } from "../../ts/tensor/record.js";
import { sum } from "../../ts/tensor/reduce.js";
import { tensor, zeros } from "../../ts/tensor/tensor.js";
import { Random } from "../reference/random.js";

describe("ctcLoss", () => {
  it("counts paths where all are equally probable", () => {
    // Of the 27 paths of three steps over blank, a, b, "ab" has five: ab_ a_b _ab aab abb; "a" six; "aa" one; "" one.
    const losses = ctcLoss(zeros([4, 3, 3]), [[1, 2], [1], [1, 1], []], { reduction: "none" }).toArray();
    [5, 6, 1, 1].forEach((count, b) => expect(losses[b]).toBeCloseTo(Math.log(27 / count), 5));
    const mean = ctcLoss(zeros([2, 3, 3]), [[1, 2], []]).item();
    expect(mean).toBeCloseTo((Math.log(27 / 5) / 2 + Math.log(27)) / 2, 5);
  });

  it("is infinite without a gradient, or nothing, when there are too few steps", () => {
    const logits = tensor(new Random(1).values(2 * 3 * 4), [2, 3, 4]);
    const targets = [[1, 1, 2], [3]];
    expect(ctcLoss(logits, targets, { reduction: "none" }).toArray()[0]).toBe(Infinity);
    const { loss, grads } = gradients(() => sum(ctcLoss(logits, targets, { reduction: "none", zeroInfinity: true })), {
      parameters: [logits],
    });
    const alone = ctcLoss(tensor(logits.toArray().slice(12), [1, 3, 4]), [[3]], { reduction: "sum" }).item();
    expect(loss).toBeCloseTo(alone, 5);
    expect([...(grads.get(logits)?.subarray(0, 12) ?? [])]).toEqual(new Array(12).fill(0));
    expect(
      grads
        .get(logits)
        ?.subarray(12)
        .some((slope) => slope !== 0),
    ).toBe(true);
  });

  it("does not look past a length", () => {
    const values = new Random(2).values(5 * 3);
    values.fill(NaN, 9);
    const logits = tensor(values, [1, 5, 3]);
    const { loss, grads } = gradients(() => ctcLoss(logits, [[2]], { lengths: [3] }), { parameters: [logits] });
    expect(loss).toBeCloseTo(ctcLoss(tensor(values.slice(0, 9), [1, 3, 3]), [[2]]).item(), 6);
    expect([...(grads.get(logits)?.subarray(0, 9) ?? [])].every(Number.isFinite)).toBe(true);
  });

  it("names what is wrong", () => {
    const logits = zeros([1, 4, 3]);
    expect(() => ctcLoss(zeros([4, 3]), [[1]])).toThrow(ShapeError);
    expect(() => ctcLoss(logits, [[1], [2]])).toThrow(ShapeError);
    expect(() => ctcLoss(logits, [[1, 0]])).toThrow(/targets\[0\]\[1\]/);
    expect(() => ctcLoss(logits, [[3]])).toThrow(ArgumentError);
    expect(() => ctcLoss(logits, [[1]], { blank: 3 })).toThrow(/blank/);
    expect(() => ctcLoss(logits, [[1]], { lengths: [5] })).toThrow(/lengths\[0\]/);
  });
});
