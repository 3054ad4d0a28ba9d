/** Word vectors: group wordvec. */
import {
  ContinuousBagOfWords,
  GloVe,
  type Module,
  mul,
  SkipGram,
  type Tensor,
  WordVectors,
} from "../../../ts/index.js";
import type { Case, Results } from "../corpus.js";
import { givenIds, ofRole, vjp } from "../vjp.js";

/** Loss and gradients of a model whose parameters the case names otherwise. */
function lossOf<M extends Module>(
  test: Case,
  model: M,
  names: Record<string, Tensor>,
  loss: (m: M) => Tensor,
): Results {
  const values = ofRole(test, "param");
  const fields = new Map(model.namedParameters().map(([name, parameter]) => [parameter as Tensor, name]));
  model.loadStateDict(new Map(Object.entries(names).map(([name, field]) => [fields.get(field)!, values.get(name)!])));
  const leaves = new Map(Object.entries(names).map(([name, field]) => [`param.${name}`, field]));
  return vjp(test, leaves, () => ({ loss: loss(model) }));
}

function sizesOf(test: Case): [vocabulary: number, size: number] {
  const { vocab, dim } = test.document.config as Record<string, number>;
  return [vocab!, dim!];
}

export function skipGram(test: Case): Results {
  const model = new SkipGram(...sizesOf(test));
  const [centers, contexts] = [givenIds(test, "in.center"), givenIds(test, "in.context")];
  const batch = { centers, contexts, negatives: givenIds(test, "in.negatives"), count: centers.size };
  const names = { in_vectors: model.vectors, out_vectors: model.outputVectors };
  return lossOf(test, model, names, (m) => m.loss(batch));
}

export function bagOfWords(test: Case): Results {
  const model = new ContinuousBagOfWords(...sizesOf(test));
  const targets = givenIds(test, "in.target");
  const batch = { contexts: givenIds(test, "in.context"), targets, count: targets.size };
  const names = { in_vectors: model.vectors, out_vectors: model.outputVectors };
  return lossOf(test, model, names, (m) => m.loss(batch));
}

export function glove(test: Case): Results {
  const model = new GloVe(...sizesOf(test));
  const words = givenIds(test, "in.i");
  const counts = Float32Array.from(test.tensors.get("in.count")!.data);
  const batch = { words, contexts: givenIds(test, "in.j"), counts, count: words.size };
  const names = { w: model.vectors, w_tilde: model.contextVectors, b: model.bias, b_tilde: model.contextBias };
  return lossOf(test, model, names, (m) => mul(m.loss(batch), batch.count));
}

export function analogy(test: Case): Results {
  const { data, shape } = test.tensors.get("in.embeddings")!;
  const words = Array.from({ length: shape[0]! }, (_, id) => `word ${id}`);
  const vectors = new WordVectors(words, Float32Array.from(data), shape[1]!);
  const queries = givenIds(test, "in.queries_abc").data;
  const count = Number(test.document.config["top"]);
  const found = Array.from({ length: queries.length / 3 }, (_, row) => {
    const [a, b, c] = [...queries.subarray(3 * row, 3 * row + 3)].map((id) => words[id]!) as [string, string, string];
    return vectors.analogy(a, b, c, { count });
  }).flat();
  return new Map([
    ["out.top_ids", { data: found.map(({ id }) => id) }],
    ["out.top_cosines", { data: found.map(({ similarity }) => similarity) }],
  ]);
}
