// npm run bench [-- W1 W5 ...]: every workload in a process of its own, one line of JSON a metric; those that a faster core
// would change, on each core.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { cores } from "./timing.mjs";

const program = fileURLToPath(new URL("workloads.mjs", import.meta.url));
const oneThread = ["W1", "W2", "W3", "W4", "W5", "W6", "audio"];
const given = process.argv.slice(2);
for (const workload of given.length > 0 ? given : [...oneThread, "W2x2", "W3x2", "W7"]) {
  for (const core of oneThread.includes(workload) ? Object.keys(cores) : ["simd"]) {
    const { status } = spawnSync(process.execPath, [program, workload, core], { stdio: "inherit" });
    if (status !== 0) process.exitCode = 1;
  }
}
