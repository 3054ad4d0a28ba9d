/** The errors of the command: each message is the one sentence that a person sees. */
import type { Tokenizer } from "../text/tokenizer.js";

/** The command line is wrong: exit code 2. */
export class UsageError extends Error {}

/** The command cannot be carried out: exit code 1. */
export class CommandError extends Error {}

/** @throws CommandError when the vocabulary of the model lacks a character of the text; `name` is whence that came */
export function checkPrompt(prompt: string, tokenizer: Tokenizer, name = "--prompt"): void {
  try {
    tokenizer.encode(prompt);
  } catch (error) {
    throw new CommandError(`${name}: ${(error as Error).message}`, { cause: error });
  }
}
