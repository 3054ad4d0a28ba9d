// A thread that computes a part of each batch of a language model.
import { workerData } from "node:worker_threads";
import { LanguageModel, serveReplica } from "unrolled";

serveReplica(() => LanguageModel.from(workerData));
