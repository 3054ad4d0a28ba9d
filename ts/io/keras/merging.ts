/** Layers that make one value of several, and what becomes of the masks. */
import { ArgumentError } from "../../errors.js";
import { add, maximum, minimum, mul, sub } from "../../tensor/binary.js";
import { Ids } from "../../tensor/ids.js";
import { concat } from "../../tensor/shape.js";
import type { Tensor } from "../../tensor/tensor.js";
import type { Dialect, LayerConfig } from "./config.js";
import { asTensor, type Flow, type LayerMaker } from "./layer.js";
import { Pointwise } from "./pointwise.js";

/** Of several inputs of one shape. */
function merging(make: (config: LayerConfig) => (parts: readonly Tensor[]) => Tensor): LayerMaker {
  return (config, _weights, dialect) => {
    const merge = make(config);
    const run = (inputs: readonly Flow[], where: string): Flow => {
      const mask = mergedMask(inputs, dialect);
      return { value: merge(partsOf(inputs, where)), mask };
    };
    return { layer: new Pointwise(config, run), values: new Map() };
  };
}

/** The values of two inputs or more. */
function partsOf(inputs: readonly Flow[], where: string): Tensor[] {
  if (inputs.length < 2) throw new ArgumentError(where, "the inputs", "2 or more", inputs.length);
  return inputs.map(({ value }) => asTensor(value));
}

function mergedMask(inputs: readonly Flow[], { mergedMask: rule }: Dialect): Ids | null {
  const masks = inputs.flatMap(({ mask }) => (mask === null ? [] : [mask]));
  const [first, ...rest] = masks;
  if (first === undefined || (rule === "any" && masks.length < inputs.length)) return null;
  const counts = (i: number): boolean =>
    rule === "any"
      ? masks.some(({ data }) => data[i] !== 0)
      : rest.every(({ data }) => data[i] !== 0) && first.data[i] !== 0;
  return new Ids(
    first.data.map((_, i) => (counts(i) ? 1 : 0)),
    first.shape,
  );
}

/** Along the features, where masks merge as of any layer; or along time, where they follow each other. */
const concatenate: LayerMaker = (config, _weights, dialect) => {
  const axis = config.number("axis", -1);
  const run = (inputs: readonly Flow[], where: string): Flow => {
    const parts = partsOf(inputs, where);
    const alongTime = axis === 1 && parts[0]?.shape.length === 3;
    return { value: concat(parts, axis), mask: alongTime ? joinedMask(inputs, parts) : mergedMask(inputs, dialect) };
  };
  return { layer: new Pointwise(config, run), values: new Map() };
};

function joinedMask(inputs: readonly Flow[], parts: readonly Tensor[]): Ids | null {
  if (inputs.every(({ mask }) => mask === null)) return null;
  const lengths = parts.map(({ shape }) => shape[1] as number);
  const [batch, steps] = [parts[0]?.shape[0] as number, lengths.reduce((total, length) => total + length, 0)];
  const joined = new Int32Array(batch * steps).fill(1);
  let before = 0;
  inputs.forEach(({ mask }, part) => {
    const length = lengths[part] as number;
    for (let row = 0; row < batch && mask !== null; row++) {
      joined.set(mask.data.subarray(row * length, (row + 1) * length), row * steps + before);
    }
    before += length;
  });
  return new Ids(joined, [batch, steps]);
}

const pairwise = (combine: (a: Tensor, b: Tensor) => Tensor): LayerMaker =>
  merging(() => (parts) => parts.reduce((a, b) => combine(a, b)));

/** By class. */
export const mergingLayers: readonly (readonly [string, LayerMaker])[] = [
  ["Concatenate", concatenate],
  ["Add", pairwise(add)],
  ["Subtract", pairwise(sub)],
  ["Multiply", pairwise(mul)],
  ["Maximum", pairwise(maximum)],
  ["Minimum", pairwise(minimum)],
  ["Average", merging(() => (parts) => mul(sumOf(parts), 1 / parts.length))],
];

function sumOf(parts: readonly Tensor[]): Tensor {
  return parts.reduce((a, b) => add(a, b));
}
