/**
 * A layer of tanh units sees query and memory. Bahdanau, Cho & Bengio 2015:
 *
 *     score(q, m) = v^T tanh(W_q q + W_m m + b)
 *
 * and Luong, Pham & Manning 2015, "concat", with one matrix and no bias:
 *
 *     score(q, m) = v^T tanh(W [q; m])
 */
import { add } from "../../tensor/binary.js";
import { linear, matmul } from "../../tensor/matmul.js";
import { Parameter } from "../../tensor/parameter.js";
import { reshape, slice } from "../../tensor/shape.js";
import type { Tensor } from "../../tensor/tensor.js";
import { tanh } from "../../tensor/unary.js";
import { checkSize } from "../check.js";
import { uniform, xavierUniform } from "../initializers.js";
import { Linear } from "../linear.js";
import { Attention, type AttentionOptions } from "./attention.js";

/** Options of {@link AdditiveAttention} and {@link ConcatAttention}. */
export interface AdditiveAttentionOptions extends AttentionOptions {
  /** Units, A; default querySize. */
  readonly units?: number;
}

/** What both have: v, and how projected queries and keys meet. */
abstract class TanhAttention extends Attention {
  readonly units: number;
  /** v, (A) */
  vector: Parameter;

  constructor(querySize: number, memorySize: number, options: AdditiveAttentionOptions) {
    super(querySize, memorySize, options);
    const { units = querySize } = options;
    checkSize(new.target.name, "units", units);
    this.units = units;
    const bound = 1 / Math.sqrt(units);
    this.vector = new Parameter([units], uniform(-bound, bound));
  }

  /** @internal */
  protected abstract project(queries: Tensor): Tensor;

  /** @internal */
  override scoresOf(queries: Tensor, keys: Tensor): Tensor {
    const { units } = this;
    const [batch, steps] = queries.shape as [number, number];
    const positions = keys.shape[1] as number;
    const query = reshape(this.project(queries), [batch, steps, 1, units]);
    const hidden = tanh(add(query, reshape(keys, [batch, 1, positions, units])));
    return reshape(matmul(hidden, reshape(this.vector, [units, 1])), [batch, steps, positions]);
  }
}

/** Attention by a small network over query and memory (Bahdanau et al.). */
export class AdditiveAttention extends TanhAttention {
  /** W_q, (A, querySize) */
  readonly query: Linear;
  /** W_m, (A, memorySize), and b, (A) */
  readonly key: Linear;

  /**
   * @param querySize - features of a query
   * @param memorySize - features of a position of the memory
   * @throws ArgumentError
   */
  constructor(querySize: number, memorySize: number, options: AdditiveAttentionOptions = {}) {
    super(querySize, memorySize, options);
    this.query = new Linear(querySize, this.units, { bias: false });
    this.key = new Linear(memorySize, this.units);
  }

  /** @internal */
  override keysOf(memory: Tensor): Tensor {
    return this.key.forward(memory);
  }

  /** @internal */
  protected override project(queries: Tensor): Tensor {
    return this.query.forward(queries);
  }
}

/** Attention by a small network over the concatenation of query and memory (Luong et al.). */
export class ConcatAttention extends TanhAttention {
  /** W, (A, querySize + memorySize); first values by Glorot & Bengio 2010. */
  weight: Parameter;

  /**
   * @param querySize - features of a query
   * @param memorySize - features of a position of the memory
   * @throws ArgumentError
   */
  constructor(querySize: number, memorySize: number, options: AdditiveAttentionOptions = {}) {
    super(querySize, memorySize, options);
    this.weight = new Parameter([this.units, querySize + memorySize], xavierUniform());
  }

  // W [q; m] = W_q q + W_m m: the part of the memory is computed once, not once a query.
  /** @internal */
  override keysOf(memory: Tensor): Tensor {
    return linear(memory, slice(this.weight, 1, this.querySize), null, this.label);
  }

  /** @internal */
  protected override project(queries: Tensor): Tensor {
    return linear(queries, slice(this.weight, 1, 0, this.querySize), null, this.label);
  }
}
