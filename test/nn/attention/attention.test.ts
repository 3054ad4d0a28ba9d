/** Attentions against Bahdanau et al. 2015 and Luong et al. 2015, written out in float64. */
import { describe, expect, it } from "vitest";
import * as u from "../../../ts/index.js";
import { checkOperation, draw, type Input } from "../../tensor/reference.js";

const core = u.createCore();
const [B, S, T, Q, M, A] = [3, 2, 4, 5, 6, 7];
const lengths = [4, 1, 3];

const dot = (a: readonly number[], b: readonly number[]) => a.reduce((total, value, i) => total + value * b[i]!, 0);
const row = (x: readonly number[], at: number, width: number) => x.slice(at * width, (at + 1) * width);
const times = (w: readonly number[], x: readonly number[]) =>
  Array.from({ length: w.length / x.length }, (_, i) => dot(row(w, i, x.length), x));

type Score = (q: readonly number[], m: readonly number[], parameters: readonly (readonly number[])[]) => number;
type Position = (q: readonly number[], length: number, parameters: readonly (readonly number[])[]) => number;

/** Contexts (B, S, M) then weights (B, S, T). With a position: only positions within D = 1 of it, as local-p says. */
function attend(
  queries: readonly number[],
  memory: readonly number[],
  parameters: readonly (readonly number[])[],
  score: Score,
  ends: readonly number[],
  position?: Position,
): number[] {
  const contexts: number[] = [];
  const weights: number[] = [];
  for (let b = 0; b < B; b++) {
    for (let s = 0; s < S; s++) {
      const q = row(queries, b * S + s, queries.length / (B * S));
      const m = Array.from({ length: T }, (_, t) => row(memory, b * T + t, M));
      const p = position?.(q, ends[b]!, parameters) ?? 0;
      const e = m.map((value, t) => {
        const counts = t < ends[b]! && (position === undefined || Math.abs(t - p) <= 1);
        return counts ? Math.exp(score(q, value, parameters)) : 0;
      });
      const total = e.reduce((a, c) => a + c, 0);
      const gauss = (t: number) => (position === undefined ? 1 : Math.exp(-((t - p) ** 2) / (2 * 0.5 ** 2)));
      const a = e.map((value, t) => (value / total) * gauss(t));
      weights.push(...a);
      for (let j = 0; j < M; j++) contexts.push(a.reduce((sum, value, t) => sum + value * m[t]![j]!, 0));
    }
  }
  return [...contexts, ...weights];
}

const general: Score = (q, m, [w]) => dot(q, times(w!, m));
const additive: Score = (q, m, [v, wq, wm, b]) => {
  const [x, y] = [times(wq!, q), times(wm!, m)];
  return dot(
    v!,
    x.map((value, i) => Math.tanh(value + y[i]! + b![i]!)),
  );
};
const concat: Score = (q, m, [v, w]) => dot(v!, times(w!, [...q, ...m]).map(Math.tanh));
const predicted: Position = (q, length, [, w, v]) => length / (1 + Math.exp(-dot(v!, times(w!, q).map(Math.tanh))));

const scale = 0.5;
const kinds: readonly [string, () => u.Attention, Score, Position?][] = [
  ["dot", () => new u.DotAttention(M, M), dot],
  ["dot, scaled", () => new u.DotAttention(M, M, { scale }), (q, m) => scale * dot(q, m)],
  ["general", () => new u.GeneralAttention(Q, M), general],
  ["additive", () => new u.AdditiveAttention(Q, M, { units: A }), additive],
  ["concat", () => new u.ConcatAttention(Q, M, { units: A, scale }), (...given) => scale * concat(...given)],
  ["local-p", () => new u.LocalAttention(new u.GeneralAttention(Q, M), 1), general, predicted],
];

describe.each(kinds)("%s", (_, make, score, position) => {
  it.each([
    ["all positions", undefined],
    ["lengths", lengths],
  ] as const)("equals the equations and their derivatives: %s", (_, ends) => {
    const model = make().init({ core });
    const names = model.namedParameters();
    const inputs: Input[] = [
      draw([B, S, model.querySize], 1),
      draw([B, T, M], 2),
      ...names.map(([, { shape }], i) => draw(shape, 3 + i)),
    ];
    checkOperation(
      core,
      (queries, memory, ...values) => {
        // Parameters are replaced by tensors that are differentiated like any other.
        names.forEach(([name], i) => {
          const path = name.split(".");
          const owner = path.slice(0, -1).reduce((at, key) => (at as never)[key], model as unknown);
          (owner as Record<string, u.Tensor>)[path.at(-1)!] = values[i]!;
        });
        const { context, weights } = model.forward(queries, memory, { lengths: ends });
        return u.concat([u.reshape(context, [B * S * M]), u.reshape(weights, [B * S * T])]);
      },
      (queries, memory, ...parameters) =>
        attend(queries, memory, parameters, score, ends ?? Array(B).fill(T), position),
      inputs,
      [B * S * (M + T)],
    );
  });
});

it("gives a row of length 0 equal weights and finite gradients", () => {
  const model = new u.GeneralAttention(Q, M).init({ seed: 1, core });
  const { grads } = u.gradients(
    () => {
      const [q, m] = [draw([2, S, Q], 1), draw([2, T, M], 2)];
      const given = [u.tensor([...q.data], q.shape), u.tensor([...m.data], m.shape)] as const;
      const { weights, context } = model.forward(...given, { lengths: [0, T] });
      for (const weight of weights.toArray().subarray(0, S * T)) expect(weight).toBeCloseTo(1 / T, 6);
      return u.sum(context);
    },
    { core },
  );
  for (const value of grads.get(model.weight)!) expect(value).toSatisfy(Number.isFinite);
});

it("names what does not fit", () => {
  const model = new u.GeneralAttention(Q, M).init({ core });
  const memory = u.zeros([B, T, M], core);
  expect(() => new u.DotAttention(Q, M)).toThrow(/DotAttention: memorySize must be equal to querySize, 5/);
  expect(() => new u.GeneralAttention(Q, M, { scale: 0 })).toThrow(/GeneralAttention: scale/);
  expect(() => new u.LocalAttention(model, 0)).toThrow(/LocalAttention: window/);
  expect(() => model.prepare(u.zeros([B, 0, M], core))).toThrow(/memory/);
  expect(() => model.prepare(u.zeros([B, T, Q], core))).toThrow(/memory/);
  expect(() => model.prepare(memory, [1, 2])).toThrow(/lengths/);
  expect(() => model.prepare(memory, [1, 2, 5])).toThrow(/lengths\[2\]/);
  expect(() => model.attend(u.zeros([B, Q], core), model.prepare(memory))).toThrow(/queries/);
});
