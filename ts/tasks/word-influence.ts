/**
 * Which words moved a classifier: how much less probable its answer is without each of them,
 *
 *     ln P(label | text) - ln P(label | text without the word)
 *
 * Li, Monroe & Jurafsky 2016, "Understanding neural networks through representation erasure" (there divided by the first
 * term). It needs nothing of the model but its answers, so that it is the same for every one.
 */
import { ArgumentError } from "../errors.js";
import { checkSize } from "../nn/check.js";
import { WORD_SPLITS } from "../text/word-splits.js";
import { type Classification, logProbability } from "./class-scores.js";

/** Whatever says classes of texts: `TextClassifier`, `NaiveBayes`, `HybridClassifier`. */
export interface PredictsTexts {
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
  readonly word: string;
  /** Nats; below 0 where the label is more probable without the word. */
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
  const probabilityOf = ({ probabilities }: Classification): number => {
    const found = probabilities.find((one) => one.label === label);
    if (found !== undefined) return found.probability;
    throw new ArgumentError(WHERE, "label", probabilities.map((one) => one.label).join(", "), label);
  };
  const score = (of: Classification) => logProbability(probabilityOf(of));
  return {
    label,
    probability: probabilityOf(whole),
    probabilities: whole.probabilities,
    words: others.map((other, i) => ({ word: words[i] as string, weight: score(whole) - score(other) })),
  };
}

const WHERE = "wordInfluence";
