/**
 * Tags that mark stretches of words: `B-person` begins one, `I-person` is inside of one, `O` is outside of all. Tjong Kim
 * Sang & Veenstra 1999, "Representing text chunks", compare the schemes:
 *
 *     words    Ann   saw  New   York   Rome   now
 *     IOB1     I-x   O    I-y   I-y    B-y    O      B only right after a span of the same type (Ramshaw & Marcus 1995)
 *     BIO      B-x   O    B-y   I-y    B-y    O      B begins every span; also called IOB2
 *     BIOES    S-x   O    B-y   E-y    S-y    O      E is the last word of several, S stands alone
 */
import { ArgumentError } from "../errors.js";

/** How tags mark spans; BIO is also called IOB2. */
export type TagScheme = "IOB1" | "BIO" | "BIOES";

const SCHEMES: readonly string[] = ["IOB1", "BIO", "BIOES"] satisfies TagScheme[];

/** @throws ArgumentError unless it is one @internal */
export function checkTagScheme(where: string, option: string, scheme: TagScheme): void {
  if (!SCHEMES.includes(scheme)) throw new ArgumentError(where, option, `one of ${SCHEMES.join(", ")}`, scheme);
}

/** Words `start` up to `end` (not included) that are one thing of a type. */
export interface TagSpan {
  /** What follows the hyphen of its tags. */
  readonly type: string;
  /** Number of its first word. */
  readonly start: number;
  /** Number of the word after its last. */
  readonly end: number;
}

/** What is before the first hyphen, and the type after it. */
function parts(tag: string): readonly [prefix: string, type: string] {
  const hyphen = tag.indexOf("-");
  return hyphen < 0 ? [tag, ""] : [tag.slice(0, hyphen), tag.slice(hyphen + 1)];
}

const PREFIXES = new Set(["B", "I", "E", "S"]);

/**
 * The spans of a sequence of tags, by the rules of conlleval (Tjong Kim Sang & Buchholz 2000, "Introduction to the
 * CoNLL-2000 shared task: chunking"), which makes something of every sequence: where no `B` stands before it, an `I`
 * begins a span too, and so does one of another type than the tag before. Other tags are outside. So it need not be said
 * whether the tags are IOB1, BIO or BIOES.
 */
export function tagSpans(tags: readonly string[]): TagSpan[] {
  const spans: TagSpan[] = [];
  let [type, start] = ["", -1];
  let ended = true;
  tags.forEach((tag, at) => {
    const [prefix, found] = parts(tag);
    const inside = PREFIXES.has(prefix);
    const begins = inside && (ended || prefix === "B" || prefix === "S" || found !== type);
    if (start >= 0 && (begins || !inside)) {
      spans.push({ type, start, end: at });
      start = -1;
    }
    if (begins) [type, start] = [found, at];
    ended = !inside || prefix === "E" || prefix === "S";
  });
  if (start >= 0) spans.push({ type, start, end: tags.length });
  return spans;
}

/**
 * The tags of spans: what {@link tagSpans} reads, the other way.
 * @param spans - from left to right, each after the one before
 * @param length - words of the sentence
 * @throws ArgumentError for spans that no tags can mark
 */
export function spanTags(spans: Iterable<TagSpan>, length: number, scheme: TagScheme): string[] {
  checkTagScheme("spanTags", "scheme", scheme);
  if (!(Number.isSafeInteger(length) && length >= 0)) {
    throw new ArgumentError("spanTags", "length", "a whole number from 0", length);
  }
  const tags = new Array<string>(length).fill("O");
  let before: TagSpan = { type: "", start: 0, end: 0 };
  for (const span of spans) {
    const { type, start, end } = span;
    if (!(Number.isInteger(start) && Number.isInteger(end) && before.end <= start && start < end && end <= length)) {
      const expected = `from ${before.end} on, of a word or more, within ${length} words`;
      throw new ArgumentError("spanTags", "every span", expected, [start, end]);
    }
    const named = (prefix: string): string => (type === "" ? prefix : `${prefix}-${type}`);
    const touches = start > 0 && before.end === start && before.type === type;
    tags.fill(named("I"), start, end);
    if (scheme !== "IOB1" || touches) tags[start] = named("B");
    if (scheme === "BIOES") tags[end - 1] = named(end - start === 1 ? "S" : "E");
    before = span;
  }
  return tags;
}

/**
 * The same spans in another scheme, whatever that of the tags is. Tags that mark no span become `O`.
 * @throws ArgumentError
 */
export function convertTags(tags: readonly string[], scheme: TagScheme): string[] {
  return spanTags(tagSpans(tags), tags.length, scheme);
}

/** Which tags may follow which. */
export interface TagRules {
  /** Whether a sequence may begin with tag j (K). */
  readonly start: readonly boolean[];
  /** Whether it may end with it (K). */
  readonly end: readonly boolean[];
  /** Row-major (K, K): whether tag j may follow tag i. */
  readonly transitions: readonly boolean[];
}

/**
 * What a scheme allows. In BIO and BIOES an `I` or `E` goes on with a span of its own type, and where the tags have an `E` or
 * `S`, a span that `B` began ends with `E`; in IOB1 a `B` stands right after a span of its own type. Tags that mark no span
 * may stand anywhere, as may an `I` of a type that has no `B`.
 * @param scheme - of the labels; default BIO or BIOES, as they have an `E` or `S` or not
 * @throws ArgumentError
 */
export function tagRules(labels: readonly string[], scheme?: TagScheme): TagRules {
  if (scheme !== undefined) checkTagScheme("tagRules", "scheme", scheme);
  const tags = labels.map((label) => parts(label));
  if (scheme === "IOB1") {
    return {
      start: tags.map(([prefix]) => prefix !== "B"),
      end: tags.map(() => true),
      transitions: tags.flatMap((from) =>
        tags.map((to) => to[0] !== "B" || ((from[0] === "B" || from[0] === "I") && from[1] === to[1])),
      ),
    };
  }
  const closing = tags.some(([prefix]) => prefix === "E" || prefix === "S");
  const opens = ([prefix]: readonly [string, string]): boolean => prefix === "B" || prefix === "I";
  const begun = new Set(tags.flatMap(([prefix, type]) => (prefix === "B" ? [type] : [])));
  const goesOn = ([prefix, type]: readonly [string, string]): boolean =>
    (prefix === "I" || prefix === "E") && begun.has(type);
  return {
    start: tags.map((tag) => !goesOn(tag)),
    end: tags.map((tag) => !(closing && opens(tag))),
    transitions: tags.flatMap((from) =>
      tags.map((to) => (goesOn(to) ? opens(from) && from[1] === to[1] : !(closing && opens(from)))),
    ),
  };
}
