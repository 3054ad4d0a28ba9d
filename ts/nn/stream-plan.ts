/** How models take single steps: the plans of their recurrent layers, with what is below and above these. */
import type { StreamPlan } from "../tensor/stream.js";
import { LinearStream } from "../tensor/stream-cells.js";
import type { Embedding } from "./embedding.js";
import type { Linear } from "./linear.js";
import type { SequenceModule } from "./wiring/sequence-module.js";

/** The parts of a model that a stream goes through, in order. */
export interface StreamParts {
  /** Gives the vectors of tokens. */
  readonly embedding?: Embedding | undefined;
  /** How many tokens there are, where they come in without an embedding, one-hot. Without either vectors come in. */
  readonly vocabulary?: number | undefined;
  /** A recurrent layer, or a wiring of some. */
  readonly recurrent: Pick<SequenceModule, "streamPlan">;
  /** Takes the outputs of the recurrent layers. */
  readonly head?: Linear | undefined;
}

/**
 * What the method `streamPlan` of a model returns, so that a `Session` takes its steps in one call of the core each, and
 * with 8-bit weights if wanted. It says that `forward` is nothing but these parts one after the other, and gives the state
 * of `recurrent` as it is.
 *
 * ```ts
 * class Denoiser extends Module {
 *   readonly layers = new GRU(2, 32);
 *   readonly head = new Linear(32, 1);
 *   forward(x: Tensor, options: { state?: HiddenState } = {}) {
 *     const { output, state } = this.layers.forward(x, options);
 *     return { output: this.head.forward(output), state };
 *   }
 *   streamPlan() {
 *     return streamPlan({ recurrent: this.layers, head: this.head });
 *   }
 * }
 * ```
 *
 * @returns null for a recurrent part without such a plan: one that reads backwards, or whose cell has a softmax over its
 *   units or reads further inputs
 */
export function streamPlan({ embedding, vocabulary, recurrent, head }: StreamParts): StreamPlan | null {
  const plan = recurrent.streamPlan?.();
  if (!plan) return null;
  const layers = [...plan.layers];
  const fields = [...plan.fields];
  const known = embedding?.vocabSize ?? vocabulary;
  const tokens = known === undefined ? null : { vocabulary: known, table: () => embedding?.weight ?? null };
  if (embedding !== undefined) fields.push({ owner: embedding, names: ["weight"] });
  if (head !== undefined) {
    layers.push({ cell: new LinearStream(head), states: [], from: [layers.length - 1] });
    fields.push({ owner: head, names: ["weight", "bias"] });
  }
  return { ...plan, layers, tokens, fields };
}
