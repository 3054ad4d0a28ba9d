/**
 * Attention to a window of the memory around a position that the query predicts: Luong, Pham & Manning 2015, local-p.
 *
 *     p_s = length sigmoid(v^T tanh(W q_s))
 *     a_st = softmax over |t - p_s| <= D of score(q_s, m_t), times exp(-(t - p_s)^2 / (2 (D / 2)^2))
 *
 * As in the paper the weights are not normalised again.
 */
import { mul, sub } from "../../tensor/binary.js";
import { maskedFill } from "../../tensor/dropout.js";
import { softmax } from "../../tensor/softmax.js";
import { type Tensor, tensor } from "../../tensor/tensor.js";
import { exp, sigmoid, square, tanh } from "../../tensor/unary.js";
import { checkSize } from "../check.js";
import { Linear } from "../linear.js";
import { Attention, type AttentionMemory, MASKED } from "./attention.js";

/** Local attention around a predicted position, with the scores of another attention. */
export class LocalAttention<A extends Attention = Attention> extends Attention {
  /** What scores the positions of the window. */
  readonly inner: A;
  /** D, positions on each side. */
  readonly window: number;
  /** W, (querySize, querySize) */
  readonly position: Linear;
  /** v, (1, querySize) */
  readonly vector: Linear;

  /**
   * @param inner - what scores the positions, its scale included
   * @param window - D, positions on each side; the paper has 10
   * @throws ArgumentError unless the window is a whole number from 1
   */
  constructor(inner: A, window: number) {
    super(inner.querySize, inner.memorySize, { scale: inner.scale });
    checkSize("LocalAttention", "window", window);
    this.inner = inner;
    this.window = window;
    this.position = new Linear(this.querySize, this.querySize, { bias: false });
    this.vector = new Linear(this.querySize, 1, { bias: false });
  }

  /** @internal */
  override keysOf(memory: Tensor): Tensor {
    return this.inner.keysOf(memory);
  }

  /** @internal */
  override scoresOf(queries: Tensor, keys: Tensor): Tensor {
    return this.inner.scoresOf(queries, keys);
  }

  protected override weightsOf(scores: Tensor, queries: Tensor, { memory, lengths }: AttentionMemory): Tensor {
    const { core } = queries;
    const [batch, positions] = memory.shape as [number, number];
    const rows = Float32Array.from({ length: batch }, (_, row) => lengths?.[row] ?? positions);
    const relative = sigmoid(this.vector.forward(tanh(this.position.forward(queries))));
    const center = mul(relative, tensor(rows, [batch, 1, 1], core));
    const every = Float32Array.from({ length: positions }, (_, t) => t);
    const distance = sub(tensor(every, [positions], core), center);
    // The edge of the window is a step: no gradient.
    const outside = Int32Array.from(distance.toArray(), (value) => (Math.abs(value) > this.window ? 1 : 0));
    const inside = softmax(maskedFill(scores, outside, MASKED));
    const deviation = this.window / 2;
    return mul(inside, exp(mul(square(distance), -1 / (2 * deviation * deviation))));
  }
}
