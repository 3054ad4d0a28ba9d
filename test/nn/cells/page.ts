/** The page docs/cells.md: every recurrent cell with its source, its size, how well its gradients hold, and its time. */
import type * as u from "../../../ts/index.js";
import { catalogue, type Entry } from "./catalogue.js";
import { declare, equationErrors } from "./check.js";
import { measurement, relativeTimes } from "./times.js";

/** Sizes with large prime factors, so that a dimension tells what it is made of; H is even, for heads. */
const letters: Readonly<Record<string, number>> = { I: 1009, H: 2026, O: 503, P: 251 };
/** Sizes of the column of counts. */
const typical: Readonly<Record<string, number>> = { I: 64, H: 128, O: 32, P: 32 };

/** Number of parameters of one layer, for example `4 H I + 4 H H + 4 H`. */
export function formula(entry: Entry): string {
  const terms = new Map<string, number>();
  for (const { shape } of declare(entry, letters).parameters()) {
    let factor = 1;
    const names = shape.map((length) => {
      const [letter, size] = Object.entries(letters).find(([, value]) => (2 * length) % value === 0) ?? ["", 1];
      factor *= length / size;
      return letter;
    });
    const product = names.sort().join(" ");
    terms.set(product, (terms.get(product) ?? 0) + factor);
  }
  return [...terms].map(([product, count]) => (count === 1 ? product : `${count} ${product}`)).join(" + ");
}

function total(entry: Entry): number {
  return declare(entry, typical)
    .parameters()
    .reduce((sum, { size }) => sum + size, 0);
}

/** What a row says apart from what is measured. */
export function rowOf(entry: Entry): readonly string[] {
  return [
    entry.name,
    entry.source,
    `[${entry.file}](../ts/nn/${entry.file})`,
    formula(entry),
    total(entry).toLocaleString("en"),
  ];
}

const introduction = (machine: string): string => `# Recurrent cells

Written by \`node scripts/cells.mjs\`. Each file begins with the cell's paper, its equations and the names of its parameters.

All are layers like \`LSTM\`: \`new MinGRU(64, 128, { numLayers: 2, bidirectional: true })\`; compiled ones have a class
of one step, \`MinGRU.Cell\`. \`Jordan\` and \`LRU\` take \`outputSize\`. Cells with choices in their equations have a
function that makes the class: \`defineJordan({ outputActivation: "softmax" })\`, \`defineSLSTM({ heads: 4 })\`,
\`defineRecurrentHighway({ depth: 10 })\`, \`defineLRU({ minRadius: 0.9 })\`; \`defineCell\` makes a class of equations of your own.

\`RNN\`, \`LSTM\` and \`GRU\` are fused by hand in the core. \`CompiledRNN\`, \`CompiledLSTM\`, \`CompiledProjectedLSTM\` and
\`CompiledGRU\` compute the same with the same parameters (\`compiled.loadStateDict(fused.stateDict())\`), for what only compiled layers take:
gates held at a number, states reset in mid-sequence, zoneout, dropout of the recurrence.

- Parameters: of one layer, I inputs, H units, O outputs, P the projection's size; the count is for I = ${typical["I"]}, H = ${typical["H"]},
  O and P = ${typical["O"]}. Cells without an I need inputSize = hiddenSize.
- Gradient error: the largest of all gradients, of inputs, initial states and parameters, each relative to the largest magnitude of what it
  should be: central differences of the paper's equations in float64 (test/nn/cells).
- Time: forward and back, relative to the fused \`LSTM\`, of T = ${measurement.steps} steps of B = ${measurement.batch} rows, I = H = ${measurement.sizes["H"]}; the median of
  runs that took turns, on ${machine}.
`;

/**
 * The whole page.
 * @param machine what the times are measured on
 */
export function cellsPage(core: u.Core, machine: string): string {
  const header = ["cell", "source", "file in ts/nn", "parameters", "count", "gradient error", "time"];
  const times = relativeTimes(catalogue, core, measurement);
  const rows = catalogue.map((entry) => [
    ...rowOf(entry),
    equationErrors(entry, core).gradients.toExponential(1),
    (times.get(entry.name) as number).toFixed(2),
  ]);
  const lines = [header, header.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`);
  return `${introduction(machine)}\n${lines.join("\n")}\n`;
}
