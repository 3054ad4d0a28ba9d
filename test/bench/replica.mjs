// A thread of W2 and W3 on several threads.
import { workerData } from "node:worker_threads";
import { serveReplica } from "unrolled";
import { characterLoss, createCharacterModel } from "./character-model.mjs";

serveReplica(() => createCharacterModel(workerData.hiddenSize, workerData.numLayers), { loss: characterLoss });
