/** Everything that a session takes in one call of the core a step; vectors that come in are of 3. */
import * as u from "../../ts/index.js";

export const tokenizer = u.CharTokenizer.from("abcde");

const model = (options: Omit<u.LanguageModelOptions, "tokenizer">) => new u.LanguageModel({ tokenizer, ...options });

/** A model that says of itself what its parts are. */
class Denoiser extends u.Module {
  readonly layers = new u.RecurrentStack([new u.GRU(3, 6), new u.GRUResetBefore(6, 5)]);
  readonly head = new u.Linear(5, 2, { bias: false });
  forward(x: u.Tensor, options: { state?: u.StateOf<Denoiser["layers"]> | undefined } = {}) {
    const { output, state } = this.layers.forward(x, options);
    return { output: this.head.forward(output), state };
  }
  streamPlan() {
    return u.streamPlan({ recurrent: this.layers, head: this.head });
  }
}

const rnn = (input: number, hidden: number) => new u.RNN(input, hidden);
const residual = { skip: "residual" } as const;

export const models: Readonly<Record<string, () => u.Module>> = {
  RNN: () => new u.RNN(3, 8, { nonlinearity: "relu" }),
  "LSTM without biases": () => new u.LSTM(3, 5, { numLayers: 3, bias: false }),
  "LSTM with a projection": () => new u.LSTM(3, 6, { numLayers: 2, projectionSize: 5 }),
  GRU: () => new u.GRU(3, 7, { numLayers: 2, batchFirst: false }),
  "a stack": () => new u.RecurrentStack([new u.LSTM(3, 5), new u.GRU(5, 4, { numLayers: 2 }), new u.RNN(4, 6)]),
  "one-hot tokens": () => model({ cell: u.LSTM, hiddenSize: 6, numLayers: 2 }),
  embeddings: () => model({ cell: u.GRU, hiddenSize: 18, embeddingSize: 3 }),
  "tied weights": () => model({ cell: u.LSTM, hiddenSize: 5, embeddingSize: 5, tieWeights: true }),
  "a compiled cell": () => new u.PeepholeLSTM(3, 6, { numLayers: 2 }),
  "a compiled cell without biases": () => new u.GRUResetBefore(3, 5, { numLayers: 2, bias: false }),
  "a compiled cell whose output is no state of the recurrence": () => new u.LRU(3, 5, { outputSize: 4, numLayers: 2 }),
  zoneout: () => new u.CompiledLSTM(3, 5, { numLayers: 2, zoneout: { h: 0.1, c: 0.5 } }),
  "dropout of the recurrence": () => new u.CompiledGRU(3, 5, { recurrentDropout: 0.5, gateDropout: { n: 0.5 } }),
  "fused and compiled layers": () =>
    new u.RecurrentStack([
      new u.LSTM(3, 5),
      new u.RecurrentStack([new u.PeepholeLSTM(5, 4, { numLayers: 2 }), new u.GRU(4, 6)]),
      new u.MUT1(6, 6),
      new u.MinGRU(6, 7),
    ]),
  "a residual stack": () => new u.RecurrentStack([new u.GRU(3, 5), new u.PeepholeLSTM(5, 5), rnn(5, 5)], residual),
  "a stack whose layers all see the input": () =>
    new u.RecurrentStack([new u.LSTM(3, 5), new u.MinGRU(8, 4), rnn(7, 6)], { skip: "input" }),
  "a dense stack with all outputs": () =>
    new u.RecurrentStack([new u.LSTM(3, 5), new u.MinGRU(8, 4), rnn(12, 6)], { skip: "dense", output: "all" }),
  "a stack of one with all outputs": () => new u.RecurrentStack([new u.GRU(3, 5)], { output: "all" }),
  "a dilated layer": () => new u.Dilated(new u.PeepholeLSTM(3, 5, { numLayers: 2 }), 3),
  "dilated by one": () => new u.Dilated(new u.GRU(3, 5), 1),
  "a skip across time": () => new u.TimeSkip(new u.CompiledGRU(3 + 5, 5, { numLayers: 2 }), 3),
  "a skip across one step": () => new u.TimeSkip(new u.LSTM(3 + 2, 2), 1),
  "a context at every step": () => new u.Conditioned(new u.LSTM(3 + 2, 5), 2),
  "a context at the first step": () => new u.Conditioned(new u.MUT3(3 + 2, 5), 2, { at: "first" }),
  "wirings of wirings": () =>
    new u.RecurrentStack(
      [
        new u.Dilated(new u.TimeSkip(new u.RecurrentStack([new u.MinGRU(3 + 4, 4), rnn(4, 4)], residual), 2), 3),
        new u.TimeSkip(new u.Dilated(new u.GRU(4 + 4, 4, { batchFirst: true }), 2), 3),
        new u.Conditioned(new u.Dilated(new u.PeepholeLSTM(4 + 2, 4), 2), 2),
      ],
      residual,
    ),
  "a model of one's own": () => new Denoiser(),
  "one-hot tokens of a compiled cell": () => model({ cell: u.RecurrentHighway, hiddenSize: 6, numLayers: 2 }),
  "one-hot tokens without recurrent matrices": () => model({ cell: u.MinLSTM, hiddenSize: 6 }),
  "one-hot tokens that are read beside a matrix": () => model({ cell: u.RGLRU, hiddenSize: 5, numLayers: 2 }),
  "one-hot tokens that no matrix reads first": () => model({ cell: u.MUT1, hiddenSize: 5 }),
  "embeddings of a compiled cell": () => model({ cell: u.SLSTM, hiddenSize: 6, embeddingSize: 4 }),
  "embeddings that are read beside a matrix": () =>
    model({ cell: u.MUT2, hiddenSize: 5, embeddingSize: 5, tieWeights: true }),
  "a cell with sizes of its own": () => model({ cell: u.Jordan, hiddenSize: 6, cellSizes: { outputSize: 4 } }),
};
