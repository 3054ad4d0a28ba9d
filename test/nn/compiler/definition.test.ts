import { describe, expect, it } from "vitest";
import * as u from "../../../ts/index.js";

type Step = Parameters<typeof u.defineCell<"h" | "c">>[0]["step"];

/** The error of a cell with states h and c and this step. */
function failure(step: Step, other: object = {}): u.CellDefinitionError {
  try {
    u.defineCell({ name: "Wrong", state: ["h", "c"], step, ...other });
  } catch (error) {
    if (error instanceof u.CellDefinitionError) return error;
    throw error;
  }
  throw new Error("the definition was accepted");
}

let foreign: u.Value | undefined;
u.defineCell({
  name: "Other",
  state: ["h"],
  step({ x }, { gate }) {
    foreign = gate("i", x);
    return { h: foreign };
  },
});

/** What a step does wrong, and the expression and the reason that the message must have. */
const mistakes: Record<string, [step: Step, expression: string, reason: RegExp, other?: object]> = {
  "an unknown source": [
    (values) => ({ h: (values as unknown as { z: u.Value }).z, c: values.c }),
    "z",
    /not a value of the step; there are x, h, c/,
  ],
  "an unknown function": [
    ({ h, c }, tools) => ({ h: (tools as unknown as { gelu(v: u.Value): u.Value }).gelu(h), c }),
    "gelu",
    /no such function/,
  ],
  "widths that differ": [
    ({ x, h, c }, { gate, sigmoid }) => ({ h: sigmoid(gate("i", x, { size: "proj" })).mul(c), c: h }),
    'sigmoid(gate("i", x)).mul(c)',
    /widths differ: proj .* hidden \(c\)/,
  ],
  "x beside a state": [({ x, h, c }) => ({ h: h.add(x), c }), "h.add(x)", /widths differ: hidden \(h\), input \(x\)/],
  "a new state of another width": [
    ({ x, c }, { gate }) => ({ h: gate("i", x, { size: 3 }), c }),
    'gate("i", x)',
    /returned as h, whose width is hidden/,
  ],
  "a state that is not returned": [
    (({ h }: { h: u.Value }) => ({ h })) as unknown as Step,
    "c",
    /a state that the step does not return/,
  ],
  "something returned that is no state": [
    (({ h, c }: { h: u.Value; c: u.Value }) => ({ h, c, d: c })) as unknown as Step,
    "d",
    /is returned but is no state/,
  ],
  "a number for a state": [(({ c }: { c: u.Value }) => ({ h: 1, c })) as unknown as Step, "1", /a number/],
  "nothing returned": [(() => undefined) as unknown as Step, "step", /must return an object with h, c/],
  "a gate twice": [
    ({ x, h, c }, { gate }) => ({ h: gate("i", x, h).add(gate("i", h)), c }),
    'gate("i", h)',
    /weight_hh has rows of a gate "i" already/,
  ],
  "a vector twice": [
    ({ c }, { vector }) => ({ h: vector("p").mul(c), c: vector("p").mul(c) }),
    'vector("p")',
    /is there already/,
  ],
  "a value of another definition": [
    ({ h, c }) => ({ h: h.mul(foreign as u.Value), c }),
    'h.mul(gate("i", x))',
    /is a value of another definition/,
  ],
  "an operator in place of a method": [
    ({ h, c }) => ({ h: ((h as unknown as number) * 2) as unknown as u.Value, c }),
    "h",
    /use add, sub, mul/,
  ],
  "a comparison": [
    ({ h, c }, { tanh }) => ({ h: (tanh(h) as unknown as number) > 0 ? h : c, c }),
    "tanh(h)",
    /no comparison/,
  ],
  "a text for a value": [
    ({ h, c }) => ({ h: h.add("c" as unknown as u.Value), c }),
    'h.add("c")',
    /takes values of this step and numbers, got "c"/,
  ],
  "a gate without a source": [
    ({ c }, { gate }) => ({ h: (gate as (name: string) => u.Value)("i"), c }),
    'gate("i")',
    /has no source/,
  ],
  "a source made of two states": [
    ({ x, h, c }, { gate }) => ({ h: gate("i", x, h.mul(c)), c }),
    'gate("i", x, h.mul(c))',
    /comes from 2 states: name it, as\("...", h.mul\(c\)\)/,
  ],
  "a name that is no name": [
    ({ x, c }, { gate }) => ({ h: gate("my gate", x), c }),
    'gate("my gate", x)',
    /letters, digits and _/,
  ],
  "a gate that nothing reads": [
    ({ x, h, c }, { gate }) => {
      gate("i", x);
      return { h, c };
    },
    "weight_ih",
    /no state depends on it/,
  ],
  "a gate that the order lacks": [
    ({ x, c }, { gate }) => ({ h: gate("i", x), c }),
    'gate("i")',
    /missing in `gates`/,
    { gates: ["f"] },
  ],
  "a number that is not finite": [({ h, c }) => ({ h: h.mul(Infinity), c }), "constant(Infinity)", /finite/],
  "an output that is no state": [({ h, c }) => ({ h, c }), "y", /no state/, { output: "y" }],
  "a state called x": [({ h, c }) => ({ h, c }), "x", /cannot be the name/, { state: ["x"] }],
};

describe("a definition says what is wrong with it", () => {
  it.each(Object.entries(mistakes))("%s", (_, [step, expression, reason, other]) => {
    const error = failure(step, other);
    expect(error.expression).toBe(expression);
    expect(error.message).toMatch(reason);
    expect(error.message).toMatch(/^Wrong: /);
    expect(error.message).toMatch(/can be a Module that computes step by step/);
    expect(error.code).toBe("CELL_DEFINITION");
  });
});

describe("the layer of a definition says what is wrong with its options", () => {
  const Sized = u.defineCell({
    name: "Sized",
    state: { h: "memory" },
    inputs: { v: "context" },
    step: ({ x, h, v }, { gate, tanh }) => ({ h: tanh(gate("h", x, h, v, { size: "memory" })) }),
  });
  const sizes = { memorySize: 3, contextSize: 2 };

  it("sizes", () => {
    expect(() => new Sized(4, 5, { memorySize: 3 })).toThrow(/Sized: contextSize must be an integer of 1 or more/);
    expect(() => new Sized(4, 0, sizes)).toThrow(/Sized: hiddenSize/);
    expect(() => new Sized(0, 5, sizes)).toThrow(/Sized: inputSize/);
    const Square = u.defineCell({
      name: "Square",
      state: ["h"],
      inputWidth: "hidden",
      step: ({ x, h }) => ({ h: h.add(x) }),
    });
    expect(() => new Square(4, 5)).toThrow(/Square: inputSize must be 5, as x is used beside it, got 4/);
    const Heads = u.defineCell({
      name: "Heads",
      state: ["h"],
      step: ({ x, h }, { gate }) => ({ h: gate("a", x, h, { heads: 3 }) }),
    });
    expect(() => new Heads(4, 5)).toThrow(/Heads: weight_hh must be divisible into 3 heads/);
  });

  it("initializers of parameters that there are not", () => {
    const make = () =>
      u.defineCell({
        name: "Drawn",
        state: ["h"],
        initializers: { weight_xh: u.constant(0) },
        step: ({ x, h }, { gate }) => ({ h: gate("a", x, h) }),
      });
    expect(make).toThrow(/Drawn: initializers must be by weight_ih, weight_hh, bias, got "weight_xh"/);
  });

  it("inputs, resets and gates of forward", () => {
    const core = u.createCore();
    const layer = new Sized(4, 5, sizes).init({ core });
    const x = u.zeros([2, 3, 4], core);
    const v = u.zeros([2, 2], core);
    const run = (options: object) => () => layer.run(() => layer.forward(x, options));
    expect(run({})).toThrow(/Sized: inputs must be an object with v/);
    expect(run({ inputs: { v: u.zeros([2, 3], core) } })).toThrow(/inputs.v has shape \[2, 3\]/);
    expect(run({ inputs: { v }, resets: [0, 1] })).toThrow(/resets of 2 values/);
    expect(run({ inputs: { v }, force: { q: 1 } })).toThrow(/force must be an object of numbers by gates/);
    expect(run({ inputs: { v }, force: { h: NaN } })).toThrow(/force.h must be a finite number/);
    expect(run({ inputs: { v }, force: { h: 0.5 } })().output.data).toEqual(new Float32Array(18).fill(0.5));
  });
});
