/** Memory does not grow with updates: after 10,000 it is what it was after 100. */
import { expect, it } from "vitest";
import {
  Adam,
  CarriedState,
  CharTokenizer,
  type Core,
  createCore,
  GRU,
  generate,
  LanguageModel,
  lanes,
  type RecurrentState,
} from "../../ts/index.js";
import { generatedText } from "./text.js";

const UPDATES = 10_000;

function memoryOf(core: Core): Record<string, number> {
  return {
    persistent: core.persistentBytes,
    arena: core.arenaCapacity,
    used: core.arenaUsed,
    wasm: core.raw.memory.buffer.byteLength,
  };
}

it("after 10,000 updates equals memory after 100", () => {
  const text = generatedText(5_000);
  const tokenizer = CharTokenizer.from(text);
  const core = createCore();
  const model = new LanguageModel({ tokenizer, cell: GRU, hiddenSize: 8, numLayers: 2, dropout: 0.1 }).init({
    seed: 1,
    core,
  });
  const data = lanes(tokenizer.encode(text), { batchSize: 2, seqLen: 6, validation: 0.02 });
  const optimizer = new Adam(model, { lr: 1e-3 });
  const state = new CarriedState<RecurrentState>();
  const start = memoryOf(core);
  let after100 = start;
  for (let update = 1; update <= UPDATES; update++) {
    optimizer.update(() => model.loss(data.train.batch(update - 1), state), { clipGradNorm: 1 });
    // What a training program does now and then: validate, and sample.
    if (update % 50 === 0) {
      const valid = new CarriedState<RecurrentState>();
      for (const batch of data.valid ?? []) model.run(() => model.loss(batch, valid).item());
      valid.dispose();
      expect([...generate(model, "a", { maxTokens: 5, seed: update })].join("")).toHaveLength(5);
    }
    if (update === 100) after100 = memoryOf(core);
  }
  expect(memoryOf(core)).toEqual(after100);
  expect(after100["used"]).toBe(0);
  state.dispose();
  optimizer.dispose();
  // What training took beside the model goes; packed weights stay with the model.
  model.dispose();
  expect(core.persistentBytes).toBeLessThan(start["persistent"] as number);
});
