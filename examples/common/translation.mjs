// What translations are scored by, and what they have to be better than.
import { Bleu, VocabularyTokenizer } from "unrolled";

/** @typedef {import("unrolled").TextPair} TextPair */

/**
 * BLEU of a translation of each source: against the reference of each pair, and against all references of its source.
 * @param {TextPair[]} pairs
 * @param {(sources: string[]) => string[]} translate
 */
export function bleu(pairs, translate) {
  const references = new Map(/** @type {[string, string[]][]} */ (pairs.map(({ source }) => [source, []])));
  for (const { source, target } of pairs) references.get(source)?.push(target);
  // Of like length, so that those that are translated together end together.
  const sources = [...references.keys()].sort((a, b) => a.length - b.length);
  const written = translate(sources);
  const found = new Map(sources.map((source, i) => [source, written[i] ?? ""]));
  const [single, multiple] = [new Bleu(), new Bleu()];
  for (const { source, target } of pairs) {
    const hypothesis = found.get(source) ?? "";
    single.add(hypothesis, target);
    multiple.add(hypothesis, references.get(source) ?? []);
  }
  return { single: single.value.score, multiple: multiple.value.score, found };
}

/**
 * The target of the most similar source of training: the highest cosine of bags of words weighted by their rareness
 * (Sparck Jones 1972), of equal ones the first.
 * @param {TextPair[]} pairs
 */
export function mostSimilar(pairs) {
  const words = VocabularyTokenizer.from([], { split: "treebank", lowerCase: true });
  const frequency = new Map(/** @type {[string, number][]} */ ([]));
  const bags = pairs.map(({ source }) => new Set(words.words(source)));
  for (const bag of bags) for (const word of bag) frequency.set(word, (frequency.get(word) ?? 0) + 1);
  const rareness = (/** @type {string} */ word) => Math.log((pairs.length + 1) / ((frequency.get(word) ?? 0) + 1)) ** 2;
  const norm = (/** @type {Set<string>} */ bag) => Math.sqrt([...bag].reduce((sum, word) => sum + rareness(word), 0));
  const norms = bags.map(norm);
  const having = new Map(/** @type {[string, number[]][]} */ ([]));
  bags.forEach((bag, i) => {
    for (const word of bag) {
      const known = having.get(word);
      if (known === undefined) having.set(word, [i]);
      else known.push(i);
    }
  });
  return (/** @type {string[]} */ sources) =>
    sources.map((source) => {
      const products = new Float64Array(pairs.length);
      for (const word of new Set(words.words(source))) {
        for (const i of having.get(word) ?? []) products[i] = (products[i] ?? 0) + rareness(word);
      }
      let best = 0;
      let highest = 0;
      products.forEach((product, i) => {
        const cosine = product / (norms[i] || 1);
        if (cosine > highest) [best, highest] = [i, cosine];
      });
      return pairs[best]?.target ?? "";
    });
}
