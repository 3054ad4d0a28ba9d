/**
 * Classes of texts (many-to-one): the recurrent layers read the whole text, what they put out is pooled into one vector.
 *
 *     last        the last state, of both directions
 *     mean, max   over the steps, each unit by itself
 *     attention   sum over t of a_t m_t with a = softmax(u . m_t) and u learned, after Yang et al. 2016, "Hierarchical
 *                 attention networks for document classification"
 */
import type { Core } from "../core/core.js";
import type { IdExample, PaddedBatch } from "../data/padded.js";
import { ArgumentError, ShapeError } from "../errors.js";
import { load, type ModelSource, readModelFile } from "../io/model-file.js";
import { MASKED } from "../nn/attention/attention.js";
import { DotAttention } from "../nn/attention/dot.js";
import { checkSize } from "../nn/check.js";
import { normal } from "../nn/initializers.js";
import { Linear } from "../nn/linear.js";
import { crossEntropy } from "../nn/losses/cross-entropy.js";
import type { RecurrentState } from "../nn/state.js";
import { add, mul } from "../tensor/binary.js";
import type { Ids } from "../tensor/ids.js";
import { Parameter } from "../tensor/parameter.js";
import { max, sum } from "../tensor/reduce.js";
import { concat, reshape, select } from "../tensor/shape.js";
import { softmax } from "../tensor/softmax.js";
import { type Tensor, tensor, zeros } from "../tensor/tensor.js";
import type { Tokenizer } from "../text/tokenizer.js";
import {
  BATCH,
  type Classification,
  type ClassifierScores,
  checkLabels,
  classification,
  classOf,
  classScores,
  type LabelledText,
} from "./class-scores.js";
import { Config } from "./config.js";
import type { RecurrentClass } from "./language-model.js";
import { atLeastOneStep, padded, SequenceEncoder, type SequenceEncoderOptions, sizesFrom } from "./sequence-encoder.js";

/** How the outputs of all steps become one vector. */
export type Pooling = "last" | "mean" | "max" | "attention";

const POOLINGS: ReadonlyMap<string, Pooling> = /* @__PURE__ */ new Map(
  /* @__PURE__ */ (["last", "mean", "max", "attention"] as const).map((name) => [name, name]),
);

/** Options of {@link TextClassifier}. */
export interface TextClassifierOptions extends SequenceEncoderOptions {
  /** Splits texts. */
  readonly tokenizer: Tokenizer;
  /** Names of the classes, two or more. */
  readonly labels: readonly string[];
  /** Default "max". */
  readonly pooling?: Pooling | undefined;
  /** Tokens of a text that are read, the first ones; default 10 000. */
  readonly maxLength?: number | undefined;
  /** Weight of each class (K) in the loss that is trained on, see `classWeights`; not a part of the model's files. */
  readonly classWeights?: ArrayLike<number> | undefined;
}

/** Embeddings, recurrent layers, pooling, a linear layer. A text without tokens has the class that the bias prefers. */
export class TextClassifier extends SequenceEncoder {
  /** Name of the class in model files. */
  readonly kind = "TextClassifier";
  /** Splits texts. */
  readonly tokenizer: Tokenizer;
  /** Names of the classes. */
  readonly labels: readonly string[];
  /** How the outputs of all steps become one vector. */
  readonly pooling: Pooling;
  /** Tokens of a text that are read. */
  readonly maxLength: number;
  /** u, (1, outputs of a step); absent without attention */
  readonly query?: Parameter;
  /** Logits of the classes. */
  readonly head: Linear;
  readonly #attention: DotAttention;
  readonly #weights: ArrayLike<number> | undefined;

  /** @throws ArgumentError */
  constructor(options: TextClassifierOptions) {
    super(options.tokenizer.tokens, options);
    const { labels, pooling = "max", maxLength = 10_000, classWeights } = options;
    checkLabels("TextClassifier", labels);
    if (!POOLINGS.has(pooling)) {
      throw new ArgumentError("TextClassifier", "pooling", `one of ${[...POOLINGS.keys()].join(", ")}`, pooling);
    }
    checkSize("TextClassifier", "maxLength", maxLength);
    if (classWeights !== undefined && classWeights.length !== labels.length) {
      throw new ShapeError("TextClassifier", "classWeights", [labels.length], [classWeights.length]);
    }
    this.tokenizer = options.tokenizer;
    this.labels = labels;
    this.pooling = pooling;
    this.maxLength = maxLength;
    const size = this.rnn.outputSize;
    this.#attention = new DotAttention(size, size);
    if (pooling === "attention") this.query = new Parameter([1, size], normal(0, 1 / Math.sqrt(size)));
    this.head = new Linear(size, labels.length);
    this.#weights = classWeights;
  }

  /**
   * Logits (B, K) of texts.
   * @param ids - (B, T)
   * @param lengths - tokens of each row, from 0 to T; default all
   */
  forward(ids: Ids, lengths?: Int32Array): Tensor {
    const ends = ids.shape[1] === 0 ? new Int32Array(ids.shape[0] ?? 0) : lengths;
    const { output, state } = this.encode(atLeastOneStep(ids), ends);
    return this.head.forward(this.drop(this.#pool(output, state, ends)));
  }

  #pool(output: Tensor, state: RecurrentState, lengths: Int32Array | undefined): Tensor {
    const [batch, steps, size] = output.shape as [number, number, number];
    const ends = lengths ?? new Int32Array(batch).fill(steps);
    if (this.pooling === "last") {
      const hidden = state["h"];
      if (hidden === undefined)
        throw new ArgumentError(this.label, "cell", "one with a state h for pooling last", "none");
      return this.rnn.bidirectional ? concat([select(hidden, 0, -2), select(hidden, 0, -1)]) : select(hidden, 0, -1);
    }
    if (this.pooling === "mean") {
      const shares = Float32Array.from(ends, (length) => 1 / Math.max(length, 1));
      return mul(sum(output, 1), tensor(shares, [batch, 1], output.core));
    }
    if (this.pooling === "max") {
      const mask = new Float32Array(batch * steps);
      // A row without steps keeps its zeros.
      ends.forEach((length, row) => {
        if (length > 0) mask.fill(MASKED, row * steps + length, (row + 1) * steps);
      });
      return max(add(output, tensor(mask, [batch, steps, 1], output.core)), 1);
    }
    const query = add(zeros([batch, 1, size], output.core), reshape(this.query as Parameter, [1, 1, size]));
    return reshape(this.#attention.forward(query, output, { lengths: ends }).context, [batch, size]);
  }

  /**
   * Examples for `paddedBatches`.
   * @throws DataError naming the example whose label is none, TokenizerError
   */
  examples(texts: Iterable<LabelledText>): IdExample[] {
    return Array.from(texts, ({ text, label }, number) => ({
      inputs: this.#encodeText(text),
      targets: classOf("TextClassifier", this.labels, label, number),
    }));
  }

  #encodeText(text: string): Int32Array {
    return this.tokenizer.encode(text).subarray(0, this.maxLength);
  }

  /** Mean cross-entropy of a batch in nats, weighted by class; what `train` minimises. */
  loss({ inputs, lengths, targets }: PaddedBatch<Ids>): Tensor {
    const logits = this.forward(inputs, lengths);
    if (this.#weights === undefined) return crossEntropy(logits, targets);
    return crossEntropy(logits, targets, { weight: tensor(Float32Array.from(this.#weights), undefined, this.core) });
  }

  /** Classes of texts. */
  predict(texts: readonly string[]): Classification[];
  predict(text: string): Classification;
  predict(given: string | readonly string[]): Classification | Classification[] {
    const texts = typeof given === "string" ? [given] : given;
    const found: Classification[] = [];
    for (let from = 0; from < texts.length; from += BATCH) {
      const { inputs, lengths } = padded(texts.slice(from, from + BATCH).map((text) => this.#encodeText(text)));
      const { data } = this.run(() => softmax(this.forward(inputs, lengths)));
      for (let row = 0; row < lengths.length; row++) {
        const first = row * this.labels.length;
        found.push(classification(this.labels, data.subarray(first, first + this.labels.length)));
      }
    }
    return typeof given === "string" ? (found[0] as Classification) : found;
  }

  /** Loss, accuracy and confusions over labelled texts. @throws DataError when there are none, or for an unknown label */
  evaluate(texts: Iterable<LabelledText>): ClassifierScores {
    return classScores(this, this.examples(texts));
  }

  /** JSON data that, with the tokenizer, make the same model. */
  config(): Readonly<Record<string, unknown>> {
    return { ...this.sizes(), labels: this.labels, pooling: this.pooling, maxLength: this.maxLength };
  }

  /**
   * The model of a file that `save` wrote, with tokenizer and values.
   * @param options.cells - cells besides RNN, LSTM and GRU that the file may be of
   * @throws LoadError
   */
  static from(
    source: ModelSource,
    options: { readonly core?: Core; readonly cells?: Iterable<RecurrentClass> } = {},
  ): TextClassifier {
    const { cells, ...others } = options;
    const file = readModelFile(source);
    const config = new Config("TextClassifier", file);
    return load(classifierFrom(config, cells), file, others);
  }
}

/** The model of a configuration, without values. @internal */
export function classifierFrom(config: Config, cells: Iterable<RecurrentClass> | undefined): TextClassifier {
  const given = {
    ...sizesFrom(config, cells),
    tokenizer: config.tokenizer(),
    labels: config.strings("labels"),
    pooling: config.choice("pooling", POOLINGS),
    maxLength: config.number("maxLength"),
  };
  return config.construct(() => new TextClassifier(given));
}
