/** Gated cells and others without a memory apart, in float64, each equation where its paper has it. */
import { each, gate, type Reference, rows, sigmoid, sum, times, type Vector, type Weights } from "./equations.js";

/** Cho et al. 2014, equations 5 to 8. */
export const gruResetBefore: Reference = {
  step(x, state, weights) {
    const h = state["h"] as Vector;
    const r = each(sigmoid, gate(weights, 0, x, h));
    const z = each(sigmoid, gate(weights, 1, x, h));
    const candidate = each(
      Math.tanh,
      gate(
        weights,
        2,
        x,
        each((a, b) => a * b, r, h),
      ),
    );
    return { h: each((zj, old, fresh) => zj * old + (1 - zj) * fresh, z, h, candidate) };
  },
};

/** Zhou et al. 2016, equations 11 to 13. */
export const minimalGatedUnit: Reference = {
  step(x, state, weights) {
    const h = state["h"] as Vector;
    const f = each(sigmoid, gate(weights, 0, x, h));
    const candidate = each(
      Math.tanh,
      gate(
        weights,
        1,
        x,
        each((a, b) => a * b, f, h),
      ),
    );
    return { h: each((fj, old, fresh) => (1 - fj) * old + fj * fresh, f, h, candidate) };
  },
};

/** Jozefowicz et al. 2015, section 3.5, as the paper prints them, or with W_x x in place of a bare x. */
export function mut(which: 1 | 2 | 3, projected = false): Reference {
  return {
    step(x, state, weights) {
      const h = state["h"] as Vector;
      const hidden = h.length;
      const w = (k: number): Vector => times(weights("weight_ih"), x, k, hidden);
      const u = (k: number, v: Vector): Vector => times(weights("weight_hh"), v, k, hidden);
      const b = (k: number): Vector => rows(weights("bias"), k, hidden);
      const bare = (): Vector => (projected ? times(weights("weight_x"), x) : x);
      // Where a matrix is missing in the paper, the rows of the stacked parameters close up.
      const [z, r, u3, e] =
        which === 1
          ? [sum(w(0), b(0)), sum(w(1), u(0, h), b(1)), 1, each(Math.tanh, bare())]
          : which === 2
            ? [sum(w(0), u(0, h), b(0)), sum(bare(), u(1, h), b(1)), 2, w(1)]
            : [sum(w(0), u(0, each(Math.tanh, h)), b(0)), sum(w(1), u(1, h), b(1)), 2, w(2)];
      const reset = each((a, c) => sigmoid(a) * c, r, h);
      const candidate = each(Math.tanh, sum(u(u3, reset), e, b(2)));
      return { h: each((zj, fresh, old) => fresh * sigmoid(zj) + old * (1 - sigmoid(zj)), z, candidate, h) };
    },
  };
}

/** Zilly et al. 2017, equations 6 to 9. */
export function recurrentHighway(depth: number, carry: "coupled" | "separate"): Reference {
  const gates = carry === "coupled" ? 2 : 3;
  return {
    step(x, state, weights) {
      let s = state["h"] as Vector;
      const hidden = s.length;
      for (let layer = 0; layer < depth; layer++) {
        const below = s;
        const net = (k: number): Vector =>
          sum(
            layer === 0 ? times(weights("weight_ih"), x, k, hidden) : below.map(() => 0),
            times(weights("weight_hh"), below, layer * gates + k, hidden),
            rows(weights("bias"), layer * gates + k, hidden),
          );
        const fresh = each(Math.tanh, net(0));
        const t = each(sigmoid, net(1));
        const c = carry === "coupled" ? t.map((v) => 1 - v) : each(sigmoid, net(2));
        s = below.map((v, j) => fresh[j]! * t[j]! + v * c[j]!);
      }
      return { h: s };
    },
  };
}

/** Jordan 1986: the output comes back. */
export function jordan(phi: (x: number) => number, psi: (values: Vector) => Vector): Reference {
  return {
    step(x, state, weights) {
      const h = each(
        phi,
        sum(times(weights("weight_ih"), x), times(weights("weight_yh"), state["y"] as Vector), weights("bias").data),
      );
      return { y: psi(sum(times(weights("weight_hy"), h), weights("bias_hy").data)) };
    },
  };
}

/** W x + b + U h + b' of gate number k of PyTorch's parameters, in its two halves. */
function halves(weights: Weights, k: number, x: Vector, h: Vector, hidden: number): readonly [Vector, Vector] {
  return [
    sum(times(weights("weight_ih"), x, k, hidden), rows(weights("bias_ih"), k, hidden)),
    sum(times(weights("weight_hh"), h, k, hidden), rows(weights("bias_hh"), k, hidden)),
  ];
}

/** Elman 1990, with two biases. */
export function elman(phi: (x: number) => number): Reference {
  return {
    step(x, state, weights) {
      const h = state["h"] as Vector;
      return { h: each(phi, sum(...halves(weights, 0, x, h, h.length))) };
    },
  };
}

/** Hochreiter & Schmidhuber 1997 with the forget gate of Gers et al. 2000; with weight_hr, Sak et al. 2014. */
export function lstm(projected: boolean): Reference {
  return {
    step(x, { h, c }, weights) {
      const memory = c as Vector;
      const net = (k: number): Vector => sum(...halves(weights, k, x, h as Vector, memory.length));
      const [i, f, g, o] = [net(0), net(1), net(2), net(3)];
      const next = memory.map((m, j) => sigmoid(f[j]!) * m + sigmoid(i[j]!) * Math.tanh(g[j]!));
      const out = each((a, b) => sigmoid(a) * Math.tanh(b), o, next);
      return { h: projected ? times(weights("weight_hr"), out) : out, c: next };
    },
  };
}

/** Cho et al. 2014 in the form of cuDNN: the reset gate after the product. */
export const gru: Reference = {
  step(x, state, weights) {
    const h = state["h"] as Vector;
    const net = (k: number) => halves(weights, k, x, h, h.length);
    const [r, z] = [each(sigmoid, sum(...net(0))), each(sigmoid, sum(...net(1)))];
    const [fromInput, fromState] = net(2);
    const fresh = each((a, b, rj) => Math.tanh(a + rj * b), fromInput, fromState, r);
    return { h: each((zj, n, old) => (1 - zj) * n + zj * old, z, fresh, h) };
  },
};
