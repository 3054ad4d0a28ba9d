/** A thread of `unrolled train --threads`. */
import { workerData } from "node:worker_threads";
import { LanguageModel } from "../tasks/language-model.js";
import { serveReplica } from "../train/replicas/serve.js";

serveReplica(() => LanguageModel.from(workerData as Uint8Array));
