/**
 * Which words moved a classifier: the weight of evidence of each, which is how much lower the odds of its answer are
 * without it,
 *
 *     ln odds(label | text) - ln odds(label | text without the word)        odds = P / (1 - P)
 *
 * Robnik-Sikonja & Kononenko 2008, "Explaining classifications for individual instances"; with networks for language: Li,
 * Monroe & Jurafsky 2016, "Understanding neural networks through representation erasure". It needs nothing of the model but
 * its answers, so that it is the same for every one.
 */
import { ArgumentError } from "../errors.js";
import { checkSize } from "../nn/check.js";
import { WORD_SPLITS } from "../text/word-splits.js";
import { type Classification, logProbability } from "./class-scores.js";

/** Whatever says classes of texts: `TextClassifier`, `NaiveBayes`, `HybridClassifier`. */
export interface PredictsTexts {
  /** The class of each text, with the probabilities of all. */
  predict(texts: readonly string[]): readonly Classification[];
}

/** Options of {@link wordInfluence}. */
export interface WordInfluenceOptions {
  /** For which label; default the most probable. */
  readonly label?: string | undefined;
  /** What is left out, one at a time: "words", marks apart, or "characters". Default "words". */
  readonly unit?: "words" | "characters" | undefined;
  /** Words or characters that are read, the first ones, as each takes one more prediction; default 200. */
  readonly most?: number | undefined;
}

/** A word and how it moved the answer. */
export interface WordInfluence {
  /** As the text has it. */
  readonly word: string;
  /** Weight of evidence in nats; below 0 where the label is more probable without the word. */
  readonly weight: number;
}

/** What a classifier says of a text, and why. */
export interface ExplainedClassification extends Classification {
  /** In the order of the text. */
  readonly words: readonly WordInfluence[];
}

/** How a text is taken apart and put together. */
const UNITS = new Map([
  ["words", { split: /* @__PURE__ */ WORD_SPLITS.get("treebank") as (text: string) => string[], between: " " }],
  ["characters", { split: (text: string) => [...text], between: "" }],
]);

/**
 * The class of a text and what each of its words did for it. The model is given the words with spaces between them.
 * @throws ArgumentError, also for a label that the model does not have
 */
export function wordInfluence(
  model: PredictsTexts,
  text: string,
  options: WordInfluenceOptions = {},
): ExplainedClassification {
  const { unit = "words", most = 200 } = options;
  checkSize(WHERE, "most", most);
  const parts = UNITS.get(unit);
  if (parts === undefined) throw new ArgumentError(WHERE, "unit", [...UNITS.keys()].join(" or "), unit);
  const words = parts.split(text).slice(0, most);
  const without = words.map((_, erased) => words.filter((_, i) => i !== erased).join(parts.between));
  const [whole, ...others] = model.predict([words.join(parts.between), ...without]) as [
    Classification,
    ...Classification[],
  ];
  const label = options.label ?? whole.label;
  const chosen = whole.probabilities.findIndex((one) => one.label === label);
  const known = whole.probabilities.map((one) => one.label);
  if (chosen < 0) throw new ArgumentError(WHERE, "label", known.join(", "), label);
  const logOdds = ({ probabilities }: Classification): number => {
    // The others are added up, as 1 - P of a probability near 1 has few digits left.
    const others = probabilities.reduce((total, { probability }, k) => (k === chosen ? total : total + probability), 0);
    return logProbability((probabilities[chosen] as (typeof probabilities)[0]).probability) - logProbability(others);
  };
  return {
    label,
    probability: (whole.probabilities[chosen] as (typeof whole.probabilities)[0]).probability,
    probabilities: whole.probabilities,
    words: others.map((other, i) => ({ word: words[i] as string, weight: logOdds(whole) - logOdds(other) })),
  };
}

const WHERE = "wordInfluence";
