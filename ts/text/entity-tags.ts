/**
 * Tags that mark stretches of words: `B-person` begins one, `I-person` is inside of one, `O` is outside of all (Ramshaw &
 * Marcus 1995, "Text chunking using transformation-based learning"). With more detail BIOES: `E-person` is the last word
 * of several, `S-person` stands alone.
 */

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
 * begins a span too, and so does one of another type than the tag before. Other tags are outside.
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
 * What BIO and BIOES allow: an `I` or `E` goes on with a span of its own type, and where the tags have an `E` or `S`, a
 * span that `B` began ends with `E`. Tags that mark no span may stand anywhere, as may an `I` of a type that has no `B`.
 */
export function tagRules(labels: readonly string[]): TagRules {
  const tags = labels.map((label) => parts(label));
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
