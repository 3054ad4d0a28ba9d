/** Embedding: a row of a table for every id. */
import { ArgumentError } from "../errors.js";
import { mul } from "../tensor/binary.js";
import { checkProbability, dropout } from "../tensor/dropout.js";
import { embedding } from "../tensor/embedding.js";
import type { Ids } from "../tensor/ids.js";
import { type Initializer, Parameter } from "../tensor/parameter.js";
import { currentTape } from "../tensor/scope.js";
import { ones, type Tensor } from "../tensor/tensor.js";
import { checkSize } from "./check.js";
import { normal } from "./initializers.js";
import { Module } from "./module.js";

/** Options of {@link Embedding}. */
export interface EmbeddingLayerOptions {
  /** Row that starts at zero and receives no gradient; default none. */
  readonly paddingIndex?: number;
  /** Divide a row's gradient by how often its id occurs in the batch; default false. */
  readonly scaleGradByFrequency?: boolean;
  /**
   * Probability that an id is dropped, while training: its row is zeros wherever it occurs in the batch, and the others
   * are divided by 1 - p. Gal & Ghahramani 2016. Default 0.
   */
  readonly dropout?: number;
  /** Draws the table; default N(0, 1), as PyTorch. */
  readonly initializer?: Initializer;
}

/** A row of `weight` for every id: ids of any shape to (..., embeddingSize). */
export class Embedding extends Module {
  readonly vocabSize: number;
  readonly embeddingSize: number;
  readonly paddingIndex: number | undefined;
  readonly scaleGradByFrequency: boolean;
  readonly dropout: number;
  /** (vocabSize, embeddingSize) */
  weight: Parameter;

  constructor(vocabSize: number, embeddingSize: number, options: EmbeddingLayerOptions = {}) {
    super();
    checkSize("Embedding", "vocabSize", vocabSize);
    checkSize("Embedding", "embeddingSize", embeddingSize);
    const { paddingIndex } = options;
    if (
      paddingIndex !== undefined &&
      !(Number.isInteger(paddingIndex) && paddingIndex >= 0 && paddingIndex < vocabSize)
    ) {
      throw new ArgumentError("Embedding", "paddingIndex", `an integer from 0 to ${vocabSize - 1}`, paddingIndex);
    }
    this.vocabSize = vocabSize;
    this.embeddingSize = embeddingSize;
    this.paddingIndex = paddingIndex;
    this.scaleGradByFrequency = options.scaleGradByFrequency ?? false;
    this.dropout = options.dropout ?? 0;
    checkProbability("Embedding", "dropout", this.dropout);
    const draw = options.initializer ?? normal();
    this.weight = new Parameter([vocabSize, embeddingSize], (parameter, seed, stream) => {
      draw(parameter, seed, stream);
      if (paddingIndex === undefined) return;
      const row = (parameter.pointer >>> 2) + paddingIndex * embeddingSize;
      parameter.core.f32.fill(0, row, row + embeddingSize);
    });
  }

  /** @throws ArgumentError for an id outside the table */
  forward(ids: Ids): Tensor {
    const { paddingIndex, scaleGradByFrequency } = this;
    const rows = embedding(this.weight, ids, { paddingIndex, scaleGradByFrequency, where: this.label });
    const tape = currentTape();
    if (tape === null || !tape.training || this.dropout === 0) return rows;
    const factors = dropout(ones([this.vocabSize, 1], this.weight.core), this.dropout, this.stream, -1);
    return mul(rows, embedding(factors, ids));
  }
}
