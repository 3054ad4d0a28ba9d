/**
 * The weights of a stream in 8 bits, a fourth of their size: see crate/src/gemm/int8.rs for what that means and how far
 * off it is. They are made from the packed weights, and made again when those have changed.
 */
import type { Core } from "../core/core.js";
import { ArgumentError } from "../errors.js";
import type { StreamPlan } from "./stream.js";

export class Int8Weights {
  /** Pointer of the addresses of each layer's weights and of the head's. */
  readonly pointer: number;
  readonly #core: Core;
  readonly #plan: StreamPlan;
  readonly #bytes: number;
  /** Where each begins. */
  readonly #places: readonly number[];
  /** What each was made of: a number that is another for other weights. */
  readonly #made: number[] = [];

  /** @throws ArgumentError for layers so large that sums of integers would not fit */
  constructor(core: Core, plan: StreamPlan) {
    const { layers, tokens, head } = plan;
    const sizes = layers.map(({ cell, input, hidden, projection }, i) => {
      const oneHot = i === 0 && tokens !== null && tokens.table() === null;
      return core.raw.ur_int8_layer_bytes(cell, oneHot ? 0 : input, hidden, projection) >>> 0;
    });
    if (head !== null) {
      const [rows, columns] = head.weight().shape as [number, number];
      sizes.push(core.raw.ur_int8_bytes(rows, columns) >>> 0);
    }
    if (sizes.includes(0)) {
      throw new ArgumentError(
        "Session",
        "weights",
        "int8 only for layers of at most 131072 inputs and units",
        "larger",
      );
    }
    let end = Math.ceil(sizes.length / 4) * 16;
    const offsets = sizes.map((bytes) => {
      end += bytes;
      return end - bytes;
    });
    this.#core = core;
    this.#plan = plan;
    this.#bytes = end;
    this.pointer = core.alloc(end);
    core.watch(this, this.pointer, end);
    this.#places = offsets.map((offset) => this.pointer + offset);
    core.i32.set(this.#places, this.pointer >>> 2);
  }

  /**
   * Brings them up to date.
   * @param blocks - pointers of the arguments of the layers, whose weights are packed
   * @param packed - pointer of the packed weights of the head
   */
  refresh(blocks: readonly number[], packed: number): void {
    const { raw } = this.#core;
    const { layers, head } = this.#plan;
    layers.forEach((layer, i) => {
      this.#make(i, layer.prepared.packings, (to) => {
        this.#core.checkStatus(raw.ur_int8_layer(blocks[i] as number, to), layer.where);
      });
    });
    if (head === null) return;
    const weight = head.weight();
    const [rows, columns] = weight.shape as [number, number];
    this.#make(layers.length, weight.version, (to) => raw.ur_int8(packed, rows, columns, to));
  }

  /** Makes one, unless it is of this source. */
  #make(index: number, source: number, make: (to: number) => void): void {
    if (this.#made[index] === source) return;
    make(this.#places[index] as number);
    this.#made[index] = source;
  }

  /** Frees them. */
  dispose(): void {
    this.#core.unwatch(this);
    this.#core.free(this.pointer, this.#bytes);
  }
}
