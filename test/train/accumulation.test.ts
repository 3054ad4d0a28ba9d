import { describe, expect, it } from "vitest";
import { createCore } from "../../ts/core/core.js";
import { ArgumentError } from "../../ts/errors.js";
import { save } from "../../ts/io/model-file.js";
import { constant, uniform } from "../../ts/nn/initializers.js";
import { Linear } from "../../ts/nn/linear.js";
import { crossEntropy } from "../../ts/nn/losses/cross-entropy.js";
import { LSTM } from "../../ts/nn/lstm.js";
import { Module } from "../../ts/nn/module.js";
import { mul } from "../../ts/tensor/binary.js";
import { dropout } from "../../ts/tensor/dropout.js";
import { Ids } from "../../ts/tensor/ids.js";
import { Parameter } from "../../ts/tensor/parameter.js";
import { sum } from "../../ts/tensor/reduce.js";
import { select } from "../../ts/tensor/shape.js";
import { ones, type Tensor, tensor } from "../../ts/tensor/tensor.js";
import { Adam } from "../../ts/train/adam.js";
import { type TrainEvent, train } from "../../ts/train/loop.js";
import { limitNorm } from "../../ts/train/max-norm.js";
import { SGD } from "../../ts/train/sgd.js";
import { Random } from "../reference/random.js";

const core = createCore();
const [inputs, hidden, classes, steps] = [3, 5, 4, 6];

class Model extends Module {
  readonly rnn = new LSTM(inputs, hidden);
  readonly head = new Linear(hidden, classes);
  readonly #x = new Random(1).values(7 * steps * inputs);
  readonly #targets = Int32Array.from({ length: 7 }, (_, i) => (i * 3) % classes);

  /** Mean loss of the sequences from `start` up to `end`. */
  loss(start: number, end: number): Tensor {
    const x = tensor(this.#x.slice(start * steps * inputs, end * steps * inputs), [end - start, steps, inputs]);
    const last = select(this.rnn.forward(x).output, 1, steps - 1);
    return crossEntropy(this.head.forward(last), new Ids(this.#targets.slice(start, end)));
  }
}

describe("updateAccumulated", () => {
  it.each([
    ["SGD", (model: Model) => new SGD(model, { lr: 0.1, momentum: 0.9 })],
    ["Adam", (model: Model) => new Adam(model, { lr: 0.01 })],
  ])("is one batch in parts: %s", (_name, make) => {
    const [whole, parts] = [new Model().init({ seed: 1, core }), new Model().init({ seed: 1, core })];
    const [a, b] = [make(whole), make(parts)];
    for (let update = 0; update < 4; update++) {
      const expected = a.update(() => whole.loss(0, 7), { clipGradNorm: 0.5 });
      const ranges = [
        [0, 4],
        [4, 5],
        [5, 7],
      ] as const;
      const result = b.updateAccumulated(
        ranges.map(
          ([start, end]) =>
            () =>
              parts.loss(start, end),
        ),
        { clipGradNorm: 0.5, weights: [4, 1, 2] },
      );
      expect(result.applied).toBe(true);
      expect(Math.abs(result.loss - expected.loss)).toBeLessThan(1e-6);
      expect(Math.abs(result.gradNorm - expected.gradNorm)).toBeLessThan(1e-6);
    }
    expect(b.updates).toBe(4);
    const values = parts.stateDict();
    for (const [name, { data }] of whole.stateDict()) {
      data.forEach((value, i) => expect(Math.abs(value - values.get(name)!.data[i]!)).toBeLessThan(1e-6));
    }
    a.dispose();
    b.dispose();
  });

  it("weighs equal parts the same by default, and takes no more memory after the first", () => {
    const model = new Model().init({ seed: 1, core });
    const optimizer = new SGD(model, { lr: 0.1 });
    const separate = [model.run((m) => m.loss(0, 3)).data[0]!, model.run((m) => m.loss(3, 6)).data[0]!];
    const parts = [() => model.loss(0, 3), () => model.loss(3, 6)];
    expect(optimizer.updateAccumulated(parts).loss).toBeCloseTo((separate[0]! + separate[1]!) / 2, 6);
    optimizer.updateAccumulated(parts);
    const held = core.raw.ur_persistent_bytes();
    for (let i = 0; i < 5; i++) optimizer.updateAccumulated(parts);
    expect(core.raw.ur_persistent_bytes()).toBe(held);
    expect(core.arenaUsed).toBe(0);
    optimizer.dispose();
    expect(core.raw.ur_persistent_bytes()).toBeLessThan(held);
  });

  it("draws dropout anew in every part, by seed and update", () => {
    class Scale extends Module {
      readonly item = new Parameter([1], constant(1));
    }
    const masks = (update: number): string[] => {
      const model = new Scale().init({ core });
      const optimizer = new SGD(model, { lr: 0, seed: 5 });
      let found: string[] = [];
      const part = () => {
        const mask = dropout(ones([64], core), 0.5);
        found.push(mask.toArray().join());
        return sum(mul(mask, model.item));
      };
      for (let i = 0; i <= update; i++) {
        found = [];
        optimizer.updateAccumulated([part, part, part]);
      }
      return found;
    };
    const first = masks(0);
    expect(new Set(first).size).toBe(3);
    expect(masks(0)).toEqual(first);
    expect(new Set([...first, ...masks(1)]).size).toBe(6);
  });

  it("changes nothing when a part is not finite, and names what is wrong", () => {
    const model = new Model().init({ seed: 1, core });
    const optimizer = new SGD(model, { lr: 0.1 });
    const before = model.stateDict();
    const bad = () => mul(model.loss(0, 1), NaN);
    const result = optimizer.updateAccumulated([() => model.loss(0, 3), bad]);
    expect([result.applied, result.loss]).toEqual([false, NaN]);
    expect(result.where).toMatch(/^part 1: /);
    expect(model.stateDict()).toEqual(before);
    expect(() => optimizer.updateAccumulated([])).toThrow(/parts/);
    expect(() => optimizer.updateAccumulated([bad], { weights: [1, 2] })).toThrow(ArgumentError);
    expect(() => optimizer.updateAccumulated([bad], { weights: [0] })).toThrow(/not all 0/);
  });
});

describe("train with accumulate", () => {
  interface Range {
    start: number;
    end: number;
    count: number;
  }
  /** One object for all batches, as `Lanes` has it, filled anew for each. */
  const source = (ends: readonly number[]) => {
    const batch: Range = { start: 0, end: 0, count: 0 };
    const fill = (index: number): Range => {
      batch.start = ends[index % ends.length]!;
      batch.end = ends[(index % ends.length) + 1]!;
      batch.count = batch.end - batch.start;
      return batch;
    };
    return { length: ends.length - 1, batch: (index: number) => fill(index % (ends.length - 1)) };
  };
  const loss = (model: Model, { start, end }: Range): Tensor => model.loss(start, end);

  it("makes the updates of whole batches, whatever their parts", async () => {
    const setUp = () => {
      const model = new Model().init({ seed: 1, core });
      return { model, optimizer: new Adam(model, { lr: 0.01 }) };
    };
    const [whole, parts] = [setUp(), setUp()];
    const losses: [number[], number[]] = [[], []];
    const note = (into: number[]) => (event: TrainEvent) => {
      if (event.kind === "update") into.push(event.loss);
    };
    const options = { loss, epochs: 3, clipGradNorm: 0.5 };
    await train(whole.model, source([0, 5, 7]), { ...options, ...whole, onEvent: note(losses[0]) }).done;
    // Four parts by three: the second update of an epoch has what is left.
    const run = { ...options, ...parts, accumulate: 3, onEvent: note(losses[1]) };
    const end = await train(parts.model, source([0, 1, 3, 5, 7]), run).done;
    expect(end.update).toBe(6);
    expect(losses[1]).toHaveLength(6);
    losses[1].forEach((value, i) => expect(value).toBeCloseTo(losses[0][i]!, 5));
    const values = parts.model.stateDict();
    for (const [name, { data }] of whole.model.stateDict()) {
      data.forEach((value, i) => expect(values.get(name)!.data[i]).toBeCloseTo(value, 5));
    }
    for (const { optimizer } of [whole, parts]) optimizer.dispose();
  });

  it.each(["by number", "endless"] as const)("goes on from a checkpoint to the same bytes (data %s)", async (kind) => {
    const run = async (updates: number, resume?: Uint8Array) => {
      const model = new Model().init({ seed: 2, core });
      const optimizer = new SGD(model, { lr: 0.1, momentum: 0.5 });
      const ends = source([0, 1, 3, 4, 6, 7]);
      const data =
        kind === "by number"
          ? ends
          : {
              *[Symbol.iterator]() {
                for (let i = 0; ; i++) yield ends.batch(i);
              },
            };
      const perEpoch = kind === "by number" ? {} : { updatesPerEpoch: 3 };
      const checkpoints: Uint8Array[] = [];
      const onEvent = (event: TrainEvent) => {
        if (event.kind === "checkpoint") checkpoints.push(event.bytes);
      };
      const more = resume === undefined ? {} : { resume };
      await train(model, data, {
        ...{ loss, optimizer, updates, accumulate: 2, checkpointEvery: 1, onEvent, ...perEpoch, ...more },
      }).done;
      optimizer.dispose();
      return { checkpoints, file: save(model) };
    };
    const whole = await run(8);
    expect(whole.checkpoints).toHaveLength(8);
    for (const checkpoint of whole.checkpoints) expect((await run(8, checkpoint)).file).toEqual(whole.file);
  });

  it("says how many updates there will be, and refuses what is no count", async () => {
    const model = new Model().init({ seed: 1, core });
    const optimizer = new SGD(model, { lr: 0.1 });
    const starts: unknown[] = [];
    const onEvent = (event: TrainEvent) => {
      if (event.kind === "start") starts.push([event.updatesPerEpoch, event.updates]);
    };
    await train(model, source([0, 1, 2, 3, 4, 5]), { loss, optimizer, accumulate: 2, epochs: 2, onEvent }).done;
    expect(starts).toEqual([[3, 6]]);
    for (const accumulate of [0, 1.5, -1, Infinity, NaN]) {
      expect(() => train(model, source([0, 7]), { loss, optimizer, accumulate })).toThrow(/accumulate must be a whole/);
    }
    // A run that ends within an update leaves nothing for the next.
    const broken = () => {
      throw new TypeError("broken");
    };
    const data = { length: 2, batch: (index: number) => (index === 0 ? source([0, 7]).batch(0) : broken()) };
    await expect(train(model, data, { loss, optimizer, accumulate: 2 }).done).rejects.toThrow(TypeError);
    expect(() => optimizer.updateFromParts()).toThrow(/parts must be one or more/);
    optimizer.dispose();
  });
});

describe("maxNorm", () => {
  const norms = (parameter: Parameter) => {
    const values = parameter.toArray();
    const width = values.length / parameter.shape[0]!;
    return Array.from({ length: parameter.shape[0]! }, (_, row) =>
      Math.sqrt(values.slice(row * width, (row + 1) * width).reduce((total, v) => total + v * v, 0)),
    );
  };

  it("scales down only the rows that are too long", () => {
    class One extends Module {
      readonly item = new Parameter([2, 2]);
    }
    const { item } = new One().init({ core });
    item.write([3, 4, 0.6, 0.8]);
    limitNorm(item, 2);
    // 3, 4 has norm 5; 0.6, 0.8 has norm 1.
    [1.2, 1.6, 0.6, 0.8].forEach((value, i) => expect(item.toArray()[i]).toBeCloseTo(value, 6));
    expect(() => limitNorm(item, 0)).toThrow(ArgumentError);
  });

  it("holds after every update, by group, and not for biases", () => {
    const model = new Model().init({ seed: 1, core, initializer: uniform(1, 2) });
    const groups = [{ match: (p: Parameter) => p.name.startsWith("head."), maxNorm: 0.5 }];
    const optimizer = new SGD(model, { lr: 0.1, maxNorm: 1.5, groups });
    optimizer.update(() => model.loss(0, 7));
    for (const norm of norms(model.rnn["weight_hh_l0"]!)) expect(norm).toBeCloseTo(1.5, 5);
    for (const norm of norms(model.head.weight)) expect(norm).toBeCloseTo(0.5, 5);
    expect(Math.min(...model.rnn["bias_ih_l0"]!.toArray())).toBeGreaterThan(0.9);
    expect(() => new SGD(model, { maxNorm: -1 })).toThrow(/maxNorm/);
    expect(() => new SGD(model, { groups: [{ match: () => true, maxNorm: 0 }] })).toThrow(/groups\[0\]/);
  });
});
