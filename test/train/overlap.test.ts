import { describe, expect, it } from "vitest";
import { lanes } from "../../ts/data/lanes.js";
import { uniform } from "../../ts/nn/initializers.js";
import { Linear } from "../../ts/nn/linear.js";
import { crossEntropy } from "../../ts/nn/losses/cross-entropy.js";
import { LSTM, LSTMCell } from "../../ts/nn/lstm.js";
import { Module } from "../../ts/nn/module.js";
import type { CarriedState, LSTMState } from "../../ts/nn/state.js";
import { oneHot } from "../../ts/tensor/embedding.js";
import { ids } from "../../ts/tensor/ids.js";
import { gradients } from "../../ts/tensor/record.js";
import { stack } from "../../ts/tensor/shape.js";
import type { PlainTensor, Tensor } from "../../ts/tensor/tensor.js";
import { tensor } from "../../ts/tensor/tensor.js";
import { type TrainEvent, train } from "../../ts/train/loop.js";
import { overlappingLanes } from "../../ts/train/overlap.js";
import { SGD } from "../../ts/train/sgd.js";
import { truncatedWindows } from "../../ts/train/windows.js";

const VOCABULARY = 5;
const HIDDEN = 4;
const ROWS = 2;
const K1 = 3;
const RATE = 0.7;
const tokens = Int32Array.from({ length: 49 }, (_, i) => (i * i + Math.floor(i / 7)) % VOCABULARY);

class Model extends Module {
  readonly rnn = new LSTM(VOCABULARY, HIDDEN);
  readonly head = new Linear(HIDDEN, VOCABULARY);

  loss(batch: Parameters<typeof lossOf>[1], state: CarriedState<LSTMState>): Tensor {
    return lossOf(this, batch, state);
  }
}

function lossOf(model: Model, batch: import("../../ts/data/lanes.js").Batch, state: CarriedState<LSTMState>): Tensor {
  if (batch.first) state.reset();
  const before = state.get();
  const result = model.rnn.forward(oneHot(batch.inputs, VOCABULARY), before === undefined ? {} : { state: before });
  state.set(result.state);
  return crossEntropy(model.head.forward(result.output), batch.targets);
}

const made = () => new Model().init({ seed: 11, initializer: uniform(-0.6, 0.6) });
const weights = (model: Module) => [...model.stateDict().values()].flatMap(({ data }) => [...data]);

async function trained(k2: number, options: { resume?: Uint8Array; epochs?: number; checkpointEvery?: number } = {}) {
  const model = made();
  const split = lanes(tokens, { batchSize: ROWS, seqLen: K1 });
  const { data, loss } = overlappingLanes<Model>(split.train, { k2 });
  const events: TrainEvent[] = [];
  const onEvent = (event: TrainEvent) => void events.push(event);
  await train(model, data, { optimizer: new SGD(model, { lr: RATE }), loss, onEvent, ...options }).done;
  return { model, events };
}

/** The same by hand: one step of a cell after the other on the tape, states kept as arrays by the step they are at. */
function naive(k2: number, epochs: number): Module {
  const model = made();
  const cell = new LSTMCell(VOCABULARY, HIDDEN).init();
  const laneLength = 24;
  for (let epoch = 0; epoch < epochs; epoch++) {
    const states = new Map<number, { h: PlainTensor; c: PlainTensor }>();
    for (const { start, from, end } of truncatedWindows(laneLength, { k1: K1, k2 })) {
      for (const [name, value] of model.rnn.stateDict()) {
        cell.loadStateDict(new Map([[name.replace("_l0", ""), value]]), { strict: false });
      }
      let last: { h: PlainTensor; c: PlainTensor } | undefined;
      const { grads } = gradients(() => {
        const kept = states.get(start);
        const of = ({ data, shape }: PlainTensor) => tensor(data, shape);
        let state = kept && { h: of(kept.h), c: of(kept.c) };
        const outputs: Tensor[] = [];
        for (let t = start; t < end; t++) {
          const x = oneHot(ids([0, 1].map((row) => tokens[row * laneLength + t]!)), VOCABULARY);
          state = cell.forward(x, state) as { h: Tensor; c: Tensor };
          if (t >= from) outputs.push(state.h);
        }
        const { h, c } = state!;
        last = { h: { data: h.toArray(), shape: h.shape }, c: { data: c.toArray(), shape: c.shape } };
        const targets = [0, 1].map((row) =>
          Array.from({ length: K1 }, (_, i) => tokens[row * laneLength + from + i + 1]!),
        );
        return crossEntropy(model.head.forward(stack(outputs, 1)), ids(targets));
      });
      states.set(end, last!);
      const named = new Map([...cell.namedParameters()].map(([name, parameter]) => [`rnn.${name}_l0`, parameter]));
      for (const [name, parameter] of model.namedParameters()) {
        const gradient = grads.get(named.get(name) ?? parameter)!;
        parameter.write(parameter.toArray().map((value, i) => value - RATE * gradient[i]!));
      }
    }
  }
  return model;
}

describe("overlappingLanes", () => {
  for (const k2 of [3, 6, 12, 24]) {
    it(`trains as the definition says, k1 = 3, k2 = ${k2}`, async () => {
      const { model } = await trained(k2, { epochs: 2 });
      const expected = weights(naive(k2, 2));
      const actual = weights(model);
      expect(Math.max(...actual.map((value, i) => Math.abs(value - expected[i]!)))).toBeLessThan(2e-5);
    });
  }

  it("differs with k2, and with k2 = k1 is what lanes do", async () => {
    const plain = made();
    const split = lanes(tokens, { batchSize: ROWS, seqLen: K1 });
    await train(plain, split.train, { optimizer: new SGD(plain, { lr: RATE }), loss: lossOf as never }).done;
    expect(weights((await trained(3)).model)).toEqual(weights(plain));
    expect(weights((await trained(6)).model)).not.toEqual(weights(plain));
  });

  it("goes on from a checkpoint with the same bytes, stored states included", async () => {
    const whole = await trained(9, { epochs: 2, checkpointEvery: 5 });
    const [first] = whole.events.filter((event) => event.kind === "checkpoint");
    const rest = await trained(9, { epochs: 2, resume: (first as { bytes: Uint8Array }).bytes });
    expect(weights(rest.model)).toEqual(weights(whole.model));
  });

  it("names a k2 that does not fit", () => {
    const { train: data } = lanes(tokens, { batchSize: ROWS, seqLen: K1 });
    expect(() => overlappingLanes(data, { k2: 7 })).toThrow(/multiple of k1, which is 3, got 7/);
    expect(() => overlappingLanes(data, { k2: 0 })).toThrow(/k2/);
  });
});
