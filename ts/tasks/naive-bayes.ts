/**
 * Multinomial naive Bayes: the classifier of texts that any other has to beat. McCallum & Nigam 1998, "A comparison of
 * event models for naive Bayes text classification"; Manning, Raghavan & Schütze 2008, "Introduction to information
 * retrieval", section 13.2; with n-grams as Wang & Manning 2012, "Baselines and bigrams". N_gk is how often n-gram g
 * occurs in texts of class k, V the number of different n-grams, a the smoothing:
 *
 *     P(k | text) ~ P(k) prod over n-grams g of the text of P(g | k)
 *     P(g | k) = (N_gk + a) / (sum over g' of N_g'k + a V)         P(k) = texts of class k / texts
 *
 * N-grams that no training text has are left out.
 */
import { exp, log } from "../core/elementary.js";
import { ArgumentError, DataError, isUnrolledError, LoadError } from "../errors.js";
import { checkSize } from "../nn/check.js";
import { type TokenizerReader, tokenizerFromJSON } from "../text/from-json.js";
import type { Tokenizer } from "../text/tokenizer.js";
import {
  type Classification,
  type ClassifierScores,
  checkLabels,
  classification,
  classOf,
  type LabelledText,
  normalized,
  TextScores,
} from "./class-scores.js";

/** Options of {@link NaiveBayes}. */
export interface NaiveBayesOptions {
  /** Splits texts. */
  readonly tokenizer: Tokenizer;
  /** Names of the classes, two or more. */
  readonly labels: readonly string[];
  /** Longest n-grams that are counted, in tokens, beside all shorter ones; default 1. */
  readonly order?: number | undefined;
  /** a, added to every count; default 1, Laplace's. */
  readonly smoothing?: number | undefined;
}

const WHERE = "NaiveBayes";

/** Counts of n-grams by class. A text without a known n-gram has the class that most training texts have. */
export class NaiveBayes {
  /** Splits texts. */
  readonly tokenizer: Tokenizer;
  /** Names of the classes. */
  readonly labels: readonly string[];
  /** Tokens of the longest n-grams. */
  readonly order: number;
  /** Added to each count. */
  readonly smoothing: number;
  /** Training texts of each class (K). */
  readonly #texts: readonly number[];
  /** N_gk, (K) for each n-gram, which is written as its ids with spaces between them. */
  readonly #counts: ReadonlyMap<string, readonly number[]>;
  /** ln P(k) (K). */
  readonly #priors: readonly number[];
  /** ln(sum over g of N_gk + a V) (K). */
  readonly #totals: readonly number[];
  readonly #logs = new Map<number, number>();

  private constructor(
    options: NaiveBayesOptions,
    texts: readonly number[],
    counts: ReadonlyMap<string, readonly number[]>,
  ) {
    const { order, smoothing } = checked(options);
    this.tokenizer = options.tokenizer;
    this.labels = options.labels;
    this.order = order;
    this.smoothing = smoothing;
    this.#texts = texts;
    this.#counts = counts;
    const all = texts.reduce((total, count) => total + count, 0);
    this.#priors = texts.map((count) => log(count / all));
    const sums = texts.map(() => 0);
    for (const row of counts.values()) row.forEach((count, k) => (sums[k] = (sums[k] as number) + count));
    this.#totals = sums.map((sum) => log(sum + smoothing * counts.size));
  }

  /**
   * Counts the n-grams of labelled texts.
   * @throws DataError naming the example whose label is none, or a label that no text has; TokenizerError
   */
  static from(examples: Iterable<LabelledText>, options: NaiveBayesOptions): NaiveBayes {
    const { order } = checked(options);
    const { labels, tokenizer } = options;
    const texts = labels.map(() => 0);
    const counts = new Map<string, number[]>();
    let number = 0;
    for (const { text, label } of examples) {
      const k = classOf(WHERE, labels, label, number++);
      texts[k] = (texts[k] as number) + 1;
      eachNgram(tokenizer.encode(text), order, (ngram) => {
        const row = counts.get(ngram) ?? labels.map(() => 0);
        row[k] = (row[k] as number) + 1;
        counts.set(ngram, row);
      });
    }
    const missing = texts.indexOf(0);
    if (missing >= 0) throw new DataError(`${WHERE}: no text has the label ${JSON.stringify(labels[missing])}`);
    return new NaiveBayes(options, texts, counts);
  }

  /** ln(count + a), of which there are few different ones. */
  #log(count: number): number {
    const known = this.#logs.get(count) ?? log(count + this.smoothing);
    this.#logs.set(count, known);
    return known;
  }

  /** ln P(k | text) (K). */
  logProbabilities(text: string): Float64Array {
    const scores = Float64Array.from(this.#priors);
    eachNgram(this.tokenizer.encode(text), this.order, (ngram) => {
      this.#counts.get(ngram)?.forEach((count, k) => {
        scores[k] = (scores[k] as number) + this.#log(count) - (this.#totals[k] as number);
      });
    });
    return normalized(scores);
  }

  /** Classes of texts. */
  predict(texts: readonly string[]): Classification[];
  predict(text: string): Classification;
  predict(given: string | readonly string[]): Classification | Classification[] {
    if (typeof given !== "string") return given.map((text) => this.predict(text));
    return classification(this.labels, this.logProbabilities(given).map(exp));
  }

  /** Loss, accuracy and confusions over labelled texts. @throws DataError when there are none, or for an unknown label */
  evaluate(examples: Iterable<LabelledText>): ClassifierScores {
    const scores = new TextScores(WHERE, this.labels);
    let number = 0;
    for (const { text, label } of examples) {
      const target = classOf(WHERE, this.labels, label, number++);
      scores.add(this.logProbabilities(text), target);
    }
    return scores.value;
  }

  /** Plain JSON data from which {@link fromJSON} makes the same classifier. */
  toJSON(): Readonly<Record<string, unknown>> {
    const { labels, order, smoothing } = this;
    const tokenizer = this.tokenizer.toJSON();
    return { labels, order, smoothing, texts: this.#texts, counts: Object.fromEntries(this.#counts), tokenizer };
  }

  /**
   * Reads what {@link toJSON} wrote.
   * @param options.tokenizers - readers of tokenizers besides those of the package, as `unrolled/huggingface` has one
   * @throws LoadError for anything else
   */
  static fromJSON(json: unknown, options: { readonly tokenizers?: Iterable<TokenizerReader> } = {}): NaiveBayes {
    const { labels, order, smoothing, texts, counts, tokenizer } = objectOf(json, "the data");
    const names = Array.isArray(labels) && labels.every((label) => typeof label === "string") ? labels : bad("labels");
    const areCounts = (row: unknown, least: number): row is number[] =>
      Array.isArray(row) &&
      row.length === names.length &&
      row.every((count) => Number.isSafeInteger(count) && count >= least);
    if (!areCounts(texts, 1)) return bad("texts");
    const rows = Object.entries(objectOf(counts, "counts")).map(([ngram, row]): [string, number[]] => [
      ngram,
      areCounts(row, 0) ? row : bad("counts"),
    ]);
    try {
      const given = { labels: names, order, smoothing, tokenizer: tokenizerFromJSON(tokenizer, options.tokenizers) };
      return new NaiveBayes(given as NaiveBayesOptions, texts, new Map(rows));
    } catch (error) {
      if (isUnrolledError(error)) throw new LoadError("value", `${WHERE}: ${error.message}`);
      throw error;
    }
  }
}

function checked(options: NaiveBayesOptions): { readonly order: number; readonly smoothing: number } {
  const { labels, order = 1, smoothing = 1 } = options;
  checkLabels(WHERE, labels);
  checkSize(WHERE, "order", order);
  if (!(Number.isFinite(smoothing) && smoothing > 0)) {
    throw new ArgumentError(WHERE, "smoothing", "a number above 0", smoothing);
  }
  return { order, smoothing };
}

/** Calls `found` for all n-grams of 1 to `order` tokens. */
function eachNgram(ids: Int32Array, order: number, found: (ngram: string) => void): void {
  for (let from = 0; from < ids.length; from++) {
    let ngram = "";
    for (let to = from; to < Math.min(from + order, ids.length); to++) {
      ngram = to === from ? `${ids[to]}` : `${ngram} ${ids[to]}`;
      found(ngram);
    }
  }
}

function objectOf(value: unknown, field: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return bad(field);
  return value as Readonly<Record<string, unknown>>;
}

function bad(field: string): never {
  throw new LoadError("value", `${WHERE}: ${field} in the JSON is not what toJSON writes`);
}
