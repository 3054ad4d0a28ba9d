/** Group model_files: weights that PyTorch wrote as safetensors, loaded into our layers. */
import { expect } from "vitest";
import {
  Embedding,
  GRU,
  type Ids,
  Linear,
  LSTM,
  load,
  Module,
  readShardIndex,
  readShards,
  type Tensor,
} from "../../../ts/index.js";
import { type KerasModel, loadKeras, loadTfjs, tfjsWeightFiles } from "../../../ts/io/keras/index.js";
import { openZip } from "../../../ts/io/keras/zip.js";
import type { Case, Results } from "../corpus.js";
import { given, givenIds } from "../vjp.js";
import { type LayerConfig, makeLayer, runLayer } from "./recurrent.js";

/** Values of named tensors, without gradients. */
function forward(module: Module, run: () => Record<string, Tensor>): Results {
  return new Map(Object.entries(module.run(run)).map(([name, value]) => [`out.${name}`, value]));
}

/** The case's safetensors file; the others are ONNX exports of the same model. */
function weightsFile({ id, document }: Case): string {
  const path = document.files?.find((name) => name.includes(".safetensors"));
  if (path === undefined) throw new Error(`${id} names no safetensors file`);
  return path;
}

export function stateDict(test: Case): Results {
  const config = test.document.config as unknown as LayerConfig;
  const layer = load(makeLayer(config), test.file(weightsFile(test)));
  const x = given(test, "in.x");
  return forward(layer, () => runLayer(layer, x));
}

/** The character models of the corpus: embedding, layers, output. */
class CharModel extends Module {
  readonly embedding: Embedding;
  readonly rnn: LSTM | GRU;
  readonly fc: Linear;

  constructor(config: { cell: string; vocab: number; embed: number; hidden_size: number; num_layers: number }) {
    super();
    this.embedding = new Embedding(config.vocab, config.embed);
    const make = config.cell === "lstm" ? LSTM : GRU;
    this.rnn = new make(config.embed, config.hidden_size, { numLayers: config.num_layers });
    this.fc = new Linear(config.hidden_size, config.vocab);
  }

  forward(ids: Ids): Tensor {
    return this.fc.forward(this.rnn.forward(this.embedding.forward(ids)).output);
  }
}

export function charModel(test: Case): Results {
  const model = new CharModel(test.document.config as unknown as ConstructorParameters<typeof CharModel>[0]);
  const path = weightsFile(test);
  if (path.endsWith(".index.json")) {
    const index = readShardIndex(test.file(path));
    const folder = path.slice(0, path.lastIndexOf("/") + 1);
    load(model, readShards(index, new Map(index.files.map((name) => [name, test.file(folder + name)]))));
  } else load(model, test.file(path));
  const ids = givenIds(test, "in.ids");
  return forward(model, () => ({ logits: model.forward(ids) }));
}

/** What a model of Keras or TensorFlow.js makes of the case's input. */
function predict(model: KerasModel, test: Case): Results {
  const input = test.tensors.has("in.ids") ? "in.ids" : "in.x";
  const ids = test.tensors.get(input)?.data instanceof Int32Array;
  const [y] = model.predict(ids ? givenIds(test, input) : given(test, input));
  if (y === undefined) throw new Error(`${test.id}: no output`);
  return new Map([["out.y", y]]);
}

/** Every file of the case, which are one model; they must agree to the last bit, as their weights are the same. */
export function kerasFile(test: Case): Results {
  const files = test.document.files ?? [];
  const whole = files.find((path) => path.endsWith(".keras")) as string;
  const config = openZip(test.file(whole)).read("config.json") as Uint8Array;
  const results = files.map((path) =>
    predict(loadKeras(test.file(path), path.endsWith(".weights.h5") ? { config } : {}), test),
  );
  const [first, ...others] = results as [Results, ...Results[]];
  for (const other of others) expect(other).toEqual(first);
  return first;
}

export function tfjsFile(test: Case): Results {
  const [path, ...parts] = (test.document.files ?? []) as [string, ...string[]];
  const folder = path.slice(0, path.lastIndexOf("/") + 1);
  const json = test.file(path);
  const names = tfjsWeightFiles(json);
  expect(names.map((name) => folder + name)).toEqual(parts);
  return predict(loadTfjs(json, new Map(names.map((name) => [name, test.file(folder + name)]))), test);
}
