/** A compiled layer as a cell of a stream: a call of one step and one row, whose states are replaced. */
import type { Core } from "../core/core.js";
import {
  ARGUMENT_WORDS,
  PointerTable,
  type PreparedProgram,
  type ProgramOperands,
  partPointers,
  writeArguments,
} from "./program.js";
import { runScope } from "./scope.js";
import type { StreamCell, StreamEdges } from "./stream.js";
import type { Tensor } from "./tensor.js";

/** What a stream needs to know of a compiled layer. */
export interface StreamProgram {
  /** Name for error messages. */
  readonly where: string;
  readonly program: PreparedProgram;
  /** Width of x where the program multiplies it beforehand; 0: it does not. */
  readonly input: number;
  /** The state that is the output, and its width. */
  readonly output: { readonly state: number; readonly width: number };
  /** The program's further inputs. */
  readonly inputs: readonly { readonly name: string; readonly width: number }[];
  /** What it multiplies and adds, as it is now; constants are made in the current scope. */
  operands(core: Core): ProgramOperands;
  /** The further inputs that are not x, made in the current scope: the same at every step. */
  constantInputs(core: Core): ReadonlyMap<string, { readonly tensor: Tensor }>;
}

/** The block of arguments has its table of pointers behind it, and then the further inputs. */
export class ProgramStream implements StreamCell {
  readonly words: number;
  readonly #layer: StreamProgram;
  readonly #table: PointerTable;

  constructor(layer: StreamProgram, counts: ConstructorParameters<typeof PointerTable>) {
    const constants = layer.inputs.reduce((sum, { name, width }) => sum + (name === "x" ? 0 : width), 0);
    this.#layer = layer;
    this.#table = new PointerTable(...counts);
    this.words = ARGUMENT_WORDS + this.#table.size + constants;
  }

  get output(): number {
    return this.#layer.output.width;
  }

  get version(): number {
    return this.#layer.program.packings;
  }

  fill(core: Core, at: number, { inputs: [x], id, states }: StreamEdges): number {
    const { where, program, input, inputs, output } = this.#layer;
    runScope(core, () => {
      const operands = this.#layer.operands(core);
      const given = this.#layer.constantInputs(core);
      let end = at + (ARGUMENT_WORDS + this.#table.size) * 4;
      const inputPointers = inputs.map(({ name, width }) => {
        if (name === "x") return x as number;
        const from = (given.get(name) as { tensor: Tensor }).tensor.resolve(where);
        core.u8.copyWithin(end, from, from + width * 4);
        end += width * 4;
        return end - width * 4;
      });
      const ids = input === 0 ? 0 : id;
      const pointers = {
        ...program.reserve(core),
        x: ids === 0 && input > 0 ? (x as number) : 0,
        ids,
        table: 0,
        tableRows: 0,
        parts: partPointers(operands, where),
        inputs: inputPointers,
      };
      const still = { time: input, batch: input };
      const step = {
        ...operands,
        core,
        batch: 1,
        input,
        reverse: false,
        xStrides: still,
        inputs: inputs.map(() => still),
        out: null,
        outStrides: still,
        outColumn: 0,
      };
      const segment = { start: 0, steps: 1, lengths: 0 };
      writeArguments(step, pointers, this.#table, segment, false, states, states, at >>> 2);
      program.refresh({ core, where, versions: operands.versions }, at, false);
    });
    return states[output.state] as number;
  }
}
