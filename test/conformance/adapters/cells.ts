/** Cells of the literature: group cells. Sequences there are time-major, states (B, H). */
import * as u from "../../../ts/index.js";
import type { Case, Results } from "../corpus.js";
import { given, optional } from "../vjp.js";
import { type Block, stacked, vjpOfBlocks } from "./blocks.js";

interface CellConfig {
  readonly input_size: number;
  readonly hidden_size: number;
  readonly output_size: number;
  readonly hidden_activation: u.ActivationName;
  readonly output_activation: u.OutputActivation;
  readonly update: "z_keeps_old" | "z_takes_new";
  readonly image_size: number;
  readonly variant: string;
  readonly projected?: boolean;
}

const configOf = (test: Case): CellConfig => test.document.config as unknown as CellConfig;

/** Any recurrent layer or network of one layer: its overloads differ in the type of state only. */
type AnyLayer = u.Module & {
  forward(x: u.Tensor, options: never): { output: u.Tensor; state: Record<string, u.Tensor> };
};

/** Runs a layer from the case's initial states, `in.h0` and the like. */
function run(test: Case, layer: AnyLayer, states: readonly string[], blocks: readonly Block[]): Results {
  const x = given(test, "in.x");
  const initial = states.map((name) => [name, optional(test, `in.${name}0`)] as const);
  const inputs = new Map([["in.x", x]]);
  for (const [name, value] of initial) if (value !== undefined) inputs.set(`in.${name}0`, value);
  return vjpOfBlocks(test, layer, blocks, inputs, () => {
    const lift = (value: u.Tensor): u.Tensor => u.reshape(value, [1, ...value.shape]);
    const known = initial.flatMap(([name, value]) => (value === undefined ? [] : [[name, lift(value)] as const]));
    const state = known.length > 0 ? Object.fromEntries(known) : undefined;
    const result = layer.forward(x, { state } as never);
    const last = states.map((name) => {
      const value = result.state[name] as u.Tensor;
      return [`${name}_n`, u.reshape(value, value.shape.slice(1))] as const;
    });
    return { y: result.output, ...Object.fromEntries(last) };
  });
}

/** The whole network of Elman 1990: W, U, b and, for the outputs, V, c. */
export function elman(test: Case): Results {
  const config = configOf(test);
  const network = new u.Elman(config.input_size, config.hidden_size, config.output_size, {
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
    new u.RNN(input, hidden, { batchFirst: false }),
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
    new u.GRU(input, hidden, { batchFirst: false }),
    ["h"],
    [...gruBlocks(test, "bias_ih_l0"), { ours: "bias_hh_l0", theirs: "b_hn", at: [2 * hidden, 0] }],
  );
}

export function gruResetBefore(test: Case): Results {
  const { input_size: input, hidden_size: hidden } = configOf(test);
  const layer = new u.GRUResetBefore(input, hidden, { batchFirst: false });
  return run(test, layer, ["h"], gruBlocks(test, "bias_l0"));
}

/** As {@link elman}, with y in place of h among what comes back. */
export function jordan(test: Case): Results {
  const config = configOf(test);
  const Jordan = u.defineJordan({
    hiddenActivation: config.hidden_activation,
    outputActivation: config.output_activation,
  });
  const options = { outputSize: config.output_size, batchFirst: false };
  return run(
    test,
    new Jordan(config.input_size, config.hidden_size, options),
    ["y"],
    [
      { ours: "weight_ih_l0", theirs: "W" },
      { ours: "weight_yh_l0", theirs: "U" },
      { ours: "bias_l0", theirs: "b" },
      { ours: "weight_hy_l0", theirs: "V" },
      { ours: "bias_hy_l0", theirs: "c" },
    ],
  );
}

const variants = {
  full: u.PeepholeLSTM,
  NIG: u.NoInputGateLSTM,
  NFG: u.NoForgetGateLSTM,
  NOG: u.NoOutputGateLSTM,
  NIAF: u.NoInputActivationLSTM,
  NOAF: u.NoOutputActivationLSTM,
  CIFG: u.CoupledGateLSTM,
  NP: u.NoPeepholeLSTM,
};

/** Rows of gates that a variant lacks are in the case, without use. */
export function lstmVariant(test: Case): Results {
  const { input_size: input, hidden_size: hidden, variant } = configOf(test);
  const Layer = variants[variant as keyof typeof variants];
  if (Layer === undefined) throw new Error(`unknown variant ${variant}`);
  const lacking = { NIG: "i", NFG: "f", NOG: "o", CIFG: "f" }[variant];
  const matrices = { weight_ih_l0: ["W_ih", input], weight_hh_l0: ["W_hh", hidden], bias_l0: ["b", 1] } as const;
  const blocks = Object.entries(matrices).flatMap(([ours, [theirs, columns]]) =>
    ["i", "f", "g", "o"]
      .map((gate, row): [string, Block] => [gate, { ours, theirs, from: [row * hidden, 0], size: [hidden, columns] }])
      .filter(([gate]) => gate !== lacking)
      .map(([, block], row): Block => ({ ...block, at: [row * hidden, 0] })),
  );
  const layer = new Layer(input, hidden, { batchFirst: false });
  const peepholes = layer.namedParameters().flatMap(([name]) => (name.startsWith("p_") ? [name] : []));
  return run(
    test,
    layer,
    ["h", "c"],
    [...blocks, ...peepholes.map((ours) => ({ ours, theirs: ours.replace("_l0", "") }))],
  );
}

/** W_xz, W_hz and so on; matrices that a mutant lacks are not stacked. */
export function mutant(test: Case): Results {
  const { input_size: input, hidden_size: hidden, projected } = configOf(test);
  const [Layer, fromInput, fromState, lone] = {
    mut1: [projected ? u.ProjectedMUT1 : u.MUT1, ["W_xz", "W_xr"], ["W_hr", "W_hh"], "W_xh"],
    mut2: [projected ? u.ProjectedMUT2 : u.MUT2, ["W_xz", "W_xh"], ["W_hz", "W_hr", "W_hh"], "W_xr"],
    mut3: [u.MUT3, ["W_xz", "W_xr", "W_xh"], ["W_hz", "W_hr", "W_hh"], ""],
  }[test.op] as [typeof u.MUT1, string[], string[], string];
  return run(
    test,
    new Layer(input, hidden, { batchFirst: false }),
    ["h"],
    [
      ...stacked("weight_ih_l0", fromInput, hidden),
      ...stacked("weight_hh_l0", fromState, hidden),
      ...stacked("bias_l0", ["b_z", "b_r", "b_h"], hidden),
      ...(projected ? [{ ours: "weight_x_l0", theirs: lone }] : []),
    ],
  );
}

/** An image's vector v added at the first step. */
export function imageInit(test: Case): Results {
  const { input_size: input, hidden_size: hidden, image_size: image } = configOf(test);
  const layer = new u.RNN(input + image, hidden, { batchFirst: false });
  const model = new u.Conditioned(layer, image, { at: "first" });
  const [x, context] = [given(test, "in.x"), given(test, "in.v")];
  const inputs = new Map([
    ["in.x", x],
    ["in.v", context],
  ]);
  const blocks: Block[] = [
    { ours: "layer.weight_ih_l0", theirs: "W_xh" },
    { ours: "layer.weight_ih_l0", theirs: "W_ih", at: [0, input] },
    { ours: "layer.weight_hh_l0", theirs: "W_hh" },
    { ours: "layer.bias_ih_l0", theirs: "b" },
  ];
  return vjpOfBlocks(test, model, blocks, inputs, () => ({ y: model.forward(x, { context }).output }));
}
