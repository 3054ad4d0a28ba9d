/** Causal self-attention and transformer layers against their equations in float64. */
import { describe, expect, it } from "vitest";
import * as u from "../../../ts/index.js";
import { checkOperation, draw, expectClose, type Input } from "../../tensor/reference.js";

const core = u.createCore();
const [B, T, size, heads] = [3, 5, 6, 2];

type Matrix = number[][];
const rowsOf = (flat: readonly number[], width: number): Matrix =>
  Array.from({ length: flat.length / width }, (_, i) => flat.slice(i * width, (i + 1) * width));
const affine = (x: readonly number[], weight: Matrix, bias: readonly number[]): number[] =>
  weight.map((row, j) => row.reduce((sum, w, k) => sum + w * x[k]!, bias[j]!));

/** One sequence (T, size), head by head and pair by pair. */
function attend(x: Matrix, context: number, [inWeight, inBias, outWeight, outBias]: readonly (readonly number[])[]) {
  const part = size / heads;
  const projected = x.map((row) => affine(row, rowsOf(inWeight!, size), inBias!));
  return x.map((_, t) => {
    const joined: number[] = [];
    for (let head = 0; head < heads; head++) {
      const slope = 2 ** ((-8 * (head + 1)) / heads);
      const of = (kind: number, s: number) =>
        projected[s]!.slice(kind * size + head * part, kind * size + (head + 1) * part);
      const seen = x.map((_, s) => s).filter((s) => s <= t && s > t - context);
      const scores = seen.map(
        (s) => of(0, t).reduce((sum, q, k) => sum + q * of(1, s)[k]!, 0) / Math.sqrt(part) - slope * (t - s),
      );
      const total = scores.reduce((sum, score) => sum + Math.exp(score), 0);
      for (let k = 0; k < part; k++) {
        joined.push(seen.reduce((sum, s, i) => sum + (Math.exp(scores[i]!) / total) * of(2, s)[k]!, 0));
      }
    }
    return affine(joined, rowsOf(outWeight!, size), outBias!);
  });
}

/** Puts tensors that are differentiated in the place of a module's parameters. */
function replace(module: u.Module, names: readonly string[], values: readonly u.Tensor[]): void {
  names.forEach((name, i) => {
    const path = name.split(".");
    const owner = path
      .slice(0, -1)
      .reduce((from, key) => from[key] as never, module as unknown as Record<string, unknown>);
    owner[path.at(-1)!] = values[i];
  });
}

describe("causal self-attention", () => {
  it.each([2, 3, 16])("equals the equations and their derivatives, with a context of %i", (context) => {
    const model = new u.CausalSelfAttention(size, { heads, context }).init({ core });
    const parameters = model.namedParameters();
    expect(parameters.map(([name]) => name)).toEqual([
      "in_proj_weight",
      "in_proj_bias",
      "out_proj.weight",
      "out_proj.bias",
    ]);
    const inputs: Input[] = [draw([B, T, size], 1), ...parameters.map(([, { shape }], i) => draw(shape, 2 + i))];
    checkOperation(
      core,
      (x, ...values) => {
        replace(
          model,
          parameters.map(([name]) => name),
          values,
        );
        return model.forward(x).output;
      },
      (x, ...values) =>
        rowsOf(x, T * size).flatMap((sequence) => attend(rowsOf(sequence, size), context, values).flat()),
      inputs,
      [B, T, size],
    );
  });

  const model = new u.CausalSelfAttention(size, { heads, context: 4 }).init({ seed: 1, core });
  const x = draw([B, 9, size], 7).data;

  it("weighs what is past alone, and all of it is one", () => {
    const { data, shape } = model.run((m) => m.forward(u.tensor(x, [B, 9, size])).weights);
    expect(shape).toEqual([B, heads, 9, 9]);
    rowsOf([...data], 9).forEach((row, i) => {
      const t = i % 9;
      expect(row.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 6);
      row.forEach((weight, s) => (s > t || s <= t - 4 ? expect(weight).toBe(0) : expect(weight).toBeGreaterThan(0)));
    });
  });

  it("gives in parts what it gives in the whole", () => {
    const parts = (...lengths: number[]) =>
      model.run((m) => {
        const whole = u.tensor(x, [B, 9, size]);
        let [from, cache]: [number, u.AttentionCache | undefined] = [0, undefined];
        const outputs = lengths.map((length) => {
          const result = m.forward(u.slice(whole, 1, from, from + length), cache);
          cache = result.cache;
          expect(cache.keys.shape).toEqual([B, heads, Math.min(3, from + length), size / heads]);
          from += length;
          return result.output;
        });
        return u.concat(outputs, 1);
      }).data;
    const whole = parts(9);
    for (const split of [parts(4, 5), parts(1, 1, 1, 6), parts(7, 1, 1), parts(1, 1, 1, 1, 1, 1, 1, 1, 1)]) {
      expectClose(split, whole, 1e-6, "output");
    }
  });

  it("refuses what does not fit", () => {
    expect(() => new u.CausalSelfAttention(6, { heads: 4 })).toThrow(u.ArgumentError);
    expect(() => new u.CausalSelfAttention(6, { context: 1 })).toThrow(u.ArgumentError);
    expect(() => model.run((m) => m.forward(u.zeros([B, T, 5])).output)).toThrow(u.ShapeError);
    const cache = { keys: u.zeros([2, heads, 3, 3], core), values: u.zeros([2, heads, 3, 3], core) };
    expect(() => model.run((m) => m.forward(u.zeros([B, T, size]), cache).output)).toThrow(u.ShapeError);
  });
});

it("a transformer layer equals its equations and their derivatives", () => {
  const [context, width] = [3, 7];
  const model = new u.TransformerLayer(size, { heads, context, feedForwardSize: width }).init({ core });
  const names = model.namedParameters().map(([name]) => name);
  const inputs: Input[] = [draw([B, T, size], 1), ...model.parameters().map(({ shape }, i) => draw(shape, 2 + i))];
  const norm = (x: readonly number[], weight: readonly number[], bias: readonly number[]) => {
    const mean = x.reduce((sum, v) => sum + v, 0) / x.length;
    const variance = x.reduce((sum, v) => sum + (v - mean) ** 2, 0) / x.length;
    return x.map((v, k) => ((v - mean) / Math.sqrt(variance + 1e-5)) * weight[k]! + bias[k]!);
  };
  checkOperation(
    core,
    (x, ...values) => {
      replace(model, names, values);
      return model.forward(x).output;
    },
    (flat, ...values) => {
      const value = (name: string) => values[names.indexOf(name)]!;
      return rowsOf(flat, T * size).flatMap((sequence) => {
        const x = rowsOf(sequence, size);
        const attention = ["in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"];
        const attended = attend(
          x.map((row) => norm(row, value("norm1.weight"), value("norm1.bias"))),
          context,
          attention.map((name) => value(`self_attn.${name}`)),
        );
        return x.flatMap((row, t) => {
          const y = row.map((v, k) => v + attended[t]![k]!);
          const normed = norm(y, value("norm2.weight"), value("norm2.bias"));
          const hidden = affine(normed, rowsOf(value("linear1.weight"), size), value("linear1.bias"));
          const added = affine(
            hidden.map((v) => Math.max(v, 0)),
            rowsOf(value("linear2.weight"), width),
            value("linear2.bias"),
          );
          return y.map((v, k) => v + added[k]!);
        });
      });
    },
    inputs,
    [B, T, size],
    5e-5,
  );
});
