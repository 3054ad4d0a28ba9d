/**
 * Small cases in the form of the corpus, for whoever has no corpus: outputs from plain f64 transcriptions, gradients by
 * central differences of these (exact to about 1e-9, far below the tolerances).
 */
import { Random } from "../reference/random.js";
import { type Mode, run, type State, type Weights } from "../reference/recurrent.js";
import type { Case, CaseTensor, Tolerance } from "./corpus.js";

/** f64 values with a shape. */
interface Values {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}
type Named = Record<string, Values>;

const random = new Random(20);

function draw(shape: readonly number[], scale = 1): Values {
  return {
    shape,
    data: Float64Array.from(
      random.values(
        shape.reduce((a, b) => a * b, 1),
        scale,
      ),
    ),
  };
}

/** The tolerance of f32 code that sums some dozens of terms: the corpus's own floor. */
function toleranceOf(data: Float64Array): Tolerance {
  return { atol: 2e-5 * Math.max(0.1, ...data.map(Math.abs)), rtol: 1e-5 };
}

function caseOf(
  group: string,
  op: string,
  id: string,
  config: Record<string, unknown>,
  given: Record<string, CaseTensor>,
  expected: Named,
  scalars: Record<string, number> = {},
): Case {
  const tensors = new Map(Object.entries(given));
  for (const [name, { shape, data }] of Object.entries(expected))
    tensors.set(name, { shape, data: Float32Array.from(data) });
  return {
    id,
    group,
    op,
    tensors,
    document: {
      config,
      expect: Object.fromEntries(Object.entries(expected).map(([name, { data }]) => [name, toleranceOf(data)])),
      scalars: Object.fromEntries(
        Object.entries(scalars).map(([name, value]) => [name, { value, ...toleranceOf(Float64Array.of(value)) }]),
      ),
    },
    file: (path) => {
      throw new Error(`${path}: generated cases have no files`);
    },
  };
}

const f32 = ({ shape, data }: Values): CaseTensor => ({ shape, data: Float32Array.from(data) });

/** A case of kind vjp: `forward` gives named outputs, or the one scalar `loss`. */
function vjpCase(
  group: string,
  op: string,
  id: string,
  config: Record<string, unknown>,
  leaves: Named,
  others: Record<string, CaseTensor>,
  forward: (leaves: Named) => Named,
): Case {
  const outputs = forward(leaves);
  const scalar = "loss" in outputs;
  const cotangents: Named = scalar
    ? {}
    : Object.fromEntries(Object.entries(outputs).map(([name, v]) => [name, draw(v.shape)]));
  const loss = (): number => {
    const now = forward(leaves);
    if (scalar) return now["loss"]?.data[0] as number;
    let total = 0;
    for (const [name, { data }] of Object.entries(cotangents)) {
      data.forEach((weight, i) => {
        total += weight * (now[name]?.data[i] as number);
      });
    }
    return total;
  };
  const expected: Named = scalar
    ? {}
    : Object.fromEntries(Object.entries(outputs).map(([name, v]) => [`out.${name}`, v]));
  const value = loss();
  const step = 1e-6;
  for (const [name, { shape, data }] of Object.entries(leaves)) {
    const gradient = data.map((middle, i) => {
      data[i] = middle + step;
      const above = loss();
      data[i] = middle - step;
      const below = loss();
      data[i] = middle;
      return (above - below) / (2 * step);
    });
    expected[`grad.${name}`] = { shape, data: gradient };
  }
  const given = { ...others };
  for (const [name, leaf] of Object.entries(leaves)) given[name] = f32(leaf);
  for (const [name, cotangent] of Object.entries(cotangents)) given[`cot.${name}`] = f32(cotangent);
  return caseOf(group, op, id, config, given, expected, { loss: value });
}

const [batch, steps, input, hidden] = [3, 4, 5, 6];
const gatesOf: Record<Mode, number> = { rnn_tanh: 1, rnn_relu: 1, lstm: 4, gru: 3 };

function recurrentCase(mode: Mode, layers: number, bidirectional: boolean, packed: boolean, projection = 0): Case {
  const directions = bidirectional ? 2 : 1;
  const size = projection > 0 ? projection : hidden;
  const rows = gatesOf[mode] * hidden;
  const leaves: Named = {
    "in.x": draw([batch, steps, input]),
    "in.h0": draw([layers * directions, batch, size]),
    ...(mode === "lstm" ? { "in.c0": draw([layers * directions, batch, hidden]) } : {}),
  };
  const suffixes = Array.from({ length: layers * directions }, (_, k) =>
    k % directions === 1 ? `_l${Math.floor(k / directions)}_reverse` : `_l${Math.floor(k / directions)}`,
  );
  suffixes.forEach((suffix, k) => {
    leaves[`param.weight_ih${suffix}`] = draw([rows, k < directions ? input : directions * size], 0.5);
    leaves[`param.weight_hh${suffix}`] = draw([rows, size], 0.5);
    leaves[`param.bias_ih${suffix}`] = draw([rows], 0.5);
    leaves[`param.bias_hh${suffix}`] = draw([rows], 0.5);
    if (projection > 0) leaves[`param.weight_hr${suffix}`] = draw([projection, hidden], 0.5);
  });
  const lengths = packed ? Int32Array.of(2, steps, 1) : new Int32Array(batch).fill(steps);
  const forward = (now: Named): Named => {
    const data = (name: string): Float64Array => (now[name] as Values).data;
    const y = new Float64Array(batch * steps * directions * size);
    const hn = new Float64Array(layers * directions * batch * size);
    const cn = new Float64Array(layers * directions * batch * hidden);
    for (let b = 0; b < batch; b++) {
      const part = (name: string, index: number, width: number): Float64Array =>
        data(name).subarray(index * width, (index + 1) * width);
      let x = Array.from({ length: steps }, (_, t) => part("in.x", b * steps + t, input));
      for (let layer = 0; layer < layers; layer++) {
        const above = x.map(() => new Float64Array(directions * size));
        for (let direction = 0; direction < directions; direction++) {
          const k = layer * directions + direction;
          const suffix = suffixes[k] as string;
          const weights: Weights = {
            weightIh: data(`param.weight_ih${suffix}`),
            weightHh: data(`param.weight_hh${suffix}`),
            biasIh: data(`param.bias_ih${suffix}`),
            biasHh: data(`param.bias_hh${suffix}`),
            weightHr: projection > 0 ? data(`param.weight_hr${suffix}`) : undefined,
          };
          const row = k * batch + b;
          const c = mode === "lstm" ? part("in.c0", row, hidden) : new Float64Array(0);
          const initial: State = { h: part("in.h0", row, size), c };
          const result = run(mode, weights, x, initial, lengths[b] as number, direction === 1);
          result.y.forEach((value, t) => above[t]?.set(value, direction * size));
          hn.set(result.last.h, row * size);
          if (mode === "lstm") cn.set(result.last.c, row * hidden);
        }
        x = above;
      }
      x.forEach((value, t) => y.set(value, (b * steps + t) * directions * size));
    }
    return {
      y: { shape: [batch, steps, directions * size], data: y },
      h_n: { shape: [layers * directions, batch, size], data: hn },
      ...(mode === "lstm" ? { c_n: { shape: [layers * directions, batch, hidden], data: cn } } : {}),
    };
  };
  const config = {
    mode,
    input_size: input,
    hidden_size: hidden,
    num_layers: layers,
    bidirectional,
    batch_first: true,
    bias: true,
    proj_size: projection,
    packed,
  };
  const id = [mode, `${layers}l`, bidirectional ? "bi" : "", packed ? "packed" : "", projection > 0 ? "proj" : ""];
  const others = { "in.lengths": { shape: [batch], data: lengths } };
  return vjpCase("torch_rnn", mode, id.filter(Boolean).join("-"), config, leaves, others, forward);
}

const scalar = (value: number): Named => ({ loss: { shape: [], data: Float64Array.of(value) } });

/** Losses, as their definitions read. */
function lossCases(): Case[] {
  const classes = 5;
  const targets = Int32Array.of(1, 4, -100, 0);
  const logits = { "in.logits": draw([targets.length, classes], 3) };
  const crossEntropy = vjpCase(
    "loss",
    "cross_entropy",
    "ignore",
    { reduction: "mean", ignore_index: -100 },
    logits,
    { "in.target": { shape: [targets.length], data: targets } },
    (now) => {
      const { data } = now["in.logits"] as Values;
      let total = 0;
      let count = 0;
      targets.forEach((target, row) => {
        if (target < 0) return;
        const values = data.subarray(row * classes, (row + 1) * classes);
        total += Math.log(values.reduce((sum, v) => sum + Math.exp(v), 0)) - (values[target] as number);
        count++;
      });
      return scalar(total / count);
    },
  );
  const target = { shape: [3, 4], data: draw([3, 4]).data.map((v) => (v + 1) / 2) };
  const binary = vjpCase(
    "loss",
    "bce_with_logits",
    "mean",
    { reduction: "mean" },
    { "in.logits": draw([3, 4], 3) },
    { "in.target": f32(target) },
    (now) => {
      const { data } = now["in.logits"] as Values;
      const losses = data.map((x, i) => Math.log(1 + Math.exp(x)) - Math.fround(target.data[i] as number) * x);
      return scalar(losses.reduce((a, b) => a + b, 0) / losses.length);
    },
  );
  const squared = vjpCase(
    "loss",
    "mse",
    "sum",
    { reduction: "sum" },
    { "in.input": draw([3, 4]), "in.target": draw([3, 4]) },
    {},
    (now) => {
      const [a, b] = [now["in.input"] as Values, now["in.target"] as Values];
      return scalar(
        a.data.reduce((total, v, i) => total + (v - (b.data[i] as number)) * (v - (b.data[i] as number)), 0),
      );
    },
  );
  return [crossEntropy, binary, squared];
}

function embeddingCase(): Case {
  const ids = Int32Array.of(3, 0, 3, 6, 1, 1);
  const config = { num_embeddings: 7, embedding_dim: 4, padding_idx: null, scale_grad_by_freq: false };
  const others = { "in.ids": { shape: [2, 3], data: ids } };
  return vjpCase("embedding", "embedding", "repeated", config, { "param.weight": draw([7, 4]) }, others, (now) => {
    const { data } = now["param.weight"] as Values;
    const rows = [...ids].flatMap((id) => [...data.subarray(id * 4, id * 4 + 4)]);
    return { y: { shape: [2, 3, 4], data: Float64Array.from(rows) } };
  });
}

/** One update of one value: its next value, given its state, which it changes. */
type Update = (p: number, g: number, state: Record<string, number>, t: number) => number;

/** The optimizers' equations, from their papers by way of PyTorch's pages. */
const updates: [op: string, config: Record<string, unknown>, update: Update][] = [
  [
    "sgd",
    { optimizer: "SGD", lr: 0.1, momentum: 0.9, nesterov: true },
    (p, g, s) => {
      s["momentum_buffer"] = 0.9 * (s["momentum_buffer"] ?? 0) + g;
      return p - 0.1 * (g + 0.9 * s["momentum_buffer"]);
    },
  ],
  [
    "adagrad",
    { optimizer: "Adagrad", lr: 0.1, eps: 1e-3 },
    (p, g, s) => {
      s["sum"] = (s["sum"] ?? 0) + g * g;
      return p - (0.1 * g) / (Math.sqrt(s["sum"]) + 1e-3);
    },
  ],
  [
    "rmsprop",
    { optimizer: "RMSprop", lr: 0.01, alpha: 0.9, eps: 1e-3 },
    (p, g, s) => {
      s["square_avg"] = 0.9 * (s["square_avg"] ?? 0) + 0.1 * g * g;
      return p - (0.01 * g) / (Math.sqrt(s["square_avg"]) + 1e-3);
    },
  ],
  ...(["Adam", "AdamW"] as const).map((optimizer): (typeof updates)[number] => [
    optimizer.toLowerCase(),
    { optimizer, lr: 0.01, betas: [0.8, 0.95], eps: 1e-3, weight_decay: 0.1 },
    (p, gradient, s, t) => {
      const g = optimizer === "Adam" ? gradient + 0.1 * p : gradient;
      const decayed = optimizer === "Adam" ? p : p * (1 - 0.01 * 0.1);
      s["exp_avg"] = 0.8 * (s["exp_avg"] ?? 0) + 0.2 * g;
      s["exp_avg_sq"] = 0.95 * (s["exp_avg_sq"] ?? 0) + 0.05 * g * g;
      const [m, v] = [s["exp_avg"] / (1 - 0.8 ** t), s["exp_avg_sq"] / (1 - 0.95 ** t)];
      return decayed - (0.01 * m) / (Math.sqrt(v) + 1e-3);
    },
  ]),
];

function optimizerCase([op, config, update]: (typeof updates)[number]): Case {
  const count = 20;
  const shape = [3, 3];
  const size = 9;
  const start = draw(shape);
  const gradients = draw([count, ...shape]);
  const out = new Float64Array(count * size);
  const states = Array.from({ length: size }, (): Record<string, number> => ({}));
  for (let i = 0; i < size; i++) {
    let p = start.data[i] as number;
    for (let t = 0; t < count; t++) {
      p = update(p, gradients.data[t * size + i] as number, states[i] as Record<string, number>, t + 1);
      out[t * size + i] = p;
    }
  }
  const expected: Named = { "out.p0": { shape: [count, ...shape], data: out } };
  for (const slot of Object.keys(states[0] ?? {})) {
    expected[`final.p0.${slot}`] = { shape, data: Float64Array.from(states, (state) => state[slot] as number) };
  }
  const given = { "param.p0": f32(start), "step.g0": f32(gradients) };
  return caseOf("optim", op, op, { ...config, steps: count }, given, expected);
}

function clipCase(): Case {
  const [a, b] = [draw([4, 3], 2), draw([5], 2)];
  const norm = Math.sqrt([...a.data, ...b.data].reduce((total, v) => total + v * v, 0));
  const scaled = ({ shape, data }: Values): Values => ({ shape, data: data.map((v) => v / (norm + 1e-6)) });
  const given = { "in.g0": f32(a), "in.g1": f32(b) };
  const expected = { "out.g0": scaled(a), "out.g1": scaled(b) };
  return caseOf("clip", "clip_grad_norm", "active", { max_norm: 1, norm_type: 2 }, given, expected, {
    total_norm: norm,
  });
}

/** All of them, the same at every call of the program. */
export function generatedCases(): Case[] {
  return [
    recurrentCase("rnn_tanh", 1, false, false),
    recurrentCase("rnn_relu", 2, false, true),
    recurrentCase("lstm", 1, false, false),
    recurrentCase("lstm", 1, true, false, 3),
    recurrentCase("lstm", 2, true, true),
    recurrentCase("gru", 2, true, true),
    embeddingCase(),
    ...lossCases(),
    ...updates.map(optimizerCase),
    clipCase(),
  ];
}
