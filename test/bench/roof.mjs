// How close the core comes to what the processor can do: `node test/bench/workloads.mjs roof [core]`, a line of JSON each.
//
//   GFLOP/s  of matrix products (rows x depth x columns), beside the native peak of 128-bit registers (crate/examples/roof.rs)
//   ms       of an LSTM over a sequence, forward, and forward with backward but for the gradient of its input; beside the
//            floor: what its multiplications and additions take at that peak
//
// The peak is measured before and after each figure, and the larger one is what counts: cargo builds the program.
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

/**
 * The least of many runs, in milliseconds; first half a second to warm up.
 * @param {() => void} run
 */
function least(run) {
  for (const end = performance.now() + 500; performance.now() < end; ) run();
  let time = Infinity;
  let runs = 0;
  for (const end = performance.now() + 1000; performance.now() < end || runs < 5; runs++) {
    const before = performance.now();
    run();
    time = Math.min(time, performance.now() - before);
  }
  return time;
}

/**
 * @param {string} metric
 * @param {number} operations multiplications and additions
 * @param {() => void} run
 * @param {boolean} rate whether to print GFLOP/s in place of milliseconds
 */
function compare(metric, operations, run, rate) {
  const before = nativePeak();
  const time = least(run);
  const peak = Math.max(before, nativePeak());
  const reached = operations / time / 1e6;
  const more = { native_gflops: peak, share: Number((reached / peak).toFixed(3)) };
  if (rate) report("roof", metric, Number(reached.toFixed(1)), "higher", more);
  else report("roof", metric, time, "lower", { ...more, floor_ms: operations / peak / 1e6 });
}

const random = new Lcg();
/** @param {number} length */
const numbers = (length) => Float32Array.from({ length }, () => random.unit());

/** All of it, on the default core. */
export function roof() {
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
    compare(`product_${rows}x${depth}x${columns}`, calls * operations, run, true);
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
    compare(`lstm_forward_${sizes}`, product * (I + H), () => void runScope(getCore(), forward), false);
    const parameters = [...lstm.parameters()];
    const backward = () => void gradients(() => sum(forward()), { parameters });
    compare(`lstm_forward_backward_${sizes}`, product * (2 * (I + H) + H), backward, false);
  }
}
