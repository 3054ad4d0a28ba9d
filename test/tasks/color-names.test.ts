import { beforeAll, describe, expect, it } from "vitest";
import { paddedBatches } from "../../ts/data/padded.js";
import { ArgumentError, DataError, LoadError } from "../../ts/errors.js";
import { compareInt8 } from "../../ts/infer/compare-int8.js";
import { Session } from "../../ts/infer/session.js";
import type { Color, NamedColor } from "../../ts/inspect/swatches.js";
import { save } from "../../ts/io/model-file.js";
import { GRU } from "../../ts/nn/gru.js";
import { Linear } from "../../ts/nn/linear.js";
import { LSTM } from "../../ts/nn/lstm.js";
import { ColorNames } from "../../ts/tasks/color-names.js";
import { ids } from "../../ts/tensor/ids.js";
import { CharTokenizer } from "../../ts/text/char-tokenizer.js";
import { AdamW } from "../../ts/train/adamw.js";
import { train } from "../../ts/train/loop.js";

const tokenizer = CharTokenizer.from("abcdeghiklnoprtuvy ", { unknown: { token: "\ufffd" } });
const V = tokenizer.size;
const small = () => new ColorNames({ tokenizer, cell: LSTM, hiddenSize: 7, embeddingSize: 5 }).init({ seed: 3 });

/** Light and dark shades of red, green and blue: the words add up. */
const shades: NamedColor[] = ["red", "green", "blue"].flatMap((hue, channel) =>
  (["dark", "", "light", "deep light", "very dark"] as const).map((shade) => ({
    name: `${shade} ${hue}`.trim(),
    color: [0, 1, 2].map((c) =>
      shade.endsWith("dark")
        ? c === channel
          ? 90
          : 10
        : shade.endsWith("light")
          ? c === channel
            ? 250
            : 170
          : c === channel
            ? 220
            : 40,
    ) as unknown as Color,
  })),
);

describe("ColorNames", () => {
  let model: ColorNames;
  beforeAll(async () => {
    model = new ColorNames({ tokenizer, cell: GRU, hiddenSize: 40, embeddingSize: 16 }).init({ seed: 1 });
    const batches = paddedBatches(model.examples(shades), { batchSize: 10, seed: 1 });
    await train(model, batches, { optimizer: new AdamW(model, { lr: 1e-2 }), clipGradNorm: 1, epochs: 400 }).done;
  });

  it("writes records in both orders", () => {
    const [first, second] = small().examples([{ name: "red", color: [255, 0, 100] }]);
    const [NAME, COLOR, END] = [V, V + 1, V + 2];
    const name = [...tokenizer.encode("red")];
    // Levels of 16: 255 is 15, 100 is 6; each channel has ids of its own.
    const color = [V + 3 + 15, V + 3 + 16, V + 3 + 32 + 6];
    expect(first).toEqual({
      inputs: [END, NAME, ...name, COLOR, ...color],
      targets: [NAME, ...name, COLOR, ...color, END],
    });
    expect(second).toEqual({
      inputs: [END, COLOR, ...color, NAME, ...name],
      targets: [COLOR, ...color, NAME, ...name, END],
    });
  });

  it("expects the mean of all colours by their probabilities, summed one by one", () => {
    const model = small();
    const prompt = [V + 2, V, ...tokenizer.encode("red"), V + 1];
    const middle = (level: number) => level * 16 + 7.5;
    // The probability of each level of a channel, after the others.
    const chances = (before: number[], channel: number): number[] => {
      const { logits } = model.run(() => ({ logits: model.forward(ids([[...prompt, ...before]])).logits }));
      const from = logits.data.length - (V + 51) + V + 3 + channel * 16;
      const weights = Array.from(logits.data.subarray(from, from + 16), Math.exp);
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      return weights.map((weight) => weight / total);
    };
    const mean = [0, 0, 0];
    chances([], 0).forEach((red, r) => {
      mean[0]! += red * middle(r);
      chances([V + 3 + r], 1).forEach((green, g) => {
        mean[1]! += red * green * middle(g);
        chances([V + 3 + r, V + 19 + g], 2).forEach((blue, b) => {
          mean[2]! += red * green * blue * middle(b);
        });
      });
    });
    model.colorOf("red").forEach((value, channel) => expect(value).toBeCloseTo(mean[channel]!, 2));
  });

  it("learns the colours of names and the names of colours", () => {
    for (const { name, color } of shades) {
      model.colorOf(name).forEach((value, channel) => expect(Math.abs(value - color[channel]!), name).toBeLessThan(25));
    }
    const names = new Set(shades.map(({ name }) => name));
    const hueOf = (color: Color) => color.indexOf(Math.max(...color));
    const samples = Array.from({ length: 20 }, (_, seed) => model.sample({ seed, temperature: 0.2 }));
    expect(samples.filter(({ name }) => names.has(name)).length).toBeGreaterThan(15);
    const right = samples.filter(({ name, color }) => name.endsWith(["red", "green", "blue"][hueOf(color)]!));
    expect(right.length).toBeGreaterThan(15);
    for (const [channel, hue] of ["red", "green", "blue"].entries()) {
      const color = [0, 1, 2].map((c) => (c === channel ? 90 : 10)) as unknown as Color;
      expect(model.nameOf(color, { temperature: 0 })).toMatch(new RegExp(`dark ${hue}$`));
    }
    const scores = model.evaluate(shades);
    expect(scores.colorError).toBeLessThan(15);
    // A colour says more than half of its name.
    expect(scores.nameBitsGivenColor).toBeLessThan(scores.nameBits / 2);
  });

  it("takes single steps that are the sequence, also with 8-bit weights", () => {
    const prompt = [V + 2, V, ...tokenizer.encode("red")];
    const { data } = model.run(() => model.forward(ids([prompt])).logits);
    const session = new Session(model);
    expect(prompt.flatMap((id) => [...session.step(id)])).toEqual([...data]);
    const { rms, rmsError } = compareInt8(model, prompt);
    expect(rmsError).toBeLessThan(0.05 * rms);
  });

  it("draws the same from the same seed", () => {
    expect(model.sample({ seed: 5 })).toEqual(model.sample({ seed: 5 }));
    expect(model.nameOf([200, 30, 30], { seed: 2 })).toBe(model.nameOf([200, 30, 30], { seed: 2 }));
  });

  it("always writes a whole record, also untrained", () => {
    const model = new ColorNames({ tokenizer, cell: LSTM, hiddenSize: 6, maxLength: 8 }).init({ seed: 9 });
    for (let seed = 0; seed < 30; seed++) {
      const { name, color } = model.sample({ seed, temperature: 3 });
      expect(name.length).toBeLessThanOrEqual(8);
      for (const channel of color) expect((channel - 7.5) / 16).toBe(Math.round((channel - 7.5) / 16));
      expect(Math.min(...color)).toBeGreaterThan(0);
      expect(Math.max(...color)).toBeLessThan(256);
    }
  });

  it("comes back from its file", () => {
    const again = ColorNames.from(save(model));
    expect(again.colorOf("light green")).toEqual(model.colorOf("light green"));
    expect(again.sample({ seed: 1 })).toEqual(model.sample({ seed: 1 }));
    const bytes = save(new Linear(2, 3).init({ seed: 1 }));
    expect(() => ColorNames.from(bytes)).toThrow(LoadError);
  });

  it("has an answer for any name", () => {
    for (const name of ["", "\u{1f600}\ud800", "x".repeat(1_000_000), "ZZZ \0"]) {
      for (const channel of model.colorOf(name)) expect(channel >= 0 && channel <= 255).toBe(true);
    }
    expect(model.colorOf("red".repeat(40))).toEqual(model.colorOf("red".repeat(50)));
  });

  it("refuses what is no colour, and no examples", () => {
    for (const color of [
      [0, 0],
      [0, 0, 256],
      [0, -1, 0],
      [NaN, 0, 0],
    ]) {
      expect(() => model.examples([{ name: "a", color: color as unknown as Color }])).toThrow(DataError);
    }
    expect(() => model.nameOf([0, 0, 300])).toThrow(ArgumentError);
    expect(() => model.evaluate([])).toThrow(DataError);
  });
});
