// Translation with attention (many-to-many, unaligned), English to French: BLEU beside that of the most similar sentence
// of training, the best translations of a sentence, and where each of their words looks.
//   node examples/translate.mjs [--data TSV] [--eval TSV] [--epochs N] [--svg FILE]
import { writeFileSync } from "node:fs";
import { Adam, alignmentSvg, GeneralAttention, GRU, Translator, train, VocabularyTokenizer } from "unrolled";
import { exampleOptions, exampleText } from "./common/options.mjs";
import { bleu, mostSimilar } from "./common/translation.mjs";

const usage = `node examples/translate.mjs [--data TSV] [--eval TSV] [--epochs N] [--text SENTENCE] [--svg FILE]
  --data TSV        pairs to learn from, a line each: English, a tab, French; default: tatoeba-eng-fra/train.tsv in the
                    folder UNROLLED_DATA, or a few hundred generated sentences
  --eval TSV        pairs to translate; default: tatoeba-eng-fra/valid.tsv, or generated ones that were not learned
  --epochs N        passes over the pairs; default 4 on data, 15 on generated sentences
  --text SENTENCE   what to translate in the end
  --svg FILE        where to draw the attention for it
Pairs of many languages, sentences of Tatoeba.org (CC BY 2.0 FR), are at https://www.manythings.org/anki/.`;
const text = { type: /** @type {const} */ ("string") };
const options = exampleOptions(usage, { epochs: text, text, svg: text });

/** @param {string} tsv */
const pairsOf = (tsv) =>
  tsv
    .trimEnd()
    .split("\n")
    .map((line) => {
      const [source = "", target = ""] = line.split("\t");
      return { source, target };
    });

/** Sentences of a small grammar; every fifth is kept apart. */
function generated() {
  const [subjects, verbs, objects] = [
    ["I/je", "you/tu", "Tom/Tom", "my sister/ma sœur", "the cat/le chat", "the bird/l'oiseau", "our friend/notre ami"],
    ["see/vois/voit", "eat/manges/mange", "look for/cherche/cherche", "open/ouvre/ouvre"],
    ["the bread/le pain", "a red apple/une pomme rouge", "the white door/la porte blanche", "a book/un livre"],
  ];
  const all = (subjects ?? []).flatMap((subject, i) =>
    (verbs ?? []).flatMap((verb) =>
      (objects ?? []).flatMap((object) =>
        ["now/maintenant", "often/souvent", "here/ici"].map((adverb) => {
          const [english = "", french = ""] = subject.split("/");
          const [plain = "", first = "", third = ""] = verb.split("/");
          const [what, quoi] = object.split("/");
          const [when, quand] = adverb.split("/");
          const [start, ...rest] = plain.split(" ");
          const does = i < 2 ? plain : [`${start}s`, ...rest].join(" ");
          const source = `${english} ${does} ${what} ${when}.`;
          return { source, target: `${french} ${i < 2 ? first : third} ${quoi} ${quand}.` };
        }),
      ),
    ),
  );
  return { learned: all.filter((_, i) => i % 5 !== 0), others: all.filter((_, i) => i % 5 === 0) };
}

const data = exampleText(options.data, "tatoeba-eng-fra/train.tsv");
const held = exampleText(options.eval, "tatoeba-eng-fra/valid.tsv");
const { learned, others } = generated();
const pairs = data === undefined ? learned : pairsOf(data);
const valid = held === undefined || data === undefined ? others : pairsOf(held);
const small = pairs.length < 5000;

const model = new Translator({
  tokenizer: VocabularyTokenizer.from(
    pairs.map(({ source }) => source),
    { split: "treebank", minCount: small ? 1 : 3 },
  ),
  targetTokenizer: VocabularyTokenizer.from(
    pairs.map(({ target }) => target),
    { split: "french", minCount: small ? 1 : 3 },
  ),
  cell: GRU,
  hiddenSize: small ? 48 : 256,
  embeddingSize: small ? 24 : 128,
  tieWeights: true,
  bidirectional: true,
  dropout: 0.2,
  labelSmoothing: 0.1,
  attention: GeneralAttention,
}).init({ seed: 1 });
const epochs = Number(options.epochs ?? (small ? 15 : 4));
const batches = model.batches(pairs, { batchSize: small ? 8 : 64, seed: 1, bucketBatches: 20 });
const updates = epochs * batches.length;
const peak = small ? 1e-2 : 2e-3;
for await (const event of train(model, batches, {
  optimizer: new Adam(model),
  schedule: (update) => peak * Math.min((10 * (update + 1)) / updates, (10 / 9) * (1 - update / updates)),
  clipGradNorm: 1,
  epochs,
  reportEvery: 100,
})) {
  if (event.kind === "update" && !small)
    console.log(`update ${event.update} of ${updates}  loss ${event.loss.toFixed(3)}`);
  if (event.kind === "epoch") console.log(`epoch ${event.epoch}  loss ${event.loss.toFixed(3)}`);
}

const similar = mostSimilar(pairs);
const translated = bleu(valid, (sources) => model.translateAll(sources, { beamWidth: 5, maxTokens: 40 }));
const copied = bleu(valid, similar);
console.log(`\n${valid.length} pairs: BLEU against their one reference, and against all references of the same source`);
console.log(`the model          ${translated.single.toFixed(2)}  ${translated.multiple.toFixed(2)}`);
console.log(`most similar pair  ${copied.single.toFixed(2)}  ${copied.multiple.toFixed(2)}`);

const sentence = options.text ?? valid[Math.floor(valid.length / 2)]?.source ?? "";
console.log(`\n${sentence}\n  most similar: ${similar([sentence])[0]}`);
const best = model.hypotheses(sentence, { beamWidth: 5, maxTokens: 40 });
for (const { text, logProbability } of best) console.log(`  ${logProbability.toFixed(2).padStart(6)}  ${text}`);
const alignment = model.alignment({ source: sentence, target: best[0]?.text ?? "" });
console.log("\nwhere each word looks:");
alignment.target.forEach((word, row) => {
  const weights = alignment.source.map(
    (_, column) => alignment.weights.data[row * alignment.source.length + column] ?? 0,
  );
  const most = weights.indexOf(Math.max(...weights));
  console.log(`  ${word.padEnd(14)} ${alignment.source[most]} ${(100 * (weights[most] ?? 0)).toFixed(0)}%`);
});
if (options.svg !== undefined) writeFileSync(options.svg, alignmentSvg(alignment, { title: sentence }));
