/** Luong's attentions: group attention. */
import {
  AttentionalState,
  type AttentionClass,
  ConcatAttention,
  DotAttention,
  GeneralAttention,
} from "../../../ts/index.js";
import type { Case, Results } from "../corpus.js";
import { given, givenIds } from "../vjp.js";
import { type Block, vjpOfBlocks } from "./blocks.js";

/** The case's names of the parameters. */
const OURS: Readonly<Record<string, string>> = {
  W_a: "attention.weight",
  v_a: "attention.vector",
  W_c: "combine.weight",
};

export function attention(test: Case): Results {
  const { score, query_size, memory_size } = test.document.config as Record<string, number>;
  const units = test.tensors.get("param.v_a")?.shape[0];
  const scores: Readonly<Record<string, () => InstanceType<AttentionClass>>> = {
    dot: () => new DotAttention(query_size!, memory_size!),
    general: () => new GeneralAttention(query_size!, memory_size!),
    concat: () => new ConcatAttention(query_size!, memory_size!, { units: units! }),
  };
  const make = scores[String(score)];
  if (make === undefined) throw new Error(`unknown score ${score}`);
  const model = new AttentionalState(make());
  const lengths = test.tensors.has("in.memory_lengths") ? givenIds(test, "in.memory_lengths").data : undefined;
  const inputs = new Map(["in.queries", "in.memory"].map((name) => [name, given(test, name)] as const));
  const blocks = Object.entries(OURS).flatMap(([theirs, ours]): Block[] =>
    test.tensors.has(`param.${theirs}`) ? [{ ours, theirs }] : [],
  );
  return vjpOfBlocks(test, model, blocks, inputs, () => {
    const memory = model.attention.prepare(inputs.get("in.memory")!, lengths);
    const { context, weights, output } = model.forward(inputs.get("in.queries")!, memory);
    return { attn_weights: weights, context, y: output };
  });
}
