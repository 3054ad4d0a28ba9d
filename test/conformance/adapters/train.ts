/** Group train: whole runs, with the losses and norms of every update and the values at the end. */
import {
  Adagrad,
  Adam,
  CarriedState,
  crossEntropy,
  Embedding,
  type HiddenState,
  Ids,
  Linear,
  Module,
  mseLoss,
  mul,
  type Optimizer,
  oneHot,
  type RecurrentState,
  RNN,
  reshape,
  SGD,
  select,
  type Tensor,
} from "../../../ts/index.js";
import type { Case, Results } from "../corpus.js";
import { given, givenIds, ofRole } from "../vjp.js";
import { makeLayer } from "./recurrent.js";

/** Sizes and settings of a run, as the corpus spells them. */
interface RunConfig {
  readonly cell: string;
  readonly vocab: number;
  readonly embed: number;
  readonly input_size: number;
  readonly hidden_size: number;
  readonly num_layers?: number;
  readonly seq_len: number;
  readonly batch: number;
  readonly steps: number;
  readonly optimizer: string;
  readonly lr: number;
  readonly momentum?: number;
  readonly clip_norm: number;
}

const configOf = (test: Case): RunConfig => test.document.config as unknown as RunConfig;

/** A layer and what stands before and after it, by the corpus's names. */
class Net extends Module {
  readonly embed: Embedding | null;
  readonly rnn: ReturnType<typeof makeLayer>;
  readonly out: Linear;

  constructor(config: RunConfig, inputSize: number, outputs: number, embed: Embedding | null) {
    super();
    this.embed = embed;
    this.rnn = makeLayer({
      mode: config.cell,
      input_size: inputSize,
      hidden_size: config.hidden_size,
      num_layers: config.num_layers ?? 1,
      bidirectional: false,
      batch_first: false,
      proj_size: 0,
    });
    this.out = new Linear(config.hidden_size, outputs);
  }

  /** Outputs of all steps, (T, B, K), and the state after the last. */
  forward(input: Ids | Tensor, state?: RecurrentState): { y: Tensor; state: RecurrentState } {
    const x = input instanceof Ids ? (this.embed as Embedding).forward(input) : input;
    type Forward = (x: Tensor, options: object) => { output: Tensor; state: RecurrentState };
    const { output, state: after } = (this.rnn.forward as Forward).call(this.rnn, x, { state });
    return { y: this.out.forward(output), state: after };
  }
}

function optimizerOf({ optimizer, lr, momentum = 0 }: RunConfig, model: Module): Optimizer {
  if (optimizer === "Adam") return new Adam(model, { lr });
  if (optimizer === "SGD") return new SGD(model, { lr, momentum });
  throw new Error(`unknown optimizer ${optimizer}`);
}

/** The values of a model at the end. */
function finalValues(model: Module): Results {
  return new Map([...model.stateDict()].map(([name, value]) => [`final.${name}`, value]));
}

/** A window of rows of time-major ids. */
function rowsOf({ data, shape }: Ids, start: number, count: number): Ids {
  const width = shape[1] as number;
  return new Ids(data.slice(start * width, (start + count) * width), [count, width]);
}

export function charLmTrain(test: Case): Results {
  const config = configOf(test);
  const { vocab, seq_len: length, clip_norm: clipGradNorm } = config;
  const model = new Net(config, config.embed, vocab, new Embedding(vocab, config.embed));
  model.loadStateDict(ofRole(test, "param"));
  const optimizer = optimizerOf(config, model);
  const ids = givenIds(test, "in.ids");
  const carried = new CarriedState<RecurrentState>();
  const updates = Array.from({ length: config.steps }, (_, step) =>
    optimizer.update(
      () => {
        const { y, state } = model.forward(rowsOf(ids, step * length, length), carried.get());
        carried.set(state);
        return crossEntropy(y, rowsOf(ids, step * length + 1, length));
      },
      { clipGradNorm },
    ),
  );
  return finalValues(model)
    .set("out.losses", { data: updates.map(({ loss }) => loss) })
    .set("out.grad_norms", { data: updates.map(({ gradNorm }) => gradNorm) });
}

export function regressionTrain(test: Case): Results {
  const config = configOf(test);
  const model = new Net(config, config.input_size, 1, null).loadStateDict(ofRole(test, "param"));
  const optimizer = optimizerOf(config, model);
  const [x, target] = [given(test, "in.x"), given(test, "in.y")];
  const losses = Array.from(
    { length: config.steps },
    () =>
      optimizer.update(() => {
        const { y } = model.forward(x);
        return mseLoss(reshape(select(y, 0, config.seq_len - 1), [config.batch]), target);
      }).loss,
  );
  return finalValues(model).set("out.losses", { data: losses });
}

/** min-char-rnn: one-hot inputs, sums over time, and one bias, so the layer's second stays at zero. */
class MinChar extends Module {
  readonly rnn: RNN;
  readonly out: Linear;

  constructor(vocabulary: number, hidden: number) {
    super();
    this.rnn = new RNN(vocabulary, hidden);
    this.out = new Linear(hidden, vocabulary);
  }
}

const minCharNames: Record<string, string> = {
  Wxh: "rnn.weight_ih_l0",
  Whh: "rnn.weight_hh_l0",
  bh: "rnn.bias_ih_l0",
  Why: "out.weight",
  by: "out.bias",
};

export function minCharRnn(test: Case): Results {
  const {
    vocab,
    hidden_size: hidden,
    seq_len: length,
    steps,
    lr,
  } = test.document.config as {
    vocab: string[];
    hidden_size: number;
    seq_len: number;
    steps: number;
    lr: number;
  };
  const size = vocab.length;
  const model = new MinChar(size, hidden).init();
  const { rnn, out } = model;
  const parameters = new Map(model.namedParameters());
  const second = parameters.get("rnn.bias_hh_l0");
  second?.write(new Float32Array(hidden));
  if (second !== undefined) second.trainable = false;
  for (const [name, { data }] of ofRole(test, "param")) parameters.get(minCharNames[name] as string)?.write(data);
  const optimizer = new Adagrad(model, { lr, epsilon: 1e-8, epsilonInside: true });
  const ids = givenIds(test, "in.ids").data;
  const carried = new CarriedState<HiddenState>();
  const losses: number[] = [];
  const smooth: number[] = [];
  let mean = Math.log(size) * length;
  let position = 0;
  for (let step = 0; step < steps; step++) {
    if (step === 0 || position + length + 1 > ids.length) {
      position = 0;
      carried.reset();
    }
    const window = (start: number): Ids => new Ids(ids.slice(start, start + length), [1, length]);
    const { loss } = optimizer.update(
      () => {
        const { output, state } = rnn.forward(oneHot(window(position), size), { state: carried.get() });
        carried.set(state);
        return mul(crossEntropy(out.forward(output), window(position + 1)), length);
      },
      { clipGradValue: 5 },
    );
    position += length;
    mean = 0.999 * mean + 0.001 * loss;
    losses.push(loss);
    smooth.push(mean);
  }
  const results: Results = new Map([
    ["out.losses", { data: losses }],
    ["out.smooth", { data: smooth }],
    ["final.h", { data: carried.toArrays()?.["h"]?.data ?? [] }],
  ]);
  for (const [name, own] of Object.entries(minCharNames)) {
    results.set(`final.${name}`, { data: parameters.get(own)?.toArray() ?? [] });
  }
  return results;
}
