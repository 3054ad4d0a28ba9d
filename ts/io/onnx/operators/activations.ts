/** Activations of recurrent operators, with the numbers that they take from the node's attributes. */

import type { CellTools, Value } from "../../../nn/compiler/trace.js";
import type { ActivationName } from "../../../tensor/kinds.js";
import { quoted } from "../../json.js";
import type { Node } from "../node.js";

/** An activation with its numbers; those that it has no use for are 0. */
export interface Activation {
  readonly name: ActivationKind;
  readonly alpha: number;
  readonly beta: number;
}

/** Defaults of alpha and beta, where an activation takes them. */
const kinds = {
  Affine: { alpha: 1, beta: 0 },
  Elu: { alpha: 1 },
  HardSigmoid: { alpha: 0.2, beta: 0.5 },
  LeakyRelu: { alpha: 0.01 },
  Relu: {},
  ScaledTanh: { alpha: 1, beta: 1 },
  Sigmoid: {},
  Softplus: {},
  Softsign: {},
  Tanh: {},
  ThresholdedRelu: { alpha: 1 },
} as const satisfies Record<string, { alpha?: number; beta?: number }>;

/** Name of an activation. */
export type ActivationKind = keyof typeof kinds;

/**
 * The activations of every direction. Alphas and betas are consumed in order by the activations that take them; an
 * activation for which none is left has its default.
 */
export function readActivations(node: Node, defaults: readonly ActivationKind[], directions: number): Activation[][] {
  const usual = Array.from({ length: directions }, () => defaults).flat();
  const names: readonly string[] = node.strings("activations") ?? usual;
  if (names.length !== usual.length) {
    throw node.invalid("activations", `${usual.length} names`, `${names.length} of them`);
  }
  const [alphas, betas] = [[...(node.floats("activation_alpha") ?? [])], [...(node.floats("activation_beta") ?? [])]];
  const read = (name: string): Activation => {
    if (!Object.hasOwn(kinds, name)) {
      throw node.invalid("activations", `of ${Object.keys(kinds).join(", ")}`, quoted(name));
    }
    const known: { alpha?: number; beta?: number } = kinds[name as ActivationKind];
    return {
      name: name as ActivationKind,
      alpha: known.alpha === undefined ? 0 : (alphas.shift() ?? known.alpha),
      beta: known.beta === undefined ? 0 : (betas.shift() ?? known.beta),
    };
  };
  const activations = names.map(read);
  const each = defaults.length;
  return Array.from({ length: directions }, (_, i) => activations.slice(i * each, (i + 1) * each));
}

/** The activation of the hand-fused cells that is the same; undefined where there is none. */
export function fusedActivation({ name, alpha, beta }: Activation): ActivationName | undefined {
  switch (name) {
    case "Elu":
      return "elu";
    case "LeakyRelu":
      return "leakyRelu";
    case "Relu":
      return "relu";
    case "Sigmoid":
      return "sigmoid";
    case "Softplus":
      return "softplus";
    case "Softsign":
      return "softsign";
    case "Tanh":
      return "tanh";
    case "HardSigmoid":
      return Math.fround(alpha) === Math.fround(0.2) && beta === 0.5 ? "hardSigmoidOnnx" : undefined;
    case "Affine":
      return alpha === 1 && beta === 0 ? "identity" : undefined;
    default:
      return undefined;
  }
}

/** An activation in the equations of a cell. */
export function tracedActivation(tools: CellTools, activation: Activation): (value: Value) => Value {
  const fused = fusedActivation(activation);
  const { name, alpha, beta } = activation;
  if (fused !== undefined) return (value) => tools.activation(fused, value, alpha);
  switch (name) {
    case "HardSigmoid":
      return (value) => tools.clamp(value.mul(alpha).add(beta), 0, 1);
    case "ScaledTanh":
      return (value) => tools.tanh(value.mul(beta)).mul(alpha);
    case "ThresholdedRelu":
      // 1 from the threshold on, else 0: no float32 between the two is near enough for what is between 0 and 1.
      return (value) => value.mul(tools.clamp(value.sub(alpha).mul(STEEP).add(1), 0, 1));
    default:
      return (value) => value.mul(alpha).add(beta);
  }
}

const STEEP = 2e38;
