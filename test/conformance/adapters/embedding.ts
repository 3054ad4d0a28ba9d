/** Group embedding. */
import { Embedding } from "../../../ts/index.js";
import type { Case, Results } from "../corpus.js";
import { givenIds, ofRole, vjp } from "../vjp.js";

export function embedding(test: Case): Results {
  const config = test.document.config as {
    num_embeddings: number;
    embedding_dim: number;
    padding_idx: number | null;
    scale_grad_by_freq: boolean;
  };
  const layer = new Embedding(config.num_embeddings, config.embedding_dim, {
    ...(config.padding_idx === null ? {} : { paddingIndex: config.padding_idx }),
    scaleGradByFrequency: config.scale_grad_by_freq,
  }).loadStateDict(ofRole(test, "param"));
  const ids = givenIds(test, "in.ids");
  return vjp(test, new Map([["param.weight", layer.weight]]), () => ({ y: layer.forward(ids) }));
}
