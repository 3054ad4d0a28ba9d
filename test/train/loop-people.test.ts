import { describe, expect, it } from "vitest";
import { ArgumentError, type TrainingDivergedError } from "../../ts/errors.js";
import { GRU } from "../../ts/nn/gru.js";
import { constant } from "../../ts/nn/initializers.js";
import { Linear } from "../../ts/nn/linear.js";
import { Module } from "../../ts/nn/module.js";
import { mul, sub } from "../../ts/tensor/binary.js";
import { Parameter } from "../../ts/tensor/parameter.js";
import { mean, sum } from "../../ts/tensor/reduce.js";
import { type Tensor, tensor } from "../../ts/tensor/tensor.js";
import { sqrt, square } from "../../ts/tensor/unary.js";
import { type TrainEvent, type TrainOptions, train } from "../../ts/train/loop.js";
import { ReduceOnPlateau } from "../../ts/train/schedules/plateau.js";
import { SGD } from "../../ts/train/sgd.js";

/** One value w; with rate 1/2 each update puts it on the batch's target, and the loss on v is (w - v)^2. */
class Point extends Module {
  readonly w = new Parameter([1], constant(0));

  loss(target: number): Tensor {
    return mean(square(sub(this.w, target)));
  }
}

async function follow(options: Partial<TrainOptions<Point, number>>, data: Iterable<number> | AsyncIterable<number>) {
  const model = new Point().init();
  const optimizer = new SGD(model, { lr: 0.5 });
  const events: TrainEvent[] = [];
  for await (const event of train(model, data, { optimizer, ...options })) events.push(event);
  return { model, optimizer, events, end: events.at(-1) as Extract<TrainEvent, { kind: "end" }> };
}

const of = <K extends TrainEvent["kind"]>(events: readonly TrainEvent[], kind: K) =>
  events.filter((event): event is Extract<TrainEvent, { kind: K }> => event.kind === kind);

describe("early stopping and best weights", () => {
  // Distances to the validation target 0: losses 25, 4, 3.61, 9, 16, 1.
  const path = [5, 2, 1.9, 3, 4, 1];
  const valid = [0];

  it("stops after `patience` validations without improvement", async () => {
    const { end, model } = await follow({ valid, validEvery: 1, earlyStop: { patience: 2 } }, path);
    expect(end).toMatchObject({ reason: "early", update: 5, validLoss: 16 });
    expect(end.bestValidLoss).toBeCloseTo(3.61, 5);
    expect([...model.w.toArray()]).toEqual([4]);
  });

  it("counts only improvement that is large enough", async () => {
    const earlyStop = { patience: 2, minimumImprovement: 0.5 };
    expect((await follow({ valid, validEvery: 1, earlyStop }, path)).end).toMatchObject({ reason: "early", update: 4 });
    const patient = { patience: 4, minimumImprovement: 0.5 };
    const { end } = await follow({ valid, validEvery: 1, earlyStop: patient }, path);
    expect(end).toMatchObject({ reason: "completed", update: 6 });
  });

  it("stops at the end of an epoch, too", async () => {
    const { end, events } = await follow({ valid, epochs: 9, earlyStop: { patience: 3 } }, [7, 6]);
    expect(end).toMatchObject({ reason: "early", epoch: 4, update: 8 });
    expect(of(events, "epoch").length).toBe(4);
  });

  it("puts the best weights back, however the run ends", async () => {
    const options = { valid, validEvery: 1, keepBest: true };
    const stopped = await follow({ ...options, earlyStop: { patience: 2 } }, path);
    expect(stopped.model.w.toArray()[0]).toBeCloseTo(1.9, 6);
    const completed = await follow(options, path.slice(0, 4));
    expect(completed.model.w.toArray()[0]).toBeCloseTo(1.9, 6);
    const model = new Point().init();
    for await (const event of train(model, path, { optimizer: new SGD(model, { lr: 0.5 }), ...options })) {
      if (event.kind === "valid" && event.update === 5) break;
    }
    expect(model.w.toArray()[0]).toBeCloseTo(1.9, 6);
  });

  it("goes on from a checkpoint with patience, best weights and plateau as they were", async () => {
    const options = () => ({
      valid,
      validEvery: 1,
      keepBest: true,
      earlyStop: { patience: 3 },
      schedule: new ReduceOnPlateau(0.5, { patience: 0, factor: 0.5 }),
      checkpointEvery: 1,
    });
    const data = [5, 2, 3, 4, 8, 1];
    const whole = await follow(options(), data);
    expect(whole.end).toMatchObject({ reason: "early" });
    for (const { bytes, update } of of(whole.events, "checkpoint")) {
      const rest = await follow({ ...options(), resume: bytes }, data);
      expect([update, rest.end]).toEqual([update, whole.end]);
      expect([...rest.model.w.toArray()]).toEqual([...whole.model.w.toArray()]);
    }
    expect(of(whole.events, "checkpoint").length).toBe(whole.end.update);
  });

  it("needs something to validate on", async () => {
    await expect(follow({ keepBest: true }, path)).rejects.toThrow(ArgumentError);
    await expect(follow({ earlyStop: { patience: 1 } }, path)).rejects.toThrow(/valid/);
    await expect(follow({ valid, earlyStop: { patience: 0 } }, path)).rejects.toThrow(/patience/);
    const earlyStop = { patience: 1, minimumImprovement: -1 };
    await expect(follow({ valid, earlyStop }, path)).rejects.toThrow(/minimumImprovement/);
  });
});

describe("ReduceOnPlateau in train", () => {
  it("is fed the validation losses", async () => {
    const schedule = new ReduceOnPlateau(0.5, { patience: 0, factor: 0.25 });
    // The loss on 0 after each update: 4, 9 (worse: rate 1/8), then w moves a quarter of the way from 3 to 7.
    const { events, model } = await follow({ valid: [0], validEvery: 1, schedule }, [2, 3, 7]);
    expect(of(events, "update").map(({ lr }) => lr)).toEqual([0.5, 0.5, 0.125]);
    expect([...model.w.toArray()]).toEqual([4]);
  });
});

describe("callbacks", () => {
  it("see every event before the iteration, in their order", async () => {
    const seen: string[] = [];
    const slow = async ({ kind }: TrainEvent) => {
      await Promise.resolve();
      seen.push(`a ${kind}`);
    };
    const fast = ({ kind }: TrainEvent) => void seen.push(`b ${kind}`);
    const model = new Point().init();
    const optimizer = new SGD(model, { lr: 0.5 });
    for await (const { kind } of train(model, [1], { optimizer, onEvent: [slow, fast] })) seen.push(`c ${kind}`);
    expect(seen.join()).toBe(["start", "update", "epoch", "end"].map((kind) => `a ${kind},b ${kind},c ${kind}`).join());
  });

  it("end the run when they throw", async () => {
    const onEvent = ({ kind }: TrainEvent) => {
      if (kind === "update") throw new Error("enough");
    };
    await expect(follow({ onEvent }, [1, 2])).rejects.toThrow("enough");
  });
});

describe("updatesPerEpoch", () => {
  it("makes epochs of data without an end", async () => {
    let closed = false;
    async function* endless() {
      try {
        for (let i = 1; ; i++) yield i;
      } finally {
        closed = true;
      }
    }
    const { events, end } = await follow({ updatesPerEpoch: 3, epochs: 2, checkpointEvery: 2 }, endless());
    expect(events[0]).toMatchObject({ updatesPerEpoch: 3, updates: 6 });
    expect(end).toMatchObject({ reason: "completed", update: 6, epoch: 2 });
    expect(of(events, "update").map(({ loss }) => loss)).toEqual([1, 1, 1, 1, 1, 1]);
    expect(closed).toBe(true);
    const { bytes } = of(events, "checkpoint")[1]!;
    const rest = await follow({ updatesPerEpoch: 3, epochs: 2, resume: bytes }, endless());
    expect([...rest.model.w.toArray()]).toEqual([6]);
    expect(rest.end).toMatchObject({ update: 6, epoch: 2 });
  });

  it("goes on where the epoch before ended, and begins anew at the end", async () => {
    const { events } = await follow({ updatesPerEpoch: 2, epochs: 3 }, [10, 20, 40]);
    expect(of(events, "update").map(({ loss }) => loss)).toEqual([100, 100, 400, 900, 100, 400]);
    const source = { length: 3, batch: (index: number) => [10, 20, 40][index % 3]! };
    const model = new Point().init();
    const losses: number[] = [];
    const onEvent = (event: TrainEvent) => void (event.kind === "update" && losses.push(event.loss));
    await train(model, source, { optimizer: new SGD(model, { lr: 0.5 }), updatesPerEpoch: 2, epochs: 3, onEvent }).done;
    expect(losses).toEqual([100, 100, 400, 900, 100, 400]);
    await expect(follow({ updatesPerEpoch: 2 }, [])).rejects.toThrow(/at least one batch/);
  });
});

describe("the guard", () => {
  class Two extends Module {
    readonly first = new Linear(2, 3);
    readonly second = new Linear(3, 1);
  }
  const model = new Two().init({ seed: 5 });
  const optimizer = new SGD(model, { lr: 0.5 });
  const attempt = (fn: () => Tensor) => optimizer.update(fn, { clipGradNorm: 1 });
  const forward = (x: Tensor) => sum(square(model.second.forward(model.first.forward(x))));

  it("names the first operation, layer and parameter in the order of the computation", () => {
    expect(attempt(() => forward(tensor([[1, Infinity]]))).where).toBe(
      "an input of linear with first.weight, first.bias",
    );
    const overflow = attempt(() => sum(square(mul(model.second.forward(tensor([[1e15, 2e15, 3e15]])), 1e15))));
    expect(overflow).toMatchObject({ applied: false, where: "the output of unary after second.weight, second.bias" });
  });

  it("names a parameter whose value is broken", () => {
    const kept = model.second.weight.toArray();
    model.second.weight.write([1, NaN, 2]);
    expect(attempt(() => forward(tensor([[1, 2]]))).where).toBe("the value of second.weight");
    model.second.weight.write(kept);
    expect(attempt(() => forward(tensor([[1, 2]])))).toMatchObject({ applied: true });
  });

  it("names the layer and parameter of a recurrent network", () => {
    class Network extends Module {
      readonly encoder = new GRU(2, 3, { numLayers: 2 });
      readonly head = new Linear(3, 1);
    }
    const network = new Network().init({ seed: 2 });
    const guarded = new SGD(network, { lr: 0.5 });
    const x = tensor(Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8), [1, 4, 2]);
    const fn = () => sum(square(network.head.forward(network.encoder.forward(x).output)));
    expect(guarded.update(fn).applied).toBe(true);
    const broken = network.namedParameters().find(([name]) => name === "encoder.weight_hh_l1")![1];
    broken.write(broken.toArray().fill(Infinity, 4, 5));
    expect(guarded.update(fn)).toMatchObject({ applied: false, where: "the value of encoder.weight_hh_l1" });
    const huge = tensor(new Float32Array(8).fill(Infinity), [1, 4, 2]);
    broken.write(new Float32Array(broken.size));
    expect(guarded.update(() => sum(network.encoder.forward(huge).output)).where).toBe(
      "an input of sequence with encoder.weight_ih_l0, encoder.weight_hh_l0, encoder.bias_ih_l0, encoder.bias_hh_l0",
    );
  });

  it("names a gradient where all values are finite", () => {
    // The derivative of sqrt at 0 is infinite.
    const zero = attempt(() => sum(sqrt(mul(model.first.weight, 0))));
    expect(zero).toMatchObject({
      loss: 0,
      applied: false,
      where: "the gradient of an input of unary after first.weight",
    });
    const point = new Point().init();
    const update = new SGD(point, { lr: 0.1 }).update(() => sum(sqrt(point.w)));
    expect(update).toMatchObject({ applied: false, where: "the gradient of w" });
  });

  it("is in the error, with the update", async () => {
    const error = await follow({}, [1, 2, NaN]).catch((thrown: unknown) => thrown as TrainingDivergedError);
    expect(error).toMatchObject({ code: "TRAINING_DIVERGED", update: 3 });
    expect((error as TrainingDivergedError).where).toMatch(/binary with w/);
    expect((error as Error).message).toMatch(/update 3.*binary with w/);
  });
});
