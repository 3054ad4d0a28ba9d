/** Holds a layer against its equations in float64: outputs, states and every gradient. */
import * as u from "../../../ts/index.js";
import { relativeError } from "../../reference/compare.js";
import { differences, draw, type Input, numbers } from "../../tensor/reference.js";
import type { AnyLayer, Entry } from "./catalogue.js";
import { type Matrix, runReference, type Values } from "./equations.js";

/** Sizes all different; hidden sizes fill no lane. Letters of further sizes: their values. */
const [batch, steps, inputs, hidden] = [2, 3, 5, 6];
const further: Readonly<Record<string, number>> = { O: 7, P: 4 };

/** Sizes of an entry beside those of inputs and units. */
export function furtherSizes(entry: Entry): never {
  const sizes = Object.entries(entry.sizes ?? {}).map(([option, letter]) => [option, further[letter] as number]);
  return Object.fromEntries(sizes) as never;
}

/** A layer of an entry, its sizes given by their letters. */
export function declare(entry: Entry, sizes: Readonly<Record<string, number>>): AnyLayer {
  const { I, H } = sizes as { I: number; H: number };
  const further = Object.entries(entry.sizes ?? {}).map(([option, letter]) => [option, sizes[letter] as number]);
  return entry.make(entry.square === true ? H : I, H, Object.fromEntries(further));
}

/** A layer of an entry in its test sizes, its parameters uniform on [-0.6, 0.6). */
export function makeLayer(entry: Entry, core: u.Core, options: u.RecurrentOptions & u.CompiledOptions = {}): AnyLayer {
  const given = { ...options, ...(furtherSizes(entry) as object) };
  const layer = entry.make(entry.square === true ? hidden : inputs, hidden, given);
  return layer.init({ seed: 1, core, initializer: u.uniform(-0.6, 0.6) });
}

/** An initial state for one layer in one direction. */
export function drawState(entry: Entry, layer: AnyLayer, rows: number): Record<string, Input> {
  return Object.fromEntries(
    layer.states.map(({ name, size }, i) => {
      const [low, high] = entry.states?.[name] ?? [-1, 1];
      return [name, draw([1, rows, size], 30 + i, low, high)];
    }),
  );
}

const suffixless = (name: string): string => name.replace(/_l0$/, "");

/**
 * The largest errors of one layer, each relative to the largest magnitude of what it should be: of the output and the
 * last states, and of the gradients of inputs, initial states and parameters of an arbitrary linear loss.
 */
export function equationErrors(entry: Entry, core: u.Core): { values: number; gradients: number; of: string } {
  const layer = makeLayer(entry, core);
  const x = draw([batch, steps, layer.inputSize], 3);
  const states = drawState(entry, layer, batch);
  const names = Object.keys(states);
  const parameters = layer.namedParameters().map(([name, p]) => [suffixless(name), p] as const);
  const given: Input[] = [
    x,
    ...Object.values(states),
    ...parameters.map(([, p]) => ({ shape: p.shape, data: [...p.toArray()] })),
  ];
  const shaped = (index: number, data: number[]): Values => ({ shape: (given[index] as Input).shape, data });
  const reference = (...v: number[][]): number[] => {
    const weights = new Map<string, Matrix>(
      parameters.map(([name], i) => [name, shaped(1 + names.length + i, v[1 + names.length + i] as number[])]),
    );
    const initial = Object.fromEntries(names.map((name, i) => [name, shaped(1 + i, v[1 + i] as number[])]));
    const weightOf = (name: string): Matrix => {
      const found = weights.get(name);
      if (found === undefined) throw new Error(`${entry.name} has no parameter ${name}, but ${[...weights.keys()]}`);
      return found;
    };
    const result = runReference(entry.reference, shaped(0, v[0] as number[]), initial, weightOf);
    return [...result.output, ...names.flatMap((name) => result.states[name] as number[])];
  };
  const expected = reference(...given.map(({ data }) => [...data]));
  const cotangent = numbers(expected.length, 99);
  const leaves = [x, ...Object.values(states)].map(({ data, shape }) => u.tensor(data, shape, core));
  const parts: number[] = [];
  const { grads } = u.gradients(
    () => {
      const state = Object.fromEntries(names.map((name, i) => [name, leaves[1 + i] as u.Tensor]));
      const result = layer.forward(leaves[0] as u.Tensor, { state });
      const outputs = [result.output, ...names.map((name) => result.state[name] as u.Tensor)];
      const terms = outputs.map((output) => {
        const weights = u.tensor(cotangent.slice(parts.length, parts.length + output.size), output.shape);
        parts.push(...output.toArray());
        return u.sum(u.mul(output, weights));
      });
      return terms.reduce((total, term) => u.add(total, term));
    },
    { parameters: [...leaves, ...layer.parameters()], core },
  );
  const targets = ["x", ...names, ...parameters.map(([name]) => name)];
  const worst = { values: relativeError(parts, expected), gradients: 0, of: "" };
  differences(reference, given, cotangent).forEach((gradient, i) => {
    const leaf = leaves[i] ?? (layer.parameters()[i - leaves.length] as u.Parameter);
    const error = relativeError(grads.get(leaf) as Float32Array, gradient);
    if (error > worst.gradients) Object.assign(worst, { gradients: error, of: targets[i] });
  });
  for (const leaf of leaves) leaf.dispose();
  layer.dispose();
  return worst;
}
