import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { LanguageModel } from "../../ts/tasks/language-model.js";
import { fileIn, temporaryFolder, tiny, unrolled, verse } from "./command.js";

const folder = temporaryFolder();
const text = fileIn(folder, "verse.txt", verse);
const at = (name: string): string => join(folder, name);

/** What each event has, and of which type. */
const schema: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  start: {
    file: "string",
    characters: "count",
    tokenizer: "string",
    tokens: "count",
    validationTokens: "count",
    vocabulary: "count",
    preset: "string",
    cell: "string",
    hiddenSize: "count",
    numLayers: "count",
    embeddingSize: "count",
    dropout: "number",
    parameters: "count",
    batchSize: "count",
    seqLen: "count",
    optimizer: "string",
    lr: "number",
    seed: "count",
    updatesPerEpoch: "count",
    updates: "count or null",
    seconds: "number or null",
    out: "string",
    checkpoint: "string",
    resumedFrom: "count or null",
    replaces: "boolean",
  },
  update: {
    update: "count",
    epoch: "count",
    loss: "number",
    bitsPerChar: "number",
    smoothLoss: "number",
    gradNorm: "number",
    lr: "number",
    charsPerSecond: "number",
    targets: "count",
  },
  valid: { update: "count", epoch: "count", loss: "number", bitsPerChar: "number", best: "boolean" },
  sample: { update: "count", epoch: "count", text: "string" },
  epoch: { update: "count", epoch: "count", loss: "number" },
  save: { update: "count", reason: "string", path: "string", bytes: "count" },
  checkpoint: { update: "count", path: "string", bytes: "count" },
  end: {
    reason: "string",
    update: "count",
    epoch: "count",
    smoothLoss: "number",
    validLoss: "number",
    bestValidLoss: "number",
    seconds: "number",
    path: "string",
    savedUpdate: "count or null",
    savedLoss: "number or null",
  },
};

type Event = Readonly<Record<string, unknown>> & { readonly kind: string };

function typeFits(value: unknown, type: string): boolean {
  if (type.endsWith(" or null")) return value === null || typeFits(value, type.slice(0, -8));
  return type === "count" ? Number.isSafeInteger(value) && (value as number) >= 0 : typeof value === type;
}

function eventsOf(stdout: string): Event[] {
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Event);
}

describe.concurrent("unrolled train", () => {
  it("reports JSON events that follow the schema, in order, and nothing else", async () => {
    const args = [
      "--lr",
      "0.01",
      "--updates",
      "60",
      "--sample-every",
      "25",
      "--validate-every",
      "20",
      "--report-every",
      "7",
    ];
    const { code, stdout, stderr } = await unrolled([
      "train",
      text,
      ...tiny,
      ...args,
      "--out",
      at("json.safetensors"),
      "--json",
    ]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const events = eventsOf(stdout);
    for (const { kind, ...fields } of events) {
      const expected = schema[kind] ?? {};
      expect(Object.keys(fields).sort(), kind).toEqual(Object.keys(expected).sort());
      for (const [name, type] of Object.entries(expected))
        expect(typeFits(fields[name], type), `${kind}.${name}`).toBe(true);
    }
    expect(new Set(events.map(({ kind }) => kind))).toEqual(new Set(Object.keys(schema)));
    expect(events[0]).toMatchObject({
      kind: "start",
      characters: verse.length,
      tokenizer: "char",
      tokens: verse.length,
      vocabulary: new Set(verse).size,
      updates: 60,
    });
    expect(events.filter(({ kind }) => kind === "update").map(({ update }) => update)).toEqual([
      7, 14, 21, 28, 35, 42, 49, 56, 60,
    ]);
    expect(events.filter(({ kind }) => kind === "valid").map(({ update }) => update)).toEqual([20, 40, 60]);
    expect(events.filter(({ kind }) => kind === "sample").map(({ update }) => update)).toEqual([25, 50, 60]);
    const end = events.at(-1) as Event;
    const losses = events.filter(({ kind }) => kind === "valid").map(({ loss }) => loss as number);
    expect(end).toMatchObject({ kind: "end", reason: "completed", update: 60, savedLoss: Math.min(...losses) });
    // From the 2.77 nats (ln 16) of 16 characters: it has learned.
    expect(end["validLoss"]).toBeLessThan(2.4);
  });

  it("saves the model whose validation loss it reports", async () => {
    const out = at("evaluated.safetensors");
    const { stdout } = await unrolled(["train", text, ...tiny, "--updates", "40", "--out", out, "--json"]);
    const model = LanguageModel.from(readFileSync(out));
    // The part for validation is 5%, laid out in four lanes; each of them starts from a zero state.
    const tokens = model.tokenizer.encode(verse);
    const part = tokens.subarray(tokens.length - Math.floor(0.05 * tokens.length) - 1);
    expect(model.evaluate(part, { batchSize: 4 })).toBeCloseTo(eventsOf(stdout).at(-1)?.["savedLoss"] as number, 5);
  });

  it("gives the same file for the same seed", async () => {
    const train = async (name: string, seed: string): Promise<Buffer> => {
      const sizes = ["--hidden", "16", "--layers", "2", "--embedding", "8", "--batch-size", "4", "--seq-len", "16"];
      const given = [...sizes, "--dropout", "0.3", "--updates", "15", "--seed", seed];
      const { code, stderr } = await unrolled(["train", text, ...given, "--out", at(name), "--quiet"]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      return readFileSync(at(name));
    };
    const first = await train("seed-a", "7");
    expect((await train("seed-b", "7")).equals(first)).toBe(true);
    expect((await train("seed-c", "8")).equals(first)).toBe(false);
  });

  it("writes plain lines without control characters where there is no terminal", async () => {
    // Half of this text are control characters, and so is half of every sample.
    const wild = fileIn(folder, "wild.txt", "\u001b[2J\u0007\u009b1m\u007f\r\n".repeat(60));
    const { code, stdout, stderr } = await unrolled([
      "train",
      wild,
      ...tiny,
      "--updates",
      "20",
      "--out",
      at("wild.safetensors"),
    ]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(
      /^update 20\/20 {2}epoch \d+ {2}loss [\d.]+ nats, [\d.]+ bits a character {2}[\d,]+ characters\/s$/m,
    );
    expect(stdout).toContain("sample at update 20");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these must not be there
    expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  });

  it("prints nothing with --quiet", async () => {
    expect(
      await unrolled(["train", text, ...tiny, "--updates", "2", "--out", at("quiet.safetensors"), "--quiet"]),
    ).toEqual({
      code: 0,
      stdout: "",
      stderr: "",
    });
  });

  it("reads standard input, drops a byte order mark and keeps line ends", async () => {
    const args = ["train", "-", ...tiny, "--updates", "1", "--out", at("stdin.safetensors"), "--quiet"];
    expect((await unrolled(args, { input: `\ufeff${verse}` })).code).toBe(0);
    const { tokens } = LanguageModel.from(readFileSync(at("stdin.safetensors"))).tokenizer;
    expect(tokens).toEqual([...new Set(verse)].sort());
    expect(tokens).toContain("\r");
  });

  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("keeps a usable model at %s", async (signal, expected) => {
    const out = at(`${signal}.safetensors`);
    let sent = false;
    const { code, stdout } = await unrolled(
      ["train", text, ...tiny, "--updates", "1000000", "--report-every", "5", "--out", out, "--json"],
      {
        onOutput: (stdout, child) => {
          if (!sent && stdout.includes('"kind":"update"')) sent = child.kill(signal);
        },
      },
    );
    expect(code).toBe(expected);
    const end = eventsOf(stdout).at(-1) as Event;
    expect(end).toMatchObject({ kind: "end", reason: "aborted", path: out, savedUpdate: end["update"] });
    expect(LanguageModel.from(readFileSync(out)).tokenizer.size).toBe(new Set(verse).size);
  });

  it("replaces a model only by a complete one", async () => {
    // Other tests write into the shared folder at the same time.
    const own = at("kept");
    mkdirSync(own);
    const out = join(own, "kept.safetensors");
    const train = (updates: string): Promise<{ code: number | null }> => {
      return unrolled(["train", text, ...tiny, "--updates", updates, "--validation", "0", "--out", out, "--quiet"]);
    };
    expect((await train("2")).code).toBe(0);
    const before = readFileSync(out);
    await unrolled(["train", text, ...tiny, "--updates", "1000000", "--validation", "0", "--out", out, "--json"], {
      onOutput: (stdout, child) => {
        if (stdout.includes('"kind":"update"')) child.kill("SIGKILL");
      },
    });
    expect(readFileSync(out).equals(before)).toBe(true);
    expect((await train("3")).code).toBe(0);
    expect(readFileSync(out).equals(before)).toBe(false);
    expect(readdirSync(own).filter((name) => name.startsWith(".unrolled"))).toEqual([]);
  });

  it("stops at --seconds with a last validation", async () => {
    const { stdout } = await unrolled([
      "train",
      text,
      ...tiny,
      "--seconds",
      "0.3",
      "--out",
      at("seconds.safetensors"),
      "--json",
    ]);
    expect(eventsOf(stdout).at(-1)).toMatchObject({ kind: "end", reason: "completed" });
    expect(eventsOf(stdout).some(({ kind }) => kind === "valid")).toBe(true);
  });

  it("says which weights diverged training leaves", async () => {
    const out = at("diverged.safetensors");
    const args = [
      "--lr",
      "1000",
      "--optimizer",
      "sgd",
      "--cell",
      "rnn",
      "--clip-value",
      "0",
      "--updates",
      "2000",
      "--quiet",
    ];
    const { code, stderr } = await unrolled(["train", text, ...tiny, ...args, "--out", out]);
    if (code === 0) return expect(existsSync(out)).toBe(true);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^unrolled: training diverged at update \d+[^\n]*a lower --lr or --clip-norm may help; [^\n]+\n$/,
    );
  });

  it.each(["lstm", "gru", "rnn"])("trains a %s", async (cell) => {
    const out = at(`${cell}.safetensors`);
    expect(
      (await unrolled(["train", text, ...tiny, "--cell", cell, "--updates", "2", "--out", out, "--quiet"])).code,
    ).toBe(0);
    expect(LanguageModel.from(readFileSync(out)).config()).toMatchObject({ cell: cell.toUpperCase(), hiddenSize: 16 });
  });

  it("takes min-char-rnn from a preset", async () => {
    const out = at("min.safetensors");
    const { stdout } = await unrolled([
      "train",
      text,
      "--preset",
      "min-char-rnn",
      "--updates",
      "50",
      "--out",
      out,
      "--json",
    ]);
    expect(eventsOf(stdout)[0]).toMatchObject({
      cell: "RNN",
      hiddenSize: 100,
      seqLen: 25,
      batchSize: 1,
      optimizer: "Adagrad",
      lr: 0.1,
    });
  });
});

describe("--schedule and its company", () => {
  /** Learning rates of the first updates. */
  const rates = async (...args: string[]): Promise<number[]> => {
    const limits = ["--updates", "6", "--report-every", "1", "--sample-every", "0", "--validation", "0"];
    const out = ["--out", join(folder, "rates.safetensors"), "--json"];
    const { code, stdout, stderr } = await unrolled([
      "train",
      text,
      ...tiny,
      "--lr",
      "0.5",
      ...limits,
      ...out,
      ...args,
    ]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const events = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { kind: string; lr: number });
    return events.filter(({ kind }) => kind === "update").map(({ lr }) => lr);
  };
  // The formulas of torch.optim.lr_scheduler, from 0.5.
  const schedules: Record<string, number[]> = {
    constant: [0.5, 0.5, 0.5, 0.5, 0.5, 0.5],
    "step:step-size=2,gamma=0.1": [0.5, 0.5, 0.05, 0.05, 0.005, 0.005],
    "multistep:milestones=1/4,gamma=0.5": [0.5, 0.25, 0.25, 0.25, 0.125, 0.125],
    "exponential:gamma=0.5": [0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625],
    "inverse-time:rate=1": [1, 2, 3, 4, 5, 6].map((n) => 0.5 / n),
    "linear:steps=4,start-factor=0.2": [0.1, 0.2, 0.3, 0.4, 0.5, 0.5],
    "polynomial:steps=5,power=2": [1, 0.64, 0.36, 0.16, 0.04, 0].map((factor) => factor / 2),
    "inverse-square-root:warm-up=3": [1, 2, 3, 4, 5, 6].map((n) => 0.5 * Math.min(n ** -0.5, n * 3 ** -1.5)),
    "cosine:steps=5,minimum=0.1": [0, 1, 2, 3, 4, 5].map((t) => 0.1 + 0.2 * (1 + Math.cos((Math.PI * t) / 5))),
    "cosine-restarts:period=2": [0.5, 0.25, 0.5, 0.25, 0.5, 0.25],
    "one-cycle:steps=6,warm-up=0.5,divisor=5,final-divisor=10": [
      0.1,
      0.3,
      0.5,
      0.5 - 0.49 * 0.25,
      0.5 - 0.49 * 0.75,
      0.01,
    ],
  };
  it.each(Object.entries(schedules))("%s", async (schedule, expected) => {
    const actual = await rates("--schedule", schedule);
    actual.forEach((rate, i) => expect(rate).toBeCloseTo(expected[i]!, 6));
    expect(actual).toHaveLength(6);
  });

  it("warms up, and stops early", async () => {
    const warm = await rates("--schedule", "exponential:gamma=0.5", "--warm-up", "2", "--optimizer", "sgd");
    [0, 0.25, 0.5, 0.25, 0.125, 0.0625].forEach((rate, i) => expect(warm[i]).toBeCloseTo(rate, 6));
    const out = join(folder, "early.safetensors");
    // At a rate of next to nothing no validation after the first is the lowest by anything but chance.
    const args = [
      "--lr",
      "1e-30",
      "--schedule",
      "constant",
      "--validate-every",
      "2",
      "--early-stop",
      "3",
      "--validation",
      "0.2",
    ];
    const { code, stdout } = await unrolled([
      "train",
      text,
      ...tiny,
      ...args,
      "--updates",
      "400",
      "--out",
      out,
      "--json",
    ]);
    const end = JSON.parse(stdout.trimEnd().split("\n").at(-1)!) as unknown;
    expect(code).toBe(0);
    expect(end).toMatchObject({ kind: "end", reason: "early", update: 8, savedUpdate: 2 });
  });
});

describe("help", () => {
  it.each([["--help"], ["train", "--help"], ["sample", "-h"], ["surprisal", "--help"], ["help", "info"]])(
    "unrolled %s %s",
    async (...args) => {
      const { code, stdout, stderr } = await unrolled(args.filter((arg) => arg !== undefined));
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout).toMatch(/^Usage: unrolled /);
      expect(stdout).toContain("Examples:\n  ");
      expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
    },
  );

  it("knows its version", async () => {
    const { version } = JSON.parse(readFileSync(join(import.meta.dirname, "..", "..", "package.json"), "utf8")) as {
      version: string;
    };
    expect(await unrolled(["--version"])).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
  });
});
