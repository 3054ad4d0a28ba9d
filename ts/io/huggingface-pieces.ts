/**
 * Split, Punctuation and Digits of Hugging Face's pre-tokenizers by their definitions (tokenizers,
 * src/tokenizer/normalizer.rs, `SplitDelimiterBehavior`): a text is cut where a pattern matches, and a match stays by itself,
 * joins a neighbour or goes. The library knows two of the five ways, and takes runs of punctuation for one piece.
 */

/** What is used of the library's pre-tokenizers. */
interface PreTokenizer {
  readonly config?: Readonly<Record<string, unknown>>;
  readonly pattern?: RegExp | null;
  /** Of a sequence. */
  readonly tokenizers?: readonly (PreTokenizer | null)[];
  pre_tokenize_text: (text: string) => string[];
}

/** A part of a text, and whether the pattern matches it. */
interface Part {
  readonly text: string;
  readonly match: boolean;
}

/** Characters of category P, and the ASCII ones that others would call symbols. */
const PUNCTUATION = /[\p{P}!-/:-@[-`{-~]/gu;
const DIGIT = /\p{N}/gu;

/** Has a pre-tokenizer, and those that it is made of, cut as the original does. */
export function cutAsDefined(tokenizer: PreTokenizer | null): void {
  if (tokenizer === null) return;
  for (const part of tokenizer.tokenizers ?? []) cutAsDefined(part);
  const { type, behavior, invert, individual_digits: individual } = tokenizer.config ?? {};
  const cut = (pattern: RegExp, how: unknown, inverted = false): void => {
    tokenizer.pre_tokenize_text = (text) => pieces(text, pattern, how, inverted);
  };
  if (type === "Split" && tokenizer.pattern) cut(tokenizer.pattern, behavior, invert === true);
  if (type === "Punctuation") cut(PUNCTUATION, behavior ?? "Isolated");
  if (type === "Digits") cut(DIGIT, individual === true ? "Isolated" : "Contiguous");
}

function pieces(text: string, pattern: RegExp, behavior: unknown, inverted: boolean): string[] {
  const parts = partsOf(text, pattern).map((part) => ({ ...part, match: part.match !== inverted }));
  return joined(parts, behavior).filter((piece) => piece !== "");
}

/** The matches, of which some may be empty, and what is between them. */
function partsOf(text: string, pattern: RegExp): Part[] {
  const parts: Part[] = [];
  let end = 0;
  for (const { 0: found, index } of text.matchAll(pattern)) {
    if (index > end) parts.push({ text: text.slice(end, index), match: false });
    parts.push({ text: found, match: true });
    end = index + found.length;
  }
  if (end < text.length) parts.push({ text: text.slice(end), match: false });
  return parts;
}

function joined(parts: readonly Part[], behavior: unknown): string[] {
  switch (behavior) {
    case "Removed":
      return parts.filter(({ match }) => !match).map(({ text }) => text);
    case "MergedWithPrevious":
      return groups(parts, (before, { match }) => match && !before.match);
    case "MergedWithNext":
      return groups(parts, ({ match }, after) => match && !after.match);
    case "Contiguous":
      return groups(parts, (before, after) => before.match === after.match);
    default:
      return parts.map(({ text }) => text);
  }
}

/** The texts of the parts, of which neighbours are one where `together` says so. */
function groups(parts: readonly Part[], together: (before: Part, after: Part) => boolean): string[] {
  const texts: string[] = [];
  parts.forEach((part, i) => {
    const before = parts[i - 1];
    if (before !== undefined && together(before, part)) texts.push(`${texts.pop()}${part.text}`);
    else texts.push(part.text);
  });
  return texts;
}
