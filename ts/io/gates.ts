/**
 * The two conventions of update gates, at a file's edge.
 *
 *   h_t = (1 - z) n + z h_{t-1}      here, as in PyTorch, ONNX and Keras, and in Cho et al. 2014
 *   h_t = z n + (1 - z) h_{t-1}      Chung et al. 2014 and others
 *
 * Because 1 - sigmoid(a) = sigmoid(-a), the one becomes the other by negating what makes z.
 */
import { ArgumentError, LoadError } from "../errors.js";
import type { StateDict } from "../nn/module.js";

/** Names of parameters whose rows are gates: of layers, and of single cells but for a `bias`, as others have it too. */
const STACKED = /(^|\.)((weight|bias)_[a-z]+h(_l\d+(_reverse)?)?|bias_l\d+(_reverse)?)$/;

/** What {@link complementGate} has to know. */
export interface GateRows {
  /** Gates in the order of their rows; default r, z, n: that of `GRU` and `GRUResetBefore`. */
  readonly gates?: readonly string[];
  /** The gate to replace; default z. */
  readonly gate?: string;
}

/**
 * Replaces a sigmoid gate by one minus itself, in all recurrent parameters of the values (`weight_ih`, `weight_hh`,
 * `bias...`); others stay as they are. It turns parameters of either convention of z into those of the other.
 *
 * ```ts
 * load(gru, ...)                                             // a file in which z takes the new value
 * gru.loadStateDict(complementGate(gru.stateDict()));
 * ```
 *
 * @throws ArgumentError (gate), LoadError (shape: rows that do not divide into the gates)
 */
export function complementGate(
  values: ReadonlyMap<string, { readonly data: ArrayLike<number>; readonly shape: readonly number[] }>,
  { gates = ["r", "z", "n"], gate = "z" }: GateRows = {},
): StateDict {
  const index = gates.indexOf(gate);
  if (index < 0) throw new ArgumentError("complementGate", "gate", `one of ${gates.join(", ")}`, gate);
  return new Map(
    [...values].map(([name, value]) => {
      const data = Float32Array.from(value.data);
      const ofCell = /(^|\.)bias$/.test(name) && values.has(name.replace(/bias$/, "weight_hh"));
      if (ofCell || STACKED.test(name)) {
        const size = data.length / gates.length;
        if ((value.shape[0] as number) % gates.length !== 0) {
          throw new LoadError("shape", `complementGate: ${name} has ${value.shape[0]} rows for ${gates.length} gates`);
        }
        for (let i = index * size; i < (index + 1) * size; i++) data[i] = -(data[i] as number);
      }
      return [name, { data, shape: value.shape }];
    }),
  );
}
