/** What cells are known for: other forms of the same equations, and ranges where naive ones fail. */
import { describe, expect, it } from "vitest";
import * as u from "../../../ts/index.js";
import { draw, expectClose } from "../../tensor/reference.js";
import type { AnyLayer } from "./catalogue.js";
import type { Matrix, Vector } from "./equations.js";
import { parallelInLogSpace } from "./linear-equations.js";

const core = u.createCore();

function weightsOf(layer: u.Module): (name: string) => Matrix {
  const values = layer.stateDict();
  return (name) => {
    const { data, shape } = values.get(`${name}_l0`) as u.PlainTensor;
    return { data: [...data], shape };
  };
}

/** Output and the gradient of its sum, of a layer whose biases are given by gate. */
function runWithGradients(layer: u.Module, x: u.Tensor, state?: Record<string, u.Tensor>) {
  let output: number[] = [];
  const { grads } = u.gradients(
    () => {
      const result = (layer as unknown as AnyLayer).forward(x, { state });
      output = [...result.output.toArray()];
      return u.sum(result.output);
    },
    { parameters: [x, ...layer.parameters()], core },
  );
  return { output, gradients: [x, ...layer.parameters()].map((p) => [...(grads.get(p) as Float32Array)]) };
}

describe.each([
  ["minGRU", u.MinGRU],
  ["minLSTM", u.MinLSTM],
] as const)("%s", (name, Layer) => {
  it("equals the parallel form in log space of the paper", () => {
    const [steps, inputs, hidden] = [40, 3, 5];
    const layer = new Layer(inputs, hidden).init({ seed: 2, core, initializer: u.uniform(-2, 2) });
    const x = draw([1, steps, inputs], 3, -2, 2);
    const h0 = draw([1, 1, hidden], 4, 0.1, 2);
    const rows = Array.from({ length: steps }, (_, t): Vector => x.data.slice(t * inputs, (t + 1) * inputs));
    const expected = parallelInLogSpace(name, rows, h0.data, weightsOf(layer)).flat();
    const { output } = layer.run((m) =>
      m.forward(u.tensor(x.data, x.shape), { state: { h: u.tensor(h0.data, h0.shape) } }),
    );
    expectClose(output.data, expected, 5e-6, "output");
  });

  it("stays finite, forward and back, with gates that are shut or wide open", () => {
    for (const bias of [-300, 300]) {
      const layer = new Layer(2, 3).init({ seed: 1, core });
      layer.loadStateDict(
        new Map([
          ...layer.stateDict(),
          [
            "bias_l0",
            {
              data: new Float32Array((name === "minGRU" ? 2 : 3) * 3).fill(bias),
              shape: [(name === "minGRU" ? 2 : 3) * 3],
            },
          ],
        ]),
      );
      const { output, gradients } = runWithGradients(layer, u.tensor(draw([1, 4, 2], 1).data, [1, 4, 2], core));
      expect([...output, ...gradients.flat()].every(Number.isFinite), `bias ${bias}`).toBe(true);
    }
  });
});

describe("SLSTM", () => {
  it("keeps its output, whatever the stabiliser starts from", () => {
    // c, n and m mean c e^m and n e^m: the same memory in other units.
    const layer = new u.SLSTM(3, 4).init({ seed: 3, core, initializer: u.uniform(-1, 1) });
    const x = u.tensor(draw([2, 6, 3], 1).data, [2, 6, 3], core);
    const shape = [1, 2, 4];
    const [h, c, n] = [draw(shape, 2).data, draw(shape, 3).data, draw(shape, 4, 0.5, 1.5).data];
    const outputWith = (m: number) => {
      const state = { h, c: c.map((v) => v * Math.exp(-m)), n: n.map((v) => v * Math.exp(-m)), m: n.map(() => m) };
      const tensors = Object.fromEntries(Object.entries(state).map(([name, v]) => [name, u.tensor(v, shape, core)]));
      return layer.run((l) => l.forward(x, { state: tensors as never }).output).data;
    };
    for (const m of [-20, 5, 20]) expectClose(outputWith(m), [...outputWith(0)], 1e-5, `m = ${m}`);
  });

  it("stays finite, forward and back, where exponentials overflow", () => {
    for (const bias of [-1000, -80, 80, 1000]) {
      for (const forgetGate of ["sigmoid", "exponential"] as const) {
        const Layer = u.defineSLSTM({ forgetGate });
        const layer = new Layer(2, 3).init({ seed: 1, core });
        const values = layer.stateDict();
        const data = (values.get("bias_l0") as u.PlainTensor).data.map((v, k) => (k < 6 ? bias : v));
        layer.loadStateDict(new Map([...values, ["bias_l0", { data, shape: [12] }]]));
        const { output, gradients } = runWithGradients(layer, u.tensor(draw([1, 5, 2], 1).data, [1, 5, 2], core));
        const all = [...output, ...gradients.flat()];
        expect(all.every(Number.isFinite), `${forgetGate} ${bias}: ${all}`).toBe(true);
        expect(output.every((v) => Math.abs(v) <= 1)).toBe(true);
      }
    }
  });

  it("keeps heads apart: a unit sees only its own head", () => {
    const Layer = u.defineSLSTM({ heads: 2 });
    const layer = new Layer(2, 6).init({ seed: 4, core });
    const x = u.tensor(draw([1, 3, 2], 1).data, [1, 3, 2], core);
    const stateOf = (first: number) => ({ h: [first, 0, 0, 0, 0, 0], c: 6, n: 6, m: 6 });
    const outputOf = (first: number) =>
      layer.run((l) => {
        const { h } = stateOf(first);
        const zeros = () => u.zeros([1, 1, 6]);
        return l.forward(x, { state: { h: u.tensor(h, [1, 1, 6]), c: zeros(), n: zeros(), m: zeros() } }).output;
      }).data;
    const [a, b] = [outputOf(0), outputOf(1)];
    const units = [0, 1, 2, 3, 4, 5].filter((j) => a[j] !== b[j]);
    expect(units).toEqual([0, 1, 2]);
  });
});

it("RGLRU bounds its slope where a gate forgets nothing", () => {
  const layer = new u.RGLRU(3, 3).init({ seed: 1, core });
  const shut = { data: new Float32Array(6).fill(-200), shape: [6] };
  layer.loadStateDict(new Map([...layer.stateDict(), ["bias_l0", shut]]));
  const { output, gradients } = runWithGradients(layer, u.tensor(draw([1, 4, 3], 1).data, [1, 4, 3], core));
  expect([...output, ...gradients.flat()].every(Number.isFinite)).toBe(true);
});

it("LayerNormLSTM does not see the scale of its inputs", () => {
  const layer = new u.LayerNormLSTM(3, 4).init({ seed: 2, core });
  const x = draw([1, 5, 3], 1, -5, 5).data;
  const outputOf = (scale: number) =>
    layer.run(
      (l) =>
        l.forward(
          u.tensor(
            x.map((v) => v * scale),
            [1, 5, 3],
          ),
        ).output,
    ).data;
  expectClose(outputOf(100), [...outputOf(1)], 1e-4, "output");
});

it("NoPeepholeLSTM is LSTM with one bias", () => {
  const [inputs, hidden] = [3, 5];
  const fused = new u.LSTM(inputs, hidden).init({ seed: 6, core });
  const values = fused.stateDict();
  const [ih, hh] = [values.get("bias_ih_l0") as u.PlainTensor, values.get("bias_hh_l0") as u.PlainTensor];
  const one = new u.NoPeepholeLSTM(inputs, hidden).loadStateDict(
    new Map([
      ["weight_ih_l0", values.get("weight_ih_l0") as u.PlainTensor],
      ["weight_hh_l0", values.get("weight_hh_l0") as u.PlainTensor],
      ["bias_l0", { data: ih.data.map((v, k) => v + hh.data[k]!), shape: ih.shape }],
    ]),
    { core },
  );
  const x = u.tensor(draw([2, 6, inputs], 1).data, [2, 6, inputs], core);
  const outputOf = (layer: u.Module) => layer.run(() => (layer as unknown as AnyLayer).forward(x).output).data;
  expectClose(outputOf(one), [...outputOf(fused)], 2e-6, "output");
});

it("NoForgetGateLSTM never forgets what it has", () => {
  const layer = new u.NoForgetGateLSTM(2, 3).init({ seed: 1, core });
  const closed = { data: new Float32Array(9).fill(-200), shape: [9] };
  layer.loadStateDict(new Map([...layer.stateDict(), ["bias_l0", closed]]));
  const c = draw([1, 1, 3], 1).data;
  const { state } = layer.run((l) =>
    l.forward(u.zeros([1, 50, 2]), { state: { h: u.zeros([1, 1, 3]), c: u.tensor(c, [1, 1, 3]) } }),
  );
  expect([...state.c.data]).toEqual(c);
});

it("GRUResetBefore reads files of the other meaning of z", () => {
  const [inputs, hidden] = [2, 3];
  const layer = new u.GRUResetBefore(inputs, hidden).init({ seed: 1, core });
  // z shut in one convention is open in the other: the state is kept, or replaced.
  const values = layer.stateDict();
  const bias = (values.get("bias_l0") as u.PlainTensor).data.map((v, k) => (k >= hidden && k < 2 * hidden ? -200 : v));
  const shut = new Map([...values, ["bias_l0", { data: bias, shape: [3 * hidden] }]]);
  const h = draw([1, 1, hidden], 2);
  const keep = (dict: u.StateDict) => {
    layer.loadStateDict(dict);
    return [
      ...layer.run((l) => l.forward(u.zeros([1, 4, inputs]), { state: { h: u.tensor(h.data, h.shape) } }).state.h).data,
    ];
  };
  expect(keep(u.complementGate(shut))).toEqual(h.data);
  expect(keep(shut)).not.toEqual(h.data);
});
