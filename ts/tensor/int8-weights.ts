/**
 * The weights of a stream in 8 bits, a fourth of their size: see crate/src/gemm/int8.rs for what that means and how far
 * off it is. They are made from the packed weights, and made again when those have changed.
 */
import type { Core } from "../core/core.js";
import { ArgumentError } from "../errors.js";
import type { StreamLayer } from "./stream.js";

export class Int8Weights {
  /** Pointers of the weights of each cell. */
  readonly places: readonly number[];
  readonly #core: Core;
  readonly #layers: readonly StreamLayer[];
  readonly #pointer: number;
  readonly #bytes: number;
  /** What each was made of: a number that is another for other weights. */
  readonly #made: number[] = [];

  /**
   * @param ids - whether a layer is given ids
   * @throws ArgumentError for layers so large that sums of integers would not fit
   */
  constructor(core: Core, layers: readonly StreamLayer[], ids: (layer: StreamLayer) => boolean) {
    const sizes = layers.map((layer) => layer.cell.int8Bytes(core, ids(layer)));
    if (sizes.includes(0xffffffff)) {
      throw new ArgumentError(
        "Session",
        "weights",
        "int8 only for layers of at most 131072 inputs and units",
        "larger",
      );
    }
    let end = 0;
    const offsets = sizes.map((bytes) => {
      end += bytes;
      return end - bytes;
    });
    this.#core = core;
    this.#layers = layers;
    this.#bytes = end;
    this.#pointer = core.alloc(end);
    core.watch(this, this.#pointer, end);
    this.places = offsets.map((offset) => this.#pointer + offset);
  }

  /**
   * Brings them up to date.
   * @param blocks - pointers of the arguments of the cells, whose weights are packed
   */
  refresh(blocks: readonly number[]): void {
    this.#layers.forEach(({ cell }, i) => {
      if (this.#made[i] === cell.version) return;
      cell.writeInt8(this.#core, blocks[i] as number, this.places[i] as number);
      this.#made[i] = cell.version;
    });
  }

  /** Frees them. */
  dispose(): void {
    this.#core.unwatch(this);
    this.#core.free(this.#pointer, this.#bytes);
  }
}
