import { ArgumentError } from "../errors.js";
import { beginSession, type PromptState, type TextModel } from "./prompt.js";
import { Sampler, type SamplingOptions } from "./sampling.js";
import type { SessionOptions } from "./session.js";

/** Options of {@link generate}. */
export interface GenerateOptions extends SamplingOptions, SessionOptions {
  /** Tokens at most, those of the prompt not counted; default 500. */
  readonly maxTokens?: number | undefined;
  /** Ends the text before the first occurrence of this, or of any of these; it may span tokens. */
  readonly stop?: string | readonly string[] | undefined;
  /** The same seed, prompt and options give the same text; default 0. */
  readonly seed?: number | undefined;
  /** Where the prompt goes on from, as `readPrompt` gives it; it can be used again and again. Default: from nothing. */
  readonly after?: PromptState | undefined;
}

/**
 * Continues a prompt, in pieces as they come; the prompt itself is not repeated.
 *
 * A piece has at least one character; a character of several tokens comes whole. An empty prompt starts as after a line
 * feed, or `<eos>` where that ends the lines, or, if the vocabulary has neither, with a token drawn from all with equal chances.
 * @throws TokenizerError when the prompt has a character that the vocabulary lacks; ArgumentError for 8-bit weights of a
 *   model that a `Session` does not run with them
 */
export function generate(
  model: TextModel,
  prompt: string,
  options: GenerateOptions = {},
): Generator<string, void, undefined> {
  const { maxTokens = 500, stop = [] } = options;
  if (!(maxTokens >= 0)) throw new ArgumentError("generate", "maxTokens", "a number from 0", maxTokens);
  const stops = typeof stop === "string" ? [stop] : stop;
  if (stops.includes("")) throw new ArgumentError("generate", "stop", "strings that are not empty", "");
  const sampler = new Sampler({ ...options, core: model.core });
  return pieces(model, model.tokenizer.encode(prompt), options, maxTokens, stops, sampler);
}

function* pieces(
  model: TextModel,
  prompt: Int32Array,
  { after, weights }: GenerateOptions,
  maxTokens: number,
  stops: readonly string[],
  sampler: Sampler,
): Generator<string, void, undefined> {
  const decoder = model.tokenizer.decoder();
  if (after !== undefined) sampler.observe(after.tokens);
  sampler.observe(prompt);
  const { session, logits } = beginSession(model, prompt, after, { weights });
  let held = "";
  try {
    for (let count = 0; count < maxTokens; count++) {
      const id = sampler.sample(logits);
      held += decoder.push(id);
      const at = firstOf(held, stops);
      if (at >= 0) {
        if (at > 0) yield held.slice(0, at);
        return;
      }
      const certain = held.length - possibleStart(held, stops);
      if (certain > 0) {
        yield held.slice(0, certain);
        held = held.slice(certain);
      }
      if (count + 1 < maxTokens) session.step(id, logits);
    }
    held += decoder.end();
    const at = firstOf(held, stops);
    if (at >= 0) held = held.slice(0, at);
    if (held !== "") yield held;
  } finally {
    session.dispose();
  }
}

/** Where the earliest of the strings begins in the text; -1 where there is none. */
function firstOf(text: string, stops: readonly string[]): number {
  let first = -1;
  for (const stop of stops) {
    const at = text.indexOf(stop);
    if (at >= 0 && (first < 0 || at < first)) first = at;
  }
  return first;
}

/** Length of the longest end of the text with which one of the strings begins. */
function possibleStart(text: string, stops: readonly string[]): number {
  let longest = 0;
  for (const stop of stops) {
    for (let length = Math.min(stop.length - 1, text.length); length > longest; length--) {
      if (text.endsWith(stop.slice(0, length))) longest = length;
    }
  }
  return longest;
}
