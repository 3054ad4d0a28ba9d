// The next word (many-to-many, aligned: at every word, the one after it), by every generation of models: n-grams with
// Kneser-Ney smoothing, an averaged bag of words, a feed-forward net over a window, an LSTM, a causal transformer. Then what
// one more word costs each of the last two as the context grows.
import {
  AdamW,
  BagOfWordsLanguageModel,
  evaluationLanes,
  FeedForwardLanguageModel,
  generate,
  LanguageModel,
  LSTM,
  lanes,
  NGramModel,
  Session,
  TransformerLanguageModel,
  train,
  VocabularyTokenizer,
} from "unrolled";
import { exampleOptions, exampleText } from "./common/options.mjs";

const usage = `node examples/word-models.mjs [--data TEXT --eval TEXT] [--words N] [--epochs N]
  --data    text to train on, one sentence a line, words between spaces: ptb.train.txt of the Penn Treebank as Mikolov prepared
            it (http://www.fit.vutbr.cz/~imikolov/rnnlm/simple-examples.tgz); default: sentences that are made up here
  --eval    text to measure perplexity on, as ptb.valid.txt
  --words   how many words of each to use, default 50000
  --epochs  of the trained models, default 4`;
const options = exampleOptions(usage, {
  words: { type: "string", default: "50000" },
  epochs: { type: "string", default: "4" },
});

// A language where each subject, some words back, has a verb of its own, which agrees with it in number. A generator of
// our own, so that every run is the same.
let state = 1;
const below = (/** @type {number} */ limit) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * limit);
};
const nouns = ["dog", "cat", "bird", "horse", "friend", "king"];
const verbs = ["bark", "purr", "sing", "gallop", "laugh", "rule"];
const places = ["near", "behind", "with", "beside"];
/** A subject with up to three nouns after it, and its verb. */
function sentence() {
  const [subject, plural] = [below(nouns.length), below(2)];
  const words = ["the", `${nouns[subject]}${plural ? "s" : ""}`];
  for (let more = below(4); more > 0; more--) {
    words.push(`${places[below(places.length)]}`, "the", `${nouns[below(nouns.length)]}${below(2) ? "s" : ""}`);
  }
  return [...words, `${verbs[subject]}${plural ? "" : "s"}`].join(" ");
}
const sentences = (/** @type {number} */ count) => Array.from({ length: count }, sentence).join("\n");

const [text, held] = [exampleText(options.data, "ptb/ptb.train.txt"), exampleText(options.eval, "ptb/ptb.valid.txt")];
const training = (text ?? sentences(2000)).trim().split("\n");
const validation = (held ?? (text === undefined ? sentences(200) : "")).trim().split("\n");
const tokenizer = VocabularyTokenizer.from(training, { split: "spaces", maxSize: 10_004 });
const end = tokenizer.eos;
const tokensOf = (/** @type {string[]} */ lines) =>
  tokenizer.encode(lines.map((line) => `${line} <eos>`).join(" ")).subarray(0, Number(options.words));
const [words, unseen] = [tokensOf(training), tokensOf(validation)];
console.log(`${words.length} words to train on, ${unseen.length} to measure on, ${tokenizer.size} different ones`);

/** @type {[name: string, perplexity: number][]} */
const results = [];
for (const order of [1, 2, 3, 5]) {
  const model = new NGramModel({ tokenizer, order, boundary: end }).fit(words);
  results.push([`${order}-gram, Kneser-Ney`, Math.exp(model.evaluate(unseen))]);
}

// Clusters of words pay where there are many.
const cutoffs = tokenizer.size > 5000 ? [2000] : undefined;
const transformer = new TransformerLanguageModel({
  tokenizer,
  size: 48,
  numLayers: 2,
  heads: 4,
  context: 1024,
  cutoffs,
});
const lstm = new LanguageModel({ tokenizer, cell: LSTM, embeddingSize: 48, hiddenSize: 96 });
const models = {
  "bag of 5 words": new BagOfWordsLanguageModel({ tokenizer, window: 5, embeddingSize: 48, cutoffs }),
  "feed-forward net, 5 words": new FeedForwardLanguageModel({
    tokenizer,
    window: 5,
    embeddingSize: 48,
    hiddenSize: 48,
    cutoffs,
  }),
  LSTM: lstm,
  "transformer, 2 layers": transformer,
};
for (const [name, model] of Object.entries(models)) {
  model.init({ seed: 1 });
  const data = lanes(words, { batchSize: 10, seqLen: 20 }).train;
  const updates = Number(options.epochs) * data.length;
  // Gates take larger steps than attention.
  const lr = model === lstm ? 1e-2 : 4e-3;
  const run = train(/** @type {any} */ (model), data, {
    optimizer: new AdamW(model, { lr }),
    schedule: (update) => lr * (1 - update / updates),
    updates,
    clipGradNorm: 1,
    reportEvery: Math.ceil(updates / 4),
    valid: evaluationLanes(unseen, { batchSize: 20, seqLen: 20 }),
  });
  for await (const event of run) {
    if (event.kind !== "update") continue;
    console.log(`${name}: update ${event.update} of ${updates}, perplexity ${Math.exp(event.loss).toFixed(1)}`);
  }
  results.push([name, Math.exp(model.evaluate(unseen))]);
}

console.log("\nperplexity on text that no model has seen");
for (const [name, perplexity] of results) console.log(`${name.padEnd(28)}${perplexity.toFixed(2).padStart(9)}`);

console.log("\nwhat the transformer goes on with");
console.log(`the ${[...generate(transformer, "the", { maxTokens: 12, seed: 3, temperature: 0.8 })].join("").trim()}`);

console.log("\nmicroseconds a word, with so many before it");
console.log(`${"words".padEnd(8)}${"LSTM".padStart(10)}${"transformer".padStart(14)}`);
const repeats = 16;
for (const before of [32, 64, 256, 1000]) {
  const times = [lstm, transformer].map((model) => {
    const session = new Session(model);
    session.feed(Int32Array.from({ length: before - repeats }, (_, i) => words[i % words.length] ?? 0));
    // The engine compiles what runs first.
    for (let i = 0; i < repeats; i++) session.step(words[i] ?? 0);
    const start = performance.now();
    for (let i = 0; i < repeats; i++) session.step(words[i] ?? 0);
    session.dispose();
    return ((performance.now() - start) / repeats) * 1000;
  });
  const cells = times.map((time, i) => time.toFixed(0).padStart(i === 0 ? 10 : 14));
  console.log(`${String(before).padEnd(8)}${cells.join("")}`);
}
