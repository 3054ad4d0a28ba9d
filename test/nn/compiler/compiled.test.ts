import { describe, expect, it } from "vitest";
import * as u from "../../../ts/index.js";
import { cells } from "./cells.js";
import { expectSame, results, sameParameters } from "./compare.js";

const core = u.createCore();
/** float32 in another order of summation, at worst through a few steps that amplify. */
const TOLERANCE = 2e-5;

describe.each(Object.entries(cells))("%s", (_, { Layer, sizes = {}, inputs = {}, square = false }) => {
  const build = (shape: readonly number[], hidden: number, options: u.CompiledLayerOptions, seed = 1) => {
    const [a, b] = [{}, { reference: true }].map(
      (other) => new Layer(square ? hidden : (shape[2] as number), hidden, { ...options, ...sizes, ...other }),
    ) as [u.CompiledLayer<string>, u.CompiledLayer<string>];
    sameParameters(a, b, core, seed);
    return [a, b] as const;
  };
  const problemOf = (shape: readonly number[], layer: u.CompiledLayer<string>) => ({
    inputs: Object.fromEntries(
      Object.entries(inputs).map(([name, width], i) => {
        const leading = shape.slice(0, 2);
        // The first of them is the same at every step.
        return [name, i === 0 ? [shape[layer.batchFirst ? 0 : 1] as number, width] : [...leading, width]];
      }),
    ),
  });

  it.each([
    ["sizes all different", [3, 4, 5], 6, {}, {}],
    ["whole lanes", [2, 5, 8], 16, {}, {}],
    ["a batch of several chunks", [70, 2, 3], 24, {}, {}],
    ["no state", [3, 4, 5], 6, {}, { state: false }],
    ["no bias", [3, 4, 5], 6, { bias: false }, {}],
    ["lengths", [4, 5, 3], 6, {}, { lengths: [3, 0, 5, 1] }],
    [
      "reversed, with lengths, time first",
      [5, 4, 3],
      6,
      { bidirectional: true, batchFirst: false },
      { lengths: [3, 0, 5, 1] },
    ],
    ["recomputed", [4, 7, 3], 6, { recompute: 3 }, { lengths: [3, 0, 7, 4] }],
  ] as const)("equals the equations on the tape: %s", (_, shape, hidden, options, problem) => {
    const [compiled, reference] = build(shape, hidden, options);
    const fitted = square ? [...shape.slice(0, 2), hidden] : shape;
    const given = { ...problem, ...problemOf(fitted, compiled) };
    expectSame(results(compiled, fitted, given), results(reference, fitted, given), TOLERANCE);
  });

  it("equals itself in two parts, bit for bit", () => {
    const [batch, steps, features] = [3, 7, square ? 6 : 5];
    const [layer] = build([batch, steps, features], 6, {});
    const x = u.tensor(
      Float32Array.from({ length: batch * steps * features }, (_, i) => Math.sin(i)),
      [batch, steps, features],
      core,
    );
    const given = (from: number, to: number) => ({
      inputs: Object.fromEntries(
        Object.entries(inputs).map(([name, width]) => [
          name,
          u.slice(
            u.tensor(
              Float32Array.from({ length: batch * steps * width }, (_, i) => Math.cos(i)),
              [batch, steps, width],
            ),
            1,
            from,
            to,
          ),
        ]),
      ),
    });
    const [whole, parts] = layer.run(() => {
      const all = layer.forward(x, given(0, steps));
      const first = layer.forward(u.slice(x, 1, 0, 4), given(0, 4));
      const second = layer.forward(u.slice(x, 1, 4), { ...given(4, steps), state: first.state });
      return [
        { output: all.output, ...all.state },
        { output: u.concat([first.output, second.output], 1), ...second.state },
      ];
    });
    expect(parts).toEqual(whole);
  });

  it("keeps no memory from call to call", () => {
    const [layer] = build([3, 4, 5], 6, {});
    const shape = [3, 4, square ? 6 : 5];
    const problem = problemOf(shape, layer);
    const used = () => {
      results(layer, shape, problem);
      return [core.arenaCapacity, core.persistentBytes];
    };
    used();
    const before = used();
    for (let i = 0; i < 5; i++) used();
    expect(used()).toEqual(before);
  });
});
