/**
 * Holds the library against the conformance corpus, results of PyTorch and others, found through CONFORMANCE_DIR. Small
 * cases from plain f64 transcriptions of the equations go through the same adapters, with a corpus and without.
 */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { getCore, LoadError, LSTM, load, readSafetensors, toFloat32 } from "../../ts/index.js";
import { loadKeras, loadTfjs, tfjsWeightFiles } from "../../ts/io/keras/index.js";
import { loadOnnx } from "../../ts/io/onnx/index.js";
import { adapters, missing, missingFormats } from "./adapters/index.js";
import { type Case, disagreements, type MalformedEntry, openCorpus, readCase } from "./corpus.js";
import { generatedCases } from "./generated.js";

const corpus = openCorpus();
const entries = corpus?.entries ?? [];
const covered = entries.filter(({ group, op }) => adapters[group]?.[op] !== undefined);
const uncovered = entries.filter((entry) => !covered.includes(entry));
const malformed = corpus?.malformed ?? [];
const readable = malformed.filter(({ format }) => !missingFormats.has(format));
const unreadable = malformed.filter((entry) => !readable.includes(entry));

/** A tensor that ends past the end of the file is called truncated, whichever of the two was meant. */
const otherCategory: ReadonlySet<string> = new Set(["safetensors/offsets-past-end"]);

/** "torch_rnn 58, clip 6": how many of each. */
function tally(names: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].map(([name, count]) => `${name} ${count}`).join(", ");
}

const nameOf = ({ group, op }: { group: string; op: string }): string =>
  missing.has(group) ? group : `${group}/${op}`;

/** What the adapter of a case computes that the case does not expect; one sentence each. */
function run(test: Case): string[] {
  const adapter = adapters[test.group]?.[test.op];
  return adapter === undefined ? ["no adapter"] : disagreements(test, adapter(test));
}

describe("cases from f64 transcriptions", () => {
  it.each(generatedCases().map((test) => [`${test.group}/${test.id}`, test] as const))("%s", (_name, test) => {
    expect(run(test)).toEqual([]);
  });
});

if (corpus === null) {
  it("conformance was left out: CONFORMANCE_DIR has no index.json", () => {
    console.warn(
      "conformance: left out, no corpus at CONFORMANCE_DIR; only the cases from f64 transcriptions were run",
    );
  });
} else {
  describe("conformance corpus", () => {
    const started: string[] = [];
    const passed: string[] = [];
    const withstood: string[] = [];

    it("holds no case that is neither run nor listed as missing", () => {
      const names = new Set(uncovered.map(nameOf));
      expect([...names].filter((name) => !missing.has(name))).toEqual([]);
      // The other direction, so that the list does not outlive what it lists.
      expect([...missing].filter((name) => !names.has(name))).toEqual([]);
    });

    it.each(covered.map((entry) => [entry.id, entry] as const))("%s", (_id, entry) => {
      started.push(entry.group);
      const test = readCase(corpus, entry);
      const { expect: values = {}, scalars = {}, series = {} } = test.document;
      expect(Object.keys({ ...values, ...scalars, ...series })).not.toEqual([]);
      expect(run(test)).toEqual([]);
      passed.push(entry.group);
    });

    it.each(readable.map((entry) => [entry.id, entry] as const))("malformed %s", (_id, entry) => {
      const bytes = new Uint8Array(readFileSync(join(corpus.root, entry.file)));
      const core = getCore();
      const before = { arrays: process.memoryUsage().arrayBuffers, wasm: core.raw.memory.buffer.byteLength };
      const result = attempt(entry, bytes, dirname(join(corpus.root, entry.file)));
      // Nothing of what the file declares was allocated.
      expect(process.memoryUsage().arrayBuffers - before.arrays).toBeLessThan(16e6);
      expect(core.raw.memory.buffer.byteLength - before.wasm).toBeLessThan(16e6);
      if (entry.must !== "either") expect("error" in result ? "reject" : "accept").toBe(entry.must);
      if ("error" in result) {
        // Never a RangeError, a TypeError, a SyntaxError or a trap.
        expect(result.error).toBeInstanceOf(LoadError);
        const { message, category } = result.error as LoadError;
        if (!otherCategory.has(entry.id)) expect(category).toBe(entry.error);
        const words = entry.mention_any ?? [""];
        expect(
          words.some((word) => message.includes(word)),
          `${message} mentions one of ${words}`,
        ).toBe(true);
      } else {
        for (const [name, values] of Object.entries(entry.expect ?? {}))
          expect(result.values.get(name), name).toEqual(values);
      }
      expect(Object.keys(Object.prototype)).toEqual([]);
      withstood.push(entry.format);
    });

    afterAll(() => {
      const lines = [
        `conformance: ${passed.length} passed, ${started.length - passed.length} failed, ${uncovered.length} missing`,
        `  passed   ${tally(passed)}`,
        `  missing  ${tally(uncovered.map(nameOf))}`,
        `malformed files: ${withstood.length} of ${readable.length} passed (${tally(withstood)}), ` +
          `${unreadable.length} missing (${tally(unreadable.map(({ format }) => format))})`,
      ];
      console.log(lines.join("\n"));
    });
  });
}

/** Loads the file as its entry says: the values by name, or the error. */
function attempt(
  { context, format }: MalformedEntry,
  bytes: Uint8Array,
  folder: string,
): { values: Map<string, number[]> } | { error: unknown } {
  try {
    if (format === "onnx") {
      loadOnnx(bytes).dispose();
      return { values: new Map() };
    }
    if (format === "keras") {
      loadKeras(bytes).dispose();
      return { values: new Map() };
    }
    if (format === "tfjs") {
      const present = tfjsWeightFiles(bytes).filter((name) => existsSync(join(folder, name)));
      const files = present.map((name) => [name, new Uint8Array(readFileSync(join(folder, name)))] as const);
      loadTfjs(bytes, new Map(files)).dispose();
      return { values: new Map() };
    }
    if (context === undefined) {
      const { tensors } = readSafetensors(bytes);
      return { values: new Map([...tensors].map(([name, stored]) => [name, [...toFloat32(name, stored)]])) };
    }
    return { values: loadInto(context, bytes) };
  } catch (error) {
    return { error };
  }
}

/** Loads a file into the network that its entry describes. */
function loadInto(context: Readonly<Record<string, unknown>>, bytes: Uint8Array): Map<string, number[]> {
  const { load_as: kind, input_size, hidden_size, num_layers, bidirectional } = context;
  if (kind !== "torch_lstm") throw new Error(`unknown network ${kind}`);
  const options = { numLayers: num_layers as number, bidirectional: bidirectional as boolean };
  const lstm = new LSTM(input_size as number, hidden_size as number, options);
  try {
    load(lstm, bytes);
    return new Map([...lstm.stateDict()].map(([name, { data }]) => [name, [...data]]));
  } finally {
    lstm.dispose();
  }
}
