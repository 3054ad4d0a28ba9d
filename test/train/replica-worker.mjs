// The worker of replicas.test.ts: a language model of the options in workerData, or a tagger; and mishaps on demand.
import { workerData } from "node:worker_threads";
import * as u from "unrolled";
import { taggerOf, tokenizer } from "./replica-models.mjs";

const { options, mishap, at = 0 } = workerData;
let shards = 0;

function createModel() {
  if (mishap === "no model") throw new Error("no model today");
  return options === "tagger" ? new (taggerOf(u))() : new u.LanguageModel({ tokenizer, cell: u.LSTM, ...options });
}

/** @type {import("unrolled").LossFunction<ReturnType<typeof createModel>, never>} */
function loss(model, batch, state) {
  const due = shards++ === at;
  if (due && mishap === "exit") process.exit(3);
  if (due && mishap === "throw") throw new RangeError("this shard is cursed");
  const value = model.loss(batch, state);
  return due && mishap === "nan" ? u.mul(value, NaN) : value;
}

if (mishap === "crash") throw new Error("out of nowhere");
if (mishap !== "silence") u.serveReplica(createModel, { loss });
