/**
 * Skip-gram with negative sampling: each word predicts those around it, against words drawn at random. Mikolov et al.
 * 2013, "Distributed representations of words and phrases and their compositionality". For a word c, a neighbour o and
 * drawn words n_k:
 *
 *     loss = -ln s(v_o . u_c) - sum over k of ln s(-v_nk . u_c)
 */
import { embedding } from "../../tensor/embedding.js";
import type { Ids } from "../../tensor/ids.js";
import { reshape } from "../../tensor/shape.js";
import type { Tensor } from "../../tensor/tensor.js";
import { negativeSamplingLoss } from "./negative-sampling.js";
import { Word2Vec } from "./word-vector-model.js";

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
export class SkipGram extends Word2Vec {
  /** Mean loss of the pairs, in nats. @throws ShapeError, ArgumentError for an id that is no word */
  loss({ centers, contexts, negatives }: SkipGramBatch): Tensor {
    const hidden = reshape(embedding(this.vectors, centers), [centers.size, this.size]);
    return negativeSamplingLoss("SkipGram", hidden, this.outputVectors, contexts, negatives);
  }
}
