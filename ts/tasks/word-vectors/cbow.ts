/**
 * Continuous bag of words: the mean of the vectors around a word predicts it. Mikolov et al. 2013, "Efficient
 * estimation of word representations in vector space"; with the full softmax.
 *
 *     loss = -ln softmax(V mean of u_w over the words w around)[target]
 */
import { ArgumentError, ShapeError } from "../../errors.js";
import { checkSize } from "../../nn/check.js";
import { normal } from "../../nn/initializers.js";
import { crossEntropy } from "../../nn/losses/cross-entropy.js";
import { Module } from "../../nn/module.js";
import { embedding } from "../../tensor/embedding.js";
import { Ids } from "../../tensor/ids.js";
import { matmul } from "../../tensor/matmul.js";
import { Parameter } from "../../tensor/parameter.js";
import { reshape } from "../../tensor/shape.js";
import { type Tensor, tensor } from "../../tensor/tensor.js";

/** Words and what is around them. */
export interface BagOfWordsBatch {
  /** (N, C); -1 where there are fewer words. */
  readonly contexts: Ids;
  /** (N) */
  readonly targets: Ids;
  /** Words that are missing, the targets. */
  readonly count: number;
}

/** Two vectors a word: `vectors` is what is used afterwards. */
export class ContinuousBagOfWords extends Module {
  /** u, (V, D) */
  readonly vectors: Parameter;
  /** V, (V, D) */
  readonly outputVectors: Parameter;

  /**
   * @param vocabSize - words, V
   * @param size - length of a vector, D
   * @throws ArgumentError unless both are whole numbers from 1
   */
  constructor(vocabSize: number, size: number) {
    super();
    checkSize("ContinuousBagOfWords", "vocabSize", vocabSize);
    checkSize("ContinuousBagOfWords", "size", size);
    this.vectors = new Parameter([vocabSize, size], normal(0, 1 / Math.sqrt(size)));
    this.outputVectors = new Parameter([vocabSize, size], normal(0, 1 / Math.sqrt(size)));
  }

  /** Logits (N, V) of the words that are missing. @throws ShapeError, ArgumentError (no word around, an id that is none) */
  forward(contexts: Ids): Tensor {
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
    const size = this.vectors.shape[1] as number;
    const words = new Ids(
      contexts.data.map((id) => (id === -1 ? 0 : id)),
      contexts.shape,
    );
    const around = reshape(embedding(this.vectors, words), [rows, most, size]);
    const bag = matmul(tensor(shares, [rows, 1, most], this.core), around);
    return matmul(reshape(bag, [rows, size]), this.outputVectors, { transposeB: true });
  }

  /** Mean loss of the words, in nats. */
  loss({ contexts, targets }: BagOfWordsBatch): Tensor {
    return crossEntropy(this.forward(contexts), targets);
  }
}
