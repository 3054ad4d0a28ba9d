/**
 * N-gram models with interpolated Kneser-Ney smoothing: how often words followed one another, and where that was never
 * seen, how many different contexts a word was seen in. Kneser & Ney 1995, "Improved backing-off for M-gram language
 * modeling"; interpolated and modified, with three discounts, by Chen & Goodman 1999, "An empirical study of smoothing
 * techniques for language modeling".
 *
 *     p(w | h) = max(c(h w) - D(c(h w)), 0) / sum over v of c(h v) + g(h) p(w | h without its first word)
 *     g(h)     = sum over v of D(c(h v)) / sum over v of c(h v)
 *
 * down to p(w) over 1 / V. In the highest order c is how often an n-gram occurs; in the lower ones it is how many
 * different words it occurs after, save where nothing can be before it (after a boundary). With n_i the number of
 * n-grams of an order whose c is i, Y = n_1 / (n_1 + 2 n_2):
 *
 *     D(1) = 1 - 2 Y n_2 / n_1     D(2) = 2 - 3 Y n_3 / n_2     D(3 and more) = 3 - 4 Y n_4 / n_3
 *
 * and without the modification D = Y. Where a text has too few n-grams for them, D is 0.5, 1 and 1.5 (Heafield,
 * Pouzyrevsky, Clark & Koehn 2013, "Scalable modified Kneser-Ney language model estimation", for such cases), or 0.5.
 */
import type { Core } from "../core/core.js";
import { log } from "../core/elementary.js";
import { ArgumentError, DataError, LoadError } from "../errors.js";
import { type ModelSource, readModelFile } from "../io/model-file.js";
import type { WritableTensor } from "../io/safetensors.js";
import { checkSize } from "../nn/check.js";
import { Module } from "../nn/module.js";
import type { RecurrentState } from "../nn/state.js";
import type { Ids } from "../tensor/ids.js";
import { type Tensor, tensor } from "../tensor/tensor.js";
import type { Tokenizer } from "../text/tokenizer.js";
import { Config } from "./config.js";
import { childOf, type NGramLevel, ngramLevels } from "./ngram-trie.js";
import { contextAfter, withContext } from "./token-context.js";

/** Options of {@link NGramModel}. */
export interface NGramModelOptions {
  /** Its tokens are the classes. */
  readonly tokenizer: Tokenizer;
  /** Words of the longest n-grams, 1 or more; default 5. */
  readonly order?: number | undefined;
  /** Whether there are three discounts in each order (Chen & Goodman) or one (Kneser & Ney); default true. */
  readonly modified?: boolean | undefined;
  /** Id of a token that ends sentences: what is before it says nothing of what is after. Default: none. */
  readonly boundary?: number | undefined;
}

/** What follows an n-gram: the sum of c, and the weight g of the order below. */
interface Continuations {
  readonly totals: Int32Array;
  readonly backoff: Float64Array;
}

/** An n-gram that was seen, the longest that a context ends in. */
interface Position {
  level: number;
  node: number;
}

/**
 * A smoothed n-gram model. There is nothing to train: {@link fit} counts a text. It gives logits as recurrent models do,
 * with the last words as its state, so that `generate`, `surprisal`, `beamSearch` and `Session` take it.
 *
 * ```ts
 * const model = new NGramModel({ tokenizer, order: 5, boundary: tokenizer.eos }).fit(training);
 * const perplexity = Math.exp(model.evaluate(validation));
 * ```
 */
export class NGramModel extends Module {
  /** Name of the class in model files. */
  readonly kind = "NGramModel";
  /** Its tokens are the classes. */
  readonly tokenizer: Tokenizer;
  /** Words of the longest n-grams. */
  readonly order: number;
  /** Whether there are three discounts in each order, or one. */
  readonly modified: boolean;
  /** Id of the token that ends sentences. */
  readonly boundary: number | undefined;
  // What is private here is no parameter of the module.
  #tokens: Int32Array = new Int32Array(0);
  #levels: readonly NGramLevel[] = [];
  /** c of each n-gram, by level. */
  #counts: Int32Array[] = [];
  #discounts: Discounts[] = [];
  #continuations: Continuations[] = [];

  /** @throws ArgumentError */
  constructor(options: NGramModelOptions) {
    super();
    const { tokenizer, order = 5, modified = true, boundary } = options;
    checkSize("NGramModel", "order", order);
    if (order > MAX_ORDER) throw new ArgumentError("NGramModel", "order", `at most ${MAX_ORDER}`, order);
    if (boundary !== undefined && tokenizer.tokens[boundary] === undefined) {
      throw new ArgumentError("NGramModel", "boundary", `an id from 0 to ${tokenizer.size - 1}`, boundary);
    }
    this.tokenizer = tokenizer;
    this.order = order;
    this.modified = modified;
    this.boundary = boundary;
    this.fit(this.#tokens);
  }

  /**
   * Counts a text, in place of what was counted before. Without one every token is as probable as any other.
   * @param text - a text, or its ids; with a boundary it is read as if one came before
   * @throws ArgumentError for an id that is none
   */
  fit(text: string | Int32Array): this {
    const { tokenizer, order, boundary = -1 } = this;
    const tokens = typeof text === "string" ? tokenizer.encode(text) : text.slice();
    const bad = tokens.findIndex((id) => id < 0 || id >= tokenizer.size);
    if (bad >= 0) {
      const expected = `an id from 0 to ${tokenizer.size - 1}`;
      throw new ArgumentError("NGramModel.fit", `text[${bad}]`, expected, tokens[bad]);
    }
    this.#tokens = tokens;
    // As a context only: where there are none, it would count as a token of the text.
    const before = boundary >= 0 && order > 1 ? 1 : 0;
    const read = new Int32Array(before + tokens.length).fill(boundary, 0, before);
    read.set(tokens, before);
    this.#levels = ngramLevels(read, tokenizer.size, order, boundary);
    this.#counts = this.#levels.map((_, level) => this.#countsOf(level));
    this.#discounts = this.#counts.map((counts) => discountsOf(counts, this.modified));
    this.#continuations = this.#levels.slice(0, order).map((_, level) => this.#continuationsOf(level));
    return this;
  }

  /** c: occurrences in the highest order, else different words before. */
  #countsOf(level: number): Int32Array {
    const { occurrences } = this.#levels[level] as NGramLevel;
    if (level === 0 || level === this.order) return occurrences;
    const counts = new Int32Array(occurrences.length);
    for (const shorter of (this.#levels[level + 1] as NGramLevel).suffixes) (counts[shorter] as number)++;
    if (this.boundary === undefined || level === 1) return counts;
    // Those that begin with a boundary are side by side, and have nothing before them.
    let first = childOf(this.#levels, 0, 0, this.boundary);
    let end = first + 1;
    for (let upper = 1; upper < level; upper++) {
      const { children } = this.#levels[upper] as NGramLevel;
      first = children[first] as number;
      end = children[end] as number;
    }
    counts.set(occurrences.subarray(first, end), first);
    return counts;
  }

  #continuationsOf(level: number): Continuations {
    const { words, children } = this.#levels[level] as NGramLevel;
    const counts = this.#counts[level + 1] as Int32Array;
    const discounts = this.#discounts[level + 1] as Discounts;
    const totals = new Int32Array(words.length);
    const backoff = new Float64Array(words.length).fill(1);
    for (let node = 0; node < words.length; node++) {
      let [total, saved] = [0, 0];
      for (let child = children[node] as number; child < (children[node + 1] as number); child++) {
        const count = counts[child] as number;
        total += count;
        saved += discounts[Math.min(count, 3)] as number;
      }
      totals[node] = total;
      // A context after which nothing counts leaves all to the order below.
      if (total > 0) backoff[node] = saved / total;
    }
    return { totals, backoff };
  }

  /** The longest context that a further token leads to. */
  #advance(from: Position, token: number): Position {
    let { level, node } = token === this.boundary ? ROOT : from;
    for (;;) {
      const next = level < this.order - 1 ? childOf(this.#levels, level, node, token) : -1;
      if (next >= 0) return { level: level + 1, node: next };
      if (level === 0) return ROOT;
      node = this.#shorter(level--, node);
    }
  }

  #shorter(level: number, node: number): number {
    return (this.#levels[level] as NGramLevel).suffixes[node] as number;
  }

  /** The part of p(w | h) that the counts of h itself give: the one of the n-gram `child` of a level. */
  #share(level: number, child: number, context: number): number {
    const count = (this.#counts[level] as Int32Array)[child] as number;
    const discount = (this.#discounts[level] as Discounts)[Math.min(count, 3)] as number;
    return count === 0
      ? 0
      : (count - discount) / ((this.#continuations[level - 1] as Continuations).totals[context] as number);
  }

  /** p(token | context) */
  #probability({ level, node }: Position, token: number): number {
    const lower =
      level === 0
        ? 1 / this.tokenizer.size
        : this.#probability({ level: level - 1, node: this.#shorter(level, node) }, token);
    const child = childOf(this.#levels, level, node, token);
    const { backoff } = this.#continuations[level] as Continuations;
    return (backoff[node] as number) * lower + (child < 0 ? 0 : this.#share(level + 1, child, node));
  }

  /** p(every token | context), (V) */
  #distribution({ level, node }: Position): Float64Array {
    const probabilities =
      level === 0
        ? new Float64Array(this.tokenizer.size).fill(1 / this.tokenizer.size)
        : this.#distribution({ level: level - 1, node: this.#shorter(level, node) });
    const weight = (this.#continuations[level] as Continuations).backoff[node] as number;
    for (let token = 0; token < probabilities.length; token++) (probabilities[token] as number) *= weight;
    const { children } = this.#levels[level] as NGramLevel;
    const { words } = this.#levels[level + 1] as NGramLevel;
    for (let child = children[node] as number; child < (children[node + 1] as number); child++) {
      (probabilities[words[child] as number] as number) += this.#share(level + 1, child, node);
    }
    return probabilities;
  }

  /** Where the last words of a context lead; without any, to the boundary where there is one. */
  #after(context: string | ArrayLike<number>): Position {
    const tokens = typeof context === "string" ? this.tokenizer.encode(context) : context;
    let position = this.#start();
    for (let i = Math.max(0, tokens.length - this.order); i < tokens.length; i++) {
      position = this.#advance(position, tokens[i] as number);
    }
    return position;
  }

  #start(): Position {
    return this.boundary === undefined ? ROOT : this.#advance(ROOT, this.boundary);
  }

  /** p(token | context); those of all tokens after a context sum to 1. @param context - a text, or its ids */
  probability(token: number, context: string | ArrayLike<number>): number {
    if (this.tokenizer.tokens[token] === undefined) {
      throw new ArgumentError("NGramModel.probability", "token", `an id from 0 to ${this.tokenizer.size - 1}`, token);
    }
    return this.#probability(this.#after(context), token);
  }

  /** p of every token after a context, (V). */
  probabilities(context: string | ArrayLike<number>): Float64Array {
    return this.#distribution(this.#after(context));
  }

  /**
   * The logarithms of the probabilities of the next token after each token.
   * @param ids - (B, T)
   * @param options.state - from the call before; default: the beginning of a text
   * @returns logits (B, T, V), and as state the ids of the last tokens: `context`, (B, order), -1 where there was none
   * @throws ShapeError, ArgumentError (an id that is none)
   */
  forward(
    ids: Ids,
    options: { readonly state?: RecurrentState | undefined } = {},
  ): { logits: Tensor; state: RecurrentState } {
    const { order, tokenizer, core } = this;
    const joined = withContext("NGramModel", ids, options.state, order, tokenizer.size);
    const [batch, steps] = ids.shape as [number, number];
    const logits = new Float32Array(batch * steps * tokenizer.size);
    for (let row = 0; row < batch; row++) {
      const tokens = joined.data.subarray(row * (order + steps), (row + 1) * (order + steps));
      let position = this.#after(tokens.subarray(0, order).filter((id) => id >= 0));
      for (let t = 0; t < steps; t++) {
        position = this.#advance(position, tokens[order + t] as number);
        logits.set(this.#distribution(position).map(log), (row * steps + t) * tokenizer.size);
      }
    }
    return {
      logits: tensor(logits, [batch, steps, tokenizer.size], core),
      state: contextAfter(joined, order, core),
    };
  }

  /**
   * Mean cross-entropy in nats a token: every token but the first is predicted once, from all that matters before it.
   * e to its power is the perplexity.
   * @param text - a text, or its ids
   * @throws DataError when there are fewer than two tokens
   */
  evaluate(text: string | Int32Array): number {
    const tokens = typeof text === "string" ? this.tokenizer.encode(text) : text;
    if (tokens.length < 2) throw new DataError(`an evaluation takes at least 2 tokens, got ${tokens.length}`);
    let position = this.#after(tokens.subarray(0, 1));
    let total = 0;
    for (const token of tokens.subarray(1)) {
      total -= log(this.#probability(position, token));
      position = this.#advance(position, token);
    }
    return total / (tokens.length - 1);
  }

  /** JSON data that, with the tokenizer and the text, make the same model. */
  config(): Readonly<Record<string, unknown>> {
    const { order, modified, boundary } = this;
    return { order, modified, boundary };
  }

  /** What its file holds: the ids that were counted, which take less than their counts. */
  tensors(): [name: string, value: WritableTensor][] {
    return [[TOKENS, { data: this.#tokens, shape: [this.#tokens.length] }]];
  }

  /**
   * The model of a file that `save` wrote: the same text, counted again.
   * @throws LoadError
   */
  static from(source: ModelSource, options: { readonly core?: Core } = {}): NGramModel {
    const file = readModelFile(source);
    const config = new Config("NGramModel", file);
    const tokens = file.tensors.get(TOKENS);
    if (tokens === undefined) throw new LoadError("missing_tensor", `the file lacks ${TOKENS}`);
    if (tokens.dtype !== "I32") throw new LoadError("dtype", `${TOKENS} has dtype ${tokens.dtype}, expected I32`);
    const view = new DataView(tokens.bytes.buffer, tokens.bytes.byteOffset, tokens.bytes.length);
    const ids = Int32Array.from({ length: tokens.bytes.length / 4 }, (_, i) => view.getInt32(4 * i, true));
    const given = {
      tokenizer: config.tokenizer(),
      order: config.number("order"),
      modified: config.flag("modified"),
      boundary: config.number("boundary"),
    };
    const model = config.construct(() => new NGramModel(given).fit(ids));
    if (options.core !== undefined) model.allocate(options.core);
    return model;
  }
}

/** How much is taken from c, by c; 0 from 0. */
type Discounts = readonly [number, number, number, number];

const ROOT: Position = { level: 0, node: 0 };
const TOKENS = "tokens";
/** The longest n-grams there can be: nothing is gained past them, and a file may not ask for more. */
const MAX_ORDER = 32;

/** Equation 26 of Chen & Goodman, or Y alone. */
function discountsOf(counts: Int32Array, modified: boolean): Discounts {
  const n = new Float64Array(5);
  for (const count of counts) if (count < 5) (n[count] as number)++;
  const [, one, two, three, four] = n as unknown as [number, number, number, number, number];
  const y = one / (one + 2 * two);
  if (!modified) return y > 0 && y < 1 ? [0, y, y, y] : [0, 0.5, 0.5, 0.5];
  const discounts = [1 - (2 * y * two) / one, 2 - (3 * y * three) / two, 3 - (4 * y * four) / three] as const;
  return discounts.every((discount, i) => discount > 0 && discount <= i + 1) ? [0, ...discounts] : [0, 0.5, 1, 1.5];
}
