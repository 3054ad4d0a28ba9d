/**
 * How far back a loss is felt: the norm of its gradient by the state of each step before it. Bengio, Simard & Frasconi
 * 1994, "Learning long-term dependencies with gradient descent is difficult"; Pascanu, Mikolov & Bengio 2013, "On the
 * difficulty of training recurrent neural networks".
 */
import { ArgumentError, ShapeError } from "../errors.js";
import type { Module } from "../nn/module.js";
import type { RecurrentState } from "../nn/state.js";
import { Ids } from "../tensor/ids.js";
import { recordGradients } from "../tensor/record.js";
import { slice } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { type CurveOptions, curveSvg } from "./curve.js";

/** A layer, wiring or model that goes on from a state: inputs and a state in, a state and whatever else out. */
export type Stepwise<R extends { readonly state: RecurrentState }> = Module & {
  /** Sequences are (B, T, ...), else (T, B, ...); default true. */
  readonly batchFirst?: boolean;
  // A method, so that layers of tensors and models of ids fit.
  /** Runs over whole sequences, from a state where one is given. */
  forward(input: never, options: { readonly state?: never }): R;
};

/** Norms by the name of the state: element d - 1 is that of the state d steps before the loss. */
export type DistanceNorms = Readonly<Record<string, readonly number[]>>;

/**
 * ||dL / ds_{T-d}|| for d = 1 to T - 1, where L is a loss of the last step and s_t the state after step t, all layers and
 * rows of the batch together. Steps are run one at a time; dropout is off.
 *
 * ```ts
 * const { h } = gradientByDistance(lstm, x, ({ output }) => sum(square(output)));
 * ```
 *
 * @param input (B, T, I), or (T, B, I) as the module has it; of a model of tokens ids (B, T)
 * @param loss of what `forward` gave for the last step, a tensor of one element
 * @throws ShapeError, ArgumentError (fewer than two steps)
 */
export function gradientByDistance<R extends { readonly state: RecurrentState }>(
  model: Stepwise<R>,
  input: Tensor | Ids,
  loss: (last: R) => Tensor,
): DistanceNorms {
  const where = "gradientByDistance";
  const timeAxis = model.batchFirst === false && !(input instanceof Ids) ? 0 : 1;
  const dimensions = input instanceof Ids ? 2 : 3;
  if (input.shape.length !== dimensions) {
    const layout = timeAxis === 1 ? ["B", "T", "I"] : ["T", "B", "I"];
    throw new ShapeError(where, "input", layout.slice(0, dimensions), input.shape);
  }
  const steps = input.shape[timeAxis] as number;
  if (steps < 2) throw new ArgumentError(where, "input", "of at least two steps", input.shape);
  const { core } = model;
  const forward = model.forward as unknown as (input: Tensor | Ids, options: { state?: RecurrentState }) => R;
  const states: RecurrentState[] = [];
  const record = (): Tensor => {
    for (let t = 0; ; t++) {
      const before = states[t - 1];
      const last = forward.call(model, stepOf(input, timeAxis, t), before === undefined ? {} : { state: before });
      if (t === steps - 1) return loss(last);
      // Gradients flow to the states also where no parameter is trained.
      for (const value of Object.values(last.state)) (value.base ?? value).requiresGrad = value.requiresGrad = true;
      states.push(last.state);
    }
  };
  return recordGradients(core, { training: false }, record, (_loss, tape) => {
    const norms: Record<string, number[]> = {};
    for (const state of states.reverse()) {
      for (const [name, value] of Object.entries(state)) {
        norms[name] ??= [];
        norms[name].push(norm(core.readF32(tape.gradient(value), value.size)));
      }
    }
    return norms;
  });
}

/** Step t as a sequence of one. */
function stepOf(input: Tensor | Ids, timeAxis: number, t: number): Tensor | Ids {
  if (!(input instanceof Ids)) return slice(input, timeAxis, t, t + 1);
  const [batch, steps] = input.shape as [number, number];
  return new Ids(
    Int32Array.from({ length: batch }, (_, row) => input.data[row * steps + t] as number),
    [batch, 1],
  );
}

function norm(values: Float32Array): number {
  let sum = 0;
  for (const value of values) sum += value * value;
  return Math.sqrt(sum);
}

/**
 * Gradients by distance as curves on a logarithmic axis, one of each name; where a gradient is 0 its curve ends.
 * @param flows norms of distances 1, 2, ..., of several networks or states
 */
export function gradientDistanceSvg(flows: DistanceNorms, options: CurveOptions = {}): string {
  const series = Object.entries(flows).map(([name, norms]) => ({
    name,
    points: norms.map((value, i) => [i + 1, value] as const),
  }));
  return curveSvg(series, {
    title: "Gradient by distance",
    xLabel: "steps back from the loss",
    yLabel: "norm of the gradient by the state",
    logY: true,
    ...options,
  });
}
