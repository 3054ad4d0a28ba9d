/**
 * Linear recurrent unit. Orvieto, Smith, Gu, Fernando, Gulcehre, Pascanu & De 2023, "Resurrecting Recurrent Neural
 * Networks for Long Sequences".
 *
 *   s_t = lambda s_{t-1} + gamma (B x_t)       lambda = exp(-exp(nu_log) + i exp(theta_log)), gamma = exp(gamma_log)
 *   y_t = Re(C s_t) + D x_t
 *
 * s, lambda, B and C are complex; all products with lambda and gamma go unit by unit, so that no product is recurrent.
 * The states re and im are the parts of s; inputs and outputs may be of any size.
 *
 * |lambda| is drawn so that lambda is uniform on the ring between two radii (its angle below maxPhase), and gamma starts
 * as sqrt(1 - |lambda|^2), with which s has the variance of B x at first.
 *
 * Parameters: weight_ih = B (2 H, I), rows re, im; nu_log, theta_log, gamma_log (H); weight_re and weight_im = C (its real
 * and imaginary part, (outputSize, H) each); weight_d = D (outputSize, I).
 */
import { log } from "../../core/elementary.js";
import { ArgumentError } from "../../errors.js";
import type { Initializer, Parameter } from "../../tensor/parameter.js";
import { defineCellLazily } from "../define-cell.js";
import { normal, uniform } from "../initializers.js";
import { hashPath } from "../module.js";

/** Options of {@link defineLRU}. */
export interface LRUDefinition {
  /** Least radius of lambda at first; default 0. The paper takes 0.9 where memory must be long. */
  readonly minRadius?: number;
  /** Greatest radius of lambda at first; default 1. */
  readonly maxRadius?: number;
  /** Greatest angle of lambda at first, in radians; default 2 pi. */
  readonly maxPhase?: number;
}

/** Keeps logarithms of what is drawn finite. */
const MARGIN = 1e-7;

/** Draws uniformly on [0, 1), then applies f; `name` is the parameter whose draws they are. */
function ofUniform(name: string, f: (draw: number) => number): Initializer {
  return (parameter, seed, stream) => {
    // gamma starts from the very draws of nu, and draws depend on the parameter's path alone.
    const path = parameter.name.replace(/[a-z]+_log([^.]*)$/, `${name}$1`);
    uniform(0, 1)(parameter, seed, path === parameter.name ? stream : hashPath(path));
    const { core, pointer, size } = parameter;
    core.f32.set(core.readF32(pointer, size).map(f), pointer >>> 2);
  };
}

/** Normal, with a variance of 1 / (parts * inputs). */
function scaledNormal(parts: number): Initializer {
  return (parameter: Parameter, seed, stream) => {
    normal(0, 1 / Math.sqrt(parts * (parameter.shape[1] as number)))(parameter, seed, stream);
  };
}

/**
 * A linear recurrent unit that starts with lambda on another ring.
 * @throws ArgumentError
 */
export function defineLRU(definition: LRUDefinition = {}) {
  const { minRadius = 0, maxRadius = 1, maxPhase = 2 * Math.PI } = definition;
  if (!(minRadius >= 0 && minRadius <= maxRadius)) {
    throw new ArgumentError("defineLRU", "minRadius", "a number from 0 to maxRadius", minRadius);
  }
  if (!(maxRadius <= 1)) throw new ArgumentError("defineLRU", "maxRadius", "a number from 0 to 1", maxRadius);
  if (!(maxPhase > 0 && maxPhase < Infinity)) {
    throw new ArgumentError("defineLRU", "maxPhase", "a positive number", maxPhase);
  }
  const [least, most] = [minRadius * minRadius, maxRadius * maxRadius];
  /** |lambda|^2, so that lambda is uniform over the area of the ring. */
  const squaredRadius = (draw: number): number => Math.min(Math.max(least + draw * (most - least), MARGIN), 1 - MARGIN);
  const nuStart = ofUniform("nu_log", (draw) => log(-0.5 * log(squaredRadius(draw))));
  const thetaStart = ofUniform("theta_log", (draw) => log(maxPhase * Math.max(draw, MARGIN)));
  const gammaStart = ofUniform("nu_log", (draw) => 0.5 * log(1 - squaredRadius(draw)));
  return defineCellLazily({
    name: "LRU",
    state: { y: "output", re: "hidden", im: "hidden" },
    initializers: {
      weight_ih: scaledNormal(2),
      weight_re: scaledNormal(1),
      weight_im: scaledNormal(1),
      weight_d: scaledNormal(1),
    },
    step({ x, re, im }, { gate, linear, vector, exp, cos, sin }) {
      const radius = exp(exp(vector("nu_log", { initializer: nuStart })).neg());
      const phase = exp(vector("theta_log", { initializer: thetaStart }));
      const gamma = exp(vector("gamma_log", { initializer: gammaStart }));
      const [lambdaRe, lambdaIm] = [radius.mul(cos(phase)), radius.mul(sin(phase))];
      const inputRe = gamma.mul(gate("re", x, { bias: false }));
      const inputIm = gamma.mul(gate("im", x, { bias: false }));
      const nextRe = lambdaRe.mul(re).sub(lambdaIm.mul(im)).add(inputRe);
      const nextIm = lambdaRe.mul(im).add(lambdaIm.mul(re)).add(inputIm);
      const output = { size: "output", bias: false } as const;
      const real = linear("re", nextRe, output).sub(linear("im", nextIm, output));
      return { y: real.add(linear("d", x, output)), re: nextRe, im: nextIm };
    },
  });
}

/** Linear recurrent unit; option `outputSize`. State: re and im of (numLayers * directions, B, H), and the output y. */
export const LRU = /* @__PURE__ */ defineLRU();
