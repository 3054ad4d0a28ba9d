/**
 * Reading HDF5, as much of it as Keras writes: groups (symbol tables and link messages), datasets in one piece, string
 * attributes. The HDF Group, "HDF5 File Format Specification Version 3.0".
 *
 * A reader of its own, because a file is not trusted: every structure is followed at most once, nothing is read outside
 * the file, and nothing is allocated that the file does not hold. Libraries that read all of HDF5 follow what
 * a file says (a tree whose nodes share children takes them exponential time), or are a C library of a megabyte.
 */
import { formatShape, LoadError } from "../../errors.js";
import type { PlainTensor } from "../../tensor/tensor.js";
import { quoted } from "../json.js";
import { type StoredTensor, toFloat32 } from "../safetensors.js";

const SIGNATURE = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a];

/** Types of messages in object headers that matter here. */
const MESSAGE = {
  dataspace: 0x01,
  linkInfo: 0x02,
  datatype: 0x03,
  link: 0x06,
  layout: 0x08,
  attribute: 0x0c,
  continuation: 0x10,
  symbolTable: 0x11,
} as const;

/** An address that points nowhere: all bits set. */
const UNDEFINED = -1;

/** A message of an object header: its type and where its data are. */
interface Message {
  readonly type: number;
  readonly begin: number;
  readonly end: number;
}

/** How elements are stored. */
interface DataType {
  readonly kind: "number" | "string" | "text" | "other";
  /** Of a number, as safetensors calls it; undefined where that has none. */
  readonly dtype: string | undefined;
  readonly littleEndian: boolean;
  readonly bytes: number;
}

/** Numbers and addresses at places of the file, all of which are checked. */
class Source {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  /** Reads that are left: structures that overlap could be gone through for hours, though each is sound and finite. */
  #reads: number;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#reads = 1e6 + 16 * bytes.length;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** @throws LoadError (truncated) unless the range is in the file; (encoding) when too much has been read */
  range(begin: number, length: number): number {
    this.#reads -= 1 + length / 64;
    if (this.#reads < 0) throw new LoadError("encoding", "HDF5: the structures of the file overlap again and again");
    if (begin < 0 || length < 0 || begin + length > this.bytes.length) {
      throw new LoadError("truncated", `HDF5: ${length} bytes at ${begin} of a file of ${this.bytes.length} bytes`);
    }
    return begin;
  }

  u8(at: number): number {
    return this.#view.getUint8(this.range(at, 1));
  }

  u16(at: number): number {
    return this.#view.getUint16(this.range(at, 2), true);
  }

  u32(at: number): number {
    return this.#view.getUint32(this.range(at, 4), true);
  }

  /** An address or length of 8 bytes; {@link UNDEFINED} for all bits set. @throws LoadError (truncated) past 2^53 */
  u64(at: number): number {
    const [low, high] = [this.u32(at), this.u32(at + 4)];
    if (low === 0xffffffff && high === 0xffffffff) return UNDEFINED;
    if (high >= 0x200000) throw new LoadError("truncated", `HDF5: the number at ${at} is larger than any file`);
    return high * 0x100000000 + low;
  }

  /** @throws LoadError (encoding) unless these characters are there */
  expect(at: number, signature: string): void {
    const found = this.text(at, signature.length);
    if (found !== signature) throw new LoadError("encoding", `HDF5: ${quoted(signature)} expected at ${at}`);
  }

  /** UTF-8, to the first zero byte. */
  text(at: number, length: number): string {
    const bytes = this.bytes.subarray(this.range(at, length), at + length);
    const end = bytes.indexOf(0);
    return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
  }
}

/** Remembers where a walk has been: no structure of a sound file is reached twice. */
class Visits {
  readonly #seen = new Set<number>();

  /** @throws LoadError (encoding) at the second visit */
  add(address: number): void {
    if (this.#seen.has(address)) throw new LoadError("encoding", `HDF5: the structure at ${address} contains itself`);
    this.#seen.add(address);
  }
}

/**
 * Opens a file: its root group.
 * @throws LoadError (encoding, truncated, unsupported_version)
 */
export function openHdf5(bytes: Uint8Array): Hdf5Object {
  if (!SIGNATURE.every((byte, i) => bytes[i] === byte))
    throw new LoadError("encoding", "HDF5: the signature is missing");
  const source = new Source(bytes);
  const version = source.u8(8);
  if (version > 3) throw new LoadError("unsupported_version", `HDF5: superblock version ${version}`);
  const old = version < 2;
  const sizes = old ? 13 : 9;
  if (source.u8(sizes) !== 8 || source.u8(sizes + 1) !== 8) {
    throw new LoadError("unsupported_version", "HDF5: addresses of another size than 8 bytes");
  }
  // Version 1 has four bytes more than version 0.
  const base = old ? 24 + 4 * version : 12;
  if (source.u64(base) !== 0) throw new LoadError("unsupported_version", "HDF5: the file begins with a user block");
  const end = source.u64(base + 16);
  if (end > bytes.length) throw new LoadError("truncated", `HDF5: ${bytes.length} bytes of a file of ${end}`);
  return new Hdf5Object(source, source.u64(old ? base + 40 : base + 24), "/");
}

/** A group or a dataset. */
export class Hdf5Object {
  readonly path: string;
  readonly #source: Source;
  readonly #messages: readonly Message[];
  #links: ReadonlyMap<string, number> | null = null;

  /** @internal */
  constructor(source: Source, address: number, path: string) {
    this.path = path;
    this.#source = source;
    this.#messages = readMessages(source, address);
  }

  /** Names of what a group holds, in the order of the file. */
  get names(): string[] {
    return [...this.#children().keys()];
  }

  /** What a path of names leads to; undefined when there is nothing. */
  get(...names: string[]): Hdf5Object | undefined {
    let found: Hdf5Object | undefined = this;
    for (const name of names) {
      const address: number | undefined = found.#children().get(name);
      if (address === undefined) return undefined;
      found = new Hdf5Object(this.#source, address, `${found.path === "/" ? "" : found.path}/${name}`);
    }
    return found;
  }

  /** The strings of an attribute; undefined when it does not exist. @throws LoadError (dtype) for other values */
  strings(name: string): string[] | undefined {
    const source = this.#source;
    for (const { begin, end } of this.#all(MESSAGE.attribute)) {
      const version = source.u8(begin);
      if (version < 1 || version > 3) throw new LoadError("unsupported_version", `HDF5: attribute version ${version}`);
      // Version 1 pads its parts to multiples of 8 bytes.
      const padded = (size: number): number => (version === 1 ? Math.ceil(size / 8) * 8 : size);
      const nameAt = begin + (version === 3 ? 9 : 8);
      if (source.text(nameAt, source.u16(begin + 2)) !== name) continue;
      const typeAt = nameAt + padded(source.u16(begin + 2));
      const spaceAt = typeAt + padded(source.u16(begin + 4));
      const count = readShape(source, spaceAt).reduce((product, size) => product * size, 1);
      // Keras writes an empty list as one of numbers.
      if (count === 0) return [];
      const type = readType(source, typeAt);
      const at = spaceAt + padded(source.u16(begin + 6));
      if (at + count * type.bytes > end) throw new LoadError("encoding", `HDF5: the attribute ${quoted(name)} is cut`);
      return this.#strings(name, type, count, at);
    }
    return undefined;
  }

  /** The numbers of a dataset as float32. @throws LoadError (missing_tensor: it is a group; dtype, unsupported_op) */
  tensor(): PlainTensor {
    const source = this.#source;
    const [space, type, layout] = [
      this.#all(MESSAGE.dataspace)[0],
      this.#all(MESSAGE.datatype)[0],
      this.#all(MESSAGE.layout)[0],
    ];
    if (space === undefined || type === undefined || layout === undefined) {
      throw new LoadError("missing_tensor", `HDF5: ${quoted(this.path)} is no dataset`);
    }
    const shape = readShape(source, space.begin);
    const { kind, dtype, littleEndian, bytes } = readType(source, type.begin);
    if (kind !== "number" || dtype === undefined || !littleEndian) {
      throw new LoadError("dtype", `HDF5: ${quoted(this.path)} does not hold little-endian numbers`);
    }
    const length = shape.reduce((product, size) => product * size, bytes);
    if (!Number.isSafeInteger(length)) {
      throw new LoadError("shape", `HDF5: ${quoted(this.path)} has an impossible size: ${formatShape(shape)}`);
    }
    const at = length === 0 ? 0 : source.range(this.#dataAt(layout.begin), length);
    const stored: StoredTensor = { dtype, shape, bytes: source.bytes.subarray(at, at + length) };
    return { data: toFloat32(this.path, stored), shape };
  }

  /** Where the data of a dataset begin. */
  #dataAt(at: number): number {
    const source = this.#source;
    const version = source.u8(at);
    // Versions 1 and 2: dimensions, class, 5 reserved bytes, address. Versions 3 and 4: class, then address or data.
    const old = version < 3;
    const kind = source.u8(at + (old ? 2 : 1));
    if (version <= 4 && kind === 1) return source.u64(at + (old ? 8 : 2));
    if (version <= 4 && kind === 0 && !old) return at + 4;
    throw new LoadError(
      "unsupported_op",
      `HDF5: ${quoted(this.path)} is stored in chunks, which are not read; h5repack -l CONTI stores it in one piece`,
    );
  }

  #strings(name: string, type: DataType, count: number, at: number): string[] {
    const source = this.#source;
    // Elements without bytes would be as many as the file likes to say.
    if ((type.kind !== "string" && type.kind !== "text") || type.bytes === 0) {
      throw new LoadError("dtype", `HDF5: the attribute ${quoted(name)} of ${quoted(this.path)} is no text`);
    }
    return Array.from({ length: count }, (_, i) => {
      const element = at + i * type.bytes;
      if (type.kind === "string") return source.text(element, type.bytes);
      const [begin, length] = heapObject(source, source.u64(element + 4), source.u32(element + 12));
      return source.text(begin, Math.min(length, source.u32(element)));
    });
  }

  #all(type: number): Message[] {
    return this.#messages.filter((message) => message.type === type);
  }

  #children(): ReadonlyMap<string, number> {
    this.#links ??= new Map([...this.#tableLinks(), ...this.#messageLinks()]);
    return this.#links;
  }

  /** Links of a group of the older kind: a tree of tables of names. */
  #tableLinks(): [string, number][] {
    const [table] = this.#all(MESSAGE.symbolTable);
    if (table === undefined) return [];
    const source = this.#source;
    const heap = source.u64(table.begin + 8);
    source.expect(heap, "HEAP");
    const [size, names] = [source.u64(heap + 8), source.u64(heap + 24)];
    source.range(names, size);
    const links: [string, number][] = [];
    const visits = new Visits();
    const pending = [source.u64(table.begin)];
    for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
      visits.add(node);
      if (source.u8(node) !== 0x53) {
        source.expect(node, "TREE");
        const entries = source.u16(node + 6);
        // A key of 8 bytes stands before each child.
        for (let i = entries - 1; i >= 0; i--) pending.push(source.u64(node + 32 + i * 16));
        continue;
      }
      source.expect(node, "SNOD");
      const symbols = source.u16(node + 6);
      for (let i = 0; i < symbols; i++) {
        const entry = node + 8 + i * 40;
        const offset = source.u64(entry);
        if (offset >= size) throw new LoadError("encoding", `HDF5: a name of ${quoted(this.path)} is outside its heap`);
        // Kind 2 is a soft link: a path, not an object.
        if (source.u32(entry + 16) !== 2)
          links.push([source.text(names + offset, size - offset), source.u64(entry + 8)]);
      }
    }
    return links;
  }

  /** Links of a group of the newer kind, which keeps few of them in its header. */
  #messageLinks(): [string, number][] {
    const source = this.#source;
    for (const { begin } of this.#all(MESSAGE.linkInfo)) {
      const flags = source.u8(begin + 1);
      if (source.u64(begin + 2 + (flags & 1 ? 8 : 0)) !== UNDEFINED) {
        throw new LoadError("unsupported_op", `HDF5: ${quoted(this.path)} keeps its names in a fractal heap`);
      }
    }
    return this.#all(MESSAGE.link).flatMap(({ begin }): [string, number][] => {
      const flags = source.u8(begin + 1);
      let at = begin + 2;
      const hard = (flags & 8) === 0 || source.u8(at) === 0;
      at += (flags & 8 ? 1 : 0) + (flags & 4 ? 8 : 0) + (flags & 16 ? 1 : 0);
      const width = 1 << (flags & 3);
      const length = width === 1 ? source.u8(at) : width === 2 ? source.u16(at) : source.u32(at);
      at += width;
      return hard ? [[source.text(at, length), source.u64(at + length)]] : [];
    });
  }
}

/** The messages of an object header of either version, with its continuations. */
function readMessages(source: Source, address: number): Message[] {
  const messages: Message[] = [];
  const visits = new Visits();
  const modern = source.u8(address) === 0x4f;
  if (modern) source.expect(address, "OHDR");
  else if (source.u8(address) !== 1) throw new LoadError("encoding", `HDF5: no object header at ${address}`);
  const flags = modern ? source.u8(address + 5) : 0;
  // Blocks of messages, from and to.
  const blocks: [number, number][] = [];
  if (modern) {
    const sizeAt = address + 6 + (flags & 32 ? 16 : 0) + (flags & 16 ? 4 : 0);
    const width = 1 << (flags & 3);
    const size = width === 1 ? source.u8(sizeAt) : width === 2 ? source.u16(sizeAt) : source.u32(sizeAt);
    blocks.push([sizeAt + width, sizeAt + width + size]);
  } else blocks.push([address + 16, address + 16 + source.u32(address + 8)]);
  const header = modern ? 4 + (flags & 4 ? 2 : 0) : 8;
  for (let block = blocks.shift(); block !== undefined; block = blocks.shift()) {
    let [at] = block;
    const [, end] = block;
    visits.add(at);
    source.range(at, end - at);
    while (at + header <= end) {
      const type = modern ? source.u8(at) : source.u16(at);
      const size = source.u16(at + (modern ? 1 : 2));
      const own = source.u8(at + (modern ? 3 : 4));
      const begin = at + header;
      at = begin + size;
      if (at > end) throw new LoadError("encoding", `HDF5: a message at ${begin} is longer than its header`);
      if (type === MESSAGE.continuation) {
        const [next, length] = [source.u64(begin), source.u64(begin + 8)];
        // The newer blocks begin with a signature and end with a checksum.
        if (modern) source.expect(next, "OCHK");
        blocks.push(modern ? [next + 4, next + length - 4] : [next, next + length]);
      } else if ((own & 2) !== 0 && type !== 0) {
        throw new LoadError("unsupported_op", `HDF5: the message at ${begin} is shared between objects`);
      } else messages.push({ type, begin, end: at });
    }
  }
  return messages;
}

/** The shape in a dataspace message; [] for one value. */
function readShape(source: Source, at: number): number[] {
  const version = source.u8(at);
  if (version !== 1 && version !== 2) throw new LoadError("unsupported_version", `HDF5: dataspace version ${version}`);
  const rank = source.u8(at + 1);
  const first = at + (version === 1 ? 8 : 4);
  const shape = Array.from({ length: rank }, (_, i) => source.u64(first + i * 8));
  if (shape.includes(UNDEFINED)) throw new LoadError("shape", `HDF5: an unlimited shape at ${at}`);
  return shape;
}

/** The type in a datatype message. */
function readType(source: Source, at: number): DataType {
  const kind = source.u8(at) & 15;
  const bits = source.u8(at + 1);
  const bytes = source.u32(at + 4);
  const type = { littleEndian: (bits & 1) === 0, bytes, dtype: undefined };
  if (kind === 0) return { ...type, kind: "number", dtype: `${bits & 8 ? "I" : "U"}${bytes * 8}` };
  // Of the floats only IEEE's, which have 5, 8 and 11 bits of exponent.
  const exponent = new Map([
    [2, 5],
    [4, 8],
    [8, 11],
  ]).get(bytes);
  if (kind === 1) {
    return { ...type, kind: "number", dtype: source.u8(at + 13) === exponent ? `F${bytes * 8}` : undefined };
  }
  if (kind === 3) return { ...type, kind: "string" };
  // Of variable length: 4 bytes of length, 8 of a heap's address, 4 of the place in it.
  if (kind === 9 && (bits & 15) === 1 && bytes === 16) return { ...type, kind: "text" };
  return { ...type, kind: "other" };
}

/** Where an object of a global heap is, and its length. */
function heapObject(source: Source, heap: number, index: number): [begin: number, length: number] {
  source.expect(heap, "GCOL");
  const end = heap + source.u64(heap + 8);
  source.range(heap, end - heap);
  for (let at = heap + 16; at + 16 <= end; ) {
    const found = source.u16(at);
    const length = source.u64(at + 8);
    if (found === 0) break;
    if (found === index) return [source.range(at + 16, length), length];
    at += 16 + Math.ceil(length / 8) * 8;
  }
  throw new LoadError("encoding", `HDF5: object ${index} is missing in the heap at ${heap}`);
}
