// node scripts/growth.mjs: writes docs/growth.md and its pictures: how time and memory of a training update grow with the
// sizes of a model. It measures for about three minutes: run it on a machine that does nothing else. Every point is a
// process of its own, as memory that was taken is never given back.
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { build } from "./build.mjs";
import { fromRoot, main } from "./lib.mjs";

/** What a point is measured with, besides what its curve changes. */
const base = { steps: 50, batchSize: 32, hiddenSize: 128, numLayers: 1, vocabulary: 65, head: "full" };

/**
 * A point of a curve.
 * @typedef {typeof base & { recompute?: number | undefined }} Sizes
 * @typedef {{ milliseconds: number, mebibytes: number }} Cost
 * @typedef {{ title: string, file: string, text: string, label: string, values: number[], lines: { name: string, sizes: (value: number) => Partial<Sizes> }[] }} Curve
 */

/** @type {Curve[]} */
const curves = [
  {
    title: "Steps, T",
    file: "steps",
    text: "Time grows with T, and so does the memory of what forward keeps for backward.",
    label: "steps of an update",
    values: [12, 25, 50, 100, 200, 400],
    lines: [{ name: "LSTM", sizes: (steps) => ({ steps }) }],
  },
  {
    title: "Batch, B",
    file: "batch",
    text: "Time grows with B almost from the first row on: the kernels are as good for few rows as for many.",
    label: "rows of a batch",
    values: [1, 2, 4, 8, 16, 32, 64, 128],
    lines: [{ name: "LSTM", sizes: (batchSize) => ({ batchSize }) }],
  },
  {
    title: "Units, H",
    file: "units",
    text: "The recurrent products have 4 H^2 weights: time comes to grow with the square of H.",
    label: "units of a layer",
    values: [32, 64, 128, 256, 512],
    lines: [{ name: "LSTM", sizes: (hiddenSize) => ({ hiddenSize }) }],
  },
  {
    title: "Layers",
    file: "layers",
    text: "The first layer reads ids, whose product is a row of a table; those above it have a product of inputs too.",
    label: "layers",
    values: [1, 2, 3, 4, 6, 8],
    lines: [{ name: "LSTM", sizes: (numLayers) => ({ numLayers }) }],
  },
  {
    title: "Classes, V",
    file: "classes",
    text:
      "An update of 8 x 32 words with embeddings of 128. The softmax over all classes grows with V; the adaptive one " +
      "(clusters from V / 20 and V / 4) and the one over 512 drawn classes hardly do, the optimizer's update of the " +
      "tables does.",
    label: "classes",
    values: [100, 1000, 5000, 10_000, 20_000, 50_000],
    lines: ["full", "adaptive", "sampled"].map((head) => ({
      name: head,
      sizes: (vocabulary) => ({ vocabulary, head, steps: 32, batchSize: 8 }),
    })),
  },
  {
    title: "Memory with recompute",
    file: "recompute",
    text:
      "With `recompute` only every k-th state is kept, here k is about the root of T, and gates and states between are " +
      "computed again. What is left grows with T nevertheless: outputs, logits and their gradients.",
    label: "steps of an update",
    values: [100, 200, 400, 800],
    lines: [
      { name: "all states kept", sizes: (steps) => ({ steps }) },
      { name: "recompute", sizes: (steps) => ({ steps, recompute: Math.round(Math.sqrt(steps)) }) },
    ],
  },
];

const program = fileURLToPath(new URL("../test/bench/growth.mjs", import.meta.url));

/**
 * @param {Partial<Sizes>} sizes
 * @returns {Cost}
 */
const measure = (sizes) =>
  JSON.parse(execFileSync(process.execPath, [program, JSON.stringify({ ...base, ...sizes })], { encoding: "utf8" }));

/** @param {number} value */
const short = (value) => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));

await main(async () => {
  await build();
  const { curveSvg } = await import("unrolled");
  mkdirSync(fromRoot("docs", "growth"), { recursive: true });
  const page = [
    "# How time and memory grow",
    "",
    "Written by `node scripts/growth.mjs`: one training update (loss, gradients, Adam) of a character LSTM, the median of half a",
    `second of them, and the memory that the core has taken. ${cpus()[0]?.model ?? process.arch}, one thread, Node ${process.version}.`,
    "",
    `Where nothing else is said T is ${base.steps}, B ${base.batchSize}, H ${base.hiddenSize}, with one layer and ${base.vocabulary} one-hot classes.`,
  ];
  for (const { title, file, text, label, values, lines } of curves) {
    console.log(title);
    const results = lines.map(({ name, sizes }) => ({ name, costs: values.map((value) => measure(sizes(value))) }));
    const header = [label, ...lines.flatMap(({ name }) => [`${name}, ms`, `${name}, MiB`])];
    const rows = values.map((value, i) => [
      value.toLocaleString("en-US"),
      ...results.flatMap(({ costs }) => [short(costs[i]?.milliseconds ?? NaN), short(costs[i]?.mebibytes ?? NaN)]),
    ]);
    const table = [header, header.map(() => "---:"), ...rows].map((cells) => `| ${cells.join(" | ")} |`);
    for (const [unit, yLabel] of /** @type {["milliseconds" | "mebibytes", string][]} */ ([
      ["milliseconds", "ms an update"],
      ["mebibytes", "MiB"],
    ])) {
      const series = results.map(({ name, costs }) => ({
        name,
        points: costs.map((cost, i) => /** @type {[number, number]} */ ([values[i] ?? NaN, cost[unit]])),
      }));
      const options = { title, xLabel: label, yLabel, logX: true, logY: true, width: 420, height: 300 };
      writeFileSync(fromRoot("docs", "growth", `${file}-${unit}.svg`), curveSvg(series, options));
    }
    const pictures = ["milliseconds", "mebibytes"].map((unit) => `![${title}, ${unit}](growth/${file}-${unit}.svg)`);
    page.push("", `## ${title}`, "", text, "", ...table, "", pictures.join(" "));
  }
  writeFileSync(fromRoot("docs", "growth.md"), `${page.join("\n")}\n`);
});
