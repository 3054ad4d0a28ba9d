/** Translation of texts by an encoder-decoder (many-to-many, unaligned); any task that writes a text for a text. */

import type { Core } from "../core/core.js";
import { type PaddedBatch, type PaddedOptions, paddedBatches } from "../data/padded.js";
import { ArgumentError } from "../errors.js";
import { searchBeams } from "../infer/beam-search.js";
import { load, type ModelSource, readModelFile } from "../io/model-file.js";
import { AdditiveAttention, ConcatAttention } from "../nn/attention/additive.js";
import type { Attention, AttentionClass } from "../nn/attention/attention.js";
import { DotAttention } from "../nn/attention/dot.js";
import { GeneralAttention } from "../nn/attention/general.js";
import { LocalAttention } from "../nn/attention/local.js";
import { checkSize } from "../nn/check.js";
import { crossEntropy } from "../nn/losses/cross-entropy.js";
import { Module } from "../nn/module.js";
import { checkProbability } from "../tensor/dropout.js";
import { Ids } from "../tensor/ids.js";
import { currentTape } from "../tensor/scope.js";
import type { PlainTensor, Tensor } from "../tensor/tensor.js";
import type { Tokenizer } from "../text/tokenizer.js";
import { VocabularyTokenizer } from "../text/vocabulary-tokenizer.js";
import type { BatchSource } from "../train/loop.js";
import { Bleu, type BleuScore } from "../train/metrics/bleu.js";
import { Config, cellName } from "./config.js";
import { Decoding } from "./decoding.js";
import { EncoderDecoder, type EncoderDecoderOptions } from "./encoder-decoder.js";
import type { RecurrentClass } from "./language-model.js";
import { padded } from "./sequence-encoder.js";

/** Options of {@link Translator}. */
export interface TranslatorOptions extends Omit<EncoderDecoderOptions, "sourceSize" | "targetSize" | "attention"> {
  /** Of the source. */
  readonly tokenizer: Tokenizer;
  /** Of the translations. */
  readonly targetTokenizer: Tokenizer;
  /** `DotAttention`, `GeneralAttention`, `ConcatAttention` or `AdditiveAttention`; default: none. */
  readonly attention?: AttentionClass | undefined;
  /** Positions to each side of a predicted one that are attended to (`LocalAttention`); default: all positions. */
  readonly window?: number | undefined;
  /** Probability that a step of training is given the true token before it; default 1. See `EncoderDecoder.forward`. */
  readonly teacherForcing?: number | undefined;
  /** Part of every target that is spread evenly over all tokens while training, from 0 to 1; default 0. */
  readonly labelSmoothing?: number | undefined;
  /** Tokens of a source that are read, the first ones; default 10 000. */
  readonly maxLength?: number | undefined;
}

/** A text and what it becomes. */
export interface TextPair {
  /** What is translated. */
  readonly source: string;
  /** What it means. */
  readonly target: string;
}

/** Sources and targets of a batch. */
export interface TranslationBatch {
  /** (B, T), each with an end token. */
  readonly source: Ids;
  /** Tokens of each source. */
  readonly lengths: Int32Array;
  /** What the decoder is given, (B, S): a start token, then the targets. */
  readonly inputs: Ids;
  /** What it should put out, (B, S): the targets, then an end token; -100 after it. */
  readonly targets: Ids;
  /** Targets that count. */
  readonly count: number;
}

/** Options of {@link Translator.translate}. */
export interface TranslateOptions {
  /** Hypotheses that are followed; default 1, the most likely token at every step. */
  readonly beamWidth?: number;
  /** Exponent of the length that scores are divided by; default 1, which compares means. */
  readonly lengthPenalty?: number;
  /** Tokens at most; default 200. */
  readonly maxTokens?: number;
}

/** A translation. */
export interface Translation {
  /** The target side. */
  readonly text: string;
  /** ln p of its tokens, their end included. */
  readonly logProbability: number;
}

const ATTENTIONS: ReadonlyMap<string, AttentionClass> = new Map<string, AttentionClass>([
  ["dot", DotAttention],
  ["general", GeneralAttention],
  ["concat", ConcatAttention],
  ["additive", AdditiveAttention],
]);
const ATTENDS: ReadonlyMap<string, "after" | "before"> = new Map([
  ["after", "after"],
  ["before", "before"],
] as const);
const IGNORED = -100;
const BATCH = 64;

/** Two tokenizers around an {@link EncoderDecoder}. The source and the target each have an end token, the target a start. */
export class Translator extends Module {
  /** Name of the class in model files. */
  readonly kind = "Translator";
  /** Of the sources. */
  readonly tokenizer: Tokenizer;
  /** Of the translations. */
  readonly targetTokenizer: Tokenizer;
  /** The two recurrent networks. */
  readonly network: EncoderDecoder;
  /** Tokens of a translation at most. */
  readonly maxLength: number;
  /** Probability that a step of training is given the true token before it. */
  readonly teacherForcing: number;
  /** Share of each target that is spread over all tokens while training. */
  readonly labelSmoothing: number;
  readonly #options: TranslatorOptions;

  /** @throws ArgumentError */
  constructor(options: TranslatorOptions) {
    super();
    const {
      tokenizer,
      targetTokenizer,
      attention: Kind,
      window,
      maxLength = 10_000,
      teacherForcing = 1,
      labelSmoothing = 0,
    } = options;
    checkSize("Translator", "maxLength", maxLength);
    checkProbability("Translator", "teacherForcing", teacherForcing);
    checkProbability("Translator", "labelSmoothing", labelSmoothing);
    if (window !== undefined && Kind === undefined) {
      throw new ArgumentError("Translator", "window", "absent without attention", window);
    }
    const attention =
      Kind === undefined
        ? undefined
        : (query: number, memory: number): Attention => {
            const inner = new Kind(query, memory);
            return window === undefined ? inner : new LocalAttention(inner, window);
          };
    this.#options = options;
    this.tokenizer = tokenizer;
    this.targetTokenizer = targetTokenizer;
    this.maxLength = maxLength;
    this.teacherForcing = teacherForcing;
    this.labelSmoothing = labelSmoothing;
    const sizes = { sourceSize: tokenizer.size + 1, targetSize: targetTokenizer.size + 2 };
    this.network = new EncoderDecoder({ ...options, ...sizes, attention });
  }

  /** The target's tokens besides those of its tokenizer. */
  get #special(): { readonly start: number; readonly end: number } {
    return { start: this.targetTokenizer.size, end: this.targetTokenizer.size + 1 };
  }

  #encodeSource(text: string): Int32Array {
    const ids = this.tokenizer.encode(text).subarray(0, this.maxLength);
    return Int32Array.from([...ids, this.tokenizer.size]);
  }

  /**
   * Batches of pairs, for `train`; a source of batches by number.
   * @throws TokenizerError, DataError when there are no pairs
   */
  batches(
    pairs: readonly TextPair[],
    options: PaddedOptions,
  ): BatchSource<TranslationBatch> & Iterable<TranslationBatch> {
    const sources = pairs.map(({ source }) => ({ inputs: this.#encodeSource(source) }));
    const targets = pairs.map(({ target }) => this.targetTokenizer.encode(target));
    const inner = paddedBatches(sources, options);
    const make = (batch: PaddedBatch<Ids>): TranslationBatch => this.#batchOf(batch, targets);
    return {
      length: inner.length,
      batch: (index) => make(inner.batch(index)),
      *[Symbol.iterator]() {
        for (const batch of inner) yield make(batch);
      },
    };
  }

  #batchOf({ inputs: source, lengths, examples }: PaddedBatch<Ids>, targets: readonly Int32Array[]): TranslationBatch {
    const { start, end } = this.#special;
    const own = Array.from(examples, (example) => targets[example] as Int32Array);
    const { inputs } = padded(own.map((ids) => [start, ...ids]));
    const wanted = padded(own.map((ids) => [...ids, end]));
    const steps = wanted.inputs.shape[1] as number;
    const data = wanted.inputs.data;
    wanted.lengths.forEach((length, row) => data.fill(IGNORED, row * steps + length, (row + 1) * steps));
    const count = wanted.lengths.reduce((total, length) => total + length, 0);
    return { source, lengths, inputs, targets: wanted.inputs, count };
  }

  /** Mean cross-entropy of the targets' tokens in nats, while training with label smoothing; what `train` minimises. */
  loss({ source, lengths, inputs, targets }: TranslationBatch): Tensor {
    const training = currentTape()?.training === true;
    const teacherForcing = training ? this.teacherForcing : 1;
    const { logits } = this.network.forward(source, lengths, inputs, { teacherForcing });
    return crossEntropy(logits, targets, { ignoreIndex: IGNORED, labelSmoothing: training ? this.labelSmoothing : 0 });
  }

  /** The best translation of a text; an empty one too has its translation. */
  translate(text: string, options: TranslateOptions = {}): string {
    return this.hypotheses(text, options)[0]?.text ?? "";
  }

  /** The `beamWidth` best translations, best first. @throws ArgumentError */
  hypotheses(text: string, options: TranslateOptions = {}): Translation[] {
    return this.#search([text], options)[0] ?? [];
  }

  /** The best translation of each text, many searched for at a time: much faster than {@link translate} for each. */
  translateAll(texts: readonly string[], options: TranslateOptions = {}): string[] {
    const found: string[] = [];
    for (let from = 0; from < texts.length; from += BATCH) {
      const translations = this.#search(texts.slice(from, from + BATCH), options);
      found.push(...translations.map(([best]) => best?.text ?? ""));
    }
    return found;
  }

  #search(texts: readonly string[], options: TranslateOptions): Translation[][] {
    const { beamWidth = 1, lengthPenalty = 1, maxTokens = 200 } = options;
    const { start, end } = this.#special;
    const sources = texts.map((text) => this.#encodeSource(text));
    const decoding = new Decoding(this.network, sources, start);
    try {
      const searches = searchBeams(texts.length, { beamWidth, lengthPenalty, maxTokens, end }, (rows) =>
        decoding.advance(rows),
      );
      return searches.map((found, i) =>
        found.map(({ tokens, logProbability }) => ({ text: this.#textOf(tokens, texts[i] as string), logProbability })),
      );
    } finally {
      decoding.release();
    }
  }

  /** The text of a target, each unknown word the one of the source that it looks at most (Luong et al. 2015, "Addressing the rare word problem in neural machine translation"). */
  #textOf(tokens: readonly number[], text: string): string {
    const { tokenizer, targetTokenizer: target } = this;
    const ids = tokens.filter((id) => id < target.size);
    const copies =
      tokenizer instanceof VocabularyTokenizer &&
      target instanceof VocabularyTokenizer &&
      this.network.attention !== null &&
      ids.includes(target.unknown);
    if (!copies) return target.decode(ids);
    const words = tokenizer.words(text).slice(0, this.maxLength);
    const source = this.#encodeSource(text);
    const inputs = new Ids(Int32Array.from([this.#special.start, ...ids]), [1, ids.length + 1]);
    const { weights } = this.network.run((network) =>
      network.forward(new Ids(source, [1, source.length]), undefined, inputs),
    );
    const looked = (step: number): string => {
      const row = (weights as PlainTensor).data.subarray(step * source.length, (step + 1) * source.length - 1);
      return words[row.reduce((best, weight, at) => (weight > (row[best] as number) ? at : best), 0)] ?? "";
    };
    return target.join(ids.map((id, step) => (id === target.unknown ? looked(step) : (target.tokens[id] as string))));
  }

  /**
   * Where each token of a target looks in the source: weights (S, T), with the tokens that head rows and columns.
   * @throws ArgumentError without attention
   */
  alignment({ source, target }: TextPair): {
    readonly weights: PlainTensor;
    readonly source: readonly string[];
    readonly target: readonly string[];
  } {
    const [batch] = this.batches([{ source, target }], { batchSize: 1 });
    const { source: read, lengths, inputs, targets } = batch as TranslationBatch;
    const weights = this.run(() => this.network.forward(read, lengths, inputs).weights);
    if (weights === undefined) throw new ArgumentError("Translator", "attention", "given for an alignment", "none");
    const name = (tokenizer: Tokenizer, ids: Int32Array): string[] =>
      Array.from(ids, (id) => tokenizer.tokens[id] ?? "<end>");
    const { data, shape } = weights as PlainTensor;
    return {
      weights: { data, shape: shape.slice(1) },
      source: name(this.tokenizer, read.data),
      target: name(this.targetTokenizer, targets.data),
    };
  }

  /**
   * Loss over pairs, and BLEU of the most likely tokens against the targets.
   * @returns `exact`, the part of the translations that are the target
   */
  evaluate(pairs: readonly TextPair[]): { readonly loss: number; readonly bleu: BleuScore; readonly exact: number } {
    let total = 0;
    let count = 0;
    for (const batch of this.batches(pairs, { batchSize: BATCH })) {
      total += batch.count * (this.run(() => this.loss(batch).item()) as number);
      count += batch.count;
    }
    const bleu = new Bleu();
    const written = this.translateAll(pairs.map(({ source }) => source));
    let exact = 0;
    pairs.forEach(({ target }, i) => {
      bleu.add(written[i] as string, target);
      if (written[i] === target) exact++;
    });
    return { loss: total / count, bleu: bleu.value, exact: exact / pairs.length };
  }

  /** JSON data that, with the tokenizer, make the same model. */
  config(): Readonly<Record<string, unknown>> {
    const { tokenizer: _, cell, attention, targetTokenizer, ...others } = this.#options;
    const kind = attention === undefined ? undefined : [...ATTENTIONS].find(([, known]) => known === attention)?.[0];
    if (attention !== undefined && kind === undefined) {
      throw new ArgumentError("Translator", "attention", "one of this package to be saved", attention);
    }
    return {
      cell: cellName("Translator", cell),
      ...others,
      attention: kind,
      targetTokenizer: targetTokenizer.toJSON(),
    };
  }

  /**
   * The model of a file that `save` wrote, with tokenizers and values.
   * @param options.cells - cells besides RNN, LSTM and GRU that the file may be of
   * @throws LoadError
   */
  static from(
    source: ModelSource,
    options: { readonly core?: Core; readonly cells?: Iterable<RecurrentClass> } = {},
  ): Translator {
    const { cells, ...others } = options;
    const file = readModelFile(source);
    const config = new Config("Translator", file);
    const given: TranslatorOptions = {
      tokenizer: config.tokenizer(),
      targetTokenizer: config.furtherTokenizer("targetTokenizer"),
      cell: config.cell(cells),
      hiddenSize: config.size("hiddenSize"),
      embeddingSize: config.number("embeddingSize"),
      numLayers: config.layers(),
      dropout: config.number("dropout"),
      bidirectional: config.flag("bidirectional"),
      reverseSource: config.flag("reverseSource"),
      contextAtEveryStep: config.flag("contextAtEveryStep"),
      attention: config.choice("attention", ATTENTIONS),
      attend: config.choice("attend", ATTENDS),
      inputFeeding: config.flag("inputFeeding"),
      tieWeights: config.flag("tieWeights"),
      window: config.number("window"),
      teacherForcing: config.number("teacherForcing"),
      labelSmoothing: config.number("labelSmoothing"),
      maxLength: config.number("maxLength"),
    };
    return load(
      config.construct(() => new Translator(given)),
      file,
      others,
    );
  }
}
