/**
 * The weights of a stream in 8 bits, a fourth of their size: see crate/src/gemm/int8.rs for what that means and how far
 * off it is. They are made from the packed weights, and made again when those have changed.
 */
import type { Core } from "../core/core.js";
import { ArgumentError } from "../errors.js";

export class Int8Weights {
  /** Pointers of the weights of each cell, after the first {@link refresh}. */
  places: readonly number[] = [];
  readonly #core: Core;
  #bytes = 0;
  /** What each was made of: a number that is another for other weights. */
  #made: readonly number[] = [];

  constructor(core: Core) {
    this.#core = core;
  }

  /**
   * Brings them up to date.
   * @param blocks - pointers of the arguments of the cells, whose weights are packed
   * @param versions - other numbers for other packed weights
   * @throws ArgumentError for layers so large that sums of integers would not fit
   */
  refresh(blocks: readonly number[], versions: readonly number[]): void {
    const core = this.#core;
    if (this.places.length === 0) {
      const sizes = blocks.map((block) => core.raw.ur_int8(block, 0) >>> 0);
      if (sizes.includes(0xffffffff)) {
        throw new ArgumentError("Session", "weights", "int8 only for layers of at most 131072 inputs", "larger");
      }
      const bytes = sizes.reduce((sum, size) => sum + size, 0);
      let end = core.alloc(bytes);
      core.watch(this, end, bytes);
      this.#bytes = bytes;
      this.places = sizes.map((size) => {
        end += size;
        return end - size;
      });
    }
    versions.forEach((version, i) => {
      if (this.#made[i] !== version) core.raw.ur_int8(blocks[i] as number, this.places[i] as number);
    });
    this.#made = versions;
  }

  /** Frees them. */
  dispose(): void {
    this.#core.unwatch(this);
    this.#core.free(this.places[0] ?? 0, this.#bytes);
  }
}
