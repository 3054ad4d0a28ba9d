/** Wirings written out step by step, row by row, in float64: the naive oracle of ts/nn/wiring. */
import { expect } from "vitest";
import * as u from "../../../ts/index.js";
import { differences, draw, expectClose, type Input, numbers } from "../../tensor/reference.js";
import { type CellName, step } from "../recurrent-reference.js";

export type Vector = readonly number[];
/** State of one row by name; each value (n, width). */
export type RowState = Readonly<Record<string, readonly Vector[]>>;
/** What one row goes through. */
export type RowModule = (x: readonly Vector[], state: RowState) => { y: readonly Vector[]; state: RowState };

export const core = u.createCore();

/** A single layer; takes its four parameters off the front of the list. */
export function oracleLayer(cell: CellName, hidden: number, parameters: number[][]): RowModule {
  const [weightIh, weightHh, biasIh, biasHh] = parameters.splice(0, 4) as [number[], number[], number[], number[]];
  const zero: Vector = new Array<number>(hidden).fill(0);
  return (x, state) => {
    let [h, c] = [state["h"]?.[0] ?? zero, state["c"]?.[0] ?? zero];
    const y = x.map((row) => {
      ({ h, c } = step(cell, row, h, c, { weightIh, weightHh, biasIh, biasHh }));
      return h;
    });
    return { y, state: cell === "lstm" ? { h: [h], c: [c] } : { h: [h] } };
  };
}

/** The state of a part, and that of a whole: as the names say. */
export function part(name: string, state: RowState): RowState {
  const own = Object.entries(state).filter(([full]) => full.startsWith(`${name}.`));
  return Object.fromEntries(own.map(([full, value]) => [full.slice(name.length + 1), value]));
}

export function whole(name: string, state: RowState): RowState {
  return Object.fromEntries(Object.entries(state).map(([inner, value]) => [`${name}.${inner}`, value]));
}

export interface Wired {
  readonly module: u.SequenceModule;
  /** The module in float64, of its parameters in order; reads a context off the end where there is one. */
  readonly oracle: (parameters: number[][], context: Vector) => RowModule;
  /** Shapes of the state for a batch of B. */
  readonly state: (batch: number) => Readonly<Record<string, readonly number[]>>;
  readonly contextSize?: number;
}

const BATCH = 3;

type AnyForward = (
  x: u.Tensor,
  options: { state?: u.RecurrentState; lengths?: readonly number[]; context?: u.Tensor },
) => { output: u.Tensor; state: u.RecurrentState };

/**
 * Checks outputs and final state, and the gradients of the inputs, the initial state and every parameter, against the
 * oracle and its central differences.
 */
export function checkWiring(
  { module, oracle, state, contextSize = 0 }: Wired,
  steps: number,
  lengths?: number[],
): void {
  module.init({ seed: 3, core, initializer: u.uniform(-0.8, 0.8) });
  const shapes = state(BATCH);
  const names = Object.keys(shapes);
  const x = draw([BATCH, steps, module.inputSize], 5);
  const initial = names.map((name, i) => draw(shapes[name]!, 40 + i));
  const context = draw([BATCH, contextSize], 77);
  const parameters: Input[] = module.parameters().map((p) => ({ shape: p.shape, data: [...p.toArray()] }));
  const inputs = [x, context, ...initial, ...parameters];
  const reference = (...values: number[][]): number[] => {
    const given = values.slice(2, 2 + names.length);
    const outputs: number[] = [];
    const states = names.map((name) => new Array<number>(elements(shapes[name]!)).fill(0));
    for (let b = 0; b < BATCH; b++) {
      const length = lengths?.[b] ?? steps;
      const rows = Array.from({ length }, (_, t) => {
        const at = (b * steps + t) * module.inputSize;
        return values[0]!.slice(at, at + module.inputSize);
      });
      const rowState = Object.fromEntries(
        names.map((name, i) => {
          const [n, , width] = shapes[name] as [number, number, number];
          const pick = (slice: number) => given[i]!.slice((slice * BATCH + b) * width, (slice * BATCH + b + 1) * width);
          return [name, Array.from({ length: n }, (_, slice) => pick(slice))];
        }),
      );
      const own = values[1]!.slice(b * contextSize, (b + 1) * contextSize);
      const result = oracle(values.slice(2 + names.length), own)(rows, rowState);
      outputs.push(...result.y.flat(), ...new Array<number>((steps - length) * module.outputSize).fill(0));
      names.forEach((name, i) => {
        const [, , width] = shapes[name] as [number, number, number];
        expect(Object.keys(result.state).sort()).toEqual([...names].sort());
        result.state[name]!.forEach((vector, slice) => {
          vector.forEach((value, j) => {
            states[i]![(slice * BATCH + b) * width + j] = value;
          });
        });
      });
    }
    return [...outputs, ...states.flat()];
  };
  const expected = reference(...inputs.map(({ data }) => [...data]));
  const cotangent = numbers(expected.length, 91);
  const made = [x, context, ...initial].map(({ data, shape }) => u.tensor([...data], shape, core));
  const leaves = [...made, ...module.parameters()];
  let actual: number[] = [];
  const { grads } = u.gradients(
    () => {
      const result = (module.forward as AnyForward).call(module, made[0]!, {
        state: Object.fromEntries(names.map((name, i) => [name, made[2 + i]!])),
        ...(lengths === undefined ? {} : { lengths }),
        ...(contextSize === 0 ? {} : { context: made[1]! }),
      });
      expect(result.output.shape).toEqual([BATCH, steps, module.outputSize]);
      expect(Object.keys(result.state).sort()).toEqual([...names].sort());
      const parts = [result.output, ...names.map((name) => result.state[name]!)];
      names.forEach((name, i) => expect(parts[1 + i]!.shape, name).toEqual(shapes[name]));
      actual = parts.flatMap((value) => [...value.toArray()]);
      let at = 0;
      const terms = parts.map((value) => {
        const weights = u.tensor(cotangent.slice(at, at + value.size), value.shape);
        at += value.size;
        return u.sum(u.mul(value, weights));
      });
      return terms.reduce((total, term) => u.add(total, term));
    },
    { parameters: leaves, core },
  );
  expectClose(actual, expected, 2e-5, "outputs and state");
  differences(reference, inputs, cotangent).forEach((gradient, i) => {
    expectClose(grads.get(leaves[i]!)!, gradient, 2e-4, `gradient of input ${i}`);
  });
  for (const tensor of made) tensor.dispose();
}

function elements(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}

/** A whole sequence and its two parts, the second going on from the state of the first: the same, bit for bit. */
export function checkSplit(
  { module, state, contextSize = 0 }: Wired,
  steps: number,
  at: number,
  lengths?: number[],
): void {
  module.init({ seed: 4, core });
  const x = u.tensor([...draw([BATCH, steps, module.inputSize], 6).data], [BATCH, steps, module.inputSize], core);
  const context = u.tensor([...draw([BATCH, contextSize], 7).data], [BATCH, contextSize], core);
  const forward = module.forward.bind(module) as AnyForward;
  const first = contextSize === 0 ? {} : { context };
  const own = (start: number, end: number) =>
    lengths === undefined
      ? {}
      : { lengths: lengths.map((length) => Math.min(Math.max(length - start, 0), end - start)) };
  const result = module.run(() => {
    const all = forward(x, { ...first, ...own(0, steps) });
    const one = forward(u.slice(x, 1, 0, at), { ...first, ...own(0, at) });
    const two = forward(u.slice(x, 1, at), { state: one.state, ...own(at, steps) });
    return { all, joined: u.concat([one.output, two.output], 1), state: two.state };
  });
  expect(result.joined).toEqual(result.all.output);
  expect(result.state).toEqual(result.all.state);
  expect(Object.keys(result.state).sort()).toEqual(Object.keys(state(BATCH)).sort());
  x.dispose();
  context.dispose();
}

/** The same numbers with time before batch. */
export function checkTimeFirst(batchFirst: Wired, timeFirst: Wired, steps: number, lengths?: number[]): void {
  const { inputSize } = batchFirst.module;
  const contextSize = batchFirst.contextSize ?? 0;
  batchFirst.module.init({ seed: 8, core });
  timeFirst.module.loadStateDict(batchFirst.module.stateDict(), { core });
  const x = u.tensor([...draw([BATCH, steps, inputSize], 9).data], [BATCH, steps, inputSize], core);
  const context = u.tensor([...draw([BATCH, contextSize], 7).data], [BATCH, contextSize], core);
  const options = { ...(lengths === undefined ? {} : { lengths }), ...(contextSize === 0 ? {} : { context }) };
  const run = ({ module }: Wired, input: () => u.Tensor, back: (y: u.Tensor) => u.Tensor) =>
    module.run(() => {
      const { output, state } = (module.forward as AnyForward).call(module, input(), options);
      return { output: back(output), state };
    });
  const expected = run(
    batchFirst,
    () => x,
    (y) => y,
  );
  const actual = run(
    timeFirst,
    () => u.transpose(x, 0, 1),
    (y) => u.transpose(y, 0, 1),
  );
  expect(actual).toEqual(expected);
  x.dispose();
  context.dispose();
}

/** Steps of a session: the outputs of the whole sequence. */
export function checkSession({ module }: Wired, steps: number): void {
  module.init({ seed: 5, core });
  const data = Float32Array.from(draw([1, steps, module.inputSize], 10).data);
  const x = u.tensor(data, [1, steps, module.inputSize], core);
  const { data: expected } = module.run(() => module.forward(x).output);
  const session = new u.Session(module as unknown as u.Streamable);
  const actual = Array.from({ length: steps }, (_, t) => {
    return [...session.step(data.slice(t * module.inputSize, (t + 1) * module.inputSize))];
  });
  expect(actual.flat()).toEqual([...expected]);
  session.dispose();
  x.dispose();
}
