/** Functions of every element: activations, and exp, log, sqrt and their like. */
import { ArgumentError } from "../errors.js";
import { type ActivationName, unaryKinds } from "./kinds.js";
import { currentTape } from "./scope.js";
import type { Operation } from "./tape.js";
import { coreOf, createTensor, operand, type Tensor } from "./tensor.js";

const Unary: Operation = {
  name: "unary",
  backward({ inputs, outputs, saved }, tape) {
    const [x, y] = [inputs[0] as Tensor, outputs[0] as Tensor];
    const [kind, alpha] = saved as [number, number];
    const { raw } = tape.core;
    raw.ur_unary_backward(kind, x.pointer, y.pointer, tape.gradient(y), tape.gradient(x), x.size, alpha);
  },
};

/** The function of a name. @internal */
export function unary(name: keyof typeof unaryKinds, x: Tensor, alpha = 0): Tensor {
  if (!Number.isFinite(alpha)) throw new ArgumentError(name, "alpha", "a finite number", alpha);
  const core = coreOf(x, name);
  const from = operand(x, name, core);
  const y = createTensor(core, x.shape);
  core.raw.ur_unary(unaryKinds[name], from, y.pointer, x.size, alpha);
  if (x.requiresGrad) currentTape()?.push(Unary, [x], [y], [unaryKinds[name], alpha]);
  return y;
}

/** The values themselves. */
export function identity(x: Tensor): Tensor {
  return unary("identity", x);
}

/** Hyperbolic tangent. */
export function tanh(x: Tensor): Tensor {
  return unary("tanh", x);
}

/** 1 / (1 + e^-x). */
export function sigmoid(x: Tensor): Tensor {
  return unary("sigmoid", x);
}

/** max(x, 0). */
export function relu(x: Tensor): Tensor {
  return unary("relu", x);
}

/**
 * x where positive, else slope x; default slope 0.01.
 * @throws ArgumentError for a parameter that is not finite
 */
export function leakyRelu(x: Tensor, slope = 0.01): Tensor {
  return unary("leakyRelu", x, slope);
}

/**
 * x where positive, else alpha (e^x - 1); default alpha 1.
 * @throws ArgumentError for a parameter that is not finite
 */
export function elu(x: Tensor, alpha = 1): Tensor {
  return unary("elu", x, alpha);
}

/** log(1 + e^x). */
export function softplus(x: Tensor): Tensor {
  return unary("softplus", x);
}

/** x / (1 + |x|). */
export function softsign(x: Tensor): Tensor {
  return unary("softsign", x);
}

/** x / 6 + 1/2, cut to [0, 1], as in PyTorch and Keras 3. */
export function hardSigmoid(x: Tensor): Tensor {
  return unary("hardSigmoid", x);
}

/** 0.2 x + 0.5, cut to [0, 1], as in ONNX and TensorFlow.js. */
export function hardSigmoidOnnx(x: Tensor): Tensor {
  return unary("hardSigmoidOnnx", x);
}

/** x cut to [-1, 1]. */
export function hardTanh(x: Tensor): Tensor {
  return unary("hardTanh", x);
}

/** -x. */
export function neg(x: Tensor): Tensor {
  return unary("neg", x);
}

/** e^x. */
export function exp(x: Tensor): Tensor {
  return unary("exp", x);
}

/** Natural logarithm. */
export function log(x: Tensor): Tensor {
  return unary("log", x);
}

/** Square root. */
export function sqrt(x: Tensor): Tensor {
  return unary("sqrt", x);
}

/** x x. */
export function square(x: Tensor): Tensor {
  return unary("square", x);
}

/** |x|; its slope at 0 is 0. */
export function abs(x: Tensor): Tensor {
  return unary("abs", x);
}

/** 1 / x. */
export function reciprocal(x: Tensor): Tensor {
  return unary("reciprocal", x);
}

/** Sine of x in radians, of full precision up to an |x| of 8192. */
export function sin(x: Tensor): Tensor {
  return unary("sin", x);
}

/** Cosine of x in radians, of full precision up to an |x| of 8192. */
export function cos(x: Tensor): Tensor {
  return unary("cos", x);
}

/** The activation of a name; alpha as {@link leakyRelu} and {@link elu} take it. */
export function activate(x: Tensor, name: ActivationName, alpha = name === "leakyRelu" ? 0.01 : 1): Tensor {
  return unary(name, x, alpha);
}
