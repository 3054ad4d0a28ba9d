#!/usr/bin/env node
/** The `unrolled` command. */
import { readFileSync } from "node:fs";
import { isUnrolledError } from "../errors.js";
import { helpOf, listOf, type Options, suggestion, type Usage, wrap } from "./arguments.js";
import { CommandError, UsageError } from "./errors.js";
import { infoCommand, infoUsage } from "./info.js";
import { sampleCommand, sampleUsage } from "./sample.js";
import { surprisalCommand, surprisalUsage } from "./surprisal.js";
import { columns, write } from "./terminal.js";
import { trainCommand, trainUsage } from "./train.js";

interface Command {
  readonly usage: Usage<Options>;
  readonly run: (args: readonly string[]) => Promise<number>;
}

const commands: ReadonlyMap<string, Command> = new Map([
  ["train", { usage: trainUsage, run: trainCommand }],
  ["sample", { usage: sampleUsage, run: sampleCommand }],
  ["surprisal", { usage: surprisalUsage, run: surprisalCommand }],
  ["info", { usage: infoUsage, run: infoCommand }],
]);

function help(): string {
  const rows = [...commands].map(([name, { usage }]) => `  ${name.padEnd(11)}${wrap(usage.summary, columns(), 13)}`);
  return [
    "Usage: unrolled COMMAND [options]",
    "",
    "Recurrent neural networks from the command line.",
    "",
    ...rows,
    "",
    "  unrolled COMMAND --help   all options of a command, with examples",
    "  unrolled --version",
    "",
    "Examples:",
    "  unrolled train shakespeare.txt --out lm.safetensors",
    '  unrolled sample lm.safetensors --prompt "ROMEO:" --temperature 0.8',
    '  unrolled surprisal lm.safetensors "The horse raced past the barn fell"',
    "  unrolled info lm.safetensors",
    "",
    wrap("Exit codes: 0 done, 1 failed, 2 the command line is wrong, 130 interrupted by Ctrl-C.", columns(), 0),
    wrap("Environment: NO_COLOR turns colours off, UNROLLED_DEBUG=1 shows the stack of errors.", columns(), 0),
    "",
  ].join("\n");
}

/** The version in package.json, which lies beside the folder of the built file. */
function version(): string {
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  return version;
}

async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  const command = commands.get(name ?? "");
  const asksHelp = args.includes("--help") || args.includes("-h") || name === "help";
  if (asksHelp) {
    const topic = name === "help" ? commands.get(rest[0] ?? "") : command;
    await write(topic === undefined ? help() : helpOf(topic.usage, columns()));
    return 0;
  }
  if (name === "--version" || name === "-v") {
    await write(`${version()}\n`);
    return 0;
  }
  if (command === undefined) {
    const names = [...commands.keys()];
    if (name === undefined) throw new UsageError(`a command is missing: ${listOf(names, "or")}`);
    throw new UsageError(`there is no command ${name}${suggestion(name, names)}; there are ${listOf(names, "and")}`);
  }
  return command.run(rest);
}

/** One sentence on standard error; the exit code. */
function explain(error: unknown, args: readonly string[]): number {
  const debug = process.env["UNROLLED_DEBUG"] === "1";
  if (error instanceof UsageError) {
    const command = commands.has(args[0] ?? "") ? ` ${args[0]}` : "";
    process.stderr.write(`unrolled: ${error.message}; see unrolled${command} --help\n`);
    return 2;
  }
  const message = error instanceof Error ? error.message : String(error);
  const known = error instanceof CommandError || isUnrolledError(error);
  process.stderr.write(
    `unrolled: ${known ? message : `an error inside unrolled: ${message} (UNROLLED_DEBUG=1 shows where)`}\n`,
  );
  if (debug) process.stderr.write(`${error instanceof Error ? error.stack : ""}\n`);
  return 1;
}

const args = process.argv.slice(2);
// Not process.exit: what is still on its way to a pipe should arrive.
process.exitCode = await main(args).catch((error: unknown) => explain(error, args));
