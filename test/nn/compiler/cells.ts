/** Cells for the tests of the compiler. */
import * as u from "../../../ts/index.js";

/** Cells that between them use everything there is; `sizes` are their options, `inputs` the widths of further inputs. */
export const cells: Readonly<
  Record<
    string,
    {
      readonly Layer: u.CompiledClass<string>;
      readonly sizes?: u.CellSizes;
      readonly inputs?: Readonly<Record<string, number>>;
      /** Whether x must have the width of the states. */
      readonly square?: boolean;
    }
  >
> = {
  "peepholes: vectors of states before and after": {
    Layer: u.defineCell({
      name: "Peephole",
      state: ["h", "c"],
      step({ x, h, c }, { gate, vector, sigmoid, tanh }) {
        const i = sigmoid(gate("i", x, h).add(vector("p_i").mul(c)));
        const f = sigmoid(gate("f", x, h).add(vector("p_f").mul(c)));
        const cNext = f.mul(c).add(i.mul(tanh(gate("g", x, h))));
        const o = sigmoid(gate("o", x, h).add(vector("p_o").mul(cNext)));
        return { h: o.mul(tanh(cNext)), c: cNext };
      },
    }),
  },
  "reset before the product: a second stage": {
    Layer: u.defineCell({
      name: "ResetBefore",
      state: ["h"],
      step({ x, h }, { gate, sigmoid, tanh, constant }) {
        const r = sigmoid(gate("r", x, h));
        const z = sigmoid(gate("z", x, h));
        const n = tanh(gate("n", x, r.mul(h)));
        return { h: constant(1).sub(z).mul(n).add(z.mul(h)) };
      },
    }),
  },
  "normalised gates": {
    Layer: u.defineCell({
      name: "Normalised",
      state: ["h", "c"],
      step({ x, h, c }, { gate, norm, sigmoid, tanh }) {
        const i = sigmoid(norm(gate("i", x, h), "norm_i"));
        const f = sigmoid(norm(gate("f", x), "norm_fx", { bias: false }).add(norm(gate("f", h), "norm_fh")));
        const cNext = f.mul(c).add(i.mul(tanh(gate("g", x, h))));
        return { h: tanh(norm(cNext, "norm_c", { epsilon: 1e-3 })), c: cNext };
      },
    }),
  },
  "block-diagonal heads, exponential gates with a stabiliser": {
    Layer: u.defineCell({
      name: "Heads",
      state: ["h", "c", "n", "m"],
      step({ x, h, c, n, m }, { gate, exp, sigmoid, tanh, max }) {
        const logI = gate("i", x, h, { heads: 2 });
        const logF = gate("f", x, h, { heads: 2 }).add(m);
        const mNext = max(logF, logI);
        const [i, f] = [exp(logI.sub(mNext)), exp(logF.sub(mNext))];
        const cNext = f.mul(c).add(i.mul(tanh(gate("z", x, h, { heads: 2 }))));
        const nNext = f.mul(n).add(i);
        const o = sigmoid(gate("o", x, h, { heads: 2 }));
        return { h: o.mul(cNext.div(max(nNext, 0.5))), c: cNext, n: nNext, m: mNext };
      },
    }),
  },
  "a state of another size that is read by the next step": {
    Layer: u.defineCell({
      name: "OutputFeedback",
      state: { y: "feedback", h: "hidden" },
      step({ x, y }, { gate, linear, tanh, sigmoid }) {
        const h = tanh(gate("h", x, y));
        return { y: sigmoid(linear("hy", h, { size: "feedback" })), h };
      },
    }),
    sizes: { feedbackSize: 3 },
  },
  "states that only move": {
    Layer: u.defineCell({
      name: "Delay",
      state: ["h", "h1", "h2", "a", "b"],
      step: ({ x, h, h1, h2, a, b }, { gate, tanh }) => ({
        h: tanh(gate("h", x, h2, a)),
        h1: h,
        h2: h1,
        a: b,
        b: a,
      }),
    }),
  },
  "functions of parameters alone": {
    Layer: u.defineCell({
      name: "Diagonal",
      state: ["re", "im"],
      step({ x, re, im }, { gate, vector, exp, sin, cos, constant }) {
        const size = exp(exp(vector("nu")).neg());
        const angle = exp(vector("theta"));
        const [a, b] = [size.mul(cos(angle)), size.mul(sin(angle))];
        const scale = vector("gamma", { size: 1 });
        const offset = constant(2).mul(0.25);
        return {
          re: a.mul(re).sub(b.mul(im)).add(gate("re", x).mul(scale)),
          im: a
            .mul(im)
            .add(b.mul(re))
            .add(gate("im", x, { bias: false }).mul(offset)),
        };
      },
    }),
  },
  "every function": {
    Layer: u.defineCell({
      name: "Everything",
      state: ["h", "k"],
      step({ x, h, k }, t) {
        const a = t.gate("a", x, h);
        const b = t.softplus(t.gate("b", x, k)).add(0.5);
        const parts = [
          t.relu(a),
          t.leakyRelu(a, 0.2),
          t.elu(a, 0.7),
          t.softsign(a),
          t.hardSigmoid(a),
          t.hardSigmoidOnnx(a),
          t.hardTanh(a),
          t.identity(a).mul(0.1),
          t.abs(a),
          t.square(a),
          t.log(b),
          t.sqrt(b),
          t.reciprocal(b),
          t.sin(a),
          t.cos(a),
          t.clamp(a, -0.3, 0.4),
          t.max(a, k),
          t.min(a, h),
          t.constant(2).div(b),
          a.div(3),
          a.div(b),
          t.constant(1).sub(a),
          a.sub(0.5).neg(),
          t.activation("elu", a),
        ];
        const sum = parts.reduce((total, part, i) => (i % 2 === 0 ? total.add(part) : total.sub(part)));
        return { h: t.tanh(sum.mul(0.3)), k: t.sigmoid(a.mul(a).sub(b)) };
      },
    }),
  },
  "x beside states, and functions of it multiplied": {
    Layer: u.defineCell({
      name: "Mutation",
      state: ["h"],
      inputWidth: "hidden",
      step({ x, h }, { gate, as, sigmoid, tanh, constant }) {
        const z = sigmoid(gate("z", x));
        const n = tanh(gate("n", as("t", tanh(x)), h).add(tanh(x)));
        return {
          h: n
            .mul(z)
            .add(h.mul(constant(1).sub(z)))
            .add(x.mul(0.1)),
        };
      },
    }),
    square: true,
  },
  "further inputs, gates of one unit, gates of several sizes": {
    Layer: u.defineCell({
      name: "Context",
      state: { h: "hidden", s: 1 },
      inputs: { v: "context", w: 1 },
      step({ x, h, s, v, w }, { gate, linear, sigmoid, tanh }) {
        const open = sigmoid(gate("open", x, h, { size: 1 }));
        const n = tanh(gate("n", x, h, v).add(linear("x2", x)).add(s.mul(w)));
        return { h: open.mul(n).add(h.mul(0.5)), s: open };
      },
    }),
    sizes: { contextSize: 5 },
    inputs: { v: 5, w: 1 },
  },
  "means over the units": {
    Layer: u.defineCell({
      name: "Centered",
      state: ["h"],
      step({ x, h }, { gate, mean, square, sqrt, tanh }) {
        const a = gate("a", x, h);
        const centered = a.sub(mean(a));
        return { h: tanh(centered.div(sqrt(mean(square(centered)).add(1e-2)))) };
      },
    }),
  },
  "a gate that is a state, one value for two states": {
    Layer: u.defineCell({
      name: "Bare",
      state: ["h", "k", "l"],
      output: "k",
      gates: ["b", "a"],
      step({ x, h, k, l }, { gate }) {
        const a = gate("a", x, h, l);
        return { h: a, k: gate("b", x, k), l: a };
      },
    }),
  },
};
