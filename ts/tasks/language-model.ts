/** A recurrent language model: it gives the probabilities of the next token after every token. */
import type { Core } from "../core/core.js";
import type { Batch } from "../data/lanes.js";
import { ArgumentError } from "../errors.js";
import { entriesOf } from "../io/json.js";
import { load, type ModelFile, type ModelSource, readModelFile } from "../io/model-file.js";
import type { CellSizes } from "../nn/compiler/compiled.js";
import { Embedding } from "../nn/embedding.js";
import { Linear } from "../nn/linear.js";
import { lockedDropout } from "../nn/locked-dropout.js";
import { activationPenalty, temporalActivationPenalty } from "../nn/losses/activation-penalties.js";
import { crossEntropy } from "../nn/losses/cross-entropy.js";
import { type InitOptions, Module } from "../nn/module.js";
import type { RecurrentLayer, RecurrentOptions } from "../nn/recurrent.js";
import type { CarriedState, RecurrentState } from "../nn/state.js";
import { streamPlan } from "../nn/stream-plan.js";
import { add } from "../tensor/binary.js";
import { checkProbability, dropout } from "../tensor/dropout.js";
import { oneHot } from "../tensor/embedding.js";
import type { Ids } from "../tensor/ids.js";
import { Parameter } from "../tensor/parameter.js";
import { currentTape } from "../tensor/scope.js";
import type { StreamPlan } from "../tensor/stream.js";
import type { Tensor } from "../tensor/tensor.js";
import type { Tokenizer } from "../text/tokenizer.js";
import { Config, cellName } from "./config.js";
import { meanTokenLoss } from "./mean-token-loss.js";

/** A class of recurrent layers: RNN, LSTM, GRU, or what {@link defineCell} makes. */
export type RecurrentClass = (new (
  inputSize: number,
  hiddenSize: number,
  options: RecurrentOptions & CellSizes,
) => RecurrentLayer<RecurrentState>) & {
  /** Name of the cell in model files. */
  readonly cellName?: string;
};

/** Options of {@link LanguageModel}. */
export interface LanguageModelOptions {
  /** Its tokens are the classes. */
  readonly tokenizer: Tokenizer;
  /** RNN, LSTM, GRU, or a cell of {@link defineCell}. */
  readonly cell: RecurrentClass;
  /** Units of a layer, H. */
  readonly hiddenSize: number;
  /** Further sizes that the cell takes, for example `{ projectionSize: 64 }`. */
  readonly cellSizes?: CellSizes | undefined;
  /** Default 1. */
  readonly numLayers?: number | undefined;
  /** Probability of dropout after every layer, the last included, while training; default 0. */
  readonly dropout?: number | undefined;
  /** Probability of dropout before the first layer, while training; default 0. */
  readonly inputDropout?: number | undefined;
  /** Whether `dropout` and `inputDropout` have one mask for all steps of a batch (Gal & Ghahramani 2016); default false. */
  readonly lockedDropout?: boolean | undefined;
  /** Probability that a token's whole embedding is dropped, while training; takes `embeddingSize`. Default 0. */
  readonly embeddingDropout?: number | undefined;
  /** See {@link RecurrentOptions.weightDropout}; default 0. */
  readonly weightDropout?: number | undefined;
  /**
   * Share of each target's probability that is spread over all tokens (Szegedy et al. 2016), in the loss that is
   * trained on, not in those of validation and `evaluate`; default 0.
   */
  readonly labelSmoothing?: number | undefined;
  /** Factor of {@link activationPenalty}, in the loss that is trained on; default 0. */
  readonly activationPenalty?: number | undefined;
  /** Factor of {@link temporalActivationPenalty}, in the loss that is trained on; default 0. */
  readonly temporalActivationPenalty?: number | undefined;
  /** Size of the token embeddings; default: none, tokens are fed as one-hot vectors. */
  readonly embeddingSize?: number | undefined;
  /**
   * Uses the embedding table as weight of the output layer (Press & Wolf 2017, "Using the Output Embedding to Improve
   * Language Models"); takes `embeddingSize` equal to `hiddenSize`. Default false.
   */
  readonly tieWeights?: boolean | undefined;
  /**
   * Trains one bias a gate, as the textbook equations have it. PyTorch's layers have two, which only ever act as their
   * sum, so that it moves twice as fast. The second, `bias_hh`, stays in the model and in its files, at zero. Default
   * false.
   */
  readonly singleBias?: boolean | undefined;
  /** See {@link RecurrentOptions.recompute}; not a part of the model's files. */
  readonly recompute?: number | undefined;
}

/**
 * Embeddings or one-hot vectors, recurrent layers, a linear layer. With these options it is AWD-LSTM (Merity, Keskar &
 * Socher 2018, "Regularizing and Optimizing LSTM Language Models"), but for its layers of different sizes:
 *
 * ```ts
 * new LanguageModel({
 *   tokenizer, cell: LSTM, hiddenSize: 400, numLayers: 3, embeddingSize: 400, tieWeights: true, lockedDropout: true,
 *   dropout: 0.4, inputDropout: 0.4, embeddingDropout: 0.1, weightDropout: 0.5,
 *   activationPenalty: 2, temporalActivationPenalty: 1,
 * });
 * ```
 */
export class LanguageModel extends Module {
  /** Name of the class in model files. */
  readonly kind = "LanguageModel";
  /** Its tokens are the classes. */
  readonly tokenizer: Tokenizer;
  /** Absent when tokens are fed as one-hot vectors. */
  readonly embedding?: Embedding;
  /** The recurrent layers. */
  readonly rnn: RecurrentLayer<RecurrentState>;
  /** Logits of the next token. */
  readonly head: Linear;
  /** Probability of dropout after every layer while training. */
  readonly dropout: number;
  /** Probability of dropout before the first layer while training. */
  readonly inputDropout: number;
  /** Whether a dropout mask is the same for all steps of a batch. */
  readonly lockedDropout: boolean;
  readonly #options: LanguageModelOptions;

  /** @throws ArgumentError for options that are out of range or do not go together */
  constructor(options: LanguageModelOptions) {
    super();
    const {
      tokenizer,
      cell,
      hiddenSize,
      numLayers = 1,
      embeddingSize,
      tieWeights = false,
      singleBias = false,
    } = options;
    this.#options = options;
    this.tokenizer = tokenizer;
    this.dropout = options.dropout ?? 0;
    checkProbability("LanguageModel", "dropout", this.dropout);
    this.inputDropout = options.inputDropout ?? 0;
    checkProbability("LanguageModel", "inputDropout", this.inputDropout);
    this.lockedDropout = options.lockedDropout ?? false;
    const { embeddingDropout = 0, labelSmoothing = 0 } = options;
    if (embeddingDropout !== 0 && embeddingSize === undefined) {
      throw new ArgumentError("LanguageModel", "embeddingDropout", "0 unless embeddingSize is given", embeddingDropout);
    }
    checkProbability("LanguageModel", "labelSmoothing", labelSmoothing);
    for (const option of ["activationPenalty", "temporalActivationPenalty"] as const) {
      const factor = options[option] ?? 0;
      if (!(factor >= 0 && factor < Infinity)) {
        throw new ArgumentError("LanguageModel", option, "a finite number of 0 or more", factor);
      }
    }
    if (embeddingSize !== undefined) {
      this.embedding = new Embedding(tokenizer.size, embeddingSize, { dropout: embeddingDropout });
    }
    // Dropout between layers only exists where there are several.
    const between = numLayers > 1 ? this.dropout : 0;
    this.rnn = new cell(embeddingSize ?? tokenizer.size, hiddenSize, {
      ...options.cellSizes,
      numLayers,
      dropout: between,
      lockedDropout: this.lockedDropout,
      weightDropout: options.weightDropout ?? 0,
      recompute: options.recompute,
    });
    this.head = new Linear(this.rnn.outputSize, tokenizer.size);
    if (tieWeights) {
      if (this.embedding === undefined || embeddingSize !== this.rnn.outputSize) {
        throw new ArgumentError(
          "LanguageModel",
          "tieWeights",
          "false unless embeddingSize equals hiddenSize",
          tieWeights,
        );
      }
      this.head.weight = this.embedding.weight;
    }
    if (singleBias) for (const bias of this.#secondBiases()) bias.trainable = false;
  }

  override init(options: InitOptions = {}): this {
    super.init(options);
    if (this.#options.singleBias) for (const bias of this.#secondBiases()) bias.write(new Float32Array(bias.size));
    return this;
  }

  #secondBiases(): Parameter[] {
    return Object.entries(this.rnn).flatMap(([name, field]: [string, unknown]) =>
      name.startsWith("bias_hh") && field instanceof Parameter ? [field] : [],
    );
  }

  /**
   * Logits of the next token after each token.
   * @param ids - (B, T)
   * @param options.state - from the call before; default zeros
   * @returns logits (B, T, V), the state after the last step, and the outputs of the layers, (B, T, H), before and after
   *   dropout, which the penalties need
   */
  forward(
    ids: Ids,
    options: { readonly state?: RecurrentState | undefined } = {},
  ): { logits: Tensor; state: RecurrentState; output?: Tensor; dropped?: Tensor } {
    const x = this.embedding === undefined ? oneHot(ids, this.tokenizer.size, this.core) : this.embedding.forward(ids);
    const { output, state } = this.rnn.forward(this.#drop(x, this.inputDropout), options);
    const dropped = this.#drop(output, this.dropout);
    return { logits: this.head.forward(dropped), state, output, dropped };
  }

  /** How a stream takes single steps; null where `forward` is overridden. @internal */
  streamPlan(): StreamPlan | null {
    if (this.forward !== LanguageModel.prototype.forward) return null;
    const { embedding, head, rnn, tokenizer } = this;
    return streamPlan({ embedding, vocabulary: tokenizer.size, recurrent: rnn, head });
  }

  /** Dropout of (B, T, ...). */
  #drop(x: Tensor, p: number): Tensor {
    return this.lockedDropout ? lockedDropout(x, p, 1, this.stream) : dropout(x, p, this.stream);
  }

  /**
   * Mean cross-entropy of a batch in nats a token; what `train` minimises. While training it has the label smoothing
   * and the penalties of the options.
   * @param carried - the state before the batch, replaced by the one after it; zeros when `batch.first` is set
   */
  loss(batch: Batch, carried: CarriedState<RecurrentState>): Tensor {
    if (batch.first) carried.reset();
    const { output, dropped, logits, state } = this.forward(batch.inputs, { state: carried.get() });
    carried.set(state);
    if (currentTape()?.training !== true) return crossEntropy(logits, batch.targets);
    const { labelSmoothing = 0, activationPenalty: alpha = 0, temporalActivationPenalty: beta = 0 } = this.#options;
    let loss = crossEntropy(logits, batch.targets, { labelSmoothing });
    if (alpha > 0 && dropped !== undefined) loss = add(loss, activationPenalty(dropped, alpha));
    if (beta > 0 && output !== undefined) loss = add(loss, temporalActivationPenalty(output, beta));
    return loss;
  }

  /**
   * Mean cross-entropy in nats a token, exact: every token but the first is predicted once.
   * @param text - a text, or its ids
   * @param options.batchSize - lanes that start from a zero state each; default 1, the whole context for every token; more are faster
   */
  evaluate(text: string | Int32Array, options: { readonly batchSize?: number } = {}): number {
    return meanTokenLoss(this, text, options.batchSize ?? 1);
  }

  /** JSON data that, with the tokenizer, make the same model. */
  config(): Readonly<Record<string, unknown>> {
    const { cell, tokenizer: _, recompute: __, ...sizes } = this.#options;
    return { cell: cellName("LanguageModel", cell), ...sizes };
  }

  /**
   * The model of a file that `save` wrote, with tokenizer and values.
   * @param options.cells - cells besides RNN, LSTM and GRU that the file may be of
   * @throws LoadError: `foreign` when the file holds something else, `value` when its cell is not among those given
   */
  static from(
    source: ModelSource,
    options: { readonly core?: Core; readonly cells?: Iterable<RecurrentClass> } = {},
  ): LanguageModel {
    const file = readModelFile(source);
    const config = new Config("LanguageModel", file);
    const { cells = [], ...others } = options;
    return load(
      config.construct(() => new LanguageModel(optionsFrom(config, file, cells))),
      file,
      others,
    );
  }
}

/** Checks what a file says. The constructor only declares, so sizes that are too large meet the check of the shapes before any memory. */
function optionsFrom(config: Config, file: ModelFile, cells: Iterable<RecurrentClass>): LanguageModelOptions {
  const sizes = entriesOf(file.config.get("cellSizes") ?? {});
  const tokenizer = config.tokenizer();
  const cell = config.cell(cells);
  if (sizes === undefined || ![...sizes].every(([name, size]) => name.endsWith("Size") && typeof size === "number")) {
    throw config.bad("cellSizes");
  }
  return {
    tokenizer,
    cell,
    hiddenSize: config.size("hiddenSize"),
    cellSizes: file.config.has("cellSizes") ? (Object.fromEntries(sizes) as CellSizes) : undefined,
    numLayers: config.layers(),
    dropout: config.number("dropout"),
    inputDropout: config.number("inputDropout"),
    lockedDropout: config.flag("lockedDropout"),
    embeddingDropout: config.number("embeddingDropout"),
    weightDropout: config.number("weightDropout"),
    labelSmoothing: config.number("labelSmoothing"),
    activationPenalty: config.number("activationPenalty"),
    temporalActivationPenalty: config.number("temporalActivationPenalty"),
    embeddingSize: config.number("embeddingSize"),
    tieWeights: config.flag("tieWeights"),
    singleBias: config.flag("singleBias"),
  };
}
