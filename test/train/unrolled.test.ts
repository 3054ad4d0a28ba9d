import { describe, expect, it } from "vitest";
import { RNN, RNNCell } from "../../ts/nn/rnn.js";
import { gradients } from "../../ts/tensor/record.js";
import { sum } from "../../ts/tensor/reduce.js";
import { select } from "../../ts/tensor/shape.js";
import { type Tensor, tensor } from "../../ts/tensor/tensor.js";
import { square } from "../../ts/tensor/unary.js";
import { tiedGradients, unrolledGradients } from "../../ts/train/unrolled.js";

const INPUT = 2;
const HIDDEN = 3;
const STEPS = 4;
const x = Float32Array.from({ length: STEPS * INPUT }, (_, i) => Math.sin(i + 1));

const cell = new RNNCell(INPUT, HIDDEN).init({ seed: 3 });
const make = () => Array.from({ length: STEPS }, () => new RNNCell(INPUT, HIDDEN));

/** Sum of squares of the last state. */
function lossOf(copies: readonly RNNCell[]): Tensor {
  let state: Tensor | undefined;
  let loss: Tensor = tensor([0]);
  copies.forEach((copy, t) => {
    const result = copy.forward(tensor(x.slice(t * INPUT, (t + 1) * INPUT), [1, INPUT]), state && { h: state });
    state = (result as { h: Tensor }).h;
    loss = sum(square(state));
  });
  return loss;
}

/** Back-propagation through time of the last state's sum of squares, in doubles, with the gradient of each step apart. */
function reference() {
  const [wIh, wHh, bIh, bHh] = [cell.weight_ih, cell.weight_hh, cell.bias_ih!, cell.bias_hh!].map((p) =>
    Array.from(p!.toArray()),
  ) as [number[], number[], number[], number[]];
  const states: number[][] = [new Array<number>(HIDDEN).fill(0)];
  for (let t = 0; t < STEPS; t++) {
    states.push(
      Array.from({ length: HIDDEN }, (_, j) => {
        let a = bIh[j]! + bHh[j]!;
        for (let i = 0; i < INPUT; i++) a += wIh[j * INPUT + i]! * x[t * INPUT + i]!;
        for (let i = 0; i < HIDDEN; i++) a += wHh[j * HIDDEN + i]! * states[t]![i]!;
        return Math.tanh(a);
      }),
    );
  }
  let d = states[STEPS]!.map((h) => 2 * h);
  const copies: Record<string, number[]>[] = [];
  for (let t = STEPS - 1; t >= 0; t--) {
    const da = d.map((value, j) => value * (1 - states[t + 1]![j]! ** 2));
    copies.unshift({
      weight_ih: da.flatMap((value) => Array.from({ length: INPUT }, (_, i) => value * x[t * INPUT + i]!)),
      weight_hh: da.flatMap((value) => states[t]!.map((h) => value * h)),
      bias_ih: da,
      bias_hh: da,
    });
    d = states[t]!.map((_, i) => da.reduce((total, value, j) => total + value * wHh[j * HIDDEN + i]!, 0));
  }
  return copies;
}

describe("unrolledGradients", () => {
  const { copies, loss } = unrolledGradients(cell, make(), lossOf);

  it("gives the gradient of every copy", () => {
    reference().forEach((expected, t) => {
      for (const [name, values] of Object.entries(expected)) {
        copies[t]!.get(name)!.forEach((value, i) => expect(value).toBeCloseTo(values[i]!, 5));
      }
    });
    expect(copies[0]!.get("weight_hh")!.every((value) => value === 0)).toBe(true);
  });

  it("sums up to the gradient of the tied weights", () => {
    const rnn = new RNN(INPUT, HIDDEN).init();
    rnn.loadStateDict(new Map([...cell.stateDict()].map(([name, value]) => [`${name}_l0`, value])));
    const tied = gradients(() => {
      const { output } = rnn.forward(tensor(x, [1, STEPS, INPUT]));
      return sum(square(select(output, 1, STEPS - 1)));
    });
    expect(tied.loss).toBeCloseTo(loss, 5);
    const [summed, averaged] = [tiedGradients(cell, copies), tiedGradients(cell, copies, "mean")];
    for (const [name, parameter] of cell.namedParameters()) {
      const expected = tied.grads.get(rnn.namedParameters().find(([other]) => other === `${name}_l0`)![1])!;
      expected.forEach((value, i) => {
        expect(summed.get(parameter)![i]).toBeCloseTo(value, 5);
        expect(averaged.get(parameter)![i]).toBeCloseTo(value / STEPS, 5);
      });
    }
  });

  it("names what is missing", () => {
    expect(() => unrolledGradients(cell, [], lossOf)).toThrow(/copies/);
    expect(() => tiedGradients(cell, [new Map()])).toThrow(/weight_ih/);
  });
});
