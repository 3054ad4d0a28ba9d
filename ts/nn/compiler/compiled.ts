/** A traced cell as a kind of recurrent layer: its parameters, its sizes, and what runs it. */
import { ArgumentError, ShapeError } from "../../errors.js";
import type { VersionedTensor } from "../../tensor/dropout.js";
import { type Initializer, Parameter } from "../../tensor/parameter.js";
import { PreparedProgram, type ProgramOperands, runProgram } from "../../tensor/program.js";
import { currentTape } from "../../tensor/scope.js";
import type { StreamCell } from "../../tensor/stream.js";
import { ProgramStream } from "../../tensor/stream-program.js";
import { operand, type Tensor, tensor } from "../../tensor/tensor.js";
import { checkSize } from "../check.js";
import { uniform } from "../initializers.js";
import type { CellKind, CellRun, CellRunner, ParametersRun } from "../recurrent.js";
import { DroppedRecurrence, type RecurrenceDropout } from "./dropout.js";
import { encode, type StepProgram } from "./encode.js";
import { type Graph, type StackedParameter, type StateDeclaration, sizeOfWidth, type Width } from "./graph.js";
import {
  broadcast,
  droppedWeights,
  type ExtraInput,
  evaluateConstants,
  runReference,
  type Sizes,
} from "./reference.js";
import { forced, KEEP, withForcedGates, withResets } from "./variants.js";

/** Options of `forward` that only compiled cells have. */
export interface CompiledRunOptions {
  /** The cell's further inputs by name: (B, T, width) as x is laid out, or (B, width) for the same at every step. */
  readonly inputs?: Readonly<Record<string, Tensor>> | undefined;
  /** Gates whose activation is held at a number, for teaching: `{ f: 1 }` is an LSTM that forgets nothing. */
  readonly force?: Readonly<Record<string, number>> | undefined;
  /**
   * B T numbers as x is laid out; where one is not 0, another sequence begins at that step: states are zeros before it,
   * and, read backwards, before the step that it follows.
   */
  readonly resets?: ArrayLike<number> | undefined;
}

/** Sizes of a cell beside inputSize and hiddenSize, for example `projectionSize`, which the cell's widths name. */
export interface CellSizes {
  readonly [size: `${string}Size`]: number;
}

/** Options of the layer that a kind depends on. */
export interface CompiledOptions {
  /** Whether gates have biases; default true. */
  readonly bias?: boolean;
  /** Draws the parameters that the equations give no first value; default as PyTorch, U(-1/sqrt(H), 1/sqrt(H)). */
  readonly initializer?: Initializer;
  /** Computes step by step with ordinary operations: slow, to compare with. */
  readonly reference?: boolean;
}

/** Names of widths that occur in a graph, except those that the constructor's arguments give. */
function namedWidths(graph: Graph): ReadonlySet<string> {
  const widths: (Width | null)[] = [graph.inputWidth, ...graph.states.map(({ width }) => width)];
  for (const { width } of [...graph.extras, ...graph.vectors]) widths.push(width);
  for (const { gates } of graph.weights) widths.push(...gates.map(({ width }) => width));
  const names = new Set(widths.filter((width): width is string => typeof width === "string"));
  names.delete("input");
  names.delete("hidden");
  return names;
}

/**
 * @param initializers of parameters by their name without suffix, where the cell has its own
 * @param dropped dropout within the recurrence, of layers alone: one step has no sequence that a mask is the same for
 * @throws ArgumentError for a size that is missing or no size
 */
export function compiledKind(
  graph: Graph,
  initializers: Readonly<Record<string, Initializer>>,
  hidden: number,
  options: CompiledOptions & CellSizes,
  dropped: RecurrenceDropout = {},
): CellKind {
  const where = graph.name;
  checkSize(where, "hiddenSize", hidden);
  const named = new Map([["hidden", hidden]]);
  for (const name of namedWidths(graph)) {
    const size = options[`${name}Size`] as number;
    checkSize(where, `${name}Size`, size);
    named.set(name, size);
  }
  const sizesFor = (input: number): Sizes => new Map([...named, ["input", input]]);
  const { bias = true, reference = false } = options;
  const dropout = new DroppedRecurrence(graph, dropped);
  return {
    states: graph.states.map(({ name, width }) => ({ name, size: sizeOfWidth(width, named) })),
    output: graph.output,
    parameters(input) {
      const sizes = sizesFor(input);
      const expected = sizeOfWidth(graph.inputWidth, sizes);
      if (input !== expected) throw new ArgumentError(where, "inputSize", `${expected}, as x is used beside it`, input);
      return declare(graph, sizes, bias, initializers, options.initializer);
    },
    runner: (input) => new CompiledRunner(graph, sizesFor(input), bias, reference, dropout),
  };
}

function declare(
  graph: Graph,
  sizes: Sizes,
  bias: boolean,
  initializers: Readonly<Record<string, Initializer>>,
  given: Initializer | undefined,
): [string, Parameter][] {
  const bound = 1 / Math.sqrt(sizes.get("hidden") as number);
  const draw = (name: string): Initializer => given ?? initializers[name] ?? uniform(-bound, bound);
  const made: [string, Parameter][] = [];
  for (const { name, columns, heads, gates } of graph.weights) {
    const depth = sizeOfWidth(columns as Width, sizes);
    const rows = gates.map(({ width }) => sizeOfWidth(width, sizes));
    for (const size of [depth, ...rows]) {
      if (size % heads !== 0) throw new ArgumentError(graph.name, name, `divisible into ${heads} heads`, size);
    }
    const height = rows.reduce((sum, row) => sum + row, 0);
    made.push([name, new Parameter([height, depth / heads], draw(name))]);
  }
  for (const { name, gates } of bias ? graph.biases : []) {
    const height = gates.reduce((sum, { width }) => sum + sizeOfWidth(width, sizes), 0);
    made.push([name, new Parameter([height], draw(name))]);
  }
  for (const { name, width, initializer } of graph.vectors) {
    made.push([name, new Parameter([sizeOfWidth(width, sizes)], initializer ?? draw(name))]);
  }
  return made;
}

/** What runs a graph: its program, with the weights packed as they are, and as dropout left them. */
interface Compiled {
  readonly graph: Graph;
  readonly program: StepProgram;
  readonly prepared: PreparedProgram;
  /** Apart, so that a forward pass without dropout changes nothing for backward. */
  readonly dropped: PreparedProgram;
}

/** Runs a compiled cell, one layer and direction. */
class CompiledRunner implements CellRunner {
  readonly #graph: Graph;
  readonly #sizes: Sizes;
  readonly #biased: boolean;
  readonly #reference: boolean;
  readonly #dropout: DroppedRecurrence;
  /** By the options of `forward` that change the equations. */
  readonly #variants = new Map<string, Compiled>();

  constructor(graph: Graph, sizes: Sizes, biased: boolean, reference: boolean, dropout: DroppedRecurrence) {
    this.#graph = graph;
    this.#sizes = sizes;
    this.#biased = biased;
    this.#dropout = dropout;
    // The core's machine has no softmax.
    this.#reference = reference || graph.nodes.some(({ kind }) => kind === "softmax");
  }

  run(call: CellRun): void {
    const options: CompiledRunOptions = call.options;
    const extras = this.#extras(call, options);
    if (this.#reference) {
      runReference(this.#variantGraph(options, call.where), call, this.#sizes, extras);
    } else {
      this.#runProgram(this.#variant(options, call.where), call, extras);
    }
  }

  streamCell(where: string, parameter: (name: string) => Parameter | null): StreamCell | null {
    // Further inputs come with a call of `forward`.
    if (this.#reference || this.#graph.extras.length > 0) return null;
    const compiled = this.#variant({}, where, false);
    const { graph, program, prepared } = compiled;
    const state = graph.states[graph.output] as StateDeclaration;
    const run = { where, parameter, batch: 1, steps: 1, weightDropout: 0, stream: 0 };
    const optionStrides = (width: number) => ({ time: width, batch: width });
    const { weights, biases, vectors, inputs } = program;
    return new ProgramStream(
      {
        where,
        program: prepared,
        input: program.input,
        output: { state: graph.output, width: sizeOfWidth(state.width, this.#sizes) },
        inputs,
        operands: (core) => operandsOf(compiled, droppedWeights(graph, { ...run, core }), { ...run, core }),
        constantInputs: (core) => new Map(this.#dropout.inputs({ ...run, core, optionStrides }, this.#sizes)),
      },
      [weights.length, biases.length, vectors.length, graph.states.length, inputs.length],
    );
  }

  dispose(): void {
    for (const { prepared, dropped } of this.#variants.values()) {
      prepared.dispose();
      dropped.dispose();
    }
  }

  #extras(call: CellRun, { inputs, force, resets }: CompiledRunOptions): Map<string, ExtraInput> {
    const extras = new Map<string, ExtraInput>();
    for (const { name, width } of this.#graph.extras) {
      extras.set(name, extraInput(call, name, sizeOfWidth(width, this.#sizes), inputs?.[name]));
    }
    for (const [gate, value] of Object.entries(force ?? {})) {
      if (!Number.isFinite(value)) throw new ArgumentError(call.where, `force.${gate}`, "a finite number", value);
      extras.set(forced(gate), { tensor: tensor([value], [1, 1], call.core), time: 0, batch: 0 });
    }
    if (resets !== undefined) extras.set(KEEP, keepInput(call, resets));
    for (const [name, mask] of this.#dropout.inputs(call, this.#sizes)) extras.set(name, mask);
    return extras;
  }

  #variantGraph({ force, resets }: CompiledRunOptions, where: string, drops = this.#drops()): Graph {
    const dropped = drops ? this.#dropout.whileTraining(this.#graph) : this.#graph;
    const held = force === undefined ? dropped : withForcedGates(dropped, Object.keys(force).sort(), where);
    // The state that zoneout keeps is that after a reset.
    const kept = this.#dropout.always(held);
    return resets === undefined ? kept : withResets(kept);
  }

  /** Whether this call drops what is dropped while training alone. */
  #drops(): boolean {
    return this.#dropout.onlyTraining && currentTape()?.training === true;
  }

  #variant(options: CompiledRunOptions, where: string, drops = this.#drops()): Compiled {
    const { force, resets } = options;
    const plain = force === undefined && resets === undefined && !drops;
    const key = plain ? "" : JSON.stringify([Object.keys(force ?? {}).sort(), resets !== undefined, drops]);
    let variant = this.#variants.get(key);
    if (variant === undefined) {
      const graph = this.#variantGraph(options, where, drops);
      const program = encode(graph, this.#sizes, this.#biased);
      const { words } = program;
      variant = { graph, program, prepared: new PreparedProgram(words), dropped: new PreparedProgram(words) };
      this.#variants.set(key, variant);
    }
    return variant;
  }

  #runProgram(compiled: Compiled, call: CellRun, extras: ReadonlyMap<string, ExtraInput>): void {
    const { graph, program, prepared, dropped } = compiled;
    const weights = droppedWeights(graph, call);
    const isDropped = [...weights].some(([{ name }, weight]) => weight !== call.parameter(name));
    runProgram({
      ...operandsOf(compiled, weights, call),
      where: call.where,
      core: call.core,
      program: isDropped ? dropped : prepared,
      steps: call.steps,
      batch: call.batch,
      input: program.input,
      reverse: call.reverse,
      lengths: call.lengthsPointer,
      x: call.x,
      xStrides: call.xStrides,
      inputs: program.inputs.map(({ name }) =>
        name === "x" ? { tensor: call.x, ...call.xStrides } : (extras.get(name) as ExtraInput),
      ),
      initial: call.initial,
      final: call.final,
      widths: graph.states.map(({ width }) => sizeOfWidth(width, this.#sizes)),
      stateIndex: call.stateIndex,
      out: call.out,
      outStrides: call.outStrides,
      outColumn: call.outColumn,
      recompute: call.recompute,
    });
  }
}

/** What the program multiplies and adds in a call, with the weights that dropout left of it. */
function operandsOf(
  { graph, program }: Compiled,
  weights: ReadonlyMap<StackedParameter, VersionedTensor>,
  call: ParametersRun,
): ProgramOperands {
  const parameterOf = (name: string): Parameter => call.parameter(name) as Parameter;
  const constants = program.vectors.length > 0 ? evaluateConstants(graph, call) : undefined;
  const biases = program.biases.map(({ bias, first }) => ({ tensor: parameterOf(bias.name), first }));
  const vectors = graph.vectors.map(({ name }) => parameterOf(name));
  return {
    weights: program.weights.map((stack) => ({ tensor: weights.get(stack) as Tensor, first: 0 })),
    biases,
    vectors: program.vectors.map(({ node, width }) => ({
      tensor: broadcast(constants?.get(node) as Tensor | number, [width], call),
      first: 0,
    })),
    versions: [
      ...program.weights.map((stack) => (weights.get(stack) as VersionedTensor).version),
      ...biases.map(({ tensor }) => tensor.version),
      ...vectors.map(({ version }) => version),
    ],
  };
}

function extraInput(call: CellRun, name: string, width: number, given: Tensor | undefined): ExtraInput {
  const { steps, batch, where } = call;
  if (given === undefined) throw new ArgumentError(where, "inputs", `an object with ${name}`, given);
  operand(given, where, call.core);
  if (given.shape[given.shape.length - 1] === width) {
    if (given.size === batch * width) return { tensor: given, time: 0, batch: width };
    if (given.size === steps * batch * width) return { tensor: given, ...call.optionStrides(width) };
  }
  throw new ShapeError(where, `inputs.${name}`, `[B, ${width}] or [B, T, ${width}]`, given.shape);
}

function keepInput(call: CellRun, resets: ArrayLike<number>): ExtraInput {
  const { steps, batch, where, core, lengths, reverse } = call;
  if (resets.length !== steps * batch) {
    throw new ShapeError(where, `resets of ${resets.length} values`, [steps * batch], [resets.length]);
  }
  const strides = call.optionStrides(1);
  const keep = new Float32Array(resets.length).fill(1);
  for (let row = 0; row < batch; row++) {
    const length = lengths?.[row] ?? steps;
    const at = (t: number): number => t * strides.time + row * strides.batch;
    for (let t = 0; t < length; t++) {
      const first = reverse ? t + 1 : t;
      if (first < length && resets[at(first)] !== 0) keep[at(t)] = 0;
    }
  }
  return { tensor: tensor(keep, [keep.length, 1], core), ...strides };
}
