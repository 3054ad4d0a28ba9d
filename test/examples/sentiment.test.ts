/** Examples with classes of texts: what they print and write, with generated sentences and with files. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { HybridClassifier } from "../../ts/index.js";
import { temporaryFolder } from "../cli/command.js";
import { parseSvg } from "../inspect/svg.js";
import { outputOf } from "./run.js";

const scratch = temporaryFolder();

/** The rows of the table of models: accuracy and macro-F1. */
const scoresOf = (output: string) =>
  new Map(
    [...output.matchAll(/^(naive Bayes|bidirectional \w+|together) +([\d.]+) +([\d.]+)$/gm)].map(
      ([, name, accuracy, f1]) => [name, [Number(accuracy), Number(f1)]] as const,
    ),
  );

/** Training losses, and those of what is held out. */
const lossesOf = (output: string) =>
  [...output.matchAll(/^epoch \d+ {2}training ([\d.]+) nats {2}held out ([\d.]+) nats$/gm)].map(([, ...losses]) =>
    losses.map(Number),
  );

/** The counts of a confusion matrix as it is printed. */
const countsOf = (output: string, label: string) =>
  new RegExp(`^${label} +(\\d[\\d ]*)$`, "m").exec(output)?.[1]?.split(/ +/).map(Number);

describe("sentiment.mjs", () => {
  it("learns, shows confusions and which words moved it, and writes what a later process loads", async () => {
    const out = resolve(scratch, "sentiment");
    const output = await outputOf("sentiment.mjs", "--out", out);
    const losses = lossesOf(output);
    expect(losses.at(-1)![0]).toBeLessThan(losses[0]![0]! / 4);
    const scores = scoresOf(output);
    expect([...scores.keys()]).toEqual(["naive Bayes", "bidirectional LSTM", "together"]);
    for (const [name, [accuracy]] of scores) expect(accuracy, name).toBeGreaterThan(0.85);
    expect(countsOf(output, "negative")).toHaveLength(2);
    expect(output).toContain('"There is nothing to like in this movie."');
    expect(
      output.match(/for "negative": There [-+][\d.]+ {2}is .* {2}movie [-+][\d.]+ {2}\. [-+][\d.]+$/gm),
    ).toHaveLength(3);
    const nothing = [...output.matchAll(/ nothing ([-+][\d.]+)/g)].map(([, weight]) => Number(weight));
    for (const weight of nothing) expect(weight).toBeGreaterThan(0.3);
    parseSvg(readFileSync(resolve(out, "confusion.svg"), "utf8"));
    expect(readFileSync(resolve(out, "words.html"), "utf8").match(/>nothing<\/span>/g)).toHaveLength(3);
    const model = HybridClassifier.from(readFileSync(resolve(out, "sentiment.safetensors")));
    expect(model.predict("There is nothing to like in this movie.").label).toBe("negative");
  });

  it("takes five classes", async () => {
    const output = await outputOf("sentiment.mjs", "--classes", "5");
    expect(countsOf(output, "very positive")).toHaveLength(5);
    expect(scoresOf(output).get("together")![0]).toBeGreaterThan(0.7);
  });

  it("reads files of sentences and vectors", async () => {
    const [data, evaluation, vectors] = ["train.tsv", "dev.tsv", "vectors.txt"].map((name) => resolve(scratch, name));
    const words = ["good", "fine", "bad", "poor"];
    const sentences = words.flatMap((word, i) =>
      ["a W film", "so W !", "W as ever"].map((text) => [text.replace("W", word), i < 2 ? 1 : 0]),
    );
    writeFileSync(data!, sentences.flatMap((row) => Array(5).fill(row.join("\t"))).join("\n"));
    writeFileSync(evaluation!, "such a good film\t1\nhow poor\t0\n");
    writeFileSync(vectors!, words.map((word, i) => `${word} ${i < 2 ? "1 0.5" : "-1 0.5"}`).join("\n"));
    const args = ["--data", data!, "--eval", evaluation!, "--vectors", vectors!, "--text", "good", "--epochs", "8"];
    const output = await outputOf("sentiment.mjs", ...args);
    expect(output).toContain("60 sentences to train on, 2 to score on, 4 vectors");
    expect(scoresOf(output).get("naive Bayes")).toEqual([1, 1]);
  });
});

describe("names.mjs", () => {
  it("learns, shows confusions and which letters moved it", async () => {
    const out = resolve(scratch, "names");
    const output = await outputOf("names.mjs", "--out", out, "--names", "Kurosawa, 🦆");
    expect(scoresOf(output).get("together")![0]).toBeGreaterThan(0.7);
    expect(countsOf(output, "Russian")).toHaveLength(3);
    expect(output).toMatch(/^Kurosawa: \w+ [\d.]+ {2}K [-+][\d.]+ {2}u .* {2}a [-+][\d.]+$/m);
    expect(output).toMatch(/^🦆: \w+ [\d.]+ {2}🦆 \+0\.00$/m);
    parseSvg(readFileSync(resolve(out, "confusion.svg"), "utf8"));
    expect(readFileSync(resolve(out, "letters.html"), "utf8")).toContain(">K</span>");
  });

  it("reads a folder of names, and takes balanced classes and attention", async () => {
    const folder = resolve(scratch, "by-nationality");
    mkdirSync(folder);
    const names = {
      Ending: ["Tana", "Mora", "Kela", "Saka", "Lara"],
      Other: ["Tanov", "Morov", "Kelov", "Sakov", "Larov"],
    };
    for (const [label, list] of Object.entries(names))
      writeFileSync(resolve(folder, `${label}.txt`), `${list.join("\n")}\n`);
    const args = ["--data", folder, "--eval", folder, "--balanced", "--pooling", "attention", "--epochs", "2"];
    const output = await outputOf("names.mjs", ...args);
    expect(output).toContain("10 names to train on, 10 to score on, 2 nationalities");
    expect(countsOf(output, "Ending")).toHaveLength(2);
  });
});

it.each(["sentiment", "names"])("%s.mjs --help says how to run it and where the data are", async (name) => {
  const help = await outputOf(`${name}.mjs`, "--help");
  expect(help).toContain(`node examples/${name}.mjs [`);
  expect(help).toMatch(/https:\/\/\S+/);
});
