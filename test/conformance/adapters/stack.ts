/** Stacks whose connections skip layers: group stack. */
import {
  constant,
  GRU,
  type LayerSkip,
  LSTM,
  type RecurrentOptions,
  RecurrentStack,
  RNN,
  type SequenceModule,
  type Tensor,
} from "../../../ts/index.js";
import type { Case, Results } from "../corpus.js";
import { given, ofRole, vjp } from "../vjp.js";

/** What the case says of its stack. */
interface StackConfig {
  readonly kind: string;
  readonly cell: string;
  readonly input_size: number;
  readonly hidden_size: number;
  readonly num_layers: number;
}

type LayerClass = new (inputSize: number, hiddenSize: number, options: RecurrentOptions) => SequenceModule;

const CELLS: Readonly<Record<string, LayerClass>> = { rnn: RNN, rnn_tanh: RNN, lstm: LSTM, gru: GRU };

export function stacked(test: Case): Results {
  const {
    kind,
    cell,
    input_size: input,
    hidden_size: hidden,
    num_layers,
  } = test.document.config as unknown as StackConfig;
  const Layer = CELLS[cell];
  if (Layer === undefined) throw new Error(`unknown cell ${cell}`);
  if (kind !== "input_skip" && kind !== "residual") throw new Error(`unknown kind ${kind}`);
  const skip: LayerSkip = kind === "residual" ? "residual" : "input";
  const layers = Array.from({ length: num_layers }, (_, l) => {
    const below = l === 0 ? input : skip === "input" ? input + hidden : hidden;
    return new Layer(below, hidden, { batchFirst: false });
  });
  const stack = new RecurrentStack(layers, { skip, output: skip === "input" ? "all" : "last" });
  // The case has one bias where PyTorch has two, which act as their sum: the second stays 0.
  stack.init({ initializer: constant(0) });
  const parameters = new Map(stack.namedParameters());
  const x = given(test, "in.x");
  const leaves = new Map<string, Tensor>([["in.x", x]]);
  for (const [name, { data }] of ofRole(test, "param")) {
    const [, kind = "", l = ""] = /^(W_ih|W_hh|b)(\d+)$/.exec(name) ?? [];
    const own = { W_ih: "weight_ih", W_hh: "weight_hh", b: "bias_ih" }[kind];
    const parameter = parameters.get(`layers.${l}.${own}_l0`);
    if (parameter === undefined) throw new Error(`${test.id}: no parameter ${name}`);
    parameter.write(data);
    leaves.set(`param.${name}`, parameter);
  }
  return vjp(test, leaves, () => ({ y: stack.forward(x).output }));
}
