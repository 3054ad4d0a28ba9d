/**
 * A sequence in parts is the sequence: outputs and states of the parts equal the whole bit for bit, at any batch size,
 * because every kernel and tail sums in one order. Gradients, which are summed over other blocks then, within a
 * tolerance.
 */
import { describe, expect, it } from "vitest";
import {
  add,
  CharTokenizer,
  charRnn,
  concat,
  GRU,
  gradients,
  ids,
  LanguageModel,
  LSTM,
  mul,
  type RecurrentState,
  RNN,
  Session,
  slice,
  sum,
  type Tensor,
  tensor,
} from "../../ts/index.js";
import { relativeError } from "./compare.js";
import { Random } from "./random.js";

const [batch, steps, input, hidden] = [5, 11, 7, 19];
const random = new Random(11);
const makers = { RNN, LSTM, GRU };
const x = random.values(batch * steps * input);
const weights = random.values(batch * steps * hidden);

type Layer = {
  forward(x: Tensor, options: { state?: RecurrentState | undefined }): { output: Tensor; state: RecurrentState };
};
type Name = keyof typeof makers;
const names = Object.keys(makers) as Name[];

function make(name: Name): InstanceType<(typeof makers)[Name]> {
  return new makers[name](input, hidden, { numLayers: 2 }).init({ seed: 5 });
}

/** Output and last state of a sequence taken in parts of the given lengths. */
function inParts(layer: Layer, sequence: Tensor, parts: readonly number[]): { output: Tensor; state: RecurrentState } {
  let state: RecurrentState | undefined;
  let start = 0;
  const outputs = parts.map((length) => {
    const result = layer.forward(slice(sequence, 1, start, start + length), { state });
    state = result.state;
    start += length;
    return result.output;
  });
  return { output: concat(outputs, 1), state: state as unknown as RecurrentState };
}

describe.each(names)("%s", (name) => {
  const layer = make(name);
  const run = (parts: readonly number[]) =>
    layer.run(() => inParts(layer as Layer, tensor(x, [batch, steps, input]), parts));
  const whole = run([steps]);

  it.each([[[4, 7]], [[1, 10]], [[10, 1]], [[3, 5, 3]], [new Array<number>(steps).fill(1)]])(
    "in parts of %j",
    (parts) => {
      expect(run(parts)).toEqual(whole);
    },
  );

  it("row by row", () => {
    for (let row = 0; row < batch; row++) {
      const part = x.subarray(row * steps * input, (row + 1) * steps * input);
      const alone = layer.run(() => inParts(layer as Layer, tensor(part, [1, steps, input]), [steps])).output.data;
      expect(alone).toEqual(whole.output.data.slice(row * steps * hidden, (row + 1) * steps * hidden));
    }
  });

  it("in gradients", () => {
    const gradientsOf = (parts: readonly number[]) =>
      gradients(() => {
        const { output, state } = inParts(layer as Layer, tensor(x, [batch, steps, input]), parts);
        const terms = Object.values(state).map((value) => sum(value));
        return terms.reduce((a, b) => add(a, b), sum(mul(output, tensor(weights, [batch, steps, hidden]))));
      });
    const [one, parts] = [gradientsOf([steps]), gradientsOf([3, 5, 3])];
    expect(relativeError([parts.loss], [one.loss])).toBeLessThan(1e-5);
    expect(one.grads.size).toBe(8);
    for (const [parameter, gradient] of one.grads) {
      expect(relativeError(parts.grads.get(parameter) ?? [], gradient)).toBeLessThan(1e-5);
    }
  });
});

it("a session is the whole", () => {
  const tokenizer = CharTokenizer.from("the quick brown fox jumps over the lazy dog");
  const model = new LanguageModel({ tokenizer, ...charRnn.model, hiddenSize: 21 }).init({ seed: 2 });
  const tokens = tokenizer.encode("a dog jumps over a fox");
  const whole = model.run(() => model.forward(ids(tokens, [1, tokens.length])).logits).data;
  const session = new Session(model);
  for (let t = 0; t < tokens.length; t++) {
    expect(session.step(tokens[t] as number)).toEqual(whole.slice(t * tokenizer.size, (t + 1) * tokenizer.size));
  }
  session.reset();
  expect(session.feed(tokens)).toEqual(whole.slice(-tokenizer.size));
  session.dispose();
});
