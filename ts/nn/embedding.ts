/** Embedding: a row of a table for every id. */
import { ArgumentError, ShapeError } from "../errors.js";
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
  /** Whether training leaves the table as it is; default false. `weight.trainable = true` thaws it. */
  readonly freeze?: boolean;
}

/** Options of {@link Embedding.fromPretrained}. */
export type PretrainedOptions = Omit<EmbeddingLayerOptions, "initializer">;

/** A row of `weight` for every id: ids of any shape to (..., embeddingSize). */
export class Embedding extends Module {
  /** Rows of the table, V. */
  readonly vocabSize: number;
  /** Length of a row, D. */
  readonly embeddingSize: number;
  /** Row that receives no gradient. */
  readonly paddingIndex: number | undefined;
  /** Whether a row's gradient is divided by how often its id occurs. */
  readonly scaleGradByFrequency: boolean;
  /** Probability that an id is dropped while training. */
  readonly dropout: number;
  /** (vocabSize, embeddingSize) */
  weight: Parameter;

  /**
   * @param vocabSize - rows of the table, V
   * @param embeddingSize - length of a row, D
   * @throws ArgumentError
   */
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
    this.weight.trainable = !(options.freeze ?? false);
  }

  /**
   * An embedding that `init` gives the values of a matrix, which is kept, not copied. The row of `paddingIndex`
   * starts at zero here too; in PyTorch it is what the matrix has there.
   * @param matrix - row-major (vocabSize, embeddingSize)
   * @param options - `freeze` is true by default here, as in PyTorch's `from_pretrained`
   * @throws ShapeError for what is no matrix
   */
  static fromPretrained(
    matrix: { readonly data: ArrayLike<number>; readonly shape: readonly number[] },
    options: PretrainedOptions = {},
  ): Embedding {
    const { data, shape } = matrix;
    const [vocabSize, embeddingSize] = shape as [number, number];
    if (shape.length !== 2 || data.length !== vocabSize * embeddingSize) {
      throw new ShapeError("Embedding.fromPretrained", `matrix of ${data.length} values`, ["V", "D"], shape);
    }
    const initializer: Initializer = (parameter) => parameter.write(data);
    return new Embedding(vocabSize, embeddingSize, { freeze: true, ...options, initializer });
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
