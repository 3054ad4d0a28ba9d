/** Cells of the literature: group cells. Sequences there are time-major, states (B, H). */
import {
  type ActivationName,
  Elman,
  GRU,
  type Module,
  type OutputActivation,
  RNN,
  reshape,
  type Tensor,
} from "../../../ts/index.js";
import type { Case, Results } from "../corpus.js";
import { given, optional } from "../vjp.js";
import { type Block, stacked, vjpOfBlocks } from "./blocks.js";

interface CellConfig {
  readonly input_size: number;
  readonly hidden_size: number;
  readonly output_size: number;
  readonly hidden_activation: ActivationName;
  readonly output_activation: OutputActivation;
  readonly update: "z_keeps_old" | "z_takes_new";
}

const configOf = (test: Case): CellConfig => test.document.config as unknown as CellConfig;

/** Any recurrent layer or network of one layer: its overloads differ in the type of state only. */
type AnyLayer = Module & {
  forward(x: Tensor, options: never): { output: Tensor; state: Record<string, Tensor> };
};

/** Runs a layer from the case's initial states, `in.h0` and the like. */
function run(test: Case, layer: AnyLayer, states: readonly string[], blocks: readonly Block[]): Results {
  const x = given(test, "in.x");
  const initial = states.map((name) => [name, optional(test, `in.${name}0`)] as const);
  const inputs = new Map([["in.x", x]]);
  for (const [name, value] of initial) if (value !== undefined) inputs.set(`in.${name}0`, value);
  return vjpOfBlocks(test, layer, blocks, inputs, () => {
    const lift = (value: Tensor): Tensor => reshape(value, [1, ...value.shape]);
    const known = initial.flatMap(([name, value]) => (value === undefined ? [] : [[name, lift(value)] as const]));
    const state = known.length > 0 ? Object.fromEntries(known) : undefined;
    const result = layer.forward(x, { state } as never);
    const last = states.map((name) => {
      const value = result.state[name] as Tensor;
      return [`${name}_n`, reshape(value, value.shape.slice(1))] as const;
    });
    return { y: result.output, ...Object.fromEntries(last) };
  });
}

/** The whole network of Elman 1990: W, U, b and, for the outputs, V, c. */
export function elman(test: Case): Results {
  const config = configOf(test);
  const network = new Elman(config.input_size, config.hidden_size, config.output_size, {
    nonlinearity: config.hidden_activation,
    outputActivation: config.output_activation,
    batchFirst: false,
  });
  return run(
    test,
    network,
    ["h"],
    [
      { ours: "rnn.weight_ih_l0", theirs: "W" },
      { ours: "rnn.weight_hh_l0", theirs: "U" },
      { ours: "rnn.bias_ih_l0", theirs: "b" },
      { ours: "head.weight", theirs: "V" },
      { ours: "head.bias", theirs: "c" },
    ],
  );
}

/** One matrix for [h; x]. */
export function concatenated(test: Case): Results {
  const { input_size: input, hidden_size: hidden } = configOf(test);
  return run(
    test,
    new RNN(input, hidden, { batchFirst: false }),
    ["h"],
    [
      { ours: "weight_hh_l0", theirs: "W", size: [hidden, hidden] },
      { ours: "weight_ih_l0", theirs: "W", from: [0, hidden], size: [hidden, input] },
      { ours: "bias_ih_l0", theirs: "b" },
    ],
  );
}

/** W_r, W_z, W_n and so on, with either meaning of z. */
function gruBlocks(test: Case, bias: string): Block[] {
  const { hidden_size: hidden, update } = configOf(test);
  const gates = ["r", "z", "n"];
  const blocks = [
    ...stacked(
      "weight_ih_l0",
      gates.map((gate) => `W_${gate}`),
      hidden,
    ),
    ...stacked(
      "weight_hh_l0",
      gates.map((gate) => `U_${gate}`),
      hidden,
    ),
    ...stacked(
      bias,
      gates.map((gate) => `b_${gate}`),
      hidden,
    ),
  ];
  // 1 - sigmoid(a) = sigmoid(-a)
  return blocks.map((block) =>
    update === "z_takes_new" && block.theirs.endsWith("_z") ? { ...block, sign: -1 } : block,
  );
}

export function gruResetAfter(test: Case): Results {
  const { input_size: input, hidden_size: hidden } = configOf(test);
  return run(
    test,
    new GRU(input, hidden, { batchFirst: false }),
    ["h"],
    [...gruBlocks(test, "bias_ih_l0"), { ours: "bias_hh_l0", theirs: "b_hn", at: [2 * hidden, 0] }],
  );
}
