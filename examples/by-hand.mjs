// Forward and backward through a vanilla RNN (many-to-many, aligned) by hand, in float64, beside what the tape gives.
//
//   h_t = tanh(W_ih x_t + W_hh h_{t-1} + b)    z_t = V h_t + c    p_t = softmax(z_t)    L = -sum_t log p_t[target_t]
//
//   dz_t = p_t - onehot(target_t)              dV = sum_t dz_t h_t'         dc = sum_t dz_t
//   dh_t = V' dz_t + W_hh' da_{t+1}            da_t = (1 - h_t^2) dh_t
//   dW_ih = sum_t da_t x_t'                    dW_hh = sum_t da_t h_{t-1}'  db = sum_t da_t     dh_0 = W_hh' da_1
//
// Truncated back-propagation leaves W_hh' da_{t+1} out wherever a window of k steps ends: the state goes on, the
// gradient does not. The library's two biases, b_ih and b_hh, act as their sum b and have the same gradient.
// Werbos 1990, "Backpropagation through time: what it does and how to do it".
//   node examples/by-hand.mjs [--steps 7] [--truncate 3] [--seed 1] [--help]
import { parseArgs } from "node:util";
import { concat, crossEntropy, detach, Elman, gradients, ids, normal, Parameter, slice, tensor } from "unrolled";

const { values } = parseArgs({
  options: {
    steps: { type: "string", default: "7" },
    truncate: { type: "string", default: "3" },
    seed: { type: "string", default: "1" },
    help: { type: "boolean" },
  },
});
if (values.help) {
  console.log("node examples/by-hand.mjs [--steps 7] [--truncate 3] [--seed 1]   gradients by hand and by the tape");
  process.exit();
}
const steps = Number(values.steps);
const [inputSize, hiddenSize, classes] = [2, 3, 4];

class Net extends Elman {
  h0 = new Parameter([1, 1, hiddenSize], normal()); // a learnable initial state
}
const net = new Net(inputSize, hiddenSize, classes, { initializer: normal() }).init({ seed: Number(values.seed) });

// Inputs and targets: nothing but numbers that are not all alike.
const inputs = Array.from({ length: steps }, (_, t) => Float64Array.of(Math.fround(Math.cos(t)), 0.5 - (t % 3)));
const targets = Array.from({ length: steps }, (_, t) => (t * t + 1) % classes);

/**
 * A parameter as rows, in float64.
 * @param {string} name
 */
function matrix(name) {
  const { data, shape } = net.stateDict().get(name) ?? { data: new Float32Array(0), shape: [0] };
  const columns = shape[shape.length - 1] ?? 0;
  return Array.from({ length: data.length / columns }, (_, r) =>
    Float64Array.from(data.subarray(r * columns, (r + 1) * columns)),
  );
}
const vector = (/** @type {string} */ name) => matrix(name)[0] ?? new Float64Array(0);

const dot = (/** @type {Float64Array} */ a, /** @type {Float64Array} */ b) =>
  a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);

/** W' d: what a product by W sends back. */
const back = (/** @type {Float64Array[]} */ W, /** @type {Float64Array} */ d) =>
  Float64Array.from(W[0] ?? [], (_, j) => W.reduce((sum, row, i) => sum + (row[j] ?? 0) * (d[i] ?? 0), 0));

const sumOf = (/** @type {Float64Array} */ a, /** @type {Float64Array} */ b) =>
  a.map((value, i) => value + (b[i] ?? 0));

/** dW += d x' */
const addOuter = (/** @type {Float64Array[]} */ dW, /** @type {Float64Array} */ d, /** @type {Float64Array} */ x) =>
  dW.forEach((row, i) => row.forEach((_, j) => (row[j] = (row[j] ?? 0) + (d[i] ?? 0) * (x[j] ?? 0))));

/**
 * The loss and its gradients by hand.
 * @param {number} window - steps that a gradient flows back through; all of them for the whole gradient
 */
function byHand(window) {
  const [Wih, Whh, V] = [matrix("rnn.weight_ih_l0"), matrix("rnn.weight_hh_l0"), matrix("head.weight")];
  const b = sumOf(vector("rnn.bias_ih_l0"), vector("rnn.bias_hh_l0"));
  const c = vector("head.bias");

  const h = [vector("h0")]; // h[t + 1] is the state after step t
  /** @type {Float64Array[]} */
  const p = [];
  let loss = 0;
  inputs.forEach((x, t) => {
    const previous = h[t] ?? b;
    const now = b.map((bias, i) => Math.tanh(bias + dot(Wih[i] ?? b, x) + dot(Whh[i] ?? b, previous)));
    const raised = c.map((bias, k) => Math.exp(bias + dot(V[k] ?? c, now)));
    const total = raised.reduce((sum, e) => sum + e, 0);
    h.push(now);
    p.push(raised.map((e) => e / total));
    loss -= Math.log((raised[targets[t] ?? 0] ?? 0) / total);
  });

  const zeros = (/** @type {Float64Array[]} */ W) => W.map((row) => new Float64Array(row.length));
  const [dWih, dWhh, dV] = [zeros(Wih), zeros(Whh), zeros(V)];
  let dc = c.map(() => 0);
  let db = b.map(() => 0);
  let fromNext = b.map(() => 0); // W_hh' da_{t+1}
  let dh0 = fromNext;
  for (let t = steps - 1; t >= 0; t--) {
    const [now, previous, x] = [h[t + 1] ?? b, h[t] ?? b, inputs[t] ?? b];
    const dz = (p[t] ?? c).map((probability, k) => probability - Number(k === targets[t]));
    addOuter(dV, dz, now);
    dc = sumOf(dc, dz);
    const dh = sumOf(back(V, dz), fromNext);
    const da = dh.map((d, i) => d * (1 - (now[i] ?? 0) ** 2));
    addOuter(dWih, da, x);
    addOuter(dWhh, da, previous);
    db = sumOf(db, da);
    fromNext = back(Whh, da);
    if (t === 0) dh0 = fromNext;
    if (t % window === 0) fromNext = b.map(() => 0); // a window begins here: nothing flows further back
  }
  return {
    loss,
    grads: {
      "rnn.weight_ih_l0": dWih,
      "rnn.weight_hh_l0": dWhh,
      "rnn.bias_ih_l0": [db],
      "rnn.bias_hh_l0": [db],
      "head.weight": dV,
      "head.bias": [dc],
      h0: [dh0],
    },
  };
}

/**
 * The same by the tape: `detach` is where a window ends.
 * @param {number} window
 */
function byTape(window) {
  return gradients(() => {
    const x = tensor(
      inputs.flatMap((row) => [...row]),
      [1, steps, inputSize],
    );
    /** @type {import("unrolled").Tensor} */
    let h = net.h0;
    const outputs = [];
    for (let start = 0; start < steps; start += window) {
      const { output, state } = net.forward(slice(x, 1, start, Math.min(steps, start + window)), { state: { h } });
      outputs.push(output);
      h = detach(state.h);
    }
    return crossEntropy(concat(outputs, 1), ids(targets, [1, steps]), { reduction: "sum" });
  });
}

/**
 * Prints both side by side; the largest difference, relative to the largest value of the same gradient.
 * @param {string} title
 * @param {number} window
 */
function compare(title, window) {
  const hand = byHand(window);
  const tape = byTape(window);
  console.log(`${title}\n  loss ${hand.loss.toFixed(9)} by hand, ${tape.loss.toFixed(9)} by the tape`);
  console.log(`  ${"gradient of".padEnd(24)} ${"by hand".padStart(14)} ${"by the tape".padStart(14)}   difference`);
  let worst = Math.abs(hand.loss - tape.loss) / hand.loss;
  for (const [name, rows] of Object.entries(hand.grads)) {
    const own = rows.flatMap((row) => [...row]);
    const theirs = tape.grads.get(net.namedParameters().find(([known]) => known === name)?.[1] ?? net.h0) ?? [];
    const scale = Math.max(...own.map(Math.abs));
    own.forEach((value, i) => {
      const difference = Math.abs(value - (theirs[i] ?? NaN)) / scale;
      worst = Math.max(worst, difference);
      const place =
        rows.length > 1 ? [Math.floor(i / (own.length / rows.length)), i % (own.length / rows.length)] : [i];
      const numbers = [value, theirs[i] ?? NaN].map((number) => number.toFixed(9).padStart(14)).join(" ");
      console.log(`  ${`${name}[${place}]`.padEnd(24)} ${numbers}   ${difference.toExponential(1)}`);
    });
  }
  console.log(`  largest relative difference: ${worst.toExponential(2)}\n`);
  return worst;
}

const worst = Math.max(
  compare(`back-propagation through all ${steps} steps`, steps),
  compare(`truncated to windows of ${values.truncate} steps`, Number(values.truncate)),
);
// float32 has 24 bits, 6e-8; roundings add up, and where 1 - h^2 is small or gradients grow they are magnified.
if (!(worst < 1e-4)) throw new Error(`the gradients differ by ${worst}`);
