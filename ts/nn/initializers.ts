/**
 * How parameters are drawn. Each draw depends on the seed and the parameter's path only (Philox4x32-10 in the core),
 * never on the order of construction.
 */
import { ArgumentError } from "../errors.js";
import { seedWords } from "../tensor/dropout.js";
import type { Initializer, Parameter } from "../tensor/parameter.js";

function finite(where: string, option: string, value: number): void {
  if (!Number.isFinite(value)) throw new ArgumentError(where, option, "a finite number", value);
}

/**
 * Uniform on [low, high).
 * @throws ArgumentError for a number that is not finite
 */
export function uniform(low: number, high: number): Initializer {
  finite("uniform", "low", low);
  finite("uniform", "high", high);
  return (parameter, seed, stream) => {
    const { core } = parameter;
    const [seedLow, seedHigh] = seedWords(seed);
    core.raw.ur_uniform(parameter.pointer, parameter.size, low, high, seedLow, seedHigh, stream, 0, 0);
  };
}

/**
 * Normal with the given mean (default 0) and standard deviation (default 1).
 * @throws ArgumentError for a number that is not finite
 */
export function normal(mean = 0, standardDeviation = 1): Initializer {
  finite("normal", "mean", mean);
  finite("normal", "standardDeviation", standardDeviation);
  return (parameter, seed, stream) => {
    const { core } = parameter;
    const [seedLow, seedHigh] = seedWords(seed);
    const { pointer, size } = parameter;
    core.raw.ur_normal(pointer, size, mean, standardDeviation, seedLow, seedHigh, stream, 0, 0);
  };
}

/**
 * Every element the same.
 * @throws ArgumentError for a number that is not finite
 */
export function constant(value: number): Initializer {
  return (parameter) => parameter.core.raw.ur_fill(parameter.pointer, parameter.size, value);
}

/** Inputs and outputs of a product by this parameter: columns and rows of a matrix. */
function fans(parameter: Parameter): { fanIn: number; fanOut: number } {
  const [fanOut = 1, fanIn = fanOut] = parameter.shape;
  return { fanIn, fanOut };
}

/**
 * U(-a, a) with a = gain sqrt(6 / (inputs + outputs)). Glorot & Bengio 2010.
 * @throws ArgumentError for a number that is not finite
 */
export function xavierUniform(gain = 1): Initializer {
  return (parameter, seed, stream) => {
    const { fanIn, fanOut } = fans(parameter);
    const bound = gain * Math.sqrt(6 / (fanIn + fanOut));
    uniform(-bound, bound)(parameter, seed, stream);
  };
}

/**
 * N(0, s) with s = gain sqrt(2 / (inputs + outputs)). Glorot & Bengio 2010.
 * @throws ArgumentError for a number that is not finite
 */
export function xavierNormal(gain = 1): Initializer {
  return (parameter, seed, stream) => {
    const { fanIn, fanOut } = fans(parameter);
    normal(0, gain * Math.sqrt(2 / (fanIn + fanOut)))(parameter, seed, stream);
  };
}

/** Options of {@link kaimingUniform} and {@link kaimingNormal}. */
export interface KaimingOptions {
  /** Keep the variance of what goes forward ("fanIn", the default) or of gradients going back ("fanOut"). */
  readonly mode?: "fanIn" | "fanOut";
  /** Slope of a leaky ReLU below 0; default 0, a ReLU. */
  readonly slope?: number;
}

/** Standard deviation sqrt(2 / ((1 + slope^2) fan)). */
function kaimingDeviation(where: string, parameter: Parameter, { mode = "fanIn", slope = 0 }: KaimingOptions): number {
  if (mode !== "fanIn" && mode !== "fanOut") throw new ArgumentError(where, "mode", '"fanIn" or "fanOut"', mode);
  finite(where, "slope", slope);
  return Math.sqrt(2 / ((1 + slope * slope) * fans(parameter)[mode]));
}

/**
 * U(-a, a) with a = sqrt(6 / ((1 + slope^2) fan)), for ReLU. He et al. 2015.
 * @throws ArgumentError for a number that is not finite
 */
export function kaimingUniform(options: KaimingOptions = {}): Initializer {
  return (parameter, seed, stream) => {
    const bound = Math.sqrt(3) * kaimingDeviation("kaimingUniform", parameter, options);
    uniform(-bound, bound)(parameter, seed, stream);
  };
}

/**
 * N(0, s) with s = sqrt(2 / ((1 + slope^2) fan)), for ReLU. He et al. 2015.
 * @throws ArgumentError for a number that is not finite
 */
export function kaimingNormal(options: KaimingOptions = {}): Initializer {
  return (parameter, seed, stream) => {
    normal(0, kaimingDeviation("kaimingNormal", parameter, options))(parameter, seed, stream);
  };
}

/**
 * Normal with the given mean (default 0) and standard deviation (default 1), in which values more than two deviations
 * from the mean are drawn again, as Keras's TruncatedNormal.
 * @throws ArgumentError for a number that is not finite
 */
export function truncatedNormal(mean = 0, standardDeviation = 1): Initializer {
  finite("truncatedNormal", "mean", mean);
  if (!(standardDeviation >= 0 && standardDeviation < Infinity)) {
    throw new ArgumentError("truncatedNormal", "standardDeviation", "a finite number of 0 or more", standardDeviation);
  }
  return (parameter, seed, stream) => {
    const { core, size } = parameter;
    const [seedLow, seedHigh] = seedWords(seed);
    const values = new Float32Array(size);
    let open = Array.from(values, (_, i) => i);
    // In single precision, as the draws are: a deviation of 0 leaves the mean itself inside.
    const [low, high] = [Math.fround(mean - 2 * standardDeviation), Math.fround(mean + 2 * standardDeviation)];
    for (let call = 0; open.length > 0; call++) {
      core.raw.ur_normal(parameter.pointer, size, mean, standardDeviation, seedLow, seedHigh, stream, 0, call);
      const drawn = core.readF32(parameter.pointer, size);
      for (const i of open) values[i] = drawn[i] as number;
      open = open.filter((i) => !((values[i] as number) >= low && (values[i] as number) <= high));
    }
    core.f32.set(values, parameter.pointer >>> 2);
  };
}

/**
 * `scale` times the identity (default 1), with zeros elsewhere: for the recurrent weights of a ReLU network (IRNN). Le,
 * Jaitly & Hinton 2015, "A Simple Way to Initialize Recurrent Networks of Rectified Linear Units".
 *
 * @throws ArgumentError for a parameter that is not a matrix
 */
export function identityMatrix(scale = 1): Initializer {
  finite("identityMatrix", "scale", scale);
  return (parameter) => {
    const [rows, columns] = matrix("identityMatrix", parameter);
    const values = new Float32Array(parameter.size);
    for (let i = 0; i < Math.min(rows, columns); i++) values[i * columns + i] = scale;
    parameter.core.f32.set(values, parameter.pointer >>> 2);
  };
}

/**
 * The bias of an LSTM, rows i, f, g, o: `value` (default 1) for the forget gate, so that memories last at first; the
 * other gates as `others` draws them (default zeros). Gers, Schmidhuber & Cummins 2000; Jozefowicz, Zaremba & Sutskever
 * 2015.
 *
 * A layer adds its two biases: give this to `bias_ih` and zeros to `bias_hh`, or half of the value to each.
 *
 * @throws ArgumentError for a parameter that is not the bias of four gates
 */
export function forgetGateBias(value = 1, others: Initializer = constant(0)): Initializer {
  finite("forgetGateBias", "value", value);
  return gateBias(["i", "f", "g", "o"], { f: value }, others);
}

/** First value of a gate's biases: the same for all units, or one for each unit from 0 to width - 1. */
export type GateBias = number | ((unit: number, width: number) => number);

/**
 * The bias of gates stacked above each other, as every cell here has it: some gates start at given values, the others as
 * `others` draws them (default U(-1/sqrt(H), 1/sqrt(H))).
 *
 * @param gates the order of the rows, for example `["r", "z", "n"]`
 * @throws ArgumentError for a gate that there is not, and for a parameter that is not the bias of so many gates
 */
export function gateBias(
  gates: readonly string[],
  values: Readonly<Record<string, GateBias>>,
  others?: Initializer,
): Initializer {
  const unknown = Object.keys(values).find((gate) => !gates.includes(gate));
  if (unknown !== undefined) throw new ArgumentError("gateBias", "values", `gates among ${gates.join(", ")}`, unknown);
  return (parameter, seed, stream) => {
    const { shape, size, core, name } = parameter;
    if (shape.length !== 1 || size % gates.length !== 0) {
      throw new ArgumentError("gateBias", name, `of shape [${gates.length} H]`, shape);
    }
    const width = size / gates.length;
    const bound = 1 / Math.sqrt(width);
    (others ?? uniform(-bound, bound))(parameter, seed, stream);
    gates.forEach((gate, row) => {
      const value = values[gate];
      if (value === undefined) return;
      const first = (parameter.pointer >>> 2) + row * width;
      for (let unit = 0; unit < width; unit++) {
        core.f32[first + unit] = typeof value === "number" ? value : value(unit, width);
      }
    });
  };
}

/** @throws ArgumentError unless the parameter has two dimensions @internal */
export function matrix(where: string, { name, shape }: Parameter): readonly [rows: number, columns: number] {
  const [rows, columns] = shape;
  if (shape.length !== 2 || rows === undefined || columns === undefined) {
    throw new ArgumentError(where, name, "a matrix", shape);
  }
  return [rows, columns];
}

/** Which parameters a rule of {@link byName} is for. */
export type ParameterMatch = RegExp | ((name: string, parameter: Parameter) => boolean);

/**
 * Another initializer for each kind of parameter, chosen by its name: the first rule that matches draws it.
 *
 * ```ts
 * const draw = byName([[/weight_hh/, orthogonal()], [/bias_ih/, forgetGateBias()], [/bias/, constant(0)]]);
 * model.init({ seed: 1, initializer: draw });
 * ```
 *
 * @param otherwise draws what no rule matches; default: the parameter's own initializer
 * @throws ArgumentError for a parameter that no rule matches and that has this as its own initializer
 */
export function byName(
  rules: readonly (readonly [match: ParameterMatch, initializer: Initializer])[],
  otherwise?: Initializer,
): Initializer {
  const draw: Initializer = (parameter, seed, stream) => {
    const { name } = parameter;
    // search, because test() of a pattern with the flag g depends on the call before.
    const rule = rules.find(([match]) => (match instanceof RegExp ? name.search(match) >= 0 : match(name, parameter)));
    const chosen = rule?.[1] ?? otherwise ?? parameter.initializer;
    if (chosen === draw)
      throw new ArgumentError("byName", "rules", `one that matches ${name}, or \`otherwise\``, "none");
    chosen?.(parameter, seed, stream);
  };
  return draw;
}
