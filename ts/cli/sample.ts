/** `unrolled sample`: text from a model. */
import { setImmediate } from "node:timers/promises";
import type { LoadError } from "../errors.js";
import { compareInt8 } from "../infer/compare-int8.js";
import { generate } from "../infer/generate.js";
import { loadPrompt, readPrompt, savePrompt, type TextModel } from "../infer/prompt.js";
import { loadFile, saveFile } from "../node/files.js";
import { count, flag, number, parseArguments, string, type Usage } from "./arguments.js";
import { checkPrompt } from "./errors.js";
import { loadModel, named } from "./model.js";
import { checkReplaceable } from "./replace.js";
import { interactive, printable, write, writeJson } from "./terminal.js";

const options = {
  prompt: string("TEXT", "what the text begins with (default: as after a line end)"),
  state: string("FILE", "go on from what an earlier --save-state has read; --prompt comes after it"),
  "save-state": string("FILE", "write what the model remembers of the prompt, to go on from it any number of times"),
  length: count("tokens at most (characters, unless the model is of others); 0: none, for --save-state (default 500)", {
    min: 0,
    max: Number.MAX_SAFE_INTEGER,
  }),
  temperature: number("below 1 more predictable, above 1 more varied, 0: always the most probable (default 0.8)", {
    min: 0,
    max: 1000,
  }),
  "top-k": count("choose among so many most probable tokens (default: all)"),
  "top-p": number("choose among the most probable tokens that have this probability together (default 1)", {
    above: 0,
    max: 1,
  }),
  "repetition-penalty": number(
    "above 1 makes tokens that occurred less probable, by dividing their logits (default 1)",
    { above: 0, max: 1000 },
  ),
  "repetition-window": count("how many of the latest tokens count as occurred (default: all)"),
  stop: string("TEXT", "end before this text occurs"),
  seed: count("the same seed gives the same text (default: another one each time)", {
    min: 0,
    max: Number.MAX_SAFE_INTEGER,
  }),
  int8: flag("multiply 8-bit weights, which large models read faster, and say on standard error what that changes"),
  json: flag("one JSON object a line: start, a text event for each piece, end"),
};

export const sampleUsage: Usage<typeof options> = {
  name: "sample",
  operands: ["MODEL"],
  summary: "Continues a prompt with a model that `unrolled train` saved, and prints the text as it comes.",
  options,
  examples: [
    "unrolled sample lm.safetensors",
    'unrolled sample lm.safetensors --prompt "ROMEO:" --temperature 0.5',
    'unrolled sample lm.safetensors --prompt "const " --stop ";" --seed 7',
    "unrolled sample lm.safetensors --prompt 'ROMEO:' --save-state romeo.state",
    "unrolled sample lm.safetensors --state romeo.state",
    "unrolled sample lm.safetensors --int8",
  ],
};

/** Tokens at the beginning of the text that 8-bit weights are compared on. */
const compared = 1000;

/** Text is written at most this often, so that short pieces do not cost a system call each. */
const flushMs = 16;

export async function sampleCommand(args: readonly string[]): Promise<number> {
  const { operand: path, values } = parseArguments(sampleUsage, args);
  const { prompt = "", int8 = false, json = false, length = 500, temperature = 0.8, stop } = values;
  const seed = values.seed ?? Math.floor(Math.random() * 2 ** 32);
  const model = await loadModel(path);
  checkPrompt(prompt, model.tokenizer);
  const { state: statePath, "save-state": savePath } = values;
  const earlier = statePath === undefined ? undefined : await loadFile(statePath);
  const before = earlier && named(statePath as string, () => loadPrompt(model, earlier), "the state of a prompt");
  let after = before;
  if (savePath !== undefined) {
    await checkReplaceable(savePath, "state of a prompt", "--save-state", (content) => isPromptState(model, content));
    after = readPrompt(model, prompt, before);
    await saveFile(savePath, savePrompt(model, after));
  }
  const pieces = generate(model, savePath === undefined ? prompt : "", {
    after,
    repetitionPenalty: values["repetition-penalty"],
    repetitionWindow: values["repetition-window"],
    maxTokens: length,
    temperature,
    topK: values["top-k"],
    topP: values["top-p"],
    stop: stop === undefined || stop === "" ? [] : stop,
    seed,
    weights: int8 ? "int8" : "float32",
  });
  const show = (text: string): Promise<boolean> => {
    return json ? writeJson({ kind: "text", text }) : write(interactive ? printable(text) : text);
  };
  if (json) await writeJson({ kind: "start", model: path, prompt, seed });
  else await show(prompt);
  const begin = performance.now();
  let flushed = begin;
  let held = "";
  let characters = 0;
  let whole = prompt;
  for (const piece of pieces) {
    held += piece;
    // No token is shorter than a character.
    if (int8 && whole.length < compared) whole += piece;
    characters += [...piece].length;
    if (performance.now() - flushed < flushMs) continue;
    if (!(await show(held))) return 0;
    held = "";
    await setImmediate();
    flushed = performance.now();
  }
  if (held !== "") await show(held);
  const seconds = (performance.now() - begin) / 1000;
  const ids = int8 ? model.tokenizer.encode(whole).subarray(0, compared) : [];
  const changes = ids.length === 0 ? undefined : compareInt8(model, ids);
  if (json) {
    await writeJson({ kind: "end", characters, seconds, int8: changes });
    return 0;
  }
  await write("\n");
  if (changes !== undefined) process.stderr.write(`on this text, ${changes}\n`);
  return 0;
}

/** Whether a file is the state of a prompt, of this model or another. */
function isPromptState(model: TextModel, content: Uint8Array): boolean {
  try {
    loadPrompt(model, content);
    return true;
  } catch (error) {
    const { category } = error as LoadError;
    return category === "value" || category === "unsupported_version";
  }
}
