/** What operators are made of, and what they get to see of a node. */
import type { Core } from "../../core/core.js";
import { DTypeError, LoadError, OutOfMemoryError } from "../../errors.js";
import type { Module } from "../../nn/module.js";
import { Ids } from "../../tensor/ids.js";
import { sizeOf, Tensor } from "../../tensor/tensor.js";
import { quoted } from "../json.js";
import type { AttributeMessage, NodeMessage } from "./protobuf.js";
import { decodeTensor, type ExternalData, type PlainValue, type Value } from "./tensors.js";

/** Computes the outputs of a node, in the order of the specification; undefined stands for an input that is left out. */
export type Evaluate = (inputs: Inputs) => readonly Value[];
export type Inputs = readonly (Value | undefined)[];

/** An operator of the specification (https://onnx.ai/onnx/operators). */
export interface Operator {
  /** Its inputs' names; `?` behind one that may be left out, `...` behind the last, which may come any number of times. */
  readonly inputs: readonly string[];
  /** Reads the attributes of a node, once, and returns what computes it. */
  readonly prepare: (node: Node) => Evaluate;
  /** Whether its outputs are computed while loading when all inputs are constant; default true. */
  readonly constantFolding?: boolean;
}

/** Operators by name. */
export type Operators = Readonly<Record<string, Operator>>;

/** Elements that constants may have in all, beyond what the file holds; undefined while a model runs. */
export interface FoldingAllowance {
  elements: number;
}

/** Thrown when a constant is too large to be computed ahead: it is computed when the model runs, and asked for. */
export class TooLargeToFold extends Error {}

/** What all nodes of a model share. */
export interface ModelContext {
  readonly core: Core;
  readonly external: ExternalData;
  /** Layers that nodes made of constant weights; the model's. */
  readonly layers: Module[];
  /** Layers whose weights come with every call. */
  readonly temporary: Set<Module>;
  folding: FoldingAllowance | undefined;
}

/** Most elements of a value, so that its bytes can be addressed. */
const MAX_ELEMENTS = 0x3fff_ffff;

/** AttributeProto.AttributeType */
const attributeTypes = { float: 1, integer: 2, string: 3, tensor: 4, floats: 6, integers: 7, strings: 8 } as const;
type AttributeType = keyof typeof attributeTypes;

/** One node of a graph, as its operator sees it. */
export class Node {
  /** Name for messages, for example `LSTM node "/rnn/LSTM"`. */
  readonly label: string;
  /** Version of the operators of its domain. */
  readonly version: number;
  readonly context: ModelContext;
  /** How many outputs are named. */
  readonly outputCount: number;
  /** Values of inputs that are known before the model runs. */
  readonly constants: readonly (PlainValue | undefined)[];
  /** Shapes of inputs as far as the file says them: lengths, or text where they are not fixed. */
  readonly shapes: readonly (readonly (number | string)[] | undefined)[];
  /** Inputs that the operator has taken as constants and needs no more. */
  readonly consumed = new Set<number>();
  readonly #names: readonly string[];
  readonly #given: readonly string[];
  readonly #attributes = new Map<string, AttributeMessage>();

  constructor(
    message: NodeMessage,
    names: readonly string[],
    version: number,
    context: ModelContext,
    constants: Node["constants"],
    shapes: Node["shapes"],
  ) {
    this.label = labelOf(message);
    this.version = version;
    this.context = context;
    this.outputCount = message.outputs.length;
    this.constants = constants;
    this.shapes = shapes;
    this.#names = names;
    this.#given = message.inputs;
    for (const attribute of message.attributes) {
      if (this.has(attribute.name)) throw this.invalid(quoted(attribute.name), "given once", "several of them");
      this.#attributes.set(attribute.name, attribute);
    }
  }

  /** Name of an input in the specification. */
  inputName(index: number): string {
    return (this.#names[Math.min(index, this.#names.length - 1)] ?? "").replace(/[?.]+$/, "");
  }

  /** Whether an input is there, rather than left out. */
  given(index: number): boolean {
    return (this.#given[index] ?? "") !== "";
  }

  has(attribute: string): boolean {
    return this.#attributes.has(attribute);
  }

  #attribute(name: string, type: AttributeType): AttributeMessage | undefined {
    const attribute = this.#attributes.get(name);
    if (attribute === undefined || attribute.type === attributeTypes[type]) return attribute;
    throw this.invalid(name, `of type ${type}`, `one of type ${attribute.type}`);
  }

  /** The error for an attribute that cannot be used. */
  invalid(name: string, expected: string, got: string): LoadError {
    return new LoadError("value", `${this.label}: attribute ${name} must be ${expected}, got ${got}`);
  }

  integer(name: string, otherwise: number): number {
    return this.#attribute(name, "integer")?.integer ?? otherwise;
  }

  /** An attribute that is 0 or 1. */
  flag(name: string): boolean {
    const value = this.integer(name, 0);
    if (value !== 0 && value !== 1) throw this.invalid(name, "0 or 1", String(value));
    return value === 1;
  }

  float(name: string, otherwise: number): number {
    const value = this.#attribute(name, "float")?.float ?? otherwise;
    if (!Number.isFinite(value)) throw this.invalid(name, "a finite number", String(value));
    return value;
  }

  /** One of some words; the first is the default. */
  choice<const T extends string>(name: string, choices: readonly [T, ...T[]]): T {
    const value = this.#attribute(name, "string")?.string ?? choices[0];
    const found = choices.find((choice) => choice === value);
    if (found === undefined) throw this.invalid(name, choices.map(quoted).join(" or "), quoted(value));
    return found;
  }

  integers(name: string): readonly number[] | undefined {
    return this.#attribute(name, "integers")?.integers;
  }

  floats(name: string): readonly number[] | undefined {
    const values = this.#attribute(name, "floats")?.floats;
    if (values?.every(Number.isFinite) === false) throw this.invalid(name, "finite numbers", values.join(", "));
    return values;
  }

  strings(name: string): readonly string[] | undefined {
    return this.#attribute(name, "strings")?.strings;
  }

  tensor(name: string): PlainValue | undefined {
    const message = this.#attribute(name, "tensor")?.tensor;
    if (message === undefined) return undefined;
    return decodeTensor(`${this.label}: attribute ${name}`, message, this.context.external);
  }

  /** An input of real numbers. */
  real(inputs: Inputs, index: number): Tensor {
    const value = inputs[index];
    if (value instanceof Tensor) return value;
    throw new DTypeError(this.label, `input ${this.inputName(index)}`, "Tensor, real numbers", value);
  }

  /** As {@link real}, undefined where it is left out. */
  optionalReal(inputs: Inputs, index: number): Tensor | undefined {
    return inputs[index] === undefined ? undefined : this.real(inputs, index);
  }

  /** An input of whole numbers. */
  whole(inputs: Inputs, index: number): Ids {
    const value = inputs[index];
    if (value instanceof Ids) return value;
    throw new DTypeError(this.label, `input ${this.inputName(index)}`, "Ids, whole numbers", value);
  }

  /** As {@link whole}, as a list; undefined where it is left out. */
  wholeList(inputs: Inputs, index: number): number[] | undefined {
    return inputs[index] === undefined ? undefined : [...this.whole(inputs, index).data];
  }

  /**
   * To be called before making a value that can be larger than all inputs together.
   * @throws OutOfMemoryError, or while loading TooLargeToFold
   */
  reserve(shape: readonly number[]): void {
    const size = sizeOf(shape);
    const { folding } = this.context;
    if (folding !== undefined) {
      folding.elements -= size;
      if (!(folding.elements >= 0)) throw new TooLargeToFold();
    }
    if (!(size <= MAX_ELEMENTS)) throw new OutOfMemoryError(size * 4, this.label);
  }
}

/** Name of a node for messages; exporters do not name all of them. */
export function labelOf({ name, operator, outputs }: NodeMessage): string {
  return name === ""
    ? `${operator} node of ${quoted(outputs.find((output) => output !== "") ?? "")}`
    : `${operator} node ${quoted(name)}`;
}
