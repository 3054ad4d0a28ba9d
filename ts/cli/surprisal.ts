/** `unrolled surprisal`: how unexpected each word of a text is to a model. */
import { surprisal, type WordSurprisal } from "../infer/surprisal.js";
import { barChart } from "../inspect/bar-chart.js";
import { readText, saveFile } from "../node/files.js";
import { VocabularyTokenizer } from "../text/vocabulary-tokenizer.js";
import { flag, parseArguments, string, type Usage } from "./arguments.js";
import { CommandError, checkPrompt, UsageError } from "./errors.js";
import { loadModel } from "./model.js";
import { checkReplaceable } from "./replace.js";
import { many, printable, write, writeJson } from "./terminal.js";
import { unitOf } from "./tokens.js";

const options = {
  context: string("TEXT", "what the model has read before (default: as after a line end)"),
  training: string("FILE", "the text that the model was trained on: says which words do not occur in it"),
  json: flag("one JSON object a text: bits and entropy of each token, bits of each word, total and means"),
  svg: string("FILE", "also draws the words as a bar chart"),
};

export const surprisalUsage: Usage<typeof options> = {
  name: "surprisal",
  operands: ["MODEL", "TEXT"],
  several: true,
  summary:
    "Shows how unexpected each word of a text is: -log2 of the probability that the model gives it after everything before it. " +
    "TEXT is the text itself; - is standard input. Several texts are shown side by side, each read by itself.",
  options,
  notes: [
    "The bits of a word are the sum of those of its tokens, which may be characters, and of the white space before it.",
  ],
  examples: [
    'unrolled surprisal lm.safetensors "The horse raced past the barn fell"',
    'unrolled surprisal lm.safetensors "The horse raced" "The horse shot"',
    'unrolled surprisal lm.safetensors "fell" --context "The horse " --json',
    "head -1 chapter.txt | unrolled surprisal lm.safetensors - --svg surprisal.svg",
  ],
};

/** What is shown of one text. */
interface Measured extends ReturnType<typeof surprisal> {
  readonly text: string;
  readonly totalBits: number;
  readonly bitsPerWord: number;
  /** Its words that the training text lacks; null where that is not at hand. */
  readonly unseen: readonly string[] | null;
}

export async function surprisalCommand(args: readonly string[]): Promise<number> {
  const { operands, values } = parseArguments(surprisalUsage, args);
  const [path = "", ...given] = operands;
  const { context = "", svg, training } = values;
  if ([...given, training].filter((text) => text === "-").length > 1)
    throw new UsageError("standard input (-) can be read once");
  const model = await loadModel(path);
  const texts = await Promise.all(given.map(textOf));
  for (const text of texts) checkPrompt(text, model.tokenizer, "TEXT");
  checkPrompt(context, model.tokenizer, "--context");
  const known = training === undefined ? undefined : VocabularyTokenizer.from(await readText(training));
  if (svg !== undefined) await checkReplaceable(svg, "SVG file", "--svg", isSvg);

  const measured = texts.map((text): Measured => {
    const found = surprisal(model, text, { context });
    const totalBits = found.words.reduce((sum, word) => sum + word.bits, 0);
    const unseen = known === undefined ? null : [...new Set(known.words(text))].filter((word) => !knows(known, word));
    return { ...found, text, totalBits, bitsPerWord: totalBits / found.words.length, unseen };
  });
  if (svg !== undefined) await saveFile(svg, chartOf(measured, path));
  if (values.json) {
    for (const { text, bits, entropyBits, tokens, words, unseen, ...numbers } of measured) {
      const { totalBits, bitsPerWord, bitsPerToken, perplexity } = numbers;
      const means = { totalBits, bitsPerWord, bitsPerToken, perplexity };
      const each = tokens.map((token, t) => ({ text: token, bits: bits[t], entropyBits: entropyBits[t] }));
      await writeJson({ model: path, text, context, ...means, words, tokens: each, unseen, svg: svg ?? null });
    }
    return 0;
  }
  const blocks = measured.map((one) => linesOf(one, unitOf(model.tokenizer.kind)));
  const lines = [...sideBySide(blocks), ...(svg === undefined ? [] : [`saved ${svg}`])];
  await write(`${printable(lines.join("\n"))}\n`);
  return 0;
}

/** What an operand stands for. What a shell's echo or a line of a file ends with is not meant. */
async function textOf(given: string): Promise<string> {
  const text = given === "-" ? (await readText("-")).replace(/\r?\n$/, "") : given;
  if (text === "") throw new CommandError("standard input is empty");
  return text;
}

function knows(vocabulary: VocabularyTokenizer, word: string): boolean {
  return vocabulary.idOf(word) !== vocabulary.unknown;
}

function linesOf({ words, bits, totalBits, bitsPerWord, bitsPerToken, unseen }: Measured, unit: string): string[] {
  return [
    "     bits  word",
    ...words.map((word) => `${word.bits.toFixed(2).padStart(9)}  ${shown(word)}`),
    "",
    `total ${totalBits.toFixed(2)} bits: ${many(words.length, "word")}, ${many(bits.length, unit)}`,
    `mean  ${bitsPerWord.toFixed(2)} bits a word, ${bitsPerToken.toFixed(3)} bits a ${unit}`,
    ...(unseen === null ? [] : [`never seen in training: ${unseen.length === 0 ? "nothing" : unseen.join(", ")}`]),
  ];
}

/** Blocks of lines as columns; the words of each are above its totals, which are all at one height. */
function sideBySide(blocks: readonly (readonly string[])[]): string[] {
  if (blocks.length === 1) return [...(blocks[0] as readonly string[])];
  const split = blocks.map((lines) => [lines.slice(0, lines.indexOf("")), lines.slice(lines.indexOf(""))] as const);
  const heights = [0, 1].map((part) => Math.max(...split.map((parts) => (parts[part] as readonly string[]).length)));
  const columns = split.map((parts) =>
    parts.flatMap((lines, part) => Array.from({ length: heights[part] as number }, (_, i) => lines[i] ?? "")),
  );
  const widths = columns.map((lines) => Math.max(...lines.map((line) => line.length)));
  return (columns[0] as string[]).map((_, row) =>
    columns
      .map((lines, i) => (lines[row] as string).padEnd(widths[i] as number))
      .join("    ")
      .trimEnd(),
  );
}

/** One chart, on one scale. */
function chartOf(measured: readonly Measured[], path: string): string {
  const rows = measured.flatMap(({ text, words }) => [
    ...(measured.length === 1 ? [] : [{ heading: text }]),
    ...words.map((word) => ({ label: shown(word), value: word.bits })),
  ]);
  return barChart(rows, { title: `Surprisal, ${path}`, axis: "bits a word" });
}

/** Only the white space that a text ends with makes a word of nothing. */
function shown({ text }: WordSurprisal): string {
  return text === "" ? "(white space)" : text;
}

function isSvg(content: Uint8Array): boolean {
  return /^\s*<(\?xml|svg)/.test(new TextDecoder().decode(content.subarray(0, 256)));
}
