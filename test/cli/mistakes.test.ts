import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { writeSafetensors } from "../../ts/io/safetensors.js";
import { fileIn, type RunOptions, temporaryFolder, tiny, unrolled, verse } from "./command.js";

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const text = fileIn(folder, "verse.txt", verse);
const other = fileIn(folder, "notes.txt", "not a model\n");
mkdirSync(at("sub"));
fileIn(folder, "empty.txt", "");
fileIn(folder, "mark.txt", "\ufeff");
fileIn(folder, "short.txt", "too short");
fileIn(folder, "latin1.txt", Uint8Array.from([0x61, 0x0a, 0x62, 0xe9, 0x63]));
fileIn(folder, "cut.txt", Uint8Array.from([0x61, 0xe2, 0x82]));
fileIn(folder, "utf16.txt", Uint8Array.from([0xff, 0xfe, 0x61, 0x00]));
fileIn(folder, "page.safetensors", "<!DOCTYPE html><html><body>404 not found</body></html>");
fileIn(
  folder,
  "foreign.safetensors",
  writeSafetensors([["weight", { data: Float32Array.of(1, 2), shape: [2] }]], new Map()),
);
const model = at("model.safetensors");

beforeAll(async () => {
  expect((await unrolled(["train", text, ...tiny, "--updates", "2", "--out", model, "--quiet"])).code).toBe(0);
  const bytes = readFileSync(model);
  fileIn(folder, "truncated.safetensors", bytes.subarray(0, bytes.length - 100));
  fileIn(folder, "beheaded.safetensors", bytes.subarray(0, 50));
  const scrambled = new Uint8Array(bytes);
  scrambled.fill(0xff, bytes.length - 4000, bytes.length - 3000);
  fileIn(folder, "nan.safetensors", scrambled);
});

type Mistake = readonly [args: readonly string[], code: 1 | 2, sentence: RegExp, options?: RunOptions];

const numbers: readonly Mistake[] = ["NaN", "-1", "0", "1e99", "abc", "", "Infinity", "0x10", "1,5"].flatMap(
  (value) => [
    [["train", text, "--hidden", value], 2, /--hidden must be a whole number from 1 to 65536, got ".*"/] as const,
    [["train", text, "--lr", value], 2, /--lr must be a number above 0, at most 1000, got ".*"/] as const,
  ],
);

const mistakes: readonly Mistake[] = [
  [[], 2, /a command is missing: train, sample, surprisal or info/],
  [["trian", text], 2, /no command trian \(did you mean train\?\)/],
  [["dance"], 2, /no command dance; there are train, sample, surprisal and info/],
  [["train"], 2, /train needs a FILE/],
  [["train", text, "more"], 2, /"more" is one more/],
  [["train", text, "--hiden", "5"], 2, /no option --hiden \(did you mean --hidden\?\)/],
  [["train", text, "--constructor"], 2, /no option --constructor/],
  [["train", text, "-x"], 2, /no option -x/],
  [["train", text, "--lr"], 2, /--lr takes a value/],
  [["train", text, "--out", "--json"], 2, /--out takes a value/],
  [["train", text, "--json=yes"], 2, /--json takes no value/],
  [["train", text, "--json", "--quiet"], 2, /exclude each other/],
  [["train", text, "--seed", "1", "--seed", "2"], 2, /--seed is given twice/],
  [["train", text, "--schedule", "cosin:steps=5"], 2, /--schedule must be .*did you mean cosine\?.*got "cosin"/],
  [["train", text, "--schedule", "cosine"], 2, /--schedule cosine needs steps, for example cosine:steps=1000/],
  [["train", text, "--schedule", "multistep"], 2, /for example multistep:milestones=1000\/2000/],
  [
    ["train", text, "--schedule", "step:step-size=5,gama=1"],
    2,
    /step has the parameters step-size and gamma, got "gama=1"/,
  ],
  [["train", text, "--schedule", "step:step-size=5,step-size=6"], 2, /step-size is given twice/],
  [["train", text, "--schedule", "step:step-size=abc"], 2, /step-size must be a number, got "abc"/],
  [["train", text, "--schedule", "linear:steps"], 2, /linear: steps must be a number, got ""/],
  [["train", text, "--schedule", "linear:steps=0"], 2, /--schedule linearSchedule: steps must be/],
  [["train", text, "--schedule", "constant:x=1"], 2, /constant has no parameters, got "x=1"/],
  [["train", text, ...tiny, "--schedule", "plateau", "--validation", "0"], 2, /plateau takes validation/],
  [["train", text, ...tiny, "--schedule", "plateau", "--warm-up", "5"], 2, /--warm-up and --schedule plateau exclude/],
  [["train", text, ...tiny, "--early-stop", "2", "--validation", "0"], 2, /--early-stop takes validation/],
  [["train", text, ...tiny, "--non-monotone", "2"], 2, /--non-monotone takes --optimizer averaged-sgd/],
  [
    ["train", text, ...tiny, "--optimizer", "averaged-sgd", "--non-monotone", "2", "--validation", "0"],
    2,
    /--non-monotone takes validation/,
  ],
  [["train", text, "--recompute", "0"], 2, /--recompute must be a whole number from 1/],
  [["train", text, "--early-stop", "0"], 2, /--early-stop must be a whole number from 1/],
  [["train", text, ...tiny, "--embedding-dropout", "0.1"], 2, /--embedding-dropout takes embeddings: --embedding N/],
  [["train", text, ...tiny, "--tie-weights"], 2, /--tie-weights takes embeddings as large as a layer: --embedding 16/],
  [["train", text, "--weight-dropout", "1"], 2, /--weight-dropout must be a number from 0 to 0.99/],
  [["train", text, "--accumulate", "0"], 2, /--accumulate must be a whole number from 1/],
  [["train", text, "--keep-checkpoints", "0"], 2, /--keep-checkpoints must be a whole number from 1/],
  [["train", text, "--preset", "char-rn"], 2, /--preset must be .*did you mean char-rnn\?/],
  [["train", text, "--cell", "transformer"], 2, /--cell must be lstm, gru, rnn, peephole-lstm, .* or rg-lru/],
  [["train", text, "--seconds", "-5"], 2, /--seconds must be a number above 0/],
  [["train", text, "--validation", "1"], 2, /--validation must be a number from 0 to 0.9/],
  [["train", text, "--updates", "1.5"], 2, /--updates must be a whole number/],
  ...numbers,

  [["train", at("missing.txt")], 1, /missing\.txt does not exist/],
  [["train", at("verse.txt/below")], 1, /does not exist: a part of its path is not a folder/],
  [["train", folder], 1, /is a folder/],
  [["train", at("empty.txt")], 1, /empty\.txt is empty/],
  [["train", at("mark.txt")], 1, /mark\.txt is empty/],
  [["train", "-"], 1, /standard input is empty/],
  [["train", at("short.txt")], 1, /too short: it has 9 characters.*16 lanes of 32 takes 513/],
  [["train", "-", ...tiny], 1, /standard input is too short: it has 2 characters/, { input: "ab" }],
  [["train", at("latin1.txt")], 1, /not UTF-8: byte 0xE9 at offset 3 \(line 2\)/],
  [["train", at("cut.txt")], 1, /not UTF-8: byte 0xE2 at offset 1 \(line 1\)/],
  [["train", at("utf16.txt")], 1, /UTF-16: convert it first/],
  [
    ["train", text, ...tiny, "--prompt", "Émile", "--out", at("new")],
    1,
    /--prompt: unknown character "É" \(U\+00C9\) at position 0/,
  ],
  [["train", text, ...tiny, "--out", at("no/model")], 1, /the folder .*no does not exist/],
  [["train", text, ...tiny, "--out", at("sub")], 1, /sub is a folder/],
  [["train", text, ...tiny, "--out", ""], 1, /not the name of a file/],
  [["train", text, ...tiny, "--out", text], 1, /exists and is not a model/],
  [["train", text, ...tiny, "--out", other], 1, /exists and is not a model/],
  [["train", text, ...tiny, "--out", model], 1, /model\.safetensors cannot be written/, { fileLimit: 4 }],

  ...["sample", "info"].flatMap((command): Mistake[] => [
    [[command], 2, new RegExp(`${command} needs a MODEL`)],
    [[command, at("missing.safetensors")], 1, /missing\.safetensors does not exist/],
    [[command, folder], 1, /is a folder/],
    [[command, at("empty.txt")], 1, /empty\.txt cannot be used as a model/],
    [[command, at("page.safetensors")], 1, /page\.safetensors cannot be used as a model: not a safetensors file/],
    [[command, at("foreign.safetensors")], 1, /a safetensors file of another program/],
    [[command, at("truncated.safetensors")], 1, /truncated\.safetensors cannot be used as a model/],
    [[command, at("beheaded.safetensors")], 1, /beheaded\.safetensors cannot be used as a model/],
  ]),
  [["sample", at("nan.safetensors")], 1, /holds NaN at element/],
  [["sample", model, "--prompt", "the X"], 1, /--prompt: unknown character "X" \(U\+0058\) at position 4/],
  [["sample", model, "--top-p", "2"], 2, /--top-p must be a number above 0, at most 1/],
  [["sample", model, "--length", "-1"], 2, /--length must be a whole number/],
  [["sample", model, "--repetition-penalty", "0"], 2, /--repetition-penalty must be a number above 0/],
  [["sample", model, "--state", at("missing.state")], 1, /missing\.state does not exist/],
  [["sample", model, "--state", model], 1, /model\.safetensors cannot be used as the state of a prompt: not the state/],
  [["sample", model, "--state", other], 1, /notes\.txt cannot be used as the state of a prompt/],
  [["sample", model, "--save-state", model], 1, /model\.safetensors exists and is no state of a prompt/],
  [["sample", model, "--save-state", at("no/a.state")], 1, /the folder .*no does not exist/],
  [["sample", model, "--save-state", folder], 1, /is a folder/],
  [["sample", model, "--temperatur", "1"], 2, /did you mean --temperature\?/],
  [["surprisal"], 2, /surprisal needs a MODEL/],
  [["surprisal", model], 2, /surprisal needs a TEXT/],
  [["surprisal", model, ""], 2, /surprisal needs a TEXT/],
  [["surprisal", model, "the", ""], 2, /surprisal needs a TEXT/],
  [["surprisal", model, "-", "-"], 2, /standard input \(-\) can be read once/, { input: "the" }],
  [["surprisal", model, "-"], 1, /standard input is empty/, { input: "\n" }],
  [["surprisal", at("missing.safetensors"), "the"], 1, /missing\.safetensors does not exist/],
  [["surprisal", at("page.safetensors"), "the"], 1, /page\.safetensors cannot be used as a model/],
  [["surprisal", at("truncated.safetensors"), "the"], 1, /truncated\.safetensors cannot be used as a model/],
  [["surprisal", model, "the X"], 1, /TEXT: unknown character "X" \(U\+0058\) at position 4/],
  [["surprisal", model, "the", "--context", "X"], 1, /--context: unknown character "X"/],
  [["surprisal", model, "the", "--svg", model], 1, /model\.safetensors exists and is no SVG file/],
  [["surprisal", model, "the", "--svg", folder], 1, /is a folder/],
  [["surprisal", model, "the", "--svg", at("no/a.svg")], 1, /the folder .*no does not exist/],
  [["surprisal", model, "the", "--temperature", "1"], 2, /surprisal has no option --temperature/],
  [["train", text, "--checkpoint-every", "0"], 2, /--checkpoint-every must be a whole number from 1/],
  [["train", text, "--optimizer", "lyon"], 2, /--optimizer must be .*nadam.*adadelta.*did you mean lion\?/],
  [["info", model, "--verbose"], 2, /info has no option --verbose/],
];

describe.concurrent("a mistake is one sentence and an exit code", () => {
  it.each(mistakes.map((mistake) => [mistake[0].join(" ").replaceAll(`${folder}/`, ""), mistake] as const))(
    "unrolled %s",
    async (_, [args, code, sentence, options]) => {
      const outcome = await unrolled(args, options);
      expect(outcome).toMatchObject({ code, stdout: "" });
      expect(outcome.stderr).toMatch(/^unrolled: [^\n]+\n$/);
      expect(outcome.stderr).toMatch(sentence);
      expect(outcome.stderr).not.toMatch(/ {2}at |\.js:\d|undefined|\[object/);
    },
  );
});

it("leaves the files around it alone", async () => {
  const names = ["model.safetensors", "notes.txt", "verse.txt"];
  const before = names.map((name) => readFileSync(at(name)));
  await unrolled(["train", text, ...tiny, "--out", model], { fileLimit: 4 });
  await unrolled(["train", text, ...tiny, "--out", other]);
  await unrolled(["train", text, ...tiny, "--out", text]);
  expect(names.map((name) => readFileSync(at(name)))).toEqual(before);
  expect(readdirSync(folder).filter((name) => name.includes("tmp"))).toEqual([]);
  expect(readdirSync(folder)).not.toContain("new");
});

it("shows the stack only when asked", async () => {
  const { stderr } = await unrolled(["info", at("missing.safetensors")], { env: { UNROLLED_DEBUG: "1" } });
  expect(stderr).toMatch(/^unrolled: .*does not exist\n(.*\n)* {4}at /);
});
