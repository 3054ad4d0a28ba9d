/**
 * Positions as sinusoids. Vaswani et al. 2017, "Attention is all you need", section 3.5: position p is the vector
 *
 *     e_(p, 2i)     = sin(p / 10000^(2i / size))
 *     e_(p, 2i + 1) = cos(p / 10000^(2i / size))
 *
 * so that e_(p + k) is a linear function of e_p, the same one for every p.
 */
import { cosPi, pow } from "../core/elementary.js";
import { ArgumentError } from "../errors.js";
import type { Ids } from "../tensor/ids.js";
import { type Tensor, tensor } from "../tensor/tensor.js";
import { checkSize } from "./check.js";
import { Module } from "./module.js";

/** The vector of every position: positions of any shape to (..., size). It has no parameters, and no end. */
export class SinusoidalPositions extends Module {
  /** Length of a vector; if it is odd, the last sine has no cosine. */
  readonly size: number;
  /** Radians a position, over pi, of each sine and its cosine. */
  readonly #rates: readonly number[];

  /** @throws ArgumentError */
  constructor(size: number) {
    super();
    checkSize("SinusoidalPositions", "size", size);
    this.size = size;
    this.#rates = Array.from({ length: Math.ceil(size / 2) }, (_, i) => pow(10000, (-2 * i) / size) / Math.PI);
  }

  /** @throws ArgumentError for a position below 0 */
  forward(positions: Ids): Tensor {
    const { size } = this;
    const values = new Float32Array(positions.size * size);
    positions.data.forEach((position, row) => {
      if (position < 0) throw new ArgumentError(this.label, `positions[${row}]`, "0 or more", position);
      for (let k = 0; k < size; k++) {
        // sin(a) = cos(a - pi / 2).
        const turn = position * (this.#rates[k >> 1] as number) - (k % 2 === 0 ? 0.5 : 0);
        values[row * size + k] = cosPi(turn);
      }
    });
    return tensor(values, [...positions.shape, size], this.core);
  }
}
