/** Operators on single elements: activations, functions, arithmetic. */
import { ArgumentError, DTypeError } from "../../../errors.js";
import { add, broadcastShape, div, maximum, minimum, mul, sub } from "../../../tensor/binary.js";
import { Ids } from "../../../tensor/ids.js";
import { Tensor, tensor } from "../../../tensor/tensor.js";
import {
  abs,
  elu,
  exp,
  hardSigmoidOnnx,
  leakyRelu,
  log,
  neg,
  reciprocal,
  relu,
  sigmoid,
  softplus,
  softsign,
  sqrt,
  tanh,
} from "../../../tensor/unary.js";
import { combine } from "../integers.js";
import type { Node, Operator, Operators } from "../node.js";
import { elementType, toInteger, type Value } from "../tensors.js";

/** A function of real numbers, perhaps with numbers from the attributes. */
function unary(of: (x: Tensor, alpha: number, beta: number) => Tensor, alpha = 0, beta = 0): Operator {
  return {
    inputs: ["X"],
    prepare: (node) => {
      const [a, b] = [node.float("alpha", alpha), node.float("beta", beta)];
      return (inputs) => [of(node.real(inputs, 0), a, b)];
    },
  };
}

/** max(0, min(1, alpha x + beta)) */
function hardSigmoid(x: Tensor, alpha: number, beta: number): Tensor {
  if (Math.fround(alpha) === Math.fround(0.2) && beta === 0.5) return hardSigmoidOnnx(x);
  return minimum(maximum(add(mul(x, alpha), beta), 0), 1);
}

/** A function of two values, both real or both whole. */
function combined(
  node: Node,
  a: Value | undefined,
  b: Value | undefined,
  real: (a: Tensor, b: Tensor) => Tensor,
  whole: (a: number, b: number) => number,
): Value {
  if (a !== undefined && b !== undefined) node.reserve(broadcastShape(node.label, a.shape, b.shape));
  if (a instanceof Tensor && b instanceof Tensor) return real(a, b);
  if (a instanceof Ids && b instanceof Ids) return combine(node.label, a, b, whole);
  throw new DTypeError(node.label, "every input", "the same: all real or all whole numbers", a instanceof Ids ? b : a);
}

type Arithmetic = [real: (a: Tensor, b: Tensor) => Tensor, whole: (a: number, b: number) => number];

function binary(...[real, whole]: Arithmetic): Operator {
  return {
    inputs: ["A", "B"],
    prepare: (node) => (inputs) => [combined(node, inputs[0], inputs[1], real, whole)],
  };
}

/** Of one or more inputs. */
function variadic(...[real, whole]: Arithmetic): Operator {
  return {
    inputs: ["data_0", "data..."],
    prepare: (node) => (inputs) => [inputs.reduce((a, b) => combined(node, a, b, real, whole)) ?? node.real(inputs, 0)],
  };
}

/** Cuts to an interval, whose ends are attributes before version 11. */
const clip: Operator = {
  inputs: ["input", "min?", "max?"],
  prepare: (node) => {
    const attribute = (name: string): number | undefined => (node.has(name) ? node.float(name, 0) : undefined);
    const fixed = node.version < 11 ? [attribute("min"), attribute("max")] : [];
    return (inputs) => {
      const [low, high] = [fixed[0] ?? node.optionalReal(inputs, 1), fixed[1] ?? node.optionalReal(inputs, 2)];
      let y = node.real(inputs, 0);
      if (low !== undefined) y = maximum(y, low);
      if (high !== undefined) y = minimum(y, high);
      return [y];
    };
  },
};

/** To the type of a number in `to`: real numbers or whole ones. */
const cast: Operator = {
  inputs: ["input"],
  prepare: (node) => {
    const { name, floating } = elementType(`${node.label}: attribute to`, node.integer("to", 0));
    const convert = name === "bool" ? (value: number) => (value === 0 ? 0 : 1) : toInteger;
    return ([x]) => {
      if (x instanceof Ids) return [floating ? tensor(x.data, x.shape) : new Ids(x.data.map(convert), x.shape)];
      const real = node.real([x], 0);
      return [floating ? real : new Ids(Int32Array.from(real.toArray(), convert), real.shape)];
    };
  },
};

const identity: Operator = { inputs: ["input"], prepare: () => (inputs) => inputs as readonly Value[] };

/** Dropout drops nothing outside training. */
const dropout: Operator = {
  inputs: ["data", "ratio?", "training_mode?"],
  prepare: (node) => (inputs) => {
    const x = node.real(inputs, 0);
    if (inputs[2] !== undefined && node.whole(inputs, 2).data[0] !== 0) {
      throw new ArgumentError(node.label, "training_mode", "false: models run without dropout", true);
    }
    return node.outputCount < 2 ? [x] : [x, new Ids(new Int32Array(x.size).fill(1), x.shape)];
  },
};

export const elementwiseOperators: Operators = {
  Abs: unary(abs),
  Add: binary(add, (a, b) => a + b),
  Cast: cast,
  Clip: clip,
  Div: binary(div, (a, b) => Math.trunc(a / b)),
  Dropout: dropout,
  Elu: unary(elu, 1),
  Exp: unary(exp),
  HardSigmoid: unary(hardSigmoid, 0.2, 0.5),
  Identity: identity,
  LeakyRelu: unary(leakyRelu, 0.01),
  Log: unary(log),
  Max: variadic(maximum, Math.max),
  Min: variadic(minimum, Math.min),
  Mul: binary(mul, (a, b) => a * b),
  Neg: unary(neg),
  Reciprocal: unary(reciprocal),
  Relu: unary(relu),
  Sigmoid: unary(sigmoid),
  Softplus: unary(softplus),
  Softsign: unary(softsign),
  Sqrt: unary(sqrt),
  Sub: binary(sub, (a, b) => a - b),
  Tanh: unary(tanh),
};
