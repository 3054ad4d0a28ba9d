/** How cells start, and the options of those that have some. */
import { describe, expect, it } from "vitest";
import * as u from "../../../ts/index.js";

const core = u.createCore();

/** Values of a layer inside a model, so that paths are not bare names. */
function started(layer: u.Module, seed = 5): (name: string) => number[] {
  class Model extends u.Module {
    readonly encoder = layer;
  }
  const values = new Model().init({ seed, core }).stateDict();
  return (name) => [...(values.get(`encoder.${name}`) as u.PlainTensor).data];
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const mean = (values: readonly number[]) => values.reduce((total, v) => total + v, 0) / values.length;

describe("LRU", () => {
  it("starts with lambda uniform on a ring, and states of the variance of their inputs", () => {
    const Ring = u.defineLRU({ minRadius: 0.4, maxRadius: 0.9, maxPhase: 1.5 });
    const hidden = 2000;
    const values = started(new Ring(3, hidden, { outputSize: 1, bidirectional: true }));
    for (const suffix of ["_l0", "_l0_reverse"]) {
      const radius = values(`nu_log${suffix}`).map((v) => Math.exp(-Math.exp(v)));
      expect(Math.min(...radius)).toBeGreaterThanOrEqual(0.4 - 1e-6);
      expect(Math.max(...radius)).toBeLessThanOrEqual(0.9 + 1e-6);
      // Uniform over the area: radii below r hold (r^2 - min^2) / (max^2 - min^2) of all; 5 deviations of 2000 draws.
      for (const r of [0.5, 0.6, 0.7, 0.8]) {
        const share = radius.filter((v) => v < r).length / hidden;
        expect(Math.abs(share - (r * r - 0.16) / (0.81 - 0.16))).toBeLessThan(0.06);
      }
      const phase = values(`theta_log${suffix}`).map(Math.exp);
      expect(Math.max(...phase)).toBeLessThanOrEqual(1.5 + 1e-6);
      expect(Math.abs(mean(phase) - 0.75)).toBeLessThan(0.06);
      values(`gamma_log${suffix}`).forEach((v, j) => {
        expect(Math.exp(v)).toBeCloseTo(Math.sqrt(1 - radius[j]! * radius[j]!), 5);
      });
    }
    expect(values("nu_log_l0")).not.toEqual(values("nu_log_l0_reverse"));
    const [input, read] = [values("weight_ih_l0"), values("weight_re_l0")];
    expect(Math.abs(Math.sqrt(mean(input.map((v) => v * v))) - 1 / Math.sqrt(6))).toBeLessThan(0.02);
    expect(Math.abs(Math.sqrt(mean(read.map((v) => v * v))) - 1 / Math.sqrt(hidden))).toBeLessThan(0.003);
  });

  it("starts with numbers that a file may hold on the whole disc too", () => {
    const values = started(new u.LRU(2, 5000, { outputSize: 1 }));
    for (const name of ["nu_log_l0", "theta_log_l0", "gamma_log_l0"]) {
      expect(values(name).every(Number.isFinite), name).toBe(true);
    }
  });

  it("checks its definition", () => {
    expect(() => u.defineLRU({ minRadius: 0.9, maxRadius: 0.5 })).toThrow(/minRadius must be a number from 0 to maxR/);
    expect(() => u.defineLRU({ maxRadius: 1.1 })).toThrow(/maxRadius/);
    expect(() => u.defineLRU({ maxPhase: Number.NaN })).toThrow(/maxPhase/);
    expect(() => new u.LRU(3, 4)).toThrow(/LRU: outputSize must be an integer of 1 or more, got undefined/);
  });
});

it("RGLRU starts with decays to the power of 8 uniform on [0.9, 0.999]", () => {
  const decays = started(new u.RGLRU(2000, 2000))("lambda_l0").map((v) => sigmoid(v) ** 8);
  expect(Math.min(...decays)).toBeGreaterThan(0.8999);
  expect(Math.max(...decays)).toBeLessThan(0.9991);
  expect(Math.abs(mean(decays) - 0.9495)).toBeLessThan(0.004);
  expect(() => new u.RGLRU(3, 4)).toThrow(/RGLRU: inputSize must be 4/);
});

it("sLSTM starts with forget biases from 3 to 6 in every head", () => {
  const Layer = u.defineSLSTM({ heads: 2 });
  const bias = started(new Layer(3, 8))("bias_l0");
  const expected = [3, 4, 5, 6, 3, 4, 5, 6];
  expect(bias.slice(8, 16)).toEqual(expected);
  for (const other of [...bias.slice(0, 8), ...bias.slice(16)])
    expect(Math.abs(other)).toBeLessThanOrEqual(1 / Math.sqrt(8));
  expect(started(new u.SLSTM(3, 1))("bias_l0")[1]).toBe(3);
  expect(() => new Layer(3, 7)).toThrow(/SLSTM: .* 2 heads/);
  expect(() => u.defineSLSTM({ heads: 0 })).toThrow(/heads must be an integer of 1 or more/);
  expect(() => u.defineSLSTM({ forgetGate: "relu" as "sigmoid" })).toThrow(/forgetGate must be "sigmoid" or/);
});

it("recurrent highway networks start with low gates", () => {
  const Layer = u.defineRecurrentHighway({ depth: 3, carry: "separate", gateBias: -4 });
  const bias = started(new Layer(2, 5))("bias_l0");
  // Rows n, z, c of three layers.
  for (let row = 0; row < 9; row++) {
    const low = bias.slice(row * 5, row * 5 + 5).every((v) => v === -4);
    expect(low, `row ${row}`).toBe(row % 3 === 1);
  }
  expect(started(new u.RecurrentHighway(2, 5))("bias_l0").filter((v) => v === -2).length).toBe(25);
  expect(() => u.defineRecurrentHighway({ depth: 0 })).toThrow(/depth must be an integer of 1 or more/);
  expect(() => u.defineRecurrentHighway({ carry: "none" as "coupled" })).toThrow(/carry must be "coupled" or/);
  expect(() => u.defineRecurrentHighway({ gateBias: Number.NaN })).toThrow(/gateBias must be a finite number/);
});

it("LayerNormLSTM starts with gains of 1 and offsets of 0", () => {
  const values = started(new u.LayerNormLSTM(3, 4));
  for (const name of ["gain_ih_i", "gain_ih_o", "gain_hh_f", "gain_hh_g", "norm_c_weight"]) {
    expect(values(`${name}_l0`)).toEqual([1, 1, 1, 1]);
  }
  for (const name of ["bias_i", "bias_f", "bias_g", "bias_o", "norm_c_bias"]) {
    expect(values(`${name}_l0`)).toEqual([0, 0, 0, 0]);
  }
});

it("an initializer of the layer comes before a cell's own for weights and stacked biases", () => {
  const values = started(new u.RecurrentHighway(2, 3, { initializer: u.constant(0.25) }));
  expect(new Set(values("bias_l0"))).toEqual(new Set([0.25]));
});

it("mutants as printed, and Jordan networks, say which sizes they need", () => {
  expect(() => new u.MUT1(5, 4)).toThrow(/MUT1: inputSize must be 4/);
  expect(() => new u.MUT2(5, 4)).toThrow(/MUT2: inputSize must be 4/);
  expect(() => new u.Jordan(5, 4)).toThrow(/Jordan: outputSize/);
  expect(() => u.defineJordan({ hiddenActivation: "softmax" as "tanh" })).toThrow(/hiddenActivation/);
  expect(() => u.defineJordan({ outputActivation: "exp" as "tanh" })).toThrow(/outputActivation/);
});
