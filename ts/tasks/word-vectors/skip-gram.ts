/**
 * Skip-gram with negative sampling: each word predicts those around it, against words drawn at random. Mikolov et al.
 * 2013, "Distributed representations of words and phrases and their compositionality". For a word c, a neighbour o and
 * drawn words n_k:
 *
 *     loss = -ln s(v_o . u_c) - sum over k of ln s(-v_nk . u_c)
 */
import { checkSize } from "../../nn/check.js";
import { constant, uniform } from "../../nn/initializers.js";
import { Module } from "../../nn/module.js";
import { embedding } from "../../tensor/embedding.js";
import type { Ids } from "../../tensor/ids.js";
import { Parameter } from "../../tensor/parameter.js";
import { reshape } from "../../tensor/shape.js";
import type { Tensor } from "../../tensor/tensor.js";
import { WordVectors } from "../../text/word-vectors.js";
import { negativeSamplingLoss } from "./negative-sampling.js";

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

/** Two vectors a word, drawn as by word2vec.c: `vectors` is what is used afterwards. */
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
    this.vectors = new Parameter([vocabSize, size], uniform(-0.5 / size, 0.5 / size));
    this.outputVectors = new Parameter([vocabSize, size], constant(0));
  }

  /** Mean loss of the pairs, in nats. @throws ShapeError, ArgumentError for an id that is no word */
  loss({ centers, contexts, negatives }: SkipGramBatch): Tensor {
    const size = this.vectors.shape[1] as number;
    const hidden = reshape(embedding(this.vectors, centers), [centers.size, size]);
    return negativeSamplingLoss("SkipGram", hidden, this.outputVectors, contexts, negatives);
  }

  /** u of every word. */
  wordVectors(words: readonly string[]): WordVectors {
    return new WordVectors(words, this.vectors.toArray(), this.vectors.shape[1] as number);
  }
}
