// npm run reproduce -- GROUP [TASK...]: repeats published experiments and prints a table of what the paper says, what we
// reach and whether that passes. Exits with 1 when something does not.
//   npm run reproduce -- cells            all experiments with recurrent cells
//   npm run reproduce -- cells parity     one of them
//   npm run reproduce -- language         language tasks on real data, from the folder UNROLLED_DATA
// In about half the time on Node 24 with `--import ./test/reproduce/faster.mjs`, see there.
import { cells } from "./cells/index.mjs";
import { language } from "./language/index.mjs";

/**
 * One line of the table: what was tried, what a paper or another system says or what it was tried on, what was reached.
 * @typedef {{ task: string, bar: string, pass: boolean }} Common
 * @typedef {Common & { paper: string, ours: string }} PaperRow
 * @typedef {Common & { data: string, metric: string, reached: string }} DataRow
 * @typedef {PaperRow | DataRow} Row
 *
 * What an experiment is: the source of its task and settings, and a function that runs it. `log` is for progress.
 * @typedef {{ name: string, source: string, run: (log: (line: string) => void) => Row[] | Promise<Row[]> }} Experiment
 */

/** @type {Record<string, { experiments: Experiment[], columns: string[] }>} */
const groups = {
  cells: { experiments: cells, columns: ["task", "paper", "ours", "bar"] },
  language: { experiments: language, columns: ["task", "data", "metric", "reached", "bar"] },
};

const [group = "", ...names] = process.argv.slice(2);
const chosen = groups[group];
if (chosen === undefined) {
  console.error(`npm run reproduce -- GROUP [TASK...], GROUP one of: ${Object.keys(groups).join(", ")}`);
  process.exit(2);
}
const { experiments: known, columns } = chosen;
const unknown = names.filter((name) => known.every((experiment) => experiment.name !== name));
if (unknown.length > 0) {
  console.error(`${unknown.join(", ")}: the tasks of ${group} are ${known.map(({ name }) => name).join(", ")}`);
  process.exit(2);
}

/** @type {(Row & { minutes: number })[]} */
const rows = [];
for (const { name, source, run } of known) {
  if (names.length > 0 && !names.includes(name)) continue;
  console.log(`\n${name}: ${source}`);
  const start = performance.now();
  const found = await run((line) => console.log(`  ${line}`));
  const minutes = (performance.now() - start) / 60_000;
  // The time of an experiment is written once, on its first line.
  rows.push(...found.map((row, i) => ({ ...row, minutes: i === 0 ? minutes : 0 })));
}

const line = (/** @type {string[]} */ cells) => `| ${cells.join(" | ")} |`;
console.log(`\n${line([...columns, "pass", "minutes"])}\n|${"---|".repeat(columns.length + 2)}`);
for (const { pass, minutes, ...row } of rows) {
  const values = columns.map((column) => row[/** @type {keyof typeof row} */ (column)]);
  console.log(line([...values, pass ? "yes" : "NO", minutes.toFixed(1)]));
}
const failed = rows.filter(({ pass }) => !pass).length;
console.log(`\n${rows.length - failed} of ${rows.length} reached, node ${process.version}`);
if (failed > 0) process.exitCode = 1;
