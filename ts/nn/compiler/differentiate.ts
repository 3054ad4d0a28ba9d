/**
 * Differentiation: the operations of the backward step, from those of the forward one.
 *
 * A value's gradient is the sum of a term from each of its users; values are visited from last to first, so that all
 * terms are there.
 */
import { unaryKinds } from "../../tensor/kinds.js";
import type { Lowered, Value } from "./lower.js";
import { padded } from "./lower.js";
import {
  BACKWARD_ONLY,
  type Buffer,
  bufferKinds,
  type Instruction,
  type Operand,
  type Operation,
  operationCodes,
  type ProductInstruction,
  Register,
} from "./machine.js";
import { type ForwardProduct, operationTask, pack, productTask, type Task } from "./schedule.js";

/** A summand of a gradient: the result of an operation. */
interface Term {
  readonly code: number;
  readonly a: Register;
  readonly b?: Operand;
  readonly c?: Operand;
  readonly immediate?: number;
  /** Elements the operation reads, where the result has another width. */
  readonly width?: number;
}

/** The backward step. */
export interface Backward {
  readonly instructions: readonly Instruction[];
  /** By state: its gradient after the step, at the beginning, and before the step, at the end. */
  readonly carryIn: readonly Register[];
  readonly carryOut: readonly Register[];
  /** Gradients of vectors and of further inputs, by number; those of inputs that want none are undefined. */
  readonly vectorGradients: readonly Buffer[];
  readonly inputGradients: readonly (Buffer | undefined)[];
}

/** Functions of one value whose slope needs the value; the others need the result. */
const NEED_VALUE: ReadonlySet<number> = new Set([
  unaryKinds.log,
  unaryKinds.square,
  unaryKinds.abs,
  unaryKinds.sin,
  unaryKinds.cos,
]);

const { copy, add, mul, div, scale, fill } = operationCodes;

class Differentiation {
  readonly #lowered: Lowered;
  readonly #products: readonly ForwardProduct[];
  readonly #gradients: Register;
  readonly #tasks: Task[] = [];
  readonly #terms = new Map<Value, Term[]>();
  readonly #again = new Map<Value, Register>();
  readonly #active = new Set<Value>();

  constructor(lowered: Lowered, products: readonly ForwardProduct[], gradients: Register) {
    this.#lowered = lowered;
    this.#products = products;
    this.#gradients = gradients;
  }

  /** @param wanted whether a further input wants a gradient */
  run(states: readonly number[], wanted: (input: number) => boolean): Backward {
    const { values, next, unused } = this.#lowered;
    const ownBuffer = (kind: number, width: number, of: number): Buffer => ({
      kind,
      stride: padded(width),
      of,
      flags: BACKWARD_ONLY,
    });
    const place = (buffer: Buffer, width: number): Register => new Register(width, { buffer, column: 0 });
    const carryIn = states.map((width, i) => place(ownBuffer(bufferKinds.carry, width, i), width));
    const carryOut = states.map((width) => new Register(width));
    const vectorGradients = this.#lowered.vectors.map(({ width }, i) =>
      ownBuffer(bufferKinds.vectorGradient, width, i),
    );
    const inputGradients = this.#lowered.inputs.map(({ width }, i) =>
      wanted(i) ? ownBuffer(bufferKinds.inputGradient, width, i) : undefined,
    );
    for (const value of values) {
      const { leaf, gate, operands } = value;
      const isActive = leaf?.kind === "input" ? wanted(leaf.number) : leaf !== undefined || gate !== undefined;
      if (isActive || operands.some((operand) => this.#active.has(operand))) this.#active.add(value);
    }
    next.forEach((value, i) => this.#term(value, { code: copy, a: carryIn[i] as Register }));
    const read = new Set<number>();
    for (const value of [...values].reverse()) {
      if (!this.#active.has(value)) continue;
      const { leaf, gate } = value;
      const terms = this.#terms.get(value) ?? [];
      if (leaf?.kind === "state") {
        read.add(leaf.number);
        this.#sum(value, terms, carryOut[leaf.number]);
      } else if (leaf?.kind === "input") {
        this.#sum(value, terms, place(inputGradients[leaf.number] as Buffer, value.width), true);
      } else if (leaf?.kind === "vector") {
        const out = place(vectorGradients[leaf.number] as Buffer, value.width);
        for (const term of terms) this.#columnSum(term, out);
      } else if (gate !== undefined) {
        this.#gateGradient(value, terms, gate.column);
      } else {
        const gradient = this.#sum(value, terms);
        if (gradient !== undefined) this.#propagate(value, gradient);
      }
    }
    states.forEach((width, i) => {
      if (!read.has(i)) this.#emit({ code: fill, width, out: carryOut[i] as Register });
    });
    for (const { column, width } of unused) {
      this.#emit({ code: fill, width, out: this.#gradientAt(column, width) });
    }
    // Carried gradients are replaced when all have read them, and gates, with which their gradients may share memory,
    // after that.
    const rank = ({ out }: Operation): number =>
      out.place?.buffer === this.#gradients.place?.buffer ? 2 : carryOut.includes(out) ? 1 : 0;
    return { instructions: pack(this.#tasks, rank), carryIn, carryOut, vectorGradients, inputGradients };
  }

  #emit(operation: Partial<Operation> & Pick<Operation, "code" | "width" | "out">): Register {
    this.#tasks.push(operationTask({ immediate: 0, accumulate: false, ...operation }));
    return operation.out;
  }

  #term(value: Value, term: Term): void {
    if (!this.#active.has(value)) return;
    const terms = this.#terms.get(value);
    if (terms === undefined) this.#terms.set(value, [term]);
    else terms.push(term);
  }

  /** A value of the forward pass, to be read: kept from there, or cheaply made again. */
  #use(value: Value): Register {
    const [of] = value.operands;
    if (value.leaf !== undefined) return value;
    if (value.code === operationCodes.broadcast && of?.leaf !== undefined) {
      const known = this.#again.get(value);
      if (known !== undefined) return known;
      const { code, width } = value;
      const made = this.#emit({ code, width, a: of, out: new Register(width) });
      this.#again.set(value, made);
      return made;
    }
    value.saved = true;
    return value;
  }

  /** The sum of the terms and of the products back to this value; undefined when there are none and no place for it. */
  #sum(value: Value, terms: readonly Term[], into?: Register, accumulate = false): Register | undefined {
    const products = this.#products.filter(({ source }) => source === value);
    if (terms.length + products.length === 0 && into === undefined) return undefined;
    const [first] = terms;
    if (terms.length === 1 && first?.code === copy && products.length === 0 && into === undefined) return first.a;
    const out = into ?? new Register(value.width);
    const { width } = value;
    let begun = accumulate;
    // One copy can be the addend of the first operation.
    const copies = terms.filter((term) => term.code === copy);
    const others = terms.filter((term) => term.code !== copy);
    const [leading] = others;
    if (!begun && copies.length > 0) {
      const [one, two] = copies as [Term, Term | undefined];
      copies.shift();
      if (leading !== undefined) {
        others.shift();
        this.#emit({ ...leading, width: leading.width ?? width, out, addend: one.a });
      } else if (two !== undefined) {
        copies.shift();
        this.#emit({ code: add, width, out, a: one.a, b: two.a });
      } else {
        this.#emit({ ...one, width, out });
      }
      begun = true;
    }
    for (const term of [...others, ...copies]) {
      this.#emit({ ...term, width: term.width ?? width, out, accumulate: begun });
      begun = true;
    }
    for (const { instruction, gates } of products) {
      const back: ProductInstruction = {
        ...instruction,
        kind: "back",
        source: this.#gradients,
        sourceColumn: instruction.targetColumn,
        target: out,
        targetColumn: instruction.sourceColumn,
        // Heads are parts of the target: only all of them together fill it.
        start: begun ? 1 : 0,
      };
      const whole = instruction.matrix.depth === width;
      if (!whole && !begun) {
        this.#emit({ code: fill, width, out });
        begun = true;
      }
      this.#tasks.push(
        productTask(
          begun ? { ...back, start: 1 } : back,
          gates.map((gate) => this.#gateRegister(gate)),
        ),
      );
      begun = true;
    }
    if (!begun) this.#emit({ code: fill, width, out });
    return out;
  }

  readonly #gateRegisters = new Map<Value, Register>();

  #gateRegister(gate: Value): Register {
    return this.#gateRegisters.get(gate) as Register;
  }

  #gradientAt(column: number, width: number): Register {
    return new Register(width, { buffer: this.#gradients.place?.buffer as Buffer, column });
  }

  #gateGradient(gate: Value, terms: readonly Term[], column: number): void {
    const out = this.#gradientAt(column, gate.width);
    const [only] = terms;
    const { width } = gate;
    this.#gateRegisters.set(gate, out);
    if (terms.length === 1 && only?.code === copy && only.a.place === undefined && only.a.width === width) {
      // What was computed for another value can be computed in the right place at once.
      only.a.place = out.place;
      this.#gateRegisters.set(gate, only.a);
    } else {
      this.#sum(gate, terms, out);
    }
    // Products read whole lanes, and whatever is in the padding would be multiplied, by zeros, but might be infinite.
    if (width % 4 !== 0) this.#emit({ code: operationCodes.zeroPad, width, out: this.#gateRegister(gate) });
  }

  #columnSum({ code, a, b, c, immediate = 0, width }: Term, out: Register): void {
    const columnSum = { code: operationCodes.columnSum, width: out.width, out };
    if (code === copy) this.#emit({ ...columnSum, a });
    else if (code === mul) this.#emit({ ...columnSum, a, b });
    else {
      const made = this.#emit({ code, a, b, c, immediate, width: width ?? out.width, out: new Register(out.width) });
      this.#emit({ ...columnSum, a: made });
    }
  }

  /** Terms of what the value was computed from. */
  #propagate(value: Value, d: Register): void {
    const { code = 0, immediate, width } = value;
    const [a, b] = value.operands as [Value, Value];
    const { sub } = { sub: add + 1 };
    switch (code) {
      case add:
        this.#term(a, { code: copy, a: d });
        this.#term(b, { code: copy, a: d });
        break;
      case sub:
        this.#term(a, { code: copy, a: d });
        this.#term(b, { code: scale, immediate: -1, a: d });
        break;
      case mul:
        if (this.#active.has(a)) this.#term(a, { code: mul, a: d, b: this.#use(b) });
        if (this.#active.has(b)) this.#term(b, { code: mul, a: d, b: this.#use(a) });
        break;
      case div: {
        const quotient = this.#emit({ code: div, width, a: d, b: this.#use(b), out: new Register(width) });
        this.#term(a, { code: copy, a: quotient });
        if (!this.#active.has(b)) break;
        const product = this.#emit({ code: mul, width, a: quotient, b: this.#use(value), out: new Register(width) });
        this.#term(b, { code: scale, immediate: -1, a: product });
        break;
      }
      case operationCodes.max:
      case operationCodes.min: {
        const gradient = code === operationCodes.max ? operationCodes.maxGradient : operationCodes.minGradient;
        this.#term(a, { code: gradient, a: d, b: this.#use(a), c: this.#use(b) });
        this.#term(b, { code: gradient, a: d, b: this.#use(b), c: this.#use(a) });
        break;
      }
      case operationCodes.maxScalar:
      case operationCodes.minScalar: {
        const gradient = code === operationCodes.maxScalar ? operationCodes.maxGradient : operationCodes.minGradient;
        const limit = this.#emit({ code: fill, immediate, width, out: new Register(width) });
        this.#term(a, { code: gradient, a: d, b: this.#use(a), c: limit });
        break;
      }
      case scale:
        this.#term(a, { code: scale, immediate, a: d });
        break;
      case operationCodes.addScalar:
        this.#term(a, { code: copy, a: d });
        break;
      case operationCodes.broadcast:
        this.#term(a, { code: operationCodes.rowSum, a: d, width });
        break;
      case operationCodes.rowSum:
        this.#term(a, { code: operationCodes.broadcast, a: d });
        break;
      case operationCodes.norm: {
        const factor = value.factor as Register;
        factor.saved = true;
        this.#term(a, { code: operationCodes.normGradient, a: d, b: this.#use(value), c: factor });
        break;
      }
      default: {
        const needsValue = NEED_VALUE.has(code);
        const gradient = { code: operationCodes.unaryGradient + code, immediate, a: d };
        this.#term(a, needsValue ? { ...gradient, b: this.#use(a) } : { ...gradient, c: this.#use(value) });
      }
    }
  }
}

/**
 * @param gradients register of the gradients of all gates
 * @param states widths of the states
 * @param wanted whether a further input wants a gradient
 */
export function differentiate(
  lowered: Lowered,
  products: readonly ForwardProduct[],
  gradients: Register,
  states: readonly number[],
  wanted: (input: number) => boolean,
): Backward {
  return new Differentiation(lowered, products, gradients).run(states, wanted);
}
