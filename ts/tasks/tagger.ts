/** Tags of words (many-to-many, aligned): recurrent layers read the sentence in both directions, each step has its tag. */
import type { Core } from "../core/core.js";
import { IGNORED_TARGET } from "../data/lanes.js";
import type { IdExample, PaddedBatch } from "../data/padded.js";
import { ArgumentError, DataError } from "../errors.js";
import { load, readModelFile } from "../io/model-file.js";
import { Linear } from "../nn/linear.js";
import { crossEntropy } from "../nn/losses/cross-entropy.js";
import type { Ids } from "../tensor/ids.js";
import { softmax } from "../tensor/softmax.js";
import type { Tensor } from "../tensor/tensor.js";
import { type ClassifierScores, classScores } from "./class-scores.js";
import { Config } from "./config.js";
import type { RecurrentClass } from "./language-model.js";
import { padded, SequenceEncoder, type SequenceEncoderOptions, sizesFrom } from "./sequence-encoder.js";

/** Options of {@link Tagger}. */
export interface TaggerOptions extends SequenceEncoderOptions {
  /** The words that are known, all different; all others are one unknown word. */
  readonly words: readonly string[];
  /** Names of the tags, two or more. */
  readonly labels: readonly string[];
}

/** A sentence and the tag of each of its words. */
export interface TaggedSentence {
  readonly words: readonly string[];
  readonly tags: readonly string[];
}

/** A word and what a tagger says of it. */
export interface TaggedWord {
  readonly word: string;
  readonly tag: string;
  readonly probability: number;
}

/** Id of all words that are not known, and what stands for them. */
const UNKNOWN = 0;
const UNKNOWN_WORD = "<unk>";

/** Embeddings of words, recurrent layers, a linear layer. A sentence without words has no tags. */
export class Tagger extends SequenceEncoder {
  readonly kind = "Tagger";
  readonly words: readonly string[];
  readonly labels: readonly string[];
  readonly head: Linear;
  readonly #ids: ReadonlyMap<string, number>;

  /** @throws ArgumentError */
  constructor(options: TaggerOptions) {
    super([UNKNOWN_WORD, ...options.words], options);
    const { words, labels } = options;
    this.#ids = new Map(words.map((word, i) => [word, i + 1]));
    if (this.#ids.size !== words.length) throw new ArgumentError("Tagger", "words", "all different", words.length);
    if (labels.length < 2 || new Set(labels).size !== labels.length) {
      throw new ArgumentError("Tagger", "labels", "two names or more, all different", labels);
    }
    this.words = words;
    this.labels = labels;
    this.head = new Linear(this.rnn.outputSize, labels.length);
  }

  /**
   * Logits (B, T, K).
   * @param ids - (B, T)
   * @param lengths - words of each row, from 0 to T; default all
   */
  forward(ids: Ids, lengths?: Int32Array): Tensor {
    return this.head.forward(this.drop(this.encode(ids, lengths).output));
  }

  /** Ids of words. */
  encodeWords(words: readonly string[]): Int32Array {
    return Int32Array.from(words, (word) => this.#ids.get(word) ?? UNKNOWN);
  }

  /** Examples for `paddedBatches`. @throws DataError naming the example: an unknown tag, or not one tag a word */
  examples(sentences: Iterable<TaggedSentence>): IdExample[] {
    return Array.from(sentences, ({ words, tags }, number) => {
      if (words.length !== tags.length) {
        throw new DataError(`Tagger: example ${number}: ${tags.length} tags for ${words.length} words`);
      }
      const targets = tags.map((tag) => {
        const target = this.labels.indexOf(tag);
        if (target < 0) throw new DataError(`Tagger: example ${number}: no tag is ${JSON.stringify(tag)}`);
        return target;
      });
      return { inputs: this.encodeWords(words), targets };
    });
  }

  /** Mean cross-entropy of the words of a batch in nats; what `train` minimises. */
  loss({ inputs, lengths, targets }: PaddedBatch<Ids>): Tensor {
    return crossEntropy(this.forward(inputs, lengths), targets, { ignoreIndex: IGNORED_TARGET });
  }

  /** The words with their tags. */
  predict(words: readonly string[]): TaggedWord[] {
    const { inputs, lengths } = padded([this.encodeWords(words)]);
    const { data } = this.run(() => softmax(this.forward(inputs, lengths)));
    const classes = this.labels.length;
    return words.map((word, t) => {
      const row = data.subarray(t * classes, (t + 1) * classes);
      const best = row.reduce((a, value, k) => (value > (row[a] as number) ? k : a), 0);
      return { word, tag: this.labels[best] as string, probability: row[best] as number };
    });
  }

  /** Loss, accuracy and confusions over the words of tagged sentences. @throws DataError */
  evaluate(sentences: Iterable<TaggedSentence>): ClassifierScores {
    const examples = this.examples(sentences).filter(({ inputs }) => inputs.length > 0);
    return classScores(this, examples);
  }

  /** JSON data that make the same model. */
  config(): Readonly<Record<string, unknown>> {
    return { ...this.sizes(), labels: this.labels, words: this.words };
  }

  /**
   * The model of a file that `save` wrote, with its words and values.
   * @param options.cells - cells besides RNN, LSTM and GRU that the file may be of
   * @throws LoadError
   */
  static from(
    bytes: Uint8Array | ArrayBuffer,
    options: { readonly core?: Core; readonly cells?: Iterable<RecurrentClass> } = {},
  ): Tagger {
    const { cells, ...others } = options;
    const file = readModelFile(bytes);
    const config = new Config("Tagger", file);
    const given = { ...sizesFrom(config, cells), words: config.strings("words"), labels: config.strings("labels") };
    return load(
      config.construct(() => new Tagger(given)),
      file,
      others,
    );
  }
}
