/** Causal self-attention and transformer layers against their equations in float64. */
import { describe, expect, it } from "vitest";
import * as u from "../../../ts/index.js";
import { checkOperation, draw, expectClose, type Input } from "../../tensor/reference.js";
import { attend, rowsOf, transformerLayer } from "./transformer-reference.js";

const core = u.createCore();
const [B, T, size, heads] = [3, 5, 6, 2];

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
  it.each([
    ["linear", 2],
    ["linear", 3],
    ["linear", 16],
    ["learned", 2],
    ["sinusoidal", 3],
    ["learned", 5],
    ["sinusoidal", 16],
  ] as const)("equals the equations and their derivatives, %s positions with a context of %i", (positions, context) => {
    const model = new u.CausalSelfAttention(size, { heads, context, positions }).init({ core });
    const parameters = model.namedParameters();
    const names = parameters.map(([name]) => name);
    expect(names).toEqual(["in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"]);
    const inputs: Input[] = [draw([B, T, size], 1), ...parameters.map(([, { shape }], i) => draw(shape, 2 + i))];
    checkOperation(
      core,
      (x, ...values) => {
        replace(model, names, values);
        return model.forward(x).output;
      },
      (x, ...values) =>
        rowsOf(x, T * size).flatMap((sequence) =>
          attend(
            rowsOf(sequence, size),
            { heads, context, windows: positions !== "linear" },
            (name) => values[names.indexOf(name)]!,
          ).flat(),
        ),
      inputs,
      [B, T, size],
    );
  });

  const sliding = new u.CausalSelfAttention(size, { heads, context: 4 }).init({ seed: 1, core });
  const windowed = new u.CausalSelfAttention(size, { heads, context: 4, positions: "learned" }).init({ seed: 1, core });
  const x = draw([B, 9, size], 7).data;

  it("weighs what is past alone, and all of it is one", () => {
    const { data, shape } = sliding.run((m) => m.forward(u.tensor(x, [B, 9, size])).weights);
    expect(shape).toEqual([B, heads, 9, 9]);
    rowsOf([...data], 9).forEach((row, i) => {
      const t = i % 9;
      expect(row.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 6);
      row.forEach((weight, s) => (s > t || s <= t - 4 ? expect(weight).toBe(0) : expect(weight).toBeGreaterThan(0)));
    });
  });

  it("sees nothing across windows where positions begin anew", () => {
    const { data } = windowed.run((m) => m.forward(u.tensor(x, [B, 9, size])).weights);
    rowsOf([...data], 9).forEach((row, i) => {
      const t = i % 9;
      row.forEach((weight, s) => {
        if (s <= t && Math.floor(s / 4) === Math.floor(t / 4)) expect(weight).toBeGreaterThan(0);
        else expect(weight).toBe(0);
      });
    });
  });

  it.each(["sliding", "one after another"])("gives in parts what it gives in the whole: windows %s", (kind) => {
    const [model, kept] =
      kind === "sliding"
        ? [sliding, (steps: number) => Math.min(3, steps)]
        : [windowed, (steps: number) => ((steps - 1) % 4) + 1];
    const parts = (...lengths: number[]) =>
      model.run((m) => {
        const whole = u.tensor(x, [B, 9, size]);
        let [from, cache]: [number, u.AttentionCache | undefined] = [0, undefined];
        const outputs = lengths.map((length) => {
          const result = m.forward(u.slice(whole, 1, from, from + length), cache);
          cache = result.cache;
          expect(cache.keys.shape).toEqual([B, heads, kept(from + length), size / heads]);
          from += length;
          return result.output;
        });
        return u.concat(outputs, 1);
      }).data;
    const whole = parts(9);
    for (const split of [
      parts(4, 5),
      parts(8, 1),
      parts(3, 2, 4),
      parts(1, 1, 1, 6),
      parts(7, 1, 1),
      parts(1, 1, 1, 1, 1, 1, 1, 1, 1),
    ]) {
      expectClose(split, whole, 1e-6, "output");
    }
  });

  it("refuses what does not fit", () => {
    expect(() => new u.CausalSelfAttention(6, { heads: 4 })).toThrow(u.ArgumentError);
    expect(() => new u.CausalSelfAttention(6, { context: 1 })).toThrow(u.ArgumentError);
    expect(() => new u.CausalSelfAttention(6, { positions: "rotary" as "learned" })).toThrow(
      /linear, learned, sinusoidal/,
    );
    expect(() => sliding.run((m) => m.forward(u.zeros([B, T, 5])).output)).toThrow(u.ShapeError);
    const cache = { keys: u.zeros([2, heads, 3, 3], core), values: u.zeros([2, heads, 3, 3], core) };
    expect(() => sliding.run((m) => m.forward(u.zeros([B, T, size]), cache).output)).toThrow(u.ShapeError);
  });
});

it("a transformer layer equals its equations and their derivatives", () => {
  const [context, width] = [3, 7];
  const model = new u.TransformerLayer(size, { heads, context, feedForwardSize: width }).init({ core });
  const names = model.namedParameters().map(([name]) => name);
  const inputs: Input[] = [draw([B, T, size], 1), ...model.parameters().map(({ shape }, i) => draw(shape, 2 + i))];
  checkOperation(
    core,
    (x, ...values) => {
      replace(model, names, values);
      return model.forward(x).output;
    },
    (flat, ...values) =>
      rowsOf(flat, T * size).flatMap((sequence) =>
        transformerLayer(rowsOf(sequence, size), { heads, context }, (name) => values[names.indexOf(name)]!).flat(),
      ),
    inputs,
    [B, T, size],
    5e-5,
  );
});
