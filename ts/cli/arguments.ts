/** Arguments of the command line: a table of options gives the parser, its messages and the help. */
import { parseArgs } from "node:util";
import { UsageError } from "./errors.js";

/** One option of a command. */
export interface Option<T> {
  /** What stands for the value in the help; a flag has none. */
  readonly placeholder?: string;
  readonly help: string;
  /** @throws UsageError through {@link bad} */
  readonly parse: (text: string, name: string) => T;
}

/** The options of a command by their names, without the dashes. */
export type Options = Readonly<Record<string, Option<unknown>>>;

/** The values that were given. */
export type Values<O extends Options> = { readonly [K in keyof O]?: O[K] extends Option<infer T> ? T : never };

/** What a command takes, and what its help says. */
export interface Usage<O extends Options> {
  readonly name: string;
  /** What stands for the operands, all of which must be given. */
  readonly operands: readonly string[];
  /** Whether the last of them may be given several times. */
  readonly several?: boolean;
  readonly summary: string;
  readonly options: O;
  /** Printed as they are, below the options. */
  readonly notes?: readonly string[];
  readonly examples: readonly string[];
}

function bad(name: string, expected: string, text: string): never {
  throw new UsageError(`--${name} must be ${expected}, got ${JSON.stringify(text)}`);
}

/** An option without a value. */
export function flag(help: string): Option<boolean> {
  return { help, parse: () => true };
}

/** Any text. */
export function string(placeholder: string, help: string): Option<string> {
  return { placeholder, help, parse: (text) => text };
}

/** A whole number. */
export function count(help: string, limits: { min?: number; max?: number } = {}): Option<number> {
  const { min = 1, max = 1e9 } = limits;
  const parse = (text: string, name: string): number => {
    const value = /^[0-9]+$/.test(text) ? Number(text) : NaN;
    return value >= min && value <= max ? value : bad(name, `a whole number from ${min} to ${max}`, text);
  };
  return { placeholder: "N", help, parse };
}

/** A decimal number; the limits belong to the range unless `above` says that the lower one does not. */
export function number(help: string, limits: { min?: number; above?: number; max: number }): Option<number> {
  const { min, above, max } = limits;
  const parse = (text: string, name: string): number => {
    const value = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : NaN;
    const inside = (min === undefined || value >= min) && (above === undefined || value > above) && value <= max;
    return inside
      ? value
      : bad(
          name,
          above === undefined ? `a number from ${min} to ${max}` : `a number above ${above}, at most ${max}`,
          text,
        );
  };
  return { placeholder: "X", help, parse };
}

/** One of some names; what stands behind the name is the value. */
export function choice<T>(help: string, choices: ReadonlyMap<string, T>): Option<T> {
  const names = [...choices.keys()];
  const parse = (text: string, name: string): T => {
    const value = choices.get(text) ?? choices.get(text.toLowerCase());
    return value ?? bad(name, `${listOf(names, "or")}${suggestion(text, names)}`, text);
  };
  return { placeholder: "NAME", help: `${help}: ${listOf(names, "or")}`, parse };
}

/**
 * The operands (`operand` is the first) and the values of the options of a command; `texts` has the values as they were written.
 * @throws UsageError
 */
export function parseArguments<O extends Options>(
  usage: Usage<O>,
  args: readonly string[],
): { operand: string; operands: readonly string[]; values: Values<O>; texts: ReadonlyMap<string, string> } {
  const { tokens } = parseArgs({
    args: [...args],
    strict: false,
    tokens: true,
    allowPositionals: true,
    options: Object.fromEntries(
      Object.entries(usage.options).map(([name, option]) => [
        name,
        { type: option.placeholder === undefined ? "boolean" : "string" },
      ]),
    ),
  });
  const values: Record<string, unknown> = {};
  const texts = new Map<string, string>();
  const operands: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") operands.push(token.value);
    if (token.kind !== "option") continue;
    const { name, rawName, value } = token;
    const option = Object.hasOwn(usage.options, name) && rawName === `--${name}` ? usage.options[name] : undefined;
    if (option === undefined) {
      const names = Object.keys(usage.options);
      throw new UsageError(`${usage.name} has no option ${rawName}${suggestion(name, names, "--")}`);
    }
    if (option.placeholder === undefined && value !== undefined)
      throw new UsageError(`${rawName} takes no value, got ${JSON.stringify(value)}`);
    // `--out --json` is a forgotten value; one that does start with dashes can be given as `--out=--json`.
    const forgotten =
      option.placeholder !== undefined && (value === undefined || (!token.inlineValue && value.startsWith("--")));
    if (forgotten) throw new UsageError(`${rawName} takes a value (${rawName} ${option.placeholder})`);
    if (Object.hasOwn(values, name)) throw new UsageError(`${rawName} is given twice`);
    values[name] = option.parse(value ?? "", name);
    texts.set(name, value ?? "");
  }
  const extra = usage.several ? undefined : operands[usage.operands.length];
  if (extra !== undefined) {
    const taken = listOf(
      usage.operands.map((operand) => `one ${operand}`),
      "and",
    );
    throw new UsageError(`${usage.name} takes ${taken}, and ${JSON.stringify(extra)} is one more`);
  }
  const empty = operands.includes("") ? usage.operands.at(-1) : undefined;
  const missing = usage.operands.find((_, i) => (operands[i] ?? "") === "") ?? empty;
  if (missing !== undefined) throw new UsageError(`${usage.name} needs a ${missing}`);
  return { operand: operands[0] ?? "", operands, values: values as Values<O>, texts };
}

/** The help of a command, for a terminal of so many columns. */
export function helpOf(usage: Usage<Options>, columns: number): string {
  const rows = Object.entries(usage.options).map(([name, { placeholder, help }]): [string, string] => [
    `  --${name}${placeholder === undefined ? "" : ` ${placeholder}`}`,
    help,
  ]);
  const indent = Math.max(...rows.map(([left]) => left.length)) + 2;
  const options = rows.map(([left, help]) => left.padEnd(indent) + wrap(help, columns, indent));
  return [
    `Usage: unrolled ${usage.name}${usage.operands.map((operand) => ` ${operand}`).join("")}${usage.several ? "..." : ""} [options]`,
    "",
    wrap(usage.summary, columns, 0),
    "",
    ...options,
    ...(usage.notes === undefined ? [] : ["", ...usage.notes.map((note) => wrap(note, columns, 0))]),
    "",
    "Examples:",
    ...usage.examples.map((example) => `  ${example}`),
    "",
  ].join("\n");
}

/** Breaks a text between words; lines after the first are indented. */
export function wrap(text: string, columns: number, indent: number): string {
  const width = Math.max(24, columns - indent);
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = lines[lines.length - 1] as string;
    if (line !== "" && line.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = line === "" ? word : `${line} ${word}`;
  }
  return lines.join(`\n${" ".repeat(indent)}`);
}

/** `a, b or c`. */
export function listOf(names: readonly string[], conjunction: string): string {
  return names.length < 2
    ? names.join("")
    : `${names.slice(0, -1).join(", ")} ${conjunction} ${names[names.length - 1]}`;
}

/** ` (did you mean --seed?)` when one of the names is near to what was written, else nothing. */
export function suggestion(written: string, names: readonly string[], prefix = ""): string {
  const [nearest] = names
    .map((name) => ({ name, distance: editDistance(written.toLowerCase(), name) }))
    .sort((a, b) => a.distance - b.distance);
  if (nearest === undefined || nearest.distance > Math.max(1, Math.floor(nearest.name.length / 2))) return "";
  return ` (did you mean ${prefix}${nearest.name}?)`;
}

/** Insertions, deletions and substitutions from one word to the other (Levenshtein 1966). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}
