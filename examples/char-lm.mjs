// A character language model in two dozen lines: trains on a text for a few seconds (many-to-many, aligned: at every
// character the next one), saves the model, and continues a prompt (one-to-many).
//   node examples/char-lm.mjs [FILE]
import { readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { AdamW, CharTokenizer, generate, LanguageModel, LSTM, lanes, save, train } from "unrolled";

const { values, positionals } = parseArgs({ options: { help: { type: "boolean" } }, allowPositionals: true });
if (values.help) {
  console.log(
    "node examples/char-lm.mjs [FILE]   trains a character model on a text (this project's README) and continues a prompt",
  );
  process.exit();
}
const text = await readFile(positionals[0] ?? new URL("../README.md", import.meta.url), "utf8");
const tokenizer = CharTokenizer.from(text);
const lm = new LanguageModel({ tokenizer, cell: LSTM, hiddenSize: 64, numLayers: 1 }).init({ seed: 1 });
const data = lanes(tokenizer.encode(text), { batchSize: 8, seqLen: 32, validation: 0.05 });
const optimizer = new AdamW(lm, { lr: 1e-2 });
const limits = { updates: 300, reportEvery: 50, validEvery: 100 };
const run = train(lm, data.train, { optimizer, clipGradNorm: 5, valid: data.valid, ...limits });
for await (const event of run) {
  if (event.kind === "update") console.log(event.update, event.loss.toFixed(3), event.bitsPerChar.toFixed(3));
  if (event.kind === "valid") console.log("validation", event.loss.toFixed(3));
}
const path = join(tmpdir(), "char-lm.safetensors");
await writeFile(path, save(lm));

const again = LanguageModel.from(await readFile(path));
for (const piece of generate(again, "The ", { temperature: 0.6, topK: 40, maxTokens: 200, seed: 7 })) {
  process.stdout.write(piece);
}
console.log();
