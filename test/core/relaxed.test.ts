import { describe, expect, it, vi } from "vitest";
import { createCore, getCore, loadCore } from "../../ts/core/core.js";
import { relaxedCore, relaxedCoreSync, supportsRelaxedSimd } from "../../ts/core/relaxed.js";
import { ArgumentError } from "../../ts/errors.js";
import { LSTM } from "../../ts/nn/lstm.js";
import { loadFasterCore } from "../../ts/node/faster-core.js";
import { matmul } from "../../ts/tensor/matmul.js";
import { gradients } from "../../ts/tensor/record.js";
import { sum } from "../../ts/tensor/reduce.js";
import { runScope } from "../../ts/tensor/scope.js";
import { tensor } from "../../ts/tensor/tensor.js";
import { square } from "../../ts/tensor/unary.js";
import { randomNumbers } from "../text/strings.js";

describe("the relaxed core", () => {
  it("is nothing where the runtime lacks the instructions", async () => {
    const validate = vi.spyOn(WebAssembly, "validate").mockReturnValue(false);
    try {
      expect(supportsRelaxedSimd()).toBe(false);
      expect(relaxedCoreSync()).toBeNull();
      expect(await relaxedCore()).toBeNull();
    } finally {
      validate.mockRestore();
    }
  });

  it("becomes the default core, once", async () => {
    const found = await loadFasterCore({ revectorize: false });
    expect(found).toMatchObject({ relaxed: true, revectorize: false });
    expect(found.core).toBe(getCore());
    expect(await loadCore()).toBe(found.core);
    await expect(loadCore(await relaxedCore())).rejects.toThrow(ArgumentError);
  });

  it("multiplies like the portable one, but for roundings", () => {
    const random = randomNumbers(3);
    const [m, k, n] = [7, 530, 19];
    const [a, b] = [m * k, k * n].map((length) => Float32Array.from({ length }, () => random() - 0.5)) as [
      Float32Array,
      Float32Array,
    ];
    const core = createCore(relaxedCoreSync());
    const product = runScope(core, () => matmul(tensor(a, [m, k], core), tensor(b, [k, n], core)).toArray());
    product.forEach((value, at) => {
      const [i, j] = [Math.floor(at / n), at % n];
      let [exact, magnitude] = [0, 0];
      for (let l = 0; l < k; l++) {
        const term = a[i * k + l]! * b[l * n + j]!;
        exact += term;
        magnitude += Math.abs(term);
      }
      expect(Math.abs(value - exact)).toBeLessThan(magnitude * k * 2 ** -24);
    });
  });

  it("has the same bits in tiles for wider registers", () => {
    const core = createCore(relaxedCoreSync());
    const random = randomNumbers(9);
    const numbers = (length: number) => Float32Array.from({ length }, () => random() - 0.5);
    const [k, n] = [530, 101];
    const right = numbers(k * n);
    const products = (rows: number, left: Float32Array) =>
      runScope(core, () => matmul(tensor(left, [rows, k], core), tensor(right, [k, n], core)).toArray());
    const left = Array.from({ length: 11 }, (_, i) => numbers((i + 1) * k));
    const narrow = left.map((rows, i) => products(i + 1, rows));
    core.raw.ur_wide_tiles();
    left.forEach((rows, i) => {
      expect(products(i + 1, rows)).toEqual(narrow[i]);
    });
  });

  it("trains like the portable one, but for roundings", async () => {
    const { compileCore } = await import("../../ts/core/loader.js");
    const random = randomNumbers(5);
    const x = Float32Array.from({ length: 3 * 4 * 5 }, () => random() - 0.5);
    const run = (module: WebAssembly.Module) => {
      const core = createCore(module);
      const lstm = new LSTM(5, 6, { numLayers: 2 }).init({ seed: 1, core });
      const { loss, grads } = gradients(() => sum(square(lstm.forward(tensor(x, [3, 4, 5], core)).output)), {
        parameters: lstm.parameters(),
      });
      return [loss, ...[...grads.values()].flatMap((gradient) => [...gradient])];
    };
    const [portable, relaxed] = [run(compileCore()), run(relaxedCoreSync()!)];
    expect(relaxed.length).toBe(portable.length);
    relaxed.forEach((value, i) => expect(Math.abs(value - portable[i]!)).toBeLessThan(1e-5));
  });
});
