/** Keras' activations, by name. */
import { LoadError } from "../../errors.js";
import { maximum, minimum, mul } from "../../tensor/binary.js";
import type { ActivationName } from "../../tensor/kinds.js";
import { logSoftmax, softmax } from "../../tensor/softmax.js";
import type { Tensor } from "../../tensor/tensor.js";
import { activate, elu, exp, sigmoid, softplus, tanh } from "../../tensor/unary.js";
import { quoted } from "../json.js";
import type { Dialect, LayerConfig } from "./config.js";

/** An activation that a recurrent step can have. */
export interface StepActivation {
  readonly name: ActivationName;
  /** Slope of leakyRelu, scale of elu. */
  readonly alpha: number;
}

const steps: ReadonlyMap<string, StepActivation> = new Map(
  (
    [
      ["linear", "identity", 1],
      ["tanh", "tanh", 1],
      ["sigmoid", "sigmoid", 1],
      ["relu", "relu", 1],
      ["elu", "elu", 1],
      ["softplus", "softplus", 1],
      ["softsign", "softsign", 1],
      ["hard_tanh", "hardTanh", 1],
      // Keras' own slope, not the usual 0.01.
      ["leaky_relu", "leakyRelu", 0.2],
    ] as const
  ).map(([keras, name, alpha]) => [keras, { name, alpha }]),
);

// Klambauer et al. 2017, "Self-normalizing neural networks".
const SELU_ALPHA = 1.6732632423543772;
const SELU_SCALE = 1.0507009873554805;

const wholes: ReadonlyMap<string, (x: Tensor) => Tensor> = new Map([
  ["softmax", (x: Tensor) => softmax(x)],
  ["log_softmax", (x: Tensor) => logSoftmax(x)],
  ["exponential", exp],
  ["relu6", (x: Tensor) => minimum(maximum(x, 0), 6)],
  ["selu", (x: Tensor) => mul(elu(x, SELU_ALPHA), SELU_SCALE)],
  ["silu", (x: Tensor) => mul(x, sigmoid(x))],
  ["swish", (x: Tensor) => mul(x, sigmoid(x))],
  ["mish", (x: Tensor) => mul(x, tanh(softplus(x)))],
]);

/** The name of an activation, in the spelling of Python. */
function nameOf(config: LayerConfig, entry: string, fallback: string): string {
  const value = config.get(entry) ?? fallback;
  // TensorFlow.js spells some in camel case.
  if (typeof value === "string") return value.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  throw new LoadError("unsupported_op", `${config.where}: ${entry} is no name of an activation`);
}

/** @throws LoadError (unsupported_op) naming the activation */
function unsupported(config: LayerConfig, entry: string, name: string, place: string): LoadError {
  return new LoadError("unsupported_op", `${config.where}: ${entry} ${quoted(name)} is not supported ${place}`);
}

function stepOf(name: string, dialect: Dialect): StepActivation | undefined {
  return name === "hard_sigmoid" ? { name: dialect.hardSigmoid, alpha: 1 } : steps.get(name);
}

/** The activation of a recurrent layer. @throws LoadError (unsupported_op) */
export function stepActivation(config: LayerConfig, entry: string, fallback: string, dialect: Dialect): StepActivation {
  const name = nameOf(config, entry, fallback);
  const found = stepOf(name, dialect);
  if (found === undefined) throw unsupported(config, entry, name, "in a recurrent layer");
  return found;
}

/** The activation of any other layer. @throws LoadError (unsupported_op) */
export function activation(config: LayerConfig, dialect: Dialect): (x: Tensor) => Tensor {
  const entry = "activation";
  const name = nameOf(config, entry, "linear");
  const step = stepOf(name, dialect);
  if (step !== undefined) return step.name === "identity" ? (x) => x : (x) => activate(x, step.name, step.alpha);
  const whole = wholes.get(name);
  if (whole === undefined) throw unsupported(config, entry, name, "");
  return whole;
}
