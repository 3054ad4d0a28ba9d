/**
 * How much of a state survives k steps, and whether it stays where it was. A recurrent network writes its state anew at
 * every step: information can be kept and yet change its form, so that what read it before no longer can ("information
 * morphing": R2RT 2016, "Written memories: understanding, deriving and extending the LSTM",
 * r2rt.com/written-memories-understanding-deriving-and-extending-the-lstm.html).
 *
 * Measured by how well s_t is predicted from s_{t+k}, as the coefficient of determination R^2 of all units together:
 *
 *   linear     from all units:     s_t ~ A s_{t+k} + a     what survives in any linear form
 *   inPlace    from its own unit:  s_t ~ d s_{t+k} + a     what survives in the same units (d a diagonal)
 *
 * The difference is what has survived but moved. Both maps are fitted by ridge regression (Hoerl & Kennard 1970) to every
 * second sequence and judged on the others, so that fitting noise counts for nothing.
 */
import { ArgumentError, ShapeError } from "../errors.js";
import { checkLengths } from "../nn/check.js";
import type { PlainTensor } from "../tensor/tensor.js";
import { type CurveOptions, curveSvg } from "./curve.js";
import { type Matrix, solvePositive } from "./matrix.js";

/** Options of {@link stateSurvival}. */
export interface SurvivalOptions {
  /** Numbers of steps k; default 1, 2, 4, ... up to half of T. */
  readonly lags?: readonly number[] | undefined;
  /** Strength of the ridge, relative to the mean variance of the units; default 1e-3. */
  readonly ridge?: number;
  /** How many steps of each sequence count; default all. */
  readonly lengths?: Int32Array | readonly number[] | undefined;
}

/** R^2 for each lag, from 0 (nothing; never below) to 1. NaN where the states do not vary at all. */
export interface StateSurvival {
  /** Steps between the two states. */
  readonly lags: readonly number[];
  /** From all units of the later state. */
  readonly linear: readonly number[];
  /** From its own unit. */
  readonly inPlace: readonly number[];
}

/** Pairs of a state and that k steps later: positions of their first elements. */
type Pairs = readonly (readonly [now: number, later: number])[];

/**
 * How much of s_t survives in s_{t+k}, over all steps of many sequences.
 *
 * @param states (B, T, H): outputs of a layer, or the memory c of `gateActivations`; several times more steps than units
 * @throws ShapeError, ArgumentError (fewer than two sequences, lags that no sequence is long enough for)
 */
export function stateSurvival(states: PlainTensor, options: SurvivalOptions = {}): StateSurvival {
  const { ridge = 1e-3, lengths } = options;
  const where = "stateSurvival";
  if (states.shape.length !== 3) throw new ShapeError(where, "states", ["B", "T", "H"], states.shape);
  const [batch, steps, units] = states.shape as [number, number, number];
  if (batch < 2) throw new ArgumentError(where, "states", "of at least two sequences", states.shape);
  if (!(ridge > 0 && ridge < Infinity)) throw new ArgumentError(where, "ridge", "a number above 0", ridge);
  checkLengths(where, lengths, batch, steps);
  const lags = options.lags ?? Array.from({ length: 30 }, (_, i) => 1 << i).filter((k) => k <= steps / 2);
  const pairs = (lag: number, first: number): Pairs => {
    const found: [number, number][] = [];
    for (let row = first; row < batch; row += 2) {
      const end = (lengths?.[row] ?? steps) - lag;
      for (let t = 0; t < end; t++) found.push([(row * steps + t) * units, (row * steps + t + lag) * units]);
    }
    return found;
  };
  const [linear, inPlace]: [number[], number[]] = [[], []];
  for (const lag of lags) {
    const [fitted, judged] = [pairs(lag, 0), pairs(lag, 1)];
    if (!Number.isInteger(lag) || lag < 1 || fitted.length === 0 || judged.length === 0) {
      throw new ArgumentError(where, "lags", "of 1 or more, and fewer steps than two sequences have", lag);
    }
    const moments = momentsOf(states.data, fitted, units, ridge);
    linear.push(determination(states.data, judged, moments, fullMap(moments)));
    inPlace.push(determination(states.data, judged, moments, diagonalMap(moments)));
  }
  return { lags, linear, inPlace };
}

/** Means and covariances of pairs, the ridge on the diagonal of the later states'. */
interface Moments {
  readonly units: number;
  readonly now: Float64Array;
  readonly later: Float64Array;
  /** (later, later) */
  readonly variance: Matrix;
  /** (later, now) */
  readonly covariance: Matrix;
}

function momentsOf(data: Float32Array, pairs: Pairs, units: number, ridge: number): Moments {
  const [now, later] = [new Float64Array(units), new Float64Array(units)];
  for (const [a, b] of pairs) {
    for (let i = 0; i < units; i++) {
      now[i] = (now[i] as number) + (data[a + i] as number) / pairs.length;
      later[i] = (later[i] as number) + (data[b + i] as number) / pairs.length;
    }
  }
  const [variance, covariance] = [new Float64Array(units * units), new Float64Array(units * units)];
  for (const [a, b] of pairs) {
    for (let i = 0; i < units; i++) {
      const deviation = ((data[b + i] as number) - (later[i] as number)) / pairs.length;
      for (let j = 0; j < units; j++) {
        const at = i * units + j;
        variance[at] = (variance[at] as number) + deviation * ((data[b + j] as number) - (later[j] as number));
        covariance[at] = (covariance[at] as number) + deviation * ((data[a + j] as number) - (now[j] as number));
      }
    }
  }
  let trace = 0;
  for (let i = 0; i < units; i++) trace += variance[i * units + i] as number;
  // States that do not vary have no map; the least positive number makes it 0.
  const strength = Math.max((ridge * trace) / units, Number.MIN_VALUE);
  for (let i = 0; i < units; i++) variance[i * units + i] = (variance[i * units + i] as number) + strength;
  const shape = { rows: units, columns: units };
  return { units, now, later, variance: { ...shape, data: variance }, covariance: { ...shape, data: covariance } };
}

/** (later, now): one weight of each pair of units. */
function fullMap({ variance, covariance }: Moments): Float64Array {
  return solvePositive(variance, covariance).data;
}

/** The same with the weights of each unit and itself alone. */
function diagonalMap({ units, variance, covariance }: Moments): Float64Array {
  const map = new Float64Array(units * units);
  for (let i = 0; i < units * units; i += units + 1) {
    map[i] = (covariance.data[i] as number) / (variance.data[i] as number);
  }
  return map;
}

/** 1 - (squares of what the map misses) / (squares of what the means miss). */
function determination(data: Float32Array, pairs: Pairs, { units, now, later }: Moments, map: Float64Array): number {
  let [missed, total] = [0, 0];
  const rest = new Float64Array(units);
  for (const [a, b] of pairs) {
    for (let j = 0; j < units; j++) rest[j] = (data[a + j] as number) - (now[j] as number);
    for (const value of rest) total += value * value;
    for (let i = 0; i < units; i++) {
      const deviation = (data[b + i] as number) - (later[i] as number);
      for (let j = 0; j < units; j++) rest[j] = (rest[j] as number) - deviation * (map[i * units + j] as number);
    }
    for (const value of rest) missed += value * value;
  }
  return total === 0 ? Number.NaN : Math.max(0, 1 - missed / total);
}

/**
 * Survival as two curves of each network over the lag.
 * @param networks results of {@link stateSurvival} by name
 * @returns an SVG document
 */
export function survivalSvg(networks: Readonly<Record<string, StateSurvival>>, options: CurveOptions = {}): string {
  const series = Object.entries(networks).flatMap(([name, { lags, linear, inPlace }]) => [
    { name: `${name}, any linear form`, points: lags.map((k, i) => [k, linear[i] as number] as const) },
    { name: `${name}, in place`, points: lags.map((k, i) => [k, inPlace[i] as number] as const) },
  ]);
  return curveSvg(series, {
    title: "How much of a state survives",
    xLabel: "steps k",
    yLabel: "R² of s_t from s_(t+k)",
    ...options,
  });
}
