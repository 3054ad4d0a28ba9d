// Named entities of WNUT 2017 (Derczynski et al. 2017, "Results of the WNUT2017 shared task on novel and emerging entity
// recognition"): no entity of the dev part occurs, written the same, in the training part.
import {
  Adam,
  DictionaryTagger,
  LSTM,
  linearSchedule,
  readConll,
  readWordVectors,
  Tagger,
  train,
  VocabularyTokenizer,
} from "unrolled";
import { percent } from "../common.mjs";
import { dataText } from "./data.mjs";

/** @typedef {import("unrolled").TaggedSentence} Sentence */

const seeds = [1, 2];
const epochs = 8;
const lr = 2e-3;

/**
 * The sentences of a file with a word and its tag a line.
 * @param {string} name
 */
async function sentencesOf(name) {
  /** @type {Sentence[]} */
  const found = [];
  for await (const { columns } of readConll([dataText(name)])) {
    found.push({ words: columns[0] ?? [], tags: columns[1] ?? [] });
  }
  return found;
}

/**
 * A tagger as of Lample et al. 2016: word vectors, characters by an LSTM, shapes of words, LSTM, conditional random field.
 * It knows the words with a vector and those that occur twice, and the characters that occur three times.
 * @param {Sentence[]} sentences
 * @param {import("unrolled").WordVectors} vectors
 */
function build(sentences, vectors) {
  const texts = sentences.map(({ words }) => words.join(" "));
  const frequent = VocabularyTokenizer.from(texts, { split: "spaces", lowerCase: true, minCount: 2 });
  const words = new Set([...vectors.words, ...frequent.tokens].filter((word) => !/^<\w+>$/.test(word)));
  /** @type {Map<string, number>} */
  const characters = new Map();
  for (const character of texts.join("")) characters.set(character, (characters.get(character) ?? 0) + 1);
  return new Tagger({
    tokenizer: new VocabularyTokenizer([...words], { split: "treebank", lowerCase: true }),
    labels: [...new Set(sentences.flatMap(({ tags }) => tags))].sort(),
    vectors,
    alphabet: [...characters].flatMap(([character, count]) => (count > 2 ? [character] : [])).join(""),
    shapeSize: 10,
    cell: LSTM,
    hiddenSize: 100,
    dropout: 0.5,
    unknownDropout: 0.1,
    crf: true,
    recallBias: 1.6,
  });
}

/** Users of the dev part write names without capitals too: each sentence with a name, once more in lower case. */
const withLowerCase = (/** @type {Sentence[]} */ sentences) => [
  ...sentences,
  ...sentences
    .filter(({ tags }) => tags.some((tag) => tag !== "O"))
    .map(({ words, tags }) => ({ words: words.map((word) => word.toLowerCase()), tags })),
];

/** @type {import("../run.mjs").Experiment} */
export const ner = {
  name: "ner",
  source: "Lample et al. 2016, tagger of named entities, on WNUT 2017",
  async run(log) {
    const [known, dev] = await Promise.all(["wnut17/train.conll", "wnut17/dev.conll"].map(sentencesOf));
    const vectors = await readWordVectors([dataText("glove-50d/glove.5k.50d.txt")]);
    const baseline = DictionaryTagger.from(known ?? []).evaluate(dev ?? []).total;
    /** @type {number[]} */
    const best = [];
    for (const seed of seeds) {
      const model = build(known ?? [], vectors).init({ seed });
      const batches = model.batches(withLowerCase(known ?? []), { batchSize: 16, bucketBatches: 20, seed });
      const schedule = linearSchedule(lr, { steps: epochs * batches.length, startFactor: 1, endFactor: 0 });
      let highest = 0;
      for await (const event of train(model, batches, {
        optimizer: new Adam(model, { lr }),
        schedule,
        clipGradNorm: 5,
        epochs,
        reportEvery: batches.length,
      })) {
        if (event.kind !== "epoch") continue;
        const { precision, recall, f1 } = model.evaluate(dev ?? []).entities.total;
        highest = Math.max(highest, f1);
        const scores = `precision ${percent(precision)}, recall ${percent(recall)}, F1 ${percent(f1)}`;
        log(`seed ${seed}, epoch ${event.epoch}: loss ${event.loss.toFixed(4)}, dev ${scores}`);
      }
      best.push(highest);
      model.dispose();
    }
    const mean = best.reduce((sum, f1) => sum + f1, 0) / best.length;
    const common = { data: "WNUT17 dev", metric: "entity F1" };
    return [
      {
        task: "names: dictionary of the training part, any case",
        ...common,
        reached: percent(baseline.f1),
        bar: "baseline",
        pass: true,
      },
      {
        task: `names: BiLSTM-CRF, best epoch, mean of ${seeds.length} seeds`,
        ...common,
        reached: `${percent(mean)} (${best.map(percent).join(", ")})`,
        bar: ">= 28% (aim 33%)",
        pass: mean >= 0.28,
      },
    ];
  },
};
