import { describe, expect, it } from "vitest";
import { ShapeError } from "../../../ts/errors.js";
import { EntityScores } from "../../../ts/train/metrics/entities.js";

/** Scores of "predicted | targets" a line, a sentence each. */
const scoresOf = (...sentences: string[]) =>
  sentences.reduce((scores, sentence) => {
    const [predicted = "", targets = ""] = sentence.split(" | ");
    return scores.add(predicted.split(" "), targets.split(" "));
  }, new EntityScores());

/** Right, found and there, which precision and recall are made of. */
const counts = (scores: EntityScores, type?: string) => {
  const { precision, recall, support } = type === undefined ? scores.total : scores.types.get(type)!;
  const right = Math.round(recall * support);
  return [right, precision === 0 ? 0 : Math.round(right / precision), support];
};

describe("EntityScores", () => {
  it("counts a span as right only whole and of the right type", () => {
    expect(counts(scoresOf("B-x I-x O | B-x I-x O"))).toEqual([1, 1, 1]);
    for (const wrong of ["B-x O O", "B-x I-x I-x", "O B-x O", "B-y I-y O", "B-x B-x O", "B-x I-y O"]) {
      const { precision, recall, f1, support } = scoresOf(`${wrong} | B-x I-x O`).total;
      expect([precision, recall, f1, support], wrong).toEqual([0, 0, 0, 1]);
    }
  });

  it("takes an I after O or after another type for the beginning of a span, as conlleval does", () => {
    expect(counts(scoresOf("O I-x I-x | O B-x I-x"))).toEqual([1, 1, 1]);
    expect(counts(scoresOf("B-x I-y | B-x B-y"))).toEqual([2, 2, 2]);
    // The first words agree, but the second span of the prediction is a part of the first one of the targets.
    expect(counts(scoresOf("B-x I-x B-x | B-x I-x I-x"))).toEqual([0, 0, 1]);
    // A sentence ends a span.
    expect(counts(scoresOf("O B-x | O B-x", "I-x O | I-x O"))).toEqual([2, 2, 2]);
  });

  it("is what is counted by hand", () => {
    const scores = scoresOf(
      "B-person I-person O B-group O | B-person I-person O B-group I-group",
      "O B-location O B-person | O B-location O O",
      "I-person O O B-group | B-person O O B-person",
    );
    // person: found 3 (1 + 1 + 1), right 2, there 3. group: found 2, right 0, there 1. location: 1, 1, 1.
    expect([...scores.types.keys()]).toEqual(["group", "location", "person"]);
    expect(scores.types.get("group")).toEqual({ precision: 0, recall: 0, f1: 0, support: 1 });
    expect(counts(scores, "location")).toEqual([1, 1, 1]);
    expect(counts(scores, "person")).toEqual([2, 3, 3]);
    expect(scores.total).toEqual({ precision: 3 / 6, recall: 3 / 5, f1: 6 / 11, support: 5 });
    // 13 words; wrong: I-group, the person that is not there, I-person for B-person, B-group for B-person.
    expect(scores.accuracy).toBe(9 / 13);
    expect(scores.toString().split("\n")).toEqual([
      "type      precision     recall         F1      there",
      "group          0.00       0.00       0.00          1",
      "location     100.00     100.00     100.00          1",
      "person        66.67      66.67      66.67          3",
      "all           50.00      60.00      54.55          5",
    ]);
    scores.reset();
    expect(scores.total).toEqual({ precision: 0, recall: 0, f1: 0, support: 0 });
    expect(scores.accuracy).toBeNaN();
  });

  it("refuses tags of another length", () => {
    expect(() => new EntityScores().add(["O"], [])).toThrow(ShapeError);
  });
});
