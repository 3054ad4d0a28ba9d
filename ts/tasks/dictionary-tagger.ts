/**
 * Entities looked up in a list, what a tagger has to beat: the stretches of words that were marked in the training data,
 * longest match first, from left to right (the baseline of Tjong Kim Sang & De Meulder 2003, "Introduction to the
 * CoNLL-2003 shared task"), whatever the case of their letters. Of several types the most frequent one is taken, of equally
 * frequent ones the first seen.
 */
import { spanTags, type TagSpan, tagSpans } from "../text/entity-tags.js";
import { EntityScores } from "../train/metrics/entities.js";
import type { TaggedSentence } from "./tagger.js";

/** A list of entities and their types. */
export class DictionaryTagger {
  /** The type of each entity, in lower case, with spaces between its words. */
  readonly entries: ReadonlyMap<string, string>;
  readonly #longest: number;

  /**
   * A list that is given.
   * @param entries - the type of each entity, whose words have spaces between them
   */
  constructor(entries: Iterable<readonly [entity: string, type: string]>) {
    this.entries = new Map(Array.from(entries, ([entity, type]) => [entity.toLowerCase(), type]));
    this.#longest = Array.from(this.entries.keys(), (entity) => entity.split(" ").length).reduce(
      (most, words) => Math.max(most, words),
      0,
    );
  }

  /** The entities of tagged sentences. */
  static from(sentences: Iterable<TaggedSentence>): DictionaryTagger {
    const counts = new Map<string, Map<string, number>>();
    for (const { words, tags } of sentences) {
      for (const { type, start, end } of tagSpans(tags)) {
        const entity = words.slice(start, end).join(" ").toLowerCase();
        const types = counts.get(entity) ?? new Map<string, number>();
        types.set(type, (types.get(type) ?? 0) + 1);
        counts.set(entity, types);
      }
    }
    return new DictionaryTagger(
      Array.from(counts, ([entity, types]) => {
        const [type] = [...types].reduce((best, one) => (one[1] > best[1] ? one : best));
        return [entity, type] as const;
      }),
    );
  }

  /** The entities that are found in a sentence. */
  spans(words: readonly string[]): TagSpan[] {
    const found: TagSpan[] = [];
    const at = (start: number, end: number) => this.entries.get(words.slice(start, end).join(" ").toLowerCase());
    for (let start = 0; start < words.length; ) {
      let end = Math.min(words.length, start + this.#longest);
      while (end > start && at(start, end) === undefined) end--;
      const type = at(start, end);
      if (end > start && type !== undefined) found.push({ type, start, end });
      start = Math.max(end, start + 1);
    }
    return found;
  }

  /** The BIO tags of a sentence. */
  tags(words: readonly string[]): string[] {
    return spanTags(this.spans(words), words.length, "BIO");
  }

  /** Precision, recall and F1 of entities. */
  evaluate(sentences: Iterable<TaggedSentence>): EntityScores {
    const scores = new EntityScores();
    for (const { words, tags } of sentences) scores.add(this.tags(words), tags);
    return scores;
  }
}
