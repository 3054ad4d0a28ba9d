import { describe, expect, it } from "vitest";
import { streamLanes } from "../../ts/data/lane-stream.js";
import { type Batch, IGNORED_TARGET, lanes } from "../../ts/data/lanes.js";
import { ArgumentError, DataError } from "../../ts/errors.js";
import { LSTM } from "../../ts/nn/lstm.js";
import { LanguageModel } from "../../ts/tasks/language-model.js";
import { CharTokenizer } from "../../ts/text/char-tokenizer.js";
import { WordTokenizer } from "../../ts/text/word-tokenizer.js";
import { AdamW } from "../../ts/train/adamw.js";
import { train } from "../../ts/train/loop.js";
import { Random } from "../reference/random.js";
import { referenceText } from "../reference/text.js";

const { text } = referenceText();
const copy = ({ inputs, targets, first, count }: Batch) => ({
  inputs: [...inputs.data],
  targets: [...targets.data],
  first,
  count,
});
async function all(batches: AsyncIterable<Batch>) {
  const found: ReturnType<typeof copy>[] = [];
  for await (const batch of batches) found.push(copy(batch));
  return found;
}
/** A text in pieces of up to `most` units, which end anywhere. */
function* inPieces(whole: string, most: number, seed: number) {
  const random = new Random(seed);
  for (let from = 0; from < whole.length; ) {
    const size = random.below(most + 1);
    yield whole.slice(from, from + size);
    from += size;
  }
}
/** Tokens that are their own position. */
const counting = {
  encode: (piece: string) => Int32Array.from(piece.trim() === "" ? [] : piece.trim().split(" "), Number),
};
const numbers = (n: number) => Array.from({ length: n }, (_, i) => i).join(" ");

describe("streamLanes", () => {
  it("is for one lane what lanes are, wherever the pieces end", async () => {
    const part = `\ufeff${text.slice(0, 3000)}  \n\n\t two  \ud83d\ude00\r\n\r\nend's ${text.slice(3000, 6000)}`;
    for (const make of [CharTokenizer, WordTokenizer]) {
      const tokenizer = make.from(part.slice(1));
      const whole = Array.from(lanes(tokenizer.encode(part.slice(1)), { batchSize: 1, seqLen: 7 }).train, copy);
      const options = { tokenizer, batchSize: 1, seqLen: 7, blockBatches: 5 };
      for (const most of [1, 3, 40, 5000]) {
        expect(await all(streamLanes(inPieces(part, most, most), options))).toEqual(whole);
      }
      const bytes = new TextEncoder().encode(part);
      const pieces = Array.from({ length: Math.ceil(bytes.length / 11) }, (_, i) =>
        bytes.subarray(i * 11, i * 11 + 11),
      );
      expect(await all(streamLanes(pieces, options))).toEqual(whole);
    }
  });

  it("lays out blocks as lanes, and resets the state between them", async () => {
    // Blocks of 3 x 4 x 2 targets: 0..24, 24..48, and 48..62 of which one batch fits.
    const options = { tokenizer: counting, batchSize: 3, seqLen: 4, blockBatches: 2 };
    const batches = await all(streamLanes(numbers(63), options));
    expect(batches.map(({ first, count }) => [first, count])).toEqual([
      [true, 12],
      [false, 12],
      [true, 12],
      [false, 12],
      [true, 12],
    ]);
    expect(batches.map(({ inputs }) => [inputs[0], inputs[4], inputs[8]])).toEqual([
      [0, 8, 16],
      [4, 12, 20],
      [24, 32, 40],
      [28, 36, 44],
      [48, 52, 56],
    ]);
    for (const { inputs, targets } of batches) expect(targets).toEqual(inputs.map((token) => token + 1));
    const targets = batches.flatMap((batch) => batch.targets).filter((target) => target !== IGNORED_TARGET);
    expect(targets.sort((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, i) => i + 1));
  });

  it("reads no further than the block it is in", async () => {
    let given = 0;
    async function* endless() {
      for (;;) yield `${given++} `;
    }
    let seen = 0;
    for await (const _ of streamLanes(endless(), { tokenizer: counting, batchSize: 2, seqLen: 5, blockBatches: 3 })) {
      seen++;
      // A block takes 30 tokens and one to begin with; the latest word may go on and waits for the next piece.
      expect(given).toBeLessThanOrEqual(Math.ceil(seen / 3) * 30 + 2);
      if (seen === 20) break;
    }
    expect(seen).toBe(20);
  });

  it("takes a text without blanks", async () => {
    const letters = "ab\ud83d\ude00".repeat(60_000);
    const tokenizer = CharTokenizer.from(letters);
    const whole = Array.from(lanes(tokenizer.encode(letters), { batchSize: 1, seqLen: 999 }).train, copy);
    const pieces = inPieces(letters, 9001, 5);
    expect(await all(streamLanes(pieces, { tokenizer, batchSize: 1, seqLen: 999, blockBatches: 50 }))).toEqual(whole);
  });

  it("trains and resumes as on the whole text, opening it for every epoch", async () => {
    const part = text.slice(0, 2000);
    const tokenizer = CharTokenizer.from(part);
    let opened = 0;
    const open = () => {
      opened++;
      return inPieces(part, 100, opened);
    };
    const run = async (data: Parameters<typeof train<LanguageModel, Batch>>[1], resume?: Uint8Array) => {
      const model = new LanguageModel({ tokenizer, cell: LSTM, hiddenSize: 9, numLayers: 1 }).init({ seed: 1 });
      const optimizer = new AdamW(model, { lr: 1e-2 });
      const losses: number[] = [];
      const checkpoints: Uint8Array[] = [];
      for await (const event of train(model, data, { optimizer, epochs: 2, checkpointEvery: 130, resume })) {
        if (event.kind === "update") losses.push(event.loss);
        if (event.kind === "checkpoint") checkpoints.push(event.bytes);
      }
      return { losses, checkpoints };
    };
    const options = { batchSize: 1, seqLen: 16 };
    const whole = await run(lanes(tokenizer.encode(part), options).train);
    const streamed = await run(streamLanes(open, { tokenizer, ...options, blockBatches: 10 }));
    expect(opened).toBe(2);
    expect(whole.losses.length).toBe(2 * Math.floor(1999 / 16));
    expect(streamed.losses).toEqual(whole.losses);
    const rest = await run(streamLanes(open, { tokenizer, ...options, blockBatches: 10 }), streamed.checkpoints[0]!);
    expect(rest.losses).toEqual(whole.losses.slice(130));
  });

  it("says what is wrong", async () => {
    const options = { tokenizer: counting, batchSize: 2, seqLen: 3 };
    await expect(all(streamLanes(numbers(6), options))).rejects.toThrow(DataError);
    await expect(all(streamLanes(numbers(6), options))).rejects.toThrow(/takes 7 tokens .* the source has 6/);
    await expect(all(streamLanes(Uint8Array.of(0x30, 0x0a, 0xff), options))).rejects.toThrow(/line 2, column 1/);
    for (const bad of [{ batchSize: 0 }, { seqLen: 0.5 }, { blockBatches: 0 }]) {
      expect(() => streamLanes("", { ...options, ...bad })).toThrow(ArgumentError);
    }
  });
});
