/** Linear recurrences in float64, each equation where its paper has it. */
import { each, type Reference, rows, sigmoid, softplus, sum, times, type Vector, type Weights } from "./equations.js";

const affine = (weights: Weights, k: number, x: Vector, hidden: number): Vector =>
  sum(times(weights("weight_ih"), x, k, hidden), rows(weights("bias"), k, hidden));

/** Feng et al. 2024, appendix B: "g(x) = where(x >= 0, x + 0.5, x.sigmoid())" and its logarithm. */
export const positive = (x: number): number => (x >= 0 ? x + 0.5 : sigmoid(x));
const logPositive = (x: number): number => (x >= 0 ? Math.log(x + 0.5) : -softplus(-x));

/** Feng et al. 2024, minGRU in its sequential mode of log space. */
export const minGRU: Reference = {
  step(x, state, weights) {
    const h = state["h"] as Vector;
    const z = each(sigmoid, affine(weights, 0, x, h.length));
    const fresh = each(positive, affine(weights, 1, x, h.length));
    return { h: each((zj, old, n) => (1 - zj) * old + zj * n, z, h, fresh) };
  },
};

/** Feng et al. 2024, minLSTM in its sequential mode of log space. */
export const minLSTM: Reference = {
  step(x, state, weights) {
    const h = state["h"] as Vector;
    const f = each(sigmoid, affine(weights, 0, x, h.length));
    const i = each(sigmoid, affine(weights, 1, x, h.length));
    const fresh = each(positive, affine(weights, 2, x, h.length));
    return { h: h.map((old, j) => (f[j]! / (f[j]! + i[j]!)) * old + (i[j]! / (f[j]! + i[j]!)) * fresh[j]!) };
  },
};

/**
 * Feng et al. 2024, appendix B: both cells in their parallel mode of log space, for one row. h_t is
 * exp(sum of log coefficients up to t + log of the sum over s <= t of exp(log value_s - sum of log coefficients up to s)),
 * where value_0 is the state before the first step.
 */
export function parallelInLogSpace(cell: "minGRU" | "minLSTM", xs: Vector[], h0: Vector, weights: Weights): Vector[] {
  const hidden = h0.length;
  const logs = xs.map((x) => {
    if (cell === "minGRU") {
      const k = affine(weights, 0, x, hidden);
      const n = affine(weights, 1, x, hidden);
      return { coefficient: k.map((v) => -softplus(v)), value: k.map((v, j) => -softplus(-v) + logPositive(n[j]!)) };
    }
    const difference = each(
      (f, i) => softplus(-f) - softplus(-i),
      affine(weights, 0, x, hidden),
      affine(weights, 1, x, hidden),
    );
    const n = affine(weights, 2, x, hidden);
    return {
      coefficient: difference.map((d) => -softplus(d)),
      value: difference.map((d, j) => -softplus(-d) + logPositive(n[j]!)),
    };
  });
  return xs.map((_, t) =>
    h0.map((start, j) => {
      const until = (s: number): number =>
        logs.slice(0, s).reduce((total, { coefficient }) => total + coefficient[j]!, 0);
      const terms = [Math.log(start), ...logs.slice(0, t + 1).map(({ value }, s) => value[j]! - until(s + 1))];
      const greatest = Math.max(...terms);
      return Math.exp(
        until(t + 1) + greatest + Math.log(terms.reduce((total, v) => total + Math.exp(v - greatest), 0)),
      );
    }),
  );
}

/** Orvieto et al. 2023, equation 5 with the parametrisation of section 3.3, in complex numbers as pairs. */
export const lru: Reference = {
  step(x, state, weights) {
    const { re, im } = state as { re: Vector; im: Vector };
    const hidden = re.length;
    const next = re.map((_, j) => {
      const magnitude = Math.exp(-Math.exp(weights("nu_log").data[j]!));
      const angle = Math.exp(weights("theta_log").data[j]!);
      const gamma = Math.exp(weights("gamma_log").data[j]!);
      const [a, b] = [magnitude * Math.cos(angle), magnitude * Math.sin(angle)];
      const inputRe = times(weights("weight_ih"), x, 0, hidden)[j]!;
      const inputIm = times(weights("weight_ih"), x, 1, hidden)[j]!;
      return [a * re[j]! - b * im[j]! + gamma * inputRe, a * im[j]! + b * re[j]! + gamma * inputIm] as const;
    });
    const [nextRe, nextIm] = [next.map(([v]) => v), next.map(([, v]) => v)];
    const imaginary = times(weights("weight_im"), nextIm);
    const y = sum(
      times(weights("weight_re"), nextRe),
      imaginary.map((v) => -v),
      times(weights("weight_d"), x),
    );
    return { y, re: nextRe, im: nextIm };
  },
};

/** De et al. 2024, equations 1 to 4: a^(c r) as a power, c = 8. */
export const rglru: Reference = {
  step(x, state, weights) {
    const h = state["h"] as Vector;
    const r = each(sigmoid, affine(weights, 0, x, h.length));
    const i = each(sigmoid, affine(weights, 1, x, h.length));
    const a = each((lambda, rj) => sigmoid(lambda) ** (8 * rj), weights("lambda").data, r);
    return { h: h.map((old, j) => a[j]! * old + Math.sqrt(1 - a[j]! * a[j]!) * (i[j]! * x[j]!)) };
  },
};
