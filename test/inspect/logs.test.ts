import { describe, expect, it } from "vitest";
import { confusionSvg } from "../../ts/inspect/confusion-svg.js";
import { csvLog } from "../../ts/inspect/csv-log.js";
import { curveSvg, lossCurve } from "../../ts/inspect/curve.js";
import { summarizeModel } from "../../ts/inspect/summary.js";
import { escapeXml } from "../../ts/inspect/svg.js";
import { constant } from "../../ts/nn/initializers.js";
import { Linear } from "../../ts/nn/linear.js";
import { LSTM } from "../../ts/nn/lstm.js";
import { Module } from "../../ts/nn/module.js";
import { sub } from "../../ts/tensor/binary.js";
import { Parameter } from "../../ts/tensor/parameter.js";
import { mean } from "../../ts/tensor/reduce.js";
import type { Tensor } from "../../ts/tensor/tensor.js";
import { square } from "../../ts/tensor/unary.js";
import { type TrainEvent, train } from "../../ts/train/loop.js";
import { ConfusionMatrix } from "../../ts/train/metrics/confusion.js";
import { SGD } from "../../ts/train/sgd.js";

class Point extends Module {
  readonly w = new Parameter([1], constant(0));

  loss(target: number): Tensor {
    return mean(square(sub(this.w, target)));
  }
}

/** Every element of a document, checked to be closed, with its attributes. */
function elements(svg: string): { name: string; attributes: Record<string, string>; text: string }[] {
  const found: { name: string; attributes: Record<string, string>; text: string }[] = [];
  const open: (typeof found)[number][] = [];
  for (const [, close, name, attributes, single, text] of svg.matchAll(/<(\/?)(\w+)([^<>]*?)(\/?)>([^<]*)/g)) {
    if (close === "/") {
      expect(open.pop()?.name).toBe(name);
      continue;
    }
    const pairs = [...attributes!.matchAll(/([\w:-]+)="([^"]*)"/g)].map(([, key, value]) => [key!, value!]);
    const element = { name: name!, attributes: Object.fromEntries(pairs) as Record<string, string>, text: text! };
    found.push(element);
    if (single !== "/") open.push(element);
  }
  expect(open).toEqual([]);
  return found;
}

describe("csvLog", () => {
  it("writes a row for every report and validation", async () => {
    const lines: string[] = [];
    const model = new Point().init();
    const onEvent = csvLog(async (line) => void lines.push(line));
    await train(model, [1, 3], { optimizer: new SGD(model, { lr: 0.5 }), valid: [5], onEvent }).done;
    const rows = lines.map((line) => {
      expect(line.endsWith("\n")).toBe(true);
      return line.slice(0, -1).split(",");
    });
    expect(rows[0]).toEqual(
      ["update", "epoch", "targets", "lr", "loss", "smoothLoss", "gradNorm", "charsPerSecond", "validLoss"], //
    );
    expect(rows.slice(1).map((row) => [...row.slice(0, 5), row[6], row[8]])).toEqual([
      ["1", "1", "1", "0.5", "1", "2", ""],
      ["2", "1", "2", "0.5", "4", "4", ""],
      ["2", "1", "", "", "", "", "4"],
    ]);
    const more: string[] = [];
    await csvLog((line) => more.push(line), { header: false })({ kind: "start" } as TrainEvent);
    expect(more).toEqual([]);
  });
});

describe("curveSvg", () => {
  it("places points in proportion, and axes say where", () => {
    const points = [
      [0, 2],
      [10, 4],
      [40, 3],
    ] as const;
    const svg = curveSvg([{ name: "a <b>", points }], { title: "T & t", width: 480, height: 284 });
    const found = elements(svg);
    const line = found.find(({ attributes }) => attributes["stroke-width"] === "1.5")!;
    // The plot is 400 x 200, from (64, 36).
    expect(line.attributes["d"]).toBe("M64 236L164 36L464 136");
    const ticks = found.filter(({ name, text }) => name === "text" && /^[\d.]+$/.test(text));
    expect(ticks.map(({ text }) => text)).toEqual(["0", "10", "20", "30", "40", "2", "2.5", "3", "3.5", "4"]);
    expect(found.some(({ text }) => text === "T &amp; t")).toBe(true);
    expect(found.some(({ text }) => text === "a &lt;b&gt;")).toBe(true);
  });

  it("has logarithmic axes, and gaps where there is nothing to draw", () => {
    const points = [
      [1, 0.1],
      [10, 1],
      [20, NaN],
      [100, 10],
      [200, -1],
    ] as const;
    const found = elements(curveSvg([{ name: "", points }], { logX: true, logY: true, width: 480, height: 284 }));
    const line = found.find(({ attributes }) => attributes["stroke-width"] === "1.5")!;
    expect(line.attributes["d"]).toBe("M64 236L264 136M464 36");
    const ticks = found.filter(({ name, text }) => name === "text" && /^[\d.]+$/.test(text)).map(({ text }) => text);
    expect(ticks).toEqual(["1", "10", "100", "0.1", "1", "10"]);
  });

  it("draws one point, a constant, and nothing", () => {
    for (const points of [
      [],
      [[3, 5]],
      [
        [1, 5],
        [2, 5],
      ],
    ] as (readonly [number, number])[][]) {
      for (const logY of [false, true]) expect(curveSvg([{ name: "x", points }], { logY })).not.toMatch(/NaN|Infinity/);
    }
    expect(() => curveSvg([], { width: 10 })).toThrow(/width must be at least 160 pixels, got 10/);
  });
});

describe("lossCurve", () => {
  it("draws what a run reported", async () => {
    const events: TrainEvent[] = [];
    const model = new Point().init();
    const onEvent = (event: TrainEvent) => void events.push(event);
    await train(model, [1, 3], { optimizer: new SGD(model, { lr: 0.5 }), valid: [5], epochs: 2, onEvent }).done;
    const found = elements(lossCurve(events));
    expect(found.filter(({ name }) => name === "title").map(({ text }) => text)).toEqual([
      "training",
      "validation",
      "training, smoothed",
    ]);
    const lines = found.filter(({ attributes }) => attributes["stroke-width"] === "1.5");
    expect(lines.map(({ attributes }) => attributes["d"]!.split("L").length)).toEqual([4, 2, 4]);
  });
});

describe("confusionSvg", () => {
  it("shades the part of each row", () => {
    const matrix = new ConfusionMatrix(["a&b", "c"]).add([0, 0, 0, 1, 1], [0, 0, 0, 0, 1]);
    const found = elements(confusionSvg(matrix));
    const cells = found.filter(({ attributes }) => attributes["fill-opacity"] !== undefined);
    expect(cells.map(({ attributes }) => Number(attributes["fill-opacity"]))).toEqual([0.75, 0.25, 0, 1]);
    expect(found.filter(({ text }) => text === "a&amp;b").length).toBe(2);
    expect(found.filter(({ text }) => /^\d+$/.test(text)).map(({ text }) => text)).toEqual(["3", "1", "0", "1"]);
  });
});

describe("escapeXml", () => {
  it("escapes marks and replaces what XML does not have", () => {
    expect(escapeXml(`<a b="c">'&'</a>`)).toBe("&lt;a b=&quot;c&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;");
    expect(escapeXml("a\u0000b\ud800c\t😀\n")).toBe("a\ufffdb\ufffdc\t😀\n");
  });
});

describe("summarizeModel", () => {
  class Tagger extends Module {
    readonly rnn = new LSTM(3, 5);
    readonly heads = [new Linear(5, 7), new Linear(5, 2, { bias: false })];
    readonly scale = new Parameter([]);
    readonly again = this.heads[0]!.weight;
  }

  it("counts values and bytes, tied parameters once", () => {
    const model = new Tagger();
    model.scale.trainable = false;
    const summary = summarizeModel(model);
    const lstm = 4 * 5 * 3 + 4 * 5 * 5 + 2 * 4 * 5;
    expect(summary.parameters).toBe(lstm + 5 * 7 + 7 + 5 * 2 + 1);
    expect(summary.trainable).toBe(summary.parameters - 1);
    expect(summary.bytes).toBe(summary.parameters * 4);
    expect(summary.rows.map(({ name, module, shape, tiedTo }) => [name, module, shape.join("x"), tiedTo])).toEqual([
      ["rnn.weight_ih_l0", "LSTM", "20x3", undefined],
      ["rnn.weight_hh_l0", "LSTM", "20x5", undefined],
      ["rnn.bias_ih_l0", "LSTM", "20", undefined],
      ["rnn.bias_hh_l0", "LSTM", "20", undefined],
      ["heads.0.weight", "Linear", "7x5", undefined],
      ["heads.0.bias", "Linear", "7", undefined],
      ["heads.1.weight", "Linear", "2x5", undefined],
      ["scale", "Tagger", "", undefined],
      ["again", "Tagger", "7x5", "heads.0.weight"],
    ]);
    const lines = summary.toString().split("\n");
    expect(lines[0]).toBe("Tagger");
    expect(lines[2]).toMatch(/^rnn\.weight_ih_l0 +LSTM +20 x 3 +60 +240$/);
    expect(lines.at(-3)).toMatch(/^scale +Tagger +scalar +1 +4 +frozen$/);
    expect(lines.at(-2)).toMatch(/^again .* - +- +is heads\.0\.weight$/);
    expect(lines.at(-1)).toBe(
      `${summary.parameters} parameters (${summary.trainable} trainable), ${summary.bytes} bytes`,
    );
  });
});
