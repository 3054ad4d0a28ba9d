import { describe, expect, expectTypeOf, it } from "vitest";
import * as u from "../../../ts/index.js";
import { draw, expectClose } from "../../tensor/reference.js";
import {
  checkSession,
  checkSplit,
  checkTimeFirst,
  checkWiring,
  core,
  oracleLayer,
  part,
  type RowModule,
  type RowState,
  type Vector,
  type Wired,
  whole,
} from "./oracle.js";

const sum = (a: Vector, b: Vector) => a.map((value, i) => value + b[i]!);
const zero = (width: number): Vector => new Array<number>(width).fill(0);
const h = (width: number) => (batch: number) => ({ h: [1, batch, width] });

/** Layers of different cells and sizes above each other. */
function stacked(skip: u.LayerSkip, output: "last" | "all", batchFirst = true): Wired {
  const options = { batchFirst };
  const sizes = {
    none: [2, 3, 4],
    residual: [2, 3, 3],
    input: [2, 3 + 2, 4 + 2],
    dense: [2, 3 + 2, 4 + 3 + 2],
  }[skip];
  const layers = [
    new u.LSTM(sizes[0]!, 3, options),
    new u.GRU(sizes[1]!, skip === "residual" ? 3 : 4, options),
    new u.RNN(sizes[2]!, 3, options),
  ] as const;
  return {
    module: new u.RecurrentStack(layers, { skip, output }),
    oracle: (parameters) => {
      const layers = [
        oracleLayer("lstm", 3, parameters),
        oracleLayer("gru", skip === "residual" ? 3 : 4, parameters),
        oracleLayer("elman", 3, parameters),
      ];
      return (x, state) => {
        const outputs: (readonly Vector[])[] = [];
        let last: RowState = {};
        layers.forEach((layer, l) => {
          const below = outputs[l - 1];
          const beside = { none: [], residual: [], input: [x], dense: [x, ...outputs.slice(0, -1)] }[skip];
          const input = below === undefined ? x : x.map((_, t) => [...beside, below].flatMap((rows) => rows[t]!));
          const result = layer(input, part(`${l}`, state));
          outputs.push(
            skip === "residual" && below !== undefined ? result.y.map((y, t) => sum(y, below[t]!)) : result.y,
          );
          last = { ...last, ...whole(`${l}`, result.state) };
        });
        const given = output === "all" ? outputs : outputs.slice(-1);
        return { y: x.map((_, t) => given.flatMap((rows) => rows[t]!)), state: last };
      };
    },
    state: (batch) => ({
      "0.h": [1, batch, 3],
      "0.c": [1, batch, 3],
      "1.h": [1, batch, skip === "residual" ? 3 : 4],
      "2.h": [1, batch, 3],
    }),
  };
}

const turned =
  (inner: RowModule): RowModule =>
  (x, state) => {
    const result = inner([...x].reverse(), state);
    return { y: [...result.y].reverse(), state: result.state };
  };

function backwards(batchFirst = true): Wired {
  return {
    module: new u.Backwards(new u.GRU(3, 4, { batchFirst })),
    oracle: (parameters) => turned(oracleLayer("gru", 4, parameters)),
    state: h(4),
  };
}

function bidirectional(merge: u.Merge, batchFirst = true): Wired {
  const widths = merge === "concat" ? [4, 2] : [4, 4];
  return {
    module: new u.Bidirectional(new u.RNN(3, widths[0]!, { batchFirst }), new u.LSTM(3, widths[1]!, { batchFirst }), {
      merge,
    }),
    oracle: (parameters) => {
      const ahead = oracleLayer("elman", widths[0]!, parameters);
      const back = turned(oracleLayer("lstm", widths[1]!, parameters));
      return (x, state) => {
        const [a, b] = [ahead(x, part("forward", state)), back(x, part("backward", state))];
        const merged = (p: Vector, q: Vector): Vector => {
          if (merge === "concat") return [...p, ...q];
          return p.map((value, i) => {
            return { sum: value + q[i]!, mul: value * q[i]!, average: (value + q[i]!) / 2 }[merge];
          });
        };
        return {
          y: x.map((_, t) => merged(a.y[t]!, b.y[t]!)),
          state: { ...whole("forward", a.state), ...whole("backward", b.state) },
        };
      };
    },
    state: (batch) => ({
      "forward.h": [1, batch, widths[0]!],
      "backward.h": [1, batch, widths[1]!],
      "backward.c": [1, batch, widths[1]!],
    }),
  };
}

/** s_t = f(x_t, s_{t-d}), read off the definition: a list of all states so far. */
function dilated(dilation: number, batchFirst = true): Wired {
  return {
    module: new u.Dilated(new u.LSTM(2, 3, { batchFirst }), dilation),
    oracle: (parameters) => {
      const layer = oracleLayer("lstm", 3, parameters);
      return (x, state) => {
        const states: RowState[] = Array.from({ length: dilation }, (_, i) => ({
          h: [state["h"]![i]!],
          c: [state["c"]![i]!],
        }));
        const y = x.map((input) => {
          const result = layer([input], states[states.length - dilation]!);
          states.push(result.state);
          return result.y[0]!;
        });
        const last = states.slice(-dilation);
        return { y, state: { h: last.map((s) => s["h"]![0]!), c: last.map((s) => s["c"]![0]!) } };
      };
    },
    state: (batch) => ({ h: [dilation, batch, 3], c: [dilation, batch, 3] }),
  };
}

function timeSkip(distance: number, batchFirst = true): Wired {
  return {
    module: new u.TimeSkip(new u.GRU(2 + 3, 3, { batchFirst }), distance),
    oracle: (parameters) => {
      const layer = oracleLayer("gru", 3, parameters);
      return (x, state) => {
        const past = [...state["past"]!];
        let inner = part("layer", state);
        const y = x.map((input) => {
          const result = layer([[...input, ...past[past.length - distance]!]], inner);
          inner = result.state;
          past.push(result.y[0]!);
          return result.y[0]!;
        });
        return { y, state: { ...whole("layer", inner), past: past.slice(-distance) } };
      };
    },
    state: (batch) => ({ "layer.h": [1, batch, 3], past: [distance, batch, 3] }),
  };
}

function conditioned(at: "every" | "first", batchFirst = true): Wired {
  return {
    module: new u.Conditioned(new u.RNN(2 + 4, 3, { batchFirst }), 4, { at }),
    contextSize: 4,
    oracle: (parameters, context) => {
      const layer = oracleLayer("elman", 3, parameters);
      return (x, state) => {
        const inputs = x.map((input, t) => [...input, ...(at === "every" || t === 0 ? context : zero(4))]);
        const { y, state: last } = layer(inputs, part("layer", state));
        return { y, state: { ...whole("layer", last), ...(at === "every" ? { context: [context] } : {}) } };
      };
    },
    state: (batch) => ({ "layer.h": [1, batch, 3], ...(at === "every" ? { context: [1, batch, 4] } : {}) }),
  };
}

/** Wirings of wirings. */
function nested(batchFirst = true): Wired {
  const options = { batchFirst };
  return {
    module: new u.RecurrentStack([
      new u.TimeSkip(new u.RNN(2 + 3, 3, options), 2),
      new u.Dilated(new u.GRU(3, 2, options), 3),
    ]),
    oracle: (parameters) => {
      const skip = oracleLayer("elman", 3, parameters);
      const leap = oracleLayer("gru", 2, parameters);
      return (x, state) => {
        const past = [...state["0.past"]!];
        const [hidden, leaps] = [[...state["0.layer.h"]!], [...state["1.h"]!]];
        const y = x.map((input) => {
          const below = skip([[...input, ...past.at(-2)!]], { h: [hidden.at(-1)!] }).y[0]!;
          past.push(below);
          hidden.push(below);
          const above = leap([below], { h: [leaps.at(-3)!] }).y[0]!;
          leaps.push(above);
          return above;
        });
        const last = { "0.past": past.slice(-2), "0.layer.h": hidden.slice(-1), "1.h": leaps.slice(-3) };
        return { y, state: last };
      };
    },
    state: (batch) => ({ "0.layer.h": [1, batch, 3], "0.past": [2, batch, 3], "1.h": [3, batch, 2] }),
  };
}

const causal: [name: string, make: (batchFirst?: boolean) => Wired][] = [
  ["stack", (b) => stacked("none", "last", b)],
  ["stack, all to the output", (b) => stacked("none", "all", b)],
  ["residual stack", (b) => stacked("residual", "last", b)],
  ["stack with the input to all", (b) => stacked("input", "all", b)],
  ["dense stack", (b) => stacked("dense", "last", b)],
  ["dilation 1", (b) => dilated(1, b)],
  ["dilation 3", (b) => dilated(3, b)],
  ["dilation 7", (b) => dilated(7, b)],
  ["time skip 1", (b) => timeSkip(1, b)],
  ["time skip 3", (b) => timeSkip(3, b)],
  ["time skip 7", (b) => timeSkip(7, b)],
  ["context at every step", (b) => conditioned("every", b)],
  ["context at the first step", (b) => conditioned("first", b)],
  ["wiring of wirings", nested],
];
const all: typeof causal = [
  ...causal,
  ["backwards", backwards],
  ...(["concat", "sum", "mul", "average"] as const).map((merge): (typeof causal)[number] => [
    `bidirectional ${merge}`,
    (b) => bidirectional(merge, b),
  ]),
];

describe.each(all)("%s", (_name, make) => {
  it("equals its definition, and so do all gradients", () => {
    checkWiring(make(), 5);
  });

  it("runs every row to its own length", () => {
    checkWiring(make(), 5, [3, 0, 5]);
    checkWiring(make(), 4, [4, 1, 2]);
  });

  it("gives the same with time before batch", () => {
    checkTimeFirst(make(), make(false), 5);
    checkTimeFirst(make(), make(false), 5, [2, 5, 0]);
  });
});

describe.each(causal)("%s", (name, make) => {
  it.each([1, 3, 6])("goes on after %i of 8 steps as if in one call", (at) => {
    checkSplit(make(), 8, at);
    checkSplit(make(), 8, at, [8, 2, 5]);
  });

  it("streams", () => {
    if (!name.startsWith("context")) checkSession(make(), 7);
  });
});

describe("wiring", () => {
  it("takes cells made from their equations as it takes the others", () => {
    const Twin = u.defineCell({
      name: "Twin",
      state: ["h"],
      biases: "two",
      step({ x, h }, { gate, sigmoid, tanh, constant }) {
        const [r, z] = [sigmoid(gate("r", x, h)), sigmoid(gate("z", x, h))];
        const n = tanh(gate("n", x).add(r.mul(gate("n", h))));
        return { h: constant(1).sub(z).mul(n).add(z.mul(h)) };
      },
    });
    const make = (Cell: new (inputs: number, hidden: number) => u.SequenceModule) =>
      new u.RecurrentStack([
        new u.Dilated(new Cell(2, 3), 2),
        new u.TimeSkip(new Cell(3 + 4, 4), 3),
        new u.Bidirectional(new Cell(4, 2), new Cell(4, 2), { merge: "average" }),
      ]);
    const [fused, compiled] = [make(u.GRU).init({ seed: 3, core }), make(Twin as never)];
    compiled.loadStateDict(fused.stateDict(), { core });
    const x = u.tensor([...draw([3, 7, 2], 11).data], [3, 7, 2], core);
    const run = (model: typeof fused) => {
      const { output, state } = model.run(() => model.forward(x, { lengths: [7, 0, 4] }));
      const { grads } = u.gradients(() => u.sum(u.square(model.forward(x).output)), {
        parameters: model.parameters(),
        core,
      });
      return [output.data, ...Object.values(state).map(({ data }) => data), ...grads.values()];
    };
    const expected = run(fused);
    run(compiled).forEach((values, i) => expectClose(values, expected[i]!, 2e-5, `value ${i}`));
  });

  it("names states and parameters by their place, in types too", () => {
    const stack = new u.RecurrentStack([new u.LSTM(2, 3), new u.GRU(3, 4)]);
    expect(stack.namedParameters().map(([name]) => name)[4]).toBe("layers.1.weight_ih_l0");
    type State = ReturnType<typeof stack.forward>["state"];
    expectTypeOf<keyof State>().toEqualTypeOf<"0.h" | "0.c" | "1.h">();
    const both = new u.Bidirectional(new u.LSTM(2, 3), new u.GRU(2, 3));
    type Both = ReturnType<typeof both.forward>["state"];
    expectTypeOf<keyof Both>().toEqualTypeOf<"forward.h" | "forward.c" | "backward.h">();
    expect(both.namedParameters().map(([name]) => name)[4]).toBe("backwardLayer.weight_ih_l0");
  });

  it("streams a context from a restored state", () => {
    const { module } = conditioned("every");
    const layer = module.init({ seed: 2, core });
    const x = u.tensor([...draw([1, 3, 2], 1).data], [1, 3, 2], core);
    const state = { "layer.h": u.zeros([1, 1, 3], core), context: u.tensor([[[1, -1, 2, 0.5]]], undefined, core) };
    const { data } = layer.run(() => layer.forward(x, { state }).output);
    const session = new u.Session(layer as unknown as u.Streamable);
    session.restore(
      Object.fromEntries(Object.entries(state).map(([k, v]) => [k, { data: v.toArray(), shape: v.shape }])),
    );
    const steps = [0, 1, 2].flatMap((t) => [...session.step(x.toArray().slice(2 * t, 2 * t + 2))]);
    expect(steps).toEqual([...data]);
    session.dispose();
  });

  it("reads one sequence without a batch backwards", () => {
    const layer = new u.Backwards(new u.LSTM(2, 3)).init({ seed: 1, core });
    const x = u.tensor([...draw([4, 2], 2).data], [4, 2], core);
    const one = layer.run(() => layer.forward(x, { lengths: [3] }).output);
    const batch = layer.run(() => layer.forward(u.reshape(x, [1, 4, 2]), { lengths: [3] }).output);
    expect(one.shape).toEqual([4, 3]);
    expect(one.data).toEqual(batch.data);
  });

  it("drops the inputs of layers above the first while training, and only then", () => {
    const make = (dropout: number) =>
      new u.RecurrentStack([new u.RNN(2, 3), new u.RNN(3, 3)], { dropout }).init({ seed: 1, core });
    const x = u.ones([1, 2, 2], core);
    const [plain, dropped] = [make(0), make(1)];
    const loss = (m: typeof plain) => u.gradients(() => u.sum(m.forward(x).output), { core }).loss;
    expect(plain.run((m) => m.forward(x).output)).toEqual(dropped.run((m) => m.forward(x).output));
    expect(loss(dropped)).not.toBe(loss(plain));
    // Nothing of the layer below gets through, so its weights get no gradient.
    const { grads } = u.gradients(() => u.sum(dropped.forward(x).output), { core });
    const below = dropped.layers[0].parameters().flatMap((p) => [...(grads.get(p) ?? [0])]);
    expect(Math.max(...below.map(Math.abs))).toBe(0);
  });

  it("takes sequences of no steps", () => {
    for (const [name, make] of all) {
      const { module, state } = make();
      module.init({ core });
      const result = module.run(() => module.forward(u.zeros([2, 0, module.inputSize], core)));
      expect(result.output.shape, name).toEqual([2, 0, module.outputSize]);
      for (const [key, shape] of Object.entries(state(2))) {
        expect(result.state[key], name).toEqual({ shape, data: new Float32Array(shape[0]! * shape[1]! * shape[2]!) });
      }
    }
  });

  it("names what does not fit", () => {
    expect(() => new u.RecurrentStack([])).toThrow(/RecurrentStack: layers must be at least one layer/);
    expect(() => new u.RecurrentStack([new u.RNN(2, 3), new u.RNN(4, 3)])).toThrow(/layers\[1\]\.inputSize must be 3/);
    expect(() => new u.RecurrentStack([new u.RNN(2, 3), new u.RNN(3, 3)], { skip: "input" })).toThrow(/must be 5/);
    expect(() => new u.RecurrentStack([new u.RNN(2, 3), new u.RNN(3, 4)], { skip: "residual" })).toThrow(
      /layers\[1\]\.outputSize must be 3/,
    );
    expect(() => new u.RecurrentStack([new u.RNN(2, 3), new u.RNN(3, 4, { batchFirst: false })])).toThrow(/batchFirst/);
    expect(() => new u.RecurrentStack([new u.RNN(2, 3)], { skip: "all" as never })).toThrow(/skip must be/);
    expect(() => new u.Bidirectional(new u.RNN(2, 3), new u.RNN(3, 3))).toThrow(/backwardLayer\.inputSize must be 2/);
    expect(() => new u.Bidirectional(new u.RNN(2, 3), new u.RNN(2, 4), { merge: "sum" })).toThrow(
      /outputSize must be 3/,
    );
    expect(() => new u.Bidirectional(new u.RNN(2, 3), new u.RNN(2, 3), { merge: "toString" as never })).toThrow(
      /merge/,
    );
    expect(() => new u.Dilated(new u.RNN(2, 3), 0)).toThrow(/dilation/);
    expect(() => new u.Dilated(new u.RNN(2, 3, { bidirectional: true }), 2)).toThrow(/only reads forwards/);
    expect(() => new u.TimeSkip(new u.RNN(3, 3), 2)).toThrow(/layer\.inputSize must be greater than its outputSize, 3/);
    expect(() => new u.Conditioned(new u.RNN(3, 3), 3)).toThrow(/layer\.inputSize must be greater than contextSize, 3/);
    const x = u.zeros([2, 3, 2], core);
    const stack = new u.RecurrentStack([new u.RNN(2, 3), new u.GRU(3, 4)]).init({ core });
    const state = { "0.h": u.zeros([1, 2, 3], core) };
    expect(() => stack.forward(x, { state: state as never })).toThrow(
      /layers\.1 \(GRU\): state must be an object with h/,
    );
    const skip = new u.TimeSkip(new u.RNN(5, 3), 2).init({ core });
    const given = { "layer.h": u.zeros([1, 2, 3], core), past: u.zeros([3, 2, 3], core) };
    expect(() => skip.forward(x, { state: given })).toThrow(
      /TimeSkip: state\.past has shape \[3, 2, 3\], expected \[2, 2, 3\]/,
    );
    expect(() => skip.forward(u.zeros([2, 2], core))).toThrow(/x has shape \[2, 2\], expected \[B, T, 2\]/);
    expect(() => skip.forward(x, { lengths: [1, 4] })).toThrow(/lengths\[1\] must be an integer from 0 to 3/);
    const leap = new u.Dilated(new u.RNN(2, 3), 2).init({ core });
    expect(() => leap.forward(x, { state: { h: u.zeros([3, 2, 3], core) } })).toThrow(/state\.h must be of shape/);
    const told = new u.Conditioned(new u.RNN(5, 3), 3).init({ core });
    expect(() => told.forward(x, { context: u.zeros([2, 4], core) })).toThrow(
      /context has shape \[2, 4\], expected \[2, 3\]/,
    );
  });
});
