/**
 * A prompt that a model has read, kept: any number of texts can go on from it, now or from a file later, and it is
 * read only once.
 */
import { LoadError } from "../errors.js";
import { readSafetensors, toFloat32, type WritableTensor, writeSafetensors } from "../io/safetensors.js";
import type { Module } from "../nn/module.js";
import type { PlainTensor } from "../tensor/tensor.js";
import type { Tokenizer } from "../text/tokenizer.js";
import { Session, type SessionOptions, type Streamable } from "./session.js";

/** A model that continues text: a {@link Streamable} of ids, with its tokenizer. */
export type TextModel = Streamable & { readonly tokenizer: Tokenizer };

/** What is left of a prompt once it has been read. Nothing changes it: it can be used from several places at once. */
export interface PromptState {
  /** The ids of the prompt. */
  readonly tokens: Int32Array;
  /** The recurrent state after it, by name; undefined for the zero state. */
  readonly state: Readonly<Record<string, PlainTensor>> | undefined;
  /** (V): what the model says of the next token. */
  readonly logits: Float32Array;
}

/**
 * Reads a prompt; give the result to `generate` as `after`. An empty prompt with nothing before it is read as a line
 * feed or `<eos>`, as in `generate`.
 * @param after - what it goes on from; default: nothing
 * @throws TokenizerError when the prompt has a character that the vocabulary lacks
 */
export function readPrompt(model: TextModel, prompt: string, after?: PromptState): PromptState {
  const ids = model.tokenizer.encode(prompt);
  const { session, logits } = beginSession(model, ids, after);
  try {
    const tokens = new Int32Array((after?.tokens.length ?? 0) + ids.length);
    tokens.set(after?.tokens ?? []);
    tokens.set(ids, tokens.length - ids.length);
    return { tokens, state: session.save(), logits };
  } finally {
    session.dispose();
  }
}

/** A session that has read a prompt, and the logits after it, which are the caller's. @internal */
export function beginSession(
  model: TextModel,
  prompt: Int32Array,
  after: PromptState | undefined,
  options: SessionOptions = {},
): { session: Session; logits: Float32Array } {
  const { tokenizer } = model;
  const session = new Session(model, options);
  try {
    session.restore(after?.state);
    const logits =
      session.feed(prompt) ??
      after?.logits.slice() ??
      session.feed(beginning(tokenizer)) ??
      new Float32Array(tokenizer.size);
    return { session, logits };
  } catch (error) {
    session.dispose();
    throw error;
  }
}

/** What a text begins after: a line feed, or `<eos>`, which takes its place in closed vocabularies; none without either. @internal */
export function beginning(tokenizer: Tokenizer): Int32Array {
  const id = ["\n", "<eos>"].map((token) => tokenizer.tokens.indexOf(token)).find((found) => found >= 0);
  return id === undefined ? new Int32Array(0) : Int32Array.of(id);
}

/** Version of what is written; a file of another one is refused. */
const VERSION = "1";
const KEY = "unrolled.prompt";
const MODEL = "unrolled.model";
const STATE = "state/";

/** A prompt's state as a safetensors file, which {@link loadPrompt} reads with the same model. */
export function savePrompt(model: TextModel, { tokens, state, logits }: PromptState): Uint8Array {
  const tensors: [string, WritableTensor][] = [
    ["tokens", { data: tokens, shape: [tokens.length] }],
    ["logits", { data: logits, shape: [logits.length] }],
  ];
  for (const [name, { data, shape }] of Object.entries(state ?? {})) {
    tensors.push([STATE + name, { data, shape }]);
  }
  return writeSafetensors(tensors, [
    [KEY, VERSION],
    [MODEL, fingerprint(model)],
  ]);
}

/**
 * A prompt's state from its file.
 * @throws LoadError when the file is damaged or no such file (`foreign`), or of another model, also of the same one
 *   before it was trained further (`value`): the state would mean nothing to it
 */
export function loadPrompt(model: TextModel, bytes: Uint8Array | ArrayBuffer): PromptState {
  const file = readSafetensors(bytes);
  const version = file.metadata.get(KEY);
  if (version === undefined) throw new LoadError("foreign", "not the state of a prompt");
  if (version !== VERSION) {
    throw new LoadError("unsupported_version", `state of a prompt: version ${version}, this package reads ${VERSION}`);
  }
  if (file.metadata.get(MODEL) !== fingerprint(model)) {
    throw new LoadError("value", "the state of a prompt that another model has read, or this one with other values");
  }
  const size = model.tokenizer.size;
  const state: Record<string, PlainTensor> = {};
  let tokens: Int32Array | undefined;
  let logits: Float32Array | undefined;
  for (const [name, stored] of file.tensors) {
    const data = toFloat32(name, stored);
    const broken = data.findIndex((value) => !Number.isFinite(value));
    if (broken >= 0) throw new LoadError("value", `${name} holds ${data[broken]} at element ${broken}`);
    if (name === "tokens") {
      const bad = data.findIndex((id) => !(Number.isInteger(id) && id >= 0 && id < size));
      if (bad >= 0) throw new LoadError("value", `tokens: ${data[bad]} at element ${bad} is no id below ${size}`);
      tokens = Int32Array.from(data);
    } else if (name === "logits") logits = data;
    else if (name.startsWith(STATE)) state[name.slice(STATE.length)] = { data, shape: stored.shape };
    else throw new LoadError("unexpected_tensor", `state of a prompt: ${name} is not expected`);
  }
  if (tokens === undefined || logits === undefined) {
    throw new LoadError("missing_tensor", "state of a prompt: tokens or logits are missing");
  }
  if (logits.length !== size) {
    throw new LoadError("shape", `state of a prompt: ${logits.length} logits for a vocabulary of ${size}`);
  }
  return { tokens, state: Object.keys(state).length === 0 ? undefined : state, logits };
}

/** Recognises a model by its values: FNV-1a, 32 bits at a time, over their names and bits. */
function fingerprint(model: Module): string {
  let hash = 0x811c9dc5;
  for (const [name, { data }] of model.stateDict()) {
    for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
    const words = new Int32Array(data.buffer, data.byteOffset, data.length);
    for (const word of words) hash = Math.imul(hash ^ word, 0x01000193);
  }
  return (hash >>> 0).toString(16).padStart(8, "0");
}
