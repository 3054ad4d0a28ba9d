import { describe, expect, it } from "vitest";
import * as u from "../../ts/index.js";
import { checkOperation, count, draw, type Input, numbers } from "./reference.js";

const core = u.createCore();

/** Sizes all different, so that strides cannot be mixed up, with tails of every vector length. */
const shapes = [[1], [2, 3], [3, 4, 5], [1, 7], [6, 1, 5], [2, 3, 4, 5]];

describe("functions of one tensor", () => {
  const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
  const cases: [name: string, ours: (x: u.Tensor) => u.Tensor, reference: (x: number) => number, low?: number][] = [
    ["identity", u.identity, (x) => x],
    ["tanh", u.tanh, Math.tanh],
    ["sigmoid", u.sigmoid, sigmoid],
    ["relu", u.relu, (x) => Math.max(x, 0)],
    ["leakyRelu", (x) => u.leakyRelu(x, 0.2), (x) => (x > 0 ? x : 0.2 * x)],
    ["elu", (x) => u.elu(x, 0.7), (x) => (x > 0 ? x : 0.7 * (Math.exp(x) - 1))],
    ["softplus", u.softplus, (x) => Math.log1p(Math.exp(x))],
    ["softsign", u.softsign, (x) => x / (1 + Math.abs(x))],
    ["hardSigmoid", u.hardSigmoid, (x) => Math.min(Math.max(x / 6 + 0.5, 0), 1)],
    ["hardSigmoidOnnx", u.hardSigmoidOnnx, (x) => Math.min(Math.max(0.2 * x + 0.5, 0), 1)],
    ["hardTanh", u.hardTanh, (x) => Math.min(Math.max(x, -1), 1)],
    ["neg", u.neg, (x) => -x],
    ["exp", u.exp, Math.exp],
    ["log", u.log, Math.log, 0.1],
    ["sqrt", u.sqrt, Math.sqrt, 0.1],
    ["square", u.square, (x) => x * x],
    ["abs", u.abs, Math.abs],
    ["reciprocal", u.reciprocal, (x) => 1 / x, 0.5],
    ["sin", u.sin, Math.sin, -20],
    ["cos", u.cos, Math.cos, -20],
  ];

  it.each(cases)("%s", (_name, ours, reference, low = -4) => {
    for (const shape of shapes) {
      checkOperation(core, ours, (x) => x.map(reference), [draw(shape, count(shape), low, 4)], shape);
    }
  });

  it("propagates NaN", () => {
    for (const [name, ours] of cases) {
      const y = u.runScope(core, () => ours(u.tensor([1, Number.NaN, 2, 3, 4])).toArray());
      expect([...y].map(Number.isNaN), name).toEqual([false, true, false, false, false]);
    }
  });
});

/** Positions in a, b for every position of the broadcast of both. */
function broadcast(a: readonly number[], b: readonly number[]): { shape: number[]; pairs: [number, number][] } {
  const dimensions = Math.max(a.length, b.length);
  const at = (shape: readonly number[], i: number) => shape[shape.length - dimensions + i] ?? 1;
  const shape = Array.from({ length: dimensions }, (_, i) => Math.max(at(a, i), at(b, i)));
  const position = (operand: readonly number[], index: number[]) =>
    index.reduce((offset, k, i) => offset * at(operand, i) + (at(operand, i) === 1 ? 0 : k), 0);
  const pairs = Array.from({ length: count(shape) }, (_, flat): [number, number] => {
    const index: number[] = [];
    for (let i = dimensions - 1; i >= 0; i--) {
      index.unshift(flat % shape[i]!);
      flat = Math.floor(flat / shape[i]!);
    }
    return [position(a, index), position(b, index)];
  });
  return { shape, pairs };
}

describe("functions of two tensors", () => {
  const cases: [name: string, ours: typeof u.add, reference: (a: number, b: number) => number][] = [
    ["add", u.add, (a, b) => a + b],
    ["sub", u.sub, (a, b) => a - b],
    ["mul", u.mul, (a, b) => a * b],
    ["div", u.div, (a, b) => a / b],
    ["maximum", u.maximum, Math.max],
    ["minimum", u.minimum, Math.min],
  ];
  const pairs: [number[], number[]][] = [
    [[2, 3, 5], [2, 3, 5]],
    [[2, 3, 5], [5]],
    [[5], [2, 3, 5]],
    [[2, 3, 5], []],
    [[3, 1], [1, 4]],
    [[2, 1, 5], [3, 1]],
    [[4, 3, 1], [4, 1, 6]],
    [[], []],
  ]; // biome-ignore format: a table

  it.each(cases)("%s", (_name, ours, reference) => {
    for (const [a, b] of pairs) {
      const { shape, pairs: positions } = broadcast(a, b);
      const inputs = [draw(a, 1, 0.5, 2), draw(b, 2, 0.6, 2.1)];
      checkOperation(core, ours, (x, y) => positions.map(([i, j]) => reference(x[i]!, y[j]!)), inputs, shape);
    }
  });

  it("takes numbers", () => {
    checkOperation(
      core,
      (x) => u.sub(1, u.mul(x, 3)),
      (x) => x.map((v) => 1 - v * 3),
      [draw([2, 5], 1)],
      [2, 5],
    );
    expect(() => u.add(1, 2)).toThrow(u.ArgumentError);
  });

  it("refuses shapes that do not broadcast", () => {
    u.runScope(core, () => {
      expect(() => u.add(u.zeros([2, 3]), u.zeros([2]))).toThrow(u.ShapeError);
    });
  });
});

describe("arrangement", () => {
  const x = draw([2, 3, 4], 5);
  const at = (data: number[], i: number, j: number, k: number) => data[(i * 3 + j) * 4 + k]!;
  const range = (n: number) => Array.from({ length: n }, (_, i) => i);

  it("reshape shares values and gradients", () => {
    checkOperation(
      core,
      (t) => u.add(u.reshape(t, [4, -1]), u.reshape(t, [4, 6])),
      (v) => v.map((e) => 2 * e),
      [x],
      [4, 6],
    );
    u.runScope(core, () => {
      expect(() => u.reshape(u.zeros([2, 3]), [4, -1])).toThrow(u.ShapeError);
      expect(() => u.reshape(u.zeros([2, 3]), [5])).toThrow(u.ShapeError);
    });
  });

  it("permute and transpose", () => {
    const permuted = (v: number[]) =>
      range(4).flatMap((k) => range(2).flatMap((i) => range(3).map((j) => at(v, i, j, k))));
    checkOperation(core, (t) => u.permute(t, [2, 0, 1]), permuted, [x], [4, 2, 3]);
    const swapped = (v: number[]) =>
      range(3).flatMap((j) => range(2).flatMap((i) => range(4).map((k) => at(v, i, j, k))));
    checkOperation(core, (t) => u.transpose(t, 0, 1), swapped, [x], [3, 2, 4]);
    u.runScope(core, () => expect(() => u.permute(u.zeros([2, 3]), [0, 0])).toThrow(u.ArgumentError));
  });

  it("slice and select, from both ends", () => {
    const part = (js: number[]) => (v: number[]) =>
      range(2).flatMap((i) => js.flatMap((j) => range(4).map((k) => at(v, i, j, k))));
    checkOperation(core, (t) => u.slice(t, 1, 1), part([1, 2]), [x], [2, 2, 4]);
    checkOperation(core, (t) => u.slice(t, -2, 0, -1), part([0, 1]), [x], [2, 2, 4]);
    checkOperation(
      core,
      (t) => u.slice(t, 0, 1),
      (v) => v.slice(12),
      [x],
      [1, 3, 4],
    );
    checkOperation(core, (t) => u.select(t, 1, -1), part([2]), [x], [2, 4]);
    checkOperation(
      core,
      (t) => u.mul(u.select(t, 0, 0), u.select(t, 0, 1)),
      (v) => range(12).map((i) => v[i]! * v[12 + i]!),
      [x],
      [3, 4],
    );
    u.runScope(core, () => expect(() => u.slice(u.zeros([2, 3]), 1, 2, 5)).toThrow(u.ArgumentError));
  });

  it("concat and stack", () => {
    const y = draw([2, 5, 4], 6);
    const joined = (a: number[], b: number[]) =>
      range(2).flatMap((i) => [...a.slice(i * 12, i * 12 + 12), ...b.slice(i * 20, i * 20 + 20)]);
    checkOperation(core, (a, b) => u.concat([a, b], 1), joined, [x, y], [2, 8, 4]);
    const stacked = (a: number[], b: number[]) =>
      range(2).flatMap((i) => [...a.slice(i * 12, i * 12 + 12), ...b.slice(i * 12, i * 12 + 12)]);
    checkOperation(core, (a, b) => u.stack([a, b], 1), stacked, [x, draw([2, 3, 4], 7)], [2, 2, 3, 4]);
    u.runScope(core, () => expect(() => u.concat([u.zeros([2, 3]), u.zeros([3, 3])], 1)).toThrow(u.ShapeError));
  });

  it("detach stops the gradient", () => {
    const t = u.tensor([2, 3], [2], core);
    const { grads } = u.gradients(() => u.sum(u.mul(u.detach(t), t)), { parameters: [t] });
    expect([...grads.get(t)!]).toEqual([2, 3]);
  });
});

describe("reductions", () => {
  /** A reference reduction along an axis. */
  const along = (shape: readonly number[], axis: number, f: (values: number[]) => number) => (v: number[]) => {
    const inner = count(shape.slice(axis + 1));
    const length = shape[axis]!;
    return Array.from({ length: v.length / length }, (_, flat) => {
      const start = Math.floor(flat / inner) * inner * length + (flat % inner);
      return f(Array.from({ length }, (_, k) => v[start + k * inner]!));
    });
  };
  const total = (values: number[]) => values.reduce((a, b) => a + b, 0);
  const kinds: [string, typeof u.sum, (values: number[]) => number][] = [
    ["sum", u.sum, total],
    ["mean", u.mean, (values) => total(values) / values.length],
    ["max", u.max, (values) => Math.max(...values)],
  ];

  it.each(kinds)("%s along every axis and over all", (_name, ours, reference) => {
    for (const shape of shapes) {
      const input = draw(shape, 3 + count(shape));
      checkOperation(
        core,
        (t) => ours(t),
        (v) => [reference(v)],
        [input],
        [],
      );
      shape.forEach((_, axis) => {
        const rest = shape.filter((_, i) => i !== axis);
        checkOperation(core, (t) => ours(t, axis), along(shape, axis, reference), [input], rest);
        const kept = shape.map((n, i) => (i === axis ? 1 : n));
        checkOperation(
          core,
          (t) => ours(t, axis - shape.length, { keepDims: true }),
          along(shape, axis, reference),
          [input],
          kept,
        );
      });
    }
  });

  it("argmax is the first of equals", () => {
    u.runScope(core, () => {
      const chosen = u.argmax(
        u.tensor([
          [1, 3, 3],
          [5, 2, 5],
        ]),
      );
      expect([...chosen.data]).toEqual([1, 0]);
      expect(chosen.shape).toEqual([2]);
      expect([
        ...u.argmax(
          u.tensor([
            [1, 3, 3],
            [5, 2, 5],
          ]),
          0,
        ).data,
      ]).toEqual([1, 0, 1]);
    });
  });

  it("of nothing", () => {
    u.runScope(core, () => {
      expect(u.sum(u.zeros([0])).item()).toBe(0);
      expect([...u.sum(u.zeros([2, 0]), 1).toArray()]).toEqual([0, 0]);
      expect(() => u.max(u.zeros([0]))).toThrow(u.ArgumentError);
    });
  });
});

describe("matrix products", () => {
  /** op(a) op(b) for one pair of matrices. */
  const product = (a: number[], b: number[], m: number, k: number, n: number, ta: boolean, tb: boolean) =>
    Array.from({ length: m * n }, (_, at) => {
      const [i, j] = [Math.floor(at / n), at % n];
      let value = 0;
      for (let l = 0; l < k; l++) value += a[ta ? l * m + i : i * k + l]! * b[tb ? j * k + l : l * n + j]!;
      return value;
    });

  it("in every form: transposed or not, batched or shared", () => {
    for (const [m, k, n] of [
      [3, 4, 5],
      [1, 7, 2],
      [5, 1, 17],
      [4, 6, 1],
    ] as const) {
      for (const transposeA of [false, true]) {
        for (const transposeB of [false, true]) {
          for (const [leadA, leadB] of [
            [[], []],
            [[2], [2]],
            [[2], []],
            [[], [3]],
            [
              [2, 3],
              [2, 3],
            ],
          ]) {
            const a = draw([...leadA!, ...(transposeA ? [k, m] : [m, k])], 1);
            const b = draw([...leadB!, ...(transposeB ? [n, k] : [k, n])], 2);
            const lead = leadA!.length > 0 ? leadA! : leadB!;
            const reference = (x: number[], y: number[]) =>
              Array.from({ length: count(lead) }, (_, i) => {
                const ai = leadA!.length > 0 ? x.slice(i * m * k, (i + 1) * m * k) : x;
                const bi = leadB!.length > 0 ? y.slice(i * k * n, (i + 1) * k * n) : y;
                return product(ai, bi, m, k, n, transposeA, transposeB);
              }).flat();
            const ours = (x: u.Tensor, y: u.Tensor) => u.matmul(x, y, { transposeA, transposeB });
            checkOperation(core, ours, reference, [a, b], [...lead, m, n]);
          }
        }
      }
    }
  });

  it("says which shape would fit", () => {
    u.runScope(core, () => {
      expect(() => u.matmul(u.zeros([2, 3]), u.zeros([4, 5]))).toThrow(
        /b has shape \[4, 5\], expected \[\.\.\., 3, 5\]/,
      );
      expect(() => u.matmul(u.zeros([3]), u.zeros([3, 2]))).toThrow(u.ShapeError);
    });
  });

  it("linear, with and without bias", () => {
    for (const [rows, inputs, outputs] of [
      [[3, 4], 5, 6],
      [[], 1, 1],
      [[7], 33, 17],
    ] as const) {
      const x = draw([...rows, inputs], 1);
      const w = draw([outputs, inputs], 2);
      const bias = draw([outputs], 3);
      const plain = (v: number[], m: number[]) => product(v, m, v.length / inputs, inputs, outputs, false, true);
      const shape = [...rows, outputs];
      checkOperation(core, (a, b) => u.linear(a, b), plain, [x, w], shape);
      const reference = (v: number[], m: number[], b: number[]) => plain(v, m).map((y, i) => y + b[i % outputs]!);
      checkOperation(core, (a, b, c) => u.linear(a, b, c), reference, [x, w, bias], shape);
    }
  });
});

describe("softmax", () => {
  const reference = (shape: readonly number[], temperature: number, logarithm: boolean) => (v: number[]) => {
    const columns = shape.at(-1)!;
    return v.map((x, i) => {
      const row = v.slice(i - (i % columns), i - (i % columns) + columns);
      const total = Math.log(row.reduce((sum, y) => sum + Math.exp(y / temperature), 0));
      return logarithm ? x / temperature - total : Math.exp(x / temperature - total);
    });
  };

  it("and its logarithm, at temperatures, along axes", () => {
    for (const shape of shapes) {
      const input = draw(shape, 4, -3, 3);
      for (const temperature of [1, 0.7]) {
        checkOperation(
          core,
          (x) => u.softmax(x, { temperature }),
          reference(shape, temperature, false),
          [input],
          shape,
        );
        checkOperation(
          core,
          (x) => u.logSoftmax(x, { temperature }),
          reference(shape, temperature, true),
          [input],
          shape,
        );
      }
    }
    const turn = (v: number[]) => Array.from({ length: 15 }, (_, i) => v[(i % 3) * 5 + Math.floor(i / 3)]!);
    const back = (v: number[]) => Array.from({ length: 15 }, (_, i) => v[(i % 5) * 3 + Math.floor(i / 5)]!);
    const first = (v: number[]) => back(reference([5, 3], 1, false)(turn(v)));
    checkOperation(core, (x) => u.softmax(x, { axis: 0 }), first, [draw([3, 5], 4)], [3, 5]);
    u.runScope(core, () => expect(() => u.softmax(u.zeros([2]), { temperature: 0 })).toThrow(u.ArgumentError));
  });
});

describe("rows chosen by ids", () => {
  const chosen = u.ids([
    [3, 0, 3],
    [1, 4, 3],
  ]);
  const table = draw([5, 4], 8);
  const rows = (v: number[]) => [...chosen.data].flatMap((id) => v.slice(id * 4, id * 4 + 4));

  it("embedding", () => {
    checkOperation(core, (t) => u.embedding(t, chosen), rows, [table], [2, 3, 4]);
    checkOperation(
      core,
      (t) => u.tanh(u.embedding(t, chosen)),
      (v) => rows(v).map(Math.tanh),
      [table],
      [2, 3, 4],
    );
  });

  it("keeps the gradient from the padding row, and divides by frequency", () => {
    const t = u.tensor([...table.data], table.shape, core);
    const gradient = (options: u.EmbeddingOptions) => [
      ...u.gradients(() => u.sum(u.embedding(t, chosen, options)), { parameters: [t] }).grads.get(t)!,
    ];
    const row = (value: number) => [value, value, value, value];
    expect(gradient({})).toEqual([...row(1), ...row(1), ...row(0), ...row(3), ...row(1)]);
    expect(gradient({ paddingIndex: 3 })).toEqual([...row(1), ...row(1), ...row(0), ...row(0), ...row(1)]);
    expect(gradient({ scaleGradByFrequency: true })).toEqual([...row(1), ...row(1), ...row(0), ...row(1), ...row(1)]);
  });

  it("one-hot", () => {
    const y = u.runScope(core, () => u.oneHot(u.ids([2, 0]), 3).toArray());
    expect([...y]).toEqual([0, 0, 1, 1, 0, 0]);
  });

  it("work outside scopes too", () => {
    const t = u.tensor([...table.data], table.shape, core);
    const y = u.embedding(t, chosen);
    expect([...y.toArray()]).toEqual(rows([...table.data]));
    y.dispose();
    expect(() => y.toArray()).toThrow(u.ScopeError);
  });

  it("names an id that is out of range", () => {
    u.runScope(core, () => {
      expect(() => u.embedding(u.zeros([5, 4]), u.ids([1, 5]))).toThrow(/id at position 1 must be from 0 to 4, got 5/);
      expect(() => u.oneHot(u.ids([-1]), 3)).toThrow(u.ArgumentError);
      expect(() => u.ids([0.5])).toThrow(u.ArgumentError);
    });
  });
});

describe("dropout and masks", () => {
  const x = u.full([4, 501], 2, core);

  it("is the identity unless a training recording runs", () => {
    u.runScope(core, () => expect(u.dropout(x, 0.5)).toBe(x));
    u.gradients(() => u.sum(u.dropout(x, 0.5)), { core, training: false });
    expect(u.gradients(() => u.mean(u.dropout(x, 0.5)), { core, training: false }).loss).toBe(2);
  });

  it("drops by probability, scales, and passes the gradient through the same mask", () => {
    let y: number[] = [];
    const { grads } = u.gradients(
      () => {
        const dropped = u.dropout(x, 0.3);
        y = [...dropped.toArray()];
        return u.sum(dropped);
      },
      { parameters: [x], seed: 7, update: 3 },
    );
    const kept = y.filter((value) => value !== 0);
    expect(Math.abs(kept.length / y.length - 0.7)).toBeLessThan(0.04);
    for (const value of kept) expect(value).toBeCloseTo(2 / 0.7, 5);
    expect([...grads.get(x)!]).toEqual(y.map((value) => value / 2));
  });

  it("draws by seed, update, stream and call, and by nothing else", () => {
    const mask = (seed: number, update: number, stream: number, calls = 1) => {
      let y: number[] = [];
      u.gradients(
        () => {
          for (let call = 0; call < calls; call++) y = [...u.dropout(x, 0.5, stream).toArray()];
          return u.sum(x);
        },
        { core, seed, update },
      );
      return y;
    };
    expect(mask(1, 2, 3)).toEqual(mask(1, 2, 3));
    for (const other of [mask(2, 2, 3), mask(1, 3, 3), mask(1, 2, 4), mask(1, 2, 3, 2)]) {
      expect(other).not.toEqual(mask(1, 2, 3));
    }
  });

  it("drops all at 1 and refuses other numbers", () => {
    expect(u.gradients(() => u.sum(u.dropout(x, 1)), { core }).loss).toBe(0);
    expect(() => u.gradients(() => u.sum(u.dropout(x, 1.5)), { core })).toThrow(u.ArgumentError);
  });

  it("maskedFill", () => {
    const mask = u.ids([
      [0, 1, 0, 0, 2],
      [1, 0, 0, 1, 0],
    ]);
    const reference = (v: number[]) => v.map((value, i) => (mask.data[i] === 0 ? value : -9));
    checkOperation(core, (t) => u.maskedFill(t, mask, -9), reference, [draw([2, 5], 1)], [2, 5]);
    u.runScope(core, () => expect(() => u.maskedFill(u.zeros([2, 4]), mask, 0)).toThrow(u.ShapeError));
  });
});

describe("losses", () => {
  const input: Input = { shape: [3, 5], data: numbers(15, 1, -2, 2) };
  const target: Input = { shape: [3, 5], data: numbers(15, 2, -2, 2) };
  const mean = (values: number[]) => [values.reduce((a, b) => a + b, 0) / values.length];

  it("of regression", () => {
    const d = (x: number[], y: number[]) => x.map((v, i) => v - y[i]!);
    checkOperation(
      core,
      (x, y) => u.mseLoss(x, y),
      (x, y) => mean(d(x, y).map((v) => v * v)),
      [input, target],
      [],
    );
    checkOperation(
      core,
      (x, y) => u.l1Loss(x, y),
      (x, y) => mean(d(x, y).map(Math.abs)),
      [input, target],
      [],
    );
    const huber = (v: number) => (Math.abs(v) <= 0.6 ? (v * v) / 2 : 0.6 * (Math.abs(v) - 0.3));
    const ours = (x: u.Tensor, y: u.Tensor) => u.huberLoss(x, y, { delta: 0.6 });
    checkOperation(core, ours, (x, y) => mean(d(x, y).map(huber)), [input, target], []);
  });

  it("cross-entropy against its definition", () => {
    const targets = u.ids([4, 0, 2]);
    const surprisals = (x: number[]) =>
      [0, 1, 2].map((row) => {
        const logits = x.slice(row * 5, row * 5 + 5);
        return Math.log(logits.reduce((total, v) => total + Math.exp(v), 0)) - logits[targets.data[row]!]!;
      });
    checkOperation(
      core,
      (x) => u.crossEntropy(x, targets),
      (x) => mean(surprisals(x)),
      [input],
      [],
    );
    checkOperation(core, (x) => u.crossEntropy(x, targets, { reduction: "none" }), surprisals, [input], [3]);
    const ours = (x: u.Tensor) => u.nllLoss(u.logSoftmax(x), targets);
    checkOperation(core, ours, (x) => mean(surprisals(x)), [input], []);
  });

  it("names a target that is no class, and wrong shapes", () => {
    u.runScope(core, () => {
      const logits = u.zeros([2, 3]);
      expect(() => u.crossEntropy(logits, u.ids([1, 3]))).toThrow(
        /target at position 1 must be from 0 to 2 or -100, got 3/,
      );
      expect(() => u.crossEntropy(logits, u.ids([1]))).toThrow(u.ShapeError);
      expect(() => u.crossEntropy(logits, u.ids([1, 1]), { labelSmoothing: 2 })).toThrow(u.ArgumentError);
      expect(() => u.mseLoss(logits, u.zeros([3, 2]))).toThrow(u.ShapeError);
    });
  });

  it("several losses add up on one tape", () => {
    const x = u.tensor([1, 2, 3], [3], core);
    const { loss, grads } = u.gradients(() => u.add(u.sum(u.square(x)), u.mul(u.sum(x), 10)), { parameters: [x] });
    expect(loss).toBe(74);
    expect([...grads.get(x)!]).toEqual([12, 14, 16]);
  });
});
