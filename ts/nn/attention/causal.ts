/**
 * Causal self-attention with several heads: each position of a sequence looks at itself and at those before it. Vaswani
 * et al. 2017, "Attention is all you need", by default with distances in place of positions: Press, Smith & Lewis 2022,
 * "Train short, test long: attention with linear biases enables input length extrapolation".
 *
 *     [q_t; k_t; v_t] = W_in x_t + b_in, each in n parts of size d, one a head
 *     a_ts = softmax over the s that t sees of q_t . k_s / sqrt(d) - m_i (t - s)         m_i = 2^(-8 i / n), i = 1 .. n
 *     y_t  = W_out [sum over s of a_ts v_s of every head] + b_out
 *
 * With distances t sees t - context < s <= t. As nothing depends on where a sequence began, what the next steps need of
 * those before are the last keys and values, as they are: a sequence in parts equals the whole, however long it is.
 *
 * With positions that x has in it already, learned ones or sinusoids, m_i = 0. There keys do depend on where they are
 * counted from, so that a window cannot slide over them. A sequence is read in windows of `context` steps instead, one
 * after another, each as if nothing were before it (appendix B of Press et al.: nonoverlapping inference): t sees
 * s <= t of its own window. The keys and values of that are kept, and again parts equal the whole.
 *
 * Parameters have the names, shapes and first values of torch.nn.MultiheadAttention.
 */
import type { Core } from "../../core/core.js";
import { pow } from "../../core/elementary.js";
import { ArgumentError, ShapeError } from "../../errors.js";
import { add, mul } from "../../tensor/binary.js";
import { linear, matmul } from "../../tensor/matmul.js";
import { Parameter } from "../../tensor/parameter.js";
import { concat, permute, reshape, select, slice } from "../../tensor/shape.js";
import { softmax } from "../../tensor/softmax.js";
import { type Tensor, tensor } from "../../tensor/tensor.js";
import { checkSize } from "../check.js";
import { constant, xavierUniform } from "../initializers.js";
import { Linear } from "../linear.js";
import { Module } from "../module.js";
import { MASKED } from "./attention.js";

/** Keys and values of the last steps, (B, heads, S, size / heads) each. */
export interface AttentionCache {
  /** Of the positions so far. */
  readonly keys: Tensor;
  /** Of the positions so far. */
  readonly values: Tensor;
}

/**
 * What tells the positions of a sequence apart: "linear", biases of the scores that grow with the distance (Press et al.);
 * "learned", a vector for each position; "sinusoidal", sines and cosines of it (see `SinusoidalPositions`).
 */
export type Positions = "linear" | "learned" | "sinusoidal";

/** By name. @internal */
export const POSITIONS: ReadonlyMap<string, Positions> = new Map(
  (["linear", "learned", "sinusoidal"] as const).map((name) => [name, name]),
);

/** Options of {@link CausalSelfAttention}. */
export interface CausalSelfAttentionOptions {
  /** How many parts attend by themselves; they divide the size. Default 1. */
  readonly heads?: number | undefined;
  /**
   * Steps that each sees, itself included; 2 or more. Learned and sinusoidal positions begin anew after so many, and
   * nothing is seen across. Default 128.
   */
  readonly context?: number | undefined;
  /**
   * What tells positions apart. Learned and sinusoidal ones are no part of the attention: they are added to what the
   * first layer reads, as `TransformerLanguageModel` does. Default "linear".
   */
  readonly positions?: Positions | undefined;
}

/** (B, T, size) to the same. */
export class CausalSelfAttention extends Module {
  /** Features of a position. */
  readonly size: number;
  /** Parts that attend by themselves. */
  readonly heads: number;
  /** Positions that are seen, the own one included; see the options. */
  readonly context: number;
  /** What tells positions apart. */
  readonly positions: Positions;
  /** (3 size, size): for queries, keys and values, in this order */
  in_proj_weight: Parameter;
  /** (3 size) */
  in_proj_bias: Parameter;
  /** (size, size) and (size) */
  readonly out_proj: Linear;
  #bias: { readonly steps: number; readonly before: number; readonly values: Float32Array } | undefined;

  /** @throws ArgumentError */
  constructor(size: number, options: CausalSelfAttentionOptions = {}) {
    super();
    const { heads = 1, context = 128, positions = "linear" } = options;
    checkSize("CausalSelfAttention", "size", size);
    checkSize("CausalSelfAttention", "heads", heads);
    checkSize("CausalSelfAttention", "context", context, 2);
    if (size % heads !== 0) throw new ArgumentError("CausalSelfAttention", "heads", `a divisor of ${size}`, heads);
    if (!POSITIONS.has(positions)) {
      throw new ArgumentError(
        "CausalSelfAttention",
        "positions",
        `one of ${[...POSITIONS.keys()].join(", ")}`,
        positions,
      );
    }
    this.size = size;
    this.heads = heads;
    this.context = context;
    this.positions = positions;
    this.in_proj_weight = new Parameter([3 * size, size], xavierUniform());
    this.in_proj_bias = new Parameter([3 * size], constant(0));
    this.out_proj = new Linear(size, size, { biasInitializer: constant(0) });
  }

  /**
   * @param x - (B, T, size)
   * @param before - from the call before; default: nothing was before
   * @returns output (B, T, size), weights (B, heads, T, S) over the steps kept from before and these, and what to keep:
   *   the last `context - 1` of them; with learned or sinusoidal positions those of the last window, 1 to `context`
   * @throws ShapeError
   */
  forward(x: Tensor, before?: AttentionCache): { output: Tensor; weights: Tensor; cache: AttentionCache } {
    const { size, heads } = this;
    const [batch = 0, steps = 0] = x.shape;
    const part = size / heads;
    if (x.shape.length !== 3 || x.shape[2] !== size) throw new ShapeError(this.label, "x", ["B", "T", size], x.shape);
    for (const { shape } of before === undefined ? [] : [before.keys, before.values]) {
      if (shape.length !== 4 || shape[0] !== batch || shape[1] !== heads || shape[3] !== part) {
        throw new ShapeError(this.label, "the keys and values before", [batch, heads, "S", part], shape);
      }
    }
    const projected = linear(x, this.in_proj_weight, this.in_proj_bias, this.label);
    // (3, B, heads, T, part)
    const parts = permute(reshape(projected, [batch, steps, 3, heads, part]), [2, 0, 3, 1, 4]);
    const queries = mul(select(parts, 0, 0), 1 / Math.sqrt(part));
    const along = (now: Tensor, kept?: Tensor): Tensor => (kept === undefined ? now : concat([kept, now], 2));
    const keys = along(select(parts, 0, 1), before?.keys);
    const values = along(select(parts, 0, 2), before?.values);
    const all = keys.shape[2] as number;
    const scores = matmul(queries, keys, { transposeB: true });
    const weights = softmax(add(scores, this.#biases(steps, all - steps, x.core)));
    const joined = reshape(permute(matmul(weights, values), [0, 2, 1, 3]), [batch, steps, size]);
    const first = this.positions === "linear" ? this.#firstSeen(all) : this.#firstSeen(all - 1);
    return {
      output: this.out_proj.forward(joined),
      weights,
      cache: { keys: slice(keys, 2, first), values: slice(values, 2, first) },
    };
  }

  /** The first step that step t sees. */
  #firstSeen(t: number): number {
    return this.positions === "linear" ? Math.max(0, t - this.context + 1) : t - (t % this.context);
  }

  /** -m_i (t - s), (heads, T, S), and far below every score where t does not see s. */
  #biases(steps: number, before: number, core: Core): Tensor {
    const { heads } = this;
    const all = before + steps;
    if (this.#bias?.steps !== steps || this.#bias.before !== before) {
      const values = new Float32Array(heads * steps * all).fill(MASKED);
      for (let row = 0; row < heads * steps; row++) {
        const head = Math.floor(row / steps) + 1;
        const slope = this.positions === "linear" ? pow(2, (-8 * head) / heads) : 0;
        const t = before + (row % steps);
        for (let s = this.#firstSeen(t); s <= t; s++) values[row * all + s] = -slope * (t - s);
      }
      this.#bias = { steps, before, values };
    }
    return tensor(this.#bias.values, [heads, steps, all], core);
  }
}
