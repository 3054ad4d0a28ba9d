/** Group keras: layers of Keras, made from its own configurations and weights. */
import {
  byName,
  constant,
  forgetGateBias,
  type Ids,
  LSTM,
  type Parameter,
  Tensor,
  xavierUniform,
} from "../../../ts/index.js";
import type { KerasAttention } from "../../../ts/io/keras/attention.js";
import { keras3 } from "../../../ts/io/keras/config.js";
import type { Flow, KerasLayer, LoadedLayer } from "../../../ts/io/keras/layer.js";
import { makeLayer } from "../../../ts/io/keras/layers.js";
import type { LayerWeights } from "../../../ts/io/keras/weights.js";
import type { Case, CaseTensor, Results } from "../corpus.js";
import { given, givenIds, ofRole, optional, vjp } from "../vjp.js";

/** The case's weights under a path: `param.forward.kernel` is `kernel` of part `forward`. */
function weightsOf(test: Case, path = ""): LayerWeights {
  return {
    where: `${test.id}${path}`,
    next(name) {
      const found = ofRole(test, "param").get(`${path}${name}`);
      if (found === undefined) throw new Error(`${test.id} has no param.${path}${name}`);
      return found;
    },
    inside: (part) => {
      const [side] = part.split("_") as [string];
      return side === "forward" || side === "backward" ? weightsOf(test, `${side}.`) : weightsOf(test, path);
    },
  };
}

function makeKeras<L extends KerasLayer = KerasLayer>(
  kind: string,
  config: Readonly<Record<string, unknown>>,
  weights: LayerWeights,
): L {
  const { layer, values }: LoadedLayer = makeLayer(
    { class_name: kind, config: { name: "", ...config } },
    weights,
    keras3,
  );
  return layer.loadStateDict(values) as L;
}

/** Where Keras keeps a parameter of ours: its name there, and the order of its gates if it has some. */
type Place = readonly [name: string, keras: string, gates?: readonly number[]];

/** PyTorch's gates in Keras' order: LSTM the same i, f, c, o; GRU z, r, h of r, z, n. */
const gatesOf: Readonly<Record<string, readonly number[]>> = {
  SimpleRNN: [0],
  LSTM: [0, 1, 2, 3],
  GRU: [1, 0, 2],
};

function placesOf(kind: string, ours: string, keras: string): Place[] {
  const gates = gatesOf[kind] as readonly number[];
  return [
    [`${ours}cell.weight_ih_l0`, `${keras}kernel`, gates],
    [`${ours}cell.weight_hh_l0`, `${keras}recurrent_kernel`, gates],
    [`${ours}cell.bias_l0`, `${keras}bias`, gates],
    [`${ours}cell.bias_ih_l0`, `${keras}bias`, gates],
    [`${ours}cell.bias_hh_l0`, `${keras}bias`, gates],
  ];
}

/** Keras' arrangement of our gradient: columns for rows, gates in Keras' order. */
function columns(
  data: ArrayLike<number>,
  [rows = 1, inputs = 1]: readonly number[],
  gates: readonly number[],
): number[] {
  const units = rows / gates.length;
  const result: number[] = [];
  for (let i = 0; i < inputs; i++) {
    for (const gate of gates) {
      for (let unit = 0; unit < units; unit++) result.push(data[(gate * units + unit) * inputs + i] as number);
    }
  }
  return result;
}

/**
 * Gradients by the case's inputs and by the parameters of a layer, under Keras' names and in its arrangement.
 * @param two whether there are two biases of a name (a GRU that resets after the product)
 */
function kerasVjp(
  test: Case,
  inputs: Readonly<Record<string, Tensor | undefined>>,
  parts: Readonly<Record<string, KerasLayer>>,
  places: readonly Place[],
  forward: () => Record<string, Tensor>,
): Results {
  const leaves = new Map<string, Tensor>();
  for (const [name, input] of Object.entries(inputs)) if (input !== undefined) leaves.set(`in.${name}`, input);
  const parameters = new Map<string, Parameter>();
  for (const [prefix, part] of Object.entries(parts)) {
    for (const [name, parameter] of part.namedParameters()) {
      if (parameter.trainable) parameters.set(`${prefix}${name}`, parameter);
    }
  }
  for (const [name, parameter] of parameters) leaves.set(name, parameter);
  const results = vjp(test, leaves, forward);
  for (const [name, keras, gates = [0]] of places) {
    const parameter = parameters.get(name);
    const gradient = results.get(`grad.${name}`);
    if (parameter === undefined || gradient === undefined) continue;
    const data = columns(gradient.data, parameter.shape, gates);
    const before = results.get(`grad.param.${keras}`)?.data ?? [];
    results.set(`grad.param.${keras}`, { data: [...Array.from(before), ...data] });
  }
  return results;
}

const flow = (value: Tensor | Ids, mask: Ids | null = null): Flow => ({ value, mask });
const tensorOf = (result: Flow | undefined): Tensor => {
  if (!(result?.value instanceof Tensor)) throw new Error("no tensor");
  return result.value;
};

/** SimpleRNN, LSTM and GRU, alone or inside Bidirectional. */
export function kerasRecurrent(test: Case): Results {
  const { config } = test.document;
  const kind = config["layer"] as string;
  const merge = config["bidirectional"] as string | null;
  const inner = { class_name: kind, config };
  const layer =
    merge === null
      ? makeKeras(kind, config, weightsOf(test))
      : makeKeras("Bidirectional", { layer: inner, merge_mode: merge }, weightsOf(test));
  const places =
    merge === null
      ? placesOf(kind, "", "")
      : [...placesOf(kind, "forwardLayer.", "forward."), ...placesOf(kind, "backwardLayer.", "backward.")];
  const x = given(test, "in.x");
  const x2 = optional(test, "in.x2");
  const [state0, state1] = [optional(test, "in.state0"), optional(test, "in.state1")];
  const mask = config["masked"] === true ? givenIds(test, "in.mask") : null;
  const states = [state0, state1].flatMap((state) => (state === undefined ? [] : [flow(state)]));
  return kerasVjp(test, { x, x2, state0, state1 }, { "": layer }, places, () => {
    const [y, ...last] = layer.forward([flow(x, mask), ...states]);
    const outputs: Record<string, Tensor> = { y: tensorOf(y) };
    last.forEach((state, i) => {
      outputs[`state${i}_n`] = tensorOf(state);
    });
    if (x2 !== undefined) outputs["y_second"] = tensorOf(layer.forward([flow(x2)])[0]);
    return outputs;
  });
}

/** An Embedding whose mask goes on to an LSTM. */
export function kerasEmbeddingLstm(test: Case): Results {
  const { vocab, embed, units, mask_zero } = test.document.config as Record<string, unknown>;
  const embedding = makeKeras(
    "Embedding",
    { input_dim: vocab, output_dim: embed, mask_zero },
    weightsOf(test, "embedding."),
  );
  const lstm = makeKeras("LSTM", { units, return_sequences: true }, weightsOf(test, "lstm."));
  const ids = givenIds(test, "in.ids");
  const parts = { "embedding.": embedding, "lstm.": lstm };
  const places: Place[] = [...placesOf("LSTM", "lstm.", "lstm.")];
  const results = kerasVjp(test, {}, parts, places, () => ({
    y: tensorOf(lstm.forward(embedding.forward([flow(ids)]))[0]),
  }));
  const table = results.get("grad.embedding.embedding.weight");
  if (table !== undefined) results.set("grad.param.embedding.embeddings", table);
  return results;
}

/** Normalisation, SimpleRNN and a Dense softmax at every step. */
export function kerasStack(test: Case): Results {
  const { units, layer_norm_epsilon: epsilon } = test.document.config as Record<string, unknown>;
  const norm = makeKeras("LayerNormalization", { axis: -1, epsilon }, weightsOf(test, "layer_normalization."));
  const rnn = makeKeras("SimpleRNN", { units, return_sequences: true }, weightsOf(test, "simple_rnn."));
  const outputs = (test.tensors.get("param.dense.bias") as CaseTensor).data.length;
  const inner = { class_name: "Dense", config: { units: outputs, activation: "softmax" } };
  const dense = makeKeras("TimeDistributed", { layer: inner }, weightsOf(test, "dense."));
  const x = given(test, "in.x");
  const parts = { "norm.": norm, "rnn.": rnn, "dense.": dense };
  const places: Place[] = [
    ["norm.norm.weight", "layer_normalization.gamma"],
    ["norm.norm.bias", "layer_normalization.beta"],
    ...placesOf("SimpleRNN", "rnn.", "simple_rnn."),
    ["dense.layer.linear.weight", "dense.kernel"],
    ["dense.layer.linear.bias", "dense.bias"],
  ];
  return kerasVjp(test, { x }, parts, places, () => ({
    y: tensorOf([norm, rnn, dense].reduce<readonly Flow[]>((flows, layer) => layer.forward(flows), [flow(x)])[0]),
  }));
}

export function kerasAttention(test: Case): Results {
  const layer = makeKeras<KerasAttention>("Attention", test.document.config, weightsOf(test));
  const [query, value] = [given(test, "in.query"), given(test, "in.value")];
  const key = optional(test, "in.key");
  const mask = (name: string): Ids | null => (test.tensors.has(name) ? givenIds(test, name) : null);
  const inputs = [flow(query, mask("in.query_mask")), flow(value, mask("in.value_mask"))];
  if (key !== undefined) inputs.push(flow(key));
  const places: Place[] = [
    ["scale", "scale"],
    ["concatScoreWeight", "concat_score_weight"],
  ];
  return kerasVjp(test, { query, value, key }, { "": layer }, places, () => {
    const { y, scores } = layer.attend(inputs);
    return { y, scores };
  });
}

/** The bias of a fresh LSTM with Keras' `unit_forget_bias`, from our initializers: the sum of the two. */
export function kerasLstmInit(test: Case): Results {
  const { units, unit_forget_bias: remembers } = test.document.config as { units: number; unit_forget_bias: boolean };
  const bias = remembers ? forgetGateBias() : constant(0);
  const initializer = byName(
    [
      [/bias_ih/, bias],
      [/bias_hh/, constant(0)],
    ],
    xavierUniform(),
  );
  const lstm = new LSTM(3, units).init({ seed: 5, initializer });
  const [first, second] = ["bias_ih_l0", "bias_hh_l0"].map((name) => lstm.stateDict().get(name)?.data);
  return new Map([["out.bias", { data: Float32Array.from(first ?? [], (value, i) => value + (second?.[i] ?? NaN)) }]]);
}
