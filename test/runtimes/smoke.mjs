// The one smoke script: every runtime hands it the package it imported, and it trains a tiny character LSTM and
// samples. It imports nothing, so the same file runs in Node, browsers and workers.

/**
 * @param {typeof import("../../ts/index.js")} unrolled
 * @param {typeof import("../../ts/inference.js")} inference what it samples by: of the same classes
 * @returns {Promise<{ firstLoss: number, lastLoss: number, sample: string, digest: string }>} digest: of the saved model, the same in every runtime
 */
export async function smoke(unrolled, inference) {
  const { AdamW, CharTokenizer, lanes, LanguageModel, LSTM, save, train } = unrolled;
  const { generate, load } = inference;
  for (const [name, value] of Object.entries(inference))
    if (value !== Reflect.get(unrolled, name)) throw new Error(`${name} of unrolled/inference is another`);
  const text = "the cat sat on the mat; the dog sat on the log. ".repeat(60);
  const tokenizer = CharTokenizer.from(text);
  const model = new LanguageModel({ tokenizer, cell: LSTM, hiddenSize: 32 }).init({ seed: 1 });
  const data = lanes(tokenizer.encode(text), { batchSize: 8, seqLen: 16 });
  const run = train(model, data.train, { optimizer: new AdamW(model, { lr: 1e-2 }), clipGradNorm: 5, epochs: 8 });
  const losses = [];
  for await (const event of run) if (event.kind === "update") losses.push(event.loss);
  const bytes = save(model);
  const copy = new inference.LanguageModel({ tokenizer, cell: inference.LSTM, hiddenSize: 32 });
  load(copy, bytes);
  const options = { temperature: 0.5, maxTokens: 40, seed: 7 };
  const sample = [...generate(model, "the ", options)].join("");
  if (sample !== [...generate(copy, "the ", options)].join(""))
    throw new Error("a saved and loaded model samples differently");
  let digest = 0x811c9dc5;
  for (const byte of bytes) digest = Math.imul(digest ^ byte, 0x01000193);
  const result = {
    firstLoss: losses[0] ?? Number.NaN,
    lastLoss: losses.at(-1) ?? Number.NaN,
    sample,
    digest: (digest >>> 0).toString(16),
  };
  if (!(result.lastLoss < result.firstLoss / 2)) throw new Error(`it did not learn: ${JSON.stringify(result)}`);
  return result;
}

/**
 * For pages: trains on two Web Workers, with the values of one thread; a worker that is terminated ends the run.
 * @param {typeof import("../../ts/index.js")} unrolled
 */
export async function pageReplicas({
  CharTokenizer,
  isUnrolledError,
  lanes,
  LanguageModel,
  LSTM,
  replicas,
  SGD,
  train,
}) {
  const text = "the cat sat on the mat; ".repeat(20);
  const tokenizer = CharTokenizer.from(text);
  const source = `import * as u from "${location.origin}/node_modules/unrolled/dist/index.js";
const tokenizer = u.CharTokenizer.from(${JSON.stringify(text)});
u.serveReplica(() => new u.LanguageModel({ tokenizer, cell: u.LSTM, hiddenSize: 8, numLayers: 2, dropout: 0.3 }));`;
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  /** @type {Worker[]} */
  const workers = [];
  const worker = () => {
    const made = new Worker(url, { type: "module" });
    workers.push(made);
    return made;
  };
  /** @param {Partial<import("../../ts/index.js").TrainOptions<any, any>>} options */
  const train5 = async (options) => {
    const model = new LanguageModel({ tokenizer, cell: LSTM, hiddenSize: 8, numLayers: 2, dropout: 0.3 }).init({
      seed: 1,
    });
    const data = lanes(tokenizer.encode(text), { batchSize: 5, seqLen: 4 });
    await train(model, data.train, { optimizer: new SGD(model, { lr: 0.5 }), updates: 5, ...options }).done;
    return [...model.stateDict().values()].flatMap(({ data }) => [...data]);
  };
  const alone = await train5({});
  const split = await train5({ replicas: replicas({ n: 2, worker }) });
  const difference = Math.max(...split.map((value, i) => Math.abs(value - (alone[i] ?? NaN))));
  if (!(difference < 1e-5 && workers.length === 2)) {
    throw new Error(`${workers.length} workers of a page differ from its thread by ${difference}`);
  }
  const error = await train5({
    updates: Infinity,
    replicas: replicas({ n: 2, worker }),
    onEvent: ({ kind }) => {
      if (kind === "start") workers[3]?.terminate();
    },
  }).catch((reason) => reason);
  if (!(isUnrolledError(error) && error.message === "replica 1: its worker was terminated")) {
    throw new Error(`a terminated worker made ${String(error)}`);
  }
}

/**
 * For pages: saves into a file of the origin's own, as into one on the user's disk, and reads it again.
 * @param {typeof import("../../ts/index.js")} unrolled
 */
export async function pageSmoke({ pageFile }) {
  const folder = await navigator.storage.getDirectory();
  const handle = await folder.getFileHandle("smoke.bin", { create: true });
  const file = await pageFile("smoke.bin", { handle });
  const content = Uint8Array.of(2, 7, 1, 8);
  await file.save(new Uint8Array(100));
  await file.save(content);
  const read = await (await pageFile("smoke.bin", { handle })).load();
  if (file.kind !== "file" || String(read) !== String(content)) throw new Error(`a page's file holds ${read}`);
}
