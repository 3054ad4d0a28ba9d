/** `unrolled info`: what a model file holds. */
import type { ModelFile } from "../io/model-file.js";
import { loadFile } from "../node/files.js";
import { tokenizerFromJSON } from "../text/from-json.js";
import type { Tokenizer } from "../text/tokenizer.js";
import { flag, parseArguments, type Usage } from "./arguments.js";
import { readModel } from "./model.js";
import { grouped, many, printable, size, write, writeJson } from "./terminal.js";

const options = { json: flag("one JSON object") };

export const infoUsage: Usage<typeof options> = {
  name: "info",
  operands: ["MODEL"],
  summary: "Shows what a model file holds: architecture, tokenizer, parameters with their shapes, how it was trained.",
  options,
  examples: ["unrolled info lm.safetensors", "unrolled info lm.safetensors --json"],
};

export async function infoCommand(args: readonly string[]): Promise<number> {
  const { operand: path, values } = parseArguments(infoUsage, args);
  const bytes = await loadFile(path);
  const info = describe(path, bytes.length, await readModel(path, bytes));
  if (values.json) await writeJson(info);
  else await write(lines(info));
  return 0;
}

type Info = ReturnType<typeof describe>;

function describe(path: string, bytes: number, file: ModelFile) {
  const tensors = [...file.tensors].map(([name, { shape, dtype, bytes: data }]) => {
    return { name, shape, dtype, count: shape.reduce((product, length) => product * length, 1), bytes: data.length };
  });
  return {
    file: path,
    bytes,
    version: file.version,
    kind: file.kind ?? null,
    config: Object.fromEntries(file.config),
    tokenizer:
      file.tokenizer === undefined
        ? null
        : { kind: file.tokenizer.kind, size: file.tokenizer.size, tokens: file.tokenizer.tokens },
    parameters: tensors.reduce((sum, tensor) => sum + tensor.count, 0),
    tensors,
    aliases: Object.fromEntries(file.aliases),
    training: trainingFacts(file.metadata.get("training")),
  };
}

/** What `unrolled train` wrote down; null when the text is something else. */
function trainingFacts(text: string | undefined): Record<string, unknown> | null {
  try {
    const facts = JSON.parse(text ?? "null") as unknown;
    return typeof facts === "object" && !Array.isArray(facts) ? (facts as Record<string, unknown> | null) : null;
  } catch {
    return null;
  }
}

/** The beginning of a vocabulary: its characters, or its most frequent words. */
function tokensShown({ kind, tokens }: Pick<Tokenizer, "kind" | "tokens">): string {
  if (kind === "char") return JSON.stringify(tokens.slice(0, 100).join("")) + (tokens.length > 100 ? " ..." : "");
  // Bytes, characters and special tokens come first, and say nothing of the text.
  const words = tokens.filter((token) => token.trim().length > 1 && !/^<.*>$/.test(token));
  const first = words.slice(0, 12).map((word) => JSON.stringify(word));
  return first.join(" ") + (words.length > first.length ? " ..." : "");
}

/** What a tokenizer is, in a line. */
function tokenizerLine(tokenizer: Pick<Tokenizer, "kind" | "size" | "tokens">): string {
  const shown = tokensShown(tokenizer);
  return `${tokenizer.kind}, ${many(tokenizer.size, "token")}${shown === "" ? "" : `: ${shown}`}`;
}

/** Items of a list that are shown. */
const SHOWN_ITEMS = 8;

/** A list, or a further tokenizer, which take a line of their own; undefined for any other value. */
function ownLine(value: unknown): string | undefined {
  if (Array.isArray(value)) {
    const first = value.slice(0, SHOWN_ITEMS).map((item) => shortened(plain(item), 40));
    return `${grouped(value.length)}: ${first.join(", ")}${value.length > SHOWN_ITEMS ? ", ..." : ""}`;
  }
  try {
    return tokenizerLine(tokenizerFromJSON(value));
  } catch {
    return undefined;
  }
}

function plain(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function lines(info: Info): string {
  const pairs = (facts: Readonly<Record<string, unknown>>): string =>
    Object.entries(facts)
      .filter(([, value]) => value !== null)
      .map(([name, value]) => `${name} ${shortened(plain(value), 200)}`)
      .join(", ");
  const { tokenizer } = info;
  const config = Object.entries(info.config).map(([name, value]) => ({ name, value, line: ownLine(value) }));
  const inline = config.filter(({ line }) => line === undefined).map(({ name, value }) => [name, value] as const);
  const names = Math.max(0, ...info.tensors.map(({ name }) => name.length));
  const shapes = Math.max(0, ...info.tensors.map(({ shape }) => `[${shape.join(", ")}]`.length));
  const text = [
    `file        ${info.file}, ${size(info.bytes)}, format version ${info.version}`,
    `model       ${info.kind ?? "of no declared kind"}: ${pairs(Object.fromEntries(inline))}`,
    ...config.flatMap(({ name, line }) => (line === undefined ? [] : [`${name.padEnd(11)} ${line}`])),
    `tokenizer   ${tokenizer === null ? "none" : tokenizerLine(tokenizer)}`,
    `training    ${info.training === null ? "not recorded" : pairs(info.training)}`,
    `parameters  ${grouped(info.parameters)} in ${many(info.tensors.length, "tensor")}`,
    ...info.tensors.map(({ name, shape, dtype, count, bytes }) => {
      return `  ${name.padEnd(names)}  ${`[${shape.join(", ")}]`.padEnd(shapes)}  ${dtype}  ${grouped(count)} values, ${size(bytes)}`;
    }),
    ...Object.entries(info.aliases).map(([alias, name]) => `  ${alias.padEnd(names)}  is ${name}`),
  ];
  return `${printable(text.join("\n"))}\n`;
}

/** What tells a reader enough; texts and tables of counts can be long, and `--json` has all of it. */
function shortened(value: string, most: number): string {
  return value.length <= most ? value : `${value.slice(0, most - 3)}...`;
}
