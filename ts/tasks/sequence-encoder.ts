/** What models that read a whole sequence have in common: embeddings and recurrent layers. */
import { Embedding } from "../nn/embedding.js";
import { Module } from "../nn/module.js";
import { pretrained } from "../nn/pretrained.js";
import type { RecurrentLayer, SequenceResult } from "../nn/recurrent.js";
import type { RecurrentState } from "../nn/state.js";
import { checkProbability, dropout } from "../tensor/dropout.js";
import { Ids } from "../tensor/ids.js";
import type { Initializer } from "../tensor/parameter.js";
import type { Tensor } from "../tensor/tensor.js";
import type { WordVectors } from "../text/word-vectors.js";
import { type Config, cellName } from "./config.js";
import type { RecurrentClass } from "./language-model.js";

/** Sizes of such a model. */
export interface SequenceEncoderOptions {
  /** RNN, LSTM, GRU, or a cell of `defineCell`. */
  readonly cell: RecurrentClass;
  /** Units of a layer, H. */
  readonly hiddenSize: number;
  /** Default the size of the vectors; without vectors hiddenSize. */
  readonly embeddingSize?: number | undefined;
  /** What the embeddings of the tokens start from, as {@link pretrained} has it; not a part of the model's files. */
  readonly vectors?: WordVectors | undefined;
  /**
   * Draws the embeddings, with vectors those of tokens that have none; default N(0, 1), with vectors a normal distribution
   * like theirs. Smaller numbers help where many tokens are rare. Not a part of the model's files.
   */
  readonly embeddingInitializer?: Initializer | undefined;
  /** Whether training leaves the embeddings as they are; not a part of the model's files. Default false. */
  readonly freezeEmbedding?: boolean | undefined;
  /** Default 1. */
  readonly numLayers?: number | undefined;
  /** Whether sequences are read in both directions; default true. */
  readonly bidirectional?: boolean | undefined;
  /** Probability of dropout after the embeddings, between layers and before the output layer; default 0. */
  readonly dropout?: number | undefined;
  /** Probability that a token is dropped wherever it occurs in a batch, as {@link Embedding} has it; default 0. */
  readonly wordDropout?: number | undefined;
}

/** Ids (B, T) to the outputs of recurrent layers. */
export abstract class SequenceEncoder extends Module {
  readonly embedding: Embedding;
  readonly rnn: RecurrentLayer<RecurrentState>;
  readonly dropout: number;
  readonly #options: SequenceEncoderOptions;

  /**
   * @param moreFeatures - of a token, that the recurrent layers read beside its embedding
   * @internal
   */
  constructor(tokens: readonly string[], options: SequenceEncoderOptions, moreFeatures = 0) {
    super();
    const { cell: Cell, hiddenSize, vectors, numLayers = 1, bidirectional = true } = options;
    const { embeddingInitializer: otherwise } = options;
    const initializer = vectors ? pretrained(vectors, tokens, otherwise && { otherwise }) : otherwise;
    const embeddingSize = options.embeddingSize ?? vectors?.size ?? hiddenSize;
    this.#options = { ...options, embeddingSize };
    this.dropout = options.dropout ?? 0;
    checkProbability(new.target.name, "dropout", this.dropout);
    this.embedding = new Embedding(tokens.length, embeddingSize, {
      dropout: options.wordDropout ?? 0,
      freeze: options.freezeEmbedding ?? false,
      ...(initializer && { initializer }),
    });
    this.rnn = new Cell(embeddingSize + moreFeatures, hiddenSize, {
      numLayers,
      bidirectional,
      dropout: numLayers > 1 ? this.dropout : 0,
    });
  }

  /** Outputs (B, T, any), 0 past the lengths, and the last state. */
  protected encode(ids: Ids, lengths: Int32Array | undefined): SequenceResult<RecurrentState> {
    return this.rnn.forward(this.drop(this.embedding.forward(ids)), { lengths });
  }

  /** @internal */
  protected drop(x: Tensor): Tensor {
    return dropout(x, this.dropout, this.stream);
  }

  /** The sizes as JSON data. */
  protected sizes(): Readonly<Record<string, unknown>> {
    const { cell, hiddenSize, embeddingSize, numLayers, bidirectional, dropout, wordDropout } = this.#options;
    const name = cellName(this.label, cell);
    return { cell: name, hiddenSize, embeddingSize, numLayers, bidirectional, dropout, wordDropout };
  }
}

/** The opposite of `sizes`. @internal */
export function sizesFrom(config: Config, cells: Iterable<RecurrentClass> | undefined): SequenceEncoderOptions {
  return {
    cell: config.cell(cells),
    hiddenSize: config.size("hiddenSize"),
    embeddingSize: config.number("embeddingSize"),
    numLayers: config.layers(),
    bidirectional: config.flag("bidirectional"),
    dropout: config.number("dropout"),
    wordDropout: config.number("wordDropout"),
  };
}

/** Sequences side by side, padded with id 0 to the longest, or to one step where all are empty. @internal */
export function padded(sequences: readonly ArrayLike<number>[]): {
  readonly inputs: Ids;
  readonly lengths: Int32Array;
} {
  const lengths = Int32Array.from(sequences, ({ length }) => length);
  const steps = lengths.reduce((most, length) => Math.max(most, length), 1);
  const data = new Int32Array(sequences.length * steps);
  sequences.forEach((sequence, row) => data.set(sequence, row * steps));
  return { inputs: new Ids(data, [sequences.length, steps]), lengths };
}

/** The inputs of a batch, of one step where it has none. @internal */
export function atLeastOneStep(ids: Ids): Ids {
  const [batch, steps] = ids.shape as [number, number];
  return steps > 0 ? ids : new Ids(new Int32Array(batch), [batch, 1]);
}
