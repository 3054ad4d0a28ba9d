/**
 * What a word looks like: a class that says more of an unknown word than that it is unknown. The classes of case are those
 * of Collobert et al. 2011, "Natural language processing (almost) from scratch", section 4.1.1.
 */

/** Names of the classes; the number of one is its place here. */
export const WORD_SHAPES = [
  "other",
  "lower case",
  "initial capital",
  "capital letter",
  "upper case",
  "mixed case",
  "number",
  "letters and digits",
  "user",
  "hashtag",
  "address",
] as const;

const classes = /* @__PURE__ */ new Map(/* @__PURE__ */ WORD_SHAPES.map((name, number) => [name, number]));

/** The number of the class of a word. Letters are what has two cases. */
export function wordShape(word: string): number {
  return classes.get(nameOf(word)) as number;
}

function nameOf(word: string): (typeof WORD_SHAPES)[number] {
  if (/^@./.test(word)) return "user";
  if (/^#./.test(word)) return "hashtag";
  if (/^(?:https?:|www\.)/i.test(word)) return "address";
  const [lower, upper] = [word.toLowerCase(), word.toUpperCase()];
  const digits = /[0-9]/.test(word);
  if (lower === upper) return digits ? "number" : "other";
  if (digits) return "letters and digits";
  if (word === lower) return "lower case";
  const [first = "", ...rest] = word;
  const after = rest.join("");
  if (word === upper) return after.toLowerCase() === after ? "capital letter" : "upper case";
  return first !== first.toLowerCase() && after === after.toLowerCase() ? "initial capital" : "mixed case";
}
