// npm run bench -- [--peers FOLDER] [--systems NAME,NAME] [--rounds N] [WORKLOAD ...]
//
// Times every workload (see workloads.mjs) in a process of its own: a line of JSON a metric, then a table of medians with
// their spread. Workloads that a faster core would change run on each core. With --peers the programs in FOLDER/systems, which
// take a workload and print such lines, run in turn with ours, and what all sides' losses did is compared.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { cpus, release, totalmem, type } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { compareLosses, table } from "./comparison.mjs";
import { cores } from "./timing.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { peers: { type: "string" }, systems: { type: "string" }, rounds: { type: "string", default: "1" } },
});
const rounds = Number(values.rounds);
if (!(Number.isInteger(rounds) && rounds > 0)) {
  console.error(`--rounds takes a whole number from 1, not ${values.rounds}`);
  process.exit(2);
}
const program = fileURLToPath(new URL("workloads.mjs", import.meta.url));
const oneThread = ["W1", "W2", "W3", "W4", "W5", "W6", "audio", "roof"];
const workloads = positionals.length > 0 ? positionals : [...oneThread, "W2x2", "W3x2", "W7"];
const peers =
  values.peers === undefined ? [] : (values.systems?.split(",") ?? readdirSync(join(values.peers, "systems")));

/** @type {import("./comparison.mjs").Result[]} */
const results = [];

/**
 * @param {string} command
 * @param {string[]} given
 */
function run(command, given) {
  const { status, stdout, error } = spawnSync(command, given, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (status !== 0) {
    console.error(`${[command, ...given].join(" ")}: ${error ?? `ended with ${status}`}`);
    process.exitCode = 1;
  }
  for (const line of (stdout ?? "").split("\n").filter((line) => line.startsWith("{"))) {
    console.log(line);
    results.push(JSON.parse(line));
  }
}

const [{ model = "unknown processor" } = {}, ...others] = cpus();
const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
console.log(`${model}, ${others.length + 1} threads, ${memory}; ${type()} ${release()}; Node ${process.versions.node}`);
for (let round = 0; round < rounds; round++) {
  for (const workload of workloads) {
    for (const core of oneThread.includes(workload) ? Object.keys(cores) : ["simd"]) {
      run(process.execPath, [program, workload, core]);
    }
    for (const peer of peers) run(join(values.peers ?? "", "systems", peer), [workload]);
  }
}
console.log(`\n${table(results)}`);
const odd = compareLosses(results);
for (const line of odd) console.log(line);
if (odd.length > 0) process.exitCode = 1;
