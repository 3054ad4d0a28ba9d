/**
 * NT-ASGD in the loop, against a float64 transcription of algorithm 1 of Merity, Keskar & Socher 2018 with the weights
 * of torch.optim.ASGD (mu = 1 / max(1, t - t0)), on one value that is drawn to targets that scatter.
 */
import { describe, expect, it } from "vitest";
import * as u from "../../ts/index.js";

class Point extends u.Module {
  readonly value = new u.Parameter([1]);
}

const lr = 0.3;
const updates = 40;
const validEvery = 3;
const patience = 2;
const start = 4;
const goal = 1;
const targets = Array.from({ length: updates }, (_, i) => goal + [2.5, -1, -2, 1.5, -0.5, 0.25][i % 6]! * (1 + i / 40));

function reference() {
  let [value, average, begun, lowest, kept] = [start, NaN, Infinity, Infinity, NaN];
  const [logs, losses]: [number[], number[]] = [[], []];
  for (let k = 1; k <= updates; k++) {
    value -= lr * 2 * (value - targets[k - 1]!);
    if (k > begun) average = k === begun + 1 ? value : average + (value - average) / Math.max(1, k - 1 - begun);
    if (k % validEvery !== 0 && k !== updates) continue;
    const evaluated = k > begun ? average : value;
    const loss = (evaluated - goal) ** 2;
    losses.push(loss);
    if (loss < lowest) [lowest, kept] = [loss, evaluated];
    if (k > begun) continue;
    if (logs.length > patience && loss > Math.min(...logs.slice(0, -patience))) begun = k;
    logs.push(loss);
  }
  return { losses, begun, value, average, kept };
}

function setUp() {
  const model = new Point().init({ initializer: (parameter) => parameter.write([start]) });
  const optimizer = new u.AveragedSGD(model, { lr, trigger: new u.NonMonotoneTrigger({ patience }) });
  const options = (more: object = {}) => ({
    optimizer,
    loss: (point: Point, target: number) => u.sum(u.square(u.add(point.value, -target))),
    updates,
    valid: [goal],
    validEvery,
    sample: (point: Point) => String(point.value.item()),
    sampleEvery: updates,
    ...more,
  });
  return { model, optimizer, options };
}

describe("NT-ASGD in train", () => {
  const expected = reference();

  it("is a test: averaging begins within the run, and changes what is validated", () => {
    expect(expected.begun).toBeGreaterThan(validEvery * patience);
    expect(expected.begun).toBeLessThan(updates / 2);
    expect(Math.abs(expected.average - expected.value)).toBeGreaterThan(0.1);
  });

  it("begins when validation stops to fall, and validates, samples and saves averages from then on", async () => {
    const { model, optimizer, options } = setUp();
    const [losses, samples]: [number[], string[]] = [[], []];
    for await (const event of u.train(model, targets, options())) {
      if (event.kind === "valid") losses.push(event.loss);
      if (event.kind === "sample") samples.push(event.text);
    }
    expect(losses).toHaveLength(expected.losses.length);
    losses.forEach((loss, i) => {
      expect(loss, `validation ${i}`).toBeCloseTo(expected.losses[i]!, 4);
    });
    expect(optimizer.averageAfter).toBe(expected.begun);
    expect(model.value.item()).toBeCloseTo(expected.value, 5);
    expect(optimizer.withAverages(() => model.value.item())).toBeCloseTo(expected.average, 5);
    expect(Number(samples[0])).toBeCloseTo(expected.average, 5);
  });

  it("keeps the averages of the lowest validation loss", async () => {
    const { model, options } = setUp();
    await u.train(model, targets, options({ keepBest: true })).done;
    expect(model.value.item()).toBeCloseTo(expected.kept, 5);
  });

  it("goes on from any checkpoint as if it had never stopped", async () => {
    const whole = setUp();
    const checkpoints: Uint8Array[] = [];
    const onEvent = (event: u.TrainEvent) => void (event.kind === "checkpoint" && checkpoints.push(event.bytes));
    await u.train(whole.model, targets, whole.options({ checkpointEvery: 1, onEvent })).done;
    for (const resume of checkpoints) {
      const { model, optimizer, options } = setUp();
      await u.train(model, targets, options({ resume })).done;
      expect(optimizer.stateDict()).toEqual(whole.optimizer.stateDict());
      expect(model.value.item()).toBe(whole.model.value.item());
    }
  });

  it("puts the values back when validation fails or is cut short", async () => {
    const { model, optimizer, options } = setUp();
    let fail = false;
    const valid = {
      *[Symbol.iterator]() {
        if (fail) throw new RangeError("mine");
        yield goal;
      },
    };
    const controller = new AbortController();
    let before = NaN;
    const onEvent = (event: u.TrainEvent) => {
      if (event.kind !== "update" || event.update !== 39) return;
      expect(optimizer.averaging).toBe(true);
      before = model.value.item();
      fail = true;
    };
    const run = u.train(model, targets, options({ valid, onEvent, signal: controller.signal }));
    await expect(run.done).rejects.toThrow("mine");
    expect(model.value.item()).toBe(before);
    await expect(
      optimizer.withAverages(async () => {
        expect(model.value.item()).not.toBe(before);
        await Promise.resolve();
        throw new RangeError("late");
      }),
    ).rejects.toThrow("late");
    expect(model.value.item()).toBe(before);
  });
});
