// The workloads of the comparison, on the built package: node workloads.mjs W1 [core, of `cores` in timing.mjs]
//
//   W1  chars/s    training a tanh RNN: H 100, T 25, B 1, one-hot of 65, Adagrad 0.1, clipped to 5, state carried
//   W2  chars/s    training a 2-layer LSTM: H 128, T 50, B 50, one-hot of 65, Adam 2e-3
//   W3  chars/s    the same with 1 layer, H 512
//   W2x2, W3x2     the same on two threads
//   W4  samples/s  training a GRU classifier: T 100, I 28, H 128, B 32, 10 classes from the last step, Adam 1e-3
//   W5  us/step    streaming, 2-layer LSTM: I 128, H 256, B 1, one step a call, state carried, outputs in new arrays;
//                  and with 8-bit weights
//   W6  ms/call    sequences, 1-layer LSTM: T 100, I 128, H 256, B 1 and 32, all outputs read back
//   audio          one LSTM of 32 units at one number in, a step a sample: us a step, and blocks of 128 samples in us and
//                  as a part of the time that 48 kHz leave for them
//   W7             a cold process to its first result of W5; the bytes that a page loads
//   W8  MiB        peak memory of the process that ran W2 (printed with W2)
//
// A training step makes the inputs, computes loss and gradients, updates, and has the loss as a number.
// What only some need is loaded by them: it would count in the memory of the others.
import * as unrolled from "unrolled";
import { characterLoss, createCharacterModel, symbols, tokenizer } from "./character-model.mjs";
import { streaming } from "./streaming.mjs";
import { core, cores, Lcg, latency, median, report, text, throughput, throughputOfThreads } from "./timing.mjs";

function w1() {
  const [T, H] = [25, 100];
  const model = new unrolled.LanguageModel({ tokenizer, cell: unrolled.RNN, hiddenSize: H }).init({ seed: 1 });
  const optimizer = new unrolled.Adagrad(model, { lr: 0.1 });
  const data = unrolled.lanes(text(100_000, symbols), { batchSize: 1, seqLen: T }).train;
  const state = new unrolled.CarriedState();
  let step = 0;
  throughput("W1", "chars_per_s", T, () => {
    const batch = data.batch(step++ % data.length);
    const { loss } = optimizer.update(() => unrolled.mul(model.loss(batch, state), T), { clipGradValue: 5 });
    return loss / T;
  });
}

/**
 * @param {string} workload
 * @param {number} hiddenSize
 * @param {number} numLayers
 */
function characterModel(workload, hiddenSize, numLayers) {
  const [T, B] = [50, 50];
  const model = createCharacterModel(hiddenSize, numLayers).init({ seed: 1 });
  const optimizer = new unrolled.Adam(model, { lr: 2e-3 });
  const data = unrolled.lanes(text(100_000, symbols), { batchSize: B, seqLen: T }).train;
  let step = 0;
  throughput(workload, "chars_per_s", T * B, () => {
    const batch = data.batch(step++ % data.length);
    return optimizer.update(() => characterLoss(model, batch)).loss;
  });
}

/**
 * @param {string} workload
 * @param {number} threads
 * @param {number} hiddenSize
 * @param {number} numLayers
 */
async function characterModelOnThreads(workload, threads, hiddenSize, numLayers) {
  const { Worker } = await import("node:worker_threads");
  const [T, B] = [50, 50];
  const model = createCharacterModel(hiddenSize, numLayers).init({ seed: 1 });
  const worker = () => new Worker(new URL("replica.mjs", import.meta.url), { workerData: { hiddenSize, numLayers } });
  const run = unrolled.train(model, unrolled.lanes(text(100_000, symbols), { batchSize: B, seqLen: T }).train, {
    optimizer: new unrolled.Adam(model, { lr: 2e-3 }),
    loss: characterLoss,
    replicas: unrolled.replicas({ n: threads, worker }),
    epochs: Infinity,
  });
  const events = run[Symbol.asyncIterator]();
  await throughputOfThreads(workload, "chars_per_s", threads, T * B, async () => {
    for (;;) {
      const { value } = await events.next();
      if (value?.kind === "update") return value.loss;
    }
  });
  await events.return();
}

function w2() {
  characterModel("W2", 128, 2);
  // Kilobytes, whatever the platform counts in.
  report("W8", "peak_rss_mib", process.resourceUsage().maxRSS / 1024, "lower");
}

function w4() {
  const [T, I, H, B, K] = [100, 28, 128, 32, 10];
  class Classifier extends unrolled.Module {
    gru = new unrolled.GRU(I, H);
    head = new unrolled.Linear(H, K);

    /** @param {unrolled.Tensor} x */
    forward(x) {
      const { output } = this.gru.forward(x);
      return this.head.forward(unrolled.select(output, 1, T - 1));
    }
  }
  const model = new Classifier().init({ seed: 1 });
  const optimizer = new unrolled.Adam(model, { lr: 1e-3 });
  const random = new Lcg();
  throughput("W4", "samples_per_s", B, () => {
    const classes = Int32Array.from({ length: B }, () => random.next() % K);
    const x = new Float32Array(B * T * I);
    for (let b = 0, at = 0; b < B; b++) {
      for (let t = 0; t < T; t++) {
        for (let i = 0; i < I; i++) x[at++] = random.unit() + (i % K === classes[b] ? 1 : 0);
      }
    }
    return optimizer.update(() => unrolled.crossEntropy(model.forward(unrolled.tensor(x, [B, T, I])), classes)).loss;
  });
}

/** W5, and the same with 8-bit weights and what they cost in accuracy. */
function w5() {
  latency("W5", "us_per_step_p50", "us", streaming());
  latency("W5", "us_per_step_p50", "us", streaming({ weights: "int8" }), { variant: `wasm-${core}-int8` });
  const lstm = new unrolled.LSTM(128, 256, { numLayers: 2 }).init({ seed: 1 });
  const random = new Lcg();
  const inputs = Array.from({ length: 1000 }, () => Float32Array.from({ length: 128 }, () => random.unit()));
  const { rms, rmsError, maxError } = unrolled.compareInt8(lstm, inputs);
  const more = { variant: `wasm-${core}-int8`, rms, rms_error: rmsError, max_error: maxError };
  report("W5", "relative_rms_error", rmsError / rms, "lower", more);
}

function audio() {
  const session = new unrolled.Session(new unrolled.LSTM(1, 32).init({ seed: 1 }));
  const [sample, units] = [new Float32Array(1), new Float32Array(32)];
  const random = new Lcg();
  const samples = Float32Array.from({ length: 128 }, () => random.unit());
  /** @type {number[]} */
  const blocks = [];
  const block = () => {
    const begin = performance.now();
    for (let t = 0; t < samples.length; t++) {
      sample[0] = samples[t] ?? 0;
      session.step(sample, units);
    }
    blocks.push((performance.now() - begin) * 1000);
    return units[0] ?? NaN;
  };
  latency("audio", "us_per_block_p50", "us", block);
  const settled = blocks.slice(blocks.length >> 2);
  report("audio", "us_per_step", median(settled) / 128, "lower");
  report("audio", "part_of_budget", median(settled) / ((128 / 48_000) * 1e6), "lower");
}

function w6() {
  const [T, I, H] = [100, 128, 256];
  const lstm = new unrolled.LSTM(I, H).init({ seed: 1 });
  const random = new Lcg();
  for (const B of [1, 32]) {
    const x = Float32Array.from({ length: B * T * I }, () => random.unit());
    latency("W6", `ms_per_call_b${B}`, "ms", () => {
      const { output } = lstm.run(() => lstm.forward(unrolled.tensor(x, [B, T, I])));
      return output.data[0] ?? NaN;
    });
  }
}

/** @type {Record<string, () => void | Promise<void>>} */
const workloads = {
  W1: w1,
  W2: w2,
  W2x2: () => characterModelOnThreads("W2", 2, 128, 2),
  W3: () => characterModel("W3", 512, 1),
  W3x2: () => characterModelOnThreads("W3", 2, 512, 1),
  W4: w4,
  W5: w5,
  W6: w6,
  audio,
  W7: async () => (await import("./cold-start.mjs")).w7(),
  W8: () => undefined,
  roof: async () => (await import("./roof.mjs")).roof(),
};

const name = process.argv[2] ?? "";
const work = workloads[name];
if (work === undefined) {
  console.error(`unknown workload ${JSON.stringify(name)}, expected one of ${Object.keys(workloads).join(", ")}`);
  process.exit(2);
}
const wanted = cores[core];
if (wanted === undefined) {
  console.error(`unknown core ${JSON.stringify(core)}, expected one of ${Object.keys(cores).join(", ")}`);
  process.exit(2);
}
try {
  if (core !== "simd") {
    const { loadFasterCore } = await import("unrolled/node");
    const { relaxed, revectorize } = await loadFasterCore(wanted);
    if (relaxed !== wanted.relaxed || revectorize !== (wanted.revectorize ?? false)) {
      report(name, "none", null, "higher", { status: "n/a", note: "not in this version of Node" });
      process.exit(0);
    }
  }
  await work();
} catch (error) {
  report(name, "error", null, "higher", { status: "failed", error: String(error).slice(0, 400) });
  process.exitCode = 1;
}
