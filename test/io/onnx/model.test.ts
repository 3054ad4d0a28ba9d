/** Reading ONNX files: what a caller gives and gets, training, and files that are not to be trusted. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  ArgumentError,
  DTypeError,
  getCore,
  Ids,
  LoadError,
  type LoadErrorCategory,
  mean,
  OutOfMemoryError,
  SGD,
  ShapeError,
  square,
  type Tensor,
  tensor,
} from "../../../ts/index.js";
import { loadOnnx } from "../../../ts/io/onnx/index.js";
import {
  type WritableModel,
  type WritableNode,
  type WritableTensor,
  writeModel,
} from "../../../ts/io/onnx/protobuf.js";
import { openCorpus } from "../../conformance/corpus.js";
import { Random } from "../../reference/random.js";

const corpus = openCorpus();

/** A file: one input x of (T, B, I) unless said otherwise. */
function file(nodes: readonly WritableNode[], more: Partial<WritableModel> = {}): Uint8Array {
  return writeModel({
    name: "test",
    opsets: { "": 17 },
    inputs: [{ name: "x", shape: ["T", "B", 3] }],
    outputs: [{ name: "y", shape: [] }],
    initializers: [],
    nodes,
    ...more,
  });
}

const random = new Random(7);

function values(name: string, ...shape: number[]): WritableTensor {
  const size = shape.reduce((product, length) => product * length, 1);
  return { name, shape, data: random.values(size, 0.5) };
}

const vector = (...data: number[]): { data: Float32Array; shape: number[] } => ({
  data: Float32Array.from(data),
  shape: [data.length],
});

const lstm: WritableNode = {
  operator: "LSTM",
  name: "rnn",
  inputs: ["x", "W", "R", "B"],
  outputs: ["y"],
  attributes: { hidden_size: 4 },
};
const lstmWeights = [values("W", 1, 16, 3), values("R", 1, 16, 4), values("B", 1, 32)];

/** The category that a file is refused for, and what the message says. */
function refusal(bytes: Uint8Array): { category: LoadErrorCategory; message: string } {
  try {
    loadOnnx(bytes).dispose();
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    return error;
  }
  throw new Error("the file was loaded");
}

describe("inputs", () => {
  const bytes = file([{ operator: "Add", inputs: ["x", "i"], outputs: ["y"] }], {
    inputs: [
      { name: "x", shape: ["N", 2] },
      { name: "i", shape: [2] },
    ],
    initializers: [{ name: "i", shape: [2], data: Float32Array.of(10, 20) }],
  });

  it("are described, and may be left out where the file has a value", () => {
    const model = loadOnnx(bytes);
    expect(model.inputs).toEqual([
      { name: "x", type: "real", shape: ["N", 2], optional: false },
      { name: "i", type: "real", shape: [2], optional: true },
    ]);
    expect(model.outputs).toEqual(["y"]);
    const x = { data: Float32Array.of(1, 2), shape: [1, 2] };
    expect([...(model.predict({ x })["y"]?.data ?? [])]).toEqual([11, 22]);
    expect([...(model.predict({ x, i: vector(3, 4) })["y"]?.data ?? [])]).toEqual([4, 6]);
  });

  it("are held against the description", () => {
    const model = loadOnnx(bytes);
    const x = { data: Float32Array.of(1, 2), shape: [1, 2] };
    expect(() => model.predict({})).toThrow(ArgumentError);
    expect(() => model.predict({ x, z: x })).toThrow(/must be named x, i, got "z"/);
    expect(() => model.predict({ x: vector(1, 2) })).toThrow(ShapeError);
    expect(() => model.predict({ x: new Ids(Int32Array.of(1, 2), [1, 2]) })).toThrow(DTypeError);
    expect(() => model.predict({ x: { data: Float32Array.of(1), shape: [1, 2] } })).toThrow(ShapeError);
    for (const value of [null, 3, "x", [1, 2], { data: [1, 2], shape: [1, 2] }]) {
      expect(() => model.predict({ x: value as never })).toThrow(DTypeError);
    }
  });

  it("may have the names of things that objects have already", () => {
    const names = ["__proto__", "constructor", "forward"];
    const model = loadOnnx(
      file([], {
        inputs: [{ name: "__proto__", shape: [1] }],
        outputs: [{ name: "toString", shape: [] }],
        initializers: names.slice(1).map((name) => ({ name, shape: [1], data: Float32Array.of(2) })),
        nodes: [
          { operator: "Mul", inputs: ["__proto__", "constructor"], outputs: ["then"] },
          { operator: "Mul", inputs: ["then", "forward"], outputs: ["toString"] },
        ],
      }),
    );
    const given = Object.fromEntries([["__proto__", vector(3)]]);
    expect([...(model.predict(given)["toString"]?.data ?? [])]).toEqual([12]);
    expect(Object.keys(Object.prototype)).toEqual([]);
  });
});

describe("the layout with the batch first", () => {
  const [T, B, I, H] = [5, 3, 2, 4];
  const lengths = new Ids(Int32Array.of(3, 5, 1));
  /** (a, b, ...) to (b, a, ...) */
  const swapped = ({ data, shape }: { data: ArrayLike<number>; shape: readonly number[] }) => {
    const [a, b, ...rest] = shape as [number, number, ...number[]];
    const inner = data.length / (a * b);
    const at = (i: number): number =>
      (Math.floor(i / inner / a) + (Math.floor(i / inner) % a) * b) * inner + (i % inner);
    return { data: Float32Array.from(data, (_, i) => data[at(i)] as number), shape: [b, a, ...rest] };
  };

  it.each(
    (["RNN", "LSTM", "GRU"] as const).flatMap((operator) =>
      (["forward", "reverse", "bidirectional"] as const).map((direction) => [operator, direction] as const),
    ),
  )("is the other one transposed: %s, %s", (operator, direction) => {
    const [D, G] = [direction === "bidirectional" ? 2 : 1, { RNN: 1, LSTM: 4, GRU: 3 }[operator]];
    const initializers = [values("W", D, G * H, I), values("R", D, G * H, H), values("B", D, 2 * G * H)];
    const states = operator === "LSTM" ? ["h", "c"] : ["h"];
    const x = values("x", T, B, I) as { data: Float32Array; shape: readonly number[] };
    const initial = states.map((name) => [`${name}0`, values(name, D, B, H) as typeof x] as const);
    const run = (layout: 0 | 1) => {
      const laid = (value: typeof x) => (layout === 0 ? value : swapped(value));
      const node = {
        operator,
        inputs: ["x", "W", "R", "B", "lengths", ...initial.map(([name]) => name)],
        outputs: ["y", ...states],
        attributes: { hidden_size: H, direction, layout },
      };
      const inputs = [["x", x] as const, ...initial].map(([name, value]) => ({ name, shape: laid(value).shape }));
      const model = loadOnnx(
        file([node], {
          initializers,
          inputs: [...inputs, { name: "lengths", whole: true, shape: [B] }],
          outputs: ["y", ...states].map((name) => ({ name, shape: [] })),
        }),
      );
      const given = [["x", x] as const, ...initial].map(([name, value]) => [name, laid(value)] as const);
      const results = model.predict({ ...Object.fromEntries(given), lengths });
      model.dispose();
      return results as Readonly<Record<string, typeof x>>;
    };
    const [time, batch] = [run(0), run(1)];
    expect(time["y"]?.shape).toEqual([T, D, B, H]);
    expect(batch["y"]?.shape).toEqual([B, T, D, H]);
    for (const name of states) {
      const expected = swapped(time[name] as typeof x);
      expect(batch[name]?.shape).toEqual([B, D, H]);
      batch[name]?.data.forEach((value, i) => {
        expect(value).toBeCloseTo(expected.data[i] as number, 6);
      });
    }
    batch["y"]?.data.forEach((value, i) => {
      const [h, d, t, b] = [i % H, Math.floor(i / H) % D, Math.floor(i / (H * D)) % T, Math.floor(i / (H * D * T))];
      expect(value).toBeCloseTo(time["y"]?.data[((t * D + d) * B + b) * H + h] as number, 6);
    });
  });
});

describe("weights", () => {
  it("of a recurrent node are those of a layer, and can be trained", () => {
    const model = loadOnnx(file([lstm], { initializers: lstmWeights }));
    expect([...model.stateDict().keys()]).toEqual([
      "layers.0.weight_ih_l0",
      "layers.0.weight_hh_l0",
      "layers.0.bias_ih_l0",
      "layers.0.bias_hh_l0",
    ]);
    const x = tensor(values("x", 5, 2, 3).data as Float32Array, [5, 2, 3]);
    const optimizer = new SGD(model, { lr: 0.5 });
    const losses = Array.from({ length: 20 }, () =>
      optimizer.update(() => mean(square(model.forward({ x })["y"] as Tensor))),
    );
    expect(losses.at(-1)?.loss).toBeLessThan((losses[0]?.loss ?? 0) / 2);
    model.dispose();
    x.dispose();
  });

  it("that come in every call may change, in size too", () => {
    const inputs = [
      { name: "x", shape: ["T", "B", "I"] },
      { name: "W", shape: [1, "rows", "I"] },
      { name: "R", shape: [1, "rows", "H"] },
    ];
    const node = { operator: "RNN", inputs: ["x", "W", "R"], outputs: ["y"] };
    const start = getCore().persistentBytes;
    const model = loadOnnx(file([node], { inputs }));
    const of = (...shape: number[]) => ({ ...values("", ...shape), data: values("", ...shape).data as Float32Array });
    const run = (w: number, inputSize: number, hiddenSize: number): number[] => {
      const [x, r] = [
        { data: new Float32Array(inputSize).fill(1), shape: [1, 1, inputSize] },
        of(1, hiddenSize, hiddenSize),
      ];
      const weights = { data: new Float32Array(hiddenSize * inputSize).fill(w), shape: [1, hiddenSize, inputSize] };
      return [...(model.predict({ x, W: weights, R: r })["y"]?.data ?? [])];
    };
    const expected = (value: number, count: number) => Array.from({ length: count }, () => expect.closeTo(value, 6));
    expect(run(0.1, 3, 4)).toEqual(expected(0.2913126125, 4)); // tanh 0.3
    expect(run(0.2, 3, 4)).toEqual(expected(0.537049567, 4)); // tanh 0.6
    const { persistentBytes } = getCore();
    for (let i = 0; i < 20; i++) expect(run(0.1, 2, 5 - (i % 2))).toEqual(expected(0.1973753202, 5 - (i % 2))); // tanh 0.2
    run(0.1, 3, 4);
    expect(getCore().persistentBytes).toBe(persistentBytes);
    expect([...model.stateDict().keys()]).toEqual([]);
    model.dispose();
    expect(getCore().persistentBytes).toBe(start);
  });

  it.skipIf(corpus === null)("in another file are taken from what was given", () => {
    const path = join(corpus?.root ?? "", "malformed/onnx/external-missing.onnx");
    const bytes = new Uint8Array(readFileSync(path));
    const gates = ["i", "o", "f", "g"];
    // Each gate is (4, 3) of its own number, in the order of ONNX.
    const beside = new Uint8Array(Float32Array.from({ length: 48 }, (_, i) => Math.floor(i / 12)).buffer);
    const model = loadOnnx(bytes, { externalData: new Map([["weights.bin", beside]]) });
    const weight = model.stateDict().get("layers.0.weight_ih_l0")?.data ?? [];
    expect(["i", "f", "g", "o"].map((gate) => gates.indexOf(gate))).toEqual([0, 12, 24, 36].map((at) => weight[at]));
    const short = new Map([["weights.bin", beside.subarray(0, 190)]]);
    expect(() => loadOnnx(bytes, { externalData: short })).toThrow(/ends at byte 192 of the external file/);
    model.dispose();
  });

  it("leave nothing behind when the model is disposed of or refused, and runs take nothing", () => {
    const core = getCore();
    const bytes = file([lstm], { initializers: lstmWeights });
    const x = { data: values("x", 5, 2, 3).data as Float32Array, shape: [5, 2, 3] };
    const start = core.persistentBytes;
    const model = loadOnnx(bytes);
    model.predict({ x });
    const loaded = core.persistentBytes;
    for (let i = 0; i < 50; i++) model.predict({ x });
    expect(core.persistentBytes).toBe(loaded);
    model.dispose();
    expect(core.persistentBytes).toBe(start);
    const second = { ...lstm, name: "later", outputs: ["z"], attributes: { hidden_size: 4, direction: "up" } };
    expect(refusal(file([lstm, second], { initializers: lstmWeights })).category).toBe("value");
    expect(core.persistentBytes).toBe(start);
  });
});

describe("files that are not to be trusted", () => {
  const huge = [0x7fff_ffff, 0x7fff_ffff];

  it("make no constants that are out of proportion to the file", () => {
    const shape = { name: "shape", shape: [2], data: huge };
    const filled = { operator: "ConstantOfShape", inputs: ["shape"], outputs: ["y"] };
    const whole = { ...filled, attributes: { value: { tensor: { name: "", shape: [1], data: [3] } } } };
    for (const node of [filled, whole]) {
      const model = loadOnnx(file([node], { inputs: [], initializers: [shape] }));
      expect(() => model.predict({})).toThrow(OutOfMemoryError);
      model.dispose();
    }
  });

  it("do not double their way to a large constant", () => {
    const names = Array.from({ length: 60 }, (_, i) => `v${i}`);
    const doubling = names.slice(1).map((name, i) => {
      const from = names[i] as string;
      return { operator: "Concat", inputs: [from, from], outputs: [name], attributes: { axis: 0 } };
    });
    const before = process.memoryUsage().arrayBuffers;
    const model = loadOnnx(
      file(doubling, { inputs: [], outputs: [{ name: "v30", shape: [] }], initializers: [values("v0", 8)] }),
    );
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16e6);
    model.dispose();
  });

  it.each<[what: string, category: LoadErrorCategory, says: RegExp, bytes: () => Uint8Array]>([
    ["no outputs", "graph", /no outputs/, () => file([], { outputs: [] })],
    [
      "an unknown domain",
      "unsupported_op",
      /acme\.LSTM/,
      () => file([{ ...lstm, domain: "acme" }], { opsets: { "": 17, acme: 1 } }),
    ],
    [
      "a domain that is not imported",
      "unsupported_op",
      /Adam/,
      () => file([{ operator: "Adam", domain: "ai.onnx.preview.training", inputs: ["x", "x", "x"], outputs: ["y"] }]),
    ],
    [
      "an operator named as an object's method",
      "unsupported_op",
      /toString/,
      () => file([{ operator: "toString", inputs: [], outputs: ["y"] }]),
    ],
    ["a loop", "unsupported_op", /Loop/, () => file([{ operator: "Loop", inputs: [], outputs: ["y"] }])],
    [
      "too many inputs",
      "graph",
      /4 inputs, its operator takes 2/,
      () => file([{ operator: "Add", inputs: ["x", "x", "x", "x"], outputs: ["y"] }]),
    ],
    [
      "the name of an input taken twice",
      "graph",
      /two values are named "x"/,
      () => file([{ operator: "Tanh", inputs: ["x"], outputs: ["x"] }]),
    ],
    [
      "an attribute of another type",
      "value",
      /axis must be of type integer/,
      () => file([{ operator: "Concat", inputs: ["x"], outputs: ["y"], attributes: { axis: "0" } }]),
    ],
    [
      "constants that do not fit each other",
      "shape",
      /Add node of "y"/,
      () =>
        file([{ operator: "Add", inputs: ["a", "b"], outputs: ["y"] }], {
          initializers: [values("a", 2), values("b", 3)],
        }),
    ],
    [
      "a position outside a constant",
      "value",
      /indices must be from -2 to 1/,
      () =>
        file([{ operator: "Gather", inputs: ["a", "i"], outputs: ["y"] }], {
          initializers: [values("a", 2, 3), { name: "i", shape: [1], data: [2] }],
        }),
    ],
    [
      "no hidden size",
      "value",
      /hidden_size must be 1 or more/,
      () => file([{ ...lstm, attributes: { hidden_size: 0 } }], { initializers: lstmWeights }),
    ],
    [
      "too few activations",
      "value",
      /activations must be 3 names, got 1/,
      () => file([{ ...lstm, attributes: { activations: { strings: ["Tanh"] } } }], { initializers: lstmWeights }),
    ],
    [
      "an activation's number that is none",
      "value",
      /activation_alpha must be finite numbers/,
      () => file([{ ...lstm, attributes: { activation_alpha: { floats: [NaN] } } }], { initializers: lstmWeights }),
    ],
    [
      "a clip below zero",
      "value",
      /clip must be 0 or more/,
      () => file([{ ...lstm, attributes: { clip: { float: -1 } } }], { initializers: lstmWeights }),
    ],
    [
      "a layout that is none",
      "value",
      /layout must be 0 or 1/,
      () => file([{ ...lstm, attributes: { layout: 2 } }], { initializers: lstmWeights }),
    ],
    [
      "peepholes of a GRU",
      "graph",
      /8 inputs, its operator takes 6/,
      () => file([{ operator: "GRU", inputs: ["x", "x", "x", "", "", "", "", "x"], outputs: ["y"] }]),
    ],
    [
      "weights of another input size than declared",
      "shape",
      /input W has shape \[1, 16, 5\], expected \[1, 16, 3\]/,
      () => file([lstm], { initializers: [values("W", 1, 16, 5), ...lstmWeights.slice(1)] }),
    ],
    [
      "whole numbers for weights",
      "dtype",
      /LSTM node "rnn": input W/,
      () =>
        file([lstm], {
          initializers: [
            { name: "W", shape: [1, 16, 3], data: new Array<number>(48).fill(1) },
            ...lstmWeights.slice(1),
          ],
        }),
    ],
  ])("are refused: %s", (_what, category, says, bytes) => {
    const error = refusal(bytes());
    expect(error.message).toMatch(says);
    expect(error.category).toBe(category);
  });

  it("name the node whose inputs do not fit when they run", () => {
    const model = loadOnnx(
      file([lstm], { initializers: lstmWeights, inputs: [{ name: "x", shape: ["T", "B", "I"] }] }),
    );
    const x = { data: new Float32Array(10), shape: [1, 2, 5] };
    expect(() => model.predict({ x })).toThrow(
      /LSTM node "rnn": input W has shape \[1, 16, 3\], expected \[1, 16, 5\]/,
    );
    model.dispose();
  });
});
