// Names in a text (many-to-many, aligned: a tag for every word): a bidirectional LSTM over word vectors, characters and the
// shapes of words, with a conditional random field on top, beside a dictionary of all names of the training data.
//   node examples/ner.mjs                               a small generated set, seconds
//   node examples/ner.mjs --data train.conll --eval dev.conll [--vectors glove.txt]
import {
  Adam,
  DictionaryTagger,
  LSTM,
  linearSchedule,
  readConll,
  readWordVectors,
  save,
  Tagger,
  train,
  VocabularyTokenizer,
} from "unrolled";
import { exampleOptions, exampleText } from "./common/options.mjs";

/** @typedef {import("unrolled").TaggedSentence} Sentence */

const options = exampleOptions(
  `node examples/ner.mjs [--data FILE --eval FILE] [--vectors FILE] [--epochs N]

Files of CoNLL: a word a line, its tag in the last column (B-person, I-person, O; IOB1 and BIOES too), a blank line after each
sentence. WNUT 2017, for which the settings are made: https://github.com/leondz/emerging_entities_17 (CC BY 4.0), wnut17train.conll and
emerging.dev.conll; word vectors: https://nlp.stanford.edu/projects/glove, glove.6B.50d.txt. Where UNROLLED_DATA names a
folder with wnut17/train.conll, wnut17/dev.conll and glove-50d/glove.5k.50d.txt, these are taken.

  --data FILE     to train on; default: sentences with invented names
  --eval FILE     to score
  --vectors FILE  word vectors to start from
  --epochs N      default 8`,
  { vectors: { type: "string" }, epochs: { type: "string", default: "8" } },
);

/**
 * The sentences of a file with a word and its tag a line.
 * @param {string} text
 */
async function sentencesOf(text) {
  /** @type {Sentence[]} */
  const found = [];
  for await (const { columns } of readConll([text], { scheme: "BIO" })) {
    found.push({ words: columns[0] ?? [], tags: columns.at(-1) ?? [] });
  }
  return found;
}

/**
 * Sentences with names that nobody has.
 * @param {number} count
 * @param {number} seed
 */
function invented(count, seed) {
  let state = seed;
  const below = (/** @type {number} */ limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
  const pick = (/** @type {string[]} */ from) => from[below(from.length)] ?? "";
  const syllables = "ba do fi gre har ka li mo ni per qua ro sti tu ver wen".split(" ");
  const name = () => {
    const letters = pick(syllables) + pick(syllables) + pick(syllables);
    return letters.charAt(0).toUpperCase() + letters.slice(1);
  };
  const patterns = [
    "Yesterday , person met person .",
    "person lives in place .",
    "We flew from place to place .",
    "The weather in place is fine today .",
    "Has anybody seen person ?",
    "Nothing to see here .",
  ];
  return Array.from({ length: count }, () => {
    /** @type {{ words: string[], tags: string[] }} */
    const sentence = { words: [], tags: [] };
    for (const word of pick(patterns).split(" ")) {
      const type = word === "person" || word === "place" ? word : undefined;
      sentence.words.push(...(type === undefined ? [word] : type === "person" ? [name(), name()] : [name()]));
      sentence.tags.push(...(type === undefined ? ["O"] : type === "person" ? ["B-person", "I-person"] : ["B-place"]));
    }
    return sentence;
  });
}

const trainText = exampleText(options.data, "wnut17/train.conll");
const evalText = exampleText(options.eval, "wnut17/dev.conll");
const real = trainText !== undefined && evalText !== undefined;
if (!real && (options.data ?? options.eval) !== undefined) {
  console.error("--data and --eval go together; see --help");
  process.exit(2);
}
const known = real ? await sentencesOf(trainText) : invented(300, 1);
const held = real ? await sentencesOf(evalText) : invented(100, 2);
const vectorText = real || options.vectors ? exampleText(options.vectors, "glove-50d/glove.5k.50d.txt") : undefined;
const vectors = vectorText === undefined ? undefined : await readWordVectors([vectorText]);
console.log(`${real ? "files" : "invented names"}: ${known.length} sentences to train on, ${held.length} to score`);

// The tagger knows the words that have a vector or occur twice; all others are one word with different spellings.
const texts = known.map(({ words }) => words.join(" "));
const frequent = VocabularyTokenizer.from(texts, { split: "spaces", lowerCase: true, minCount: 2 });
const words = new Set([...(vectors?.words ?? []), ...frequent.tokens].filter((word) => !/^<\w+>$/.test(word)));
const tagger = new Tagger({
  tokenizer: new VocabularyTokenizer([...words], { split: "treebank", lowerCase: true }),
  labels: [...new Set(known.flatMap(({ tags }) => tags))].sort(),
  vectors,
  alphabet: [...new Set(texts.join(""))].join(""),
  shapeSize: 10,
  cell: LSTM,
  embeddingSize: vectors?.size ?? (real ? 50 : 16),
  hiddenSize: real ? 100 : 24,
  dropout: real ? 0.5 : 0.2,
  unknownDropout: 0.1,
  crf: true,
  recallBias: real ? 1.6 : 0,
}).init({ seed: 1 });

// Names are not always written with capitals: each sentence with a name, once more in lower case.
const lower = known
  .filter(({ tags }) => tags.some((tag) => tag !== "O"))
  .map(({ words, tags }) => ({ words: words.map((word) => word.toLowerCase()), tags }));
const batches = tagger.batches([...known, ...lower], { batchSize: 16, bucketBatches: 20, seed: 1 });
const [epochs, lr] = [Number(options.epochs), real ? 2e-3 : 1e-2];
const schedule = linearSchedule(lr, { steps: epochs * batches.length, startFactor: 1, endFactor: 0 });
const percent = (/** @type {number} */ part) => `${(100 * part).toFixed(1)}%`;
for await (const event of train(tagger, batches, {
  optimizer: new Adam(tagger, { lr }),
  schedule,
  clipGradNorm: 5,
  epochs,
})) {
  if (event.kind !== "epoch") continue;
  const { precision, recall, f1 } = tagger.evaluate(held).entities.total;
  console.log(
    `epoch ${event.epoch}  loss ${event.loss.toFixed(4)}  precision ${percent(precision)}  recall ${percent(recall)}  F1 ${percent(f1)}`,
  );
}

console.log(`\n${tagger.evaluate(held).entities}`);
console.log(`\ndictionary: F1 ${percent(DictionaryTagger.from(known).evaluate(held).total.f1)}`);

// A file of the model tags the same.
const loaded = Tagger.from(save(tagger));
const text = "Yesterday, Harry Potter met Hermione Granger.";
const { words: tagged, spans } = loaded.predict(text);
console.log(`\n${text}`);
console.log(tagged.map(({ word, tag, probability }) => `${word}/${tag} ${probability.toFixed(2)}`).join("  "));
for (const span of spans) console.log(`${span.type}: ${span.text}`);
