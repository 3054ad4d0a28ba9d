import { expect, it } from "vitest";
import { DictionaryTagger } from "../../ts/tasks/dictionary-tagger.js";

const sentence = (words: string, tags: string) => ({ words: words.split(" "), tags: tags.split(" ") });
const train = [
  sentence("New York saw York", "B-place I-place O B-place"),
  sentence("New York City and York and York", "B-place I-place I-place O B-team O B-team"),
  sentence("Paris met Paris", "B-person O B-place"),
];

it("finds the longest entries from left to right, each with its most frequent type", () => {
  const tagger = DictionaryTagger.from(train);
  expect([...tagger.entries]).toEqual([
    ["new york", "place"],
    ["york", "team"],
    ["new york city", "place"],
    ["paris", "person"],
  ]);
  expect(tagger.tags("in New York City York PARIS new New".split(" "))).toEqual(
    "O B-place I-place I-place B-team B-person O O".split(" "),
  );
  expect(tagger.tags([])).toEqual([]);
  expect(new DictionaryTagger([]).tags(["a"])).toEqual(["O"]);
  // Of seven entities: York is a team once too often, the second Paris is a place.
  const { precision, recall, support } = tagger.evaluate(train).total;
  expect([precision, recall, support]).toEqual([5 / 7, 5 / 7, 7]);
});
