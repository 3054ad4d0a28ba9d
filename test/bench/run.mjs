// npm run bench [-- W1 W5 ...]: every workload in a process of its own, one line of JSON a metric.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(new URL("workloads.mjs", import.meta.url));
const given = process.argv.slice(2);
for (const workload of given.length > 0 ? given : ["W1", "W2", "W2x2", "W3", "W3x2", "W4", "W5", "W6", "W7"]) {
  const { status } = spawnSync(process.execPath, [program, workload], { stdio: "inherit" });
  if (status !== 0) process.exitCode = 1;
}
