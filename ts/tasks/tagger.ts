/**
 * Tags of words (many-to-many, aligned), as names of persons and places: recurrent layers read the sentence in both
 * directions, each word has its tag. Lample et al. 2016, "Neural architectures for named entity recognition":
 *
 *     features of a word = its embedding; beside it, where asked for, what its characters say, and its shape
 *     embedding of a word = its own, if the tokenizer has words; the mean of those of its tokens, if it has subwords
 *     logits of its tags = head(recurrent layers(features))
 *
 * With a conditional random field on top sequences of tags are trained and found as a whole; without it each tag is trained
 * by itself, and the sequence is the most probable one that the tags' scheme allows.
 */
import type { Core } from "../core/core.js";
import { checkCount } from "../data/check.js";
import { IGNORED_TARGET } from "../data/lanes.js";
import { BatchOrder, type BucketOptions } from "../data/order.js";
import { ArgumentError, DataError } from "../errors.js";
import { viterbi } from "../infer/viterbi.js";
import { load, type ModelSource, readModelFile } from "../io/model-file.js";
import { ConditionalRandomField } from "../nn/crf.js";
import { Embedding } from "../nn/embedding.js";
import { Linear } from "../nn/linear.js";
import { crossEntropy } from "../nn/losses/cross-entropy.js";
import { mul } from "../tensor/binary.js";
import { checkProbability, dropout } from "../tensor/dropout.js";
import { embedding } from "../tensor/embedding.js";
import { Ids } from "../tensor/ids.js";
import { matmul } from "../tensor/matmul.js";
import { currentTape } from "../tensor/scope.js";
import { concat, reshape } from "../tensor/shape.js";
import { softmax } from "../tensor/softmax.js";
import { ones, type PlainTensor, type Tensor, tensor } from "../tensor/tensor.js";
import { type TagRules, type TagScheme, type TagSpan, tagRules, tagSpans } from "../text/entity-tags.js";
import type { Tokenizer } from "../text/tokenizer.js";
import { VocabularyTokenizer } from "../text/vocabulary-tokenizer.js";
import { WORD_SHAPES, wordShape } from "../text/word-shape.js";
import { WORD_SPLITS, type WordSplit } from "../text/word-splits.js";
import type { BatchSource } from "../train/loop.js";
import { ConfusionMatrix } from "../train/metrics/confusion.js";
import { EntityScores } from "../train/metrics/entities.js";
import { CharacterEncoder } from "./character-encoder.js";
import { BATCH, type ClassifierScores, checkLabels } from "./class-scores.js";
import { Config } from "./config.js";
import type { RecurrentClass } from "./language-model.js";
import { padded, SequenceEncoder, type SequenceEncoderOptions, sizesFrom } from "./sequence-encoder.js";

/** Options of {@link Tagger}. */
export interface TaggerOptions extends SequenceEncoderOptions {
  /**
   * What a word is to the embeddings: of a `VocabularyTokenizer` one of those that are known, all others being one; of any
   * other tokenizer, as one of subwords, the tokens of the word by itself, of which the first 40 are read.
   */
  readonly tokenizer: Tokenizer;
  /** How texts that are given whole are split into words; default as a `VocabularyTokenizer` does, "words" for others. */
  readonly split?: WordSplit | undefined;
  /** Names of the tags, two or more. `B-person`, `I-person` and the like mark spans, see `tagSpans`. */
  readonly labels: readonly string[];
  /** How they mark spans: no sequence that it does not allow is found. Default BIO, or BIOES with an `E` or `S`. */
  readonly scheme?: TagScheme | undefined;
  /** The characters (code points) that are known, where words are to be read by character too; default: they are not. */
  readonly alphabet?: string | undefined;
  /** Size of the embeddings of characters; default 25. */
  readonly characterSize?: number | undefined;
  /** Units, of each direction, that read a word's characters; default 25. */
  readonly characterHiddenSize?: number | undefined;
  /** Size of the embeddings of words' shapes, see `wordShape`; default 0: none. */
  readonly shapeSize?: number | undefined;
  /** Whether a conditional random field scores tags after tags; default false. */
  readonly crf?: boolean | undefined;
  /**
   * Probability that a word is taken for an unknown one while training, each time by itself, so that the embedding of
   * unknown words is trained and characters are listened to; default 0, and 0 unless there is such an embedding.
   */
  readonly unknownDropout?: number | undefined;
  /**
   * Nats that are taken from the score of `O` when tags are chosen, so that more is found and less of it is right; default
   * 0. F1 is largest when a thing is called by its name from a probability of F1 / 2 on, not from a half (Lipton, Elkan &
   * Narayanaswamy 2014, "Optimal thresholding of classifiers to maximize F1 measure"), so that ln(2 / F1 - 1) is about
   * right: 1.6 where F1 is a third.
   */
  readonly recallBias?: number | undefined;
  /** Words that are read at a time: a longer sentence is tagged in pieces of so many. Default 1000. */
  readonly maxLength?: number | undefined;
}

/** A sentence and the tag of each of its words. */
export interface TaggedSentence {
  /** In their order. */
  readonly words: readonly string[];
  /** One a word. */
  readonly tags: readonly string[];
}

/** Sentences to train on. */
export interface TaggerBatch {
  /** The words of each sentence (B). */
  readonly inputs: readonly (readonly string[])[];
  /** How many there are (B). */
  readonly lengths: Int32Array;
  /** The numbers of their tags (B). */
  readonly tags: readonly Int32Array[];
  /** Words of all sentences. */
  readonly count: number;
}

/** A word and what a tagger says of it. */
export interface TaggedWord {
  /** As it was given. */
  readonly word: string;
  /** Its tag in the best sequence of tags. */
  readonly tag: string;
  /** Of that tag. */
  readonly probability: number;
}

/** Some words in a row that are one thing. */
export interface TextSpan extends TagSpan {
  /** As the text has them; of words that were given one by one, with spaces between them. */
  readonly text: string;
}

/** What a tagger says of a sentence. */
export interface TaggedText {
  /** Every word. */
  readonly words: readonly TaggedWord[];
  /** What the tags mark. */
  readonly spans: readonly TextSpan[];
}

/** How well a tagger does. */
export interface TaggerScores extends ClassifierScores {
  /** Precision, recall and F1 of spans. */
  readonly entities: EntityScores;
}

/** Tokens of a word that are read, the first ones. */
const MOST_TOKENS = 40;

/** Word embeddings, recurrent layers, a linear layer. A sentence without words has no tags. */
export class Tagger extends SequenceEncoder {
  /** Name of the class in model files. */
  readonly kind = "Tagger";
  /** What a word is to the embeddings. */
  readonly tokenizer: Tokenizer;
  /** How texts that are given whole are split into words. */
  readonly split: WordSplit;
  /** Names of the tags. */
  readonly labels: readonly string[];
  /** What reads words by character; null without an alphabet. */
  readonly characters: CharacterEncoder | null;
  /** Of words' shapes; null without. */
  readonly shapes: Embedding | null;
  /** Logits of the tags. */
  readonly head: Linear;
  /** Scores of tags after tags; null without. */
  readonly crf: ConditionalRandomField | null;
  /** Probability that a word is taken for an unknown one while training. */
  readonly unknownDropout: number;
  /** Nats that are taken from the score of `O` when tags are chosen. */
  readonly recallBias: number;
  /** Words that are read at a time. */
  readonly maxLength: number;
  readonly #options: TaggerOptions;
  readonly #numbers: ReadonlyMap<string, number>;
  readonly #rules: TagRules;

  /** @throws ArgumentError */
  constructor(options: TaggerOptions) {
    const { tokenizer, labels, alphabet, characterSize = 25, characterHiddenSize = 25, shapeSize = 0 } = options;
    super(tokenizer.tokens, options, (alphabet === undefined ? 0 : 2 * characterHiddenSize) + shapeSize);
    const { unknownDropout = 0, recallBias = 0, maxLength = 1000 } = options;
    this.#numbers = new Map(labels.map((label, number) => [label, number]));
    checkLabels("Tagger", labels);
    checkProbability("Tagger", "unknownDropout", unknownDropout);
    const vocabulary = tokenizer instanceof VocabularyTokenizer ? tokenizer : null;
    if (unknownDropout > 0 && vocabulary === null) {
      throw new ArgumentError("Tagger", "unknownDropout", "0 without a VocabularyTokenizer", unknownDropout);
    }
    const { split = vocabulary?.split ?? "words" } = options;
    if (!WORD_SPLITS.has(split)) {
      throw new ArgumentError("Tagger", "split", `one of ${[...WORD_SPLITS.keys()].join(", ")}`, split);
    }
    if (!Number.isFinite(recallBias)) {
      throw new ArgumentError("Tagger", "recallBias", "a finite number", recallBias);
    }
    checkCount("Tagger", "maxLength", maxLength);
    const sizes = { cell: options.cell, embeddingSize: characterSize, hiddenSize: characterHiddenSize };
    this.tokenizer = tokenizer;
    this.split = split;
    this.labels = labels;
    this.characters = alphabet === undefined ? null : new CharacterEncoder({ alphabet, ...sizes });
    this.shapes = shapeSize === 0 ? null : new Embedding(WORD_SHAPES.length, shapeSize);
    this.head = new Linear(this.rnn.outputSize, labels.length);
    this.crf = options.crf ? new ConditionalRandomField(labels.length) : null;
    this.unknownDropout = unknownDropout;
    this.recallBias = recallBias;
    this.maxLength = maxLength;
    this.#options = options;
    this.#rules = tagRules(labels, options.scheme);
  }

  /** Logits (B, T, K) of sentences, T words the longest of them, or 1 where all are empty. */
  forward(sentences: readonly (readonly string[])[]): Tensor {
    const { characters, shapes } = this;
    // Every word that occurs, once; the first is what shorter sentences are padded with.
    const numbers = new Map([["", 0]]);
    const places = sentences.map((words) =>
      words.map((word) => {
        const number = numbers.get(word) ?? numbers.size;
        numbers.set(word, number);
        return number;
      }),
    );
    const { inputs, lengths } = padded(places);
    const words = [...numbers.keys()];
    const ofEach = (value: (word: string) => number): Ids => {
      const values = words.map(value);
      return new Ids(
        inputs.data.map((number) => values[number] as number),
        inputs.shape,
      );
    };
    const { tokenizer } = this;
    const features: Tensor[] = [];
    if (tokenizer instanceof VocabularyTokenizer) {
      const { lowerCase, unknown } = tokenizer;
      const ids = ofEach((word) => tokenizer.idOf(lowerCase ? word.toLowerCase() : word));
      features.push(this.embedding.forward(this.#forget(ids, unknown)));
    } else features.push(embedding(this.#meansOfTokens(words), inputs));
    if (characters !== null) features.push(embedding(characters.forward(words), inputs));
    if (shapes !== null) features.push(shapes.forward(ofEach(wordShape)));
    const x = features.length === 1 ? (features[0] as Tensor) : concat(features);
    return this.head.forward(this.drop(this.rnn.forward(this.drop(x), { lengths }).output));
  }

  /** The mean of the embeddings of each word's tokens, (N, E); 0 where it has none. */
  #meansOfTokens(words: readonly string[]): Tensor {
    const { inputs, lengths } = padded(words.map((word) => this.tokenizer.encode(word).subarray(0, MOST_TOKENS)));
    const [count, steps] = inputs.shape as [number, number];
    const shares = new Float32Array(count * steps);
    lengths.forEach((length, row) => shares.fill(1 / length, row * steps, row * steps + length));
    const means = matmul(tensor(shares, [count, 1, steps], this.core), this.embedding.forward(inputs));
    return reshape(means, [count, -1]);
  }

  /** The ids with some words forgotten, while training. */
  #forget(ids: Ids, unknown: number): Ids {
    if (this.unknownDropout === 0 || currentTape()?.training !== true) return ids;
    const kept = dropout(ones(ids.shape, this.core), this.unknownDropout, this.stream, 0).toArray();
    return new Ids(
      ids.data.map((id, i) => (kept[i] === 0 ? unknown : id)),
      ids.shape,
    );
  }

  /**
   * Batches of sentences, for `train`; a source of batches by number. Sentences without words are left out.
   * @throws DataError naming the example: an unknown tag, or not one tag a word; or when no words are left
   */
  batches(
    sentences: Iterable<TaggedSentence>,
    options: BucketOptions,
  ): BatchSource<TaggerBatch> & Iterable<TaggerBatch> {
    const examples = Array.from(sentences, ({ words, tags }, number) => {
      if (words.length !== tags.length) {
        throw new DataError(`Tagger: example ${number}: ${tags.length} tags for ${words.length} words`);
      }
      const found = Int32Array.from(tags, (tag) => {
        const target = this.#numbers.get(tag);
        if (target === undefined) throw new DataError(`Tagger: example ${number}: no tag is ${JSON.stringify(tag)}`);
        return target;
      });
      const pieces = this.#pieces(words.length);
      return pieces.map(([from, to]) => ({ words: words.slice(from, to), tags: found.subarray(from, to) }));
    }).flat();
    const sizes = examples.map(({ words }) => words.length);
    const order = new BatchOrder("Tagger.batches", examples.length, options, sizes);
    const batch = (index: number): TaggerBatch => {
      const chosen = Array.from(order.batch(index), (number) => examples[number] as (typeof examples)[number]);
      const lengths = Int32Array.from(chosen, ({ words }) => words.length);
      return {
        inputs: chosen.map(({ words }) => words),
        lengths,
        tags: chosen.map(({ tags }) => tags),
        count: lengths.reduce((sum, length) => sum + length, 0),
      };
    };
    return {
      length: order.length,
      batch,
      *[Symbol.iterator]() {
        for (let index = 0; index < order.length; index++) yield batch(index);
      },
    };
  }

  /** Where so many words are cut into pieces that are read at a time. */
  #pieces(words: number): [from: number, to: number][] {
    const count = Math.ceil(words / this.maxLength);
    return Array.from({ length: count }, (_, i) => [i * this.maxLength, Math.min((i + 1) * this.maxLength, words)]);
  }

  /**
   * What `train` minimises, in nats a word: the cross-entropy of the tags; with a conditional random field that of the
   * sequences of tags.
   */
  loss({ inputs, lengths, tags, count }: TaggerBatch): Tensor {
    return this.#lossOf(this.forward(inputs), lengths, tags, count);
  }

  #lossOf(logits: Tensor, lengths: Int32Array, tags: readonly Int32Array[], count: number): Tensor {
    const [batch, steps] = logits.shape as [number, number, number];
    const targets = new Int32Array(batch * steps).fill(IGNORED_TARGET);
    tags.forEach((row, b) => targets.set(row, b * steps));
    const ids = new Ids(targets, [batch, steps]);
    if (this.crf === null) return crossEntropy(logits, ids, { ignoreIndex: IGNORED_TARGET });
    return mul(this.crf.loss(logits, ids, { lengths, reduction: "sum" }), 1 / count);
  }

  /**
   * Tags of the words of a sentence, and the spans that they mark.
   * @param sentence - its words, or a text, which is split
   */
  predict(sentence: string | readonly string[]): TaggedText {
    return this.predictAll([sentence])[0] as TaggedText;
  }

  /** The same of several sentences. */
  predictAll(sentences: readonly (string | readonly string[])[]): TaggedText[] {
    const split = WORD_SPLITS.get(this.split) as (text: string) => string[];
    const given = sentences.map((sentence) => (typeof sentence === "string" ? split(sentence) : sentence));
    const found: TaggedWord[][] = given.map(() => []);
    const pieces = given.flatMap((words, number) =>
      this.#pieces(words.length).map(([from, to]) => ({ number, words: words.slice(from, to) })),
    );
    for (let from = 0; from < pieces.length; from += BATCH) {
      const some = pieces.slice(from, from + BATCH);
      const tagged = this.#tag(some.map(({ words }) => words));
      some.forEach(({ number, words }, b) => {
        const { path, probabilities } = tagged(b);
        words.forEach((word, t) => {
          found[number]?.push({
            word,
            tag: this.labels[path[t] as number] as string,
            probability: probabilities[t] as number,
          });
        });
      });
    }
    return found.map((words, number) => {
      const sentence = sentences[number] as string | readonly string[];
      return { words, spans: textSpans(words, typeof sentence === "string" ? sentence : undefined) };
    });
  }

  /** The best tags of sentences, and how probable each of them is. */
  #tag(
    sentences: readonly (readonly string[])[],
  ): (row: number) => { readonly path: Int32Array; readonly probabilities: readonly number[] } {
    const { crf } = this;
    const lengths = sentences.map((words) => words.length);
    const { logits, shares } = this.run(() => {
      const logits = this.forward(sentences);
      return { logits, shares: crf === null ? softmax(logits) : crf.marginals(logits, lengths) };
    });
    const [, steps, tags] = logits.shape as [number, number, number];
    const pathOf = this.#decoder(logits, lengths);
    return (row) => {
      const path = pathOf(row);
      const at = (t: number): number => (row * steps + t) * tags;
      return { path, probabilities: Array.from(path, (tag, t) => shares.data[at(t) + tag] as number) };
    };
  }

  /** Finds the best tags of a row of logits (B, T, K). */
  #decoder({ data, shape }: PlainTensor, lengths: ArrayLike<number>): (row: number) => Int32Array {
    const [, steps, tags] = shape as [number, number, number];
    const scores = {
      rules: this.#rules,
      ...(this.crf && {
        transitions: this.crf.transitions.toArray(),
        start: this.crf.start_transitions.toArray(),
        end: this.crf.end_transitions.toArray(),
      }),
    };
    const outside = this.labels.indexOf("O");
    return (row) => {
      const [start, length] = [row * steps * tags, lengths[row] as number];
      const emissions = data.slice(start, start + length * tags);
      if (outside >= 0) {
        for (let t = 0; t < length; t++) {
          const place = t * tags + outside;
          emissions[place] = (emissions[place] as number) - this.recallBias;
        }
      }
      return viterbi({ data: emissions, shape: [length, tags] }, scores).path;
    };
  }

  /** Loss, accuracy and confusions of words, and the scores of spans, of tagged sentences. @throws DataError */
  evaluate(sentences: Iterable<TaggedSentence>): TaggerScores {
    const given = Array.from(sentences);
    const confusion = new ConfusionMatrix(this.labels);
    const entities = new EntityScores();
    let total = 0;
    for (const { inputs, lengths, tags, count } of this.batches(given, { batchSize: BATCH })) {
      const { logits, loss } = this.run(() => {
        const logits = this.forward(inputs);
        return { logits, loss: this.#lossOf(logits, lengths, tags, count).item() };
      });
      total += loss * count;
      const pathOf = this.#decoder(logits, lengths);
      tags.forEach((targets, row) => {
        const path = pathOf(row);
        const names = (numbers: Int32Array) => Array.from(numbers, (number) => this.labels[number] as string);
        confusion.add(path, targets);
        entities.add(names(path), names(targets));
      });
    }
    return { loss: total / confusion.total, accuracy: confusion.accuracy, confusion, entities };
  }

  /** JSON data that, with the tokenizer, make the same model. */
  config(): Readonly<Record<string, unknown>> {
    const { labels, scheme, split, alphabet, characterSize, characterHiddenSize, shapeSize, crf } = this.#options;
    const { unknownDropout, recallBias, maxLength } = this;
    const own = { labels, scheme, split, alphabet, characterSize, characterHiddenSize, shapeSize, crf };
    return { ...this.sizes(), ...own, unknownDropout, recallBias, maxLength };
  }

  /**
   * The model of a file that `save` wrote, with its words and values.
   * @param options.cells - cells besides RNN, LSTM and GRU that the file may be of
   * @throws LoadError
   */
  static from(
    source: ModelSource,
    options: { readonly core?: Core; readonly cells?: Iterable<RecurrentClass> } = {},
  ): Tagger {
    const { cells, ...others } = options;
    const file = readModelFile(source);
    const config = new Config("Tagger", file);
    const given: TaggerOptions = {
      ...sizesFrom(config, cells),
      tokenizer: config.tokenizer(),
      labels: config.strings("labels"),
      scheme: config.text("scheme") as TagScheme | undefined,
      split: config.text("split") as WordSplit | undefined,
      alphabet: config.text("alphabet"),
      characterSize: config.number("characterSize"),
      characterHiddenSize: config.number("characterHiddenSize"),
      shapeSize: config.number("shapeSize"),
      crf: config.flag("crf"),
      unknownDropout: config.number("unknownDropout"),
      recallBias: config.number("recallBias"),
      maxLength: config.number("maxLength"),
    };
    return load(
      config.construct(() => new Tagger(given)),
      file,
      others,
    );
  }
}

/** The spans of tagged words, as a text has them that they were split from. */
function textSpans(words: readonly TaggedWord[], text: string | undefined): TextSpan[] {
  const spans = tagSpans(words.map(({ tag }) => tag));
  if (text === undefined) {
    const part = ({ start, end }: TagSpan) => words.slice(start, end).map(({ word }) => word);
    return spans.map((span) => ({ ...span, text: part(span).join(" ") }));
  }
  let at = 0;
  const begins = words.map(({ word }) => {
    const begin = text.indexOf(word, at);
    at = begin + word.length;
    return begin;
  });
  return spans.map((span) => {
    const last = span.end - 1;
    const end = (begins[last] as number) + (words[last] as TaggedWord).word.length;
    return { ...span, text: text.slice(begins[span.start], end) };
  });
}
