/**
 * BLEU of a corpus, as sacreBLEU 2 defines it by default (Papineni et al. 2002; Post 2018, "A call for clarity in
 * reporting BLEU scores"): tokenisation 13a, that of mteval-v13a; exponential smoothing (NIST, method 3 of Chen &
 * Cherry 2014); case counts. Signature `nrefs:N|case:mixed|eff:no|tok:13a|smooth:exp`.
 *
 *     p_n = matched n-grams / n-grams of the hypotheses, n = 1 to 4; each n-gram of a hypothesis matches at most as often
 *           as it occurs in one of its references; the k-th p_n without a match is 1 / (2^k n-grams)
 *     BP = min(1, e^(1 - r / c)) with c tokens of the hypotheses and r those of the references closest in length
 *     BLEU = 100 BP (p_1 p_2 p_3 p_4)^(1/4)
 */
import { exp, log } from "../../core/elementary.js";
import { ArgumentError } from "../../errors.js";

/** What BLEU is made of. */
export interface BleuScore {
  /** From 0 to 100. */
  readonly score: number;
  /** p_1 to p_4 in percent, smoothed. */
  readonly precisions: readonly number[];
  /** Factor below 1 for hypotheses that are shorter than the references. */
  readonly brevityPenalty: number;
  /** Tokens of all hypotheses. */
  readonly hypothesisLength: number;
  /** Tokens of the references closest to them in length. */
  readonly referenceLength: number;
}

const ORDERS = 4;

/** What Python's str.split takes for space. */
const SPACE = "[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]";
const SPACES = /* @__PURE__ */ new RegExp(`${SPACE}+`, "u");
const SPACES_AT_END = /* @__PURE__ */ new RegExp(`${SPACE}+$`, "u");

/** The tokens of a line by mteval-v13a, which is made for languages of Latin script. */
export function tokenize13a(line: string): string[] {
  const text = line
    .replace(SPACES_AT_END, "")
    .replaceAll("<skipped>", "")
    .replaceAll("-\n", "")
    .replaceAll("\n", " ")
    .replaceAll("&quot;", '"')
    .replaceAll("&amp;", "&")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">");
  return ` ${text} `
    .replace(/([{-~[-` -&(-+:-@/])/gu, " $1 ")
    .replace(/([^0-9])([.,])/gu, "$1 $2 ")
    .replace(/([.,])([^0-9])/gu, " $1 $2")
    .replace(/([0-9])(-)/gu, "$1 $2 ")
    .split(SPACES)
    .filter((token) => token !== "");
}

/** BLEU over a stream of sentences. */
export class Bleu {
  readonly #matched = new Float64Array(ORDERS);
  readonly #total = new Float64Array(ORDERS);
  #hypothesisLength = 0;
  #referenceLength = 0;

  /**
   * @param hypothesis - a sentence
   * @param references - one translation of it or more
   * @throws ArgumentError when there is none
   */
  add(hypothesis: string, references: string | readonly string[]): this {
    const answers = (typeof references === "string" ? [references] : references).map(tokenize13a);
    if (answers.length === 0) throw new ArgumentError("Bleu.add", "references", "one or more", references);
    const tokens = tokenize13a(hypothesis);
    this.#hypothesisLength += tokens.length;
    // Of two that are equally close the shorter one counts.
    const lengths = answers.map(({ length }) => length).sort((a, b) => a - b);
    const distance = (length: number): number => Math.abs(length - tokens.length);
    this.#referenceLength += lengths.reduce((best, length) => (distance(length) < distance(best) ? length : best));
    const most = new Map<string, number>();
    for (const answer of answers) {
      for (const [ngram, count] of countNgrams(answer)) most.set(ngram, Math.max(count, most.get(ngram) ?? 0));
    }
    for (const [ngram, count] of countNgrams(tokens)) {
      const order = ngram.split(" ").length - 1;
      this.#total[order] = (this.#total[order] as number) + count;
      this.#matched[order] = (this.#matched[order] as number) + Math.min(count, most.get(ngram) ?? 0);
    }
    return this;
  }

  /** The score of all sentences so far; 0 of none. */
  get value(): BleuScore {
    const [hypothesisLength, referenceLength] = [this.#hypothesisLength, this.#referenceLength];
    const brief = hypothesisLength < referenceLength;
    const penalty = hypothesisLength === 0 ? 0 : exp(1 - referenceLength / hypothesisLength);
    const brevityPenalty = brief ? penalty : 1;
    const precisions = new Array<number>(ORDERS).fill(0);
    if (this.#matched.some((count) => count > 0)) {
      let smoothing = 1;
      for (let order = 0; order < ORDERS && this.#total[order] !== 0; order++) {
        const [matched, total] = [this.#matched[order] as number, this.#total[order] as number];
        if (matched === 0) smoothing *= 2;
        precisions[order] = 100 * (matched === 0 ? 1 / (smoothing * total) : matched / total);
      }
    }
    const score = precisions.includes(0)
      ? 0
      : brevityPenalty * exp(precisions.reduce((sum, precision) => sum + log(precision), 0) / ORDERS);
    return { score, precisions, brevityPenalty, hypothesisLength, referenceLength };
  }
}

/** N-grams of all orders, their tokens (which have no spaces) joined by spaces, and how often they occur. */
function countNgrams(tokens: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (let order = 1; order <= ORDERS; order++) {
    for (let at = 0; at + order <= tokens.length; at++) {
      const ngram = tokens.slice(at, at + order).join(" ");
      counts.set(ngram, (counts.get(ngram) ?? 0) + 1);
    }
  }
  return counts;
}
