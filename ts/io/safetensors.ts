/**
 * The safetensors format (https://github.com/huggingface/safetensors): 8 bytes, little endian, the length of a JSON
 * header; the header, `{"name": {"dtype", "shape", "data_offsets": [begin, end]}, ..., "__metadata__": {string:
 * string}}`; then the data, row major, little endian, without holes.
 *
 * Files are not trusted: nothing is allocated by what a file merely declares, every refusal is a `LoadError`.
 */
import { ArgumentError, formatShape, LoadError } from "../errors.js";
import { entriesOf, isPlainFileName, parseUntrustedObject, quoted } from "./json.js";

/** The limit of the reference implementation. */
const MAX_HEADER_BYTES = 100_000_000;

interface ElementType {
  readonly bytes: number;
  readonly floating: boolean;
  /** Reads one element; absent where no conversion to float32 is offered. */
  readonly get?: (view: DataView, at: number) => number;
}

const ELEMENT_TYPES: ReadonlyMap<string, ElementType> = new Map<string, ElementType>([
  ["F32", { bytes: 4, floating: true, get: (view, at) => view.getFloat32(at, true) }],
  ["F64", { bytes: 8, floating: true, get: (view, at) => view.getFloat64(at, true) }],
  ["F16", { bytes: 2, floating: true, get: (view, at) => fromHalf(view.getUint16(at, true)) }],
  ["BF16", { bytes: 2, floating: true, get: (view, at) => fromBrainFloat(view.getUint16(at, true)) }],
  ["I64", { bytes: 8, floating: false, get: (view, at) => Number(view.getBigInt64(at, true)) }],
  ["U64", { bytes: 8, floating: false, get: (view, at) => Number(view.getBigUint64(at, true)) }],
  ["I32", { bytes: 4, floating: false, get: (view, at) => view.getInt32(at, true) }],
  ["U32", { bytes: 4, floating: false, get: (view, at) => view.getUint32(at, true) }],
  ["I16", { bytes: 2, floating: false, get: (view, at) => view.getInt16(at, true) }],
  ["U16", { bytes: 2, floating: false, get: (view, at) => view.getUint16(at, true) }],
  ["I8", { bytes: 1, floating: false, get: (view, at) => view.getInt8(at) }],
  ["U8", { bytes: 1, floating: false, get: (view, at) => view.getUint8(at) }],
  ["BOOL", { bytes: 1, floating: false, get: (view, at) => (view.getUint8(at) === 0 ? 0 : 1) }],
  ["F8_E4M3", { bytes: 1, floating: true }],
  ["F8_E5M2", { bytes: 1, floating: true }],
  ["F8_E8M0", { bytes: 1, floating: true }],
  ["C64", { bytes: 8, floating: false }],
]);

/** A tensor of a file: its bytes are a view of the file's. */
export interface StoredTensor {
  /** As the file names it, for example `"F32"` or `"BF16"`. */
  readonly dtype: string;
  /** Length of each axis. */
  readonly shape: readonly number[];
  /** The elements, little-endian, row-major. */
  readonly bytes: Uint8Array;
}

/** The content of a safetensors file. */
export interface Safetensors {
  /** Of the header, by key. */
  readonly metadata: ReadonlyMap<string, string>;
  /** By name, in the order of the data. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

/** A tensor to write; the array type decides the dtype: F32, I32 or U8. */
export interface WritableTensor {
  /** Length of each axis. */
  readonly shape: readonly number[];
  /** The elements, row-major. */
  readonly data: Float32Array | Int32Array | Uint8Array;
}

/** Reads a safetensors file. Throws `LoadError` for anything that is not exactly one. */
export function readSafetensors(file: Uint8Array | ArrayBuffer): Safetensors {
  const bytes = file instanceof Uint8Array ? file : new Uint8Array(file);
  if (bytes.length < 8)
    throw new LoadError("truncated", `a safetensors file starts with 8 bytes of length, got ${bytes.length} bytes`);
  const declared = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  if (declared > BigInt(MAX_HEADER_BYTES)) {
    throw new LoadError(
      "header",
      `not a safetensors file: its header would have ${declared} bytes, ${MAX_HEADER_BYTES} are allowed`,
    );
  }
  const headerLength = Number(declared);
  if (headerLength === 0) throw new LoadError("header", "not a safetensors file: its header is empty");
  if (8 + headerLength > bytes.length) {
    throw new LoadError(
      "truncated",
      `safetensors header has ${headerLength} bytes, the file ends after ${bytes.length - 8} of them`,
    );
  }
  const header = parseUntrustedObject(bytes.subarray(8, 8 + headerLength), "safetensors header");
  const metadata = readMetadata(header.get("__metadata__"));
  header.delete("__metadata__");
  return { metadata, tensors: readTensors(header, bytes.subarray(8 + headerLength)) };
}

function readMetadata(value: unknown): Map<string, string> {
  if (value === undefined) return new Map();
  const metadata = entriesOf(value);
  if (metadata === undefined) throw new LoadError("header", "safetensors __metadata__ must be an object of strings");
  for (const [key, text] of metadata) {
    if (typeof text !== "string")
      throw new LoadError("header", `safetensors __metadata__: ${quoted(key)} must be a string`);
  }
  return metadata as Map<string, string>;
}

interface Extent {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

function readTensors(header: ReadonlyMap<string, unknown>, data: Uint8Array): Map<string, StoredTensor> {
  const extents = Array.from(header, ([name, entry]) => readExtent(name, entry));
  extents.sort((a, b) => a.begin - b.begin || a.end - b.end);
  const tensors = new Map<string, StoredTensor>();
  let end = 0;
  for (const extent of extents) {
    const where = `safetensors: tensor ${quoted(extent.name)}`;
    if (extent.begin !== end) {
      const problem =
        extent.begin < end ? "overlaps the tensor before it, which ends" : "leaves a hole: the data before it end";
      throw new LoadError("offsets", `${where} starts at byte ${extent.begin} and ${problem} at ${end}`);
    }
    end = extent.end;
    if (end > data.length) {
      throw new LoadError(
        "truncated",
        `${where} ends at byte ${end} of the data, the file holds ${data.length} bytes of data`,
      );
    }
    tensors.set(extent.name, { dtype: extent.dtype, shape: extent.shape, bytes: data.subarray(extent.begin, end) });
  }
  if (end !== data.length) {
    throw new LoadError("offsets", `safetensors: ${data.length - end} bytes after the last tensor belong to none`);
  }
  return tensors;
}

function readExtent(name: string, value: unknown): Extent {
  const where = `safetensors: tensor ${quoted(name)}`;
  const entry = entriesOf(value);
  if (entry === undefined) throw new LoadError("header", `${where} is not described by an object`);
  const dtype = entry.get("dtype");
  const shape = entry.get("shape");
  const offsets = entry.get("data_offsets");
  if (typeof dtype !== "string") throw new LoadError("header", `${where} has no dtype`);
  if (!Array.isArray(shape)) throw new LoadError("header", `${where} has no shape`);
  if (!Array.isArray(offsets)) throw new LoadError("header", `${where} has no data_offsets`);
  const type = ELEMENT_TYPES.get(dtype);
  if (type === undefined) throw new LoadError("dtype", `${where} has the unknown dtype ${quoted(dtype)}`);
  if (!shape.every(isCount))
    throw new LoadError("shape", `${where} has a shape that is not made of counts: ${brief(shape)}`);
  const byteLength = shape.reduce((product: number, size) => product * size, type.bytes);
  if (!Number.isSafeInteger(byteLength))
    throw new LoadError("shape", `${where} has an impossible size: ${formatShape(shape)}`);
  const [begin, end] = offsets as unknown[];
  if (offsets.length !== 2 || !isCount(begin) || !isCount(end) || end < begin) {
    throw new LoadError(
      "offsets",
      `${where} has data_offsets ${brief(offsets)}, expected two ascending counts of bytes`,
    );
  }
  if (end - begin !== byteLength) {
    throw new LoadError(
      "shape",
      `${where} of shape ${formatShape(shape)} and dtype ${dtype} needs ${byteLength} bytes, its offsets give ${end - begin}`,
    );
  }
  return { name, dtype, shape, begin, end };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function brief(values: readonly unknown[]): string {
  const text = JSON.stringify(values.slice(0, 8));
  return text.length <= 120 ? text : `${text.slice(0, 117)}...`;
}

/** Whether a dtype holds real numbers, such as weights are. */
export function isFloatingDType(dtype: string): boolean {
  return ELEMENT_TYPES.get(dtype)?.floating ?? false;
}

/**
 * The elements of a tensor as float32: F32 exactly, F16 and BF16 exactly, F64 and large integers rounded.
 * Throws `LoadError` (`dtype`) for the 8-bit floats and complex numbers, which are not converted.
 */
export function toFloat32(name: string, tensor: StoredTensor): Float32Array {
  const { bytes } = tensor;
  // A copy: the data of a file need not be aligned. (Not `slice`, which is a view when the bytes are a Buffer of Node.)
  if (tensor.dtype === "F32") return new Float32Array(new Uint8Array(bytes).buffer);
  const values = new Float32Array(elementCount(tensor));
  eachElement(name, tensor, (value, i) => {
    values[i] = value;
  });
  return values;
}

function elementCount({ dtype, bytes }: StoredTensor): number {
  return bytes.length / (ELEMENT_TYPES.get(dtype)?.bytes ?? 1);
}

/**
 * Gives every element of a tensor to `use` as a number.
 * @throws LoadError (`dtype`) as {@link toFloat32}
 * @internal
 */
export function eachElement(name: string, tensor: StoredTensor, use: (value: number, index: number) => void): void {
  const type = ELEMENT_TYPES.get(tensor.dtype);
  if (type?.get === undefined) {
    throw new LoadError("dtype", `tensor ${quoted(name)} has dtype ${tensor.dtype}, which is not converted to float32`);
  }
  const { bytes } = tensor;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = elementCount(tensor);
  for (let i = 0; i < count; i++) use(type.get(view, i * type.bytes), i);
}

const bits = new Uint32Array(1);
const float = new Float32Array(bits.buffer);

/** IEEE 754 binary16: 1 sign, 5 exponent, 10 fraction bits. */
function fromHalf(half: number): number {
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  const sign = half & 0x8000 ? -1 : 1;
  // The subnormals: 2^-24 times the fraction.
  if (exponent === 0) return (sign * fraction) / 0x1000000;
  bits[0] = (exponent === 0x1f ? 0x7f800000 : (exponent + 112) << 23) | (fraction << 13);
  return sign * (float[0] as number);
}

/** bfloat16: the upper half of a float32. */
function fromBrainFloat(half: number): number {
  bits[0] = half << 16;
  return float[0] as number;
}

/**
 * Writes a safetensors file. The bytes depend on the content alone: larger elements first, then by name; the header is
 * padded so that the data start at a multiple of 8.
 * @throws ArgumentError when a name occurs twice or a shape does not fit its data
 */
export function writeSafetensors(
  tensors: Iterable<readonly [string, WritableTensor]>,
  metadata: Iterable<readonly [string, string]> = [],
): Uint8Array {
  const sorted = [...tensors].sort(
    ([nameA, a], [nameB, b]) => b.data.BYTES_PER_ELEMENT - a.data.BYTES_PER_ELEMENT || (nameA < nameB ? -1 : 1),
  );
  const fields: string[] = [];
  const pairs = [...metadata].sort(([a], [b]) => (a < b ? -1 : 1));
  if (pairs.length > 0) {
    fields.push(
      `"__metadata__":{${pairs.map(([key, text]) => `${JSON.stringify(key)}:${JSON.stringify(text)}`).join(",")}}`,
    );
  }
  const names = new Set(["__metadata__"]);
  let end = 0;
  for (const [name, { shape, data }] of sorted) {
    if (names.has(name)) throw new ArgumentError("writeSafetensors", "name", "given once", name);
    names.add(name);
    if (shape.reduce((product, size) => product * size, 1) !== data.length) {
      throw new ArgumentError(`writeSafetensors: ${quoted(name)}`, "shape", `of ${data.length} elements`, shape);
    }
    const dtype = data instanceof Float32Array ? "F32" : data instanceof Int32Array ? "I32" : "U8";
    const begin = end;
    end += data.byteLength;
    fields.push(
      `${JSON.stringify(name)}:{"dtype":"${dtype}","shape":[${shape.join()}],"data_offsets":[${begin},${end}]}`,
    );
  }
  const header = new TextEncoder().encode(`{${fields.join(",")}}`);
  const headerLength = Math.ceil(header.length / 8) * 8;
  const file = new Uint8Array(8 + headerLength + end).fill(SPACE, 8, 8 + headerLength);
  new DataView(file.buffer).setBigUint64(0, BigInt(headerLength), true);
  file.set(header, 8);
  let at = 8 + headerLength;
  for (const [, { data }] of sorted) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return file;
}

const SPACE = 0x20;

/** Which file holds which tensor of a model that is split over several (`model.safetensors.index.json`). */
export interface ShardIndex {
  /** The files to read, each a plain name beside the index; sorted. */
  readonly files: readonly string[];
  /** The file of each tensor. */
  readonly weightMap: ReadonlyMap<string, string>;
}

/** Reads an index of shards. Throws `LoadError`; also (`external_data`) for a file that is not a plain name, as it may leave the folder. */
export function readShardIndex(json: Uint8Array | string): ShardIndex {
  const what = "safetensors index";
  const index = parseUntrustedObject(typeof json === "string" ? new TextEncoder().encode(json) : json, what);
  const weightMap = entriesOf(index.get("weight_map"));
  if (weightMap === undefined) throw new LoadError("header", `${what}: weight_map must be an object`);
  for (const [name, file] of weightMap) {
    if (typeof file !== "string")
      throw new LoadError("header", `${what}: the file of ${quoted(name)} must be a string`);
    if (!isPlainFileName(file)) {
      throw new LoadError(
        "external_data",
        `${what}: ${quoted(name)} is in ${quoted(file)}, expected a file beside the index`,
      );
    }
  }
  const files = weightMap as Map<string, string>;
  return { files: [...new Set(files.values())].sort(), weightMap: files };
}

/**
 * The tensors of all shards as one file's. Throws `LoadError` when a shard is not given, or lacks or repeats what the
 * index says.
 * @param shards - the bytes of every file of `index.files`, by name
 */
export function readShards(index: ShardIndex, shards: ReadonlyMap<string, Uint8Array>): Safetensors {
  const tensors = new Map<string, StoredTensor>();
  const metadata = new Map<string, string>();
  for (const file of index.files) {
    const bytes = shards.get(file);
    if (bytes === undefined)
      throw new LoadError("external_data", `safetensors index: the file ${quoted(file)} is missing`);
    const shard = readSafetensors(bytes);
    for (const [key, text] of shard.metadata) metadata.set(key, text);
    for (const [name, tensor] of shard.tensors) {
      if (index.weightMap.get(name) !== file) {
        throw new LoadError(
          "unexpected_tensor",
          `safetensors index: ${quoted(file)} holds ${quoted(name)}, which the index has not there`,
        );
      }
      tensors.set(name, tensor);
    }
  }
  for (const [name, file] of index.weightMap) {
    if (!tensors.has(name))
      throw new LoadError("missing_tensor", `safetensors index: ${quoted(file)} lacks ${quoted(name)}`);
  }
  return { metadata, tensors };
}
