/** Models as graphs: the words of Keras 3, masks among them, states, and what holds for every model. */
import { describe, expect, it } from "vitest";
import {
  AdamW,
  crossEntropy,
  gradients,
  ids,
  isUnrolledError,
  type PlainTensor,
  sum,
  type Tensor,
  tensor,
} from "../../../ts/index.js";
import { keras3 } from "../../../ts/io/keras/config.js";
import { buildModel, type KerasModel, type ModelWeights } from "../../../ts/io/keras/model.js";
import { NamedWeights } from "../../../ts/io/keras/named-weights.js";
import { Random } from "../../reference/random.js";

type Shapes = Readonly<Record<string, readonly (readonly [string, readonly number[]])[]>>;

/** Random weights of layers, the same for the same seed. */
function weightsOf(shapes: Shapes): ModelWeights {
  const random = new Random(5);
  const all = new Map(
    Object.entries(shapes).map(([layer, weights]) => [
      layer,
      weights.map(([name, shape]) => {
        const value: PlainTensor = { data: random.values(shape.reduce((a, b) => a * b, 1)), shape };
        return { name, read: () => value };
      }),
    ]),
  );
  return { layer: (name) => new NamedWeights(name, all.get(name) ?? []), finish: () => undefined };
}

const layer = (kind: string, name: string, config: object = {}, calls?: unknown[]): object => ({
  class_name: kind,
  name,
  config: { name, ...config },
  ...(calls === undefined ? {} : { inbound_nodes: calls }),
});

/** A result, as Keras 3 writes it. */
const result = (name: string, output = 0): object => ({
  class_name: "__keras_tensor__",
  config: { shape: [null], dtype: "float32", keras_history: [name, 0, output] },
});

const shapes: Shapes = {
  embed: [["embeddings", [7, 3]]],
  lstm: [
    ["kernel", [3, 16]],
    ["recurrent_kernel", [4, 16]],
    ["bias", [16]],
  ],
  head: [
    ["kernel", [4, 2]],
    ["bias", [2]],
  ],
};
const embedding = { input_dim: 7, output_dim: 3, mask_zero: true };
const lstm = { units: 4, return_sequences: false };
const head = { units: 2, activation: "softmax" };
const input = [
  [0, 3, 0, 5, 1],
  [2, 6, 0, 0, 0],
];

function sequential(): KerasModel {
  const layers = [layer("Embedding", "embed", embedding), layer("LSTM", "lstm", lstm), layer("Dense", "head", head)];
  return buildModel({ class_name: "Sequential", config: { layers } }, weightsOf(shapes), keras3, {});
}

describe("a graph of Keras 3", () => {
  it("with its mask as an argument equals the layers one after the other", () => {
    const graph = {
      class_name: "Functional",
      config: {
        layers: [
          layer("InputLayer", "ids", {}, []),
          layer("Embedding", "embed", { ...embedding, mask_zero: false }, [{ args: [result("ids")], kwargs: {} }]),
          layer("NotEqual", "not_equal", {}, [{ args: [result("ids"), 0], kwargs: {} }]),
          layer("LSTM", "lstm", lstm, [
            { args: [result("embed")], kwargs: { training: false, mask: result("not_equal") } },
          ]),
          layer("Dense", "head", head, [{ args: [result("lstm")], kwargs: {} }]),
        ],
        input_layers: [["ids", 0, 0]],
        output_layers: [["head", 0, 0]],
      },
    };
    const model = buildModel(graph, weightsOf(shapes), keras3, {});
    expect(model.predict(input)).toEqual(sequential().predict(input));
    // The masks matter: without them other numbers come out.
    const unmasked = buildModel(
      {
        class_name: "Sequential",
        config: {
          layers: [
            layer("Embedding", "embed", { ...embedding, mask_zero: false }),
            layer("LSTM", "lstm", lstm),
            layer("Dense", "head", head),
          ],
        },
      },
      weightsOf(shapes),
      keras3,
      {},
    );
    expect(unmasked.predict(input)).not.toEqual(model.predict(input));
  });

  it("hands states over, and gives several outputs", () => {
    const kernels = (inputs: number): Shapes[string] => [
      ["kernel", [inputs, 16]],
      ["recurrent_kernel", [4, 16]],
      ["bias", [16]],
    ];
    const graph = {
      class_name: "Functional",
      config: {
        layers: [
          layer("InputLayer", "x", {}, []),
          layer("LSTM", "first", { units: 4, return_state: true, return_sequences: true }, [
            { args: [result("x")], kwargs: {} },
          ]),
          layer("RNN", "second", { return_sequences: true, cell: { class_name: "LSTMCell", config: { units: 4 } } }, [
            { args: [result("x")], kwargs: { initial_state: [result("first", 1), result("first", 2)] } },
          ]),
        ],
        // One input alone is written without the outer list.
        input_layers: ["x", 0, 0],
        output_layers: [
          ["first", 0, 0],
          ["second", 0, 0],
        ],
      },
    };
    const model = buildModel(graph, weightsOf({ first: kernels(3), second: kernels(3) }), keras3, {});
    // Both layers get the weights of the second.
    const entries = [...model.stateDict()].filter(([name]) => name.startsWith("layers.1."));
    const copies = entries.map(([name, value]) => [name.replace("layers.1", "layers.0"), value] as const);
    model.loadStateDict(new Map([...entries, ...copies]));
    const x = new Random(9).values(2 * 6 * 3);
    // Of equal layers the second goes on where the first stopped: together they are one over the sequence twice.
    const [, second] = model.predict({ data: x, shape: [2, 6, 3] });
    const twice = Float32Array.from([...x.subarray(0, 18), ...x.subarray(0, 18), ...x.subarray(18), ...x.subarray(18)]);
    const [whole] = model.predict({ data: twice, shape: [2, 12, 3] });
    for (let row = 0; row < 2; row++) {
      const expected = whole?.data.subarray((row * 12 + 6) * 4, (row + 1) * 12 * 4) as Float32Array;
      const got = second?.data.subarray(row * 24, (row + 1) * 24) as Float32Array;
      expected.forEach((value, i) => {
        expect(Math.abs(value - (got[i] as number))).toBeLessThan(1e-6);
      });
    }
  });
});

it("carries the state of a stateful layer from call to call, until it is reset", () => {
  const layers = [layer("LSTM", "lstm", { ...lstm, return_sequences: true, stateful: true })];
  const model = buildModel({ class_name: "Sequential", config: { layers } }, weightsOf(shapes), keras3, {});
  const x = new Random(2).values(2 * 4 * 3);
  const [whole] = model.predict({ data: x, shape: [1, 8, 3] });
  model.resetStates();
  const parts = [0, 1].map(
    (part) => model.predict({ data: x.subarray(part * 12, part * 12 + 12), shape: [1, 4, 3] })[0],
  );
  expect([...(parts[0]?.data ?? []), ...(parts[1]?.data ?? [])]).toEqual([...(whole?.data ?? [])]);
  model.dispose();
});

it("trains like any model", () => {
  const model = sequential();
  const optimizer = new AdamW(model, { lr: 0.05 });
  const step = (): number =>
    optimizer.update(() => crossEntropy(model.forward(ids(input))[0] as never, ids([1, 0]))).loss;
  const first = step();
  let last = first;
  for (let i = 0; i < 20; i++) last = step();
  expect(last).toBeLessThan(first - 0.1);
  // Keras has one bias; the second of the layer stays what it was.
  expect([...(model.stateDict().get("layers.1.cell.bias_hh_l0")?.data ?? [1])].every((value) => value === 0)).toBe(
    true,
  );
});

it("drops inputs while training only, the same at all steps", () => {
  const layers = [layer("SpatialDropout1D", "drop", { rate: 0.5 })];
  const model = buildModel({ class_name: "Sequential", config: { layers } }, weightsOf({}), keras3, {});
  const [B, T, I] = [3, 5, 40];
  const x = tensor(new Float32Array(B * T * I).fill(1), [B, T, I]);
  expect(model.predict(x)[0]?.data).toEqual(x.toArray());
  let dropped: Float32Array = new Float32Array(0);
  gradients(() => {
    const [y] = model.forward(x) as [Tensor];
    dropped = y.toArray();
    return sum(y);
  });
  expect(new Set(dropped)).toEqual(new Set([0, 2]));
  for (let row = 0; row < B; row++) {
    for (let t = 1; t < T; t++) {
      const at = (step: number): Float32Array => dropped.subarray((row * T + step) * I, (row * T + step + 1) * I);
      expect(at(t)).toEqual(at(0));
    }
  }
});

it("says which input is missing", () => {
  const model = sequential();
  try {
    model.predict();
  } catch (error) {
    expect(isUnrolledError(error) && error.message).toContain("the inputs must be 1, got 0");
    return;
  }
  throw new Error("it ran");
});
