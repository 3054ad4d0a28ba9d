/** The recipe char-rnn, at sizes that a plain f64 transcription can follow: gradients, carried states, RMSprop. */
import { expect, it } from "vitest";
import {
  CarriedState,
  CharTokenizer,
  charRnn,
  createCore,
  gradients,
  LanguageModel,
  lanes,
  mul,
  type RecurrentState,
} from "../../ts/index.js";
import { lossAndGradients, rmsprop, statesOf } from "./char-lstm.js";
import { relativeError, updateError } from "./compare.js";
import { rows } from "./min-char-rnn.js";
import { referenceText } from "./text.js";

const { text, source } = referenceText();

// All different, and H no multiple of a SIMD width; the second has the preset's H, whose columns are packed whole.
const sizes = [
  { hiddenSize: 23, batchSize: 3, seqLen: 11, updates: 12 },
  { hiddenSize: 128, batchSize: 5, seqLen: 7, updates: 3 },
];

it.each(sizes)(`char-rnn on ${source} with %o is the f64 reference's`, ({ hiddenSize, batchSize, seqLen, updates }) => {
  const tokenizer = CharTokenizer.from(text);
  const core = createCore();
  const model = new LanguageModel({ tokenizer, ...charRnn.model, hiddenSize });
  // U(-0.08, 0.08) barely moves a small network: larger values exercise the gates.
  model.init({ seed: 3, core });
  const layers = 2;
  const data = lanes(tokenizer.encode(text.slice(0, 20_000)), { ...charRnn.lanes, batchSize, seqLen }).train;
  const optimizer = charRnn.optimizer(model);
  const named = model.namedParameters();
  const state = new CarriedState<RecurrentState>();
  const probe = new CarriedState<RecurrentState>();
  for (let update = 0; update < updates; update++) {
    const batch = data.batch(update);
    const carried = state.toArrays();
    const statesBefore = (name: string) =>
      statesOf(carried?.[name]?.data ?? new Float64Array(layers * batchSize * hiddenSize), layers, batchSize);
    const weights = new Map(named.map(([name, parameter]) => [name, Float64Array.from(parameter.toArray())]));
    const before = { h: statesBefore("h"), c: statesBefore("c") };
    const ids = rows(batch.inputs.data, seqLen);
    const reference = lossAndGradients(weights, layers, ids, rows(batch.targets.data, seqLen), before);

    probe.fromArrays(carried, core);
    const ours = gradients(() => mul(model.loss(batch, probe), seqLen), { core });
    expect(relativeError([ours.loss], [reference.loss])).toBeLessThan(1e-6);
    for (const name of ["h", "c"] as const) {
      const expected = reference[name].flat().flatMap((values) => [...values]);
      expect(relativeError(probe.toArrays()?.[name]?.data ?? [], expected), name).toBeLessThan(1e-5);
    }
    for (const [name, parameter] of named) {
      // A float32 keeps 6e-8; sums here have up to a few hundred terms. A wrong term is off by 1e-2 and more.
      const error = relativeError(ours.grads.get(parameter) ?? [], reference.gradients.get(name) ?? []);
      expect(error, `gradient of ${name} at update ${update}`).toBeLessThan(2e-5);
    }

    const squares = optimizer.stateDict().tensors;
    optimizer.update(() => mul(model.loss(batch, state), seqLen), charRnn.training);
    for (const [name, parameter] of named) {
      const p = weights.get(name) as Float64Array;
      const gradient = ours.grads.get(parameter) as Float32Array;
      const v = squares.get(`${name}.square_avg`)?.data;
      const expected = p.map((value, i) => rmsprop(value, gradient[i] as number, v?.[i] ?? 0, optimizer.lr, 0.95).p);
      expect(updateError(parameter.toArray(), p, expected, 12), `update of ${name}`).toBeLessThanOrEqual(1);
    }
    expect(optimizer.lr).toBe(2e-3);
  }
});
