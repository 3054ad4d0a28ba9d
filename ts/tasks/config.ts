/** The configuration of a model file, which is checked here by type only: constructors check the values. */
import { ArgumentError, LoadError } from "../errors.js";
import { type ModelFile, readTokenizer } from "../io/model-file.js";
import { GRU } from "../nn/gru.js";
import { LSTM } from "../nn/lstm.js";
import { RNN } from "../nn/rnn.js";
import type { Tokenizer } from "../text/tokenizer.js";
import type { RecurrentClass } from "./language-model.js";

/** The cells that every program knows, by the names that files have for them. */
const CELLS: ReadonlyMap<string, RecurrentClass> = new Map<string, RecurrentClass>([
  ["RNN", RNN],
  ["LSTM", LSTM],
  ["GRU", GRU],
]);

/** The name that a file has for a cell. @throws ArgumentError for a class without one @internal */
export function cellName(where: string, cell: RecurrentClass): string {
  const name = [...CELLS].find(([, known]) => known === cell)?.[0] ?? cell.cellName;
  if (name === undefined) {
    throw new ArgumentError(where, "cell", "RNN, LSTM, GRU or one of defineCell to be saved", cell);
  }
  return name;
}

/** Reads the configuration of a file of one kind of model. @internal */
export class Config {
  readonly #kind: string;
  readonly #file: ModelFile;

  /** @throws LoadError `foreign` when the file holds another kind of model */
  constructor(kind: string, file: ModelFile) {
    if (file.kind !== kind) {
      throw new LoadError("foreign", `the file holds a model of kind ${file.kind ?? "unknown"}, expected ${kind}`);
    }
    this.#kind = kind;
    this.#file = file;
  }

  bad(field: string): LoadError {
    const value = JSON.stringify(this.#file.config.get(field));
    return new LoadError("value", `model file: ${field} of the ${this.#kind} is ${value}`);
  }

  number(field: string): number | undefined {
    const value = this.#file.config.get(field);
    if (value !== undefined && typeof value !== "number") throw this.bad(field);
    return value;
  }

  /** A number that must be there, and may not exceed `most`. */
  size(field: string, most = Number.MAX_SAFE_INTEGER): number {
    const value = this.number(field);
    if (value === undefined || value > most) throw this.bad(field);
    return value;
  }

  /** Layers: each has tensors in the file, so there are no more of them. */
  layers(): number | undefined {
    return this.#file.config.has("numLayers") ? this.size("numLayers", this.#file.tensors.size) : undefined;
  }

  text(field: string): string | undefined {
    const value = this.#file.config.get(field);
    if (value !== undefined && typeof value !== "string") throw this.bad(field);
    return value;
  }

  flag(field: string): boolean | undefined {
    const value = this.#file.config.get(field);
    if (value !== undefined && typeof value !== "boolean") throw this.bad(field);
    return value;
  }

  /** One of the values of a table by its name. */
  choice<T>(field: string, table: ReadonlyMap<string, T>): T | undefined {
    const name = this.#file.config.get(field);
    if (name === undefined) return undefined;
    const value = typeof name === "string" ? table.get(name) : undefined;
    if (value === undefined) throw this.bad(field);
    return value;
  }

  strings(field: string): readonly string[] {
    const value = this.#file.config.get(field);
    if (!Array.isArray(value) || !value.every((item) => typeof item === "string")) throw this.bad(field);
    return value as string[];
  }

  numbers(field: string): readonly number[] | undefined {
    const value = this.#file.config.get(field);
    if (value === undefined) return undefined;
    if (!Array.isArray(value) || !value.every((item) => typeof item === "number")) throw this.bad(field);
    return value as number[];
  }

  tokenizer(): Tokenizer {
    const { tokenizer } = this.#file;
    if (tokenizer === undefined) throw new LoadError("value", `model file: the ${this.#kind} has no tokenizer`);
    return tokenizer;
  }

  /** A tokenizer besides that of the model. */
  furtherTokenizer(field: string): Tokenizer {
    return readTokenizer(field, this.#file.config.get(field), this.#file.tokenizerReaders);
  }

  /** @param more - cells besides RNN, LSTM and GRU */
  cell(more: Iterable<RecurrentClass> = []): RecurrentClass {
    const name = this.#file.config.get("cell");
    if (typeof name !== "string") throw this.bad("cell");
    const cell = CELLS.get(name) ?? [...more].find((known) => known.cellName === name);
    if (cell === undefined) {
      throw new LoadError(
        "value",
        `model file: the cell ${JSON.stringify(name)} of the ${this.#kind} is not known; give its class: ` +
          `${this.#kind}.from(file, { cells: [...] })`,
      );
    }
    return cell;
  }

  /** The model of options from here, which a constructor checks. */
  construct<M>(make: () => M): M {
    try {
      return make();
    } catch (error) {
      if (error instanceof ArgumentError) throw new LoadError("value", `model file: ${error.message}`);
      throw error;
    }
  }
}
