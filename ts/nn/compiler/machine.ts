/** What the core's machine for step programs knows (crate/src/cells/program.rs): buffers, registers and instructions. */

/** Codes of pointwise operations besides those of functions of one value; the same as in crate/src/cells/program/pointwise.rs. */
export const operationCodes = {
  copy: 64,
  /** And sub, mul, div, max, min after it. */
  add: 65,
  mul: 67,
  div: 68,
  max: 69,
  min: 70,
  scale: 71,
  addScalar: 72,
  maxScalar: 73,
  minScalar: 74,
  fill: 75,
  maxGradient: 77,
  minGradient: 78,
  broadcast: 81,
  rowSum: 82,
  norm: 83,
  normGradient: 84,
  columnSum: 85,
  zeroPad: 86,
  multiplyAdd: 88,
  /** Plus the kind of a function of one value. */
  unaryGradient: 128,
} as const;

/** Kinds of buffers. */
export const bufferKinds = {
  /** The rows of all steps. */
  step: 0,
  state: 1,
  /** The state before the step. */
  previous: 2,
  /** Gradient of a state. */
  carry: 3,
  /** The rows of one step. */
  batch: 4,
  /** The rows of a chunk. */
  chunk: 5,
  vector: 6,
  vectorGradient: 7,
  input: 8,
  inputGradient: 9,
} as const;

/** Memory of the machine: rows of `stride` elements. */
export interface Buffer {
  readonly kind: number;
  readonly stride: number;
  /** Number of the state, vector or input it belongs to. */
  readonly of: number;
  readonly flags: number;
}

/** Flags of buffers. */
export const BACKWARD_ONLY = 1;
export const WITHIN_STEP = 2;

/** Where a register is. */
export interface Place {
  readonly buffer: Buffer;
  readonly column: number;
}

/** One value of every row; a place is found for it after everything has been scheduled. */
export class Register {
  readonly width: number;
  place: Place | undefined = undefined;
  /** Whether the backward pass reads it. */
  saved = false;

  constructor(width: number, place?: Place) {
    this.width = width;
    this.place = place;
  }
}

export type Operand = Register | undefined;

/** A pointwise operation. */
export interface Operation {
  readonly code: number;
  readonly width: number;
  readonly immediate: number;
  readonly out: Register;
  /** Adds to what `out` holds. */
  readonly accumulate: boolean;
  readonly a?: Operand;
  readonly b?: Operand;
  readonly c?: Operand;
  /** Added to the result; where `out` can take its place, nothing is copied. */
  readonly addend?: Operand;
}

/** A slice of a weight. */
export interface Matrix {
  readonly weight: number;
  readonly gates: number;
  readonly width: number;
  readonly depth: number;
  /** Elements of a row of the weight. */
  readonly stride: number;
  /** First element. */
  readonly first: number;
  /** Columns are not padded by gates: one head of a gate. */
  readonly plain: boolean;
}

/** destination = start + source W^T, or, back, source W. */
export interface ProductInstruction {
  readonly kind: "product" | "back";
  readonly matrix: Matrix;
  readonly source: Register;
  /** Column within the source. */
  readonly sourceColumn: number;
  readonly target: Register;
  /** Column within the target. */
  readonly targetColumn: number;
  /** 0 zero, 1 what is there, 2 the biases. */
  readonly start: number;
}

/** Operations over chunks of rows. */
export interface BlockInstruction {
  readonly kind: "block";
  readonly operations: readonly Operation[];
}

export type Instruction = ProductInstruction | BlockInstruction;

/** Registers that an instruction or operation reads; `out` is among them where it is added to. */
export function reads(operation: Operation): Register[] {
  const { a, b, c, addend, out, accumulate, code } = operation;
  // The second operand of a norm is a result.
  const second = code === operationCodes.norm ? undefined : b;
  return [a, second, c, addend, accumulate ? out : undefined].filter((register): register is Register => !!register);
}

/** Registers that an operation writes. */
export function writes(operation: Operation): Register[] {
  const { out, b, code } = operation;
  return code === operationCodes.norm && b !== undefined ? [out, b] : [out];
}
