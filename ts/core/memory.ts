/**
 * The one user of the core's `memory.buffer`: typed-array views, persistent blocks and the arena.
 *
 * Growing the memory detaches every view, so views are made once, checked on access (a detached array has length 0)
 * and never kept by callers across a call into the core.
 */
import { OutOfMemoryError } from "../errors.js";
import type { RawExports } from "./raw.js";

/** Words of the block that operations use for shapes and strides; 3 arrays of MAX_DIMENSIONS each. */
const SCRATCH_WORDS = 64;

/** Bytes of a page of WebAssembly memory. */
const PAGE = 65_536;

interface Block {
  readonly memory: Memory;
  readonly pointer: number;
  readonly bytes: number;
}

// A safety net for notebooks, where nobody disposes; nothing relies on it.
const registry =
  typeof FinalizationRegistry === "undefined"
    ? undefined
    : new FinalizationRegistry<Block>((block) => block.memory.free(block.pointer, block.bytes));

/** Memory of one core. Pointers are byte offsets; 0 is "none". */
export class Memory {
  /** The core's functions, as generated; others of the same kind after {@link moveTo}. */
  raw: RawExports;
  /** A persistent block of 64 words for the shape and stride arguments of one call. @internal */
  readonly scratch: number;
  #f32 = new Float32Array(0);
  #i32 = new Int32Array(0);
  #u8 = new Uint8Array(0);

  constructor(raw: RawExports) {
    this.raw = raw;
    this.scratch = this.alloc(SCRATCH_WORDS * 4);
  }

  /**
   * Goes on in a fresh instance of the same module, with a copy of everything: pointers stay what they are.
   * @throws OutOfMemoryError when there is no room for the copy; nothing has changed then
   */
  protected moveTo(raw: RawExports): void {
    const missing = this.u8.length - raw.memory.buffer.byteLength;
    try {
      raw.memory.grow(missing / PAGE);
    } catch {
      throw new OutOfMemoryError(missing);
    }
    new Uint8Array(raw.memory.buffer).set(this.u8);
    this.raw = raw;
    this.#refresh();
  }

  #refresh(): void {
    const buffer = this.raw.memory.buffer;
    this.#f32 = new Float32Array(buffer);
    this.#i32 = new Int32Array(buffer);
    this.#u8 = new Uint8Array(buffer);
  }

  /** The whole memory as f32; index = pointer / 4. Do not keep it across a call into the core. */
  get f32(): Float32Array {
    if (this.#f32.length === 0) this.#refresh();
    return this.#f32;
  }

  /** The whole memory as i32; index = pointer / 4. Do not keep it across a call into the core. */
  get i32(): Int32Array {
    if (this.#i32.length === 0) this.#refresh();
    return this.#i32;
  }

  /** The whole memory as bytes. Do not keep it across a call into the core. */
  get u8(): Uint8Array {
    if (this.#u8.length === 0) this.#refresh();
    return this.#u8;
  }

  /** A persistent block, 16-byte aligned, not zeroed. */
  alloc(bytes: number): number {
    const pointer = bytes < 0xffff_fff0 ? this.raw.ur_alloc(bytes === 0 ? 16 : bytes) >>> 0 : 0;
    if (pointer === 0) throw new OutOfMemoryError(bytes);
    return pointer;
  }

  /** Gives a persistent block back. */
  free(pointer: number, bytes: number): void {
    this.raw.ur_free(pointer, bytes === 0 ? 16 : bytes);
  }

  /** A block of the arena, 16-byte aligned, not zeroed; it lives until the arena is reset below it. */
  arenaAlloc(bytes: number): number {
    const pointer = bytes < 0xffff_fff0 ? this.raw.ur_arena_alloc(bytes === 0 ? 16 : bytes) >>> 0 : 0;
    if (pointer === 0) throw new OutOfMemoryError(bytes);
    return pointer;
  }

  /** As {@link arenaAlloc}, filled with zeros. */
  arenaZeros(elements: number): number {
    const pointer = this.arenaAlloc(elements * 4);
    this.raw.ur_fill(pointer, elements, 0);
    return pointer;
  }

  /** A position to reset to. */
  arenaMark(): number {
    return this.raw.ur_arena_mark() >>> 0;
  }

  /** Drops everything allocated in the arena since the mark. */
  arenaReset(mark: number): void {
    this.raw.ur_arena_reset(mark);
  }

  /** Bytes of the arena in use. */
  get arenaUsed(): number {
    return this.raw.ur_arena_used() >>> 0;
  }

  /** Bytes that the arena holds. */
  get arenaCapacity(): number {
    return this.raw.ur_arena_capacity() >>> 0;
  }

  /** Bytes in persistent blocks. */
  get persistentBytes(): number {
    return this.raw.ur_persistent_bytes() >>> 0;
  }

  /** A copy of `elements` f32 values. */
  readF32(pointer: number, elements: number): Float32Array {
    const start = pointer >>> 2;
    return this.f32.slice(start, start + elements);
  }

  /** A copy of `elements` i32 values. */
  readI32(pointer: number, elements: number): Int32Array {
    const start = pointer >>> 2;
    return this.i32.slice(start, start + elements);
  }

  /** Has the block freed when `owner` is collected without having been disposed of. */
  watch(owner: object, pointer: number, bytes: number): void {
    registry?.register(owner, { memory: this, pointer, bytes }, owner);
  }

  /** Ends {@link watch}. */
  unwatch(owner: object): void {
    registry?.unregister(owner);
  }
}
