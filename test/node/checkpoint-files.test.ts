import { type ChildProcess, spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import * as u from "../../ts/index.js";
import { CheckpointFiles, FileError } from "../../ts/node/index.js";
import { randomNumbers } from "../text/strings.js";

const root = mkdtempSync(join(tmpdir(), "unrolled-checkpoints-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let folder = "";
let count = 0;
beforeEach(() => {
  folder = join(root, String(count++));
  mkdirSync(folder);
});
const at = (name: string): string => join(folder, name);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (content: Uint8Array): string => new TextDecoder().decode(content);
const contents = (): Record<string, string> =>
  Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(at(name), "utf8")]));

describe("CheckpointFiles", () => {
  it("keeps the latest few and the best, and leaves other files alone", async () => {
    writeFileSync(at("run-1.safetensors"), "another's");
    writeFileSync(at("run.previous-x.safetensors"), "another's");
    const files = new CheckpointFiles(at("run.safetensors"), { keep: 3 });
    for (const name of ["a", "b", "c", "d", "e"]) await files.save(bytes(name));
    await files.saveBest(bytes("best"));
    const others = { "run-1.safetensors": "another's", "run.previous-x.safetensors": "another's" };
    const best = { "run.best.safetensors": "best" };
    const kept = { "run.previous-1.safetensors": "d", "run.previous-2.safetensors": "c" };
    expect(contents()).toEqual({ "run.safetensors": "e", ...kept, ...best, ...others });
    // Fewer from now on.
    await new CheckpointFiles(at("run.safetensors"), { keep: 2 }).save(bytes("f"));
    expect(contents()).toEqual({
      "run.safetensors": "f",
      "run.previous-1.safetensors": "e",
      ...best,
      ...others,
    });
    await files.clear();
    expect(contents()).toEqual({ ...best, ...others });
  });

  it("loads the latest that can be read, and says what it passed over", async () => {
    const files = new CheckpointFiles(at("run"), { keep: 3 });
    await expect(files.load(text)).rejects.toThrow(/run does not exist/);
    for (const name of ["a", "b", "c"]) await files.save(bytes(name));
    const unless = (...bad: string[]) =>
      files.load((content) => {
        if (bad.includes(text(content))) throw new u.LoadError("header", `${text(content)} is no good`);
        return text(content);
      });
    expect(await unless()).toEqual({ path: at("run"), value: "c", refused: [] });
    const { path, value, refused } = await unless("b", "c");
    expect([path, value]).toEqual([at("run.previous-2"), "a"]);
    expect(refused.map(({ message }) => message)).toEqual([
      `${at("run")} cannot be used as a checkpoint: c is no good`,
      `${at("run.previous-1")} cannot be used as a checkpoint: b is no good`,
    ]);
    await expect(unless("a", "b", "c")).rejects.toThrow(/run cannot be used as a checkpoint: c is no good/);
    rmSync(at("run"));
    expect(await unless()).toMatchObject({ value: "b", refused: [{ message: `${at("run")} does not exist` }] });
    // A mistake of the caller's is no damaged file.
    const mistake = files.load(() => {
      throw new TypeError("mistaken");
    });
    await expect(mistake).rejects.toThrow(TypeError);
  });

  it("keeps the content, not the name, of a symbolic link", async () => {
    mkdirSync(at("elsewhere"));
    writeFileSync(at("elsewhere/run"), "a");
    symlinkSync(at("elsewhere/run"), at("run"));
    const files = new CheckpointFiles(at("run"), { keep: 2 });
    await files.save(bytes("b"));
    await files.save(bytes("c"));
    expect([at("run"), at("elsewhere/run"), at("run.previous-1")].map((path) => readFileSync(path, "utf8"))).toEqual([
      "c",
      "c",
      "b",
    ]);
  });

  it("changes nothing when there is no room", async () => {
    const files = new CheckpointFiles(at("run"), { keep: 3 });
    for (const name of ["a", "b"]) await files.save(bytes(name));
    const before = contents();
    await expect(new CheckpointFiles(at("no/run"), { keep: 3 }).save(bytes("c"))).rejects.toThrow(FileError);
    mkdirSync(at("folder"));
    await expect(new CheckpointFiles(at("folder")).save(bytes("c"))).rejects.toThrow(FileError);
    rmSync(at("folder"), { recursive: true });
    expect(contents()).toEqual(before);
    expect(() => new CheckpointFiles(at("run"), { keep: 0 })).toThrow(u.ArgumentError);
  });

  it("keeps what a run makes, which goes on from there to the same bytes", async () => {
    const corpus = "the quick brown fox jumps over the lazy dog. ".repeat(8);
    const tokenizer = u.CharTokenizer.from(corpus);
    const start = () => {
      const model = new u.LanguageModel({ tokenizer, cell: u.GRU, hiddenSize: 7 }).init({ seed: 2 });
      const data = u.lanes(tokenizer.encode(corpus), { batchSize: 2, seqLen: 9, validation: 0.2 });
      const optimizer = new u.Adam(model, { lr: 0.02 });
      return { model, data, options: { optimizer, valid: data.valid, validEvery: 4, checkpointEvery: 5 } };
    };
    const whole = start();
    await u.train(whole.model, whole.data.train, { ...whole.options, updates: 30 }).done;

    const files = new CheckpointFiles(at("run.safetensors"), { keep: 2 });
    const first = start();
    const onEvent = files.keeper(first.model);
    let lowest = Infinity;
    let best: Uint8Array | undefined;
    const note = (event: u.TrainEvent): void => {
      if (event.kind !== "valid" || event.loss >= lowest) return;
      lowest = event.loss;
      best = u.save(first.model);
    };
    await u.train(first.model, first.data.train, { ...first.options, updates: 17, onEvent: [onEvent, note] }).done;
    expect(readFileSync(files.bestPath).equals(best ?? bytes(""))).toBe(true);
    const latest = readFileSync(files.path);
    writeFileSync(files.path, latest.subarray(0, latest.length / 2));

    const second = start();
    const { model, options, data } = second;
    const { value, path } = await files.load((content) => {
      u.readCheckpoint(content, model, options.optimizer);
      return content;
    });
    expect(path).toBe(at("run.previous-1.safetensors"));
    await u.train(model, data.train, { ...options, updates: 30, resume: value }).done;
    expect(u.save(model)).toEqual(u.save(whole.model));
  });

  it("keep the averages that were validated, as the best model", async () => {
    const model = new u.Linear(2, 1).init({ seed: 1 });
    const optimizer = new u.AveragedSGD(model, { lr: 0.1, averageAfter: 0 });
    for (let i = 0; i < 4; i++) optimizer.update(() => u.sum(u.square(model.forward(u.ones([1, 2])))));
    const files = new CheckpointFiles(at("run.safetensors"));
    const valid = { kind: "valid", update: 4, epoch: 1, loss: 1, bitsPerChar: 1, best: true } as const;
    await files.keeper(model, optimizer)(valid);
    const kept = new u.Linear(2, 1);
    u.load(kept, readFileSync(files.bestPath));
    const average = optimizer.averages().get("weight")?.data;
    expect(kept.weight.toArray()).toEqual(average);
    expect(model.weight.toArray()).not.toEqual(average);
  });

  it("has complete checkpoints in their order whenever the process is killed", async () => {
    const source = `
      import { CheckpointFiles } from ${JSON.stringify(pathToFileURL(resolve("dist/node.js")).href)};
      const files = new CheckpointFiles(${JSON.stringify(at("run"))}, { keep: 3 });
      for (let n = Number(process.argv[2]); ; n++) {
        await files.save(new Uint8Array(new Int32Array(8000).fill(n).buffer));
        process.stdout.write(n + "\\n");
      }`;
    writeFileSync(at("writer.mjs"), source);
    const random = randomNumbers(12);
    let next = 1;
    for (let round = 0; round < 5; round++) {
      const saved = await killedAfter(
        spawn(process.execPath, [at("writer.mjs"), String(next)], { stdio: ["ignore", "pipe", "inherit"] }),
        2 + Math.floor(random() * 4),
        random() * 5,
      );
      const there = ["run", "run.previous-1", "run.previous-2"].filter((name) => existsSync(at(name)));
      const found = there.map((name) => {
        const content = new Int32Array(Uint8Array.from(readFileSync(at(name))).buffer);
        expect(content).toHaveLength(8000);
        expect(content.every((number) => number === content[0])).toBe(true);
        return content[0]!;
      });
      // What was reported as saved is there under its name, the one before as well, and nothing is out of order: while
      // they move, a name may be missing and one may be there twice.
      expect(there[0]).toBe("run");
      expect(found[0]!).toBeGreaterThanOrEqual(saved);
      expect([...found].sort((a, b) => b - a)).toEqual(found);
      expect(found.slice(1)).toContain(found[0]! - 1);
      expect(found[0]! - found.at(-1)!).toBeLessThanOrEqual(2);
      next = found[0]! + 1;
    }
  });
});

/** Kills a process some milliseconds after it has written so many lines; the number in the last line it wrote. */
function killedAfter(child: ChildProcess, lines: number, delay: number): Promise<number> {
  return new Promise((done) => {
    let output = "";
    let due = false;
    child.stdout?.setEncoding("utf8").on("data", (data: string) => {
      output += data;
      if (due || output.split("\n").length <= lines) return;
      due = true;
      setTimeout(() => child.kill("SIGKILL"), delay);
    });
    child.on("close", () => done(Number(output.trimEnd().split("\n").at(-1))));
  });
}
