/** Runs the built command (dist/cli.js, which `npm test` builds) as a person would: as a process. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll } from "vitest";

/** UNROLLED_CLI names another build to be tested, an installed one for example. */
const script = process.env["UNROLLED_CLI"] ?? resolve(import.meta.dirname, "..", "..", "dist", "cli.js");

/** What a process left behind. */
export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** Standard input; default: empty. */
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  /** Called with all of standard output so far, whenever there is more of it. */
  readonly onOutput?: (stdout: string, child: ChildProcess) => void;
  /** Largest file that the process may write, in KiB. */
  readonly fileLimit?: number;
  readonly cwd?: string;
}

/** Runs `unrolled ...args` to its end. */
export function unrolled(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const { input = "", env = {}, onOutput, fileLimit, cwd } = options;
  const command = [process.execPath, script, ...args];
  const [program = "", ...rest] =
    fileLimit === undefined ? command : ["bash", "-c", `ulimit -f ${fileLimit}; exec "$@"`, "bash", ...command];
  return new Promise((done, fail) => {
    const child = spawn(program, rest, {
      cwd,
      env: { ...process.env, NO_COLOR: undefined, FORCE_COLOR: undefined, ...env },
      stdio: "pipe",
    });
    const collected = { stdout: "", stderr: "" };
    child.stdout.setEncoding("utf8").on("data", (data: string) => {
      collected.stdout += data;
      onOutput?.(collected.stdout, child);
    });
    child.stderr.setEncoding("utf8").on("data", (data: string) => {
      collected.stderr += data;
    });
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
    child.on("error", fail);
    child.on("close", (code) => done({ code, ...collected }));
  });
}

/** A folder that is removed after the tests of the file. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "unrolled-cli-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A text that a tiny model learns in a second. */
export const verse = "the rain in spain stays mainly in the plain.\r\n".repeat(40);

/** Options of a model that is that tiny. */
export const tiny = ["--hidden", "16", "--layers", "1", "--batch-size", "4", "--seq-len", "16"];

/** Writes a file into the folder; its path. */
export function fileIn(folder: string, name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}
