/**
 * Weights of Keras layers, which have kernels as columns: (inputs, gates * units), where this package has PyTorch's rows.
 */
import { formatShape, LoadError } from "../../errors.js";
import type { PlainTensor } from "../../tensor/tensor.js";
import { quoted } from "../json.js";

/** The weights of a layer in the order in which Keras made them; every file format has its own way to keep them. */
export interface LayerWeights {
  /** Name for messages. */
  readonly where: string;
  /** The next weight of a name. @throws LoadError (missing_tensor) */
  next(name: string): PlainTensor;
  /** Those of a layer inside, for example `cell` or `forward_layer`. */
  inside(part: string): LayerWeights;
}

/**
 * The next weight, of a shape in which -1 stands for any length.
 * @throws LoadError (missing_tensor, shape)
 */
export function takeWeight(weights: LayerWeights, name: string, shape: readonly number[]): PlainTensor {
  const found = weights.next(name);
  if (found.shape.length !== shape.length || !shape.every((size, i) => size === -1 || size === found.shape[i])) {
    const expected = formatShape(shape.map((size) => (size === -1 ? "any" : size)));
    throw new LoadError(
      "shape",
      `${weights.where}: ${quoted(name)} has shape ${formatShape(found.shape)}, expected ${expected}`,
    );
  }
  return found;
}

/**
 * Columns (inputs, gates * units) as rows (gates * units, inputs), with the gates in another order: gate i of the result
 * is gate `order[i]` of the kernel.
 */
export function rowsOf({ data, shape }: PlainTensor, order: readonly number[] = [0]): PlainTensor {
  const [inputs, columns] = shape as [number, number];
  const units = columns / order.length;
  const rows = new Float32Array(data.length);
  order.forEach((gate, to) => {
    for (let unit = 0; unit < units; unit++) {
      const [column, row] = [gate * units + unit, to * units + unit];
      for (let i = 0; i < inputs; i++) rows[row * inputs + i] = data[i * columns + column] as number;
    }
  });
  return { data: rows, shape: [columns, inputs] };
}

/** A bias (gates * units), or row `row` of one (rows, gates * units), with the gates in another order. */
export function biasOf({ data, shape }: PlainTensor, order: readonly number[] = [0], row = 0): PlainTensor {
  const columns = shape.at(-1) as number;
  const from = data.subarray(row * columns, (row + 1) * columns);
  return { data: rowsOf({ data: from, shape: [1, columns] }, order).data, shape: [columns] };
}
