import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { LanguageModel } from "../../ts/tasks/language-model.js";
import { ids } from "../../ts/tensor/ids.js";
import { elementsOf, parseSvg } from "../inspect/svg.js";
import { fileIn, temporaryFolder, tiny, unrolled, verse } from "./command.js";

const folder = temporaryFolder();
const text = fileIn(folder, "verse.txt", verse);
const model = join(folder, "model.safetensors");

beforeAll(async () => {
  expect((await unrolled(["train", text, ...tiny, "--updates", "60", "--out", model, "--quiet"])).code).toBe(0);
});

/** -log2 p of each character after a line feed and those before it: from the logits of one pass, in float64. */
function expectedBits(sentence: string): number[] {
  const lm = LanguageModel.from(readFileSync(model));
  const tokens = lm.tokenizer.encode(`\n${sentence}`);
  const input = ids(tokens.subarray(0, tokens.length - 1), [1, tokens.length - 1]);
  const { data } = lm.run((m) => m.forward(input).logits);
  const size = lm.tokenizer.size;
  return Array.from(tokens.subarray(1), (token, t) => {
    const row = Array.from(data.slice(t * size, (t + 1) * size));
    const total = row.reduce((sum, logit) => sum + Math.exp(logit), 0);
    return (Math.log(total) - (row[token] as number)) / Math.LN2;
  });
}

/** What is expected of `the rain in`: the white space before a word belongs to it. */
function expectedWords(): { text: string; bits: number }[] {
  const bits = expectedBits("the rain in");
  const sum = (from: number, to: number): number => bits.slice(from, to).reduce((total, one) => total + one, 0);
  return [
    { text: "the", bits: sum(0, 3) },
    { text: "rain", bits: sum(3, 8) },
    { text: "in", bits: sum(8, 11) },
  ];
}

describe("unrolled surprisal", () => {
  it("prints the bits of each word, their total and means", async () => {
    const { code, stdout, stderr } = await unrolled(["surprisal", model, "the rain in"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const words = expectedWords();
    const total = words.reduce((sum, { bits }) => sum + bits, 0);
    const [header, ...lines] = stdout.trimEnd().split("\n");
    expect(header).toBe("     bits  word");
    words.forEach(({ text, bits }, i) => {
      const [, number, word] = /^ +([\d.]+) {2}(\w+)$/.exec(lines[i] as string) ?? [];
      expect(word).toBe(text);
      expect(Math.abs(Number(number) - bits)).toBeLessThan(0.0051);
    });
    const [, sum, perWord, perCharacter] =
      /^total ([\d.]+) bits: 3 words, 11 characters\nmean {2}([\d.]+) bits a word, ([\d.]+) bits a character$/.exec(
        lines.slice(4).join("\n"),
      ) ?? [];
    expect(Math.abs(Number(sum) - total)).toBeLessThan(0.0051);
    expect(Math.abs(Number(perWord) - total / 3)).toBeLessThan(0.0051);
    expect(Math.abs(Number(perCharacter) - total / 11)).toBeLessThan(0.00051);
  });

  it("says the same in JSON, and reads standard input", async () => {
    const outcome = await unrolled(["surprisal", model, "-", "--json"], { input: "the rain in\r\n" });
    expect(outcome).toMatchObject({ code: 0, stderr: "" });
    const said = JSON.parse(outcome.stdout) as {
      words: { text: string; bits: number }[];
      tokens: { text: string; bits: number; entropyBits: number }[];
    } & Readonly<Record<string, number>>;
    const words = expectedWords();
    const total = words.reduce((sum, { bits }) => sum + bits, 0);
    expect(said).toMatchObject({ model, text: "the rain in", context: "", svg: null });
    expect(said.words.map((word) => word.text)).toEqual(["the", "rain", "in"]);
    said.words.forEach(({ bits }, i) => {
      expect(bits).toBeCloseTo(words[i]?.bits as number, 4);
    });
    expect(said["totalBits"]).toBeCloseTo(total, 4);
    expect(said["bitsPerWord"]).toBeCloseTo(total / 3, 4);
    expect(said["bitsPerToken"]).toBeCloseTo(total / 11, 4);
    expect(said["perplexity"]).toBeCloseTo(2 ** (total / 11), 3);
    expect(said.tokens.map((token) => token.text).join("")).toBe("the rain in");
    expect(said.tokens.every(({ entropyBits }) => entropyBits >= 0 && entropyBits <= Math.log2(16))).toBe(true);
  });

  it("measures after a context", async () => {
    const args = ["surprisal", model, "in", "--context", "the rain ", "--json"];
    const { totalBits } = JSON.parse((await unrolled(args)).stdout) as { totalBits: number };
    // Given a context, that is all there was: no line feed before it.
    const lm = LanguageModel.from(readFileSync(model));
    const tokens = lm.tokenizer.encode("the rain in");
    const { data } = lm.run((m) => m.forward(ids(tokens.subarray(0, 10), [1, 10])).logits);
    const size = lm.tokenizer.size;
    const nats = [8, 9].map((t) => {
      const row = Array.from(data.slice(t * size, (t + 1) * size));
      return Math.log(row.reduce((sum, logit) => sum + Math.exp(logit), 0)) - (row[tokens[t + 1] as number] as number);
    });
    expect(totalBits).toBeCloseTo(((nats[0] as number) + (nats[1] as number)) / Math.LN2, 4);
  });

  it("shows texts side by side, in one chart, and what was never seen", async () => {
    const svg = join(folder, "pair.svg");
    const texts = ["the rain in", "the tin in spain"];
    const args = ["surprisal", model, ...texts, "--training", text];
    const { code, stdout, stderr } = await unrolled([...args, "--svg", svg]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const said = (await unrolled([...args, "--json"])).stdout
      .trimEnd()
      .split("\n")
      .map(
        (line) => JSON.parse(line) as { words: { text: string; bits: number }[]; unseen: string[]; totalBits: number },
      );
    expect(said.map(({ unseen }) => unseen)).toEqual([[], ["tin"]]);
    const alone = JSON.parse((await unrolled(["surprisal", model, texts[1] as string, "--json"])).stdout) as object;
    expect(said[1]).toMatchObject({ ...alone, unseen: ["tin"] });
    const lines = stdout.trimEnd().split("\n");
    expect(lines[0]).toMatch(/^ +bits {2}word +bits {2}word$/);
    const column = (lines[0] as string).lastIndexOf("bits");
    for (const [i, words] of said.map((one) => one.words).entries()) {
      words.forEach(({ text: word, bits }, row) => {
        const part = i === 0 ? lines[row + 1]?.slice(0, column - 5) : lines[row + 1]?.slice(column - 5);
        expect(part?.trim()).toBe(`${bits.toFixed(2)}  ${word}`);
      });
    }
    expect(stdout).toMatch(/never seen in training: nothing +never seen in training: tin\n/);
    const picture = parseSvg(readFileSync(svg, "utf8"));
    expect(elementsOf(picture, "g").map((row) => row.children[1]?.text)).toEqual([
      ...["the", "rain", "in"],
      ...["the", "tin", "in", "spain"],
    ]);
    const headings = elementsOf(picture, "text").filter((one) => one.attributes.get("font-weight") === "bold");
    expect(headings.slice(1).map((one) => one.text)).toEqual(texts);
  });

  it("draws the words", async () => {
    const svg = join(folder, "surprisal.svg");
    for (const sentence of ["in", "the rain in "]) {
      expect((await unrolled(["surprisal", model, sentence, "--svg", svg])).stdout).toContain(`saved ${svg}\n`);
    }
    const picture = parseSvg(readFileSync(svg, "utf8"));
    const labels = elementsOf(picture, "g").map((row) => row.children[1]?.text);
    expect(labels).toEqual(["the", "rain", "in", "(white space)"]);
    const [first] = elementsOf(picture, "g");
    expect(Number(first?.children[3]?.text)).toBeCloseTo(expectedWords()[0]?.bits as number, 1);
  });
});
