import { stat } from "node:fs/promises";
import { readModelFile, save } from "../io/model-file.js";
import { CheckpointFiles } from "../node/checkpoint-files.js";
import { checkSavable, FileError, saveFile } from "../node/files.js";
import type { LanguageModel } from "../tasks/language-model.js";
import type { CheckpointEvent, UpdateEvent, ValidEvent } from "../train/loop.js";
import type { Optimizer } from "../train/optimizer.js";
import { CommandError } from "./errors.js";
import type { SaveReason } from "./events.js";
import type { Recipe } from "./recipe.js";
import { loadIfPresent } from "./replace.js";
import { quietReporter, type Reporter } from "./reporter.js";
import { checkpointPathOf, type Kept, type Resumption, type RunRecord, recordMetadata } from "./resume.js";

/** Seconds between saves where no validation says which values are best. */
const savedSeconds = 60;

/** A file to be written. */
interface Snapshot extends Kept {
  readonly savedUpdate: number;
  readonly reason: SaveReason;
  readonly bytes: Uint8Array;
}

/** What a {@link Keeper} keeps. */
export interface KeeperOptions {
  /** Of the model. */
  readonly path: string;
  readonly model: LanguageModel;
  /** Whose averages, where it makes them, are what is saved. */
  readonly optimizer: Optimizer;
  readonly recipe: Recipe;
  readonly seed: number;
  readonly run: Pick<RunRecord, "options" | "text">;
  readonly resumed: Resumption | undefined;
  /** Checkpoints, the latest ones. */
  readonly keep: number;
}

/** Keeps the model file, which has the best values, and the checkpoint, which has the latest. */
export class Keeper {
  reporter: Reporter = quietReporter;
  readonly #path: string;
  readonly #checkpoints: CheckpointFiles;
  readonly #resumed: Resumption | undefined;
  readonly #model: LanguageModel;
  readonly #optimizer: Optimizer;
  readonly #recipe: Recipe;
  readonly #seed: number;
  readonly #run: Pick<RunRecord, "options" | "text">;
  #update = 0;
  #validLoss: number | null = null;
  #validatedAt = -1;
  /** Whether checkpoints that are there are those of an earlier run. */
  #stale: boolean;
  #savedAt = performance.now();
  #kept: Kept = { savedUpdate: null, savedLoss: null };
  /** What could not be written; tried again at the end. */
  #unwritten: Snapshot | undefined;

  constructor({ path, model, optimizer, recipe, seed, run, resumed, keep }: KeeperOptions) {
    this.#path = path;
    this.#checkpoints = new CheckpointFiles(checkpointPathOf(path), { keep });
    this.#model = model;
    this.#optimizer = optimizer;
    this.#recipe = recipe;
    this.#seed = seed;
    this.#run = run;
    this.#resumed = resumed;
    this.#stale = resumed === undefined;
  }

  /** What the file has. */
  get kept(): Kept {
    return this.#kept;
  }

  /**
   * Makes sure, before the work, that the files can be written. A file that is no model is not replaced: it is more
   * likely a slip.
   * @returns whether there is a model, and where checkpoints go: nowhere when the model goes to a pipe or a device
   * @throws FileError
   */
  async check(): Promise<{ replaces: boolean; checkpoint: string | null }> {
    const { bytes } = this.#snapshot("end");
    const replaces = await this.#checkFile(this.#path, bytes);
    const found = await stat(this.#path).catch(() => undefined);
    const regular = found === undefined || found.isFile();
    if (!regular) this.#stale = false;
    // A run that goes on knows its checkpoints, and may have passed over a damaged one.
    else if (this.#resumed === undefined) await this.#checkFile(this.#checkpoints.path, bytes);
    else await checkSavable(this.#checkpoints.path, bytes);
    if (this.#resumed !== undefined) {
      const { update, savedUpdate, savedLoss } = this.#resumed.record;
      this.#update = update;
      // A model file that has gone holds nothing that could be the best.
      if (replaces) {
        this.#validLoss = savedLoss;
        this.#kept = { savedUpdate, savedLoss };
      }
    }
    return { replaces, checkpoint: regular ? this.#checkpoints.path : null };
  }

  async #checkFile(path: string, content: Uint8Array): Promise<boolean> {
    const existing = await loadIfPresent(path);
    if (existing !== undefined) {
      try {
        readModelFile(existing);
      } catch (error) {
        const way = this.#resumed === undefined ? "choose another --out" : "move it away";
        throw new CommandError(`${path} exists and is not a model of this program, so it is not replaced: ${way}`, {
          cause: error,
        });
      }
    }
    await checkSavable(path, content);
    return existing !== undefined;
  }

  /** What a checkpoint of this moment says of the run. */
  metadata(update: number): readonly (readonly [string, string])[] {
    return [["training", this.#facts(update)], recordMetadata({ ...this.#run, update, ...this.#kept })];
  }

  async checkpoint({ update, bytes }: CheckpointEvent): Promise<void> {
    // The first of a run takes the place of all that an earlier one has left.
    const files = this.#stale ? new CheckpointFiles(this.#checkpoints.path) : this.#checkpoints;
    try {
      await files.save(bytes);
      this.#stale = false;
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      // The one before is still there, and there may be room for the next.
      this.reporter.warn(`${error.message}; the run goes on without this checkpoint`);
      return;
    }
    await this.reporter.report({ kind: "checkpoint", update, path: this.#checkpoints.path, bytes: bytes.length });
  }

  async updated({ update }: UpdateEvent): Promise<void> {
    this.#update = update;
    const due = performance.now() - this.#savedAt >= savedSeconds * 1000;
    if (this.#validLoss === null && due) await this.#save("periodic");
  }

  async validated({ update, loss, best }: ValidEvent): Promise<void> {
    this.#update = update;
    this.#validLoss = loss;
    this.#validatedAt = update;
    if (best) await this.#save("best");
  }

  /**
   * Leaves the best known values in the file: those of the lowest validation loss, or the present ones where there was
   * no validation yet. A checkpoint has the present ones in any case.
   * @throws FileError
   */
  async finish(reason: SaveReason): Promise<void> {
    const { savedUpdate } = this.#unwritten ?? this.#kept;
    const unknown = this.#validLoss === null || savedUpdate === null;
    if (this.#update > 0 && unknown && savedUpdate !== this.#update) await this.#write(this.#snapshot(reason));
    else if (this.#unwritten !== undefined) await this.#write(this.#unwritten);
  }

  explainDivergence(error: Error): CommandError {
    const { savedUpdate } = this.#kept;
    const file = savedUpdate === null ? "no model was saved" : `${this.#path} has the model of update ${savedUpdate}`;
    return new CommandError(`${error.message.replace(/;.*/s, "")}: a lower --lr or --clip-norm may help; ${file}`, {
      cause: error,
    });
  }

  async #save(reason: SaveReason): Promise<void> {
    const snapshot = this.#snapshot(reason);
    this.#savedAt = performance.now();
    try {
      await this.#write(snapshot);
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      // There may be room again by the end; hours of training should not end here.
      this.#unwritten = snapshot;
      this.reporter.warn(`${error.message}; it will be tried again`);
    }
  }

  async #write({ bytes, reason, savedUpdate, savedLoss }: Snapshot): Promise<void> {
    if (this.#stale) await this.#checkpoints.clear();
    this.#stale = false;
    await saveFile(this.#path, bytes);
    this.#unwritten = undefined;
    this.#kept = { savedUpdate, savedLoss };
    await this.reporter.report({ kind: "save", update: savedUpdate, reason, path: this.#path, bytes: bytes.length });
  }

  #snapshot(reason: SaveReason): Snapshot {
    const savedUpdate = this.#update;
    const metadata = [["training", this.#facts(savedUpdate)]] as const;
    const bytes = this.#optimizer.withAverages(() => save(this.#model, { metadata }));
    return { reason, savedUpdate, savedLoss: this.#lossAt(savedUpdate), bytes };
  }

  #lossAt(update: number): number | null {
    return this.#validatedAt === update ? this.#validLoss : null;
  }

  /** How the values of an update were trained, for `unrolled info`. */
  #facts(updates: number): string {
    const { preset, lanes: layout } = this.#recipe;
    const { batchSize, seqLen } = layout;
    return JSON.stringify({
      preset,
      updates,
      validationLoss: this.#lossAt(updates),
      batchSize,
      seqLen,
      seed: this.#seed,
    });
  }
}
