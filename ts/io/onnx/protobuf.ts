/**
 * The messages of ONNX files that are used here, read from and written in the protobuf wire format. Field numbers are those of
 * onnx.proto3 (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3).
 *
 * Files are not trusted: lengths are held against the bytes that are there, and nothing is allocated by what a file
 * merely declares; every refusal is a `LoadError`.
 */
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { LoadError } from "../../errors.js";

/** Graphs nest (the branches of an If) at most this deep; a hostile file could exhaust the stack. */
const MAX_GRAPH_DEPTH = 16;

/** A tensor as the file has it, its elements still undecoded. */
export interface TensorMessage {
  readonly name: string;
  readonly dims: readonly number[];
  /** Number of the element type, see tensors.ts. */
  readonly dataType: number;
  /** Little endian; undefined where the elements are in one of the lists. */
  readonly raw: Uint8Array | undefined;
  /** Elements of float_data, double_data, int32_data, int64_data or uint64_data. */
  readonly elements: readonly number[];
  readonly segmented: boolean;
  /** location, offset, length and checksum of elements that are in another file; undefined where they are in this one. */
  readonly external: ReadonlyMap<string, string> | undefined;
}

/** An attribute of a node: exactly one of the values is what its type says. */
export interface AttributeMessage {
  readonly name: string;
  readonly type: number;
  readonly float: number;
  readonly integer: number;
  readonly string: string;
  readonly tensor: TensorMessage | undefined;
  readonly floats: readonly number[];
  readonly integers: readonly number[];
  readonly strings: readonly string[];
}

/** A node of a graph. An empty name of an input or output says that there is none. */
export interface NodeMessage {
  readonly name: string;
  readonly domain: string;
  readonly operator: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: readonly AttributeMessage[];
}

/** What a graph takes or gives. */
export interface ValueMessage {
  readonly name: string;
  /** Number of the element type; 0 where the value is no tensor. */
  readonly dataType: number;
  /** Lengths; a name (or "" for none) where the length is not fixed. Undefined where nothing is said. */
  readonly shape: readonly (number | string)[] | undefined;
}

export interface GraphMessage {
  readonly name: string;
  readonly nodes: readonly NodeMessage[];
  readonly initializers: readonly TensorMessage[];
  readonly sparseInitializers: number;
  readonly inputs: readonly ValueMessage[];
  readonly outputs: readonly ValueMessage[];
}

export interface ModelMessage {
  /** Version of the format. */
  readonly irVersion: number;
  readonly graph: GraphMessage | undefined;
  /** Version of the operators by domain; the domain of the standard operators is "". */
  readonly opsets: ReadonlyMap<string, number>;
}

/** Reads a whole file. @throws LoadError `truncated` or `encoding` */
export function readModel(file: Uint8Array): ModelMessage {
  try {
    return model(file);
  } catch (error) {
    if (error instanceof LoadError) throw error;
    const message = error instanceof Error ? error.message : String(error);
    // The reader's way of saying that a length goes past the end.
    if (error instanceof RangeError)
      throw new LoadError("truncated", `ONNX file: it ends inside a message (${message})`);
    throw new LoadError("encoding", `not an ONNX file: ${message}`);
  }
}

/** What is known of the field at hand. */
class Field {
  readonly number: number;
  readonly #wire: WireType;
  readonly #reader: BinaryReader;

  constructor(number: number, wire: WireType, reader: BinaryReader) {
    this.number = number;
    this.#wire = wire;
    this.#reader = reader;
  }

  #expect(wire: WireType): BinaryReader {
    if (this.#wire !== wire) throw new Error(`field ${this.number} has wire type ${this.#wire}, expected ${wire}`);
    return this.#reader;
  }

  /** A whole number; those beyond 2^53 are rounded. */
  integer(): number {
    return Number(this.#expect(WireType.Varint).int64());
  }

  float(): number {
    return this.#expect(WireType.Bit32).float();
  }

  /** The bytes of a string, an array or another message: a view of the file's. */
  bytes(): Uint8Array {
    return this.#expect(WireType.LengthDelimited).bytes();
  }

  string(): string {
    return this.#expect(WireType.LengthDelimited).string();
  }

  /** Adds the numbers of a repeated field, in either of its two forms: packed, or one at a time. */
  numbers(into: number[], wire: WireType, one: (reader: BinaryReader) => number | bigint | string): void {
    if (this.#wire !== WireType.LengthDelimited) {
      into.push(Number(one(this.#expect(wire))));
      return;
    }
    const reader = readerOf(this.bytes());
    while (reader.pos < reader.len) into.push(Number(one(reader)));
  }

  integers(into: number[]): void {
    this.numbers(into, WireType.Varint, (reader) => reader.int64());
  }

  floats(into: number[]): void {
    this.numbers(into, WireType.Bit32, (reader) => reader.float());
  }

  doubles(into: number[]): void {
    this.numbers(into, WireType.Bit64, (reader) => reader.double());
  }

  /** Passes over a field that is of no interest. */
  skip(): void {
    // Reading it finds the number that is too long, where skipping does not.
    if (this.#wire === WireType.Varint) this.#reader.uint64();
    else this.#reader.skip(this.#wire, this.number);
  }
}

function readerOf(bytes: Uint8Array): BinaryReader {
  return new BinaryReader(bytes, (text) => new TextDecoder("utf-8", { fatal: true }).decode(text));
}

/** Gives every field of a message to `read`, which reads it or skips it. */
function eachField(message: Uint8Array, read: (field: Field) => void): void {
  const reader = readerOf(message);
  while (reader.pos < reader.len) {
    const [number, wire] = reader.tag();
    read(new Field(number, wire, reader));
  }
}

function model(message: Uint8Array): ModelMessage {
  let found: GraphMessage | undefined;
  let irVersion = 0;
  const opsets = new Map<string, number>();
  eachField(message, (field) => {
    if (field.number === 1) irVersion = field.integer();
    else if (field.number === 7) found = graph(field.bytes(), 1);
    else if (field.number === 8) {
      const [domain, version] = operatorSet(field.bytes());
      opsets.set(domain, version);
    } else field.skip();
  });
  return { irVersion, graph: found, opsets };
}

function operatorSet(message: Uint8Array): [domain: string, version: number] {
  let domain = "";
  let version = 0;
  eachField(message, (field) => {
    if (field.number === 1) domain = field.string();
    else if (field.number === 2) version = field.integer();
    else field.skip();
  });
  return [standardDomain(domain), version];
}

/** The domain of the standard operators has two names. */
function standardDomain(domain: string): string {
  return domain === "ai.onnx" ? "" : domain;
}

function graph(message: Uint8Array, depth: number): GraphMessage {
  if (depth > MAX_GRAPH_DEPTH) {
    throw new LoadError("graph", `ONNX file: graphs nest deeper than ${MAX_GRAPH_DEPTH} levels`);
  }
  let name = "";
  const nodes: NodeMessage[] = [];
  const initializers: TensorMessage[] = [];
  let sparseInitializers = 0;
  const inputs: ValueMessage[] = [];
  const outputs: ValueMessage[] = [];
  eachField(message, (field) => {
    if (field.number === 1) nodes.push(node(field.bytes(), depth));
    else if (field.number === 2) name = field.string();
    else if (field.number === 5) initializers.push(readTensor(field.bytes()));
    else if (field.number === 11) inputs.push(value(field.bytes()));
    else if (field.number === 12) outputs.push(value(field.bytes()));
    else {
      if (field.number === 15) sparseInitializers++;
      field.skip();
    }
  });
  return { name, nodes, initializers, sparseInitializers, inputs, outputs };
}

function node(message: Uint8Array, depth: number): NodeMessage {
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributes: AttributeMessage[] = [];
  let [name, operator, domain] = ["", "", ""];
  eachField(message, (field) => {
    if (field.number === 1) inputs.push(field.string());
    else if (field.number === 2) outputs.push(field.string());
    else if (field.number === 3) name = field.string();
    else if (field.number === 4) operator = field.string();
    else if (field.number === 5) attributes.push(attribute(field.bytes(), depth));
    else if (field.number === 7) domain = standardDomain(field.string());
    else field.skip();
  });
  return { name, domain, operator, inputs, outputs, attributes };
}

function attribute(message: Uint8Array, depth: number): AttributeMessage {
  let [name, type, float, integer, string] = ["", 0, 0, 0, ""];
  let tensor: TensorMessage | undefined;
  const floats: number[] = [];
  const integers: number[] = [];
  const strings: string[] = [];
  eachField(message, (field) => {
    if (field.number === 1) name = field.string();
    else if (field.number === 2) float = field.float();
    else if (field.number === 3) integer = field.integer();
    else if (field.number === 4) string = field.string();
    else if (field.number === 5) tensor = readTensor(field.bytes());
    // Graphs are only checked: no operator that is supported has one.
    else if (field.number === 6 || field.number === 11) graph(field.bytes(), depth + 1);
    else if (field.number === 7) field.floats(floats);
    else if (field.number === 8) field.integers(integers);
    else if (field.number === 9) strings.push(field.string());
    else if (field.number === 20) type = field.integer();
    else field.skip();
  });
  return { name, type, float, integer, string, tensor, floats, integers, strings };
}

/** Reads a tensor, also from a file of its own. */
function readTensor(message: Uint8Array): TensorMessage {
  const dims: number[] = [];
  const elements: number[] = [];
  let [name, dataType, segmented, location] = ["", 0, false, 0];
  let raw: Uint8Array | undefined;
  const external = new Map<string, string>();
  eachField(message, (field) => {
    if (field.number === 1) field.integers(dims);
    else if (field.number === 2) dataType = field.integer();
    else if (field.number === 4) field.floats(elements);
    else if (field.number === 5 || field.number === 7 || field.number === 11) field.integers(elements);
    else if (field.number === 8) name = field.string();
    else if (field.number === 9) raw = field.bytes();
    else if (field.number === 10) field.doubles(elements);
    else if (field.number === 13) {
      const [key, text] = keyAndText(field.bytes());
      external.set(key, text);
    } else if (field.number === 14) location = field.integer();
    else {
      if (field.number === 3) segmented = true;
      field.skip();
    }
  });
  return { name, dims, dataType, raw, elements, segmented, external: location === 1 ? external : undefined };
}

function keyAndText(message: Uint8Array): [key: string, text: string] {
  let [key, text] = ["", ""];
  eachField(message, (field) => {
    if (field.number === 1) key = field.string();
    else if (field.number === 2) text = field.string();
    else field.skip();
  });
  return [key, text];
}

function value(message: Uint8Array): ValueMessage {
  let name = "";
  let dataType = 0;
  let shape: (number | string)[] | undefined;
  const tensorType = (field: Field): void => {
    if (field.number === 1) dataType = field.integer();
    else if (field.number === 2) {
      const lengths: (number | string)[] = [];
      eachField(field.bytes(), (dimension) => {
        if (dimension.number === 1) lengths.push(axisLength(dimension.bytes()));
        else dimension.skip();
      });
      shape = lengths;
    } else field.skip();
  };
  eachField(message, (field) => {
    if (field.number === 1) name = field.string();
    else if (field.number === 2) {
      eachField(field.bytes(), (type) => {
        if (type.number === 1) eachField(type.bytes(), tensorType);
        else type.skip();
      });
    } else field.skip();
  });
  return { name, dataType, shape };
}

function axisLength(message: Uint8Array): number | string {
  let length: number | string = "";
  eachField(message, (field) => {
    if (field.number === 1) length = field.integer();
    else if (field.number === 2) length = field.string();
    else field.skip();
  });
  return length;
}

/** A tensor to write. */
export interface WritableTensor {
  readonly name: string;
  /** Length of each axis. */
  readonly shape: readonly number[];
  /** float32, or int64. */
  readonly data: Float32Array | readonly number[];
}

/** A node to write. */
export interface WritableNode {
  readonly operator: string;
  readonly domain?: string;
  readonly name?: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Whole numbers; numbers as `{ float }`; strings; lists of them; tensors. */
  readonly attributes?: Readonly<Record<string, WritableAttribute>>;
}

export type WritableAttribute =
  | number
  | string
  | { readonly float: number }
  | { readonly integers: readonly number[] }
  | { readonly floats: readonly number[] }
  | { readonly strings: readonly string[] }
  | { readonly tensor: WritableTensor };

/** What a graph takes or gives: float32, or int64 where it is whole. */
export interface WritableValue {
  readonly name: string;
  readonly whole?: boolean;
  readonly shape: readonly (number | string)[];
}

/** A model to write. */
export interface WritableModel {
  readonly name: string;
  /** Version of the operators by domain. */
  readonly opsets: Readonly<Record<string, number>>;
  readonly inputs: readonly WritableValue[];
  readonly outputs: readonly WritableValue[];
  readonly initializers: readonly WritableTensor[];
  readonly nodes: readonly WritableNode[];
}

/** Version of the format; 8 is what runtimes since 2021 read. */
const IR_VERSION = 8;

/** Writes a whole file; what {@link readModel} reads. */
export function writeModel({ name, opsets, inputs, outputs, initializers, nodes }: WritableModel): Uint8Array {
  const to = new BinaryWriter();
  putInteger(to, 1, IR_VERSION);
  putString(to, 2, "unrolled");
  putMessage(to, 7, () => {
    for (const node of nodes) putMessage(to, 1, () => putNode(to, node));
    putString(to, 2, name);
    for (const tensor of initializers) putMessage(to, 5, () => putTensor(to, tensor));
    for (const input of inputs) putMessage(to, 11, () => putValue(to, input));
    for (const output of outputs) putMessage(to, 12, () => putValue(to, output));
  });
  for (const [domain, version] of Object.entries(opsets)) {
    putMessage(to, 8, () => {
      putString(to, 1, domain);
      putInteger(to, 2, version);
    });
  }
  return to.finish();
}

function putInteger(to: BinaryWriter, field: number, value: number): void {
  to.tag(field, WireType.Varint).int64(value);
}

function putString(to: BinaryWriter, field: number, value: string): void {
  to.tag(field, WireType.LengthDelimited).string(value);
}

function putMessage(to: BinaryWriter, field: number, content: () => void): void {
  to.tag(field, WireType.LengthDelimited).fork();
  content();
  to.join();
}

function putNode(to: BinaryWriter, { operator, domain, name, inputs, outputs, attributes = {} }: WritableNode): void {
  for (const input of inputs) putString(to, 1, input);
  for (const output of outputs) putString(to, 2, output);
  if (name !== undefined) putString(to, 3, name);
  putString(to, 4, operator);
  for (const [key, value] of Object.entries(attributes)) putMessage(to, 5, () => putAttribute(to, key, value));
  if (domain !== undefined) putString(to, 7, domain);
}

function putAttribute(to: BinaryWriter, name: string, value: WritableAttribute): void {
  putString(to, 1, name);
  const type = (number: number): void => putInteger(to, 20, number);
  if (typeof value === "number") {
    putInteger(to, 3, value);
    type(2);
  } else if (typeof value === "string") {
    putString(to, 4, value);
    type(3);
  } else if ("float" in value) {
    to.tag(2, WireType.Bit32).float(value.float);
    type(1);
  } else if ("tensor" in value) {
    putMessage(to, 5, () => putTensor(to, value.tensor));
    type(4);
  } else if ("floats" in value) {
    for (const number of value.floats) to.tag(7, WireType.Bit32).float(number);
    type(6);
  } else if ("integers" in value) {
    for (const number of value.integers) putInteger(to, 8, number);
    type(7);
  } else {
    for (const text of value.strings) putString(to, 9, text);
    type(8);
  }
}

function putTensor(to: BinaryWriter, { name, shape, data }: WritableTensor): void {
  for (const length of shape) putInteger(to, 1, length);
  const real = data instanceof Float32Array;
  putInteger(to, 2, real ? 1 : 7);
  putString(to, 8, name);
  const raw = new DataView(new ArrayBuffer(data.length * (real ? 4 : 8)));
  data.forEach((value, i) => {
    if (real) raw.setFloat32(i * 4, value, true);
    else raw.setBigInt64(i * 8, BigInt(value), true);
  });
  to.tag(9, WireType.LengthDelimited).bytes(new Uint8Array(raw.buffer));
}

function putValue(to: BinaryWriter, { name, whole = false, shape }: WritableValue): void {
  putString(to, 1, name);
  putMessage(to, 2, () => {
    putMessage(to, 1, () => {
      putInteger(to, 1, whole ? 7 : 1);
      putMessage(to, 2, () => {
        for (const length of shape) {
          putMessage(to, 1, () => {
            if (typeof length === "number") putInteger(to, 1, length);
            else putString(to, 2, length);
          });
        }
      });
    });
  });
}
