/** Group layernorm. */
import { LayerNorm } from "../../../ts/index.js";
import type { Case, Results } from "../corpus.js";
import { given, ofRole, vjp } from "../vjp.js";

export function layerNorm(test: Case): Results {
  const config = test.document.config as { normalized_shape: number[]; eps: number; affine: boolean; bias: boolean };
  const { normalized_shape: shape, eps: epsilon, affine, bias } = config;
  const layer = new LayerNorm(shape, { epsilon, affine, bias }).loadStateDict(ofRole(test, "param"));
  const x = given(test, "in.x");
  const parameters = layer.namedParameters().map(([name, parameter]) => [`param.${name}`, parameter] as const);
  return vjp(test, new Map([["in.x", x], ...parameters]), () => ({ y: layer.forward(x) }));
}
