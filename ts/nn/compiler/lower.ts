/**
 * Lowering: a graph with the sizes of a layer becomes a list of values that the core's machine can compute, one
 * operation each. Numbers become immediates, widths are equal, and what depends on parameters alone is an operand.
 */
import { binaryKinds, unaryKinds } from "../../tensor/kinds.js";
import {
  constantOverTime,
  type GateNode,
  type Graph,
  type GraphNode,
  type StackedParameter,
  sizeOfWidth,
  type Width,
} from "./graph.js";
import { operationCodes, Register } from "./machine.js";
import { firstRow, type Sizes } from "./reference.js";

/** One product of a gate, with numbers. */
export interface LoweredProduct {
  readonly source: Value;
  readonly weight: StackedParameter;
  readonly heads: number;
  /** First row in the weight. */
  readonly row: number;
}

/** A value that every step computes; it is also the register that holds it. */
export class Value extends Register {
  /** Code of a pointwise operation; a gate, or what is there before the step, has none. */
  readonly code: number | undefined;
  readonly immediate: number;
  readonly operands: readonly Value[];
  readonly gate: LoweredGate | undefined;
  readonly leaf: Leaf | undefined;
  /** One element a row that a norm gives besides its result: the factor. */
  readonly factor: Register | undefined;

  constructor(width: number, of: Partial<Pick<Value, "code" | "immediate" | "operands" | "gate" | "leaf">>) {
    super(width);
    this.code = of.code;
    this.immediate = of.immediate ?? 0;
    this.operands = of.operands ?? [];
    this.gate = of.gate;
    this.leaf = of.leaf;
    this.factor = of.code === operationCodes.norm ? new Register(1) : undefined;
  }
}

/** What is there before the step. */
export type Leaf =
  | { readonly kind: "state"; readonly number: number }
  /** A further input, or x where it is used as one. */
  | { readonly kind: "input"; readonly number: number }
  | { readonly kind: "vector"; readonly number: number };

/** A gate's place among the columns of all gates. */
export interface LoweredGate {
  readonly node: GateNode;
  /** Products other than that of the inputs, which is there before the step. */
  readonly products: readonly LoweredProduct[];
  /** First column. */
  readonly column: number;
  /** Whether the product of the inputs is in it. */
  readonly input: boolean;
}

/** The gates whose products by x are computed for all steps beforehand, and their weight. */
export interface InputProduct {
  readonly weight: StackedParameter;
  readonly gates: number;
  readonly width: number;
}

/** What a graph is lowered to. */
export interface Lowered {
  /** Each after its operands. */
  readonly values: readonly Value[];
  /** New states. */
  readonly next: readonly Value[];
  readonly gates: readonly Value[];
  /** Columns of all gates. */
  readonly columns: number;
  readonly inputProduct: InputProduct | undefined;
  /** Columns of the inputs' product that no gate of this graph reads: their gradients are zeros. */
  readonly unused: readonly { readonly column: number; readonly width: number }[];
  /** What is computed once a call, with the width that it is used at. */
  readonly vectors: readonly { readonly node: GraphNode; readonly width: number }[];
  /** Names of further inputs, "x" for x itself. */
  readonly inputs: readonly { readonly name: string; readonly width: number }[];
}

/** Rounded up to whole lanes. */
export function padded(width: number): number {
  return Math.ceil(width / 4) * 4;
}

/** The weight of x that can be multiplied for all steps beforehand: its gates have one width. */
function inputProductOf(graph: Graph, sizes: Sizes): InputProduct | undefined {
  const weight = graph.weights.find(({ name }) => name === "weight_ih");
  const [first] = weight?.gates ?? [];
  if (weight === undefined || first === undefined || !weight.gates.every(({ width }) => width === first.width)) {
    return undefined;
  }
  const direct = graph.nodes.every(
    (node) =>
      node.kind !== "gate" ||
      node.products.every((product) => product.weight !== weight || product.source.kind === "x"),
  );
  return direct ? { weight, gates: weight.gates.length, width: sizeOfWidth(first.width, sizes) } : undefined;
}

class Lowering {
  readonly #graph: Graph;
  readonly #sizes: Sizes;
  readonly #values: Value[] = [];
  readonly #made = new Map<GraphNode, Value>();
  readonly #constants: ReadonlySet<GraphNode>;
  readonly #wide = new Map<string, Value>();
  readonly #vectors: { node: GraphNode; width: number }[] = [];
  readonly #inputs: { name: string; width: number }[] = [];
  readonly #columns = new Map<GraphNode, number>();

  constructor(graph: Graph, sizes: Sizes) {
    this.#graph = graph;
    this.#sizes = sizes;
    this.#constants = constantOverTime(graph.nodes);
  }

  lower(): Lowered {
    const { nodes, next, states } = this.#graph;
    const inputProduct = inputProductOf(this.#graph, this.#sizes);
    const gates = nodes.filter((node): node is GateNode => node.kind === "gate");
    const columns = this.#placeGates(gates, inputProduct);
    for (const node of nodes) {
      // x itself is an operand only where something else than the product for all steps reads it.
      if (this.#constants.has(node) || node.kind === "x") continue;
      this.#made.set(node, this.#value(node, inputProduct));
    }
    const results = next.map((node, i) => this.#operand(node, this.#size(states[i]?.width as Width)));
    const used = new Set(gates.map((gate) => this.#columns.get(gate)));
    const unused = Array.from({ length: inputProduct?.gates ?? 0 }, (_, gate) => ({
      column: gate * padded(inputProduct?.width ?? 0),
      width: inputProduct?.width ?? 0,
    })).filter(({ column }) => !used.has(column));
    return {
      values: this.#values,
      next: results,
      gates: gates.map((gate) => this.#made.get(gate) as Value),
      columns,
      inputProduct,
      unused,
      vectors: this.#vectors,
      inputs: this.#inputs,
    };
  }

  #size(width: Width): number {
    return sizeOfWidth(width, this.#sizes);
  }

  #add(value: Value): Value {
    this.#values.push(value);
    return value;
  }

  /**
   * Gates that take x come first, in the order of their rows, so that the product of x is one; the others follow by
   * weight and row, so that few products have to be split. Returns the number of columns.
   */
  #placeGates(gates: readonly GateNode[], inputProduct: InputProduct | undefined): number {
    let end = 0;
    const row = (gate: GateNode): number => {
      const [product] = gate.products;
      if (product === undefined) return 0;
      return this.#graph.weights.indexOf(product.weight) * 0x100000 + firstRow(product.weight, gate.name, this.#sizes);
    };
    const takesInput = (gate: GateNode): boolean => gate.products.some(({ weight }) => weight === inputProduct?.weight);
    if (inputProduct !== undefined) {
      const { weight, width } = inputProduct;
      for (const gate of gates.filter(takesInput)) {
        const number = weight.gates.findIndex(({ name }) => name === gate.name);
        this.#columns.set(gate, number * padded(width));
      }
      end = weight.gates.length * padded(width);
    }
    const others = gates.filter((gate) => !takesInput(gate));
    for (const gate of others.sort((a, b) => row(a) - row(b))) {
      this.#columns.set(gate, end);
      end += padded(this.#size(gate.width));
    }
    return end;
  }

  #value(node: GraphNode, inputProduct: InputProduct | undefined): Value {
    const width = this.#size(node.width as Width);
    switch (node.kind) {
      case "extra":
        return this.#input(node.name, width);
      case "state": {
        const number = this.#graph.states.findIndex(({ name }) => name === node.name);
        return this.#add(new Value(width, { leaf: { kind: "state", number } }));
      }
      case "gate": {
        const others = node.products.filter(({ weight }) => weight !== inputProduct?.weight);
        const products = others.map(({ source, weight, heads }) => ({
          source: this.#operand(source, this.#size(source.width as Width)),
          weight,
          heads,
          row: firstRow(weight, node.name, this.#sizes),
        }));
        const column = this.#columns.get(node) as number;
        const input = others.length < node.products.length;
        return this.#add(new Value(width, { gate: { node, products, column, input } }));
      }
      case "norm":
        return this.#pointwise(width, operationCodes.norm, node.epsilon, node.a);
      case "mean": {
        const units = this.#size(node.a.width as Width);
        const total = this.#of(1, operationCodes.rowSum, 0, [this.#operand(node.a, units)]);
        return this.#of(1, operationCodes.scale, 1 / units, [total]);
      }
      case "unary":
        if (node.operation === "identity") return this.#operand(node.a, width);
        if (node.operation === "neg") return this.#pointwise(width, operationCodes.scale, -1, node.a);
        return this.#pointwise(width, unaryKinds[node.operation], node.alpha, node.a);
      case "binary":
        return this.#binary(width, node.operation, node.a, node.b);
      default:
        throw new Error(`${node.kind} is no value of the step`);
    }
  }

  #pointwise(width: number, code: number, immediate: number, ...of: GraphNode[]): Value {
    return this.#of(
      width,
      code,
      immediate,
      of.map((node) => this.#operand(node, width)),
    );
  }

  #of(width: number, code: number, immediate: number, operands: readonly Value[]): Value {
    return this.#add(new Value(width, { code, immediate, operands }));
  }

  #binary(width: number, operation: keyof typeof binaryKinds, a: GraphNode, b: GraphNode): Value {
    const code = operationCodes.add + binaryKinds[operation];
    const { scale, addScalar, maxScalar, minScalar } = operationCodes;
    if (b.kind === "constant") {
      const { value } = b;
      if (operation === "sub") return this.#pointwise(width, addScalar, -value, a);
      if (operation === "div") return this.#pointwise(width, scale, 1 / value, a);
      const codes = { add: addScalar, mul: scale, maximum: maxScalar, minimum: minScalar };
      return this.#pointwise(width, codes[operation], value, a);
    }
    if (a.kind === "constant") {
      const { value } = a;
      if (operation === "sub") {
        const negated = this.#pointwise(width, scale, -1, b);
        return this.#of(width, addScalar, value, [negated]);
      }
      if (operation === "div") {
        const inverse = this.#pointwise(width, unaryKinds.reciprocal, 0, b);
        return this.#of(width, scale, value, [inverse]);
      }
      return this.#binary(width, operation, b, a);
    }
    return this.#pointwise(width, code, 0, a, b);
  }

  /** The value of a node at a width: what depends on parameters alone is a vector, one element is broadcast. */
  #operand(node: GraphNode, width: number): Value {
    if (node.kind === "x" && !this.#made.has(node)) {
      this.#made.set(node, this.#input("x", this.#size(node.width as Width)));
    }
    const value = this.#made.get(node);
    if (value !== undefined && value.width === width) return value;
    const key = `${this.#graph.nodes.indexOf(node)} ${width}`;
    const known = this.#wide.get(key);
    if (known !== undefined) return known;
    let made: Value;
    if (value !== undefined) {
      made = this.#of(width, operationCodes.broadcast, 0, [value]);
    } else {
      const number = this.#vectors.push({ node, width }) - 1;
      made = this.#add(new Value(width, { leaf: { kind: "vector", number } }));
    }
    this.#wide.set(key, made);
    return made;
  }

  #input(name: string, width: number): Value {
    const number = this.#inputs.push({ name, width }) - 1;
    return this.#add(new Value(width, { leaf: { kind: "input", number } }));
  }
}

/** @returns the values in the order in which they can be computed */
export function lower(graph: Graph, sizes: Sizes): Lowered {
  return new Lowering(graph, sizes).lower();
}
