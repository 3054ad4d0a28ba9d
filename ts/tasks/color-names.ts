/**
 * Colours and their names, generated together: from nothing (one-to-many), the colour of a name (many-to-one) and the
 * name of a colour (one-to-many).
 *
 * A record is a sequence of tokens in which either comes first, and the network learns both orders:
 *
 *     END NAME s e a COLOR r g b END        END COLOR r g b NAME s e a END
 *
 * r, g and b are tokens of their own, each one of 16 levels. What the network reads first is what it is asked about: after
 * `END NAME s e a COLOR` it says what colours the name may have, after `END COLOR r g b NAME` how the colour may be called,
 * and after `END` alone it makes up both.
 */
import type { Core } from "../core/core.js";
import { IGNORED_TARGET } from "../data/lanes.js";
import { type IdExample, type PaddedBatch, paddedBatches } from "../data/padded.js";
import { codePoints } from "../data/text-source.js";
import { ArgumentError, DataError } from "../errors.js";
import { Sampler, type SamplingOptions } from "../infer/sampling.js";
import { Session } from "../infer/session.js";
import { type Color, isColor, type NamedColor } from "../inspect/swatches.js";
import { load, type ModelSource, readModelFile } from "../io/model-file.js";
import { checkSize } from "../nn/check.js";
import { Linear } from "../nn/linear.js";
import { crossEntropy } from "../nn/losses/cross-entropy.js";
import type { RecurrentState } from "../nn/state.js";
import { streamPlan } from "../nn/stream-plan.js";
import { Ids } from "../tensor/ids.js";
import { currentTape } from "../tensor/scope.js";
import { concat, slice } from "../tensor/shape.js";
import { softmax } from "../tensor/softmax.js";
import type { StreamPlan } from "../tensor/stream.js";
import { type Tensor, tensor } from "../tensor/tensor.js";
import type { Tokenizer } from "../text/tokenizer.js";
import { Likelihood } from "../train/metrics/likelihood.js";
import { BATCH } from "./class-scores.js";
import { Config } from "./config.js";
import type { RecurrentClass } from "./language-model.js";
import { SequenceEncoder, type SequenceEncoderOptions, sizesFrom } from "./sequence-encoder.js";

/** Options of {@link ColorNames}. */
export interface ColorNamesOptions
  extends Pick<SequenceEncoderOptions, "cell" | "hiddenSize" | "embeddingSize" | "numLayers" | "dropout"> {
  /** Of characters, or of subwords, by which the colours of words are learned sooner. */
  readonly tokenizer: Tokenizer;
  /**
   * Weight of the three tokens of a colour in the loss that is trained on, those of names having 1: there are many more of
   * them. Default 4; not a part of the model's files.
   */
  readonly colorWeight?: number | undefined;
  /** Tokens of a name that are read, the first ones, and written at most; default 100. */
  readonly maxLength?: number | undefined;
}

/** How well a model knows colours and names. */
export interface ColorScores {
  /** Root mean square, over examples and channels, of the expected colour of the name less its colour, from 0 to 255. */
  readonly colorError: number;
  /** Mean bits for a character of a name, its end counted as one: when the name is all there is. */
  readonly nameBits: number;
  /** The same when its colour is known. */
  readonly nameBitsGivenColor: number;
}

/** Values of a channel that are told apart. */
const LEVELS = 16;
const CHANNELS = 3;
/** Tokens besides those of the names: three markers and the levels of each channel. */
const MORE = [
  ...["<name>", "<color>", "<end>"],
  ...["red", "green", "blue"].flatMap((channel) =>
    Array.from({ length: LEVELS }, (_, level) => `<${channel} ${level}>`),
  ),
];

/** Embeddings, recurrent layers, a linear layer, over the tokens of names, three markers, and the levels of three channels. */
export class ColorNames extends SequenceEncoder {
  /** Name of the class in model files. */
  readonly kind = "ColorNames";
  /** Of names. */
  readonly tokenizer: Tokenizer;
  /** Tokens of a name at most. */
  readonly maxLength: number;
  /** Logits of the next token. */
  readonly head: Linear;
  readonly #name: number;
  readonly #color: number;
  readonly #end: number;
  readonly #levels: number;
  /** Of every token (V), while training. */
  readonly #weights: Float32Array;

  /** @throws ArgumentError */
  constructor(options: ColorNamesOptions) {
    const { tokenizer, maxLength = 100, colorWeight = 4 } = options;
    super([...tokenizer.tokens, ...MORE], { ...options, bidirectional: false });
    checkSize("ColorNames", "maxLength", maxLength);
    if (!(colorWeight > 0 && colorWeight < Infinity)) {
      throw new ArgumentError("ColorNames", "colorWeight", "a finite number above 0", colorWeight);
    }
    this.tokenizer = tokenizer;
    this.maxLength = maxLength;
    this.head = new Linear(this.rnn.outputSize, tokenizer.size + MORE.length);
    this.#name = tokenizer.size;
    this.#color = tokenizer.size + 1;
    this.#end = tokenizer.size + 2;
    this.#levels = tokenizer.size + 3;
    this.#weights = new Float32Array(tokenizer.size + MORE.length).fill(1).fill(colorWeight, this.#levels);
  }

  /**
   * Logits of the next token after each token, (B, T, V).
   * @param ids - (B, T)
   * @param options.lengths - of each row, from 0 to T; default all
   * @param options.state - from the call before; default zeros
   */
  forward(
    ids: Ids,
    options: { readonly lengths?: Int32Array | undefined; readonly state?: RecurrentState | undefined } = {},
  ): { logits: Tensor; state: RecurrentState } {
    const { output, state } = this.rnn.forward(this.drop(this.embedding.forward(ids)), options);
    return { logits: this.head.forward(this.drop(output)), state };
  }

  /** How a stream takes single steps; null where `forward` is overridden. @internal */
  streamPlan(): StreamPlan | null {
    if (this.forward !== ColorNames.prototype.forward) return null;
    return streamPlan({ embedding: this.embedding, recurrent: this.rnn, head: this.head });
  }

  /**
   * Examples for `paddedBatches`: two of each colour, the name first and the colour first.
   * @throws DataError naming the example whose channels are not from 0 to 255, TokenizerError
   */
  examples(colors: Iterable<NamedColor>): IdExample[] {
    return Array.from(colors, ({ name, color }, number) => {
      if (!isColor(color)) {
        throw new DataError(
          `ColorNames: example ${number}: ${JSON.stringify(color)} is not three numbers from 0 to 255`,
        );
      }
      const fields = [
        [this.#name, ...this.#encodeName(name)],
        [this.#color, ...this.#encodeColor(color)],
      ];
      return [fields, [...fields].reverse()].map((order) => {
        const record = [this.#end, ...order.flat(), this.#end];
        return { inputs: record.slice(0, -1), targets: record.slice(1) };
      });
    }).flat();
  }

  #encodeName(name: string): Int32Array {
    return this.tokenizer.encode(name).subarray(0, this.maxLength);
  }

  #encodeColor(color: Color): number[] {
    return color.map((value, channel) => {
      const level = Math.min(LEVELS - 1, Math.floor((value * LEVELS) / 256));
      return this.#levels + channel * LEVELS + level;
    });
  }

  /** Mean cross-entropy of a batch in nats a token, which `train` minimises; while training with `colorWeight`. */
  loss({ inputs, lengths, targets }: PaddedBatch<Ids>): Tensor {
    const { logits } = this.forward(inputs, { lengths });
    if (currentTape()?.training !== true) return crossEntropy(logits, targets);
    return crossEntropy(logits, targets, { weight: tensor(this.#weights, undefined, this.core) });
  }

  /**
   * The colour that a name stands for: the mean of all colours that it may have, each as often as the network expects it.
   * @throws TokenizerError
   */
  colorOf(name: string): Color {
    const prompt = Int32Array.of(this.#end, this.#name, ...this.#encodeName(name), this.#color);
    // (1, 16), (16, 16), (256, 16): the levels of a channel after all levels of those before it.
    const [red, green, blue] = this.run(() => {
      let { logits, state } = this.forward(new Ids(prompt, [1, prompt.length]));
      const chances: Tensor[] = [];
      for (let channel = 0; channel < CHANNELS; channel++) {
        if (channel > 0) {
          // Every level after every row so far: row r of level l becomes row l * rows + r.
          const rows = logits.shape[0] as number;
          const ids = Int32Array.from({ length: LEVELS * rows }, (_, row) => {
            return this.#levels + (channel - 1) * LEVELS + Math.floor(row / rows);
          });
          ({ logits, state } = this.forward(new Ids(ids, [ids.length, 1]), { state: repeated(state) }));
        }
        const from = this.#levels + channel * LEVELS;
        const last = slice(logits, 1, -1);
        chances.push(softmax(slice(last, 2, from, from + LEVELS)));
      }
      return chances as [Tensor, Tensor, Tensor];
    });
    const mean = [0, 0, 0] as [number, number, number];
    for (let r = 0; r < LEVELS; r++) {
      const ofRed = red.data[r] as number;
      mean[0] += ofRed * middleOf(r);
      for (let g = 0; g < LEVELS; g++) {
        const ofGreen = ofRed * (green.data[r * LEVELS + g] as number);
        mean[1] += ofGreen * middleOf(g);
        for (let b = 0; b < LEVELS; b++) {
          mean[2] += ofGreen * (blue.data[(g * LEVELS + r) * LEVELS + b] as number) * middleOf(b);
        }
      }
    }
    return mean;
  }

  /** A name for a colour. The same seed and options give the same name. @throws ArgumentError */
  nameOf(color: Color, options: SamplingOptions & { readonly seed?: number | undefined } = {}): string {
    if (!isColor(color)) throw new ArgumentError("ColorNames.nameOf", "color", "three numbers from 0 to 255", color);
    return this.#write([this.#color, ...this.#encodeColor(color), this.#name], options).name;
  }

  /** A colour and its name, made up together. The same seed and options give the same. */
  sample(options: SamplingOptions & { readonly seed?: number | undefined } = {}): NamedColor {
    return this.#write([], options);
  }

  /** Goes on from the beginning of a record, with tokens only where they can stand. */
  #write(begun: readonly number[], options: SamplingOptions & { readonly seed?: number | undefined }): NamedColor {
    const sampler = new Sampler({ ...options, core: this.core });
    const session = new Session(this);
    try {
      const record = [...begun];
      let logits = session.feed(Int32Array.of(this.#end, ...begun)) as Float32Array;
      for (;;) {
        const allowed = this.#allowedAfter(record);
        for (let id = 0; id < logits.length; id++) if (!allowed(id)) logits[id] = -Infinity;
        const id = sampler.sample(logits);
        if (id === this.#end) break;
        record.push(id);
        logits = session.step(id, logits);
      }
      const from = record.indexOf(this.#color) + 1;
      const color = record
        .slice(from, from + CHANNELS)
        .map((id, channel) => middleOf(id - this.#levels - channel * LEVELS));
      const name = record.slice(record.indexOf(this.#name) + 1).filter((id) => id < this.#name);
      return { name: this.tokenizer.decode(name), color: color as unknown as Color };
    } finally {
      session.dispose();
    }
  }

  /** Which tokens can follow a record that has begun so. */
  #allowedAfter(record: readonly number[]): (id: number) => boolean {
    const name = record.lastIndexOf(this.#name);
    const color = record.lastIndexOf(this.#color);
    const next = name < 0 ? this.#name : color < 0 ? this.#color : this.#end;
    if (name < 0 && color < 0) return (id) => id === this.#name || id === this.#color;
    if (color > name) {
      const channel = record.length - 1 - color;
      const from = this.#levels + channel * LEVELS;
      return channel < CHANNELS ? (id) => id >= from && id < from + LEVELS : (id) => id === next;
    }
    const full = record.length - 1 - name >= this.maxLength;
    return (id) => id === next || (id < this.#name && !full);
  }

  /** How near the expected colours of names are, and how well names are predicted. @throws DataError when there are none */
  evaluate(colors: readonly NamedColor[]): ColorScores {
    if (colors.length === 0) throw new DataError("ColorNames.evaluate: no colours");
    let squares = 0;
    for (const { name, color } of colors) {
      this.colorOf(name).forEach((value, channel) => {
        squares += (value - (color[channel] as number)) * (value - (color[channel] as number));
      });
    }
    // Of the two orders of each colour only what follows NAME counts: its tokens and the marker that ends them.
    const examples = this.examples(colors).map(({ inputs, targets }) => {
      let inName = false;
      const counted = Array.from(targets as ArrayLike<number>, (target, t) => {
        inName = inputs[t] === this.#name || (inName && (inputs[t] as number) < this.#name);
        return inName ? target : IGNORED_TARGET;
      });
      return { inputs, targets: counted };
    });
    const [alone, given] = [0, 1].map((order) => {
      const likelihood = new Likelihood();
      const ofOrder = examples.filter((_, index) => index % 2 === order);
      for (const batch of paddedBatches(ofOrder, { batchSize: BATCH })) {
        likelihood.add(this.run(() => this.loss(batch).item()) as number, batch.count);
      }
      return likelihood.bitsPerCharacter(colors.reduce((sum, { name }) => sum + codePoints(name) + 1, 0));
    }) as [number, number];
    return {
      colorError: Math.sqrt(squares / (CHANNELS * colors.length)),
      nameBits: alone,
      nameBitsGivenColor: given,
    };
  }

  /** JSON data that, with the tokenizer, make the same model. */
  config(): Readonly<Record<string, unknown>> {
    const { bidirectional: _, ...sizes } = this.sizes();
    return { ...sizes, maxLength: this.maxLength };
  }

  /**
   * The model of a file that `save` wrote, with tokenizer and values.
   * @param options.cells - cells besides RNN, LSTM and GRU that the file may be of
   * @throws LoadError
   */
  static from(
    source: ModelSource,
    options: { readonly core?: Core; readonly cells?: Iterable<RecurrentClass> } = {},
  ): ColorNames {
    const { cells, ...others } = options;
    const file = readModelFile(source);
    const config = new Config("ColorNames", file);
    const given = {
      ...sizesFrom(config, cells),
      tokenizer: config.tokenizer(),
      maxLength: config.number("maxLength"),
    };
    return load(
      config.construct(() => new ColorNames(given)),
      file,
      others,
    );
  }
}

/** The middle of a level. */
function middleOf(level: number): number {
  return ((level + 0.5) * 256) / LEVELS - 0.5;
}

/** Every row of a state, (layers, rows, H), as often as there are levels. */
function repeated(state: RecurrentState): RecurrentState {
  return Object.fromEntries(
    Object.entries(state).map(([name, tensor]) => [name, concat(new Array<Tensor>(LEVELS).fill(tensor), 1)]),
  ) as RecurrentState;
}
