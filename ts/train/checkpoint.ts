/**
 * Checkpoints: everything that a run needs to go on as if it had never stopped, in one model file.
 *
 * Beside the weights, which any reader of model files finds where they always are, a checkpoint holds the optimizer's
 * arrays and the carried state as tensors under `checkpoint/`, and the numbers of both and of the loop in the metadata.
 * Random draws need no state: they are a function of seed and update.
 */
import { LoadError } from "../errors.js";
import { entriesOf, parseUntrustedObject, quoted } from "../io/json.js";
import { CHECKPOINT_PREFIX, load, save } from "../io/model-file.js";
import { readSafetensors, type StoredTensor, toFloat32, type WritableTensor } from "../io/safetensors.js";
import type { Module, StateDict } from "../nn/module.js";
import type { PlainTensor } from "../tensor/tensor.js";
import type { Optimizer, OptimizerState } from "./optimizer.js";

/** Version of what is written; a file of another one is refused. */
const VERSION = 1;
const KEY = "unrolled.checkpoint";
const OPTIMIZER = `${CHECKPOINT_PREFIX}optimizer/`;
const STATE = `${CHECKPOINT_PREFIX}state/`;
const BEST = `${CHECKPOINT_PREFIX}best/`;

/** Where a training loop is. */
export interface Progress {
  /** Named numbers; infinities and NaN are kept. */
  readonly numbers: Readonly<Record<string, number>>;
  /** The carried state, if there is one. */
  readonly state: Record<string, PlainTensor> | undefined;
  /** Weights that are kept to be put back at the end of the run; absent where none are. */
  readonly best?: StateDict | undefined;
}

/**
 * Writes a checkpoint: a model file with the optimizer's state and the loop's.
 * @param metadata - more of it, for example how the run was started
 */
export function writeCheckpoint(
  model: Module,
  optimizer: Optimizer,
  progress: Progress,
  metadata: Iterable<readonly [string, string]> = [],
): Uint8Array {
  const { kind, lr, updates, steps, tensors, numbers } = optimizer.stateDict();
  const stored = new Map<string, WritableTensor>();
  for (const [name, value] of tensors) stored.set(OPTIMIZER + name, value);
  for (const [name, value] of Object.entries(progress.state ?? {})) stored.set(STATE + name, value);
  for (const [name, value] of progress.best ?? []) stored.set(BEST + name, value);
  const description = {
    version: VERSION,
    optimizer: { kind, lr, updates, steps: Object.fromEntries(steps), numbers: encoded(numbers ?? {}) },
    loop: encoded(progress.numbers),
  };
  return save(model, { metadata: [...metadata, [KEY, JSON.stringify(description)]], tensors: stored });
}

/**
 * Puts model and optimizer back where a checkpoint left them. Everything is checked before anything is changed.
 * @throws LoadError when the file is damaged, no checkpoint, of another version, or of another model or optimizer
 */
export function readCheckpoint(bytes: Uint8Array, model: Module, optimizer: Optimizer): Progress {
  const file = readSafetensors(bytes);
  const json = file.metadata.get(KEY);
  if (json === undefined) {
    throw new LoadError("foreign", "not a checkpoint: the file holds weights, but nothing that a run could go on from");
  }
  const description = parseUntrustedObject(new TextEncoder().encode(json), "checkpoint");
  const version = description.get("version");
  if (version !== VERSION) {
    throw new LoadError("unsupported_version", `checkpoint: version ${String(version)}, this package reads ${VERSION}`);
  }
  const optimizerState = readOptimizer(object(description.get("optimizer"), "optimizer"), file.tensors);
  const numbers = decoded(object(description.get("loop"), "loop"));
  const state = tensorsUnder(STATE, file.tensors);
  const best = tensorsUnder(BEST, file.tensors);
  // The optimizer checks before it writes, and its state is put back should the weights then be refused.
  const before = optimizer.stateDict();
  optimizer.loadStateDict(optimizerState);
  try {
    load(model, file);
  } catch (error) {
    optimizer.loadStateDict(before);
    throw error;
  }
  return {
    numbers,
    state: state.size === 0 ? undefined : Object.fromEntries(state),
    best: best.size === 0 ? undefined : best,
  };
}

function readOptimizer(
  description: ReadonlyMap<string, unknown>,
  tensors: ReadonlyMap<string, StoredTensor>,
): OptimizerState {
  const kind = description.get("kind");
  if (typeof kind !== "string") throw new LoadError("header", "checkpoint: the kind of optimizer must be a string");
  const steps = new Map<string, number>();
  for (const [name, step] of object(description.get("steps"), "steps")) steps.set(name, whole(step, `step of ${name}`));
  const lr = description.get("lr");
  if (typeof lr !== "number") throw new LoadError("header", "checkpoint: lr must be a number");
  return {
    kind,
    lr,
    updates: whole(description.get("updates"), "updates"),
    steps,
    tensors: tensorsUnder(OPTIMIZER, tensors),
    numbers: decoded(object(description.get("numbers"), "numbers")),
  };
}

function tensorsUnder(prefix: string, tensors: ReadonlyMap<string, StoredTensor>): Map<string, PlainTensor> {
  const found = new Map<string, PlainTensor>();
  for (const [name, stored] of tensors) {
    if (!name.startsWith(prefix)) continue;
    if (stored.dtype !== "F32") throw new LoadError("dtype", `${quoted(name)} has dtype ${stored.dtype}, expected F32`);
    const data = toFloat32(name, stored);
    // Sums of squares may overflow in a run that goes on well; nothing that does makes a NaN.
    const broken = data.findIndex((value) => Number.isNaN(value));
    if (broken >= 0) throw new LoadError("value", `${quoted(name)} holds NaN at element ${broken}`);
    found.set(name.slice(prefix.length), { data, shape: stored.shape });
  }
  return found;
}

function object(value: unknown, what: string): Map<string, unknown> {
  const entries = entriesOf(value);
  if (entries === undefined) throw new LoadError("header", `checkpoint: ${what} must be an object`);
  return entries;
}

function whole(value: unknown, what: string): number {
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
  throw new LoadError("header", `checkpoint: ${what} must be a whole number from 0, got ${String(value)}`);
}

/** Numbers for JSON, which has no infinities and no NaN: those become strings. */
function encoded(numbers: Readonly<Record<string, number>>): Record<string, number | string> {
  return Object.fromEntries(
    Object.entries(numbers).map(([name, value]) => [name, Number.isFinite(value) ? value : String(value)]),
  );
}

const SPECIAL: ReadonlyMap<unknown, number> = new Map([
  ["NaN", NaN],
  ["Infinity", Infinity],
  ["-Infinity", -Infinity],
]);

function decoded(entries: ReadonlyMap<string, unknown>): Record<string, number> {
  const numbers: Record<string, number> = {};
  for (const [name, value] of entries) {
    const number = SPECIAL.get(value) ?? value;
    if (typeof number !== "number") throw new LoadError("header", `checkpoint: ${quoted(name)} must be a number`);
    numbers[name] = number;
  }
  return numbers;
}
