/** Masks and directions against one step at a time, in float64. */
import { describe, expect, it } from "vitest";
import { gradients, Ids, LSTM, mul, sum, type Tensor, tensor } from "../../../ts/index.js";
import { runSteps, type StepLayer } from "../../../ts/io/keras/steps.js";
import { Random } from "../../reference/random.js";
import { step, type Weights } from "../../reference/recurrent.js";

const [B, T, I, H] = [3, 5, 4, 6];

/** Keras' way: a masked step keeps the state, and repeats the output of the step before, or gives zeros. */
function reference(
  weights: Weights,
  x: ArrayLike<number>,
  mask: ArrayLike<number>,
  { backwards, zeroMasked, inTime }: { backwards: boolean; zeroMasked: boolean; inTime: boolean },
): { outputs: Float64Array; last: Float64Array; state: Float64Array } {
  const outputs = new Float64Array(B * T * H);
  const last = new Float64Array(B * H);
  const state = new Float64Array(B * H);
  for (let row = 0; row < B; row++) {
    let now = { h: new Float64Array(H), c: new Float64Array(H) };
    let output = new Float64Array(H);
    for (let s = 0; s < T; s++) {
      const t = backwards ? T - 1 - s : s;
      const at = row * T + t;
      if (mask[at] !== 0) {
        now = step(
          "lstm",
          weights,
          Float64Array.from({ length: I }, (_, i) => x[at * I + i] as number),
          now,
        ) as typeof now;
        output = now.h;
      } else if (zeroMasked) output = new Float64Array(H);
      outputs.set(output, (row * T + (inTime ? t : s)) * H);
    }
    last.set(output, row * H);
    state.set(now.h, row * H);
  }
  return { outputs, last, state };
}

const random = new Random(7);
const layer = new LSTM(I, H).init({ seed: 3 });
const values = (name: string): Float64Array => Float64Array.from(layer.stateDict().get(name)?.data ?? []);
const weights: Weights = {
  weightIh: values("weight_ih_l0"),
  weightHh: values("weight_hh_l0"),
  biasIh: values("bias_ih_l0"),
  biasHh: values("bias_hh_l0"),
};
const x = random.values(B * T * I, 2);

const masks: Record<string, number[]> = {
  "nothing masked": Array.from({ length: B * T }, () => 1),
  "padding after": [1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 0, 0],
  "padding before": [0, 1, 1, 1, 1, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1],
  "holes, and a row of nothing": [0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 1, 1, 0],
};

describe.each(Object.entries(masks))("%s", (_name, mask) => {
  const orders = [false, true].flatMap((backwards) =>
    [false, true].flatMap((zeroMasked) => [false, true].map((inTime) => ({ backwards, zeroMasked, inTime }))),
  );

  it.each(orders.map((order) => [JSON.stringify(order), order] as const))("%s", (_order, order) => {
    const expected = reference(weights, x, mask, order);
    const ids = new Ids(Int32Array.from(mask), [B, T]);
    const run = (sequences: boolean) =>
      layer.run((own) => {
        const input = tensor(x, [B, T, I]);
        return runSteps(own as unknown as StepLayer, input, { ...order, mask: ids }, sequences, undefined, "test");
      });
    const all = run(true);
    expect(all.output.shape).toEqual([B, T, H]);
    close(all.output.data, expected.outputs);
    close(all.state["h"]?.data ?? [], expected.state);
    const one = run(false);
    expect(one.output.shape).toEqual([B, H]);
    close(one.output.data, expected.last);
  });
});

it("carries gradients to x through holes, as central differences do", () => {
  const mask = masks["holes, and a row of nothing"] as number[];
  const order = { backwards: true, zeroMasked: false, inTime: true };
  const cotangent = random.values(B * T * H);
  const input = tensor(x, [B, T, I]);
  const { grads } = gradients(
    () => {
      const ids = new Ids(Int32Array.from(mask), [B, T]);
      const { output } = runSteps(
        layer as unknown as StepLayer,
        input,
        { ...order, mask: ids },
        true,
        undefined,
        "test",
      );
      return sum(mul(output, tensor(cotangent, [B, T, H])));
    },
    { parameters: [input] },
  );
  const loss = (at: Float64Array): number =>
    reference(weights, at, mask, order).outputs.reduce((total, y, i) => total + y * (cotangent[i] as number), 0);
  const epsilon = 1e-5;
  const expected = Float64Array.from({ length: x.length }, (_, i) => {
    const [up, down] = [Float64Array.from(x), Float64Array.from(x)];
    up[i] = (up[i] as number) + epsilon;
    down[i] = (down[i] as number) - epsilon;
    return (loss(up) - loss(down)) / (2 * epsilon);
  });
  close(grads.get(input as Tensor) ?? [], expected);
});

it("refuses a mask of another shape", () => {
  const order = { mask: new Ids(new Int32Array(B * T), [T, B]), backwards: false, zeroMasked: false, inTime: false };
  const run = () => runSteps(layer as unknown as StepLayer, tensor(x, [B, T, I]), order, true, undefined, "lstm");
  expect(() => layer.run(run)).toThrow(/lstm: the mask has shape \[5, 3\], expected \[3, 5\]/);
});

function close(actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < expected.length; i++)
    expect(Math.abs((actual[i] as number) - (expected[i] as number))).toBeLessThan(1e-5);
}
