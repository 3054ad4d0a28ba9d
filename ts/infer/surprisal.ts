/**
 * Surprisal: how unexpected each token and word of a text is to a model that has read everything before it (Hale 2001,
 * "A Probabilistic Earley Parser as a Psycholinguistic Model"; Levy 2008, "Expectation-based syntactic comprehension").
 *
 *     surprisal of a token = -log2 p(token | all before);  entropy = the surprisal expected before it is read
 *
 * The surprisal of a word is the sum of those of its tokens, and of the white space before it.
 */
import { exp } from "../core/elementary.js";
import { ArgumentError, ShapeError } from "../errors.js";
import type { PlainTensor } from "../tensor/tensor.js";
import { logProbabilities } from "./beam-search.js";
import { beginning, type TextModel } from "./prompt.js";
import { Session } from "./session.js";

/** Of a row of tokens. */
export interface TokenSurprisal {
  /** -log2 p of each token, in bits. */
  readonly bits: Float64Array;
  /** Entropy before each token, in bits. */
  readonly entropyBits: Float64Array;
  /** Mean of -ln p. */
  readonly meanNats: number;
  /** e^meanNats. */
  readonly perplexity: number;
  /** Mean of `bits`. */
  readonly bitsPerToken: number;
}

/** Of a word and the white space before it. */
export interface WordSurprisal {
  /** The word, without the space before it. */
  readonly text: string;
  /** -log2 of its probability. */
  readonly bits: number;
}

/**
 * Surprisal of tokens under given logits.
 * @param logits - (T, V): row t is what the model says before token t
 * @param tokens - T ids
 * @throws ShapeError, ArgumentError (an id that is no token)
 */
export function tokenSurprisal(logits: PlainTensor, tokens: ArrayLike<number>): TokenSurprisal {
  const where = "tokenSurprisal";
  const [steps, size] = logits.shape;
  if (logits.shape.length !== 2 || steps !== tokens.length || size === undefined) {
    throw new ShapeError(where, "logits", [tokens.length, "V"], logits.shape);
  }
  return summarize(
    Array.from(tokens, (token, t) => measure(logits.data.slice(t * size, (t + 1) * size), token, where)),
  );
}

/**
 * Surprisal of a text, token by token and word by word.
 *
 * The first token is measured after `context`, or, without one, after a line feed or `<eos>` as in `generate`; a
 * vocabulary without either gives it equal chances.
 * @throws TokenizerError when text or context has a character that the vocabulary lacks
 */
export function surprisal(
  model: TextModel,
  text: string,
  options: { readonly context?: string } = {},
): TokenSurprisal & { readonly tokens: readonly string[]; readonly words: readonly WordSurprisal[] } {
  const { tokenizer } = model;
  const ids = tokenizer.encode(text);
  const before = tokenizer.encode(options.context ?? "");
  const session = new Session(model);
  try {
    let logits = session.feed(before.length > 0 ? before : beginning(tokenizer));
    const measured = Array.from(ids, (id) => {
      const one = measure(logits ?? new Float32Array(tokenizer.size), id, "surprisal");
      logits = session.step(id, logits);
      return one;
    });
    const decoder = tokenizer.decoder();
    const pieces = Array.from(ids, (id) => decoder.push(id));
    return {
      ...summarize(measured),
      tokens: Array.from(ids, (id) => tokenizer.tokens[id] as string),
      words: wordsOf(pieces, measured),
    };
  } finally {
    session.dispose();
  }
}

/** -ln p of a token and the entropy in nats. */
interface Measure {
  readonly nats: number;
  readonly entropy: number;
}

function measure(logits: ArrayLike<number>, token: number, where: string): Measure {
  const scores = logProbabilities(logits);
  const score = scores[token];
  if (score === undefined) throw new ArgumentError(where, "token", `from 0 to ${scores.length - 1}`, token);
  // What is impossible adds nothing: 0 ln 0 is 0.
  return { nats: -score, entropy: -scores.reduce((sum, s) => (s === -Infinity ? sum : sum + exp(s) * s), 0) };
}

function summarize(measured: readonly Measure[]): TokenSurprisal {
  const meanNats = measured.reduce((sum, { nats }) => sum + nats, 0) / measured.length;
  return {
    bits: Float64Array.from(measured, ({ nats }) => nats / Math.LN2),
    entropyBits: Float64Array.from(measured, ({ entropy }) => entropy / Math.LN2),
    meanNats,
    perplexity: exp(meanNats),
    bitsPerToken: meanNats / Math.LN2,
  };
}

/** Sums over words. A new one begins with a token that starts with white space or follows some, which belongs to it. */
function wordsOf(pieces: readonly string[], measured: readonly Measure[]): WordSurprisal[] {
  const words: { text: string; bits: number }[] = [];
  let solid = false;
  let ended = false;
  pieces.forEach((piece, t) => {
    const last = words[words.length - 1];
    const bits = (measured[t]?.nats as number) / Math.LN2;
    const begins = solid && (ended || /^\s/.test(piece));
    if (last === undefined || begins) words.push({ text: piece, bits });
    else {
      last.text += piece;
      last.bits += bits;
    }
    // Of the word so far, by its last piece alone: its text may be long.
    solid = /\S/.test(piece) || (solid && !begins);
    ended = piece === "" ? ended && !begins : /\s$/.test(piece);
  });
  return words.map(({ text, bits }) => ({ text: text.trim(), bits }));
}
