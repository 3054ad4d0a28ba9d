// Sentiment of sentences (many-to-one): a bidirectional LSTM that is pooled by its maxima, naive Bayes, and both together;
// then which words moved them. With word vectors, the network starts from those.
import {
  LSTM,
  NaiveBayes,
  normal,
  readWordVectors,
  shuffled,
  splitExamples,
  TextClassifier,
  VocabularyTokenizer,
  wordHeatHtml,
  wordInfluence,
} from "unrolled";
import {
  influences,
  printEpoch,
  printScores,
  trainClassifier,
  withNaiveBayes,
  writeResults,
} from "./common/classification.mjs";
import { exampleOptions, exampleText } from "./common/options.mjs";

const {
  data,
  eval: evaluation,
  vectors: vectorFile,
  classes,
  text,
  epochs,
  seed,
  out,
} = exampleOptions(
  `node examples/sentiment.mjs [--classes 2|5] [--data TRAIN] [--eval DEV] [--vectors GLOVE] [--text TEXT]
                            [--epochs 20] [--seed 1] [--out FOLDER]

--data and --eval: a sentence, a tab and its class (0, 1, ... from bad to good) a line; by default sst2 or sst5 of the
folder UNROLLED_DATA, else a small generated set. The Stanford Sentiment Treebank, in two classes with this format:
https://github.com/clairett/pytorch-sentiment-classification (data/SST2); whole: https://nlp.stanford.edu/sentiment
--vectors: word vectors as text; by default glove-50d of that folder. https://nlp.stanford.edu/projects/glove (glove.6B)
--out: where to write the confusions (SVG), the coloured words (HTML) and the model`,
  {
    vectors: { type: "string" },
    classes: { type: "string", default: "2" },
    text: { type: "string", default: "There is nothing to like in this movie." },
    epochs: { type: "string", default: "20" },
    seed: { type: "string", default: "1" },
    out: { type: "string" },
  },
);
const five = ["very negative", "negative", "neutral", "positive", "very positive"];
const labels = classes === "5" ? five : ["negative", "positive"];
const folder = `sst${labels.length}`;

/** @typedef {import("unrolled").LabelledText} LabelledText */

/** @param {string} lines @returns {LabelledText[]} */
const parse = (lines) =>
  lines
    .trimEnd()
    .split("\n")
    .map((line) => {
      const [sentence = "", number = ""] = line.split("\t");
      return { text: sentence, label: labels[Number(number)] ?? number };
    });

/** Sentences from a few patterns, for want of others: a degree from -2 to 2 each. @returns {LabelledText[]} */
function generated() {
  const degrees = [
    ["dreadful", "unbearable", "atrocious"],
    ["dull", "poor", "clumsy"],
    ["long", "ordinary", "french"],
    ["good", "funny", "clever"],
    ["superb", "wonderful", "thrilling"],
  ];
  const films = ["movie", "film", "story", "comedy", "drama"];
  const sentences = films.flatMap((film) => [
    ...degrees.flatMap((words, degree) =>
      words.flatMap((word) => [
        { text: `a ${word} ${film} .`, degree },
        { text: `this ${film} is ${word} .`, degree },
        { text: `the ${film} , by a young director , is ${word} from its beginning to its end .`, degree },
      ]),
    ),
    ...["like", "love", "enjoy"].flatMap((verb) => [
      { text: `there is much to ${verb} in this ${film} .`, degree: 3 },
      { text: `there is nothing to ${verb} in this ${film} .`, degree: 1 },
    ]),
  ]);
  const chosen = labels === five ? sentences : sentences.filter(({ degree }) => degree !== 2);
  return chosen.map((sentence) => ({
    text: sentence.text,
    label: (labels === five ? five[sentence.degree] : labels[Number(sentence.degree > 2)]) ?? "",
  }));
}

const files = [exampleText(data, `${folder}/train.tsv`), exampleText(evaluation, `${folder}/dev.tsv`)].map((lines) =>
  lines === undefined ? undefined : parse(lines),
);
const split = splitExamples(shuffled(files[0] ?? generated(), 1), { valid: files[1] === undefined ? 0.2 : 0 });
const [examples, dev] = [split.train, files[1] ?? split.valid];
// A part of the training sentences says when to stop and how much naive Bayes counts: `dev` is only scored on.
const { train: seen, valid: held } = splitExamples(examples, { valid: 0.1, seed: Number(seed) });
const glove = exampleText(vectorFile, "glove-50d/glove.5k.50d.txt");
const vectors = glove === undefined ? undefined : await readWordVectors(glove);
console.log(
  `${examples.length} sentences to train on, ${dev.length} to score on, ${vectors?.words.length ?? 0} vectors`,
);

// A word that occurs once is unknown, unless it has a vector.
const known = [...seen.map((example) => example.text), vectors?.words.join(" ") ?? ""];
const tokenizer = VocabularyTokenizer.from(known, { split: "treebank", lowerCase: true, minCount: 2 });
const network = new TextClassifier({
  tokenizer,
  labels,
  cell: LSTM,
  hiddenSize: 64,
  pooling: "max",
  dropout: 0.3,
  ...(vectors && { vectors, embeddingInitializer: normal(0, 0.07) }),
}).init({ seed: Number(seed) });

await trainClassifier(network, { seen, held }, { seed: Number(seed), epochs: Number(epochs) }, printEpoch);

const counted = { tokenizer: VocabularyTokenizer.from(known, { split: "treebank", lowerCase: true }), labels };
const hybrid = withNaiveBayes(network, { seen, held }, { ...counted, order: 2 });
const models = { "naive Bayes": NaiveBayes.from(examples, counted), "bidirectional LSTM": network, together: hybrid };
const confusion = printScores(models, dev);

console.log(`"${text}"`);
const lines = Object.entries(models).map(([name, model]) => {
  const { label, probability, probabilities, words } = wordInfluence(model, text ?? "");
  const all = probabilities.map((one) => `${one.label} ${one.probability.toFixed(3)}`).join(", ");
  console.log(`${name}: ${all}\n  for "${label}": ${influences(words)}`);
  return wordHeatHtml(words, { title: `${name}: ${label} ${probability.toFixed(2)}` });
});

writeResults(out, {
  name: "sentiment",
  title: "Sentiment",
  model: hybrid,
  confusion,
  page: "words",
  parts: lines,
  cell: 80,
});
