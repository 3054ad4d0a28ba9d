/**
 * Language models from before recurrent ones: the next token from the last n tokens alone.
 *
 * A feed-forward net (Bengio, Ducharme, Vincent & Jauvin 2003, "A neural probabilistic language model"), which knows
 * where in the window each of them is:
 *
 *     x = [C(w_{t-n+1}); ...; C(w_t)]      logits = b + U tanh(d + H x)
 *
 * and an averaged bag of words, which does not:
 *
 *     logits = b + U (1 / n) sum over i < n of C(w_{t-i})
 *
 * Recurrent models have a state of real numbers in place of the window. Here it is the window's ids.
 */
import type { Core } from "../core/core.js";
import { ArgumentError } from "../errors.js";
import { load, type ModelSource, readModelFile } from "../io/model-file.js";
import type { AdaptiveSoftmax } from "../nn/adaptive-softmax.js";
import { checkSize } from "../nn/check.js";
import { Embedding } from "../nn/embedding.js";
import { normal } from "../nn/initializers.js";
import { Linear } from "../nn/linear.js";
import type { RecurrentState } from "../nn/state.js";
import { Ids } from "../tensor/ids.js";
import { matmul } from "../tensor/matmul.js";
import { concat, slice } from "../tensor/shape.js";
import { type Tensor, tensor } from "../tensor/tensor.js";
import { tanh } from "../tensor/unary.js";
import { Config } from "./config.js";
import { NextTokenModel, type NextTokenOptions, newHead, nextTokenOptionsFrom } from "./next-token-model.js";
import { contextAfter, withContext } from "./token-context.js";

/** Options of {@link FeedForwardLanguageModel}. */
export interface FeedForwardLanguageModelOptions extends NextTokenOptions {
  /** Tokens that are seen, n: one less than the order of an n-gram model that sees as many. */
  readonly window: number;
  /** Length of a word's vector. */
  readonly embeddingSize: number;
  /** Units of the hidden layer. */
  readonly hiddenSize: number;
}

/** Options of {@link BagOfWordsLanguageModel}. */
export interface BagOfWordsLanguageModelOptions extends NextTokenOptions {
  /** Tokens that are seen, n. */
  readonly window: number;
  /** Length of a word's vector. */
  readonly embeddingSize: number;
}

/** The longest window there can be: a state has as many numbers, and a file may not ask for more. */
const MAX_WINDOW = 1024;

abstract class WindowModel extends NextTokenModel {
  readonly window: number;
  /** One row a token, and a last one for the places before a text. */
  readonly embedding: Embedding;

  constructor(options: NextTokenOptions & { readonly window: number; readonly embeddingSize: number }) {
    super(options);
    const { window, embeddingSize } = options;
    checkSize(new.target.name, "window", window);
    if (window > MAX_WINDOW) throw new ArgumentError(new.target.name, "window", `at most ${MAX_WINDOW}`, window);
    this.window = window;
    // Small, so that the vectors of rare words, which move little, say little.
    this.embedding = new Embedding(options.tokenizer.size + 1, embeddingSize, { initializer: normal(0, 0.1) });
  }

  /** Features (B, T, any) of embeddings (B, window + T, E) of the ids, -1 where there was none. @internal */
  protected abstract read(x: Tensor, ids: Ids): Tensor;

  protected override features(ids: Ids, state: RecurrentState | undefined) {
    const { window, tokenizer, core } = this;
    const joined = withContext(this.label, ids, state, window, tokenizer.size);
    const rows = joined.data.map((id) => (id < 0 ? tokenizer.size : id));
    const x = this.drop(this.embedding.forward(new Ids(rows, joined.shape)));
    return { features: this.read(x, joined), state: contextAfter(joined, window, core) };
  }
}

/** The feed-forward net of Bengio et al. over a window of tokens. */
export class FeedForwardLanguageModel extends WindowModel {
  /** Name of the class in model files. */
  readonly kind = "FeedForwardLanguageModel";
  /** H and d */
  readonly hidden: Linear;
  readonly head: Linear | AdaptiveSoftmax;
  readonly #options: FeedForwardLanguageModelOptions;

  /** @throws ArgumentError */
  constructor(options: FeedForwardLanguageModelOptions) {
    super(options);
    this.#options = options;
    this.hidden = new Linear(options.window * options.embeddingSize, options.hiddenSize);
    this.head = newHead(options.hiddenSize, options);
  }

  /** @internal */
  protected override read(x: Tensor): Tensor {
    const { window } = this;
    const steps = (x.shape[1] as number) - window;
    const places = Array.from({ length: window }, (_, i) => slice(x, 1, i + 1, i + 1 + steps));
    return this.drop(tanh(this.hidden.forward(concat(places))));
  }

  /** JSON data that, with the tokenizer, make the same model. */
  config(): Readonly<Record<string, unknown>> {
    const { tokenizer: _, ...sizes } = this.#options;
    return sizes;
  }

  /** The model of a file that `save` wrote. @throws LoadError */
  static from(source: ModelSource, options: { readonly core?: Core } = {}): FeedForwardLanguageModel {
    const file = readModelFile(source);
    const config = new Config("FeedForwardLanguageModel", file);
    const given = {
      ...nextTokenOptionsFrom(config),
      window: config.size("window"),
      embeddingSize: config.size("embeddingSize"),
      hiddenSize: config.size("hiddenSize"),
    };
    return load(
      config.construct(() => new FeedForwardLanguageModel(given)),
      file,
      options,
    );
  }
}

/** The mean of the embeddings of the last tokens, in whatever order. */
export class BagOfWordsLanguageModel extends WindowModel {
  /** Name of the class in model files. */
  readonly kind = "BagOfWordsLanguageModel";
  readonly head: Linear | AdaptiveSoftmax;
  readonly #options: BagOfWordsLanguageModelOptions;

  /** @throws ArgumentError */
  constructor(options: BagOfWordsLanguageModelOptions) {
    super(options);
    this.#options = options;
    this.head = newHead(options.embeddingSize, options);
  }

  /** @internal */
  protected override read(x: Tensor, { data, shape }: Ids): Tensor {
    const { window } = this;
    const [batch, columns] = shape as [number, number];
    const steps = columns - window;
    // Places before a text do not count, so that the first mean is of one word.
    const shares = new Float32Array(batch * steps * columns);
    for (let row = 0; row < batch * steps; row++) {
      const [from, t] = [Math.floor(row / steps) * columns, row % steps];
      let first = t + 1;
      while (data[from + first] === -1) first++;
      shares.fill(1 / (t + window + 1 - first), row * columns + first, row * columns + t + window + 1);
    }
    return matmul(tensor(shares, [batch, steps, columns], this.core), x);
  }

  /** JSON data that, with the tokenizer, make the same model. */
  config(): Readonly<Record<string, unknown>> {
    const { tokenizer: _, ...sizes } = this.#options;
    return sizes;
  }

  /** The model of a file that `save` wrote. @throws LoadError */
  static from(source: ModelSource, options: { readonly core?: Core } = {}): BagOfWordsLanguageModel {
    const file = readModelFile(source);
    const config = new Config("BagOfWordsLanguageModel", file);
    const given = {
      ...nextTokenOptionsFrom(config),
      window: config.size("window"),
      embeddingSize: config.size("embeddingSize"),
    };
    return load(
      config.construct(() => new BagOfWordsLanguageModel(given)),
      file,
      options,
    );
  }
}
