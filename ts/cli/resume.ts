/** `--resume`: what a checkpoint says of its run, so that nothing of it has to be given again. */
import { createHash } from "node:crypto";
import { format, parse } from "node:path";
import { LoadError } from "../errors.js";
import { entriesOf, parseUntrustedObject } from "../io/json.js";
import { type ModelFile, readModelFile } from "../io/model-file.js";
import { CheckpointFiles, latestOf } from "../node/checkpoint-files.js";
import { FileError, loadFile } from "../node/files.js";
import { eachCodePoint } from "../text/code-points.js";
import type { Options } from "./arguments.js";
import { CommandError } from "./errors.js";
import { named } from "./model.js";
import { many } from "./terminal.js";

const KEY = "unrolled.run";
const MARK = ".checkpoint";

/** A text, recognised without being kept. */
export interface TextIdentity {
  readonly characters: number;
  /** SHA-256 of its UTF-8, hexadecimal. */
  readonly sha256: string;
}

/** Which values a model file has. */
export interface Kept {
  /** The update that made them; null when none is saved. */
  readonly savedUpdate: number | null;
  /** Their validation loss in nats a token; null when they were not validated. */
  readonly savedLoss: number | null;
}

/** How a run was started and how far it is. */
export interface RunRecord extends Kept {
  /** Options that decide the result, as they were written, by name. */
  readonly options: ReadonlyMap<string, string>;
  readonly text: TextIdentity;
  /** Updates done. */
  readonly update: number;
}

/** A run to go on with. */
export interface Resumption {
  /** The checkpoint. */
  readonly path: string;
  readonly bytes: Uint8Array;
  /** The model file of the run. */
  readonly out: string;
  readonly record: RunRecord;
  /** Later checkpoints that could not be used. */
  readonly refused: readonly FileError[];
}

/** The checkpoint that belongs to a model file: `lm.checkpoint.safetensors` beside `lm.safetensors`. */
export function checkpointPathOf(model: string): string {
  const { dir, name, ext } = parse(model);
  return format({ dir, name: name + MARK, ext });
}

/** The model file that a checkpoint belongs to; undefined when the name is not a checkpoint's. */
function modelPathOf(checkpoint: string): string | undefined {
  const { dir, name, ext } = parse(latestOf(checkpoint));
  if (ext === MARK) return format({ dir, name });
  return name.endsWith(MARK) ? format({ dir, name: name.slice(0, -MARK.length), ext }) : undefined;
}

export function identityOf(text: string): TextIdentity {
  let characters = 0;
  eachCodePoint(text, () => characters++);
  return { characters, sha256: createHash("sha256").update(text, "utf8").digest("hex") };
}

/** The metadata of a checkpoint that {@link readResumption} reads. */
export function recordMetadata({ options, ...rest }: RunRecord): readonly [string, string] {
  return [KEY, JSON.stringify({ ...rest, options: Object.fromEntries(options) })];
}

/**
 * Finds and reads the checkpoint of a run: the latest that can be used.
 * @param path - the model file, or a checkpoint beside it; one before the latest is taken alone
 * @param check - throws an error of this package when a run could not go on from these bytes
 * @throws FileError
 */
export async function readResumption(
  path: string,
  check: (bytes: Uint8Array, record: RunRecord) => void,
): Promise<Resumption> {
  const out = modelPathOf(path) ?? path;
  const checkpoint = checkpointPathOf(out);
  const read = (bytes: Uint8Array, from: string): Resumption => {
    const record = readRecord(readModelFile(bytes));
    check(bytes, record);
    return { path: from, bytes, out, record, refused: [] };
  };
  if (path !== out && path !== checkpoint) {
    const bytes = await loadFile(path);
    return named(path, () => read(bytes, path), MARKED);
  }
  try {
    const { value, refused } = await new CheckpointFiles(checkpoint).load(read);
    return { ...value, refused };
  } catch (error) {
    if (path === checkpoint || (error as { cause?: { code?: unknown } }).cause?.code !== "ENOENT") throw error;
    await loadFile(path);
    throw new FileError(path, `${path} cannot be resumed: its checkpoint, ${checkpoint}, does not exist`, error);
  }
}

/** What {@link named} calls the file. */
export const MARKED = "a checkpoint";

function readRecord(file: ModelFile): RunRecord {
  const json = file.metadata.get(KEY);
  if (json === undefined) {
    throw new LoadError("foreign", "the file holds weights, but nothing that `unrolled train` could go on from");
  }
  const what = "record of the run";
  const run = parseUntrustedObject(new TextEncoder().encode(json), what);
  const bad = (name: string): LoadError => new LoadError("value", `${what}: ${name} is not what it should be`);
  const count = (entries: ReadonlyMap<string, unknown>, name: string): number => {
    const value = entries.get(name);
    if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
    throw bad(name);
  };
  const options = entriesOf(run.get("options"));
  if (options === undefined || ![...options.values()].every((text) => typeof text === "string")) throw bad("options");
  const text = entriesOf(run.get("text"));
  const sha256 = text?.get("sha256");
  if (text === undefined || typeof sha256 !== "string") throw bad("text");
  const savedLoss = run.get("savedLoss");
  if (savedLoss !== null && typeof savedLoss !== "number") throw bad("savedLoss");
  return {
    options: options as Map<string, string>,
    text: { characters: count(text, "characters"), sha256 },
    update: count(run, "update"),
    savedUpdate: run.get("savedUpdate") === null ? null : count(run, "savedUpdate"),
    savedLoss,
  };
}

/**
 * The values of options that a checkpoint keeps, checked as those of a command line.
 * @throws LoadError
 */
export function valuesOf(texts: ReadonlyMap<string, string>, options: Options): Record<string, unknown> {
  return Object.fromEntries(
    [...texts].map(([name, text]) => {
      const option = Object.hasOwn(options, name) ? options[name] : undefined;
      if (option === undefined) {
        throw new LoadError("value", `its run had an option --${name}, which there is not`);
      }
      try {
        return [name, option.parse(text, name)];
      } catch (error) {
        throw new LoadError("value", (error as Error).message);
      }
    }),
  );
}

/** @throws CommandError unless a run can go on with a text */
export function checkText({ path, record }: Resumption, name: string, text: TextIdentity): void {
  const { characters, sha256 } = record.text;
  if (text.sha256 === sha256) return;
  const difference =
    text.characters === characters
      ? "its characters are others"
      : `that had ${many(characters, "character")}, this has ${many(text.characters, "character")}`;
  throw new CommandError(`${name} is not the text that ${path} was trained on: ${difference}`);
}
