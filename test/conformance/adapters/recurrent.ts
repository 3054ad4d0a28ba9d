/** Recurrent layers and cells: groups torch_rnn and torch_cell. */
import { GRU, GRUCell, LSTM, LSTMCell, type Module, RNN, RNNCell, type Tensor } from "../../../ts/index.js";
import type { Case, Results } from "../corpus.js";
import { given, givenIds, ofRole, optional, vjp } from "../vjp.js";

/** Sizes and options of a layer, as PyTorch spells them. */
export interface LayerConfig {
  readonly mode: string;
  readonly input_size: number;
  readonly hidden_size: number;
  readonly num_layers: number;
  readonly bidirectional: boolean;
  readonly batch_first: boolean;
  readonly bias?: boolean;
  readonly proj_size: number;
}

/** A layer from PyTorch's words. */
export function makeLayer(config: LayerConfig): RNN | LSTM | GRU {
  const { mode, input_size: input, hidden_size: hidden } = config;
  const options = {
    numLayers: config.num_layers,
    bidirectional: config.bidirectional,
    batchFirst: config.batch_first,
    bias: config.bias ?? true,
  };
  switch (mode) {
    case "lstm":
      return new LSTM(input, hidden, { ...options, projectionSize: config.proj_size });
    case "gru":
      return new GRU(input, hidden, options);
    case "rnn":
    case "rnn_tanh":
      return new RNN(input, hidden, options);
    case "rnn_relu":
      return new RNN(input, hidden, { ...options, nonlinearity: "relu" });
    default:
      throw new Error(`unknown mode ${mode}`);
  }
}

/** Forward of any layer: its overloads differ in the type of state only. */
type Forward = (
  x: Tensor,
  options: { state?: Record<string, Tensor> | undefined; lengths?: Int32Array | undefined },
) => { output: Tensor; state: Record<string, Tensor> };

/** Runs a layer on the case's input, under the case's names for outputs. */
export function runLayer(
  layer: RNN | LSTM | GRU,
  x: Tensor,
  initial: Record<string, Tensor> = {},
  lengths?: Int32Array,
): Record<string, Tensor> {
  const state = Object.keys(initial).length > 0 ? initial : undefined;
  const result = (layer.forward as unknown as Forward).call(layer, x, { state, lengths });
  const { h, c } = result.state;
  return { y: result.output, h_n: h as Tensor, ...(c === undefined ? {} : { c_n: c }) };
}

/** What to differentiate by: the named inputs that exist, and every parameter. */
function leavesOf(inputs: Record<string, Tensor | undefined>, module: Module): Map<string, Tensor> {
  const found = Object.entries(inputs).flatMap(([name, value]) =>
    value === undefined ? [] : [[`in.${name}`, value] as const],
  );
  return new Map<string, Tensor>([
    ...found,
    ...module.namedParameters().map(([name, p]) => [`param.${name}`, p] as const),
  ]);
}

function present(values: Record<string, Tensor | undefined>): Record<string, Tensor> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Record<
    string,
    Tensor
  >;
}

export function torchRnn(test: Case): Results {
  const layer = makeLayer(test.document.config as unknown as LayerConfig).loadStateDict(ofRole(test, "param"));
  const x = given(test, "in.x");
  const h0 = optional(test, "in.h0");
  const c0 = optional(test, "in.c0");
  const lengths = test.document.config["packed"] === true ? givenIds(test, "in.lengths").data : undefined;
  return vjp(test, leavesOf({ x, h0, c0 }, layer), () => runLayer(layer, x, present({ h: h0, c: c0 }), lengths));
}

export function torchCell(test: Case): Results {
  const { mode, input_size: input, hidden_size: hidden, bias } = test.document.config as unknown as LayerConfig;
  const options = { bias: bias ?? true };
  const make = { lstm: LSTMCell, gru: GRUCell, rnn_tanh: RNNCell }[mode];
  if (make === undefined) throw new Error(`unknown mode ${mode}`);
  const cell = new make(input, hidden, options).loadStateDict(ofRole(test, "param"));
  const x = given(test, "in.x");
  const state = present({ h: optional(test, "in.h"), c: optional(test, "in.c") });
  type Step = (x: Tensor, state: Record<string, Tensor>) => Record<string, Tensor>;
  return vjp(test, leavesOf({ x, ...state }, cell), () => (cell.forward as unknown as Step).call(cell, x, state));
}
