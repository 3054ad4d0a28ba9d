import { expect, it } from "vitest";
import * as u from "../../ts/index.js";

const text = "the quick brown fox jumps over the lazy dog. ".repeat(4);
const tokenizer = u.CharTokenizer.from(text);

it("shows how far a run is, and at the end all of it", async () => {
  const model = new u.LanguageModel({ tokenizer, cell: u.GRU, hiddenSize: 4 }).init({ seed: 1 });
  const { train: data, valid } = u.lanes(tokenizer.encode(text), { batchSize: 2, seqLen: 8, validation: 0.2 });
  const pictures: string[] = [];
  const show = u.showProgress((html) => pictures.push(html), 0);
  const optimizer = new u.Adam(model);
  const onEvent = [show, () => undefined];
  const end = await u.train(model, data, { optimizer, valid, updates: 7, checkpointEvery: 3, onEvent }).done;
  expect(pictures.some((html) => html.includes('<progress value="3" max="7">') && html.includes("update 3 of 7"))).toBe(
    true,
  );
  const last = pictures.at(-1)!;
  expect(last).toContain(`validation ${end.validLoss!.toFixed(4)} nats, completed`);
  expect(last).toContain(`loss ${end.smoothLoss.toFixed(4)} nats`);
  expect(last).toContain("<title>validation</title>");

  // Not oftener than wanted, but at the end.
  const few: string[] = [];
  const rarely = u.showProgress((html) => few.push(html), Infinity);
  await u.train(model, data, { optimizer, updates: 7, onEvent: rarely }).done;
  expect(few).toHaveLength(2);
  expect(few[1]).toContain("update 7 of 7");
});
