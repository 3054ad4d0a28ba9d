/**
 * Checkpoints of a run on the disk: the latest few, and the best model beside them.
 *
 *     run.safetensors              the latest checkpoint
 *     run.previous-1.safetensors   the one before, and so on, `keep` in all
 *     run.best.safetensors         the model of the lowest validation loss
 */
import { copyFile, link, readdir, realpath, rename, rm } from "node:fs/promises";
import { format, parse, resolve } from "node:path";
import { ArgumentError, isUnrolledError } from "../errors.js";
import { save } from "../io/model-file.js";
import type { Module } from "../nn/module.js";
import type { TrainCallback } from "../train/loop.js";
import type { Optimizer } from "../train/optimizer.js";
import { FileError, fileError, loadFile, saveFile, temporaryPath } from "./files.js";

const PREVIOUS = ".previous-";

/** Options of {@link CheckpointFiles}. */
export interface CheckpointFilesOptions {
  /** Checkpoints that are kept, the latest ones; default 1. */
  readonly keep?: number | undefined;
}

/** The latest checkpoint of one that is named as those before it are; else the same path. @internal */
export function latestOf(path: string): string {
  return path.replace(/\.previous-[1-9]\d{0,8}(?=(\.[^./\\]*)?$)/, "");
}

/** A checkpoint that was loaded. */
export interface LoadedCheckpoint<T> {
  /** The file it came from. */
  readonly path: string;
  /** What the reading function returned. */
  readonly value: T;
  /** Later checkpoints that could not be used, the latest first. */
  readonly refused: readonly FileError[];
}

/**
 * Keeps checkpoints:
 *
 * ```ts
 * const files = new CheckpointFiles("run.safetensors", { keep: 3 });
 * await train(model, data, { optimizer, valid, checkpointEvery: 100, onEvent: files.keeper(model) }).done;
 * // Later, perhaps after a crash:
 * const { value: resume } = await files.load((bytes) => bytes);
 * ```
 */
export class CheckpointFiles {
  /** The latest checkpoint. */
  readonly path: string;
  /** How many of the latest are kept. */
  readonly keep: number;

  /**
   * @param path - of the latest checkpoint; earlier and best ones are named after it
   * @throws ArgumentError
   */
  constructor(path: string, { keep = 1 }: CheckpointFilesOptions = {}) {
    if (!(Number.isSafeInteger(keep) && keep >= 1)) {
      throw new ArgumentError("CheckpointFiles", "keep", "a whole number from 1", keep);
    }
    this.path = path;
    this.keep = keep;
  }

  /** The best model. */
  get bestPath(): string {
    const { dir, name, ext } = parse(this.path);
    return format({ dir, name: `${name}.best`, ext });
  }

  /** Where the checkpoint of so many before the latest is. */
  pathOf(age: number): string {
    const { dir, name, ext } = parse(this.path);
    return age === 0 ? this.path : format({ dir, name: `${name}${PREVIOUS}${age}`, ext });
  }

  /**
   * Writes a checkpoint, to the disk, before the others move: whatever goes wrong, and whenever the process is killed,
   * the latest complete one is there under its name, and those before it are as well.
   * @throws FileError
   */
  async save(bytes: Uint8Array): Promise<void> {
    await saveFile(this.path, bytes, async () => {
      for (let age = this.keep - 1; age > 1; age--) await moveIfPresent(this.pathOf(age - 1), this.pathOf(age));
      if (this.keep > 1) await duplicate(this.path, this.pathOf(1));
    });
    await this.#remove((age) => age >= this.keep);
  }

  /** Writes the best model. Throws `FileError`. */
  saveBest(bytes: Uint8Array): Promise<void> {
    return saveFile(this.bestPath, bytes);
  }

  /**
   * The latest checkpoint that can be used.
   * @param read - makes something of the bytes, or throws an error of this package when they are of no use
   * @throws FileError: why the latest cannot be used, when none can
   */
  async load<T>(read: (bytes: Uint8Array<ArrayBuffer>, path: string) => T): Promise<LoadedCheckpoint<T>> {
    const refused: FileError[] = [];
    for (const age of [0, ...(await this.#older())]) {
      const path = this.pathOf(age);
      try {
        return { path, value: read(await loadFile(path), path), refused };
      } catch (error) {
        if (!isUnrolledError(error)) throw error;
        const known = error instanceof FileError;
        refused.push(
          known ? error : new FileError(path, `${path} cannot be used as a checkpoint: ${error.message}`, error),
        );
      }
    }
    throw refused[0];
  }

  /** Removes all checkpoints; the best model stays. */
  clear(): Promise<void> {
    return this.#remove(() => true);
  }

  /**
   * For `train`'s `onEvent`: writes every checkpoint, and the model whenever its validation loss is the lowest.
   * @param optimizer - of the run; needed only where it averages weights (`AveragedSGD`): what was validated is saved
   */
  keeper(model: Module, optimizer?: Optimizer): TrainCallback {
    return async (event) => {
      if (event.kind === "checkpoint") await this.save(event.bytes);
      else if (event.kind === "valid" && event.best) {
        await this.saveBest(optimizer === undefined ? save(model) : optimizer.withAverages(() => save(model)));
      }
    };
  }

  /** Numbers of the checkpoints before the latest, ascending. */
  async #older(): Promise<number[]> {
    const { dir, name, ext } = parse(resolve(this.path));
    const prefix = name + PREVIOUS;
    const ages = (await readdir(dir).catch(() => [])).flatMap((file) => {
      const number =
        file.startsWith(prefix) && file.endsWith(ext) ? file.slice(prefix.length, file.length - ext.length) : "";
      return /^[1-9]\d{0,8}$/.test(number) ? [Number(number)] : [];
    });
    return ages.sort((a, b) => a - b);
  }

  async #remove(chosen: (age: number) => boolean): Promise<void> {
    for (const age of [...(await this.#older()), 0].filter(chosen)) {
      const path = this.pathOf(age);
      await rm(path, { force: true }).catch((error: unknown) => {
        throw fileError(path, error);
      });
    }
  }
}

async function moveIfPresent(from: string, to: string): Promise<void> {
  await rename(from, to).catch((error: unknown) => {
    if ((error as { code?: string }).code !== "ENOENT") throw error;
  });
}

/** Gives a file a second name, at once: there is no moment without the first. Nothing where there is no such file. */
async function duplicate(from: string, to: string): Promise<void> {
  const temporary = temporaryPath(to);
  try {
    // The file itself, where the name is a symbolic link. Some file systems have no links.
    const file = await realpath(from);
    await link(file, temporary).catch(() => copyFile(file, temporary));
    await rename(temporary, to);
  } catch (error) {
    if ((error as { code?: string }).code !== "ENOENT") throw error;
  } finally {
    await rm(temporary, { force: true });
  }
}
