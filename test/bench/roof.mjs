// How close the core comes to what the processor can do: `node test/bench/workloads.mjs roof [core]`, a line of JSON each.
//
//   GFLOP/s  of matrix products (rows x depth x columns), beside the native peak of 128-bit registers (crate/examples/roof.rs)
//   ms       of an LSTM over a sequence, forward, and forward with backward but for the gradient of its input; beside the
//            floor: what its multiplications and additions take at that peak
//
// All is measured in turns, several rounds of it, for a noisy machine: the least time and the highest peak of the run count.
// Cargo builds the program of the peak.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { getCore, gradients, LSTM, runScope, sum, tensor } from "unrolled";
import { core, cores, Lcg, report } from "./timing.mjs";

const crate = fileURLToPath(new URL("../../crate", import.meta.url));
/** Relaxed cores fuse multiplication and addition. */
const fuses = cores[core]?.relaxed;

/** GFLOP/s. */
function nativePeak() {
  const cargo = ["run", "--quiet", "--release", "--locked", "--example", "roof"];
  const { status, stdout, error } = spawnSync("cargo", cargo, { cwd: crate, stdio: ["ignore", "pipe", "inherit"] });
  if (status !== 0) throw error ?? new Error(`cargo ${cargo.join(" ")} ended with ${status}`);
  const { fused, multiply_add: separate } = JSON.parse(`${stdout}`);
  return fuses ? Math.max(fused, separate) : separate;
}

const rounds = 5;
const roundMilliseconds = 400;

/** @typedef {{ metric: string, operations: number, run: () => void, rate: boolean }} Figure */

/**
 * The least of many runs, in milliseconds.
 * @param {() => void} run
 */
function least(run) {
  let time = Infinity;
  let runs = 0;
  for (const end = performance.now() + roundMilliseconds; performance.now() < end || runs < 2; runs++) {
    const before = performance.now();
    run();
    time = Math.min(time, performance.now() - before);
  }
  return time;
}

/**
 * @param {Figure[]} figures `operations` are multiplications and additions, `rate` is whether to print GFLOP/s in place of
 *   milliseconds
 */
function compare(figures) {
  const times = figures.map(() => Infinity);
  let peak = 0;
  // Round 0 warms up.
  for (let round = 0; round <= rounds; round++) {
    figures.forEach(({ run }, i) => {
      peak = Math.max(peak, nativePeak());
      const time = least(run);
      if (round > 0) times[i] = Math.min(times[i] ?? Infinity, time);
    });
  }
  figures.forEach(({ metric, operations, rate }, i) => {
    const time = times[i] ?? Infinity;
    const reached = operations / time / 1e6;
    const more = { native_gflops: peak, share: Number((reached / peak).toFixed(3)) };
    if (rate) report("roof", metric, Number(reached.toFixed(1)), "higher", more);
    else report("roof", metric, time, "lower", { ...more, floor_ms: operations / peak / 1e6 });
  });
}

const random = new Lcg();
/** @param {number} length */
const numbers = (length) => Float32Array.from({ length }, () => random.unit());

/** All of it, on the default core. */
export function roof() {
  /** @type {Figure[]} */
  const figures = [];
  for (const [rows, depth, columns] of /** @type {const} */ ([
    [8, 256, 512],
    [32, 256, 1024],
    [50, 128, 512],
    [256, 512, 512],
  ])) {
    const { raw } = getCore();
    const operations = 2 * rows * depth * columns;
    /** @param {number} length */
    const filled = (length) => {
      const pointer = getCore().alloc(4 * length);
      getCore().f32.set(numbers(length), pointer / 4);
      return pointer;
    };
    const [x, w, y] = [filled(rows * depth), filled(columns * depth), filled(rows * columns)];
    const packed = getCore().alloc(raw.ur_packed_bytes(0, columns, depth));
    raw.ur_pack(0, w, columns, depth, packed);
    // Calls of a hundredth of a millisecond are timed together.
    const calls = Math.ceil(1e7 / operations);
    const run = () => {
      for (let call = 0; call < calls; call++) raw.ur_linear_forward(x, rows, depth, columns, packed, 0, y);
    };
    figures.push({ metric: `product_${rows}x${depth}x${columns}`, operations: calls * operations, run, rate: true });
  }

  for (const [T, B, I, H] of /** @type {const} */ ([
    [50, 50, 65, 128],
    [50, 50, 65, 512],
    [100, 32, 128, 256],
  ])) {
    const lstm = new LSTM(I, H).init({ seed: 1 });
    const x = tensor(numbers(B * T * I), [B, T, I]);
    const product = 2 * T * B * 4 * H;
    const forward = () => lstm.forward(x).output;
    const sizes = `T${T}_B${B}_I${I}_H${H}`;
    const inference = () => void runScope(getCore(), forward);
    figures.push({ metric: `lstm_forward_${sizes}`, operations: product * (I + H), run: inference, rate: false });
    const parameters = [...lstm.parameters()];
    const backward = () => void gradients(() => sum(forward()), { parameters });
    const operations = product * (2 * (I + H) + H);
    figures.push({ metric: `lstm_forward_backward_${sizes}`, operations, run: backward, rate: false });
  }
  compare(figures);
}
