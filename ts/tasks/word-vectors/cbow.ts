/**
 * Continuous bag of words: the mean of the vectors around a word predicts it. Mikolov et al. 2013, "Efficient
 * estimation of word representations in vector space". With the full softmax, or against words n_k drawn at random:
 *
 *     h = mean of u_w over the words w around
 *     loss = -ln softmax(V h)[target], or -ln s(v_target . h) - sum over k of ln s(-v_nk . h)
 */
import { ArgumentError, ShapeError } from "../../errors.js";
import { crossEntropy } from "../../nn/losses/cross-entropy.js";
import { embedding } from "../../tensor/embedding.js";
import { Ids } from "../../tensor/ids.js";
import { matmul } from "../../tensor/matmul.js";
import { reshape } from "../../tensor/shape.js";
import { type Tensor, tensor } from "../../tensor/tensor.js";
import { negativeSamplingLoss } from "./negative-sampling.js";
import { Word2Vec } from "./word-vector-model.js";

/** Words and what is around them. */
export interface BagOfWordsBatch {
  /** (N, C); -1 where there are fewer words. */
  readonly contexts: Ids;
  /** (N) */
  readonly targets: Ids;
  /** (N, K), for negative sampling; without them the loss is that of the full softmax. */
  readonly negatives?: Ids;
  /** Words that are missing, the targets. */
  readonly count: number;
}

/** Two vectors a word, drawn as by word2vec.c: `vectors` is what is used afterwards. */
export class ContinuousBagOfWords extends Word2Vec {
  /** Logits (N, V) of the words that are missing. @throws ShapeError, ArgumentError (no word around, an id that is none) */
  forward(contexts: Ids): Tensor {
    return matmul(this.#bags(contexts), this.outputVectors, { transposeB: true });
  }

  /** h, (N, D). */
  #bags(contexts: Ids): Tensor {
    const [rows, most] = contexts.shape;
    if (contexts.shape.length !== 2 || rows === undefined || most === undefined) {
      throw new ShapeError("ContinuousBagOfWords", "contexts", ["N", "C"], contexts.shape);
    }
    const shares = new Float32Array(rows * most);
    for (let row = 0; row < rows; row++) {
      const around = contexts.data.subarray(row * most, (row + 1) * most);
      const count = around.reduce((total, id) => total + (id === -1 ? 0 : 1), 0);
      if (count === 0) throw new ArgumentError("ContinuousBagOfWords", `contexts[${row}]`, "a word or more", "none");
      around.forEach((id, i) => {
        shares[row * most + i] = id === -1 ? 0 : 1 / count;
      });
    }
    const { size } = this;
    const words = new Ids(
      contexts.data.map((id) => (id === -1 ? 0 : id)),
      contexts.shape,
    );
    const around = reshape(embedding(this.vectors, words), [rows, most, size]);
    const bag = matmul(tensor(shares, [rows, 1, most], this.core), around);
    return reshape(bag, [rows, size]);
  }

  /** Mean loss of the words, in nats. */
  loss({ contexts, targets, negatives }: BagOfWordsBatch): Tensor {
    if (negatives !== undefined) {
      return negativeSamplingLoss("ContinuousBagOfWords", this.#bags(contexts), this.outputVectors, targets, negatives);
    }
    return crossEntropy(this.forward(contexts), targets);
  }
}
