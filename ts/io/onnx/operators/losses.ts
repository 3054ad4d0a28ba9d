/** Losses over classes, which ONNX has on the second axis: (N, K, d1, d2, ...). */
import { nllLoss } from "../../../nn/losses/cross-entropy.js";
import type { Ids } from "../../../tensor/ids.js";
import { permute } from "../../../tensor/shape.js";
import { logSoftmax } from "../../../tensor/softmax.js";
import type { Tensor } from "../../../tensor/tensor.js";
import type { Node, Operator, Operators } from "../node.js";

/** The negative log-likelihood of classes, given logarithms of probabilities. */
function likelihoodOf(node: Node): (logProbabilities: Tensor, target: Ids, weight: Tensor | undefined) => Tensor {
  const reduction = node.choice("reduction", ["mean", "sum", "none"]);
  // Without the attribute nothing is ignored: no class has this number.
  const ignoreIndex = node.integer("ignore_index", -0x8000_0000);
  return (logProbabilities, target, weight) => {
    const axes = logProbabilities.shape.map((_, i) => i);
    const classesLast = axes.length <= 2 ? logProbabilities : permute(logProbabilities, [0, ...axes.slice(2), 1]);
    return nllLoss(classesLast, target, { reduction, ignoreIndex, ...(weight === undefined ? {} : { weight }) });
  };
}

const negativeLogLikelihoodLoss: Operator = {
  inputs: ["input", "target", "weight?"],
  prepare: (node) => {
    const likelihood = likelihoodOf(node);
    return (inputs) => [likelihood(node.real(inputs, 0), node.whole(inputs, 1), node.optionalReal(inputs, 2))];
  },
};

const softmaxCrossEntropyLoss: Operator = {
  inputs: ["scores", "labels", "weights?"],
  prepare: (node) => {
    const likelihood = likelihoodOf(node);
    return (inputs) => {
      const logProbabilities = logSoftmax(node.real(inputs, 0), { axis: 1 });
      return [likelihood(logProbabilities, node.whole(inputs, 1), node.optionalReal(inputs, 2)), logProbabilities];
    };
  },
};

export const lossOperators: Operators = {
  NegativeLogLikelihoodLoss: negativeLogLikelihoodLoss,
  SoftmaxCrossEntropyLoss: softmaxCrossEntropyLoss,
};
