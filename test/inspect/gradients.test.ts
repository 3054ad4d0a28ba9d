import { describe, expect, it } from "vitest";
import * as u from "../../ts/index.js";
import { largestSingularValue, type Matrix, product, solvePositive } from "../../ts/inspect/matrix.js";
import { type CellName, step, type Weights } from "../nn/recurrent-reference.js";
import { draw, expectClose, numbers } from "../tensor/reference.js";
import { elementsOf, parseSvg } from "./svg.js";

const core = u.createCore();
const matrix = (rows: number[][]): Matrix => ({
  rows: rows.length,
  columns: rows[0]!.length,
  data: Float64Array.from(rows.flat()),
});

/** I - 2 v vt / (v . v): orthogonal. */
function reflection(v: number[]): Matrix {
  const square = v.reduce((total, value) => total + value * value, 0);
  return matrix(v.map((a, i) => v.map((b, j) => (i === j ? 1 : 0) - (2 * a * b) / square)));
}

describe("matrices", () => {
  it("finds the largest singular value", () => {
    // Of [[a, b], [c, d]] by the closed formula.
    const [a, b, c, d] = [0.3, -1.2, 2, 0.7];
    const square = a * a + b * b + c * c + d * d;
    const expected = Math.sqrt((square + Math.sqrt(square ** 2 - 4 * (a * d - b * c) ** 2)) / 2);
    expect(
      largestSingularValue(
        matrix([
          [a, b],
          [c, d],
        ]),
      ),
    ).toBeCloseTo(expected, 13);
    expect(largestSingularValue(matrix([[3]]))).toBeCloseTo(3, 13);
    expect(
      largestSingularValue(
        matrix([
          [0, 0],
          [0, 0],
        ]),
      ),
    ).toBe(0);
    expect(largestSingularValue(matrix([[3, 4]]))).toBeCloseTo(5, 13);
    expect(largestSingularValue(matrix([[3], [4]]))).toBeCloseTo(5, 13);
    expect(largestSingularValue(matrix([[1, Number.NaN]]))).toBeNaN();
    expect(largestSingularValue(matrix([[1, -Infinity]]))).toBe(Infinity);
  });

  it.each([7, 40, 150])("finds it between two orthogonal matrices of %i rows", (n) => {
    const [left, right] = [reflection(numbers(n, 1)), reflection(numbers(n, 2))];
    for (const values of [
      Array.from({ length: n }, (_, i) => 2 - i / n),
      Array.from({ length: n }, (_, i) => (i === 3 ? 1e-140 : 1e-150)),
      Array.from({ length: n }, () => 0.5),
    ]) {
      const middle = matrix(values.map((value, i) => values.map((_, j) => (i === j ? value : 0))));
      const whole = product(product(left, middle), right);
      expect(largestSingularValue(whole) / Math.max(...values)).toBeCloseTo(1, 10);
    }
  });

  it("solves", () => {
    const root = matrix([
      [2, 1, 0.5],
      [0, 3, -1],
      [1, 0, 1],
    ]);
    const transposed = matrix([
      [2, 0, 1],
      [1, 3, 0],
      [0.5, -1, 1],
    ]);
    const x = matrix([
      [1, 2],
      [3, -4],
      [0.25, 6],
    ]);
    const a = product(transposed, root);
    expectClose(solvePositive(a, product(a, x)).data, x.data, 1e-12, "x");
    expect(() =>
      solvePositive(
        matrix([
          [1, 2],
          [2, 1],
        ]),
        x,
      ),
    ).toThrow(/positive definite/);
  });
});

/** Parameters of a layer of one of the fused cells, for the oracle. */
function weightsOf(layer: u.Module): Weights {
  const [weightIh, weightHh, biasIh, biasHh] = layer.parameters().map((p) => [...p.toArray()]) as [
    number[],
    number[],
    number[],
    number[],
  ];
  return { weightIh, weightHh, biasIh, biasHh };
}

const layers = { elman: u.RNN, lstm: u.LSTM, gru: u.GRU };

describe("recurrentJacobians", () => {
  it("is diag(1 - h^2) W_hh for tanh", () => {
    const rnn = new u.RNN(1, 2).init({ core });
    const w = [0.9, -0.4, 0.3, 1.1];
    rnn.loadStateDict(
      new Map([
        ["weight_ih_l0", { data: [0.5, -1], shape: [2, 1] }],
        ["weight_hh_l0", { data: w, shape: [2, 2] }],
        ["bias_ih_l0", { data: [0, 0.25], shape: [2] }],
        ["bias_hh_l0", { data: [0.125, 0], shape: [2] }],
      ]),
      { core },
    );
    let h = [0, 0];
    let through = matrix([
      [1, 0],
      [0, 1],
    ]);
    const inputs = [1, -0.5, 0.25, 2];
    const jacobians = inputs.map((x) => {
      h = [
        Math.tanh(0.5 * x + 0.125 + w[0]! * h[0]! + w[1]! * h[1]!),
        Math.tanh(-x + 0.25 + w[2]! * h[0]! + w[3]! * h[1]!),
      ];
      return h.flatMap((value, i) => [0, 1].map((j) => (1 - value * value) * w[2 * i + j]!));
    });
    const found = u.recurrentJacobians(rnn, Float32Array.from(inputs));
    found.forEach(({ data }, t) => expectClose(data, jacobians[t]!, 1e-6, `step ${t}`));
    const { steps, products } = u.jacobianNorms(rnn, u.tensor(inputs, [4, 1], core));
    for (let k = 1; k <= 4; k++) {
      const last = { rows: 2, columns: 2, data: Float64Array.from(jacobians[4 - k]!) };
      expect(steps[4 - k]).toBeCloseTo(largestSingularValue(last), 6);
      through = product(through, last);
      expect(products[k - 1]).toBeCloseTo(largestSingularValue(through), 6);
    }
  });

  it.each(["elman", "lstm", "gru"] as const)("equals differences of the equations: %s", (cell: CellName) => {
    const [inputs, hidden, steps] = [3, 4, 3];
    const layer = new layers[cell](inputs, hidden).init({ seed: 3, core, initializer: u.uniform(-1, 1) });
    const weights = weightsOf(layer);
    const x = draw([steps, inputs], 5).data;
    const names = cell === "lstm" ? ["h", "c"] : ["h"];
    const start = names.flatMap((_, i) => numbers(hidden, 30 + i));
    const advance = (s: readonly number[], t: number): number[] => {
      const row = x.slice(t * inputs, (t + 1) * inputs);
      const { h, c } = step(cell, row, s.slice(0, hidden), s.slice(hidden), weights);
      return [...h, ...c];
    };
    const state = Object.fromEntries(
      names.map((name, i) => {
        return [name, { data: Float32Array.from(start.slice(i * hidden, (i + 1) * hidden)), shape: [1, 1, hidden] }];
      }),
    );
    const found = u.recurrentJacobians(layer, Float32Array.from(x), { state });
    let s = start;
    found.forEach(({ data, rows }, t) => {
      expect(rows).toBe(s.length);
      const columns = s.map((_, j) => {
        const moved = (by: number) =>
          advance(
            s.map((value, i) => (i === j ? value + by : value)),
            t,
          );
        const [up, down] = [moved(1e-6), moved(-1e-6)];
        return up.map((value, i) => (value - down[i]!) / 2e-6);
      });
      const expected = s.flatMap((_, i) => columns.map((column) => column[i]!));
      expectClose(data, expected, 2e-5, `step ${t}`);
      s = advance(s, t);
    });
    if (cell === "lstm") {
      // The memory alone: the lower right quarter.
      const [memory] = u.recurrentJacobians(layer, Float32Array.from(x), { state, parts: ["c"] });
      const quarter = [0, 1, 2, 3].flatMap((i) => [...found[0]!.data.slice((4 + i) * 8 + 4, (5 + i) * 8)]);
      expectClose(memory!.data, quarter, 1e-6, "dc/dc");
    }
  });

  it("takes cells made from their equations", () => {
    const Leaky = u.defineCell({
      name: "Leaky",
      state: ["h"],
      step: ({ x, h }, { gate, vector, tanh }) => ({
        h: vector("keep")
          .mul(h)
          .add(tanh(gate("a", x))),
      }),
    });
    const layer = new Leaky(2, 3).init({ seed: 4, core }) as u.SequenceModule;
    const keep = layer
      .parameters()
      .find(({ name }) => name.startsWith("keep"))!
      .toArray();
    const expected = [0, 1, 2].flatMap((i) => [0, 1, 2].map((j) => (i === j ? keep[i]! : 0)));
    for (const { data } of u.recurrentJacobians(layer, Float32Array.of(1, -1, 0.5, 2))) {
      expectClose(data, expected, 1e-6, "a diagonal");
    }
    const { products } = u.jacobianNorms(layer, new Float32Array(10));
    products.forEach((value, i) => expect(value).toBeCloseTo(Math.max(...keep.map(Math.abs)) ** (i + 1), 6));
  });

  it("takes wirings and layers above each other", () => {
    // Dilation 2: the state of one phase moves up, that of the other passes through the cell.
    const leap = new u.Dilated(new u.RNN(2, 3), 2).init({ seed: 1, core, initializer: u.uniform(-1, 1) });
    const [jacobian] = u.recurrentJacobians(leap, Float32Array.of(0.5, -1));
    const block = (i: number, j: number) =>
      [0, 1, 2].flatMap((r) => [0, 1, 2].map((c) => jacobian!.data[(3 * i + r) * 6 + 3 * j + c]!));
    expect(block(0, 0)).toEqual(new Array(9).fill(0));
    expect(block(0, 1)).toEqual([1, 0, 0, 0, 1, 0, 0, 0, 1]);
    expect(block(1, 1)).toEqual(new Array(9).fill(0));
    expect(block(1, 0).every((value) => value !== 0)).toBe(true);
    // The state of the first of two layers does not hear of the second.
    const deep = new u.GRU(2, 3, { numLayers: 2, batchFirst: false }).init({ seed: 2, core });
    const [both] = u.recurrentJacobians(deep, Float32Array.of(0.5, -1));
    for (let i = 0; i < 3; i++) {
      expect([...both!.data.slice(i * 6 + 3, i * 6 + 6)]).toEqual([0, 0, 0]);
      expect(both!.data[(3 + i) * 6]).not.toBe(0);
    }
  });

  it("names what does not fit", () => {
    const rnn = new u.RNN(2, 3).init({ core });
    expect(() => u.recurrentJacobians(rnn, new Float32Array(3))).toThrow(/x has shape \[3\], expected \[T, 2\]/);
    expect(() => u.jacobianNorms(rnn, new Float32Array(2), { parts: ["c"] })).toThrow(/parts must be of h, got "c"/);
    const both = new u.RNN(2, 3, { bidirectional: true }).init({ core });
    expect(() => u.jacobianNorms(both, new Float32Array(2))).toThrow(/only reads forwards/);
  });
});

describe("gradientByDistance", () => {
  it.each(["elman", "lstm", "gru"] as const)("equals differences of the equations: %s", (cell) => {
    const [batch, steps, inputs, hidden] = [3, 5, 2, 4];
    const layer = new layers[cell](inputs, hidden).init({ seed: 6, core, initializer: u.uniform(-1, 1) });
    const weights = weightsOf(layer);
    const x = draw([batch, steps, inputs], 5);
    const cotangent = numbers(batch * hidden, 8);
    /** The loss when the state of row b, of h and c, after step `from` is what it is, moved by `by` at `unit`. */
    const loss = (row: number, from: number, unit: number, by: number): number => {
      let s: number[] = new Array<number>(2 * hidden).fill(0);
      for (let t = 0; t < steps; t++) {
        const at = (row * steps + t) * inputs;
        const { h, c } = step(cell, x.data.slice(at, at + inputs), s.slice(0, hidden), s.slice(hidden), weights);
        s = [...h, ...c];
        if (t === from) s[unit] = s[unit]! + by;
      }
      return s.slice(0, hidden).reduce((total, value, j) => total + value * cotangent[row * hidden + j]!, 0);
    };
    const norms = u.gradientByDistance(layer as u.SequenceModule, u.tensor([...x.data], x.shape, core), ({ output }) =>
      u.sum(u.mul(u.reshape(output, [batch, hidden]), u.tensor(cotangent, [batch, hidden]))),
    );
    const names = cell === "lstm" ? ["h", "c"] : ["h"];
    expect(Object.keys(norms)).toEqual(names);
    names.forEach((name, part) => {
      const expected = Array.from({ length: steps - 1 }, (_, i) => {
        let square = 0;
        for (let row = 0; row < batch; row++) {
          for (let j = 0; j < hidden; j++) {
            const at = [row, steps - 2 - i, part * hidden + j] as const;
            square += ((loss(...at, 1e-5) - loss(...at, -1e-5)) / 2e-5) ** 2;
          }
        }
        return Math.sqrt(square);
      });
      expectClose(norms[name]!, expected, 2e-5, name);
    });
  });

  it("reads language models, wirings, frozen layers and either order of axes", () => {
    const tokenizer = u.CharTokenizer.from("abcdef");
    const model = new u.LanguageModel({ tokenizer, cell: u.LSTM, hiddenSize: 5, numLayers: 2, dropout: 0.5 });
    model.init({ seed: 1, core });
    const ids = new u.Ids(Int32Array.of(0, 1, 2, 3, 4, 5, 1, 2), [2, 4]);
    const loss = ({ logits }: { logits: u.Tensor }) =>
      u.crossEntropy(u.reshape(logits, [2, -1]), new u.Ids(Int32Array.of(1, 3)));
    const { h, c } = u.gradientByDistance(model, ids, loss);
    expect([h!.length, c!.length]).toEqual([3, 3]);
    for (const norm of [...h!, ...c!]) expect(norm).toBeGreaterThan(0);

    const x = u.tensor([...draw([3, 4, 2], 1).data], [3, 4, 2], core);
    const square = ({ output }: { output: u.Tensor }) => u.sum(u.square(output));
    const first = new u.Dilated(new u.GRU(2, 3), 2).init({ seed: 3, core });
    const second = new u.Dilated(new u.GRU(2, 3, { batchFirst: false }), 2).init({ seed: 3, core });
    const expected = u.gradientByDistance(first, x, square);
    for (const parameter of second.parameters()) parameter.trainable = false;
    const turned = u.transpose(x, 0, 1);
    expect(u.gradientByDistance(second, turned, square)).toEqual(expected);
    expect(second.parameters().some((p) => p.requiresGrad)).toBe(false);
  });

  it("names what does not fit", () => {
    const rnn = new u.RNN(2, 3).init({ core });
    const loss = ({ output }: { output: u.Tensor }) => u.sum(output);
    expect(() => u.gradientByDistance(rnn, u.zeros([4, 2], core), loss)).toThrow(/expected \[B, T, I\]/);
    expect(() => u.gradientByDistance(rnn, u.zeros([4, 1, 2], core), loss)).toThrow(/at least two steps/);
  });
});

describe("drawings of gradients", () => {
  it("have a curve of each network, ending where nothing is left", () => {
    const svg = parseSvg(u.gradientDistanceSvg({ RNN: [1, 0.1, 0], "a < b": [1, 1, 1] }));
    const curves = elementsOf(svg, "path").filter((path) => path.children.length > 0);
    expect(curves.map((path) => path.children[0]?.text)).toEqual(["RNN", "a < b"]);
    expect(curves.map((path) => path.attributes.get("d")?.match(/[ML]/g)?.length)).toEqual([2, 3]);
    const norms = { steps: [1, 1], products: [0.5, 2] };
    const other = elementsOf(parseSvg(u.jacobianSvg({ LSTM: norms })), "path").filter((p) => p.children.length > 0);
    expect(other[0]?.attributes.get("d")).toMatch(/^M[\d.]+ [\d.]+L[\d.]+ [\d.]+$/);
  });
});
