import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createCore } from "../../ts/core/core.js";
import { LoadError } from "../../ts/errors.js";
import { load, readModelFile, save } from "../../ts/io/model-file.js";
import { readSafetensors, readShardIndex, readShards, writeSafetensors } from "../../ts/io/safetensors.js";
import { Embedding } from "../../ts/nn/embedding.js";
import { GRU } from "../../ts/nn/gru.js";
import { Linear } from "../../ts/nn/linear.js";
import { LSTM } from "../../ts/nn/lstm.js";
import { Module } from "../../ts/nn/module.js";
import { LanguageModel } from "../../ts/tasks/language-model.js";
import { Ids } from "../../ts/tensor/ids.js";
import { CharTokenizer } from "../../ts/text/char-tokenizer.js";
import { cases, misses } from "../train/corpus.js";

const corpus = process.env["CONFORMANCE_DIR"]!;
const read = (path: string) => new Uint8Array(readFileSync(join(corpus, path)));
const tokenizer = CharTokenizer.from("abcdefghijkl");

interface Malformed {
  id: string;
  file: string;
  must: string;
  error: string;
  mention_any: string[];
  context?: { input_size: number; hidden_size: number };
}

function loadError(act: () => unknown): LoadError {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(LoadError);
    return error as LoadError;
  }
  throw new Error("nothing was thrown");
}

describe("load", () => {
  const malformed = (
    JSON.parse(read("malformed/index.json").reduce((text, byte) => text + String.fromCharCode(byte), "")) as {
      cases: Malformed[];
    }
  ).cases.filter(({ id, context }) => id.startsWith("safetensors/") && context !== undefined);

  it.each(malformed.map((entry) => [entry.id, entry] as const))("refuses %s and leaves no trace", (_id, entry) => {
    const layer = new LSTM(entry.context!.input_size, entry.context!.hidden_size).init({ seed: 1 });
    const before = layer.stateDict();
    const error = loadError(() => load(layer, read(entry.file)));
    expect(error.category).toBe(entry.error);
    for (const word of entry.mention_any) {
      if (entry.id !== "safetensors/lstm-gru-weights") expect(error.message).toContain(word);
    }
    expect(layer.stateDict()).toEqual(before);
    const fresh = new LSTM(entry.context!.input_size, entry.context!.hidden_size);
    const core = createCore();
    const bytes = core.persistentBytes;
    loadError(() => load(fresh, read(entry.file), { core }));
    expect(core.persistentBytes).toBe(bytes);
  });

  it("accepts what is not finite on request, and what is common to both when not strict", () => {
    const nan = load(new LSTM(3, 4), read("malformed/safetensors/lstm-nan.safetensors"), { allowNonFinite: true });
    expect([...nan.stateDict().get("weight_hh_l0")!.data].some(Number.isNaN)).toBe(true);
    const extra = read("malformed/safetensors/lstm-unexpected-key.safetensors");
    const layer = load(new LSTM(3, 4), extra, { strict: false });
    expect(layer.namedParameters().every(([, parameter]) => parameter.initialized)).toBe(true);
    const renamed = load(new LSTM(3, 4), extra, { rename: (name) => (name === "weight_ih_l1" ? undefined : name) });
    expect(renamed.stateDict()).toEqual(layer.stateDict());
  });

  it("refuses two tensors for one parameter", () => {
    const tensor = { shape: [1, 1], data: Float32Array.of(1) };
    const file = writeSafetensors([
      ["x.weight", tensor],
      ["y.weight", tensor],
    ]);
    const error = loadError(() => load(new Linear(1, 1, { bias: false }), file, { rename: () => "weight" }));
    expect([error.category, error.message]).toEqual(["value", expect.stringContaining('"y.weight"')]);
  });

  const files = { embedding: "embedding", rnn: "rnn", fc: "head" } as Record<string, string>;
  const rename = (name: string) => name.replace(/^\w+/, (first) => files[first] ?? first);
  const charlm = cases("model_files").filter(({ op }) => op === "safetensors_charlm");

  it.each(charlm.map((given) => [given.id, given] as const))("reads PyTorch's %s", (_id, given) => {
    const config = given.config as Record<string, number> & { cell: string };
    const model = new LanguageModel({
      tokenizer: CharTokenizer.from(Array.from({ length: config["vocab"]! }, (_, i) => String.fromCharCode(97 + i))),
      cell: config.cell === "gru" ? GRU : LSTM,
      hiddenSize: config["hidden_size"]!,
      numLayers: config["num_layers"]!,
      embeddingSize: config["embed"]!,
    });
    const [path] = (given as unknown as { files: [string] }).files;
    if (path.endsWith(".json")) {
      const index = readShardIndex(read(path));
      const shards = new Map(index.files.map((name) => [name, read(`models/safetensors/${name}`)]));
      load(model, readShards(index, shards), { rename });
    } else {
      load(model, read(path), { rename });
    }
    const { data, shape } = given.tensors.get("in.ids")!;
    const logits = model.run(() => model.forward(new Ids(Int32Array.from(data), shape)).logits);
    expect(misses(given, "out.logits", logits.data)).toEqual([]);
  });
});

class Tied extends Module {
  readonly embedding = new Embedding(3, 2);
  readonly head = new Linear(2, 3);

  constructor(tied: boolean) {
    super();
    if (tied) this.head.weight = this.embedding.weight;
  }
}

describe("save", () => {
  it("gives the same bytes for the same model, and back the same model", () => {
    const model = new LanguageModel({ tokenizer, cell: LSTM, hiddenSize: 5, numLayers: 2, dropout: 0.25 }).init({
      seed: 3,
    });
    const bytes = save(model, { metadata: [["note", "trained on nothing"]] });
    expect(save(model, { metadata: [["note", "trained on nothing"]] })).toEqual(bytes);
    const file = readModelFile(bytes);
    expect(file.metadata.get("note")).toBe("trained on nothing");
    expect([file.kind, file.version]).toEqual(["LanguageModel", 1]);
    expect([...file.tensors.keys()].sort()).toEqual([...model.stateDict().keys()].sort());
    const again = LanguageModel.from(bytes);
    expect(again.stateDict()).toEqual(model.stateDict());
    expect(again.tokenizer.tokens).toEqual(tokenizer.tokens);
    expect(again.config()).toEqual(model.config());
    expect(save(again, { metadata: [["note", "trained on nothing"]] })).toEqual(bytes);
  });

  it("stores a tied parameter once", () => {
    const model = new Tied(true).init({ seed: 1 });
    const bytes = save(model);
    expect([...readSafetensors(bytes).tensors.keys()].sort()).toEqual(["embedding.weight", "head.bias"]);
    const again = load(new Tied(true), bytes);
    expect(again.stateDict()).toEqual(model.stateDict());
    expect(again.head.weight).toBe(again.embedding.weight);
    // A model that does not tie them gets the value under both names.
    expect(load(new Tied(false), bytes).stateDict()).toEqual(model.stateDict());
    // PyTorch's files hold both; they must agree.
    const dict = [...model.stateDict()];
    expect(load(new Tied(true), writeSafetensors(dict)).stateDict()).toEqual(model.stateDict());
    const differing = dict.map(([name, value]) =>
      name === "head.weight"
        ? ([name, { ...value, data: value.data.map((v) => v + 1) }] as const)
        : ([name, value] as const),
    );
    expect(loadError(() => load(new Tied(true), writeSafetensors(differing))).category).toBe("value");
  });

  it("keeps a plain module, too", () => {
    const model = new Linear(2, 3).init({ seed: 1 });
    const file = readModelFile(save(model));
    expect([file.kind, file.tokenizer, file.config.size]).toEqual([undefined, undefined, 0]);
    expect(load(new Linear(2, 3), save(model)).stateDict()).toEqual(model.stateDict());
  });
});

describe("readModelFile", () => {
  const file = (description: unknown) => writeSafetensors([], [["unrolled", JSON.stringify(description)]]);
  const categoryOf = (description: unknown) => loadError(() => readModelFile(file(description))).category;

  it("says when a file is another program's, or a later version's", () => {
    const foreign = loadError(() => readModelFile(writeSafetensors([["a", { shape: [1], data: Float32Array.of(1) }]])));
    expect(foreign.category).toBe("foreign");
    expect(categoryOf({ version: 2 })).toBe("unsupported_version");
  });

  it("refuses a description that is none", () => {
    for (const broken of [[], null, { version: "1" }, { kind: 7 }, { config: [] }, { aliases: { a: 1 } }]) {
      expect(categoryOf(broken)).toBe("header");
    }
    expect(categoryOf({ tokenizer: { kind: "char", characters: ["ab"] } })).toBe("value");
    const text = writeSafetensors([], [["unrolled", "{oops"]]);
    expect(loadError(() => readModelFile(text)).category).toBe("header");
  });
});
