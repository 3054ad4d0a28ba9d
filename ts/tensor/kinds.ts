/** Numbers that name functions and cells to the core; the same as in crate/src/ops/elementwise.rs and sequence.rs. */

/** Functions of one value. Those below 16 are activations: their slope is computable from the result alone. */
export const unaryKinds = {
  identity: 0,
  tanh: 1,
  sigmoid: 2,
  relu: 3,
  leakyRelu: 4,
  elu: 5,
  softplus: 6,
  softsign: 7,
  hardSigmoid: 8,
  hardSigmoidOnnx: 9,
  hardTanh: 10,
  neg: 16,
  exp: 17,
  log: 18,
  sqrt: 19,
  square: 20,
  abs: 21,
  reciprocal: 22,
  sin: 23,
  cos: 24,
} as const;

/** Functions of two values. */
export const binaryKinds = { add: 0, sub: 1, mul: 2, div: 3, maximum: 4, minimum: 5 } as const;

/** Recurrent cells that are fused by hand. */
export const cellKinds = { elman: 0, lstm: 1, gru: 2 } as const;

/** Name of an activation. */
export type ActivationName = Exclude<
  keyof typeof unaryKinds,
  "neg" | "exp" | "log" | "sqrt" | "square" | "abs" | "reciprocal" | "sin" | "cos"
>;
