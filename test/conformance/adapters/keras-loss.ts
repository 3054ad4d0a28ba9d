/**
 * Group keras_loss. Keras's "sum_over_batch_size" is our "mean", over the rows that count where some are ignored. The
 * corpus names neither the ignored class, nor the smoothing, nor delta; they are what its gradients show.
 */
import { binaryCrossEntropyWithLogits, crossEntropy, huberLoss, mseLoss, type Tensor } from "../../../ts/index.js";
import type { Case, Results } from "../corpus.js";
import { given, givenIds, vjp } from "../vjp.js";

const losses: Record<string, (x: Tensor, test: Case) => Tensor> = {
  mse: (x, test) => mseLoss(x, given(test, "in.target")),
  huber: (x, test) => huberLoss(x, given(test, "in.target"), { delta: 0.7 }),
  "bce-logits": (x, test) => binaryCrossEntropyWithLogits(x, given(test, "in.target")),
  "categorical-ce-smooth": (x, test) => crossEntropy(x, given(test, "in.target"), { labelSmoothing: 0.1 }),
  "sparse-ce-logits": (x, test) => crossEntropy(x, givenIds(test, "in.target")),
  "sparse-ce-ignore": (x, test) => crossEntropy(x, givenIds(test, "in.target"), { ignoreIndex: 2 }),
};

export function kerasLoss(test: Case): Results {
  const loss = losses[test.op];
  if (loss === undefined || test.document.config["reduction"] !== "sum_over_batch_size") {
    throw new Error(`unknown loss ${test.op}`);
  }
  const x = given(test, "in.x");
  return vjp(test, new Map([["in.x", x]]), () => ({ loss: loss(x, test) }));
}
