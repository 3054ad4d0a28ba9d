/** Loss and gradients of one shard, the same in every thread. */
import type { Module } from "../../nn/module.js";
import type { CarriedState, RecurrentState } from "../../nn/state.js";
import type { Parameter } from "../../tensor/parameter.js";
import { recordGradients } from "../../tensor/record.js";
import type { RecordContext } from "../../tensor/tape.js";
import type { Tensor } from "../../tensor/tensor.js";
import { firstNonFinite } from "../guard.js";
import type { ShardResult } from "./messages.js";

/** What is computed of a shard. */
export interface ShardTask {
  readonly model: Module;
  readonly parameters: readonly Parameter[];
  readonly loss: () => Tensor;
  readonly state: CarriedState<RecurrentState>;
  readonly context: RecordContext;
  readonly share: number;
  readonly keepState: boolean;
}

/**
 * Computes a shard.
 * @param take - is called for each parameter that has a gradient, with the pointer of that times the share
 */
export function computeShard(task: ShardTask, take: (index: number, gradient: number) => void): ShardResult {
  const { model, parameters, loss, state, context, share, keepState } = task;
  const { core } = model;
  const result = recordGradients(core, context, loss, (value, tape) => {
    // The mean over no targets is NaN, and of no weight.
    if (share === 0) return { loss: 0, used: parameters.map(() => false), where: undefined };
    const used = parameters.map((parameter, index) => {
      if (parameter.gradient === 0) return false;
      core.raw.ur_scale(parameter.size, share, parameter.gradient);
      take(index, parameter.gradient);
      return true;
    });
    return { loss: value, used, where: Number.isFinite(value) ? undefined : firstNonFinite(tape) };
  });
  return { ...result, state: keepState ? (state.toArrays() as ShardResult["state"]) : undefined };
}

/** The loss of a shard without dropout; 0 where it has no targets. */
export function evaluateShard({ model, loss, share }: ShardTask): ShardResult {
  const value = model.run(() => loss().item()) as number;
  return { loss: share === 0 ? 0 : value, used: [], where: undefined, state: undefined };
}
