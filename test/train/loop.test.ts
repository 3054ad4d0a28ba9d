import { describe, expect, it } from "vitest";
import { type Batch, lanes } from "../../ts/data/lanes.js";
import { ArgumentError, TrainingDivergedError } from "../../ts/errors.js";
import { constant } from "../../ts/nn/initializers.js";
import { Module } from "../../ts/nn/module.js";
import type { CarriedState, RecurrentState } from "../../ts/nn/state.js";
import { mul, sub } from "../../ts/tensor/binary.js";
import { Parameter } from "../../ts/tensor/parameter.js";
import { mean, sum } from "../../ts/tensor/reduce.js";
import { type Tensor, tensor } from "../../ts/tensor/tensor.js";
import { square } from "../../ts/tensor/unary.js";
import { type TrainEvent, type TrainOptions, train } from "../../ts/train/loop.js";
import { SGD } from "../../ts/train/sgd.js";

/** One value w that is pulled to each batch's target: loss (w - target)^2, so one update moves it by 2 lr (target - w). */
class Point extends Module {
  readonly w = new Parameter([1], constant(0));

  loss(target: number): Tensor {
    return mean(square(sub(this.w, target)));
  }
}

function setUp(options: Partial<TrainOptions<Point, number>> = {}, data: Iterable<number> = [1, 2, 3]) {
  const model = new Point().init();
  const optimizer = new SGD(model, { lr: 0.5 });
  return { model, optimizer, run: train(model, data, { optimizer, ...options }) };
}

async function collect(run: AsyncIterable<TrainEvent>): Promise<TrainEvent[]> {
  const events: TrainEvent[] = [];
  for await (const event of run) events.push(event);
  return events;
}

const kinds = (events: readonly TrainEvent[]) => events.map((event) => event.kind).join(" ");
const of = <K extends TrainEvent["kind"]>(events: readonly TrainEvent[], kind: K) =>
  events.filter((event): event is Extract<TrainEvent, { kind: K }> => event.kind === kind);

describe("train", () => {
  it("tells what happens, in order", async () => {
    const { run, model } = setUp({ epochs: 2, valid: [10, 20] });
    const events = await collect(run);
    expect(kinds(events)).toBe("start update update update epoch valid update update update epoch valid end");
    expect(events[0]).toEqual({ kind: "start", parameters: 1, updatesPerEpoch: 3, updates: 6 });
    // With rate 1/2 each update lands on the target: losses are squares of the jumps.
    expect(of(events, "update").map(({ loss }) => loss)).toEqual([1, 1, 1, 4, 1, 1]);
    expect(of(events, "update").map(({ gradNorm }) => gradNorm)).toEqual([2, 2, 2, 4, 2, 2]);
    expect(of(events, "update").map(({ update, epoch, targets }) => [update, epoch, targets])).toEqual([
      [1, 1, 1],
      [2, 1, 2],
      [3, 1, 3],
      [4, 2, 4],
      [5, 2, 5],
      [6, 2, 6],
    ]);
    expect(of(events, "epoch").map(({ epoch, loss }) => [epoch, loss])).toEqual([
      [1, 1],
      [2, 2],
    ]);
    expect(of(events, "valid").map(({ loss, best }) => [loss, best])).toEqual([
      [(49 + 289) / 2, true],
      [(49 + 289) / 2, false],
    ]);
    const [first] = of(events, "update");
    expect(first!.bitsPerChar).toBeCloseTo(1 / Math.log(2), 12);
    expect(events.at(-1)).toMatchObject({ kind: "end", reason: "completed", update: 6, epoch: 2, validLoss: 169 });
    expect([...model.w.toArray()]).toEqual([3]);
  });

  it("runs when nobody iterates", async () => {
    const { run, model } = setUp({ updates: 4 });
    expect(await run.done).toMatchObject({ reason: "completed", update: 4, epoch: 2 });
    expect([...model.w.toArray()]).toEqual([1]);
  });

  it("averages and smooths", async () => {
    const events = await collect(setUp({ reportEvery: 2, smoothing: 0.75, smoothFrom: 5 }).run);
    const updates = of(events, "update");
    expect(updates.map(({ update, loss }) => [update, loss])).toEqual([
      [2, 1],
      [3, 1],
    ]);
    expect(updates[1]!.smoothLoss).toBeCloseTo(1 + 4 * 0.75 ** 3, 12);
    const [unset] = of(await collect(setUp().run), "update");
    expect(unset!.smoothLoss).toBe(1);
  });

  it("scales the gradient, not the report", async () => {
    const { run, model } = setUp({ lossScale: 0.5, updates: 1 });
    expect(of(await collect(run), "update")[0]).toMatchObject({ loss: 1, gradNorm: 1 });
    expect([...model.w.toArray()]).toEqual([0.5]);
  });

  it("follows a schedule and clips", async () => {
    const seen: number[][] = [];
    const schedule = (update: number, epoch: number) => {
      seen.push([update, epoch]);
      return update === 0 ? 0.5 : 0.25;
    };
    const { run, model } = setUp({ schedule, updates: 4, clipGradValue: 1 });
    expect(of(await collect(run), "update").map(({ lr }) => lr)).toEqual([0.5, 0.25, 0.25, 0.25]);
    expect(seen).toEqual([
      [0, 1],
      [1, 1],
      [2, 1],
      [3, 2],
    ]);
    expect([...model.w.toArray()]).toEqual([0.5 + 0.25 + 0.25 + 0]);
  });

  it("validates on what comes with time as on what is there", async () => {
    const later = {
      async *[Symbol.asyncIterator]() {
        for (const batch of [10, 20]) {
          await new Promise((resolve) => setImmediate(resolve));
          yield batch;
        }
      },
    };
    const [there, coming] = [[10, 20], later].map((valid) => collect(setUp({ epochs: 2, valid }).run));
    const expected = of((await there) as TrainEvent[], "valid");
    expect(expected).toHaveLength(2);
    expect(of((await coming) as TrainEvent[], "valid")).toEqual(expected);
  });

  it("samples and validates when told", async () => {
    const sample = (model: Point) => `w = ${model.w.toArray()[0]}`;
    const events = await collect(setUp({ updates: 5, valid: [0], validEvery: 2, sample, sampleEvery: 3 }).run);
    expect(kinds(events)).toBe("start update update valid update sample epoch update valid update valid end");
    expect(of(events, "sample")[0]).toMatchObject({ update: 3, text: "w = 3" });
    expect(of(events, "valid").map(({ update, loss }) => [update, loss])).toEqual([
      [2, 4],
      [4, 1],
      [5, 4],
    ]);
  });

  it("takes async data and a loss of one's own", async () => {
    async function* source() {
      yield { value: 4 };
      await Promise.resolve();
      yield { value: 6 };
    }
    const model = new Point().init();
    const run = train(
      model,
      { [Symbol.asyncIterator]: source },
      {
        optimizer: new SGD(model, { lr: 0.5 }),
        epochs: 2,
        loss: ({ w }, { value }) => sum(square(sub(w, value))),
      },
    );
    const events = await collect(run);
    expect(events[0]).toMatchObject({ updatesPerEpoch: undefined, updates: undefined });
    expect(of(events, "update").map(({ loss }) => loss)).toEqual([16, 4, 4, 4]);
    expect(of(events, "epoch").length).toBe(2);
  });

  it("carries the state over lanes, apart from validation, and knows the epoch", async () => {
    const seen: [boolean, number, number | undefined][] = [];
    const model = new Point().init();
    const tokens = Int32Array.from({ length: 9 }, (_, i) => i);
    const [data, valid] = [lanes(tokens, { batchSize: 1, seqLen: 3 }), lanes(tokens, { batchSize: 1, seqLen: 8 })];
    const loss = ({ w }: Point, batch: Batch, state: CarriedState<RecurrentState>) => {
      if (batch.first) state.reset();
      const before = state.get()?.["h"]?.item();
      seen.push([batch.first, batch.inputs.data[0]!, before]);
      state.set({ h: tensor([(before ?? 0) + 1]) });
      return mul(sum(w), 1);
    };
    const optimizer = new SGD(model, { lr: 0 });
    await train(model, data.train, { optimizer, loss, epochs: 2, valid: valid.train }).done;
    expect(seen).toEqual([
      [true, 0, undefined],
      [false, 3, 1],
      [true, 0, undefined],
      [true, 0, undefined],
      [false, 3, 1],
      [true, 0, undefined],
    ]);
  });

  it("stops when the iteration is left", async () => {
    const { run } = setUp({ epochs: Infinity });
    for await (const event of run) if (event.kind === "update" && event.update === 7) break;
    expect(await run.done).toMatchObject({ reason: "stopped", update: 7 });
  });

  it("stops at the signal, with its last report", async () => {
    const controller = new AbortController();
    const { run } = setUp({ epochs: Infinity, reportEvery: 1000, signal: controller.signal });
    setTimeout(() => controller.abort(), 30);
    const events = await collect(run);
    expect(events.at(-1)).toMatchObject({ kind: "end", reason: "aborted" });
    const last = of(events, "update").at(-1)!;
    expect(last.update).toBe((events.at(-1) as { update: number }).update);
    const before = new AbortController();
    before.abort();
    expect(kinds(await collect(setUp({ signal: before.signal, valid: [1] }).run))).toBe("start end");
  });

  it("lets timers run in time between updates", async () => {
    const { run } = setUp({ epochs: Infinity });
    // In processor time, which a busy machine does not stretch.
    const busy = () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1000;
    };
    let ticks = 0;
    let longest = 0;
    let last = busy();
    const timer = setInterval(() => {
      longest = Math.max(longest, busy() - last);
      last = busy();
      ticks++;
    }, 1);
    await new Promise((resolve) => setTimeout(resolve, 400));
    clearInterval(timer);
    for await (const _ of run) break;
    expect(ticks).toBeGreaterThan(5);
    expect(longest).toBeLessThan(100);
  });

  it("waits for a slow reader and loses nothing", async () => {
    const { run } = setUp({ updates: 20 });
    const updates: number[] = [];
    for await (const event of run) {
      if (event.kind === "update") updates.push(event.update);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(updates).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
  });

  it("gives a late reader the rest", async () => {
    const { run } = setUp({ epochs: Infinity });
    await new Promise((resolve) => setTimeout(resolve, 20));
    for await (const event of run) {
      expect((event as { update: number }).update).toBeGreaterThan(1);
      break;
    }
    expect(() => run[Symbol.asyncIterator]()).toThrow(ArgumentError);
  });

  it("names the update at which it diverges, and keeps the parameters", async () => {
    const { run, model } = setUp({ epochs: 2 }, [1, 2, NaN]);
    await expect(collect(run)).rejects.toThrow(TrainingDivergedError);
    await expect(run.done).rejects.toThrow(/diverged at update 3/);
    expect([...model.w.toArray()]).toEqual([2]);
    await expect(setUp({ epochs: 2 }, [1, NaN]).run.done).rejects.toThrow(/update 2/);
  });

  it("passes errors of data and loss on", async () => {
    const broken = {
      *[Symbol.iterator]() {
        yield 1;
        throw new Error("disk gone");
      },
    };
    await expect(collect(setUp({}, broken).run)).rejects.toThrow("disk gone");
    await expect(setUp({}, broken).run.done).rejects.toThrow("disk gone");
    await expect(setUp({}, []).run.done).rejects.toThrow(/at least one batch/);
    const loss = () => {
      throw new Error("bad loss");
    };
    await expect(setUp({ loss }).run.done).rejects.toThrow("bad loss");
  });

  it("checks its options at once", () => {
    for (const bad of [{ updates: 0 }, { epochs: 1.5 }, { reportEvery: NaN }, { sample: () => "" }]) {
      expect(() => setUp(bad)).toThrow(ArgumentError);
    }
  });

  it("asks for a loss where the model has none", () => {
    class Bare extends Module {
      readonly w = new Parameter([1]);
    }
    const model = new Bare().init();
    // @ts-expect-error a model without loss(batch, state) needs the option
    expect(() => train(model, [1], { optimizer: new SGD(model) })).toThrow(/loss must be given/);
  });
});
