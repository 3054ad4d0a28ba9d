/**
 * A recurrent classifier and naive Bayes, which decide together:
 *
 *     P(k | text) ~ P_network(k | text)^v P_bayes(k | text)^w
 *
 * after Raina, Shen, Ng & McCallum 2004, "Classification with hybrid generative/discriminative models", where such weights
 * are learned too; Mesnil et al. 2014, "Ensemble of generative and discriminative techniques for sentiment analysis of movie reviews",
 * combine recurrent networks and naive Bayes in this way. They err differently: one knows which words mean the same, the
 * other counts every phrase.
 */

import type { Core } from "../core/core.js";
import { exp } from "../core/elementary.js";
import { ArgumentError, DataError } from "../errors.js";
import { entriesOf } from "../io/json.js";
import { load, type ModelSource, readModelFile } from "../io/model-file.js";
import { Module } from "../nn/module.js";
import type { Tokenizer } from "../text/tokenizer.js";
import {
  type Classification,
  type ClassifierScores,
  classification,
  classOf,
  type LabelledText,
  logProbability,
  normalized,
  TextScores,
} from "./class-scores.js";
import { classifierFrom, type TextClassifier } from "./classifier.js";
import { Config } from "./config.js";
import type { RecurrentClass } from "./language-model.js";
import { NaiveBayes } from "./naive-bayes.js";

/** Options of {@link HybridClassifier}. */
export interface HybridClassifierOptions {
  /** Trained, or to be trained, by itself. */
  readonly network: TextClassifier;
  /** Of the same labels in the same order. */
  readonly bayes: NaiveBayes;
  /** v and w; default 1 and 0.2. See {@link HybridClassifier.fitWeights}. */
  readonly weights?: HybridWeights | undefined;
}

/** How much each part counts, from 0 to 2. */
export interface HybridWeights {
  /** v */
  readonly network: number;
  /** w */
  readonly bayes: number;
}

const WHERE = "HybridClassifier";
const PARTS = ["network", "bayes"] as const;
/** The largest weight. */
const MOST = 2;
const ROUNDS = 10;
const GOLDEN = (Math.sqrt(5) - 1) / 2;

/** What {@link TextClassifier} and {@link NaiveBayes} say of a text, multiplied. */
export class HybridClassifier extends Module {
  /** Name of the class in model files. */
  readonly kind = "HybridClassifier";
  /** The network that has a say. */
  readonly network: TextClassifier;
  /** The baseline that has a say. */
  readonly bayes: NaiveBayes;
  /** Names of the classes, of both. */
  readonly labels: readonly string[];
  #weights: HybridWeights;

  /** @throws ArgumentError */
  constructor({ network, bayes, weights = { network: 1, bayes: 0.2 } }: HybridClassifierOptions) {
    super();
    if (!(network.labels.length === bayes.labels.length && network.labels.every((name, k) => name === bayes.labels[k])))
      throw new ArgumentError(WHERE, "bayes", `of the labels ${network.labels.join(", ")}`, bayes.labels);
    for (const part of PARTS) {
      const weight = weights[part];
      if (!(Number.isFinite(weight) && weight >= 0 && weight <= MOST)) {
        throw new ArgumentError(WHERE, `weights.${part}`, `a number from 0 to ${MOST}`, weight);
      }
    }
    this.network = network;
    this.bayes = bayes;
    this.labels = network.labels;
    this.#weights = { network: weights.network, bayes: weights.bayes };
  }

  /** The network's. */
  get tokenizer(): Tokenizer {
    return this.network.tokenizer;
  }

  /** v and w */
  get weights(): HybridWeights {
    return this.#weights;
  }

  /**
   * Sets the weights to those of the lowest loss over texts that neither part was trained on. Naive Bayes is too certain,
   * as it takes words for independent, so that its weight is mostly far below 1.
   * @throws DataError when there are none, or for an unknown label
   */
  fitWeights(examples: Iterable<LabelledText>): this {
    const scores = this.#scores(Array.from(examples));
    const lossAt = (weights: HybridWeights) =>
      scores.reduce((total, given) => total - (mixed(given, weights)[given.target] as number), 0);
    // The loss is convex in both, so that each in turn leads there.
    for (let round = 0; round < ROUNDS; round++) {
      for (const part of PARTS) {
        const lowest = lowestPoint((weight) => lossAt({ ...this.#weights, [part]: weight }));
        this.#weights = { ...this.#weights, [part]: lowest };
      }
    }
    return this;
  }

  /** Classes of texts. */
  predict(texts: readonly string[]): Classification[];
  predict(text: string): Classification;
  predict(given: string | readonly string[]): Classification | Classification[] {
    if (typeof given === "string") return this.predict([given])[0] as Classification;
    return this.network.predict(given).map((found, i) => {
      const bayes = this.bayes.logProbabilities(given[i] as string);
      return classification(this.labels, mixed({ network: logs(found), bayes }, this.#weights).map(exp));
    });
  }

  /** Loss, accuracy and confusions over labelled texts. @throws DataError when there are none, or for an unknown label */
  evaluate(examples: Iterable<LabelledText>): ClassifierScores {
    const total = new TextScores(WHERE, this.labels);
    for (const given of this.#scores(Array.from(examples))) total.add(mixed(given, this.#weights), given.target);
    return total.value;
  }

  /** What both parts say of texts. */
  #scores(examples: readonly LabelledText[]) {
    if (examples.length === 0) throw new DataError(`${WHERE}: no examples`);
    const targets = examples.map(({ label }, number) => classOf(WHERE, this.labels, label, number));
    return this.network.predict(examples.map(({ text }) => text)).map((found, i) => ({
      network: logs(found),
      bayes: this.bayes.logProbabilities((examples[i] as LabelledText).text),
      target: targets[i] as number,
    }));
  }

  /** JSON data that, with the tokenizer, make the same model. */
  config(): Readonly<Record<string, unknown>> {
    return { ...this.network.config(), weights: this.#weights, naiveBayes: this.bayes.toJSON() };
  }

  /**
   * The model of a file that `save` wrote, with both parts.
   * @param options.cells - cells besides RNN, LSTM and GRU that the file may be of
   * @throws LoadError
   */
  static from(
    source: ModelSource,
    options: { readonly core?: Core; readonly cells?: Iterable<RecurrentClass> } = {},
  ): HybridClassifier {
    const { cells, ...others } = options;
    const file = readModelFile(source);
    const config = new Config(WHERE, file);
    const network = classifierFrom(config, cells);
    const bayes = NaiveBayes.fromJSON(file.config.get("naiveBayes"), { tokenizers: file.tokenizerReaders });
    const { network: v, bayes: w } = Object.fromEntries(entriesOf(file.config.get("weights")) ?? []);
    const weights = { network: v, bayes: w } as HybridWeights;
    return load(
      config.construct(() => new HybridClassifier({ network, bayes, weights })),
      file,
      others,
    );
  }
}

/** ln P(k | text) (K) of the network. */
function logs({ probabilities }: Classification): number[] {
  return probabilities.map(({ probability }) => logProbability(probability));
}

/** ln P(k | text) (K) of both together. */
function mixed(
  { network, bayes }: { readonly network: readonly number[]; readonly bayes: Float64Array },
  weights: HybridWeights,
): Float64Array {
  return normalized(bayes.map((score, k) => weights.network * (network[k] as number) + weights.bayes * score));
}

/** Where a convex function from 0 to {@link MOST} is lowest, to a thousandth, by golden section. */
function lowestPoint(f: (x: number) => number): number {
  let [low, high] = [0, MOST];
  const inside = (fraction: number): [x: number, y: number] => {
    const x = low + fraction * (high - low);
    return [x, f(x)];
  };
  let [left, right] = [inside(1 - GOLDEN), inside(GOLDEN)];
  while (high - low > 1e-3) {
    if (left[1] <= right[1]) {
      high = right[0];
      [left, right] = [inside(1 - GOLDEN), left];
    } else {
      low = left[0];
      [left, right] = [right, inside(GOLDEN)];
    }
  }
  return (low + high) / 2;
}
