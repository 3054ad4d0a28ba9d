/** Models written as ONNX files and read back: the same numbers, states included. */
import { describe, expect, it } from "vitest";
import {
  ArgumentError,
  CharTokenizer,
  GRU,
  gradients,
  Ids,
  LanguageModel,
  LSTM,
  type LSTMState,
  type Module,
  mean,
  type Parameter,
  type PlainTensor,
  type RecurrentLayer,
  type RecurrentState,
  RNN,
  square,
  type Tensor,
  tensor,
} from "../../../ts/index.js";
import { loadOnnx, saveOnnx } from "../../../ts/io/onnx/index.js";
import { Random } from "../../reference/random.js";

const [B, T, I, H] = [3, 4, 5, 6];
const random = new Random(3);

function given(...shape: number[]): PlainTensor {
  return { data: random.values(shape.reduce((product, length) => product * length, 1)), shape };
}

function close(got: PlainTensor | Ids | undefined, expected: PlainTensor): void {
  expect(got?.shape).toEqual(expected.shape);
  expected.data.forEach((value, i) => {
    expect(Math.abs((got?.data[i] as number) - value)).toBeLessThan(2e-6);
  });
}

type Layer = RecurrentLayer<RecurrentState> & Module;

describe("layers", () => {
  const cases: [what: string, layer: Layer][] = [
    ["LSTM", new LSTM(I, H) as Layer],
    [
      "LSTM, 3 layers, both directions, time first",
      new LSTM(I, H, { numLayers: 3, bidirectional: true, batchFirst: false }) as Layer,
    ],
    ["GRU, 2 layers, without biases", new GRU(I, H, { numLayers: 2, bias: false }) as Layer],
    ["GRU, both directions", new GRU(I, H, { bidirectional: true }) as Layer],
    ["RNN", new RNN(I, H) as Layer],
    ...(["relu", "sigmoid", "softplus", "softsign", "hardSigmoid", "hardSigmoidOnnx", "identity"] as const).map(
      (nonlinearity): [string, Layer] => [`RNN ${nonlinearity}`, new RNN(I, H, { nonlinearity }) as Layer],
    ),
    ["RNN leakyRelu", new RNN(I, H, { nonlinearity: "leakyRelu", alpha: 0.3, bidirectional: true }) as Layer],
    ["RNN elu", new RNN(I, H, { nonlinearity: "elu", alpha: 0.7 }) as Layer],
  ];

  it.each(cases)("%s", (_what, layer) => {
    layer.init({ seed: 5 });
    const x = given(...(layer.batchFirst ? [B, T] : [T, B]), I);
    const names = layer.states.map(({ name }) => name);
    const states = Object.fromEntries(names.map((name) => [name, given(layer.numLayers * layer.directions, B, H)]));
    const { output, state } = layer.run(() => {
      const initial = Object.fromEntries(
        Object.entries(states).map(([name, { data, shape }]) => [name, tensor(data, shape)]),
      );
      return layer.forward(tensor(x.data, x.shape), { state: initial as LSTMState });
    });
    const model = loadOnnx(saveOnnx(layer));
    const read = model.predict({
      x,
      ...Object.fromEntries(names.map((name) => [`${name}0`, states[name] as PlainTensor])),
    });
    close(read["output"], output);
    for (const name of names) close(read[`${name}n`], state[name] as PlainTensor);
    model.dispose();
    layer.dispose();
  });

  it("that have no operator are refused", () => {
    expect(() => saveOnnx(new LSTM(I, H, { projectionSize: 2 }) as Layer)).toThrow(ArgumentError);
    expect(() => saveOnnx(new RNN(I, H, { nonlinearity: "hardTanh" }) as Layer)).toThrow(/hardTanh/);
  });
});

describe("language models", () => {
  const tokenizer = CharTokenizer.from("the cat sat on the mat");

  it.each([
    ["one-hot", {}],
    ["an embedding", { embeddingSize: 5 }],
    ["tied weights", { embeddingSize: H, tieWeights: true }],
  ])("with %s", (_what, options) => {
    const model = new LanguageModel({
      tokenizer,
      cell: LSTM,
      hiddenSize: H,
      numLayers: 2,

      ...options,
    }).init({ seed: 2 });
    const ids = new Ids(Int32Array.from(tokenizer.encode("cat at the")), [2, 5]);
    const file = saveOnnx(model);
    const read = loadOnnx(file);
    const states = { h0: given(2, 2, H), c0: given(2, 2, H) };
    const { logits, state } = model.run(() => {
      const [h, c] = [states.h0, states.c0].map(({ data, shape }) => tensor(data, shape));
      return model.forward(ids, { state: { h, c } as RecurrentState });
    });
    const results = read.predict({ ids, ...states });
    close(results["logits"], logits);
    close(results["hn"], (state as Record<string, PlainTensor>)["h"] as PlainTensor);
    close(results["cn"], (state as Record<string, PlainTensor>)["c"] as PlainTensor);
    // It learns as the model does.
    const gradientOf = (of: Module, name: string, forward: () => Tensor): Float32Array => {
      const parameter = new Map(of.namedParameters()).get(name) as Parameter;
      const { grads } = gradients(() => mean(square(forward())), { parameters: [parameter] });
      return grads.get(parameter) as Float32Array;
    };
    const zero = { h0: tensor(new Float32Array(4 * H), [2, 2, H]), c0: tensor(new Float32Array(4 * H), [2, 2, H]) };
    const expected = gradientOf(model, "rnn.weight_hh_l0", () => model.forward(ids).logits);
    const got = gradientOf(read, "layers.0.weight_hh_l0", () => read.forward({ ids, ...zero })["logits"] as Tensor);
    expect(expected.some((value) => Math.abs(value) > 1e-6)).toBe(true);
    close({ data: got, shape: [4 * H, H] }, { data: expected, shape: [4 * H, H] });
    read.dispose();
    model.dispose();
  });
});
