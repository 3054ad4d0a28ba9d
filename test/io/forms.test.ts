/** Other forms of Elman and GRU parameters, held against the equations of those forms in float64. */
import { describe, expect, it } from "vitest";
import * as u from "../../ts/index.js";
import { draw, expectClose } from "../tensor/reference.js";

const core = u.createCore();
const [inputs, hidden, steps] = [3, 4, 5];
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const dot = (w: readonly number[], row: number, v: readonly number[]) =>
  v.reduce((total, value, k) => total + w[row * v.length + k]! * value, 0);
const x = draw([1, steps, inputs], 1);
const at = (t: number) => x.data.slice(t * inputs, (t + 1) * inputs);
const f32 = ({ data, shape }: { data: readonly number[]; shape: readonly number[] }) => ({
  data: Float32Array.from(data),
  shape: [...shape],
});
const outputOf = (layer: u.RNN | u.GRU) => layer.run((m) => m.forward(u.tensor(x.data, x.shape)).output).data;

describe("an Elman layer as one matrix", () => {
  const forms = [
    { inputFirst: false, absorbBias: false },
    { inputFirst: true, absorbBias: false },
    { inputFirst: false, absorbBias: true },
    { inputFirst: true, absorbBias: true },
  ];

  it.each(forms)("is read and written: %o", ({ inputFirst, absorbBias }) => {
    const weight = draw([hidden, hidden + inputs + (absorbBias ? 1 : 0)], 2);
    const bias = draw([hidden], 3);
    const form = absorbBias ? { weight: f32(weight) } : { weight: f32(weight), bias: f32(bias) };
    const expected: number[] = [];
    let h = new Array<number>(hidden).fill(0);
    for (let t = 0; t < steps; t++) {
      const joined = [...(inputFirst ? [...at(t), ...h] : [...h, ...at(t)]), ...(absorbBias ? [1] : [])];
      h = h.map((_, row) => Math.tanh(dot(weight.data, row, joined) + (absorbBias ? 0 : bias.data[row]!)));
      expected.push(...h);
    }
    const layer = new u.RNN(inputs, hidden).loadStateDict(u.splitElmanMatrix(form, inputs, { inputFirst }), { core });
    expectClose(outputOf(layer), expected, 2e-6, "output");
    expect(u.joinElmanMatrix(layer.stateDict(), { inputFirst, absorbBias })).toEqual(form);
  });

  it("adds the two biases, or has none", () => {
    const layer = new u.RNN(inputs, hidden).init({ seed: 4, core });
    const values = layer.stateDict();
    const [ih, hh] = [values.get("bias_ih_l0")!.data, values.get("bias_hh_l0")!.data];
    expect([...u.joinElmanMatrix(values).bias!.data]).toEqual([...ih].map((v, i) => Math.fround(v + hh[i]!)));
    const without = new u.RNN(inputs, hidden, { bias: false }).init({ core });
    expect([...u.joinElmanMatrix(without.stateDict()).bias!.data]).toEqual(new Array(hidden).fill(0));
  });

  it("refuses what does not fit", () => {
    const weight = f32(draw([hidden, hidden + inputs], 2));
    expect(() => u.splitElmanMatrix({ weight }, inputs)).toThrow(
      /weight has shape \[4, 7\], expected \[H, H \+ 3 \+ 1\]/,
    );
    expect(() => u.splitElmanMatrix({ weight, bias: f32(draw([3], 1)) }, inputs)).toThrow(u.ShapeError);
    expect(() => u.splitElmanMatrix({ weight: f32(draw([7], 1)) }, inputs)).toThrow(u.ShapeError);
    expect(() => u.joinElmanMatrix(new Map())).toThrow(/weight_ih_l0 missing/);
  });
});

describe("complementGate", () => {
  it("turns a GRU whose z takes the new value into one whose z keeps the old", () => {
    const shapes: Record<string, number[]> = {
      weight_ih_l0: [3 * hidden, inputs],
      weight_hh_l0: [3 * hidden, hidden],
      bias_ih_l0: [3 * hidden],
      bias_hh_l0: [3 * hidden],
    };
    const theirs = new Map(Object.entries(shapes).map(([name, shape], i) => [name, f32(draw(shape, 10 + i))]));
    const values = (name: string) => [...theirs.get(name)!.data];
    const expected: number[] = [];
    let h = new Array<number>(hidden).fill(0);
    for (let t = 0; t < steps; t++) {
      const fromInput = (row: number) => dot(values("weight_ih_l0"), row, at(t)) + values("bias_ih_l0")[row]!;
      const state = h;
      const fromState = (row: number) => dot(values("weight_hh_l0"), row, state) + values("bias_hh_l0")[row]!;
      h = h.map((old, j) => {
        const r = sigmoid(fromInput(j) + fromState(j));
        const z = sigmoid(fromInput(hidden + j) + fromState(hidden + j));
        const n = Math.tanh(fromInput(2 * hidden + j) + r * fromState(2 * hidden + j));
        return z * n + (1 - z) * old;
      });
      expected.push(...h);
    }
    const layer = new u.GRU(inputs, hidden).loadStateDict(u.complementGate(theirs), { core });
    expectClose(outputOf(layer), expected, 2e-6, "output");
    expect(u.complementGate(layer.stateDict())).toEqual(theirs);
  });

  it("finds layers inside models and leaves the rest alone", () => {
    const values = new Map([
      ["encoder.weight_hh_l1_reverse", f32(draw([6, 2], 1))],
      ["encoder.bias_l1", f32(draw([6], 2))],
      ["cell.weight_hh", f32(draw([4, 2], 5))],
      ["cell.bias", f32(draw([4], 6))],
      ["head.weight", f32(draw([6, 2], 3))],
      ["head.bias", f32(draw([6], 4))],
    ]);
    const changed = u.complementGate(values, { gates: ["f", "n"], gate: "f" });
    for (const [name, { data }] of values) {
      const sign = name.startsWith("head") ? 1 : -1;
      const half = data.length / 2;
      expect([...changed.get(name)!.data], name).toEqual([...data].map((v, i) => (i < half ? sign * v : v)));
    }
  });

  it("refuses other gates and rows", () => {
    expect(() => u.complementGate(new Map(), { gate: "f" })).toThrow(/gate must be one of r, z, n, got "f"/);
    const odd = new Map([["weight_ih_l0", f32(draw([4, 2], 1))]]);
    expect(() => u.complementGate(odd)).toThrow(/weight_ih_l0 has 4 rows for 3 gates/);
  });
});
