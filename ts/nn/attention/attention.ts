/**
 * Attention: which positions of a memory each query looks at. Bahdanau, Cho & Bengio 2015, "Neural machine translation
 * by jointly learning to align and translate"; Luong, Pham & Manning 2015, "Effective approaches to attention-based
 * neural machine translation".
 *
 *     a_st = exp(score(q_s, m_t)) / sum over t' < length of exp(score(q_s, m_t'))      c_s = sum over t of a_st m_t
 *
 * The kinds differ in their score, one file each.
 */
import { ArgumentError, ShapeError } from "../../errors.js";
import { add, mul } from "../../tensor/binary.js";
import { matmul } from "../../tensor/matmul.js";
import { softmax } from "../../tensor/softmax.js";
import { type Tensor, tensor } from "../../tensor/tensor.js";
import { checkLengths, checkSize } from "../check.js";
import { Module } from "../module.js";

/** Options of every attention. */
export interface AttentionOptions {
  /**
   * Factor of the scores: for example 1 / sqrt(size) for dot products (Vaswani et al. 2017, "Attention is all you need").
   * Default 1.
   */
  readonly scale?: number;
}

/** A memory, made ready for any number of queries. */
export interface AttentionMemory {
  /** (B, T, memorySize) */
  readonly memory: Tensor;
  /** What queries are compared with, (B, T, any). */
  readonly keys: Tensor;
  /** How many positions of each row count (B); absent: all. */
  readonly lengths?: ArrayLike<number> | undefined;
  /** (B, 1, T): 0 at the positions that count, and far below every score elsewhere; absent: all count. */
  readonly mask?: Tensor | undefined;
}

/** What a query finds. */
export interface Attended {
  /** (B, S, memorySize) */
  readonly context: Tensor;
  /** (B, S, T); the weights of a query sum to one. */
  readonly weights: Tensor;
}

/** The score of what is masked: exp of it is 0 beside any other, and unlike with -infinity a row of length 0 has no NaN. @internal */
export const MASKED = -1e30;

/** Base of all attentions. */
export abstract class Attention extends Module {
  /** Features of a query. */
  readonly querySize: number;
  /** Features of a position of the memory. */
  readonly memorySize: number;
  /** Factor of the scores. */
  readonly scale: number;

  /** @internal */
  constructor(querySize: number, memorySize: number, options: AttentionOptions) {
    super();
    checkSize(new.target.name, "querySize", querySize);
    checkSize(new.target.name, "memorySize", memorySize);
    const { scale = 1 } = options;
    if (!(scale > 0 && scale < Infinity)) {
      throw new ArgumentError(new.target.name, "scale", "a finite number above 0", scale);
    }
    this.querySize = querySize;
    this.memorySize = memorySize;
    this.scale = scale;
  }

  /** What of the memory does not depend on queries: (B, T, memorySize) to (B, T, any). @internal */
  abstract keysOf(memory: Tensor): Tensor;

  /** Unscaled scores (B, S, T) of queries (B, S, querySize). @internal */
  abstract scoresOf(queries: Tensor, keys: Tensor): Tensor;

  /** Weights (B, S, T) of masked scores. */
  protected weightsOf(scores: Tensor, _queries: Tensor, _prepared: AttentionMemory): Tensor {
    return softmax(scores);
  }

  /**
   * @param memory - (B, T, memorySize), T at least 1
   * @param lengths - how many positions of each row count, from 0 to T; default all. A row of length 0 has equal weights.
   * @throws ShapeError, ArgumentError
   */
  prepare(memory: Tensor, lengths?: ArrayLike<number>): AttentionMemory {
    const [batch = 0, positions = 0, size] = memory.shape;
    if (memory.shape.length !== 3 || size !== this.memorySize || positions === 0) {
      throw new ShapeError(this.label, "memory", `[B, 1 or more, ${this.memorySize}]`, memory.shape);
    }
    checkLengths(this.label, lengths, batch, positions);
    const keys = this.keysOf(memory);
    if (lengths === undefined) return { memory, keys };
    const mask = new Float32Array(batch * positions);
    for (let row = 0; row < batch; row++) {
      mask.fill(MASKED, row * positions + (lengths[row] as number), (row + 1) * positions);
    }
    return { memory, keys, lengths, mask: tensor(mask, [batch, 1, positions], memory.core) };
  }

  /**
   * @param queries - (B, S, querySize)
   * @throws ShapeError
   */
  attend(queries: Tensor, prepared: AttentionMemory): Attended {
    const [batch] = prepared.memory.shape;
    if (queries.shape.length !== 3 || queries.shape[0] !== batch || queries.shape[2] !== this.querySize) {
      throw new ShapeError(this.label, "queries", `[${batch}, S, ${this.querySize}]`, queries.shape);
    }
    let scores = this.scoresOf(queries, prepared.keys);
    if (this.scale !== 1) scores = mul(scores, this.scale);
    if (prepared.mask !== undefined) scores = add(scores, prepared.mask);
    const weights = this.weightsOf(scores, queries, prepared);
    return { context: matmul(weights, prepared.memory), weights };
  }

  /**
   * @param queries - (B, S, querySize)
   * @param memory - (B, T, memorySize)
   * @param options.lengths - how many positions of each row of the memory count, from 0 to T; default all
   * @throws ShapeError, ArgumentError
   */
  forward(
    queries: Tensor,
    memory: Tensor,
    options: { readonly lengths?: ArrayLike<number> | undefined } = {},
  ): Attended {
    return this.attend(queries, this.prepare(memory, options.lengths));
  }
}

/** A class of attentions. */
export type AttentionClass = new (querySize: number, memorySize: number, options?: AttentionOptions) => Attention;
