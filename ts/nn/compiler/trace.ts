/**
 * Tracing: the equations of a step are run once, on values that note what is done with them.
 */
import { CellDefinitionError } from "../../errors.js";
import { type ActivationName, unaryKinds } from "../../tensor/kinds.js";
import type { Initializer } from "../../tensor/parameter.js";
import { constant as constantInitializer } from "../initializers.js";
import {
  type BinaryName,
  type Graph,
  type GraphNode,
  operands,
  type Product,
  reachable,
  type StackedParameter,
  type StateDeclaration,
  type UnaryName,
  type VectorParameter,
  type Width,
} from "./graph.js";

/** Options of {@link CellTools.gate}. */
export interface GateOptions {
  /** Width of the result; default "hidden". */
  readonly size?: Width;
  /** Default true. */
  readonly bias?: boolean;
  /**
   * Products of states are block-diagonal, with so many blocks: each part of the units sees only itself. Widths must be
   * multiples of it. Default 1.
   */
  readonly heads?: number;
}

/** Options of {@link CellTools.vector}. */
export interface VectorOptions {
  /** Default "hidden". */
  readonly size?: Width;
  /** Default: as the weights are drawn. */
  readonly initializer?: Initializer;
}

/** Options of {@link CellTools.norm}. */
export interface NormOptions {
  /** Learn an offset besides the gain; default true. */
  readonly bias?: boolean;
  /** Added to the variance; default 1e-5. */
  readonly epsilon?: number;
}

/** A value of the step, of one row; functions of it make new ones. */
export interface Value {
  /** The sum. */
  add(other: Value | number): Value;
  /** The difference. */
  sub(other: Value | number): Value;
  /** The product, element by element. */
  mul(other: Value | number): Value;
  /** The quotient. */
  div(other: Value | number): Value;
  /** The greater of both. */
  max(other: Value | number): Value;
  /** The lesser of both. */
  min(other: Value | number): Value;
  /** The value with the other sign. */
  neg(): Value;
}

type UnaryTool = (value: Value) => Value;

/** What the equations are written with: the second argument of `step`. */
export interface CellTools {
  /**
   * The pre-activation of a gate: the sum of W source over the sources, plus a bias. The rows of all gates that take x
   * are stacked in `weight_ih`, those that take a state s in `weight_<s>h` (`weight_hh` for h), biases in `bias`. A
   * source computed from one state counts as that state where the gate does not take it itself; otherwise name it with
   * {@link as}.
   */
  gate(name: string, ...sources: readonly [Value, ...(Value | GateOptions)[]]): Value;
  /** A product with a parameter of its own: `weight_<name>`, and `bias_<name>`. */
  linear(name: string, source: Value, options?: Omit<GateOptions, "heads">): Value;
  /** A source by a name of its own: the rows of gates that take it are stacked in `weight_<name>h`. */
  as(name: string, value: Value): Value;
  /** A parameter with one value a unit: a peephole, a decay. */
  vector(name: string, options?: VectorOptions): Value;
  /** A number, as a value. */
  constant(value: number): Value;
  /**
   * Layer normalisation over the units (Ba, Kiros & Hinton 2016) with a gain `<name>_weight` (ones at first) and an
   * offset `<name>_bias` (zeros).
   */
  norm(value: Value, name: string, options?: NormOptions): Value;
  /** e^value, divided by its sum over the units. */
  softmax(value: Value): Value;
  /** The mean over the units of a row, of width 1: it is the same for all units where it meets other values. */
  mean(value: Value): Value;
  /** The activation of a name; alpha as leakyRelu (default 0.01) and elu (default 1) take it. */
  activation(name: ActivationName, value: Value, alpha?: number): Value;
  /** x. */
  readonly identity: UnaryTool;
  /** Hyperbolic tangent. */
  readonly tanh: UnaryTool;
  /** 1 / (1 + e^-x). */
  readonly sigmoid: UnaryTool;
  /** max(x, 0). */
  readonly relu: UnaryTool;
  /** log(1 + e^x). */
  readonly softplus: UnaryTool;
  /** x / (1 + |x|). */
  readonly softsign: UnaryTool;
  /** x / 6 + 1/2, cut to [0, 1], as in PyTorch and Keras 3. */
  readonly hardSigmoid: UnaryTool;
  /** 0.2 x + 0.5, cut to [0, 1], as in ONNX and TensorFlow.js. */
  readonly hardSigmoidOnnx: UnaryTool;
  /** x cut to [-1, 1]. */
  readonly hardTanh: UnaryTool;
  /** -x. */
  readonly neg: UnaryTool;
  /** e^x. */
  readonly exp: UnaryTool;
  /** Natural logarithm. */
  readonly log: UnaryTool;
  /** Square root. */
  readonly sqrt: UnaryTool;
  /** x x. */
  readonly square: UnaryTool;
  /** |x|. */
  readonly abs: UnaryTool;
  /** 1 / x. */
  readonly reciprocal: UnaryTool;
  /** Sine of x in radians. */
  readonly sin: UnaryTool;
  /** Cosine of x in radians. */
  readonly cos: UnaryTool;
  /** Default slope 0.01. */
  leakyRelu(value: Value, slope?: number): Value;
  /** Default alpha 1. */
  elu(value: Value, alpha?: number): Value;
  /** The greater of both. */
  max(a: Value | number, b: Value | number): Value;
  /** The lesser of both. */
  min(a: Value | number, b: Value | number): Value;
  /** The value cut to [low, high]. */
  clamp(value: Value, low: number, high: number): Value;
}

/** The equations of a cell. */
export interface CellDefinition<S extends string, E extends string = never> {
  /** Name of the cell, in error messages and model files. */
  readonly name: string;
  /** Names of the states; with their widths, where one is not "hidden". */
  readonly state: readonly S[] | Readonly<Record<S, Width>>;
  /** The state that is the output; default the first. */
  readonly output?: NoInfer<S>;
  /** Further inputs of every step, and their widths. */
  readonly inputs?: Readonly<Record<E, Width>>;
  /** Width of x; default "input". "hidden" lets x be used beside states, and inputSize must equal hiddenSize. */
  readonly inputWidth?: Width;
  /** Order of the gates in the rows of the parameters; default: as they first occur. */
  readonly gates?: readonly string[];
  /** "two": `bias_ih` for gates that take x and `bias_hh` for those that take states, as PyTorch; default "one". */
  readonly biases?: "one" | "two";
  /** One step: from the input x and the states before it to the states after it. */
  step(values: Readonly<Record<S | E | "x", Value>>, tools: CellTools): Readonly<Record<S, Value>>;
}

/** Hides a type parameter from inference (TypeScript 5.4 has it built in). */
type NoInfer<T> = [T][T extends unknown ? 0 : never];

const FIELD_NAME = /^[A-Za-z][A-Za-z0-9_]*$/;

/** A value that notes what is done with it. */
class TracedValue implements Value {
  readonly tracer: Tracer;
  readonly node: GraphNode;
  /** Name as a source of gates, given by `as`. */
  readonly sourceName: string | undefined;

  constructor(tracer: Tracer, node: GraphNode, sourceName?: string) {
    this.tracer = tracer;
    this.node = node;
    this.sourceName = sourceName;
  }

  add(other: Value | number): Value {
    return this.tracer.binary("add", "add", this, other);
  }

  sub(other: Value | number): Value {
    return this.tracer.binary("sub", "sub", this, other);
  }

  mul(other: Value | number): Value {
    return this.tracer.binary("mul", "mul", this, other);
  }

  div(other: Value | number): Value {
    return this.tracer.binary("div", "div", this, other);
  }

  max(other: Value | number): Value {
    return this.tracer.binary("maximum", "max", this, other);
  }

  min(other: Value | number): Value {
    return this.tracer.binary("minimum", "min", this, other);
  }

  neg(): Value {
    return this.tracer.unary("neg", this, 0, `${this.node.text}.neg()`);
  }

  /** Arithmetic and comparison operators end here. */
  [Symbol.toPrimitive](): never {
    return this.tracer.fail(
      this.node.text,
      "has no number while the equations are traced: use add, sub, mul, div, max, min in place of operators, and no comparison",
    );
  }
}

class Tracer {
  readonly #cell: string;
  readonly #gateOrder: readonly string[] | undefined;
  readonly #twoBiases: boolean;
  readonly #weights = new Map<string, StackedParameter>();
  readonly #biases = new Map<string, StackedParameter>();
  readonly #vectors = new Map<string, VectorParameter>();
  readonly #gateNames = new Set<string>();

  constructor(cell: string, gateOrder: readonly string[] | undefined, twoBiases: boolean) {
    this.#cell = cell;
    this.#gateOrder = gateOrder;
    this.#twoBiases = twoBiases;
  }

  fail(expression: string, problem: string): never {
    throw new CellDefinitionError(this.#cell, expression, problem);
  }

  /** Checks an operand; numbers become constants. */
  #operand(value: unknown, expression: string): TracedValue {
    if (typeof value === "number") return this.constant(value);
    if (!(value instanceof TracedValue)) {
      return this.fail(expression, `takes values of this step and numbers, got ${describe(value)}`);
    }
    if (value.tracer !== this) this.fail(expression, `${value.node.text} is a value of another definition`);
    return value;
  }

  constant(value: number): TracedValue {
    if (!Number.isFinite(value)) this.fail(`constant(${value})`, "a constant must be a finite number");
    return new TracedValue(this, { kind: "constant", text: String(value), width: null, value });
  }

  unary(operation: UnaryName, value: unknown, alpha: number, text: string): TracedValue {
    const { node: a } = this.#operand(value, text);
    if (!Number.isFinite(alpha)) this.fail(text, `takes a finite number, got ${alpha}`);
    return new TracedValue(this, { kind: "unary", text, width: a.width, operation, alpha, a });
  }

  binary(operation: BinaryName, method: string, left: unknown, right: unknown, text?: string): TracedValue {
    const written = text ?? `${textOf(left)}.${method}(${textOf(right)})`;
    const [a, b] = [this.#operand(left, written).node, this.#operand(right, written).node];
    const width = a.width === null || (a.width === 1 && b.width !== null) ? b.width : a.width;
    if (b.width !== null && b.width !== 1 && b.width !== width) {
      this.fail(written, `the widths differ: ${describeWidth(a)}, ${describeWidth(b)}`);
    }
    return new TracedValue(this, { kind: "binary", text: written, width, operation, a, b });
  }

  vector(name: string, options: VectorOptions = {}): TracedValue {
    const text = `vector(${JSON.stringify(name)})`;
    this.#checkName(name, text);
    if (this.#vectors.has(name)) this.fail(text, "is there already: keep the value and use it again");
    const vector = { name, width: this.#width(options.size, text), initializer: options.initializer };
    this.#vectors.set(name, vector);
    return new TracedValue(this, { kind: "vector", text, width: vector.width, vector });
  }

  norm(value: unknown, name: string, options: NormOptions = {}): TracedValue {
    const text = `norm(${textOf(value)}, ${JSON.stringify(name)})`;
    const { node: a } = this.#operand(value, text);
    const { epsilon = 1e-5, bias = true } = options;
    if (!(epsilon >= 0 && epsilon < Infinity)) this.fail(text, `epsilon must be a finite number, at least 0`);
    if (a.width === null) return this.fail(text, "a constant has no units");
    const normed = new TracedValue(this, { kind: "norm", text, width: a.width, epsilon, a });
    const size = a.width;
    const weight = this.vector(`${name}_weight`, { size, initializer: constantInitializer(1) });
    const scaled = this.binary("mul", "mul", normed, weight, text);
    if (!bias) return scaled;
    const offset = this.vector(`${name}_bias`, { size, initializer: constantInitializer(0) });
    return this.binary("add", "add", scaled, offset, text);
  }

  overUnits(kind: "softmax" | "mean", value: unknown): TracedValue {
    const text = `${kind}(${textOf(value)})`;
    const { node: a } = this.#operand(value, text);
    if (a.width === null) return this.fail(text, "a constant has no units");
    return new TracedValue(this, { kind, text, width: kind === "mean" ? 1 : a.width, a });
  }

  as(name: string, value: unknown): TracedValue {
    const text = `as(${JSON.stringify(name)}, ${textOf(value)})`;
    this.#checkName(name, text);
    return new TracedValue(this, this.#operand(value, text).node, name);
  }

  gate(name: string, given: readonly unknown[]): TracedValue {
    const last = given[given.length - 1];
    const isOptions = typeof last === "object" && last !== null && !(last instanceof TracedValue);
    const options = isOptions ? (last as GateOptions) : {};
    const values = isOptions ? given.slice(0, -1) : given;
    const text = `gate(${[JSON.stringify(name), ...values.map(textOf)].join(", ")})`;
    this.#checkName(name, text);
    if (values.length === 0) this.fail(text, "has no source");
    const width = this.#width(options.size, text);
    const heads = options.heads ?? 1;
    if (!Number.isSafeInteger(heads) || heads < 1) this.fail(text, `heads must be 1 or more, got ${heads}`);
    const sources = values.map((value) => this.#operand(value, text));
    const direct = new Set(sources.flatMap(({ node, sourceName }) => ((sourceName ?? directName(node)) ? [node] : [])));
    const entry = { name, width };
    const products = sources.map((source): Product => {
      const label = this.#sourceLabel(source, direct, text);
      // Heads are a property of the recurrence: x reaches every unit.
      const blocks = label === "i" ? 1 : heads;
      const recurrent = label !== "i";
      const weight = this.#stack(this.#weights, `weight_${label}h`, source.node.width as Width, blocks, recurrent);
      if (weight.columns !== source.node.width || weight.heads !== blocks) {
        this.fail(
          text,
          `${weight.name} has another width or number of heads in an earlier gate: name the source with as`,
        );
      }
      if (weight.gates.some((other) => other.name === name)) {
        this.fail(text, `${weight.name} has rows of a gate ${JSON.stringify(name)} already`);
      }
      weight.gates.push(entry);
      return { source: source.node, weight, heads: blocks };
    });
    const biases: StackedParameter[] = [];
    if (options.bias !== false) {
      const takesInput = products.some(({ weight }) => !weight.recurrent);
      const takesState = products.some(({ weight }) => weight.recurrent);
      const wanted = this.#twoBiases
        ? [...(takesInput ? ["bias_ih"] : []), ...(takesState ? ["bias_hh"] : [])]
        : ["bias"];
      for (const biasName of wanted) {
        const bias = this.#stack(this.#biases, biasName, null, 1, false);
        if (bias.gates.some((other) => other.name === name)) continue;
        bias.gates.push(entry);
        biases.push(bias);
      }
    }
    this.#gateNames.add(name);
    return new TracedValue(this, { kind: "gate", text, width, name, products, biases });
  }

  linear(name: string, value: unknown, options: Omit<GateOptions, "heads"> = {}): TracedValue {
    const text = `linear(${JSON.stringify(name)}, ${textOf(value)})`;
    this.#checkName(name, text);
    const { node } = this.#operand(value, text);
    if (node.width === null) return this.fail(text, "a constant has no units");
    if (this.#weights.has(`weight_${name}`)) this.fail(text, `weight_${name} is there already`);
    const width = this.#width(options.size, text);
    const weight = this.#stack(this.#weights, `weight_${name}`, node.width, 1, node.kind === "state");
    weight.gates.push({ name, width });
    const biases: StackedParameter[] = [];
    if (options.bias !== false) {
      const bias = this.#stack(this.#biases, `bias_${name}`, null, 1, false);
      bias.gates.push({ name, width });
      biases.push(bias);
    }
    const products = [{ source: node, weight, heads: 1 }];
    return new TracedValue(this, { kind: "gate", text, width, name, products, biases });
  }

  #checkName(name: unknown, text: string): void {
    if (typeof name !== "string" || !FIELD_NAME.test(name)) {
      this.fail(text, "a name consists of letters, digits and _, and begins with a letter");
    }
  }

  #width(size: Width | undefined, text: string): Width {
    if (size === undefined) return "hidden";
    if (typeof size === "string" && FIELD_NAME.test(size)) return size;
    if (typeof size === "number" && Number.isSafeInteger(size) && size >= 1) return size;
    return this.fail(text, `size must be a name or an integer of 1 or more, got ${describe(size)}`);
  }

  #stack(
    of: Map<string, StackedParameter>,
    name: string,
    columns: Width | null,
    heads: number,
    recurrent: boolean,
  ): StackedParameter {
    const known = of.get(name);
    if (known !== undefined) return known;
    const made = { name, columns, heads, recurrent, gates: [] };
    of.set(name, made);
    return made;
  }

  /** What stands for the source in the name of the weight: i for x, else the state's or its own name. */
  #sourceLabel(source: TracedValue, direct: ReadonlySet<GraphNode>, text: string): string {
    const { node, sourceName } = source;
    if (node.width === null) return this.fail(text, `${node.text} is a constant and has no units`);
    const known = sourceName ?? directName(node);
    if (known !== undefined) return known;
    const states = reachableStates(node).filter((state) => !direct.has(state));
    const [only] = states;
    if (states.length === 1 && only?.kind === "state") return only.name;
    return this.fail(text, `${node.text} comes from ${states.length} states: name it, as("...", ${node.text})`);
  }

  /** What was traced, from the values that the step returned. */
  graph(
    definition: { readonly inputWidth?: Width; readonly output?: string },
    states: readonly StateDeclaration[],
    extras: readonly StateDeclaration[],
    returned: unknown,
  ): Graph {
    if (typeof returned !== "object" || returned === null) {
      return this.fail("step", `must return an object with ${states.map(({ name }) => name).join(", ")}`);
    }
    const given = returned as Readonly<Record<string, unknown>>;
    for (const name of Object.keys(given)) {
      if (!states.some((state) => state.name === name)) this.fail(name, "is returned but is no state");
    }
    const next = states.map(({ name, width }) => {
      if (given[name] === undefined) this.fail(name, "is a state that the step does not return");
      const { node } = this.#operand(given[name], name);
      if (node.width !== width) {
        this.fail(
          node.text,
          `is returned as ${name}, whose width is ${width}, but its width is ${describeWidth(node)}`,
        );
      }
      return node;
    });
    const output = definition.output === undefined ? 0 : states.findIndex(({ name }) => name === definition.output);
    if (output < 0) this.fail(String(definition.output), "is named as output but is no state");
    const nodes = reachable(next);
    const kept = new Set(nodes.flatMap((node) => (node.kind === "gate" ? node.products.map((p) => p.weight) : [])));
    for (const { name } of this.#weights.values()) {
      if (![...kept].some((weight) => weight.name === name)) this.fail(name, "is declared, but no state depends on it");
    }
    const used = new Set(nodes.flatMap((node) => (node.kind === "vector" ? [node.vector.name] : [])));
    for (const { name } of this.#vectors.values()) {
      if (!used.has(name)) this.fail(`vector(${JSON.stringify(name)})`, "is declared, but no state depends on it");
    }
    this.#sortGates();
    return {
      name: this.#cell,
      nodes,
      states,
      next,
      output,
      extras,
      inputWidth: definition.inputWidth ?? "input",
      weights: [...this.#weights.values()],
      biases: [...this.#biases.values()],
      vectors: [...this.#vectors.values()],
    };
  }

  #sortGates(): void {
    const order = this.#gateOrder;
    if (order === undefined) return;
    for (const name of this.#gateNames) {
      if (!order.includes(name)) this.fail(`gate(${JSON.stringify(name)})`, "is missing in `gates`");
    }
    for (const name of order) {
      if (!this.#gateNames.has(name)) this.fail(JSON.stringify(name), "is in `gates`, but there is no such gate");
    }
    for (const { gates } of [...this.#weights.values(), ...this.#biases.values()]) {
      gates.sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
    }
  }
}

/** i for x, h for the state h; undefined for what is computed from others. */
function directName(node: GraphNode): string | undefined {
  if (node.kind === "x") return "i";
  return node.kind === "state" || node.kind === "extra" ? node.name : undefined;
}

/** States that a value is computed from without a gate in between. */
function reachableStates(node: GraphNode): GraphNode[] {
  const stopped = new Set<GraphNode>();
  const visit = (at: GraphNode): void => {
    if (at.kind === "state") stopped.add(at);
    else if (at.kind !== "gate") operands(at).forEach(visit);
  };
  visit(node);
  return [...stopped];
}

function textOf(value: unknown): string {
  return value instanceof TracedValue ? value.node.text : describe(value);
}

function describe(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "object" && value !== null) return "an object";
  return typeof value === "function" ? "a function" : String(value);
}

function describeWidth({ text, width }: GraphNode): string {
  return width === null ? `a number (${text})` : `${width} (${text})`;
}

/** The tools of one trace. */
function toolsOf(tracer: Tracer): CellTools {
  const unary = Object.fromEntries(
    Object.keys(unaryKinds).map((name) => [
      name,
      (value: Value) => tracer.unary(name as UnaryName, value, 0, `${name}(${textOf(value)})`),
    ]),
  ) as unknown as Record<UnaryName, UnaryTool>;
  const max = (a: Value | number, b: Value | number): Value =>
    tracer.binary("maximum", "max", a, b, `max(${textOf(a)}, ${textOf(b)})`);
  const min = (a: Value | number, b: Value | number): Value =>
    tracer.binary("minimum", "min", a, b, `min(${textOf(a)}, ${textOf(b)})`);
  const tools: CellTools = {
    ...unary,
    gate: (name, ...sources) => tracer.gate(name, sources),
    linear: (name, source, options) => tracer.linear(name, source, options),
    as: (name, value) => tracer.as(name, value),
    vector: (name, options) => tracer.vector(name, options),
    constant: (value) => tracer.constant(value),
    norm: (value, name, options) => tracer.norm(value, name, options),
    softmax: (value) => tracer.overUnits("softmax", value),
    mean: (value) => tracer.overUnits("mean", value),
    activation(name, value, alpha = name === "leakyRelu" ? 0.01 : 1) {
      const text = `${name}(${textOf(value)})`;
      const kind: number | undefined = unaryKinds[name];
      if (kind === undefined || kind >= 16) tracer.fail(text, `${describe(name)} is not the name of an activation`);
      return tracer.unary(name, value, alpha, text);
    },
    leakyRelu: (value, slope = 0.01) => tracer.unary("leakyRelu", value, slope, `leakyRelu(${textOf(value)})`),
    elu: (value, alpha = 1) => tracer.unary("elu", value, alpha, `elu(${textOf(value)})`),
    max,
    min,
    clamp: (value, low, high) => min(max(value, low), high),
  };
  return guarded(tools as CellTools & Record<string, unknown>, (name) =>
    tracer.fail(name, "there is no such function among the cell's tools"),
  );
}

/** An object whose unknown names are reported, not undefined. */
function guarded<T extends Readonly<Record<string, unknown>>>(object: T, unknown: (name: string) => never): T {
  return new Proxy(object, {
    get: (target, name) => (typeof name !== "string" || name in target ? target[name as string] : unknown(name)),
  });
}

/** States, or further inputs, with their widths. */
function declarations(tracer: Tracer, what: string, given: readonly string[] | Readonly<Record<string, Width>>) {
  const list = Array.isArray(given)
    ? (given as readonly string[]).map((name) => ({ name, width: "hidden" as Width }))
    : Object.entries(given).map(([name, width]) => ({ name, width }));
  const names = new Set<string>();
  for (const { name } of list) {
    if (typeof name !== "string" || !FIELD_NAME.test(name) || name === "x" || name === "i") {
      tracer.fail(String(name), `cannot be the name of ${what}: letters, digits and _, and neither x nor i`);
    }
    if (names.has(name)) tracer.fail(name, `is declared twice`);
    names.add(name);
  }
  return list;
}

/**
 * Runs the equations once and returns what they are made of.
 * @throws CellDefinitionError naming the cell and the expression
 */
export function trace<S extends string, E extends string>(definition: CellDefinition<S, E>): Graph {
  const { name, gates, biases = "one", inputs } = definition;
  const tracer = new Tracer(name, gates, biases === "two");
  const states = declarations(tracer, "a state", definition.state);
  const extras = declarations(tracer, "an input", inputs ?? {});
  if (states.length === 0) tracer.fail("state", "a cell has at least one state");
  const inputWidth = definition.inputWidth ?? "input";
  const values = new Map<string, TracedValue>([
    ["x", new TracedValue(tracer, { kind: "x", text: "x", width: inputWidth })],
  ]);
  for (const [kind, list] of [
    ["state", states],
    ["extra", extras],
  ] as const) {
    for (const { name: text, width } of list) {
      if (values.has(text)) tracer.fail(text, "is declared twice");
      values.set(text, new TracedValue(tracer, { kind, text, width, name: text }));
    }
  }
  const given = guarded(Object.fromEntries(values), (unknown) =>
    tracer.fail(unknown, `is not a value of the step; there are ${[...values.keys()].join(", ")}`),
  );
  const returned = definition.step(given as unknown as Record<S | E | "x", Value>, toolsOf(tracer));
  return tracer.graph(definition, states, extras, returned);
}
