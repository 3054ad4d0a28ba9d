/**
 * A layer of a causal transformer, normalised before its parts ("pre-norm": Xiong et al. 2020, "On layer normalization in
 * the transformer architecture"):
 *
 *     y = x + attention(norm1(x))
 *     z = y + W_2 relu(W_1 norm2(y) + b_1) + b_2
 *
 * Names and shapes are those of torch.nn.TransformerEncoderLayer with norm_first, which takes a mask for the rest.
 */
import { add } from "../tensor/binary.js";
import { checkProbability, dropout } from "../tensor/dropout.js";
import type { Tensor } from "../tensor/tensor.js";
import { relu } from "../tensor/unary.js";
import { type AttentionCache, CausalSelfAttention, type CausalSelfAttentionOptions } from "./attention/causal.js";
import { LayerNorm } from "./layer-norm.js";
import { Linear } from "./linear.js";
import { Module } from "./module.js";

/** Options of {@link TransformerLayer}. */
export interface TransformerLayerOptions extends CausalSelfAttentionOptions {
  /** Units between W_1 and W_2; default 4 times the size. */
  readonly feedForwardSize?: number | undefined;
  /** Probability of dropout of what is added to x and y, and of the units between, while training; default 0. */
  readonly dropout?: number | undefined;
}

/** (B, T, size) to the same. */
export class TransformerLayer extends Module {
  /** The attention; PyTorch's name. */
  readonly self_attn: CausalSelfAttention;
  /** Into the feed-forward units. */
  readonly linear1: Linear;
  /** Out of them. */
  readonly linear2: Linear;
  /** Before the attention. */
  readonly norm1: LayerNorm;
  /** Before the feed-forward units. */
  readonly norm2: LayerNorm;
  /** Probability of dropout of both branches while training. */
  readonly dropout: number;

  /** @throws ArgumentError */
  constructor(size: number, options: TransformerLayerOptions = {}) {
    super();
    const { feedForwardSize = 4 * size } = options;
    this.dropout = options.dropout ?? 0;
    checkProbability("TransformerLayer", "dropout", this.dropout);
    this.self_attn = new CausalSelfAttention(size, options);
    this.linear1 = new Linear(size, feedForwardSize);
    this.linear2 = new Linear(feedForwardSize, size);
    this.norm1 = new LayerNorm(size);
    this.norm2 = new LayerNorm(size);
  }

  /**
   * @param x - (B, T, size)
   * @param before - from the call before; default: nothing was before
   * @throws ShapeError
   */
  forward(x: Tensor, before?: AttentionCache): { output: Tensor; cache: AttentionCache } {
    const { output, cache } = this.self_attn.forward(this.norm1.forward(x), before);
    const attended = add(x, this.#drop(output));
    const hidden = this.#drop(relu(this.linear1.forward(this.norm2.forward(attended))));
    return { output: add(attended, this.#drop(this.linear2.forward(hidden))), cache };
  }

  #drop(x: Tensor): Tensor {
    return dropout(x, this.dropout, this.stream);
  }
}
