/**
 * What a decoder's state becomes with what it attended to. Luong, Pham & Manning 2015, equation 5:
 *
 *     y_s = tanh(W_c [c_s; q_s])
 */
import { concat } from "../../tensor/shape.js";
import type { Tensor } from "../../tensor/tensor.js";
import { tanh } from "../../tensor/unary.js";
import { Linear } from "../linear.js";
import { Module } from "../module.js";
import type { Attended, Attention, AttentionMemory } from "./attention.js";

/** An attention and the layer that joins query and context. */
export class AttentionalState<A extends Attention = Attention> extends Module {
  /** What finds the context. */
  readonly attention: A;
  /** W_c, (querySize, memorySize + querySize); without bias */
  readonly combine: Linear;

  /** Declares W_c for the sizes of an attention. */
  constructor(attention: A) {
    super();
    const { querySize, memorySize } = attention;
    this.attention = attention;
    this.combine = new Linear(memorySize + querySize, querySize, { bias: false });
  }

  /**
   * @param queries - (B, S, querySize)
   * @returns also `output`, y of (B, S, querySize)
   * @throws ShapeError
   */
  forward(queries: Tensor, prepared: AttentionMemory): Attended & { readonly output: Tensor } {
    const attended = this.attention.attend(queries, prepared);
    return { ...attended, output: tanh(this.combine.forward(concat([attended.context, queries]))) };
  }
}
