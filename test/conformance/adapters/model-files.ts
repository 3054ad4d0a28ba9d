/** Group model_files: weights that PyTorch wrote as safetensors, loaded into our layers. */
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
