/**
 * ONNX models (https://onnx.ai): a file becomes a module that runs its graph with the package's own layers and
 * operations.
 *
 * What depends on constants alone is computed while loading, so that weights which a file stores in pieces arrive as
 * the recurrent layers' own; what remains is a list of nodes, each evaluated by its operator.
 */
import { type Core, getCore } from "../../core/core.js";
import {
  ArgumentError,
  DTypeError,
  formatShape,
  isUnrolledError,
  LoadError,
  type LoadErrorCategory,
  ShapeError,
} from "../../errors.js";
import { Module } from "../../nn/module.js";
import { Ids } from "../../tensor/ids.js";
import { Parameter } from "../../tensor/parameter.js";
import { withScope } from "../../tensor/scope.js";
import { type PlainTensor, Tensor, tensor } from "../../tensor/tensor.js";
import { quoted } from "../json.js";
import { type Evaluate, labelOf, type ModelContext, Node, type Operator, TooLargeToFold } from "./node.js";
import { domains } from "./operators/index.js";
import { type GraphMessage, type ModelMessage, type NodeMessage, readModel, type ValueMessage } from "./protobuf.js";
import { decodeTensor, elementType, isPlainTensor, type PlainValue, type Value } from "./tensors.js";

/** What a model takes. */
export interface OnnxInput {
  /** As the graph calls it. */
  readonly name: string;
  /** Real numbers come as tensors, whole ones as ids. */
  readonly type: "real" | "whole";
  /** Lengths; a name, or "", where any length is taken. Undefined where the file does not say. */
  readonly shape: readonly (number | string)[] | undefined;
  /** Whether it may be left out, because the file has a value for it. */
  readonly optional: boolean;
}

/** Values by name. */
export type OnnxValues = Readonly<Record<string, Tensor | Ids | PlainTensor>>;

/** Options of {@link loadOnnx}. */
export interface OnnxOptions {
  /**
   * The files beside the model that hold its weights, by their path from the model's folder, as exporters write them
   * for large models. No file is ever opened: only what is given here is read.
   */
  readonly externalData?: ReadonlyMap<string, Uint8Array>;
  /** Where the values live; default: the default core. */
  readonly core?: Core;
}

/** One node, made ready. Values are numbered; 0 stands for an input that is left out. */
interface Step {
  readonly label: string;
  readonly evaluate: Evaluate;
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}

/** Weights of the graph that are not in a layer. */
class Weights extends Module {
  /** Adds one under its name, or one like it where modules have something else of that name. */
  add(name: string, value: PlainTensor, trainable: boolean): Parameter {
    let field = name;
    while (field in this) field += "_";
    const parameter = new Parameter(value.shape);
    parameter.trainable = trainable;
    Object.defineProperty(this, field, { value: parameter, enumerable: true, writable: true });
    return parameter;
  }
}

/** A graph, ready to run. */
interface Plan {
  readonly context: ModelContext;
  readonly inputs: readonly (OnnxInput & { readonly index: number })[];
  readonly outputs: readonly { readonly name: string; readonly index: number }[];
  readonly steps: readonly Step[];
  /** Values that are known: integers, and parameters of `weights`. */
  readonly constants: ReadonlyMap<number, Value>;
  readonly weights: Weights;
}

/**
 * A model read by {@link loadOnnx}: a module, whose parameters are those of its recurrent layers (`layers`) and the
 * other weights of the graph under their names (`weights`). Weights that the file has in the graph's initializers can be
 * trained.
 */
export class OnnxModel extends Module {
  /** Other values of the graph, by name. */
  readonly weights: Weights;
  /** Layers made of nodes, in the order of the graph. */
  readonly layers: readonly Module[];
  readonly #plan: Plan;

  /** @internal */
  constructor(plan: Plan) {
    super();
    this.weights = plan.weights;
    this.layers = plan.context.layers;
    this.#plan = plan;
  }

  /** What the model takes, in the file's order. */
  get inputs(): readonly OnnxInput[] {
    return this.#plan.inputs.map(({ index: _, ...input }) => input);
  }

  /** Names of what it gives, in the file's order. */
  get outputs(): readonly string[] {
    return this.#plan.outputs.map(({ name }) => name);
  }

  override get core(): Core {
    return this.#plan.context.core;
  }

  /**
   * Runs the graph; inside a scope, as any module: `model.run((m) => m.forward({ x }))`.
   *
   * @param inputs - by name: tensors (or plain ones) of real numbers, ids for whole numbers
   * @throws ArgumentError, ShapeError, DTypeError naming the input; those of an operation name its node
   */
  forward(inputs: OnnxValues): Record<string, Value> {
    const { steps, constants, outputs } = this.#plan;
    const values: (Value | undefined)[] = [];
    for (const [index, value] of constants) values[index] = value;
    this.#take(inputs, values);
    for (const { label, evaluate, inputs: from, outputs: to } of steps) {
      const results = named(label, () => evaluate(from.map((index) => values[index])));
      to.forEach((index, i) => {
        if (index !== 0) values[index] = results[i];
      });
    }
    return Object.fromEntries(outputs.map(({ name, index }) => [name, values[index] as Value]));
  }

  /** Runs the graph and returns plain values, of which nothing needs to be disposed of. */
  predict(inputs: OnnxValues): Record<string, PlainTensor | Ids> {
    return this.run((model) => model.forward(inputs));
  }

  protected override release(): void {
    const { temporary } = this.#plan.context;
    for (const layer of temporary) layer.dispose();
    temporary.clear();
  }

  #take(given: OnnxValues, values: (Value | undefined)[]): void {
    const { inputs, context } = this.#plan;
    const unknown = Object.keys(given).find((name) => !inputs.some((input) => input.name === name));
    if (unknown !== undefined) {
      throw new ArgumentError("OnnxModel", "inputs", `named ${inputs.map(({ name }) => name).join(", ")}`, unknown);
    }
    for (const { name, type, shape, optional, index } of inputs) {
      const value = Object.hasOwn(given, name) ? given[name] : undefined;
      if (value === undefined) {
        if (optional) continue;
        throw new ArgumentError("OnnxModel", `input ${quoted(name)}`, "given", value);
      }
      const known = takenValue(value, context.core);
      if (known === undefined || known instanceof Ids !== (type === "whole")) {
        const expected = type === "whole" ? "Ids, whole numbers" : "Tensor, or { data: Float32Array, shape }";
        throw new DTypeError("OnnxModel", `input ${quoted(name)}`, expected, value);
      }
      const fits =
        shape === undefined ||
        (shape.length === known.shape.length &&
          shape.every((length, i) => typeof length === "string" || length === known.shape[i]));
      if (!fits) throw new ShapeError("OnnxModel", `input ${quoted(name)}`, shape, known.shape);
      if (known instanceof Tensor) known.assertAlive(`OnnxModel: input ${quoted(name)}`);
      values[index] = known;
    }
  }
}

/** What a caller gave, as operators take it; undefined for what is no value at all. */
function takenValue(given: Tensor | Ids | PlainTensor, core: Core): Value | undefined {
  if (given instanceof Ids || given instanceof Tensor) return given;
  if (!(given?.data instanceof Float32Array && Array.isArray(given.shape))) return undefined;
  return tensor(given.data, given.shape, core);
}

/** Has the errors of an operation name the node. */
function named<R>(label: string, body: () => R): R {
  try {
    return body();
  } catch (error) {
    if (isUnrolledError(error) && !error.message.includes(label)) error.message = `${label}: ${error.message}`;
    throw error;
  }
}

/**
 * Reads an ONNX file: operators of versions 7 to 26, see the operators' files. Graphs with branches or loops (If, Loop,
 * Scan), sparse tensors, strings and functions of the model's own are refused.
 *
 * The file is not trusted: nothing is allocated by what it merely declares, and no other file is opened.
 * @throws LoadError naming the node or tensor, and what was expected
 */
export function loadOnnx(file: Uint8Array | ArrayBuffer, options: OnnxOptions = {}): OnnxModel {
  const bytes = file instanceof Uint8Array ? file : new Uint8Array(file);
  const message = readModel(bytes);
  const { graph, opsets } = message;
  if (graph === undefined) throw new LoadError("graph", "ONNX file: it has no graph");
  if (graph.outputs.length === 0) throw new LoadError("graph", "ONNX graph: it has no outputs");
  checkVersions(opsets);
  const context: ModelContext = {
    core: options.core ?? getCore(),
    external: options.externalData ?? new Map(),
    layers: [],
    temporary: new Set(),
    // What is computed while loading stays in proportion to the file.
    folding: { elements: bytes.length + SMALL },
  };
  try {
    return new OnnxModel(new Planner(graph, message, context).plan());
  } catch (error) {
    for (const layer of context.layers) layer.dispose();
    throw asLoadError(error);
  } finally {
    context.folding = undefined;
  }
}

/** Elements of constants that are computed while loading however small the file is. */
const SMALL = 0x10000;

const categories: Readonly<Record<string, LoadErrorCategory>> = {
  SHAPE: "shape",
  DTYPE: "dtype",
  ARGUMENT: "value",
  OUT_OF_MEMORY: "too_large",
};

/** While loading, what is wrong is the file. */
function asLoadError(error: unknown): unknown {
  if (!isUnrolledError(error)) return error;
  const category = categories[error.code];
  return category === undefined ? error : new LoadError(category, error.message);
}

function checkVersions(opsets: ReadonlyMap<string, number>): void {
  if (opsets.size === 0) throw new LoadError("unsupported_version", "ONNX file: it imports no opset");
  for (const [name, version] of opsets) {
    const domain = domains.get(name);
    if (domain === undefined || (version >= domain.oldest && version <= domain.newest)) continue;
    throw new LoadError(
      "unsupported_version",
      `ONNX file: it needs opset ${version}${name === "" ? "" : ` of ${name}`}, supported are ${domain.oldest} to ${domain.newest}`,
    );
  }
}

/** Where a value comes from. */
interface Source {
  readonly index: number;
  /** Known while loading. */
  readonly constant?: PlainValue;
  /** Whether an initializer of the graph is part of it: a weight, rather than a number of the computation. */
  readonly initializer?: boolean;
  readonly shape?: readonly (number | string)[];
}

/** Turns a graph into a plan. */
class Planner {
  readonly #graph: GraphMessage;
  readonly #opsets: ReadonlyMap<string, number>;
  readonly #irVersion: number;
  readonly #context: ModelContext;
  readonly #sources = new Map<string, Source>();
  #count = 1;

  constructor(graph: GraphMessage, { opsets, irVersion }: ModelMessage, context: ModelContext) {
    this.#graph = graph;
    this.#opsets = opsets;
    this.#irVersion = irVersion;
    this.#context = context;
  }

  plan(): Plan {
    const { nodes, outputs: results } = this.#graph;
    const operators = nodes.map((node) => this.#operatorOf(node));
    const inputs = this.#inputs();
    const everywhere = new Set(nodes.flatMap(({ outputs }) => outputs));
    const steps = nodes.flatMap((node, i) => this.#step(node, operators[i] as Operator, everywhere));
    const outputs = results.map(({ name }) => {
      const source = this.#sources.get(name);
      if (source === undefined) throw new LoadError("graph", `ONNX graph: nothing produces its output ${quoted(name)}`);
      return { name, index: source.index };
    });
    const needed = new Set(outputs.map(({ index }) => index));
    const live = steps.reverse().filter((step) => {
      if (!step.outputs.some((index) => needed.has(index))) return false;
      for (const index of step.inputs) needed.add(index);
      return true;
    });
    const weights = new Weights();
    const constants = this.#constants(needed, weights);
    return { context: this.#context, inputs, outputs, steps: live.reverse(), constants, weights };
  }

  #operatorOf(node: NodeMessage): Operator {
    const operators = domains.get(node.domain)?.operators;
    if (operators !== undefined && this.#opsets.has(node.domain) && Object.hasOwn(operators, node.operator)) {
      return operators[node.operator] as Operator;
    }
    const name = node.domain === "" ? node.operator : `${node.domain}.${node.operator}`;
    throw new LoadError("unsupported_op", `ONNX graph: the operator ${quoted(name)} of a node is not supported`);
  }

  #define(name: string, source: Omit<Source, "index">): number {
    if (name === "") return 0;
    if (this.#sources.has(name)) throw new LoadError("graph", `ONNX graph: two values are named ${quoted(name)}`);
    const index = this.#count++;
    this.#sources.set(name, { ...source, index });
    return index;
  }

  /**
   * Defines initializers and inputs. An initializer of an input's name is its default; before version 4 of the format
   * every initializer was listed as an input too, and is a constant all the same.
   */
  #inputs(): Plan["inputs"] {
    const { initializers, inputs, sparseInitializers } = this.#graph;
    if (sparseInitializers > 0) throw new LoadError("encoding", "ONNX graph: sparse tensors are not supported");
    const known = new Map<string, PlainValue>();
    for (const message of initializers) {
      const { name } = message;
      if (known.has(name)) throw new LoadError("graph", `ONNX graph: two initializers are named ${quoted(name)}`);
      known.set(name, decodeTensor(`ONNX initializer ${quoted(name)}`, message, this.#context.external));
    }
    const taken: (OnnxInput & { index: number })[] = [];
    for (const input of inputs) {
      const value = known.get(input.name);
      if (value !== undefined && this.#irVersion < 4) continue;
      const { name, type, shape } = describe(input);
      const index = this.#define(name, shape === undefined ? {} : { shape });
      taken.push({ name, type, shape, optional: value !== undefined, index });
      if (value !== undefined) this.#defaults.set(index, { name, value });
      known.delete(name);
    }
    for (const [name, constant] of known) this.#define(name, { constant, initializer: true, shape: constant.shape });
    return taken;
  }

  /** Values of inputs that may be left out. */
  readonly #defaults = new Map<number, { name: string; value: PlainValue }>();

  /** Makes a node ready: its outputs become constants, or a step remains. */
  #step(message: NodeMessage, operator: Operator, produced: ReadonlySet<string>): Step[] {
    const label = labelOf(message);
    const sources = message.inputs.map((name) => this.#source(name, label, produced));
    checkInputs(label, operator, message.inputs);
    const node = new Node(
      message,
      operator.inputs,
      this.#opsets.get(message.domain) as number,
      this.#context,
      sources.map((source) => source?.constant),
      sources.map((source) => source?.shape),
    );
    const evaluate = named(label, () => operator.prepare(node));
    const folded = this.#fold(operator, node, evaluate, message.inputs, sources);
    const initializer = sources.some((source) => source?.initializer === true);
    const outputs = message.outputs.map((name, i) => {
      const constant = folded?.[i];
      return this.#define(name, constant === undefined ? {} : { constant, initializer, shape: constant.shape });
    });
    if (folded !== undefined) return [];
    const inputs = sources.map((source, i) => (node.consumed.has(i) ? 0 : (source?.index ?? 0)));
    return [{ label, evaluate, inputs, outputs }];
  }

  #source(name: string, label: string, produced: ReadonlySet<string>): Source | undefined {
    if (name === "") return undefined;
    const source = this.#sources.get(name);
    if (source !== undefined) return source;
    throw new LoadError(
      "graph",
      produced.has(name)
        ? `${label}: its input ${quoted(name)} is produced by itself or a later node: a cycle, or an order that is not topological`
        : `${label}: nothing produces its input ${quoted(name)}`,
    );
  }

  /** The outputs of a node whose inputs are all constant; undefined where it has to wait for the model to run. */
  #fold(
    { constantFolding = true }: Operator,
    node: Node,
    evaluate: Evaluate,
    names: readonly string[],
    sources: readonly (Source | undefined)[],
  ): PlainValue[] | undefined {
    const { core, folding } = this.#context;
    const known = names.every((name, i) => name === "" || sources[i]?.constant !== undefined);
    if (!constantFolding || !known || folding === undefined) return undefined;
    try {
      node.reserve([sources.reduce((total, source) => total + (source?.constant?.data.length ?? 0), 0)]);
      return withScope(core, null, node.label, () => {
        const values = sources.map(({ constant } = { index: 0 }) =>
          constant === undefined || !isPlainTensor(constant) ? constant : tensor(constant.data, constant.shape, core),
        );
        return named(node.label, () => evaluate(values)).map((value) =>
          value instanceof Ids ? value : { data: value.toArray(), shape: value.shape },
        );
      });
    } catch (error) {
      if (error instanceof TooLargeToFold) return undefined;
      throw error;
    }
  }

  /** Gives memory to the constants that are needed while the model runs. */
  #constants(needed: ReadonlySet<number>, weights: Weights): Map<number, Value> {
    const constants = new Map<number, Value>();
    const parameters: [Parameter, PlainTensor][] = [];
    const add = (index: number, name: string, value: PlainValue, trainable: boolean): void => {
      if (!isPlainTensor(value)) return void constants.set(index, value);
      const parameter = weights.add(name, value, trainable);
      parameters.push([parameter, value]);
      constants.set(index, parameter);
    };
    for (const [name, { index, constant, initializer = false }] of this.#sources) {
      if (constant !== undefined && needed.has(index)) add(index, name, constant, initializer);
    }
    for (const [index, { name, value }] of this.#defaults) add(index, name, value, true);
    weights.allocate(this.#context.core);
    for (const [parameter, { data }] of parameters) parameter.write(data);
    return constants;
  }
}

function describe({ name, dataType, shape }: ValueMessage): Omit<OnnxInput, "optional"> {
  const where = `ONNX graph: its input ${quoted(name)}`;
  const { floating } = elementType(where, dataType);
  if (shape?.some((length) => typeof length === "number" && !(Number.isSafeInteger(length) && length >= 0)) === true) {
    throw new LoadError("shape", `${where} has an impossible shape: ${formatShape(shape)}`);
  }
  return { name, type: floating ? "real" : "whole", shape };
}

/** Throws `LoadError` unless a node has the inputs that its operator needs, and no others. */
function checkInputs(label: string, { inputs: formal }: Operator, given: readonly string[]): void {
  const repeats = formal.at(-1)?.endsWith("...") === true;
  if (!repeats && given.length > formal.length) {
    throw new LoadError("graph", `${label}: it has ${given.length} inputs, its operator takes ${formal.length}`);
  }
  formal.forEach((name, i) => {
    if (!name.endsWith("?") && (given[i] ?? "") === "") {
      throw new LoadError("missing_tensor", `${label}: its input ${name.replace("...", "")} is missing`);
    }
  });
}
