/**
 * How many marked stretches of words (named entities, chunks) are found, as the program conlleval counts them (Tjong Kim
 * Sang & Buchholz 2000): one is right when its first word, its last word and its type are.
 *
 *     precision = right / found      recall = right / there      F1 = 2 precision recall / (precision + recall)
 *
 * A fraction with nothing below the line is 0, as there. See {@link tagSpans} for what a span is.
 */
import { ShapeError } from "../../errors.js";
import { type TagSpan, tagSpans } from "../../text/entity-tags.js";
import { type ClassScores, scoresOf } from "./confusion.js";

/** Spans of one type. */
interface Counts {
  right: number;
  found: number;
  there: number;
}

/** Precision, recall and F1 of spans, over a stream of sentences. */
export class EntityScores {
  readonly #types = new Map<string, Counts>();
  #words = 0;
  #rightWords = 0;

  /**
   * @param predicted - the tags of a sentence, as `B-person`
   * @param targets - the right ones, as many
   * @throws ShapeError
   */
  add(predicted: readonly string[], targets: readonly string[]): this {
    if (predicted.length !== targets.length) {
      throw new ShapeError("EntityScores", "predicted", [targets.length], [predicted.length]);
    }
    this.#words += targets.length;
    this.#rightWords += targets.filter((tag, t) => tag === predicted[t]).length;
    const there = tagSpans(targets);
    const name = ({ type, start, end }: TagSpan): string => `${start} ${end} ${type}`;
    const wanted = new Set(there.map(name));
    for (const { type } of there) this.#of(type).there++;
    for (const span of tagSpans(predicted)) {
      const counts = this.#of(span.type);
      counts.found++;
      if (wanted.has(name(span))) counts.right++;
    }
    return this;
  }

  #of(type: string): Counts {
    const counts = this.#types.get(type) ?? { right: 0, found: 0, there: 0 };
    this.#types.set(type, counts);
    return counts;
  }

  /** The part of the words with the right tag; NaN of none. */
  get accuracy(): number {
    return this.#rightWords / this.#words;
  }

  /** Of all spans; `support` is how many there are. */
  get total(): ClassScores {
    const all = { right: 0, found: 0, there: 0 };
    for (const { right, found, there } of this.#types.values()) {
      all.right += right;
      all.found += found;
      all.there += there;
    }
    return scoresOf(all.right, all.found, all.there);
  }

  /** Of each type that was found or is there, by name. */
  get types(): ReadonlyMap<string, ClassScores> {
    const sorted = [...this.#types].sort(([a], [b]) => (a < b ? -1 : 1));
    return new Map(sorted.map(([type, { right, found, there }]) => [type, scoresOf(right, found, there)]));
  }

  /** Starts over. */
  reset(): void {
    this.#types.clear();
    this.#words = 0;
    this.#rightWords = 0;
  }

  /** A table in percent: a row for each type, and one of all. */
  toString(): string {
    const row = (name: string, { precision, recall, f1, support }: ClassScores): string[] => [
      name,
      ...[precision, recall, f1].map((value) => (100 * value).toFixed(2)),
      String(support),
    ];
    const rows = [
      ["type", "precision", "recall", "F1", "there"],
      ...Array.from(this.types, ([type, scores]) => row(type, scores)),
      row("all", this.total),
    ];
    const width = Math.max(...rows.map(([name = ""]) => name.length));
    return rows
      .map(([name = "", ...cells]) => `${name.padEnd(width)}${cells.map((cell) => cell.padStart(11)).join("")}`)
      .join("\n");
  }
}
