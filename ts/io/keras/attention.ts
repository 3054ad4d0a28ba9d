/**
 * Attention layers of Keras. Luong, Pham & Manning 2015 (dot products); Bahdanau, Cho & Bengio 2015 (additive).
 *
 *   Attention, dot           scores = scale (q . k)
 *   Attention, concat        scores = concat_score_weight sum(tanh(scale (q + k)))
 *   AdditiveAttention        scores = sum(scale tanh(q + k)), a scale for each feature
 *   y = softmax(scores) . v, over the values that count; rows of queries that do not count are zeros
 */
import { ArgumentError } from "../../errors.js";
import { add, mul, sub } from "../../tensor/binary.js";
import type { Ids } from "../../tensor/ids.js";
import { matmul } from "../../tensor/matmul.js";
import { Parameter } from "../../tensor/parameter.js";
import { sum } from "../../tensor/reduce.js";
import { reshape } from "../../tensor/shape.js";
import { softmax } from "../../tensor/softmax.js";
import { type PlainTensor, type Tensor, tensor } from "../../tensor/tensor.js";
import { tanh } from "../../tensor/unary.js";
import type { LayerConfig } from "./config.js";
import { asTensor, type Flow, KerasLayer, type LayerMaker } from "./layer.js";
import { takeWeight } from "./weights.js";

/** What is taken from the score of a value that does not count: its weight is 0 in float32. */
const HIDDEN = 1e9;

/** Inputs: queries (B, Tq, D), values (B, Tv, D), keys (B, Tv, D) if other than the values. */
export class KerasAttention extends KerasLayer {
  /** How queries and keys are compared. */
  readonly scoreMode: "dot" | "concat" | "additive";
  /** A scalar, or (D) in additive attention. */
  scale: Parameter | null;
  /** A scalar, where the mode is concat. */
  concatScoreWeight: Parameter | null;

  /** @internal */
  constructor(config: LayerConfig, scoreMode: "dot" | "concat" | "additive", values: ReadonlyMap<string, PlainTensor>) {
    super(config);
    this.scoreMode = scoreMode;
    const declare = (name: string): Parameter | null => {
      const value = values.get(name);
      return value === undefined ? null : new Parameter(value.shape);
    };
    this.scale = declare("scale");
    this.concatScoreWeight = declare("concatScoreWeight");
  }

  override forward(inputs: readonly Flow[]): readonly Flow[] {
    const { y, mask } = this.attend(inputs);
    return [{ value: y, mask }];
  }

  /** The result y (B, Tq, D) with the weights of the values, (B, Tq, Tv). */
  attend(inputs: readonly Flow[]): { readonly y: Tensor; readonly scores: Tensor; readonly mask: Ids | null } {
    const [query, value, key = value] = inputs;
    if (query === undefined || value === undefined || key === undefined || inputs.length > 3) {
      throw new ArgumentError(this.label, "the inputs", "queries, values and perhaps keys", inputs.length);
    }
    const [q, v, k] = [asTensor(query.value), asTensor(value.value), asTensor(key.value)];
    let scores = this.#scores(q, k);
    if (value.mask !== null) {
      const [batch, steps] = value.mask.shape as [number, number];
      const hidden = Float32Array.from(value.mask.data, (counts) => (counts === 0 ? HIDDEN : 0));
      scores = sub(scores, tensor(hidden, [batch, 1, steps], q.core));
    }
    const weights = softmax(scores);
    const y = matmul(weights, v);
    const { mask } = query;
    return {
      y: mask === null ? y : mul(y, tensor(mask.data, [...mask.shape, 1], q.core)),
      scores: weights,
      mask,
    };
  }

  /** (B, Tq, Tv) */
  #scores(q: Tensor, k: Tensor): Tensor {
    const { scale, concatScoreWeight } = this;
    if (this.scoreMode === "dot") {
      const products = matmul(q, k, { transposeB: true });
      return scale === null ? products : mul(products, scale);
    }
    const [batch, queries, size] = q.shape as [number, number, number];
    const pairs = add(reshape(q, [batch, queries, 1, size]), reshape(k, [batch, 1, k.shape[1] as number, size]));
    if (this.scoreMode === "additive") return sum(scale === null ? tanh(pairs) : mul(tanh(pairs), scale), -1);
    const sums = sum(tanh(scale === null ? pairs : mul(pairs, scale)), -1);
    return concatScoreWeight === null ? sums : mul(sums, concatScoreWeight);
  }
}

export const attention: LayerMaker = (config, weights) => {
  const mode = config.choice("score_mode", ["dot", "concat"], "dot");
  const values = new Map<string, PlainTensor>();
  if (config.flag("use_scale", false)) values.set("scale", takeWeight(weights, "scale", []));
  if (mode === "concat") values.set("concatScoreWeight", takeWeight(weights, "concat_score_weight", []));
  return { layer: new KerasAttention(config, mode, values), values };
};

export const additiveAttention: LayerMaker = (config, weights) => {
  const values = new Map<string, PlainTensor>();
  if (config.flag("use_scale", true)) values.set("scale", takeWeight(weights, "scale", [-1]));
  return { layer: new KerasAttention(config, "additive", values), values };
};
