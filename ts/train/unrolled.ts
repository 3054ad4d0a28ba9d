/**
 * Gradients of the unrolled copies of a network, one by one.
 *
 * Unrolled over T steps, a recurrent network is a feed-forward one of T copies with tied weights (Werbos 1990,
 * "Backpropagation through time: what it does and how to do it"). Here every step has a copy of its own, so that one can
 * read what each contributes:
 *
 *     dL/dW = sum over t of dL/dW_t
 *
 * For teaching: ordinary training sums as it goes, and holds the weights once.
 */
import { ArgumentError } from "../errors.js";
import type { Module } from "../nn/module.js";
import type { Parameter } from "../tensor/parameter.js";
import { type GradientOptions, gradients } from "../tensor/record.js";
import type { Tensor } from "../tensor/tensor.js";

/** Gradients by the names of the parameters. */
export type NamedGradients = Map<string, Float32Array>;

/** What {@link unrolledGradients} returns. */
export interface UnrolledGradients {
  /** Value of the loss. */
  readonly loss: number;
  /** Of each copy, in the order given; zeros where the loss does not depend on a parameter. */
  readonly copies: readonly NamedGradients[];
}

/**
 * Gives every copy the weights of `model`, and returns the gradients of each.
 *
 * @param model - what is unrolled, for example an `RNNCell`; unchanged
 * @param copies - one for each step, made as `model` was; they are initialised here
 * @param fn - computes the loss, using copy t at step t
 */
export function unrolledGradients<M extends Module>(
  model: M,
  copies: readonly M[],
  fn: (copies: readonly M[]) => Tensor,
  options: Omit<GradientOptions, "parameters"> = {},
): UnrolledGradients {
  if (copies.length === 0) throw new ArgumentError("unrolledGradients", "copies", "at least one", copies);
  const weights = model.stateDict();
  for (const copy of copies) copy.loadStateDict(weights, { core: model.core });
  const parameters = copies.flatMap((copy) => copy.parameters());
  const { loss, grads } = gradients(() => fn(copies), { core: model.core, ...options, parameters });
  return {
    loss,
    copies: copies.map(
      (copy) => new Map(copy.namedParameters().map(([name, parameter]) => [name, grads.get(parameter)!])),
    ),
  };
}

/**
 * The gradient of the tied weights from those of the copies, for `optimizer.applyGradients`.
 * @param reduction - "sum", the gradient of the loss (default), or "mean", which does not grow with the steps
 */
export function tiedGradients(
  model: Module,
  copies: readonly NamedGradients[],
  reduction: "sum" | "mean" = "sum",
): Map<Parameter, Float32Array> {
  const scale = reduction === "mean" ? 1 / copies.length : 1;
  const tied = new Map<Parameter, Float32Array>();
  for (const [name, parameter] of model.namedParameters()) {
    const total = new Float64Array(parameter.size);
    for (const copy of copies) {
      const part = copy.get(name);
      if (part?.length !== parameter.size) {
        throw new ArgumentError("tiedGradients", name, `${parameter.size} values in every copy`, part?.length);
      }
      for (let i = 0; i < total.length; i++) total[i] = (total[i] as number) + (part[i] as number);
    }
    tied.set(
      parameter,
      Float32Array.from(total, (value) => value * scale),
    );
  }
  return tied;
}
