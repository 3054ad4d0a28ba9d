/** Layers that must compute the same: outputs, states and every gradient. */
import { expect } from "vitest";
import * as u from "../../../ts/index.js";
import { draw, numbers } from "../../tensor/reference.js";

type AnyLayer = u.RecurrentLayer<u.RecurrentState, u.CompiledSequenceOptions<string>>;

/** One layer's results on a drawn problem, by name. */
export function results(
  given: unknown,
  shape: readonly number[],
  options: {
    readonly lengths?: readonly number[];
    readonly state?: boolean;
    /** Where initial states are drawn from, if not from [-1, 1). */
    readonly states?: Readonly<Record<string, readonly [low: number, high: number]>> | undefined;
    readonly ids?: u.Ids;
    readonly forward?: Partial<u.CompiledSequenceOptions<string>>;
    readonly inputs?: Readonly<Record<string, readonly number[]>>;
  } = {},
): Map<string, Float32Array> {
  const layer = given as AnyLayer;
  const { core } = layer;
  const batch = shape[layer.batchFirst ? 0 : 1] as number;
  const found = new Map<string, Float32Array>();
  const leaf = (name: string, size: readonly number[], seed: number, range: readonly [number, number] = [-1, 1]) => {
    const made = u.tensor([...draw(size, seed, ...range).data], size, core);
    leaves.set(name, made);
    return made;
  };
  const leaves = new Map<string, u.Tensor>();
  const x = leaf("x", shape, 31);
  const state = Object.fromEntries(
    layer.states.map(({ name, size }, i) => [
      name,
      leaf(`${name}0`, [layer.numLayers * layer.directions, batch, size], 32 + i, options.states?.[name]),
    ]),
  );
  const inputs = Object.fromEntries(
    Object.entries(options.inputs ?? {}).map(([name, size], i) => [name, leaf(name, size, 50 + i)]),
  );
  for (const [name, parameter] of layer.namedParameters()) leaves.set(name, parameter);
  const { grads } = u.gradients(
    () => {
      const { output, state: last } = layer.forward(
        options.ids === undefined ? x : u.oneHot(options.ids, layer.inputSize),
        {
          ...options.forward,
          ...(options.state === false ? {} : { state }),
          ...(options.inputs === undefined ? {} : { inputs }),
          lengths: options.lengths,
        },
      );
      const outputs: [string, u.Tensor][] = [["output", output], ...Object.entries(last)];
      const terms = outputs.map(([name, value], i) => {
        found.set(name, value.toArray());
        return u.sum(u.mul(value, u.tensor(numbers(value.size, 40 + i), value.shape)));
      });
      return terms.reduce((total, term) => u.add(total, term));
    },
    { parameters: leaves.values(), core },
  );
  for (const [name, tensor] of leaves) found.set(`gradient of ${name}`, grads.get(tensor) as Float32Array);
  for (const made of leaves.values()) if (!(made instanceof u.Parameter)) made.dispose();
  return found;
}

/** Compares by the greatest value of each array: `tolerance` relative to it. */
export function expectSame(
  actual: ReadonlyMap<string, Float32Array>,
  expected: ReadonlyMap<string, Float32Array>,
  tolerance: number,
): void {
  expect([...actual.keys()].sort()).toEqual([...expected.keys()].sort());
  for (const [name, values] of expected) {
    const other = actual.get(name) as Float32Array;
    expect(other.length, name).toBe(values.length);
    const scale = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const worst = values.reduce((most, value, i) => Math.max(most, Math.abs(value - (other[i] as number))), 0);
    // Written so that NaN fails.
    expect(worst <= tolerance * Math.max(scale, 1e-3), `${name}: ${worst} of ${scale}`).toBe(true);
  }
}

/** Gives both layers the same drawn parameters, matched by name. */
export function sameParameters(a: u.Module, b: u.Module, core: u.Core, seed = 1): void {
  a.init({ seed, core, initializer: u.uniform(-0.6, 0.6) });
  b.loadStateDict(a.stateDict(), { core });
}
