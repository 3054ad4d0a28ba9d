import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../cli/command.js";
import { parseSvg } from "../inspect/svg.js";
import { outputOf } from "./run.js";

const scratch = temporaryFolder();

describe("examples", () => {
  it("char-lm.mjs learns, saves and samples", async () => {
    const output = await outputOf("char-lm.mjs");
    const losses = [...output.matchAll(/^\d+ ([\d.]+) [\d.]+$/gm)].map(([, loss]) => Number(loss));
    expect(losses).toHaveLength(6);
    // A text of about a hundred different characters starts at ln 100 = 4.6 nats.
    expect(losses[5]).toBeLessThan(2.7);
    expect(output.split("\n").length).toBeGreaterThan(8);
  });

  it("threads.mjs learns the same on one, two and three threads", async () => {
    const runs = await Promise.all(["1", "2", "3"].map((threads) => outputOf("threads.mjs", threads)));
    const [alone = [], ...split] = runs.map((output) =>
      Array.from(output.matchAll(/^\d+ ([\d.]+)$/gm), ([, loss]) => Number(loss)),
    );
    expect(alone).toHaveLength(4);
    expect(alone[3]).toBeLessThan(alone[0] as number);
    expect(runs.every((output) => /^validation [\d.]+$/m.test(output))).toBe(true);
    for (const losses of split) losses.forEach((loss, i) => expect(loss).toBeCloseTo(alone[i] as number, 2));
  });

  it("tagger.mjs finds the peaks", async () => {
    // Peaks are about a third, so the commonest tag alone would reach two thirds.
    const accuracy = Number(/accuracy on new sequences: ([\d.]+)%/.exec(await outputOf("tagger.mjs"))?.[1]);
    expect(accuracy).toBeGreaterThan(95);
  });

  it("hello.mjs spells hello one character at a time, certain of each", async () => {
    const output = await outputOf("hello.mjs");
    const steps = [...output.matchAll(/^([helo]) +([\d. ]+?) {2}([helo])$/gm)].map(([, read, row = "", next]) => ({
      read,
      row: row.split(" ").map(Number),
      next,
    }));
    expect(steps.map(({ read, next }) => `${read}${next}`)).toEqual(["he", "el", "ll", "lo"]);
    for (const { row, next = "" } of steps) {
      expect(row).toHaveLength(4);
      expect(row["helo".indexOf(next)]).toBeGreaterThan(0.99);
      // Printed to 4 digits.
      expect(row.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 3);
    }
    expect(output.trimEnd().split("\n").at(-1)).toBe("hello");
  });

  it("dinner.mjs predicts every dinner, by hand-set weights exactly and by learned ones", async () => {
    const [schedule = "", byHand = "", learned = ""] = (await outputOf("dinner.mjs", "--days", "25")).split("\n\n");
    expect(schedule.split("\n").slice(1)).toEqual([
      "pizza -> sushi [0 1 0]",
      "sushi -> waffles [0 0 1]",
      "waffles -> pizza [1 0 0]",
      "pizza -> sushi [0 1 0]",
    ]);
    const dishes = ["apple pie", "burger", "chicken"];
    for (const cook of [byHand, learned]) {
      const days = [...cook.matchAll(/^(sunny|rainy): ([a-z ]+?) +\[ *(.*)\]$/gm)];
      expect(days).toHaveLength(25);
      let dish = 0;
      for (const [, weather, dinner, scores = ""] of days) {
        if (weather === "rainy") dish = (dish + 1) % 3;
        expect(dinner).toBe(dishes[dish]);
        if (cook === byHand) expect(scores.split(/ +/).map(Number)).toEqual([0, 1, 2].map((d) => Number(d === dish)));
      }
      expect(cook).toContain("predicted 1000 of 1000 dinners");
    }
  });

  it("by-hand.mjs finds the gradients of the tape, whole and truncated", async () => {
    const parts = (await outputOf("by-hand.mjs")).trim().split("\n\n");
    expect(parts).toHaveLength(2);
    const recurrent = parts.map((part) => {
      const rows = [...part.matchAll(/^ +([\w.]+\[[\d,]+\]) +(-?[\d.]+) +(-?[\d.]+) +([\d.e+-]+)$/gm)];
      // W_ih 3x2, W_hh 3x3, two biases of 3, V 4x3, c of 4, h_0 of 3.
      expect(rows).toHaveLength(6 + 9 + 6 + 12 + 4 + 3);
      for (const [, name, hand, tape] of rows) expect(Number(tape), name).toBeCloseTo(Number(hand), 5);
      expect(Number(/largest relative difference: (.*)/.exec(part)?.[1])).toBeLessThan(2e-6);
      return rows.find(([, name]) => name === "rnn.weight_hh_l0[0,0]")?.[2];
    });
    // Truncation is no rounding: it leaves terms out.
    expect(Math.abs(Number(recurrent[0]) - Number(recurrent[1]))).toBeGreaterThan(1e-3);
  });

  it("remedies.mjs shows gradients that explode, vanish and last, and which remedies learn", async () => {
    const picture = resolve(scratch, "remedies.svg");
    const output = await outputOf("remedies.mjs", "--quick", "--svg", picture);
    const [flows = "", accuracies = ""] = output.split("\n\n");
    const first = (name: string): number =>
      Number(
        flows
          .split("\n")
          .find((line) => line.startsWith(`${name} `))
          ?.trim()
          .split(/ +/)
          .at(-1),
      );
    const row = (name: string): number[] =>
      [
        ...(accuracies
          .split("\n")
          .find((line) => line.startsWith(`${name} `))
          ?.matchAll(/ (\d+)%| - x/g) ?? []),
      ].map(([, percent]) => Number(percent));
    expect(first("tanh, default")).toBeLessThan(1e-5);
    expect(first("tanh, small")).toBeLessThan(1e-20);
    expect(first("ReLU, large")).toBeGreaterThan(100);
    for (const name of ["tanh, orthogonal", "tanh, identity", "ReLU, identity (IRNN)", "LSTM"]) {
      expect(first(name), name).toBeGreaterThan(1e-3);
      expect(first(name), name).toBeLessThan(0.1);
    }
    // Columns: SGD, SGD clipped, SGD truncated, RMSprop, RMSprop clipped. A vanished gradient is not brought back by
    // training; an exploding one is tamed by clipping; gates and RMSprop together learn.
    for (const accuracy of row("tanh, default").slice(0, 3)) expect(accuracy).toBeLessThan(40);
    expect(row("ReLU, large")[0]).toBeNaN();
    expect(row("ReLU, large")[1]).not.toBeNaN();
    expect(row("tanh, orthogonal")[1]).toBeGreaterThan(90);
    for (const name of ["tanh, orthogonal", "tanh, identity", "ReLU, identity (IRNN)", "LSTM", "GRU"]) {
      expect(Math.max(...row(name).slice(3)), name).toBeGreaterThan(90);
    }
    const drawing = readFileSync(picture, "utf8");
    expect(drawing).toMatch(/^<svg [^>]*>.*<\/svg>\n$/s);
    expect(drawing).not.toMatch(/NaN|undefined|Infinity/);
    expect(drawing.match(/<polyline /g)).toHaveLength(9);
    expect(drawing.match(/<rect /g)).toHaveLength(1 + 9 * 5);
  });

  it("gradients.mjs shows what vanishes and what lasts, and draws it", async () => {
    const folder = resolve(scratch, "gradients");
    const [flows = "", jacobians = "", trained = ""] = (
      await outputOf("gradients.mjs", "--quick", "--out", folder)
    ).split("\n\n");
    for (const table of [flows, jacobians]) {
      const last = (name: string): number =>
        Number(
          table
            .split("\n")
            .find((line) => line.startsWith(`${name}  `))
            ?.trim()
            .split(/ +/)
            .at(-1),
        );
      expect(last("tanh RNN")).toBeLessThan(1e-8);
      expect(last("LSTM")).toBeLessThan(1e-5);
      expect(last("GRU")).toBeLessThan(1e-4);
      expect(last("LSTM, forget bias 3")).toBeGreaterThan(1e-2);
    }
    // A guess is ln 4 = 1.39 nats.
    expect(Number(/: ([\d.]+) nats/.exec(trained)?.[1])).toBeLessThan(1.2);
    const drawings = ["gradients", "jacobians", "saturation", "survival", "gate-i", "gate-f", "gate-o", "gate-c"];
    for (const name of drawings) {
      const source = readFileSync(resolve(folder, `${name}.svg`), "utf8");
      parseSvg(source);
      expect(source, name).not.toMatch(/NaN|undefined|Infinity/);
    }
  });

  it.each(["hello", "dinner", "by-hand", "remedies", "gradients", "char-lm", "threads"])(
    "%s.mjs --help says how to run it",
    async (name) => {
      expect(await outputOf(`${name}.mjs`, "--help")).toContain(`node examples/${name}.mjs [`);
    },
  );
});
