/** Highway layers: group highway. */
import { type ActivationName, Highway } from "../../../ts/index.js";
import type { Case, Results } from "../corpus.js";
import { given } from "../vjp.js";
import { vjpOfBlocks } from "./blocks.js";

export function highway(test: Case): Results {
  const { size, layers, activation } = test.document.config as {
    size: number;
    layers: number;
    activation: ActivationName;
  };
  const separate = test.tensors.has("param.W_C0");
  const model = new Highway(size, { numLayers: layers, activation, carry: separate ? "separate" : "coupled" });
  const parts = { H: "transform", T: "gate", ...(separate ? { C: "carry" } : {}) };
  const blocks = Array.from({ length: layers }, (_, k) =>
    Object.entries(parts).flatMap(([letter, part]) => [
      { ours: `layers.${k}.${part}.weight`, theirs: `W_${letter}${k}` },
      { ours: `layers.${k}.${part}.bias`, theirs: `b_${letter}${k}` },
    ]),
  ).flat();
  const x = given(test, "in.x");
  return vjpOfBlocks(test, model, blocks, new Map([["in.x", x]]), () => ({ y: model.forward(x) }));
}
