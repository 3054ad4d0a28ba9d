/** What the tests of operations compare with: plain float64 transcriptions, differentiated by central differences. */
import { expect } from "vitest";
import { type Core, gradients, mul, sum, type Tensor, tensor } from "../../ts/index.js";

/** Numbers in [low, high) that float32 holds exactly, from a small congruential generator. */
export function numbers(count: number, seed: number, low = -1, high = 1): number[] {
  let state = (seed * 2654435761 + 12345) >>> 0;
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.fround(low + ((high - low) * (state >>> 8)) / 0x1000000);
  });
}

/** Product of lengths. */
export function count(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}

export interface Input {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

/** An input of a shape, drawn from a seed. */
export function draw(shape: readonly number[], seed: number, low = -1, high = 1): Input {
  return { shape, data: numbers(count(shape), seed, low, high) };
}

/** |actual - expected| <= tolerance (1 + |expected|), everywhere; NaN equals NaN only. */
export function expectClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
  what: string,
): void {
  expect(actual.length, `${what}: length`).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) {
    const [a, e] = [actual[i]!, expected[i]!];
    const good = Object.is(a, e) || a === e || Math.abs(a - e) <= tolerance * (1 + Math.abs(e));
    if (!good) expect.fail(`${what}[${i}]: ${a}, expected ${e}`);
  }
}

/** Gradient of cotangent . f by central differences, in float64. */
export function differences(
  f: (...inputs: number[][]) => readonly number[],
  inputs: readonly Input[],
  cotangent: readonly number[],
): number[][] {
  const values = inputs.map((input) => [...input.data]);
  const loss = () => f(...values).reduce((total, y, i) => total + y * cotangent[i]!, 0);
  const step = 1e-5;
  return values.map((value) =>
    value.map((x, i) => {
      value[i] = x + step;
      const up = loss();
      value[i] = x - step;
      const down = loss();
      value[i] = x;
      return (up - down) / (2 * step);
    }),
  );
}

/** Checks result, shape and every gradient of an operation against its float64 transcription. */
export function checkOperation(
  core: Core,
  operation: (...inputs: Tensor[]) => Tensor,
  reference: (...inputs: number[][]) => readonly number[],
  inputs: readonly Input[],
  shape: readonly number[],
  tolerance = 2e-5,
): void {
  const tensors = inputs.map((input) => tensor([...input.data], input.shape, core));
  const cotangent = numbers(count(shape), 99);
  const expected = reference(...inputs.map((input) => [...input.data]));
  let y: ArrayLike<number> = [];
  const { grads } = gradients(
    () => {
      const result = operation(...tensors);
      expect(result.shape).toEqual(shape);
      y = result.toArray();
      return sum(mul(result, tensor(cotangent, shape)));
    },
    { parameters: tensors, core },
  );
  expectClose(y, expected, tolerance, "result");
  differences(reference, inputs, cotangent).forEach((gradient, i) => {
    expectClose(grads.get(tensors[i]!)!, gradient, 10 * tolerance, `gradient of input ${i}`);
  });
  for (const made of tensors) made.dispose();
}
