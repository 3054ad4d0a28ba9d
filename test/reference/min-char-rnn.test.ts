/**
 * The preset min-char-rnn is the algorithm: at every update along its own trajectory the gradients are those of the
 * plain f64 transcription from the same weights and state, and the update is Adagrad's. (The trajectory itself is
 * chaotic at this rate, so that two correct programs part ways after some hundred updates.)
 */
import { describe, expect, it } from "vitest";
import {
  CarriedState,
  CharTokenizer,
  createCore,
  gradients,
  LanguageModel,
  lanes,
  minCharRnn,
  mul,
  type Parameter,
  type RecurrentState,
} from "../../ts/index.js";
import { relativeError, updateError } from "./compare.js";
import { adagrad, lossAndGradients, type MinCharRnn, rows } from "./min-char-rnn.js";
import { referenceText } from "./text.js";

const UPDATES = 200;

/**
 * Errors relative to the largest element. float32 keeps 6e-8; gradients are sums over 25 steps of terms that went
 * through up to 25 products of 100 terms, in which roundings add up and are amplified where the network is: 2e-4 leaves
 * room for that, while a wrong term (a missing step, bias or factor) is off by 1e-2 and more.
 */
const GRADIENT_TOLERANCE = 2e-4;
const LOSS_TOLERANCE = 1e-5;

/** Our names of the reference's weights. */
const names: readonly (readonly [keyof MinCharRnn, string])[] = [
  ["Wxh", "rnn.weight_ih_l0"],
  ["Whh", "rnn.weight_hh_l0"],
  ["bh", "rnn.bias_ih_l0"],
  ["Why", "head.weight"],
  ["by", "head.bias"],
];

const flat = (values: MinCharRnn[keyof MinCharRnn]): Float64Array =>
  values instanceof Float64Array ? values : Float64Array.from(values.flatMap((row) => [...row]));

const { text, source } = referenceText();

describe(`min-char-rnn against a plain f64 reference on ${source}`, () => {
  const tokenizer = CharTokenizer.from(text);
  const model = new LanguageModel({ tokenizer, ...minCharRnn.model });
  model.init({ seed: 1, initializer: minCharRnn.initializer, core: createCore() });
  const data = lanes(tokenizer.encode(text), minCharRnn.lanes).train;
  const optimizer = minCharRnn.optimizer(model);
  const scale = minCharRnn.training.lossScale as number;
  const parameters = new Map(model.namedParameters());
  const parameter = (name: string): Parameter => parameters.get(name) as Parameter;
  const second = parameter("rnn.bias_hh_l0");

  it("starts as the program does", () => {
    expect(
      names
        .map(([, name]) => name)
        .concat("rnn.bias_hh_l0")
        .sort(),
    ).toEqual([...parameters.keys()].sort());
    for (const name of ["rnn.weight_ih_l0", "rnn.weight_hh_l0", "head.weight"]) {
      const values = parameter(name).toArray();
      const deviation = Math.sqrt(values.reduce((total, v) => total + v * v, 0) / values.length);
      // The standard error of a deviation from 6500 values is 0.9%.
      expect(deviation / 0.01, name).toBeCloseTo(1, 1);
    }
    for (const name of ["rnn.bias_ih_l0", "rnn.bias_hh_l0", "head.bias"])
      expect([...parameter(name).toArray()].some(Boolean)).toBe(false);
  });

  it(`has its gradients and makes its updates, ${UPDATES} times`, () => {
    const hidden = second.size;
    const state = new CarriedState<RecurrentState>();
    const probe = new CarriedState<RecurrentState>();
    const sums = new Map(names.map(([, name]) => [name, new Float64Array(parameter(name).size)]));
    const worst = { gradient: 0, loss: 0, state: 0, update: 0 };
    const raise = (key: keyof typeof worst, value: number): void => {
      worst[key] = Math.max(worst[key], value);
    };
    let first = NaN;
    let last = NaN;
    for (let update = 0; update < UPDATES; update++) {
      const batch = data.batch(update);
      const before = Float64Array.from(state.toArrays()?.["h"]?.data ?? new Float64Array(hidden));
      const weights = Object.fromEntries(
        names.map(([key, name]) => {
          const { shape } = parameter(name);
          const values = parameter(name).toArray();
          return [key, shape.length === 2 ? rows(values, shape[1] as number) : Float64Array.from(values)];
        }),
      ) as unknown as MinCharRnn;
      const reference = lossAndGradients(weights, batch.inputs.data, batch.targets.data, before);

      probe.fromArrays(state.toArrays(), model.core);
      const ours = gradients(() => mul(model.loss(batch, probe), scale), { core: model.core });
      raise("loss", relativeError([ours.loss], [reference.loss]));
      raise("state", relativeError(probe.toArrays()?.["h"]?.data ?? [], reference.h));
      for (const [key, name] of names) {
        raise("gradient", relativeError(ours.grads.get(parameter(name)) ?? [], flat(reference.gradients[key])));
      }

      const values = new Map(names.map(([, name]) => [name, parameter(name).toArray()]));
      const result = optimizer.update(() => mul(model.loss(batch, state), scale), minCharRnn.training);
      expect(result.loss).toBe(ours.loss);
      for (const [, name] of names) {
        const p = values.get(name) as Float32Array;
        const sum = sums.get(name) as Float64Array;
        const gradient = ours.grads.get(parameter(name)) as Float32Array;
        const expected = Float64Array.from(p, (value, i) => {
          const next = adagrad(value, gradient[i] as number, sum[i] as number, 0.1);
          sum[i] = next.sum;
          return next.p;
        });
        // The reference keeps its sums in f64: a root of a sum that was rounded 200 times may be off by half as many
        // roundings, and the update itself has a handful.
        raise("update", updateError(parameter(name).toArray(), p, expected, UPDATES / 2 + 6));
      }
      if (update === 0) first = result.loss;
      last = result.loss;
    }
    expect(worst.loss).toBeLessThan(LOSS_TOLERANCE);
    expect(worst.state).toBeLessThan(LOSS_TOLERANCE);
    expect(worst.gradient).toBeLessThan(GRADIENT_TOLERANCE);
    expect(worst.update).toBeLessThanOrEqual(1);
    // The trajectory is one of learning: from 25 ln V.
    expect(first).toBeCloseTo(25 * Math.log(tokenizer.size), 0);
    expect(last).toBeLessThan(0.9 * first);
    expect(second.toArray().some(Boolean)).toBe(false);
  });
});
