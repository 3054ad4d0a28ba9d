/**
 * Skip-gram with negative sampling: each word predicts those around it, against words drawn at random. Mikolov et al.
 * 2013, "Distributed representations of words and phrases and their compositionality". For a word c, a neighbour o and
 * drawn words n_k:
 *
 *     loss = -ln s(v_o . u_c) - sum over k of ln s(-v_nk . u_c)
 */
import { ArgumentError, ShapeError } from "../../errors.js";
import { checkSize } from "../../nn/check.js";
import { normal } from "../../nn/initializers.js";
import { Module } from "../../nn/module.js";
import { add } from "../../tensor/binary.js";
import { embedding } from "../../tensor/embedding.js";
import type { Ids } from "../../tensor/ids.js";
import { matmul } from "../../tensor/matmul.js";
import { Parameter } from "../../tensor/parameter.js";
import { mean, sum } from "../../tensor/reduce.js";
import { reshape } from "../../tensor/shape.js";
import type { Tensor } from "../../tensor/tensor.js";
import { neg, softplus } from "../../tensor/unary.js";

/** Words, neighbours of theirs, and words drawn at random. */
export interface SkipGramBatch {
  /** (N) */
  readonly centers: Ids;
  /** (N) */
  readonly contexts: Ids;
  /** (N, K) */
  readonly negatives: Ids;
  /** Pairs. */
  readonly count: number;
}

/** Two vectors a word: `vectors` is what is used afterwards. */
export class SkipGram extends Module {
  /** u, (V, D) */
  readonly vectors: Parameter;
  /** v, (V, D) */
  readonly outputVectors: Parameter;

  /**
   * @param vocabSize - words, V
   * @param size - length of a vector, D
   * @throws ArgumentError unless both are whole numbers from 1
   */
  constructor(vocabSize: number, size: number) {
    super();
    checkSize("SkipGram", "vocabSize", vocabSize);
    checkSize("SkipGram", "size", size);
    this.vectors = new Parameter([vocabSize, size], normal(0, 1 / Math.sqrt(size)));
    this.outputVectors = new Parameter([vocabSize, size], normal(0, 1 / Math.sqrt(size)));
  }

  /** Mean loss of the pairs, in nats. @throws ShapeError, ArgumentError for an id that is no word */
  loss({ centers, contexts, negatives }: SkipGramBatch): Tensor {
    const [pairs, drawn] = negatives.shape;
    if (negatives.shape.length !== 2 || pairs !== centers.size || contexts.size !== centers.size) {
      throw new ShapeError("SkipGram", "negatives", [centers.size, "K"], negatives.shape);
    }
    if (drawn === undefined || drawn === 0)
      throw new ArgumentError("SkipGram", "negatives", "one or more a pair", drawn);
    const size = this.vectors.shape[1] as number;
    const center = reshape(embedding(this.vectors, centers), [pairs, size, 1]);
    const scores = (table: Parameter, ids: Ids, count: number): Tensor =>
      reshape(matmul(reshape(embedding(table, ids), [pairs, count, size]), center), [pairs, count]);
    // -ln s(x) is softplus(-x).
    const right = sum(softplus(neg(scores(this.outputVectors, contexts, 1))), 1);
    return mean(add(right, sum(softplus(scores(this.outputVectors, negatives, drawn)), 1)));
  }
}
