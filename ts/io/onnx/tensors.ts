/**
 * Elements of ONNX tensors. Floating-point numbers of any width become float32; whole numbers and booleans become
 * 32-bit integers, those beyond 32 bits the nearest that there is: what is that large says "to the end" of a slice.
 */
import { ArgumentError, formatShape, LoadError } from "../../errors.js";
import { Ids } from "../../tensor/ids.js";
import { MAX_DIMENSIONS, type PlainTensor, sizeOf, Tensor } from "../../tensor/tensor.js";
import { quoted } from "../json.js";
import { eachElement, toFloat32 } from "../safetensors.js";
import type { TensorMessage } from "./protobuf.js";

/** What goes along the edges of a graph: real numbers, or whole ones. */
export type Value = Tensor | Ids;

/** A value outside the core's memory. */
export type PlainValue = PlainTensor | Ids;

interface ElementType {
  readonly name: string;
  readonly bytes: number;
  readonly floating: boolean;
  /** The same type under the name that safetensors has for it. */
  readonly stored: string;
}

/** TensorProto.DataType; the types that are missing here are not converted. */
const ELEMENT_TYPES: ReadonlyMap<number, ElementType> = new Map<number, ElementType>([
  [1, { name: "float", bytes: 4, floating: true, stored: "F32" }],
  [2, { name: "uint8", bytes: 1, floating: false, stored: "U8" }],
  [3, { name: "int8", bytes: 1, floating: false, stored: "I8" }],
  [4, { name: "uint16", bytes: 2, floating: false, stored: "U16" }],
  [5, { name: "int16", bytes: 2, floating: false, stored: "I16" }],
  [6, { name: "int32", bytes: 4, floating: false, stored: "I32" }],
  [7, { name: "int64", bytes: 8, floating: false, stored: "I64" }],
  [9, { name: "bool", bytes: 1, floating: false, stored: "BOOL" }],
  [10, { name: "float16", bytes: 2, floating: true, stored: "F16" }],
  [11, { name: "double", bytes: 8, floating: true, stored: "F64" }],
  [12, { name: "uint32", bytes: 4, floating: false, stored: "U32" }],
  [13, { name: "uint64", bytes: 8, floating: false, stored: "U64" }],
  [16, { name: "bfloat16", bytes: 2, floating: true, stored: "BF16" }],
]);

/** The type of a number. @throws LoadError `dtype` */
export function elementType(where: string, dataType: number): ElementType {
  const type = ELEMENT_TYPES.get(dataType);
  if (type !== undefined) return type;
  throw new LoadError("dtype", `${where} has element type ${dataType}, which is not one that can be used here`);
}

/** Files that hold elements of tensors, by their path from the model's folder. */
export type ExternalData = ReadonlyMap<string, Uint8Array>;

/**
 * Decodes a tensor.
 * @throws LoadError naming it
 */
export function decodeTensor(where: string, tensor: TensorMessage, external: ExternalData): PlainValue {
  const { dims, dataType, elements, segmented } = tensor;
  const type = elementType(where, dataType);
  if (segmented) throw new LoadError("encoding", `${where} is in segments, which are not supported`);
  const size = sizeOf(dims);
  if (!dims.every((n) => Number.isSafeInteger(n) && n >= 0) || !Number.isSafeInteger(size * type.bytes)) {
    throw new LoadError("shape", `${where} has an impossible shape: ${formatShape(dims)}`);
  }
  if (dims.length > MAX_DIMENSIONS) {
    throw new LoadError("shape", `${where} has ${dims.length} dimensions, at most ${MAX_DIMENSIONS} are supported`);
  }
  const raw = tensor.external === undefined ? tensor.raw : externalBytes(where, tensor.external, external);
  const [got, wanted] = raw === undefined ? [elements.length, size] : [raw.length, size * type.bytes];
  if (got !== wanted) {
    throw new LoadError(
      got < wanted ? "truncated" : "shape",
      `${where} of shape ${formatShape(dims)} and type ${type.name} needs ${wanted} ${raw === undefined ? "elements" : "bytes"}, the file holds ${got}`,
    );
  }
  if (raw === undefined && !type.floating) return new Ids(Int32Array.from(elements, toInteger), dims);
  if (raw === undefined && type.bytes > 2) return { data: Float32Array.from(elements), shape: dims };
  const stored = { dtype: type.stored, shape: dims, bytes: raw ?? bytesOfHalves(elements) };
  if (type.floating) return { data: toFloat32(where, stored), shape: dims };
  const integers = new Int32Array(size);
  eachElement(where, stored, (value, i) => {
    integers[i] = toInteger(value);
  });
  return new Ids(integers, dims);
}

/** Floats of 16 bits are their bits where they are in a list. */
function bytesOfHalves(elements: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(elements.length * 2);
  const view = new DataView(bytes.buffer);
  elements.forEach((half, i) => {
    view.setUint16(i * 2, half, true);
  });
  return bytes;
}

/** The nearest 32-bit integer, without the fraction. */
export function toInteger(value: number): number {
  return Math.max(-0x8000_0000, Math.min(0x7fff_ffff, Math.trunc(value)));
}

/** The part of another file that holds a tensor. Files are never opened here: only those that were given are used. */
function externalBytes(where: string, entries: ReadonlyMap<string, string>, files: ExternalData): Uint8Array {
  const location = entries.get("location") ?? "";
  const steps = location.split("/");
  if (!/^[^\\:\0]+$/.test(location) || steps.includes("..") || location.startsWith("/")) {
    throw new LoadError(
      "external_data",
      `${where} has external data at location ${quoted(location)}, which is outside the model's folder`,
    );
  }
  const path = steps.filter((step) => step !== "." && step !== "").join("/");
  const file = files.get(path);
  if (file === undefined) {
    throw new LoadError("external_data", `${where} is in the external file ${quoted(path)}, which was not given`);
  }
  const count = (key: string, otherwise: number): number => {
    const text = entries.get(key);
    if (text === undefined) return otherwise;
    if (/^\d{1,15}$/.test(text)) return Number(text);
    throw new LoadError("external_data", `${where}: ${key} of its external data is ${quoted(text)}, expected a count`);
  };
  const offset = count("offset", 0);
  const length = count("length", Math.max(0, file.length - offset));
  if (offset + length > file.length) {
    throw new LoadError(
      "truncated",
      `${where} ends at byte ${offset + length} of the external file ${quoted(path)}, which has ${file.length}`,
    );
  }
  return file.subarray(offset, offset + length);
}

/** Whether a value is of real numbers. */
export function isPlainTensor(value: PlainValue): value is PlainTensor {
  return !(value instanceof Ids);
}

/** Throws `ArgumentError` unless a value is what is needed. */
export function real(where: string, name: string, value: Value | undefined): Tensor {
  if (value instanceof Tensor) return value;
  throw new ArgumentError(where, name, "of real numbers", value);
}

export function whole(where: string, name: string, value: Value | undefined): Ids {
  if (value instanceof Ids) return value;
  throw new ArgumentError(where, name, "of whole numbers", value);
}
