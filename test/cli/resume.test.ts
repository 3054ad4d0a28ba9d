/** A run that is killed and resumed ends with the same files as one that was never stopped. */
import { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { LanguageModel } from "../../ts/tasks/language-model.js";
import { fileIn, temporaryFolder, tiny, unrolled, verse } from "./command.js";

const folder = temporaryFolder();
const text = fileIn(folder, "verse.txt", verse);
const at = (name: string): string => join(folder, name);
const filesOf = (name: string): [model: string, checkpoint: string] => [
  at(`${name}.safetensors`),
  at(`${name}.checkpoint.safetensors`),
];

/** Whole numbers below a limit, the same for the same seed (Lehmer's generator, a = 48271). */
function draws(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
}

/** Runs the command and kills it some milliseconds after so many events of a kind; whether it was killed. */
async function killed(args: readonly string[], kind: string, events: number, delay: number): Promise<boolean> {
  let due = false;
  const { code, stderr } = await unrolled([...args, "--json", "--report-every", "1"], {
    onOutput: (stdout, child) => {
      if (due || stdout.split(`"kind":"${kind}"`).length <= events) return;
      due = true;
      setTimeout(() => child.kill("SIGKILL"), delay);
    },
  });
  expect(stderr).toBe("");
  expect([0, null]).toContain(code);
  return code === null;
}

const sizes = ["--batch-size", "4", "--seq-len", "16", "--seed", "5", "--validation", "0.1"];
const recipes: Readonly<Record<string, readonly string[]>> = {
  "an LSTM of two layers with dropout": [
    ...["--preset", "char-rnn", "--hidden", "14", "--dropout", "0.3", ...sizes],
    ...["--validate-every", "30", "--updates", "1500"],
  ],
  "min-char-rnn": ["--preset", "min-char-rnn", "--validate-every", "90", "--updates", "4000"],
  "every regulariser, accumulation, NT-ASGD on a plateau, steps computed again": [
    ...["--hidden", "12", "--layers", "2", "--embedding", "12", "--tie-weights", "--dropout", "0.2", ...sizes],
    ...["--input-dropout", "0.1", "--locked-dropout", "--embedding-dropout", "0.1", "--weight-dropout", "0.3"],
    ...["--label-smoothing", "0.05", "--accumulate", "2", "--optimizer", "averaged-sgd", "--lr", "2"],
    ...["--weight-decay", "1e-6", "--schedule", "plateau:patience=1,factor=0.5", "--validate-every", "20"],
    ...["--early-stop", "40", "--updates", "700", "--non-monotone", "2", "--recompute", "5"],
  ],
  "a GRU with NAdam and no validation": [
    ...["--cell", "gru", "--hidden", "14", "--embedding", "6", ...sizes.slice(0, 6), "--optimizer", "nadam"],
    ...["--validation", "0", "--epochs", "60"],
  ],
};

describe("unrolled train --resume", () => {
  it.each(Object.entries(recipes).map(([name, recipe], i) => [name, recipe, i] as const))(
    "%s: killed at random moments, it ends with the same bytes",
    async (_, recipe, i) => {
      const [whole, last] = filesOf(`whole-${i}`);
      const [model, checkpoint] = filesOf(`killed-${i}`);
      const every = ["--checkpoint-every", "11", "--sample-every", "0"];
      const outcome = await unrolled(["train", text, ...recipe, ...every, "--out", whole, "--quiet"]);
      expect(outcome).toEqual({ code: 0, stdout: "", stderr: "" });

      const draw = draws(91 + i);
      const start = ["train", text, ...recipe, ...every, "--out", model];
      expect(await killed(start, "checkpoint", 1 + draw(5), draw(4))).toBe(true);
      const resume = ["train", text, "--resume", model, ...every];
      let kills = 1;
      while (kills < 4 && (await killed(resume, "update", 20 + draw(130), draw(4)))) kills++;
      expect(kills).toBeGreaterThan(1);
      expect(await unrolled([...resume, "--quiet"])).toEqual({ code: 0, stdout: "", stderr: "" });

      expect(readFileSync(model).equals(readFileSync(whole))).toBe(true);
      expect(readFileSync(checkpoint).equals(readFileSync(last))).toBe(true);
    },
  );

  it("goes on after Ctrl-C, from the checkpoint or the model file, to the same bytes", async () => {
    const recipe = [...tiny, "--dropout", "0.2", "--validate-every", "40", "--updates", "900", "--sample-every", "0"];
    const [whole] = filesOf("straight");
    const [model, checkpoint] = filesOf("interrupted");
    await unrolled(["train", text, ...recipe, "--out", whole, "--quiet"]);
    const interrupt = async (args: readonly string[]): Promise<void> => {
      let sent = false;
      const outcome = await unrolled([...args, "--json", "--report-every", "1"], {
        onOutput: (stdout, child) => {
          if (!sent && stdout.split('"kind":"update"').length > 100) sent = child.kill("SIGINT");
        },
      });
      expect(outcome.code).toBe(130);
    };
    await interrupt(["train", text, ...recipe, "--out", model]);
    await interrupt(["train", text, "--resume", model, "--sample-every", "0"]);
    const { stdout } = await unrolled(["train", text, "--resume", checkpoint, "--sample-every", "0", "--json"]);
    const start = JSON.parse(stdout.slice(0, stdout.indexOf("\n"))) as Record<string, unknown>;
    expect(start).toMatchObject({ kind: "start", out: model, checkpoint, updates: 900, dropout: 0.2, hiddenSize: 16 });
    expect(start["resumedFrom"]).toBeGreaterThanOrEqual(200);
    expect(readFileSync(model).equals(readFileSync(whole))).toBe(true);
  });

  it("extends a run that was complete", async () => {
    const recipe = [...tiny, "--validation", "0", "--sample-every", "0", "--quiet"];
    const [whole] = filesOf("long");
    const [model] = filesOf("extended");
    await unrolled(["train", text, ...recipe, "--updates", "70", "--out", whole]);
    await unrolled(["train", text, ...recipe, "--updates", "30", "--out", model]);
    expect((await unrolled(["train", text, "--resume", model, "--quiet"])).code).toBe(0);
    expect(readFileSync(model).equals(readFileSync(whole))).toBe(false);
    expect((await unrolled(["train", text, "--resume", model, "--updates", "70", "--quiet"])).code).toBe(0);
    expect(readFileSync(model).equals(readFileSync(whole))).toBe(true);
  });

  it("writes the model anew when its file has gone", async () => {
    const [model] = filesOf("gone");
    await unrolled(["train", text, ...tiny, "--updates", "20", "--out", model, "--quiet"]);
    rmSync(model);
    expect((await unrolled(["train", text, "--resume", model, "--quiet"])).code).toBe(0);
    expect(LanguageModel.from(readFileSync(model)).config()).toMatchObject({ hiddenSize: 16 });
  });

  it("finds no checkpoint of an earlier run beside a newer model", async () => {
    const [model, checkpoint] = filesOf("renewed");
    await unrolled(["train", text, ...tiny, "--updates", "3", "--out", model, "--quiet"]);
    const early = ["--validate-every", "5", "--validation", "0.1", "--updates", "1000000"];
    expect(await killed(["train", text, ...tiny, ...early, "--out", model], "save", 1, 0)).toBe(true);
    expect(existsSync(checkpoint)).toBe(false);
  });
});

describe("unrolled train --keep-checkpoints", () => {
  const recipe = [...tiny, "--sample-every", "0", "--checkpoint-every", "10", "--keep-checkpoints", "3"];
  const previous = (name: string, age: number): string => at(`${name}.checkpoint.previous-${age}.safetensors`);
  const updateOf = (path: string): unknown => {
    const bytes = readFileSync(path);
    const header = bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE(0))).toString();
    const { __metadata__ } = JSON.parse(header) as { __metadata__: Record<string, string> };
    return (JSON.parse(__metadata__["unrolled.run"] ?? "") as { update: number }).update;
  };

  it("keeps so many, goes on from the latest that is not damaged, says so, and ends with the same bytes", async () => {
    const [whole, last] = filesOf("kept-whole");
    const [model, checkpoint] = filesOf("kept");
    await unrolled(["train", text, ...recipe, "--updates", "80", "--out", whole, "--quiet"]);
    await unrolled(["train", text, ...recipe, "--updates", "53", "--out", model, "--quiet"]);
    const kept = [checkpoint, previous("kept", 1), previous("kept", 2)];
    expect(kept.map(updateOf)).toEqual([53, 50, 40]);
    expect(existsSync(previous("kept", 3))).toBe(false);

    const bytes = readFileSync(checkpoint);
    writeFileSync(checkpoint, bytes.subarray(0, bytes.length - 1));
    rmSync(previous("kept", 1));
    const { code, stderr } = await unrolled(["train", text, "--resume", model, "--updates", "80", "--quiet"]);
    expect(code).toBe(0);
    expect(stderr).toMatch(/^unrolled: [^\n]*kept\.checkpoint\.safetensors cannot be used as a checkpoint: [^\n]+\n$/);
    expect(stderr).toMatch(/; the run goes on from [^\n]*kept\.checkpoint\.previous-2\.safetensors, after update 40\n/);
    expect(readFileSync(model).equals(readFileSync(whole))).toBe(true);
    expect(readFileSync(checkpoint).equals(readFileSync(last))).toBe(true);
    // The option is remembered.
    expect([previous("kept", 1), previous("kept", 2)].map(updateOf)).toEqual([70, 60]);

    // One of them by its name is taken, whatever there is besides.
    const from = await unrolled(["train", text, "--resume", previous("kept", 2), "--updates", "61", "--json"]);
    expect(JSON.parse(from.stdout.slice(0, from.stdout.indexOf("\n")))).toMatchObject({ resumedFrom: 60, out: model });

    for (const path of kept) writeFileSync(path, "");
    const none = await unrolled(["train", text, "--resume", model]);
    expect(none).toMatchObject({ code: 1, stdout: "" });
    expect(none.stderr).toMatch(
      /^unrolled: [^\n]*kept\.checkpoint\.safetensors cannot be used as a checkpoint[^\n]+\n$/,
    );
  });

  it("leaves nothing of an earlier run beside a new one", async () => {
    const [model, checkpoint] = filesOf("anew");
    await unrolled(["train", text, ...recipe, "--updates", "30", "--out", model, "--quiet"]);
    await unrolled(["train", text, ...recipe, "--updates", "14", "--out", model, "--quiet"]);
    expect([checkpoint, previous("anew", 1)].map(updateOf)).toEqual([14, 10]);
    expect(existsSync(previous("anew", 2))).toBe(false);
  });
});

describe("a checkpoint that cannot be used is refused in one sentence", () => {
  const [model, checkpoint] = filesOf("good");
  beforeAll(async () => {
    const outcome = await unrolled(["train", text, ...tiny, "--updates", "9", "--out", model, "--quiet"]);
    expect(outcome.code).toBe(0);
  });

  const refused = async (args: readonly string[], code: number, sentence: RegExp): Promise<void> => {
    const outcome = await unrolled(["train", ...args]);
    expect(outcome).toMatchObject({ code, stdout: "" });
    expect(outcome.stderr).toMatch(/^unrolled: [^\n]+\n$/);
    expect(outcome.stderr).toMatch(sentence);
  };

  it("when it is damaged, and the model file still loads", async () => {
    const bytes = readFileSync(checkpoint);
    const scrambled = Uint8Array.from(bytes).fill(0xff, bytes.length - 4000, bytes.length - 3000);
    // The first tensors are the optimizer's.
    const header = 8 + Number(bytes.readBigUInt64LE(0));
    const optimizer = Uint8Array.from(bytes).fill(0xff, header + 400, header + 500);
    const damaged: [Uint8Array, RegExp][] = [
      [bytes.subarray(0, bytes.length - 1), /cannot be used as a checkpoint: /],
      [bytes.subarray(0, 1000), /cannot be used as a checkpoint: /],
      [bytes.subarray(0, 0), /cannot be used as a checkpoint: /],
      [scrambled, /cannot be used as a checkpoint: .*holds NaN at element/],
      [optimizer, /cannot be used as a checkpoint: "checkpoint\/.*holds NaN at element/],
    ];
    const [copy, copied] = filesOf("damaged");
    copyFileSync(model, copy);
    for (const [content, sentence] of damaged) {
      writeFileSync(copied, content);
      await refused([text, "--resume", copy], 1, sentence);
      expect((await unrolled(["sample", copy, "--length", "5"])).code).toBe(0);
      expect(readFileSync(copied).equals(content)).toBe(true);
    }
    expect(readFileSync(copy).equals(readFileSync(model))).toBe(true);
  });

  it("when the checkpoint is not there or is another file", async () => {
    const [plain, beside] = filesOf("plain");
    copyFileSync(model, plain);
    await refused([text, "--resume", plain], 1, /plain\.safetensors cannot be resumed: its checkpoint.*does not exist/);
    await refused([text, "--resume", beside], 1, /plain\.checkpoint\.safetensors does not exist/);
    await refused([text, "--resume", at("none.safetensors")], 1, /none\.safetensors does not exist/);
    copyFileSync(model, beside);
    await refused([text, "--resume", plain], 1, /plain\.checkpoint\.safetensors .* holds weights, but nothing/);
    writeFileSync(beside, "<html>404</html>");
    await refused([text, "--resume", plain], 1, /cannot be used as a checkpoint: not a safetensors file/);
  });

  it("when its record of the run is not of this program", async () => {
    const edited = async (from: string, to: string, sentence: RegExp): Promise<void> => {
      // Of the same length, so that the header's length stays.
      expect(to).toHaveLength(from.length);
      const source = readFileSync(checkpoint).toString("latin1");
      expect(source).toContain(from);
      const [, copied] = filesOf("edited");
      writeFileSync(copied, Buffer.from(source.replace(from, to), "latin1"));
      await refused([text, "--resume", copied], 1, sentence);
    };
    await edited('\\"hidden\\"', '\\"hiiden\\"', /cannot be used as a checkpoint: its run had an option --hiiden/);
    await edited(
      '\\"hidden\\":\\"16\\"',
      '\\"hidden\\":\\"-6\\"',
      /cannot be used as a checkpoint: --hidden must be a whole number/,
    );
    await edited('\\"hidden\\":\\"16\\"', '\\"hidden\\":\\"17\\"', /cannot be used as a checkpoint: .*shape/);
    await edited('\\"update\\":9', '\\"update\\":x', /cannot be used as a checkpoint: /);
  });

  it("when the text is another one", async () => {
    const short = fileIn(folder, "short.txt", verse.slice(0, 1000));
    const changed = fileIn(folder, "changed.txt", verse.replace("rain", "pain"));
    await refused(
      [short, "--resume", model],
      1,
      /not the text that .* had [\d,]+ characters, this has 1,000 characters/,
    );
    await refused([changed, "--resume", model], 1, /changed\.txt is not the text that .*: its characters are others/);
  });

  it("when it is told what it knows already", async () => {
    const taken = ["--seed", "1", "--hidden", "16", "--validation", "0.1", "--out", at("elsewhere")];
    await refused([text, "--resume", model, ...taken], 2, /excludes --seed, --hidden, --validation and --out/);
  });
});
