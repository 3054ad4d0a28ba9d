// Results of several systems, and rounds, beside each other.
import { median } from "./timing.mjs";

/**
 * A line that a system prints.
 * @typedef {object} Result
 * @property {string} system
 * @property {string} variant
 * @property {string} workload
 * @property {string} metric
 * @property {number | null} value
 * @property {"higher" | "lower"} better
 * @property {number} [steps] measured, after a warm-up that is not counted
 * @property {number} [loss_first]
 * @property {number} [loss_last]
 * @property {Record<string, string>} [versions]
 */

/**
 * In the order in which each first came.
 * @template T
 * @param {readonly T[]} items
 * @param {(item: T) => string} key
 * @returns {Map<string, T[]>}
 */
function grouped(items, key) {
  /** @type {Map<string, T[]>} */
  const groups = new Map();
  for (const item of items) {
    const name = key(item);
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [item]);
    else group.push(item);
  }
  return groups;
}

/** @param {readonly Result[]} results */
const measured = (results) => results.filter(({ value }) => value !== null);

/** @param {Result} result */
const systemOf = ({ system, variant, versions = {} }) =>
  [system, variant, ...Object.entries(versions).map(([name, version]) => `${name} ${version}`)].join(" ");

/** @param {number | undefined} loss */
const shown = (loss) => loss?.toFixed(3) ?? "";

/**
 * A table in Markdown, best first: medians over the rounds, by how much the rounds differ, the ratio to our portable core (above 1:
 * better than it), and the losses of training.
 * @param {readonly Result[]} results
 */
export function table(results) {
  const lines = ["| workload | system | median | spread | to ours | loss |", "|---|---|---|---|---|---|"];
  for (const [name, all] of grouped(measured(results), ({ workload, metric }) => `${workload} ${metric}`)) {
    const rows = [...grouped(all, systemOf)].map(([system, rounds]) => {
      const values = rounds.map(({ value }) => value ?? NaN);
      const middle = median(values);
      const spread = (Math.max(...values) - Math.min(...values)) / middle;
      return { system, middle, spread, result: /** @type {Result} */ (rounds[0]) };
    });
    const ours = rows.find(({ result }) => result.system.startsWith("unrolled") && result.variant === "wasm-simd");
    const higher = rows[0]?.result.better === "higher";
    rows.sort((a, b) => (higher ? b.middle - a.middle : a.middle - b.middle));
    for (const { system, middle, spread, result } of rows) {
      const ratio = ours === undefined ? NaN : higher ? middle / ours.middle : ours.middle / middle;
      const { loss_first: first, loss_last: last, steps } = result;
      const loss = first === undefined ? "" : `${shown(first)} to ${shown(last)} in ${steps}`;
      const cells = [name, system, middle.toPrecision(5), `${(100 * spread).toFixed(0)}%`];
      lines.push(`| ${[...cells, Number.isNaN(ratio) ? "" : ratio.toFixed(3), loss].join(" | ")} |`);
    }
  }
  return lines.join("\n");
}

/** By how much first losses may differ, nats: initial weights are of each system's own kind. */
const FIRST = 0.4;
/** How much less than the others a system may learn in a step. */
const LEAST_LEARNED = 5;

/**
 * Whether all did the same work: models that know nothing have one loss, and a step teaches all about as much. Answers what
 * is odd, a line each.
 * @param {readonly Result[]} results
 */
export function compareLosses(results) {
  const odd = [];
  const training = measured(results).filter(({ loss_first: first }) => first !== undefined);
  for (const [workload, all] of grouped(training, ({ workload }) => workload)) {
    const known = all.map((result) => {
      const { loss_first: first = NaN, loss_last: last = NaN, steps = 1 } = result;
      return { system: systemOf(result), first, last, learned: (first - last) / steps };
    });
    const first = median(known.map((result) => result.first));
    const learned = median(known.map((result) => result.learned));
    for (const result of known) {
      if (!(Math.abs(result.first - first) <= FIRST)) {
        odd.push(`${workload} ${result.system}: a first loss of ${shown(result.first)}, others ${shown(first)}`);
      }
      if (!(result.last < result.first)) odd.push(`${workload} ${result.system}: it does not learn`);
      else if (result.learned < learned / LEAST_LEARNED) {
        odd.push(`${workload} ${result.system}: learns ${(learned / result.learned).toFixed(1)} times less in a step`);
      }
    }
  }
  return odd;
}
