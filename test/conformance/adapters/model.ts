/** Whole models: group model. */
import {
  CharTokenizer,
  crossEntropy,
  EncoderDecoder,
  GeneralAttention,
  GRU,
  Ids,
  LanguageModel,
  LSTM,
  type Module,
  type RecurrentClass,
  select,
  sub,
  Tagger,
  type Tensor,
  TextClassifier,
  transpose,
  VocabularyTokenizer,
} from "../../../ts/index.js";
import type { Case, Results } from "../corpus.js";
import { givenIds, ofRole, vjp } from "../vjp.js";
import { type Block, vjpOfBlocks } from "./blocks.js";

interface ModelConfig {
  readonly cell: "lstm" | "gru";
  readonly vocab: number;
  readonly src_vocab: number;
  readonly tgt_vocab: number;
  readonly embed: number;
  readonly hidden_size: number;
  readonly num_layers: number;
  readonly pad: number;
  readonly source_already_reversed: boolean;
}

const CELLS: Readonly<Record<ModelConfig["cell"], RecurrentClass>> = { lstm: LSTM, gru: GRU };

function configOf(test: Case): ModelConfig {
  return test.document.config as unknown as ModelConfig;
}

/** The case's score is (W_a q) . m, ours q^T W m. */
const TRANSPOSED = "W_a.weight";

/** A square matrix. */
function transposed(data: ArrayLike<number>): Float32Array {
  const size = Math.sqrt(data.length);
  return Float32Array.from(data, (_, i) => data[(i % size) * size + Math.floor(i / size)]!);
}

/** Gives a model the case's parameters, whose names begin otherwise; they are what to differentiate by. */
function leavesOf(test: Case, model: Module, names: Readonly<Record<string, string>>): Map<string, Tensor> {
  model.init();
  const parameters = new Map(model.namedParameters());
  return new Map(
    [...ofRole(test, "param")].map(([name, { data }]) => {
      const [theirs, ours] = Object.entries(names).find(([prefix]) => name.startsWith(prefix)) ?? ["", ""];
      const parameter = parameters.get(ours + name.slice(theirs.length));
      if (parameter === undefined) throw new Error(`${test.id}: no parameter for ${name}`);
      parameter.write(name === TRANSPOSED ? transposed(data) : data);
      return [`param.${name}`, parameter] as const;
    }),
  );
}

/** (T, B) as (B, T), or the other way round. */
function turned({ data, shape }: Ids): Ids {
  const [rows, columns] = shape as [number, number];
  return new Ids(
    data.map((_, i) => data[(i % rows) * columns + Math.floor(i / rows)]!),
    [columns, rows],
  );
}

export function encoderDecoder(test: Case): Results {
  const config = configOf(test);
  const model = new EncoderDecoder({
    sourceSize: config.src_vocab,
    targetSize: config.tgt_vocab,
    cell: CELLS[config.cell],
    hiddenSize: config.hidden_size,
    embeddingSize: config.embed,
    numLayers: config.num_layers,
    contextAtEveryStep: test.op === "seq2seq_cho",
    attention: test.op === "seq2seq_luong" ? (query, memory) => new GeneralAttention(query, memory) : undefined,
    reverseSource: config.source_already_reversed,
  });
  const leaves = leavesOf(test, model, {
    "src_embed.": "sourceEmbedding.",
    "tgt_embed.": "targetEmbedding.",
    "enc.": "encoder.",
    "dec.": "decoder.",
    "out.": "head.",
    "W_a.": "attention.",
    "W_c.": "combine.",
  });
  let source = turned(givenIds(test, "in.src"));
  const lengths = givenIds(test, "in.src_lengths").data;
  if (config.source_already_reversed) {
    // Ours reads it backwards itself, so it is given forwards.
    const [, steps] = source.shape as [number, number];
    const data = source.data.slice();
    lengths.forEach((length, row) => data.subarray(row * steps, row * steps + length).reverse());
    source = new Ids(data, source.shape);
  }
  const results = vjp(test, leaves, () => {
    const { logits } = model.forward(source, lengths, turned(givenIds(test, "in.tgt_in")));
    const timeMajor = transpose(logits, 0, 1);
    return {
      logits: timeMajor,
      loss: crossEntropy(timeMajor, givenIds(test, "in.tgt_out"), { ignoreIndex: config.pad }),
    };
  });
  const gradient = results.get(`grad.param.${TRANSPOSED}`);
  if (gradient !== undefined) results.set(`grad.param.${TRANSPOSED}`, { ...gradient, data: transposed(gradient.data) });
  return results;
}

export function tiedLanguageModel(test: Case): Results {
  const { vocab, hidden_size, num_layers } = configOf(test);
  const model = new LanguageModel({
    tokenizer: letters(vocab),
    cell: LSTM,
    hiddenSize: hidden_size,
    numLayers: num_layers,
    embeddingSize: hidden_size,
    tieWeights: true,
  });
  const leaves = leavesOf(test, model, { "embed.": "embedding.", "rnn.": "rnn.", out_bias: "head.bias" });
  return vjp(test, leaves, () => {
    const logits = transpose(model.forward(turned(givenIds(test, "in.ids"))).logits, 0, 1);
    return { logits, loss: crossEntropy(logits, givenIds(test, "in.y")) };
  });
}

/** Tags; the case's ids are read as the words that have them. */
export function tagger(test: Case): Results {
  const { cell, vocab, embed, hidden_size } = configOf(test);
  const words = Array.from({ length: vocab - 4 }, (_, i) => `word ${i}`);
  const tokenizer = new VocabularyTokenizer(words);
  const labels = ["a", "b", "c", "d"];
  const model = new Tagger({ tokenizer, labels, cell: CELLS[cell], hiddenSize: hidden_size, embeddingSize: embed });
  const leaves = leavesOf(test, model, { "embed.": "embedding.", "rnn.": "rnn.", "out.": "head." });
  const [ids, lengths] = [givenIds(test, "in.ids"), givenIds(test, "in.lengths").data];
  const steps = ids.shape[1] as number;
  const sentences = Array.from(lengths, (length, row) =>
    Array.from(ids.data.subarray(row * steps, row * steps + length), (id) => tokenizer.tokens[id] as string),
  );
  return vjp(test, leaves, () => {
    const logits = model.forward(sentences);
    return { logits, loss: crossEntropy(logits, givenIds(test, "in.y")) };
  });
}

/** Two classes: the case has one logit, which is the second less the first here. */
export function binaryClassifier(test: Case): Results {
  const { cell, vocab, embed, hidden_size } = configOf(test);
  const model = new TextClassifier({
    tokenizer: letters(vocab),
    labels: ["negative", "positive"],
    cell: CELLS[cell],
    hiddenSize: hidden_size,
    embeddingSize: embed,
    pooling: "last",
  });
  const blocks = [...ofRole(test, "param").keys()].map((theirs): Block => {
    if (theirs.startsWith("out.")) return { ours: theirs.replace("out.", "head."), theirs, at: [1, 0] };
    return { ours: theirs.replace("embed.", "embedding."), theirs };
  });
  const targets = new Ids(Int32Array.from(test.tensors.get("in.y")!.data));
  return vjpOfBlocks(test, model, blocks, new Map(), () => {
    const logits = model.forward(givenIds(test, "in.ids"), givenIds(test, "in.lengths").data);
    return { logits: sub(select(logits, 1, 1), select(logits, 1, 0)), loss: crossEntropy(logits, targets) };
  });
}

function letters(count: number): CharTokenizer {
  return CharTokenizer.from(String.fromCharCode(...Array.from({ length: count }, (_, i) => 97 + i)));
}
