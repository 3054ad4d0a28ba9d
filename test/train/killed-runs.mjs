// node killed-runs.mjs [FOLDER]: trains one model for every optimizer, schedule and way of carrying the state, all side by
// side, an update each in turn. With a folder each writes its checkpoints there and goes on from the one that is there,
// with a dot on standard output for each. At the end: a line of JSON, the SHA-256 of every final model by its name.
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import * as u from "unrolled";
import { loadFile, saveFile } from "unrolled/node";

const text = "the quick brown fox jumps over the lazy dog. ".repeat(3);
const tokenizer = u.CharTokenizer.from(text);
const lr = 0.02;

/** @type {Record<string, (model: import("unrolled").Module) => import("unrolled").Optimizer>} */
const optimizers = {
  SGD: (model) => new u.SGD(model, { lr, momentum: 0.9, nesterov: true }),
  Adagrad: (model) => new u.Adagrad(model, { lr, lrDecay: 0.01 }),
  RMSprop: (model) => new u.RMSprop(model, { lr, centered: true, momentum: 0.5 }),
  Adam: (model) => new u.Adam(model, { lr, amsgrad: true }),
  AdamW: (model) => new u.AdamW(model, { lr }),
  NAdam: (model) => new u.NAdam(model, { lr, weightDecay: 0.01 }),
  Adadelta: (model) => new u.Adadelta(model, { lr }),
  Lion: (model) => new u.Lion(model, { lr }),
  AveragedSGD: (model) => new u.AveragedSGD(model, { lr, averageAfter: 4 }),
  // At such a rate the loss rises soon.
  "NT-ASGD": (model) => {
    const trigger = new u.NonMonotoneTrigger({ patience: 0 });
    return new u.AveragedSGD(model, { lr, trigger, groups: [{ match: () => true, lrScale: 1500 }] });
  },
};

/** @type {Record<string, () => import("unrolled").Schedule | import("unrolled").ReduceOnPlateau>} */
const schedules = {
  step: () => u.stepDecay(lr, { stepSize: 3 }),
  multistep: () => u.multiStepDecay(lr, { milestones: [2, 5] }),
  exponential: () => u.exponentialDecay(lr, { gamma: 0.9, after: 2 }),
  cosine: () => u.cosineAnnealing(lr, { steps: 9 }),
  "cosine with restarts and warm-up": () => u.warmUp(u.cosineWarmRestarts(lr, { period: 3 }), { steps: 2 }),
  "one cycle": () => u.oneCycle(lr, { steps: 11 }),
  // Nothing improves enough: every other validation reduces the rate.
  plateau: () => new u.ReduceOnPlateau(lr, { patience: 1, factor: 0.5, threshold: 0.5 }),
  linear: () => u.linearSchedule(lr, { steps: 8 }),
  polynomial: () => u.polynomialDecay(lr, { steps: 12, power: 2 }),
  "inverse square root": () => u.inverseSquareRoot(lr, { warmUp: 4 }),
  function: () => (update, epoch) => lr / (1 + update + epoch),
};

const folder = process.argv[2];
/** @param {string} name @param {string} suffix */
const pathOf = (name, suffix) => join(/** @type {string} */ (folder), `${name.replaceAll(" ", "-")}.${suffix}`);

/** @type {Record<string, string>} */
const finals = {};

/**
 * @param {string} name
 * @param {boolean} carried
 * @param {(model: import("unrolled").Module) => import("unrolled").Optimizer} makeOptimizer
 * @param {() => import("unrolled").Schedule | import("unrolled").ReduceOnPlateau} schedule
 */
async function* run(name, carried, makeOptimizer, schedule) {
  const model = new u.LanguageModel({ tokenizer, cell: u.LSTM, hiddenSize: 3, numLayers: 2, dropout: 0.3 });
  model.init({ seed: 4 });
  const data = u.lanes(tokenizer.encode(text), { batchSize: 2, seqLen: 11, validation: 0.15 });
  const checkpoint = folder === undefined ? undefined : pathOf(name, "checkpoint");
  const optimizer = makeOptimizer(model);
  const events = u.train(model, data.train, {
    optimizer,
    schedule: schedule(),
    // Without a state to carry every batch is a first one.
    ...(carried ? {} : { loss: (lm, batch, state) => lm.loss({ ...batch, first: true }, state) }),
    updates: 11,
    clipGradNorm: 1,
    valid: data.valid,
    validEvery: 2,
    ...(checkpoint === undefined ? {} : { checkpointEvery: 2 }),
    ...(checkpoint !== undefined && existsSync(checkpoint) ? { resume: await loadFile(checkpoint) } : {}),
  });
  for await (const event of events) {
    if (event.kind === "checkpoint" && checkpoint !== undefined) {
      await saveFile(checkpoint, event.bytes);
      process.stdout.write(".");
    }
    yield;
  }
  const bytes = optimizer.withAverages(() => u.save(model));
  finals[name] = createHash("sha256").update(bytes).digest("hex");
  if (folder !== undefined) await saveFile(pathOf(name, "done"), "");
}

let running = Object.entries(optimizers).flatMap(([optimizer, makeOptimizer]) =>
  Object.entries(schedules).flatMap(([schedule, makeSchedule]) =>
    [true, false].map((carried) =>
      run(`${optimizer}, ${schedule}, ${carried ? "carried" : "fresh"} state`, carried, makeOptimizer, makeSchedule),
    ),
  ),
);
while (running.length > 0) {
  /** @type {typeof running} */
  const left = [];
  for (const each of running) if (!(await each.next()).done) left.push(each);
  running = left;
}
process.stdout.write(`\n${JSON.stringify(finals)}\n`);
