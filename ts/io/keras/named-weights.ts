/** Weights that a file keeps under names such as `lstm/lstm_cell/kernel:0`: TensorFlow.js, and Keras before version 3. */
import { LoadError } from "../../errors.js";
import type { PlainTensor } from "../../tensor/tensor.js";
import { quoted } from "../json.js";
import type { LayerWeights } from "./weights.js";

/** A weight by its whole name. */
export interface NamedWeight {
  readonly name: string;
  /** Reads and converts the values. */
  read(): PlainTensor;
}

/** The weights of a layer: each time the first of a last name that was not taken. */
export class NamedWeights implements LayerWeights {
  readonly where: string;
  #left: readonly NamedWeight[];

  constructor(where: string, weights: readonly NamedWeight[]) {
    this.where = where;
    this.#left = weights;
  }

  next(name: string): PlainTensor {
    const found = this.#left.find((weight) => lastName(weight.name) === name);
    if (found === undefined)
      throw new LoadError("missing_tensor", `${this.where}: the file lacks the weight ${quoted(name)}`);
    this.#left = this.#left.filter((weight) => weight !== found);
    return found.read();
  }

  inside(): LayerWeights {
    return this;
  }

  /** @throws LoadError (unexpected_tensor) unless all were taken */
  finish(): void {
    const [left] = this.#left;
    if (left !== undefined) {
      throw new LoadError(
        "unexpected_tensor",
        `${this.where}: the model has no place for the weight ${quoted(left.name)}`,
      );
    }
  }
}

/** `kernel` of `lstm/lstm_cell/kernel:0`. */
function lastName(name: string): string {
  return (name.split("/").at(-1) as string).replace(/:\d+$/, "");
}
