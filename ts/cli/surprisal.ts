/** `unrolled surprisal`: how unexpected each word of a text is to a model. */
import { surprisal } from "../infer/surprisal.js";
import { barChart } from "../inspect/bar-chart.js";
import { readText, saveFile } from "../node/files.js";
import { flag, parseArguments, string, type Usage } from "./arguments.js";
import { CommandError, checkPrompt } from "./errors.js";
import { loadModel } from "./model.js";
import { checkReplaceable } from "./replace.js";
import { many, printable, write, writeJson } from "./terminal.js";

const options = {
  context: string("TEXT", "what the model has read before (default: as after a line end)"),
  json: flag("one JSON object: bits and entropy of each token, bits of each word, total and means"),
  svg: string("FILE", "also draws the words as a bar chart"),
};

export const surprisalUsage: Usage<typeof options> = {
  name: "surprisal",
  operands: ["MODEL", "TEXT"],
  summary:
    "Shows how unexpected each word of a text is: -log2 of the probability that the model gives it after everything before it. " +
    "TEXT is the text itself; - is standard input.",
  options,
  notes: ["The bits of a word are the sum of those of its characters and of the white space before it."],
  examples: [
    'unrolled surprisal lm.safetensors "The horse raced past the barn fell"',
    'unrolled surprisal lm.safetensors "fell" --context "The horse " --json',
    "head -1 chapter.txt | unrolled surprisal lm.safetensors - --svg surprisal.svg",
  ],
};

export async function surprisalCommand(args: readonly string[]): Promise<number> {
  const { operands, values } = parseArguments(surprisalUsage, args);
  const [path = "", given = ""] = operands;
  const { context = "", svg } = values;
  const model = await loadModel(path);
  // What a shell's echo or a line of a file ends with is not meant.
  const text = given === "-" ? (await readText("-")).replace(/\r?\n$/, "") : given;
  if (text === "") throw new CommandError("standard input is empty");
  checkPrompt(text, model.tokenizer, "TEXT");
  checkPrompt(context, model.tokenizer, "--context");
  if (svg !== undefined) await checkReplaceable(svg, "SVG file", "--svg", isSvg);

  const { bits, entropyBits, tokens, words, bitsPerToken, perplexity } = surprisal(model, text, { context });
  const totalBits = words.reduce((sum, word) => sum + word.bits, 0);
  const bitsPerWord = totalBits / words.length;
  if (svg !== undefined) {
    const bars = words.map((word) => ({ label: shown(word.text), value: word.bits }));
    await saveFile(svg, barChart(bars, { title: `Surprisal, ${path}`, axis: "bits a word" }));
  }
  if (values.json) {
    const measured = tokens.map((token, t) => ({ text: token, bits: bits[t], entropyBits: entropyBits[t] }));
    const means = { totalBits, bitsPerWord, bitsPerToken, perplexity };
    await writeJson({ model: path, text, context, ...means, words, tokens: measured, svg: svg ?? null });
    return 0;
  }
  const unit = model.tokenizer.kind === "char" ? "character" : "token";
  const lines = [
    "     bits  word",
    ...words.map((word) => `${word.bits.toFixed(2).padStart(9)}  ${shown(word.text)}`),
    "",
    `total ${totalBits.toFixed(2)} bits: ${many(words.length, "word")}, ${many(bits.length, unit)}`,
    `mean  ${bitsPerWord.toFixed(2)} bits a word, ${bitsPerToken.toFixed(3)} bits a ${unit}`,
    ...(svg === undefined ? [] : [`saved ${svg}`]),
  ];
  await write(`${printable(lines.join("\n"))}\n`);
  return 0;
}

/** Only the white space that a text ends with makes a word of nothing. */
function shown(word: string): string {
  return word === "" ? "(white space)" : word;
}

function isSvg(content: Uint8Array): boolean {
  return /^\s*<(\?xml|svg)/.test(new TextDecoder().decode(content.subarray(0, 256)));
}
