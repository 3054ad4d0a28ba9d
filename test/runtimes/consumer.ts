// What a user's project sees: compiled in CI against the published declaration files, under the oldest supported
// TypeScript too.
import {
  AdamW,
  CharTokenizer,
  crossEntropy,
  Embedding,
  generate,
  type Ids,
  LanguageModel,
  Linear,
  LSTM,
  lanes,
  Module,
  save,
  type Tensor,
  train,
} from "unrolled";

class Tagger extends Module {
  readonly embed = new Embedding(8000, 64);
  readonly encoder = new LSTM(64, 128, { bidirectional: true });
  readonly head = new Linear(256, 9);
  forward(ids: Ids, lengths: Int32Array): Tensor {
    const { output } = this.encoder.forward(this.embed.forward(ids), { lengths });
    return this.head.forward(output);
  }
}

export function tag(ids: Ids, lengths: Int32Array, tags: Ids): number {
  const model = new Tagger().init({ seed: 1 });
  const optimizer = new AdamW(model, { lr: 1e-3 });
  const { loss } = optimizer.update(() => crossEntropy(model.forward(ids, lengths), tags, { ignoreIndex: -1 }), {
    clipGradNorm: 5,
  });
  return loss;
}

export async function languageModel(text: string): Promise<string> {
  const tokenizer = CharTokenizer.from(text);
  const model = new LanguageModel({ tokenizer, cell: LSTM, hiddenSize: 128, numLayers: 2, dropout: 0.2 });
  model.init({ seed: 1 });
  const data = lanes(tokenizer.encode(text), { batchSize: 50, seqLen: 50, validation: 0.05 });
  const run = train(model, data.train, { optimizer: new AdamW(model, { lr: 2e-3 }), clipGradNorm: 5, epochs: 5 });
  for await (const event of run) if (event.kind === "update" && event.loss < 1) break;
  const file: Uint8Array = save(model);
  return file.length + [...generate(model, "ROMEO:", { temperature: 0.8, topK: 40, maxTokens: 500, seed: 7 })].join("");
}
