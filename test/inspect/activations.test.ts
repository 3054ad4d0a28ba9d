import { describe, expect, it } from "vitest";
import * as u from "../../ts/index.js";
import { draw, expectClose, numbers } from "../tensor/reference.js";
import { elementsOf, parseSvg } from "./svg.js";

const core = u.createCore();
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
type Vector = number[];
type Named = Record<string, Vector>;

/** All that one layer in one direction computes over one row, in float64. */
function equations(kind: "rnn" | "lstm" | "gru", [wi, wh, bi, bh]: Vector[], xs: Vector[], start: Named): Named[] {
  let { h = [], c = [] } = start;
  const hidden = bi!.length / { rnn: 1, lstm: 4, gru: 3 }[kind];
  const units = Array.from({ length: hidden }, (_, j) => j);
  const row = (w: Vector, v: Vector, r: number) =>
    v.reduce((total, value, k) => total + value * w[r * v.length + k]!, 0);
  return xs.map((x) => {
    const before = h;
    const a = (gate: number) => units.map((j) => row(wi!, x, gate * hidden + j) + bi![gate * hidden + j]!);
    const b = (gate: number) => units.map((j) => row(wh!, before, gate * hidden + j) + bh![gate * hidden + j]!);
    const both = (gate: number, f: (v: number) => number) => a(gate).map((value, j) => f(value + b(gate)[j]!));
    if (kind === "rnn") {
      h = both(0, (v) => (v > 0 ? v : 0.3 * v));
      return { h };
    }
    if (kind === "gru") {
      const [r, z] = [both(0, sigmoid), both(1, sigmoid)];
      const n = a(2).map((value, j) => Math.tanh(value + r[j]! * b(2)[j]!));
      h = units.map((j) => (1 - z[j]!) * n[j]! + z[j]! * before[j]!);
      return { r, z, n, h };
    }
    const [i, f, g, o] = [both(0, sigmoid), both(1, sigmoid), both(2, Math.tanh), both(3, sigmoid)];
    c = units.map((j) => f[j]! * c[j]! + i[j]! * g[j]!);
    h = units.map((j) => o[j]! * Math.tanh(c[j]!));
    return { i, f, g, o, c, h };
  });
}

describe("gateActivations", () => {
  const [batch, steps, inputs, hidden] = [3, 5, 2, 4];
  const make = {
    rnn: (options: u.RecurrentOptions) =>
      new u.RNN(inputs, hidden, { ...options, nonlinearity: "leakyRelu", alpha: 0.3 }),
    lstm: (options: u.RecurrentOptions) => new u.LSTM(inputs, hidden, options),
    gru: (options: u.RecurrentOptions) => new u.GRU(inputs, hidden, options),
  };

  it.each(["rnn", "lstm", "gru"] as const)("equals the equations: %s", (kind) => {
    for (const [batchFirst, lengths, carried] of [
      [true, undefined, true],
      [false, [5, 0, 3], false],
      [true, [2, 5, 1], true],
    ] as const) {
      const layer = make[kind]({ numLayers: 2, bidirectional: true, batchFirst, dropout: 0.5 });
      layer.init({ seed: 2, core, initializer: u.uniform(-1, 1) });
      const shape = batchFirst ? [batch, steps, inputs] : [steps, batch, inputs];
      const x = draw(shape, 4).data;
      const names = kind === "lstm" ? ["h", "c"] : ["h"];
      const initial = names.map((_, i) => draw([4, batch, hidden], 7 + i).data);
      const state = carried
        ? Object.fromEntries(names.map((name, i) => [name, u.tensor([...initial[i]!], [4, batch, hidden], core)]))
        : undefined;
      const parameters = layer.parameters().map((p) => [...p.toArray()]);
      const found = u.gateActivations(layer, u.tensor([...x], shape, core), { state, lengths });
      expect(found.map(({ layer, direction }) => `${layer} ${direction}`)).toEqual([
        "0 forward",
        "0 backward",
        "1 forward",
        "1 backward",
      ]);
      for (let b = 0; b < batch; b++) {
        const length = lengths?.[b] ?? steps;
        let below = Array.from({ length }, (_, t) => {
          const at = (batchFirst ? b * steps + t : t * batch + b) * inputs;
          return x.slice(at, at + inputs);
        });
        for (let l = 0; l < 2; l++) {
          const sides = [0, 1].map((side) => {
            const slot = 2 * l + side;
            const start = Object.fromEntries(
              names.map((name, i) => {
                const at = (slot * batch + b) * hidden;
                return [name, carried ? initial[i]!.slice(at, at + hidden) : new Array<number>(hidden).fill(0)];
              }),
            );
            const read = side === 1 ? [...below].reverse() : below;
            const all = equations(kind, parameters.slice(4 * slot, 4 * slot + 4), read, start);
            if (side === 1) all.reverse();
            const { values } = found[slot]!;
            for (const [name, { data, shape }] of Object.entries(values)) {
              expect(shape).toEqual([batch, steps, hidden]);
              const expected = [
                ...all.flatMap((step) => step[name]!),
                ...new Array<number>((steps - length) * hidden).fill(0),
              ];
              expectClose(data.slice(b * steps * hidden, (b + 1) * steps * hidden), expected, 1e-5, `${slot} ${name}`);
            }
            if (length > 0) expect(Object.keys(values)).toEqual(Object.keys(all[0]!));
            return all;
          });
          below = sides[0]!.map((step, t) => [...step["h"]!, ...sides[1]![t]!["h"]!]);
        }
      }
    }
  });

  it("sees the gates of cells made from their equations", () => {
    // The equations of an LSTM whose output gate sees the new memory, with a projection: named states and gates.
    const [batch, steps] = [3, 4];
    const Cell = u.defineCell({
      name: "Watched",
      state: { h: "projection", c: "hidden" },
      step({ x, h, c }, { gate, vector, linear, sigmoid, tanh }) {
        const f = sigmoid(gate("f", x, h));
        const cNext = f.mul(c).add(tanh(gate("g", x, h)));
        const o = sigmoid(gate("o", x, h).add(vector("p").mul(cNext)));
        return { h: linear("hr", o.mul(tanh(cNext)), { size: "projection", bias: false }), c: cNext };
      },
    });
    const layer = new Cell(2, 4, { projectionSize: 3, numLayers: 2, bidirectional: true, batchFirst: false });
    layer.init({ seed: 5, core, initializer: u.uniform(-1, 1) });
    const x = u.tensor([...draw([steps, batch, 2], 4).data], [steps, batch, 2], core);
    const lengths = [4, 0, 2];
    const state = {
      h: u.tensor(draw([4, batch, 3], 1).data, [4, batch, 3], core),
      c: u.tensor(draw([4, batch, 4], 2).data, [4, batch, 4], core),
    };
    const found = u.gateActivations(layer, x, { state, lengths });
    expect(found.map(({ values }) => Object.keys(values).sort())).toEqual(new Array(4).fill(["c", "f", "g", "h", "o"]));
    const whole = layer.run(() => layer.forward(x, { state, lengths }));
    const top = found.slice(2).map(({ values }) => values["h"]!);
    for (let b = 0; b < batch; b++) {
      for (let t = 0; t < steps; t++) {
        const at = (t * batch + b) * 6;
        const expected = whole.output.data.slice(at, at + 6);
        const own = top.flatMap(({ data }) => [...data.slice((b * steps + t) * 3, (b * steps + t + 1) * 3)]);
        expectClose(own, expected, 1e-6, `output ${b} ${t}`);
      }
    }
    found.forEach(({ values, direction }, slot) => {
      const value = (name: string, b: number, t: number, j: number) => {
        const { data, shape } = values[name]!;
        return data[(b * steps + t) * shape[2]! + j]!;
      };
      const p = layer.stateDict().get(`p_l${slot >> 1}${slot % 2 === 1 ? "_reverse" : ""}`)!;
      expect(p.data).toHaveLength(4);
      lengths.forEach((length, b) => {
        for (let step = 0; step < length; step++) {
          const back = direction === "backward";
          const t = back ? length - 1 - step : step;
          for (let j = 0; j < 4; j++) {
            const before =
              step === 0 ? state.c.toArray()[(slot * batch + b) * 4 + j]! : value("c", b, back ? t + 1 : t - 1, j);
            expect(value("c", b, t, j)).toBeCloseTo(value("f", b, t, j) * before + value("g", b, t, j), 5);
            expect(value("f", b, t, j)).toBeGreaterThan(0);
            expect(value("o", b, t, j)).toBeGreaterThan(0);
            expect(value("o", b, t, j)).toBeLessThan(1);
          }
        }
        for (let t = length; t < steps; t++) expect(value("f", b, t, 0)).toBe(0);
      });
    });
    expect(u.gateActivations(layer, u.zeros([0, 2, 2], core))[0]!.values["f"]!.shape).toEqual([2, 0, 4]);
  });

  it("takes projections, no biases, and leaves the layer as it was", () => {
    const layer = new u.LSTM(2, 4, { projectionSize: 3, bias: false }).init({ seed: 1, core });
    const x = u.tensor([...draw([2, 3, 2], 1).data], [2, 3, 2], core);
    const before = layer.run((m) => m.forward(x).output);
    const used = core.persistentBytes;
    const [found] = u.gateActivations(layer, x);
    expect(found!.values["h"]).toEqual(before);
    expect(found!.values["o"]!.shape).toEqual([2, 3, 4]);
    expect(layer.run((m) => m.forward(x).output)).toEqual(before);
    expect(core.persistentBytes).toBe(used);
    expect(() => u.gateActivations(layer, u.zeros([2, 3, 5], core))).toThrow(u.ShapeError);
    expect(() => u.gateActivations(layer, u.zeros([3, 2], core))).toThrow(/three dimensions/);
  });
});

describe("saturation", () => {
  const values = { data: Float32Array.of(0.05, 0.5, 0.95, 0.95, 0.02, 0.5, 0.5, 0.5), shape: [2, 2, 2] };

  it("counts what lies below and above, step by step", () => {
    expect(u.saturation(values)).toEqual({ left: [0.5, 0], right: [0.25, 0.25] });
    expect(u.saturation(values, { lengths: [2, 0] })).toEqual({ left: [0.5, 0], right: [0.5, 0.5] });
    expect(u.saturation(values, { lengths: [1, 1], low: 0.03, high: 0.4 })).toEqual({ left: [0.5, 0], right: [0, 1] });
  });

  it("names what does not fit", () => {
    expect(() => u.saturation({ data: new Float32Array(2), shape: [2] })).toThrow(/expected \[B, T, H\]/);
    expect(() => u.saturation(values, { low: 0.95 })).toThrow(/low must be at most high/);
    expect(() => u.saturation(values, { lengths: [3, 0] })).toThrow(/lengths\[0\] must be an integer from 0 to 2/);
    expect(() => u.saturation(values, { lengths: [0, 0] })).toThrow(/at least one step/);
  });

  it("is drawn with a circle for every unit where its fractions are", () => {
    const svg = parseSvg(
      u.saturationSvg({ i: u.saturation(values), "f <": { left: [1], right: [0] } }, { title: "A & B" }),
    );
    expect(svg.attributes.get("aria-label")).toBe("A & B");
    const circles = elementsOf(svg, "circle");
    expect(circles.map(({ children }) => children[0]?.text)).toEqual([
      "unit 0: left 0.5, right 0.25",
      "unit 1: left 0, right 0.25",
      "unit 0: left 1, right 0",
    ]);
    const [frame] = elementsOf(svg, "rect").slice(1);
    const number = (element: (typeof circles)[number], name: string) => Number(element.attributes.get(name));
    expect(number(circles[0]!, "cx")).toBeCloseTo(number(frame!, "x") + 0.25 * number(frame!, "width"), 2);
    expect(number(circles[0]!, "cy")).toBeCloseTo(number(frame!, "y") + 0.5 * number(frame!, "height"), 2);
  });
});

describe("heatmapSvg", () => {
  it("has a cell for every unit and step in the colour of its value", () => {
    const values = { data: Float32Array.of(-1, 0, 0.5, 3, Number.NaN, 1), shape: [3, 2] };
    const svg = parseSvg(u.heatmapSvg(values, { steps: ["a", "<", "c"], title: "h & c" }));
    const rows = elementsOf(svg, "g");
    expect(rows.map(({ children }) => children[0]?.text)).toEqual(["unit 0", "unit 1"]);
    const paint = rows.map((row) =>
      elementsOf(row, "rect").map((r) => [r.attributes.get("fill"), r.attributes.get("fill-opacity")]),
    );
    expect(paint).toEqual([
      [
        ["#0072b2", "1"],
        ["#d55e00", "0.5"],
        ["#999", undefined],
      ],
      [
        ["#d55e00", "0"],
        ["#d55e00", "1"],
        ["#d55e00", "1"],
      ],
    ]);
    const words = elementsOf(svg, "text").map(({ text }) => text);
    expect(words).toEqual(expect.arrayContaining(["h & c", "a", "<", "c", "-1", "0", "1"]));
    expect(() => u.heatmapSvg({ data: new Float32Array(2), shape: [2] })).toThrow(/expected \[T, H\]/);
    expect(() => u.heatmapSvg(values, { steps: ["a"] })).toThrow(/steps has shape \[1\], expected \[3\]/);
    expect(() => u.heatmapSvg(values, { low: 1, high: 1 })).toThrow(/low must be less than high/);
  });
});

describe("stateSurvival", () => {
  const [batch, steps, units] = [40, 60, 6];
  /** Sequences from independent numbers of variance 1/3, each step made from the one before. */
  function sequences(next: (state: Vector, noise: Vector) => Vector): u.PlainTensor {
    const noise = numbers(batch * steps * units, 12);
    const data: number[] = [];
    for (let row = 0; row < batch; row++) {
      let state: Vector = [];
      for (let t = 0; t < steps; t++) {
        const at = (row * steps + t) * units;
        const fresh = noise.slice(at, at + units);
        state = t === 0 ? fresh : next(state, fresh);
        data.push(...state.map((value) => value + 5));
      }
    }
    return { data: Float32Array.from(data), shape: [batch, steps, units] };
  }

  it("is whole where nothing changes, and nothing where all is new", () => {
    const kept = u.stateSurvival(sequences((state) => state));
    expect(kept.lags).toEqual([1, 2, 4, 8, 16]);
    for (const value of [...kept.linear, ...kept.inPlace]) expect(value).toBeGreaterThan(0.999);
    const gone = u.stateSurvival(sequences((_state, noise) => noise));
    for (const value of [...gone.linear, ...gone.inPlace]) expect(value).toBeLessThan(0.02);
  });

  it("tells what moved from what was lost: units that pass their values on round a circle", () => {
    const moved = u.stateSurvival(
      sequences((state) => [...state.slice(1), state[0]!]),
      { lags: [1, 5, 6, 12, 15] },
    );
    for (const value of moved.linear) expect(value).toBeGreaterThan(0.999);
    // After six steps every value is back in its unit.
    moved.inPlace.forEach((value, i) => {
      if ([6, 12].includes(moved.lags[i]!)) expect(value).toBeGreaterThan(0.999);
      else expect(value).toBeLessThan(0.3);
    });
  });

  it("decays as a^2k where a state keeps a part a of itself", () => {
    const a = 0.9;
    const states = sequences((state, noise) => state.map((value, j) => a * value + Math.sqrt(1 - a * a) * noise[j]!));
    const { linear, inPlace } = u.stateSurvival(states, { lags: [1, 3, 7] });
    [1, 3, 7].forEach((k, i) => {
      expect(Math.abs(inPlace[i]! - a ** (2 * k))).toBeLessThan(0.05);
      expect(Math.abs(linear[i]! - a ** (2 * k))).toBeLessThan(0.05);
    });
  });

  it("reads each sequence up to its length", () => {
    const whole = sequences((state) => state);
    const lengths = Array.from({ length: batch }, (_, row) => 10 + (row % 7));
    const data = whole.data.map((value, i) => {
      const [row, t] = [Math.floor(i / (steps * units)), Math.floor(i / units) % steps];
      return t < lengths[row]! ? value : Number.NaN;
    });
    for (const value of u.stateSurvival({ ...whole, data }, { lengths, lags: [1, 9] }).linear) {
      expect(value).toBeGreaterThan(0.999);
    }
  });

  it("is no number where nothing varies, and names what does not fit", () => {
    const still = { data: new Float32Array(2 * 4 * 3), shape: [2, 4, 3] };
    expect(u.stateSurvival(still)).toEqual({ lags: [1, 2], linear: [NaN, NaN], inPlace: [NaN, NaN] });
    expect(() => u.stateSurvival({ data: new Float32Array(3), shape: [3] })).toThrow(/expected \[B, T, H\]/);
    expect(() => u.stateSurvival({ data: new Float32Array(12), shape: [1, 4, 3] })).toThrow(/two sequences/);
    expect(() => u.stateSurvival(still, { lags: [4] })).toThrow(/lags/);
    expect(() => u.stateSurvival(still, { lags: [0.5] })).toThrow(/lags/);
    expect(() => u.stateSurvival(still, { ridge: 0 })).toThrow(/ridge/);
  });

  it("is drawn as two curves of each network", () => {
    const survival = { lags: [1, 2], linear: [1, 0.5], inPlace: [0.75, Number.NaN] };
    const svg = parseSvg(u.survivalSvg({ GRU: survival }));
    const curves = elementsOf(svg, "path").filter(({ children }) => children.length > 0);
    expect(curves.map(({ children }) => children[0]?.text)).toEqual(["GRU, any linear form", "GRU, in place"]);
    expect(curves.map(({ attributes }) => attributes.get("d")?.match(/[ML]/g)?.length)).toEqual([2, 1]);
  });
});
