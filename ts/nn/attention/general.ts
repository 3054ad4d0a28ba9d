/**
 * Luong, Pham & Manning 2015, "general":
 *
 *     score(q, m) = q^T W m
 */
import { matmul } from "../../tensor/matmul.js";
import { Parameter } from "../../tensor/parameter.js";
import type { Tensor } from "../../tensor/tensor.js";
import { xavierUniform } from "../initializers.js";
import { Attention, type AttentionOptions } from "./attention.js";

/** Attention by dot products of queries and projected memory. */
export class GeneralAttention extends Attention {
  /** W, (querySize, memorySize); first values by Glorot & Bengio 2010. */
  weight: Parameter;

  /**
   * @param querySize - features of a query
   * @param memorySize - features of a position of the memory
   * @throws ArgumentError
   */
  constructor(querySize: number, memorySize: number, options: AttentionOptions = {}) {
    super(querySize, memorySize, options);
    this.weight = new Parameter([querySize, memorySize], xavierUniform());
  }

  /** @internal */
  override keysOf(memory: Tensor): Tensor {
    return matmul(memory, this.weight, { transposeB: true });
  }

  /** @internal */
  override scoresOf(queries: Tensor, keys: Tensor): Tensor {
    return matmul(queries, keys, { transposeB: true });
  }
}
