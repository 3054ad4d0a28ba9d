/** Group loss: losses, and softmax with its logarithm. */
import {
  binaryCrossEntropyWithLogits,
  crossEntropy,
  ctcLoss,
  huberLoss,
  l1Loss,
  logSoftmax,
  mseLoss,
  nllLoss,
  type Reduction,
  softmax,
  type Tensor,
  transpose,
} from "../../../ts/index.js";
import type { Case, Results } from "../corpus.js";
import { given, givenIds, optional, vjp } from "../vjp.js";

interface LossConfig {
  readonly reduction: Reduction;
  readonly ignore_index?: number | null;
  readonly label_smoothing?: number;
  readonly delta?: number;
  readonly temperature?: number;
  readonly axis?: number;
}

const configOf = (test: Case): LossConfig => test.document.config as unknown as LossConfig;

/** The output's name: `losses` where each element has its own, else the scalar `loss`. */
const named = (test: Case, loss: Tensor): Record<string, Tensor> =>
  configOf(test).reduction === "none" ? { losses: loss } : { loss };

/** Options of losses over classes. */
function classOptions(test: Case): { reduction: Reduction; ignoreIndex?: number; weight?: Tensor } {
  const { reduction, ignore_index: ignored } = configOf(test);
  const weight = optional(test, "in.weight");
  return {
    reduction,
    ...(ignored == null ? {} : { ignoreIndex: ignored }),
    ...(weight === undefined ? {} : { weight }),
  };
}

export function crossEntropyLoss(test: Case): Results {
  const logits = given(test, "in.logits");
  const options = { ...classOptions(test), labelSmoothing: configOf(test).label_smoothing ?? 0 };
  const targets = optional(test, "in.target_probs") ?? givenIds(test, "in.target");
  return vjp(test, new Map([["in.logits", logits]]), () => {
    // PyTorch has the classes second: (N, K, T).
    const last = logits.shape.length === 3 ? transpose(logits, 1, 2) : logits;
    return named(test, crossEntropy(last, targets, options));
  });
}

export function nll(test: Case): Results {
  const logProbabilities = given(test, "in.log_probs");
  return vjp(test, new Map([["in.log_probs", logProbabilities]]), () =>
    named(test, nllLoss(logProbabilities, givenIds(test, "in.target"), classOptions(test))),
  );
}

export function bceWithLogits(test: Case): Results {
  const logits = given(test, "in.logits");
  const target = given(test, "in.target");
  const weight = optional(test, "in.weight");
  const posWeight = optional(test, "in.pos_weight");
  const options = {
    reduction: configOf(test).reduction,
    ...(weight === undefined ? {} : { weight }),
    ...(posWeight === undefined ? {} : { posWeight }),
  };
  return vjp(test, new Map([["in.logits", logits]]), () =>
    named(test, binaryCrossEntropyWithLogits(logits, target, options)),
  );
}

export function ctc(test: Case): Results {
  const {
    reduction,
    blank,
    zero_infinity: zeroInfinity,
  } = test.document.config as {
    reduction: Reduction;
    blank: number;
    zero_infinity: boolean;
  };
  const logits = given(test, "in.logits");
  const [targets, counts] = [givenIds(test, "in.targets"), givenIds(test, "in.target_lengths").data];
  const width = targets.shape[1] as number;
  const labels = Array.from(counts, (count, n) => targets.data.subarray(n * width, n * width + count));
  const options = { reduction, blank, zeroInfinity, lengths: givenIds(test, "in.input_lengths").data };
  // PyTorch has the steps first: (T, N, C).
  return vjp(test, new Map([["in.logits", logits]]), () =>
    named(test, ctcLoss(transpose(logits, 0, 1), labels, options)),
  );
}

/** A loss between numbers, which has a gradient on either side. */
function regression(test: Case, loss: (input: Tensor, target: Tensor) => Tensor): Results {
  const input = given(test, "in.input");
  const target = given(test, "in.target");
  const leaves = new Map([
    ["in.input", input],
    ["in.target", target],
  ]);
  return vjp(test, leaves, () => named(test, loss(input, target)));
}

export function mse(test: Case): Results {
  return regression(test, (input, target) => mseLoss(input, target, { reduction: configOf(test).reduction }));
}

export function l1(test: Case): Results {
  return regression(test, (input, target) => l1Loss(input, target, { reduction: configOf(test).reduction }));
}

export function huber(test: Case): Results {
  const { reduction, delta = 1 } = configOf(test);
  return regression(test, (input, target) => huberLoss(input, target, { reduction, delta }));
}

/** A function of logits that is not a loss. */
function normalized(test: Case, apply: typeof softmax): Results {
  const { axis = -1, temperature = 1 } = configOf(test);
  const x = given(test, "in.x");
  return vjp(test, new Map([["in.x", x]]), () => ({ y: apply(x, { axis, temperature }) }));
}

export function softmaxOf(test: Case): Results {
  return normalized(test, softmax);
}

export function logSoftmaxOf(test: Case): Results {
  return normalized(test, logSoftmax);
}
