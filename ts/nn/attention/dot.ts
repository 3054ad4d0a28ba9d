/**
 * Luong, Pham & Manning 2015, "dot":
 *
 *     score(q, m) = q . m
 */
import { ArgumentError } from "../../errors.js";
import { matmul } from "../../tensor/matmul.js";
import type { Tensor } from "../../tensor/tensor.js";
import { Attention, type AttentionOptions } from "./attention.js";

/** Attention by dot products; without parameters. Queries and memory have one size. */
export class DotAttention extends Attention {
  /** @throws ArgumentError unless both sizes are equal */
  constructor(querySize: number, memorySize: number, options: AttentionOptions = {}) {
    super(querySize, memorySize, options);
    if (querySize !== memorySize) {
      throw new ArgumentError("DotAttention", "memorySize", `equal to querySize, ${querySize}`, memorySize);
    }
  }

  /** @internal */
  override keysOf(memory: Tensor): Tensor {
    return memory;
  }

  /** @internal */
  override scoresOf(queries: Tensor, keys: Tensor): Tensor {
    return matmul(queries, keys, { transposeB: true });
  }
}
