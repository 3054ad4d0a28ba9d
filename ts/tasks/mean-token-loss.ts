/** How well a model predicts the tokens of a text. */
import { type Batch, evaluationLanes } from "../data/lanes.js";
import type { Module } from "../nn/module.js";
import { CarriedState, type RecurrentState } from "../nn/state.js";
import type { Tensor } from "../tensor/tensor.js";
import type { Tokenizer } from "../text/tokenizer.js";

/** Steps of one call. */
const EVALUATION_STEPS = 256;

/** Mean loss in nats over every token of a text but the first. @throws DataError when there are fewer than two @internal */
export function meanTokenLoss(
  model: Module & {
    readonly tokenizer: Tokenizer;
    loss(batch: Batch, carried: CarriedState<RecurrentState>): Tensor;
  },
  text: string | Int32Array,
  batchSize: number,
): number {
  const tokens = typeof text === "string" ? model.tokenizer.encode(text) : text;
  const carried = new CarriedState<RecurrentState>();
  let total = 0;
  let count = 0;
  try {
    for (const batch of evaluationLanes(tokens, { batchSize, seqLen: EVALUATION_STEPS })) {
      total += batch.count * (model.run(() => model.loss(batch, carried).item()) as number);
      count += batch.count;
    }
  } finally {
    carried.dispose();
  }
  return total / count;
}
