/** A run that was stopped and went on ends with the same bytes as one that was not. */
import { describe, expect, it } from "vitest";
import * as u from "../../ts/index.js";

const text = "the quick brown fox jumps over the lazy dog. ".repeat(12);
const tokenizer = u.CharTokenizer.from(text);

const optimizers: Record<string, (model: u.Module) => u.Optimizer> = {
  SGD: (model) => new u.SGD(model, { lr: 0.1, momentum: 0.9, nesterov: true }),
  Adagrad: (model) => new u.Adagrad(model, { lr: 0.05, lrDecay: 0.01 }),
  RMSprop: (model) => new u.RMSprop(model, { lr: 2e-3, centered: true, momentum: 0.5 }),
  Adam: (model) => new u.Adam(model, { lr: 3e-3, amsgrad: true }),
  AdamW: (model) => new u.AdamW(model, { lr: 3e-3 }),
  NAdam: (model) => new u.NAdam(model, { lr: 3e-3, weightDecay: 0.01 }),
  Adadelta: (model) => new u.Adadelta(model, { lr: 0.5 }),
  Lion: (model) => new u.Lion(model, { lr: 1e-3 }),
  AveragedSGD: (model) => new u.AveragedSGD(model, { lr: 0.1 }),
};

const schedules: Record<string, ((update: number, epoch: number) => number) | undefined> = {
  constant: undefined,
  falling: (update, epoch) => 0.01 / (1 + update + epoch),
};

interface Setting {
  readonly optimizer: string;
  readonly schedule: string;
  /** Whether the state goes from batch to batch. */
  readonly carried: boolean;
}

const settings: Setting[] = Object.keys(optimizers).flatMap((optimizer) =>
  Object.keys(schedules).flatMap((schedule) => [true, false].map((carried) => ({ optimizer, schedule, carried }))),
);

function make({ optimizer, schedule, carried }: Setting) {
  const model = new u.LanguageModel({ tokenizer, cell: u.LSTM, hiddenSize: 9, numLayers: 2, dropout: 0.3 });
  model.init({ seed: 4 });
  const { train: data, valid } = u.lanes(tokenizer.encode(text), { batchSize: 3, seqLen: 7, validation: 0.1 });
  const loss = carried
    ? undefined
    : (lm: u.LanguageModel, batch: u.Batch) => lm.loss(batch, new u.CarriedState<u.RecurrentState>());
  const options = {
    optimizer: optimizers[optimizer]?.(model) as u.Optimizer,
    schedule: schedules[schedule],
    loss,
    valid,
    epochs: 3,
    clipGradNorm: 1,
  };
  return { model, data, options };
}

/** All events; the bytes of the model at the end. */
async function run(setting: Setting, more: { resume?: Uint8Array; checkpointEvery?: number; stopAt?: number } = {}) {
  const { model, data, options } = make(setting);
  const { stopAt, ...rest } = more;
  const events: u.TrainEvent[] = [];
  for await (const event of u.train(model, data, { ...options, ...rest })) {
    events.push(event);
    if (event.kind === "checkpoint" && event.update === stopAt) break;
  }
  return { events, bytes: u.save(model) };
}

const checkpoints = (events: readonly u.TrainEvent[]) =>
  events.filter((event): event is u.CheckpointEvent => event.kind === "checkpoint");

/** What was reported after an update, without the clock. */
const reported = (events: readonly u.TrainEvent[], after: number) =>
  events
    .flatMap((event) => (event.kind === "start" || event.kind === "checkpoint" ? [] : [event]))
    .filter((event) => event.update > after)
    .map((event) => ("charsPerSecond" in event ? { ...event, charsPerSecond: 0 } : event));

describe("a resumed run", () => {
  it.each(settings.map((s) => [`${s.optimizer}, ${s.schedule}, ${s.carried ? "carried" : "fresh"} state`, s] as const))(
    "%s: ends with the same bytes",
    async (_name, setting) => {
      const whole = await run(setting, { checkpointEvery: 1 });
      const all = checkpoints(whole.events);
      const perEpoch = all.length / 3;
      expect(Number.isInteger(perEpoch) && perEpoch > 3).toBe(true);
      // The first update, one in the middle, the last of an epoch, the first of the next.
      for (const at of [1, perEpoch + 2, perEpoch, perEpoch + 1]) {
        const resume = all[at - 1]?.bytes as Uint8Array;
        const rest = await run(setting, { resume });
        expect(rest.bytes).toEqual(whole.bytes);
        expect(reported(rest.events, at)).toEqual(reported(whole.events, at));
      }
    },
  );

  it("goes on over any iterable", async () => {
    const { model, data, options } = make({ optimizer: "Adam", schedule: "constant", carried: true });
    const batches = Array.from({ length: data.length }, (_, i) => {
      const { inputs, targets, first, count } = data.batch(i);
      return {
        inputs: u.ids(inputs.data.slice(), inputs.shape),
        targets: u.ids(targets.data.slice(), targets.shape),
        first,
        count,
      };
    });
    const stream = {
      async *[Symbol.asyncIterator]() {
        yield* batches;
      },
    };
    let resume: Uint8Array | undefined;
    for await (const event of u.train(model, stream, { ...options, checkpointEvery: 5 })) {
      if (event.kind === "checkpoint" && event.update === 5) resume = event.bytes;
    }
    const again = make({ optimizer: "Adam", schedule: "constant", carried: true });
    await u.train(again.model, stream, { ...again.options, resume }).done;
    expect(u.save(again.model)).toEqual(u.save(model));
  });

  it("has nothing left to do when it was finished, and more when it may go further", async () => {
    const setting = { optimizer: "RMSprop", schedule: "falling", carried: true };
    const whole = await run(setting, { checkpointEvery: 1000 });
    const last = checkpoints(whole.events).at(-1) as u.CheckpointEvent;
    expect(checkpoints(whole.events)).toHaveLength(1);
    expect((await run(setting, { resume: last.bytes })).bytes).toEqual(whole.bytes);
    const further = make(setting);
    await u.train(further.model, further.data, { ...further.options, epochs: 4, resume: last.bytes }).done;
    const straight = make(setting);
    await u.train(straight.model, straight.data, { ...straight.options, epochs: 4 }).done;
    expect(u.save(further.model)).toEqual(u.save(straight.model));
  });

  it("makes up for a validation that the signal cut short", async () => {
    const setting = { optimizer: "AdamW", schedule: "constant", carried: true };
    const { model, data, options } = make(setting);
    const validations: u.ValidEvent[] = [];
    for await (const event of u.train(model, data, { ...options, validEvery: 4 })) {
      if (event.kind === "valid") validations.push(event);
    }
    expect(validations.length).toBeGreaterThan(4);

    const first = make(setting);
    const controller = new AbortController();
    let passes = 0;
    const valid = {
      *[Symbol.iterator]() {
        if (++passes === 2) controller.abort();
        yield* first.options.valid ?? [];
      },
    };
    const cut = { ...first.options, valid, validEvery: 4, signal: controller.signal, checkpointEvery: 1000 };
    const stopped: u.TrainEvent[] = [];
    for await (const event of u.train(first.model, first.data, cut)) stopped.push(event);
    const [checkpoint] = checkpoints(stopped);
    expect(checkpoint?.update).toBe(8);
    const second = make(setting);
    const rest: u.ValidEvent[] = [];
    const resumed = { ...second.options, validEvery: 4, resume: checkpoint?.bytes };
    for await (const event of u.train(second.model, second.data, resumed)) {
      if (event.kind === "valid") rest.push(event);
    }
    expect(rest).toEqual(validations.slice(1));
    expect(u.save(second.model)).toEqual(u.save(model));
  });

  it("is a model file as well", async () => {
    const { events, bytes } = await run(settings[0] as Setting, { checkpointEvery: 1000 });
    const [checkpoint] = checkpoints(events);
    expect(u.save(u.LanguageModel.from(checkpoint?.bytes as Uint8Array))).toEqual(bytes);
  });
});

describe("a checkpoint that is not right", () => {
  const setting = { optimizer: "Adam", schedule: "constant", carried: true };
  const resumed = (bytes: Uint8Array, other: Partial<Setting> = {}) => {
    const { model, data, options } = make({ ...setting, ...other });
    const before = u.save(model);
    return u.train(model, data, { ...options, resume: bytes }).done.then(
      () => "resumed",
      (error: unknown) => {
        expect(u.save(model)).toEqual(before);
        return error;
      },
    );
  };

  it("is refused when cut at any length, and the model stays as it was", async () => {
    const { events } = await run(setting, { checkpointEvery: 2, stopAt: 2 });
    const { bytes } = checkpoints(events)[0] as u.CheckpointEvent;
    const { model, options } = make(setting);
    const before = u.save(model);
    for (let length = 0; length < bytes.length; length++) {
      expect(() => u.readCheckpoint(bytes.subarray(0, length), model, options.optimizer)).toThrow(u.LoadError);
    }
    expect(u.save(model)).toEqual(before);
    expect(options.optimizer.stateDict().steps.size).toBe(0);
  });

  it("is refused when the optimizer's arrays hold NaN", async () => {
    const { events } = await run(setting, { checkpointEvery: 1000 });
    const { bytes } = checkpoints(events)[0] as u.CheckpointEvent;
    const file = u.readSafetensors(bytes);
    const found = [...file.tensors.keys()].find((key) => key.startsWith("checkpoint/optimizer/")) as string;
    const tensors = [...file.tensors].map(([key, stored]) => {
      const data = u.toFloat32(key, stored);
      if (key === found) data[1] = NaN;
      return [key, { data, shape: stored.shape }] as const;
    });
    const { model, options } = make(setting);
    const broken = u.writeSafetensors(tensors, file.metadata);
    expect(() => u.readCheckpoint(broken, model, options.optimizer)).toThrow(`"${found}" holds NaN at element 1`);
  });

  it("is refused when it is a plain model, of another optimizer, another model or another version", async () => {
    const { events, bytes } = await run(setting, { checkpointEvery: 1000 });
    const good = (checkpoints(events)[0] as u.CheckpointEvent).bytes;
    expect(await resumed(bytes)).toMatchObject({ category: "foreign" });
    expect(await resumed(good, { optimizer: "SGD" })).toMatchObject({ category: "value" });
    const text = new TextDecoder("latin1")
      .decode(good)
      .replace('{\\"version\\":1,\\"optimizer', '{\\"version\\":7,\\"optimizer');
    const later = Uint8Array.from(text, (character) => character.charCodeAt(0));
    expect(await resumed(later)).toMatchObject({ category: "unsupported_version" });
    const { data, options } = make(setting);
    const wider = new u.LanguageModel({ tokenizer, cell: u.LSTM, hiddenSize: 10, numLayers: 2 }).init({ seed: 4 });
    const other = { ...options, optimizer: new u.Adam(wider, { amsgrad: true }), resume: good };
    await expect(u.train(wider, data, other).done).rejects.toBeInstanceOf(u.LoadError);
  });
});
