/**
 * Model files: safetensors with PyTorch's parameter names, and, in the metadata under `unrolled`, what it takes to
 * build the model anew.
 */
import type { Core } from "../core/core.js";
import { formatShape, isUnrolledError, LoadError } from "../errors.js";
import type { Module } from "../nn/module.js";
import type { Parameter } from "../tensor/parameter.js";
import { sameShape } from "../tensor/tensor.js";
import { type TokenizerReader, tokenizerFromJSON } from "../text/from-json.js";
import type { Tokenizer } from "../text/tokenizer.js";
import { entriesOf, parseUntrustedObject, quoted } from "./json.js";
import {
  isFloatingDType,
  readSafetensors,
  type Safetensors,
  toFloat32,
  type WritableTensor,
  writeSafetensors,
} from "./safetensors.js";

/** Version of what is written; a file of a later one is refused. */
const VERSION = 1;
const KEY = "unrolled";

/** Tensors of these names are no parameters: a checkpoint keeps there what a run goes on from. @internal */
export const CHECKPOINT_PREFIX = "checkpoint/";

/** A model that can be built anew from its file. */
export interface DescribedModel {
  /** Name of the class, independent of minification. */
  readonly kind: string;
  /** JSON data from which the model can be constructed. */
  config(): Readonly<Record<string, unknown>>;
  /** Written into the file. */
  readonly tokenizer?: Tokenizer;
  /** What its file holds beside the parameters. */
  tensors?(): Iterable<readonly [string, WritableTensor]>;
}

/** Options of {@link save}. */
export interface SaveOptions {
  /** More metadata, for example how the model was trained. */
  readonly metadata?: Iterable<readonly [string, string]>;
  /** More tensors, which are not parameters; their names begin with `checkpoint/`. @internal */
  readonly tensors?: Iterable<readonly [string, WritableTensor]>;
}

/**
 * A model as a safetensors file: its parameters, each value once; kind, configuration and tokenizer if the model has
 * them. The same model gives the same bytes.
 */
export function save(model: Module & Partial<DescribedModel>, options: SaveOptions = {}): Uint8Array {
  const aliases: Record<string, string> = {};
  const tensors: (readonly [string, WritableTensor])[] = [...(options.tensors ?? []), ...(model.tensors?.() ?? [])];
  for (const [parameter, [name, ...others]] of namesOf(model)) {
    tensors.push([name, { data: parameter.toArray(), shape: parameter.shape }]);
    for (const other of others) aliases[other] = name;
  }
  const description = {
    version: VERSION,
    kind: model.kind,
    config: model.config?.(),
    tokenizer: model.tokenizer?.toJSON(),
    aliases: Object.keys(aliases).length > 0 ? aliases : undefined,
  };
  // `format: pt` is what other tools look for before they take the names for PyTorch's.
  const metadata = new Map([
    ...(options.metadata ?? []),
    ["format", "pt"] as const,
    [KEY, JSON.stringify(description)] as const,
  ]);
  return writeSafetensors(tensors, metadata);
}

/** Every parameter with its names, of which there are several when it is tied. */
function namesOf(model: Module): Map<Parameter, [string, ...string[]]> {
  const names = new Map<Parameter, [string, ...string[]]>();
  for (const [name, parameter] of model.namedParameters()) {
    const known = names.get(parameter);
    if (known === undefined) names.set(parameter, [name]);
    else known.push(name);
  }
  return names;
}

/** A file that {@link save} wrote. */
export interface ModelFile extends Safetensors {
  /** Of the format. */
  readonly version: number;
  /** Absent when the model was no {@link DescribedModel}. */
  readonly kind: string | undefined;
  /** What the model's `config()` gave. */
  readonly config: ReadonlyMap<string, unknown>;
  /** That of the model; undefined where the file has none. */
  readonly tokenizer: Tokenizer | undefined;
  /** What was given to read tokenizers of further kinds with. */
  readonly tokenizerReaders: readonly TokenizerReader[];
  /** Other names of tied parameters, and the name each is stored under. */
  readonly aliases: ReadonlyMap<string, string>;
}

/** A model file: its bytes, or what {@link readModelFile} read. */
export type ModelSource = Uint8Array | ArrayBuffer | ModelFile;

/** Options of {@link readModelFile}. */
export interface ModelFileOptions {
  /** Readers of tokenizers besides those of the package, as `unrolled/huggingface` has one. */
  readonly tokenizers?: Iterable<TokenizerReader> | undefined;
}

/**
 * Reads a file that {@link save} wrote. Throws `LoadError`: `foreign` for a safetensors file of another origin,
 * `unsupported_version` for one of a later version of this package.
 */
export function readModelFile(source: ModelSource, options: ModelFileOptions = {}): ModelFile {
  if ("tensors" in source) return source;
  const file = readSafetensors(source);
  if (!file.metadata.has(KEY)) {
    throw new LoadError(
      "foreign",
      "a safetensors file of another program: it holds no architecture; construct the model yourself and use load(model, bytes)",
    );
  }
  const { tokenizer, ...described } = describe(file);
  const readers = [...(options.tokenizers ?? [])];
  return {
    ...described,
    tokenizerReaders: readers,
    tokenizer: tokenizer === undefined ? undefined : readTokenizer("tokenizer", tokenizer, readers),
  };
}

/** All but the tokenizer, which is as the file has it. */
function describe(
  file: Safetensors,
): Omit<ModelFile, "tokenizer" | "tokenizerReaders"> & { readonly tokenizer: unknown } {
  const what = "model file: metadata";
  const description = parseUntrustedObject(new TextEncoder().encode(file.metadata.get(KEY) ?? "{}"), what);
  const version = description.get("version") ?? VERSION;
  if (!Number.isSafeInteger(version)) throw new LoadError("header", `${what}: version must be a whole number`);
  if ((version as number) > VERSION) {
    throw new LoadError(
      "unsupported_version",
      `model file: it has format version ${version as number}, this package reads up to ${VERSION}`,
    );
  }
  const kind = description.get("kind");
  if (kind !== undefined && typeof kind !== "string") throw new LoadError("header", `${what}: kind must be a string`);
  const config = entriesOf(description.get("config") ?? {});
  if (config === undefined) throw new LoadError("header", `${what}: config must be an object`);
  const aliases = entriesOf(description.get("aliases") ?? {});
  if (aliases === undefined || ![...aliases.values()].every((name) => typeof name === "string")) {
    throw new LoadError("header", `${what}: aliases must be an object of strings`);
  }
  return {
    metadata: file.metadata,
    tensors: new Map([...file.tensors].filter(([name]) => !name.startsWith(CHECKPOINT_PREFIX))),
    version: version as number,
    kind,
    config,
    tokenizer: description.get("tokenizer"),
    aliases: aliases as Map<string, string>,
  };
}

/** The tokenizer of a field of a model file. @throws LoadError @internal */
export function readTokenizer(field: string, json: unknown, readers: readonly TokenizerReader[]): Tokenizer {
  try {
    return tokenizerFromJSON(json, readers);
  } catch (error) {
    if (isUnrolledError(error)) throw new LoadError("value", `model file: ${field}: ${error.message}`);
    throw error;
  }
}

/** Options of {@link load}. */
export interface LoadOptions {
  /** Every parameter must be in the file and every tensor in the model; default true. Otherwise those common to both are loaded. */
  readonly strict?: boolean;
  /** The model's name for a tensor of the file; undefined leaves the tensor out. Default: the same name. */
  readonly rename?: (name: string) => string | undefined;
  /** Accepts NaN and infinite values; default false. */
  readonly allowNonFinite?: boolean;
  /** Where the values go when the model has none yet; default: the default core. */
  readonly core?: Core;
}

/**
 * Gives a model the values of a safetensors file, of any origin; `load(model, readShards(...))` for one in several
 * files. The model need not be initialised. Everything is checked before anything is written.
 * @throws LoadError naming the tensor and what was expected
 */
export function load<M extends Module>(
  model: M,
  file: Uint8Array | ArrayBuffer | Safetensors,
  options: LoadOptions = {},
): M {
  const { strict = true, rename = (name: string) => name, allowNonFinite = false, core } = options;
  const { tensors, aliases } = describe("tensors" in file ? file : readSafetensors(file));
  const sources = new Map<string, string>();
  for (const source of tensors.keys()) {
    const name = rename(source);
    if (name === undefined) continue;
    const other = sources.get(name);
    if (other !== undefined) {
      throw new LoadError("value", `both ${quoted(other)} and ${quoted(source)} are to be loaded as ${quoted(name)}`);
    }
    sources.set(name, source);
  }
  for (const [alias, name] of aliases) {
    const source = sources.get(name);
    if (source !== undefined && !sources.has(alias)) sources.set(alias, source);
  }
  const named = namesOf(model);
  if (strict) checkNames([...named.values()], sources, aliases);
  const values = new Map<string, { data: Float32Array; shape: readonly number[] }>();
  for (const [parameter, names] of named) {
    for (const name of names) {
      const source = sources.get(name);
      if (source === undefined) continue;
      const stored = tensors.get(source) as NonNullable<ReturnType<typeof tensors.get>>;
      if (!isFloatingDType(stored.dtype)) {
        throw new LoadError("dtype", `${quoted(name)} has dtype ${stored.dtype}, expected floating-point numbers`);
      }
      if (!sameShape(stored.shape, parameter.shape)) {
        const [got, expected] = [formatShape(stored.shape), formatShape(parameter.shape)];
        throw new LoadError("shape", `${quoted(name)} has shape ${got}, expected ${expected}`);
      }
      const data = toFloat32(name, stored);
      const broken = allowNonFinite ? -1 : data.findIndex((value) => !Number.isFinite(value));
      if (broken >= 0) throw new LoadError("value", `${quoted(name)} holds ${data[broken]} at element ${broken}`);
      values.set(name, { data, shape: stored.shape });
    }
  }
  return model.loadStateDict(values, core === undefined ? { strict: false } : { strict: false, core });
}

/** Throws `LoadError` unless file and model have the same names; one of several is enough for a tied parameter. */
function checkNames(
  parameters: readonly (readonly [string, ...string[]])[],
  sources: ReadonlyMap<string, string>,
  aliases: ReadonlyMap<string, string>,
): void {
  const known = new Set(parameters.flat());
  const missing = parameters.filter((names) => !names.some((name) => sources.has(name))).map(([name]) => name);
  const unexpected = [...sources.keys()].filter((name) => !known.has(name) && !aliases.has(name));
  const problems: string[] = [];
  if (missing.length > 0) problems.push(`the file lacks ${list(missing)}`);
  if (unexpected.length > 0) problems.push(`the model has no parameter ${list(unexpected)}`);
  if (problems.length === 0) return;
  throw new LoadError(
    missing.length > 0 ? "missing_tensor" : "unexpected_tensor",
    `file and model do not fit: ${problems.join("; ")}`,
  );
}

function list(names: readonly string[]): string {
  const more = names.length > 8 ? ` and ${names.length - 8} more` : "";
  return names.slice(0, 8).map(quoted).join(", ") + more;
}
