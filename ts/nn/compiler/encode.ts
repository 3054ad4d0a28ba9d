/**
 * From a cell's graph and the sizes of a layer to the words of a step program; their form is described in
 * crate/src/cells/program/code.rs.
 */
import { allocateBackward, allocateForward, canShareGates } from "./allocate.js";
import { differentiate } from "./differentiate.js";
import { type Graph, type GraphNode, type StackedParameter, sizeOfWidth, type Width } from "./graph.js";
import { type Lowered, lower, padded } from "./lower.js";
import {
  BACKWARD_ONLY,
  type Buffer,
  bufferKinds,
  type Instruction,
  type Matrix,
  type Operation,
  operationCodes,
  type Place,
  Register,
} from "./machine.js";
import { firstRow, type Sizes } from "./reference.js";
import { type ForwardProduct, scheduleForward } from "./schedule.js";
import { isOption } from "./variants.js";

/** A step program, and what its pointers are to. */
export interface StepProgram {
  readonly words: Int32Array;
  /** Width of x where the program multiplies it for all steps beforehand; 0: it does not. */
  readonly input: number;
  readonly weights: readonly StackedParameter[];
  /** Biases, from an element on. */
  readonly biases: readonly { readonly bias: StackedParameter; readonly first: number }[];
  readonly vectors: readonly { readonly node: GraphNode; readonly width: number }[];
  /** Names of further inputs; "x" for x itself. */
  readonly inputs: readonly { readonly name: string; readonly width: number }[];
}

/** Columns of a panel of the core's products: rows of gates are whole panels. */
const PANEL = 16;
/** Elements of a register in a chunk, so that a handful of them stays in the first-level cache. */
const CHUNK_ELEMENTS = 1024;

/** Rows of a bias that are side by side among the columns of gates. */
interface BiasSlice {
  readonly bias: StackedParameter;
  /** First element. */
  readonly first: number;
  gates: number;
  readonly width: number;
  readonly column: number;
}

/** @param biased whether the layer has biases */
export function encode(graph: Graph, sizes: Sizes, biased: boolean): StepProgram {
  const lowered = lower(graph, sizes);
  const widths = graph.states.map(({ width }) => sizeOfWidth(width, sizes));
  const stride = Math.ceil(lowered.columns / PANEL) * PANEL;
  const gates: Buffer = { kind: bufferKinds.step, stride, of: 0, flags: 0 };
  const gradients: Buffer = { ...gates, flags: BACKWARD_ONLY };
  const leaves = placeLeaves(lowered, widths, gates);
  const forward = scheduleForward(
    lowered,
    new Register(lowered.columns, { buffer: gates, column: 0 }),
    graph.weights,
    ({ columns, heads }) => sizeOfWidth(columns as Width, sizes) / heads,
  );
  const backward = differentiate(
    lowered,
    forward.products,
    new Register(lowered.columns, { buffer: gradients, column: 0 }),
    widths,
    (input) => !isOption(lowered.inputs[input]?.name ?? ""),
  );
  const placed = allocateForward(lowered, forward, gates, leaves.states);
  const placedBack = allocateBackward(backward);
  const sources = forward.products.map(({ source }) => source);
  const shared = canShareGates(placedBack.instructions, gates, gradients, sources);
  const carries = backward.carryIn.map(({ place }) => (place as Place).buffer);
  const buffers = [
    gates,
    ...(shared ? [] : [gradients]),
    ...leaves.states,
    ...leaves.previous,
    ...leaves.vectors,
    ...leaves.inputs,
    ...carries,
    ...backward.vectorGradients,
    ...backward.inputGradients.filter((buffer): buffer is Buffer => buffer !== undefined),
    ...placed.buffers,
    ...placedBack.buffers,
  ];
  const numbers = new Map(buffers.map((buffer, i) => [buffer, i]));
  if (shared) numbers.set(gradients, 0);
  const writer = new Writer(numbers);
  const { inputProduct } = lowered;
  const inputSize = inputProduct === undefined ? 0 : sizeOfWidth("input", sizes);
  const inputMatrix: Matrix[] =
    inputProduct === undefined
      ? []
      : [
          {
            weight: graph.weights.indexOf(inputProduct.weight),
            gates: inputProduct.gates,
            width: inputProduct.width,
            depth: inputWidth(graph, sizes),
            stride: inputWidth(graph, sizes),
            first: 0,
            plain: false,
          },
        ];
  const matrices = [...inputMatrix, ...forward.products.map(({ instruction }) => instruction.matrix)];
  const biases = biased ? biasSlices(graph, lowered, sizes) : [];
  const id = (buffer: Buffer | undefined): number => (buffer === undefined ? -1 : (numbers.get(buffer) as number));
  const tables = [
    ...buffers.flatMap(({ kind, stride, of, flags }) => [kind, stride, of, flags]),
    ...matrices.flatMap((m) => [m.gates, m.width, m.depth, m.stride, m.first, m.weight, m.plain ? 1 : 0, 0]),
    ...biases.flatMap(({ gates, width, column }, i) => [gates, width, column, i]),
    ...lowered.vectors.flatMap(({ width }, i) => [width, i]),
    ...widths.flatMap((width, i) => [width, id(leaves.states[i]), id(carries[i]), 0]),
    ...lowered.inputs.flatMap(({ width }, i) => [width, id(leaves.inputs[i]), id(backward.inputGradients[i]), 0]),
  ];
  const forwardWords = writer.instructions(placed.instructions, matrices);
  const backwardWords = writer.instructions(placedBack.instructions, matrices);
  const gradientWords = [
    ...forward.products.flatMap((product) => writer.weightGradient(product, matrices)),
    ...biases.flatMap((_, i) => [5, 3, i]),
  ];
  const start = HEADER_WORDS + tables.length;
  const widest = Math.max(...lowered.values.map(({ width }) => padded(width)));
  const header = [
    1,
    buffers.length,
    matrices.length,
    biases.length,
    lowered.vectors.length,
    widths.length,
    lowered.inputs.length,
    forwardWords.length,
    backwardWords.length,
    inputProduct === undefined ? 0 : inputWidth(graph, sizes),
    0,
    id(shared ? gates : gradients),
    inputProduct === undefined ? -1 : 0,
    0,
    (inputProduct?.gates ?? 0) * padded(inputProduct?.width ?? 0),
    graph.output,
    Math.max(1, Math.floor(CHUNK_ELEMENTS / widest)),
    start,
    start + forwardWords.length,
    start + forwardWords.length + backwardWords.length,
    gradientWords.length,
  ];
  const words = Int32Array.from([
    ...header,
    ...new Array<number>(HEADER_WORDS - header.length).fill(0),
    ...tables,
    ...forwardWords,
    ...backwardWords,
    ...gradientWords,
  ]);
  return {
    words,
    input: inputSize === 0 ? 0 : inputWidth(graph, sizes),
    weights: graph.weights,
    biases,
    vectors: lowered.vectors,
    inputs: lowered.inputs,
  };
}

const HEADER_WORDS = 32;

function inputWidth(graph: Graph, sizes: Sizes): number {
  return sizeOfWidth(graph.inputWidth, sizes);
}

/** Places of what is there before the step, and of the gates. */
function placeLeaves(
  lowered: Lowered,
  widths: readonly number[],
  gates: Buffer,
): { states: Buffer[]; previous: Buffer[]; vectors: Buffer[]; inputs: Buffer[] } {
  const make = (kind: number) => (width: number, of: number) => ({ kind, stride: padded(width), of, flags: 0 });
  const states = widths.map(make(bufferKinds.state));
  const previous = widths.map(make(bufferKinds.previous));
  const vectors = lowered.vectors.map(({ width }, i) => make(bufferKinds.vector)(width, i));
  const inputs = lowered.inputs.map(({ width }, i) => make(bufferKinds.input)(width, i));
  const of = { state: previous, vector: vectors, input: inputs };
  for (const value of lowered.values) {
    if (value.leaf !== undefined) {
      value.place = { buffer: of[value.leaf.kind][value.leaf.number] as Buffer, column: 0 };
    } else if (value.gate !== undefined) {
      value.place = { buffer: gates, column: value.gate.column };
    }
  }
  return { states, previous, vectors, inputs };
}

function biasSlices(graph: Graph, lowered: Lowered, sizes: Sizes): BiasSlice[] {
  const slices: BiasSlice[] = [];
  for (const bias of graph.biases) {
    const own = lowered.gates
      .filter(({ gate }) => gate?.node.biases.includes(bias))
      .map(({ gate, width }) => ({
        first: firstRow(bias, gate?.node.name ?? "", sizes),
        width,
        column: gate?.column ?? 0,
      }))
      .sort((a, b) => a.first - b.first);
    for (const { first, width, column } of own) {
      const last = slices.at(-1);
      if (
        last?.bias === bias &&
        last.width === width &&
        last.first + last.gates * width === first &&
        last.column + last.gates * padded(width) === column
      ) {
        last.gates++;
      } else {
        slices.push({ bias, first, gates: 1, width, column });
      }
    }
  }
  return slices;
}

/** Writes instructions as words. */
class Writer {
  readonly #numbers: ReadonlyMap<Buffer, number>;

  constructor(numbers: ReadonlyMap<Buffer, number>) {
    this.#numbers = numbers;
  }

  /** Buffer and column. */
  #at(register: Register | undefined): [buffer: number, column: number] {
    if (register === undefined) return [-1, 0];
    const { buffer, column } = register.place as Place;
    return [this.#numbers.get(buffer) as number, column];
  }

  instructions(instructions: readonly Instruction[], matrices: readonly Matrix[]): number[] {
    return instructions.flatMap((made) => {
      if (made.kind === "block") {
        const words = made.operations.flatMap((operation) => this.#operation(operation));
        return [3, 2 + words.length, ...words];
      }
      const [source, sourceColumn] = this.#at(made.source);
      const [target, targetColumn] = this.#at(made.target);
      const matrix = matrices.indexOf(made.matrix);
      const code = made.kind === "product" ? 1 : 2;
      const columns = [sourceColumn + made.sourceColumn, targetColumn + made.targetColumn] as const;
      return [code, 10, source, columns[0], matrix, target, columns[1], made.start, 0, 0];
    });
  }

  weightGradient({ instruction }: ForwardProduct, matrices: readonly Matrix[]): number[] {
    const [source, column] = this.#at(instruction.source);
    const matrix = matrices.indexOf(instruction.matrix);
    return [4, 6, matrix, source, column + instruction.sourceColumn, instruction.targetColumn];
  }

  #operation(operation: Operation): number[] {
    const { code, out, addend, accumulate } = operation;
    if (addend === undefined) return this.#words(operation);
    const samePlace = out.place?.buffer === addend.place?.buffer && out.place?.column === addend.place?.column;
    if (samePlace) return this.#words({ ...operation, accumulate: true });
    if (code === operationCodes.mul && !accumulate) {
      return this.#words({ ...operation, code: operationCodes.multiplyAdd, c: addend });
    }
    const { width } = out;
    const sum = { code: operationCodes.copy, width, immediate: 0, accumulate: true, out, a: addend };
    return [...this.#words(operation), ...this.#words(sum)];
  }

  #words({ code, width, immediate, accumulate, out, a, b, c }: Operation): number[] {
    const operands = [out, a, b, c].flatMap((register) => this.#at(register));
    return [code, width, bitsOf(immediate), accumulate ? 1 : 0, ...operands];
  }
}

const float = new Float32Array(1);
const bits = new Int32Array(float.buffer);

function bitsOf(value: number): number {
  float[0] = value;
  return bits[0] as number;
}
