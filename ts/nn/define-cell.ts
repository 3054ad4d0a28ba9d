/**
 * Cells from their equations.
 *
 * The step is traced once into a graph ({@link trace}), from which layers of any sizes are made: their parameters, and
 * programs that the core runs over whole sequences, forward and back.
 */
import { ArgumentError } from "../errors.js";
import type { Initializer } from "../tensor/parameter.js";
import type { Tensor } from "../tensor/tensor.js";
import { type CellSizes, type CompiledOptions, type CompiledRunOptions, compiledKind } from "./compiler/compiled.js";
import type { RecurrenceDropout } from "./compiler/dropout.js";
import type { Graph } from "./compiler/graph.js";
import { type CellDefinition, trace } from "./compiler/trace.js";
import { withObservedGates } from "./compiler/variants.js";
import {
  type CellOptions,
  RecurrentCell,
  RecurrentLayer,
  type RecurrentOptions,
  type SequenceOptions,
} from "./recurrent.js";
import type { RecurrentState } from "./state.js";

/** State of a compiled cell: a tensor (numLayers * directions, B, width) for each name. */
export type CompiledState<S extends string> = { readonly [name in S]: Tensor };

/** What `forward` of a compiled layer takes besides the sequences. */
export interface CompiledSequenceOptions<S extends string>
  extends SequenceOptions<CompiledState<S>>,
    CompiledRunOptions {}

/** Options of a compiled layer. */
export type CompiledLayerOptions = RecurrentOptions & RecurrenceDropout & CompiledOptions & CellSizes;

/** Layers of a compiled cell. */
export type CompiledLayer<S extends string> = RecurrentLayer<CompiledState<S>, CompiledSequenceOptions<S>>;

/** The class of a compiled cell's layers, as `LSTM` is; `Cell` is one step, as `LSTMCell`. */
export interface CompiledClass<S extends string> {
  /** The definition's name, by which model files know the cell. */
  readonly cellName: string;
  /** A layer. */
  new (inputSize: number, hiddenSize: number, options?: CompiledLayerOptions): CompiledLayer<S>;
  /** One step of it. */
  readonly Cell: CompiledCellClass<S>;
}

/** The class of one step of a compiled cell, as `LSTMCell` is. */
export interface CompiledCellClass<S extends string> {
  /** A cell. */
  new (
    inputSize: number,
    hiddenSize: number,
    options?: CellOptions & CompiledOptions & CellSizes,
  ): RecurrentCell<CompiledState<S>>;
}

/** A compiled layer, for whoever looks at its gates. @internal */
export interface ObservableLayer extends RecurrentLayer<RecurrentState> {
  /** One layer in one direction whose gates are states too: `OBSERVED` and the gate's name. */
  observed(inputSize: number): RecurrentLayer<RecurrentState>;
}

class ObservedLayer extends RecurrentLayer<RecurrentState> {}

/** What {@link defineCell} takes. */
export interface CellDefinitionOptions<S extends string, E extends string = never> extends CellDefinition<S, E> {
  /**
   * How parameters are drawn, by their names without suffix (`weight_hh`); default U(-1/sqrt(H), 1/sqrt(H)). The
   * option `initializer` of a layer comes first.
   */
  readonly initializers?: Readonly<Record<string, Initializer>>;
}

/**
 * The class of a recurrent layer from the equations of one step:
 *
 * ```ts
 * export const PeepholeLSTM = defineCell({            // Gers & Schmidhuber 2000
 *   name: "PeepholeLSTM",
 *   state: ["h", "c"],
 *   step({ x, h, c }, { gate, vector, sigmoid, tanh }) {
 *     const i = sigmoid(gate("i", x, h).add(vector("p_i").mul(c)));
 *     const f = sigmoid(gate("f", x, h).add(vector("p_f").mul(c)));
 *     const g = tanh(gate("g", x, h));
 *     const cNext = f.mul(c).add(i.mul(g));
 *     const o = sigmoid(gate("o", x, h).add(vector("p_o").mul(cNext)));
 *     return { h: o.mul(tanh(cNext)), c: cNext };
 *   },
 * });
 * const layer = new PeepholeLSTM(64, 128, { numLayers: 2 });
 * ```
 *
 * The parameters of layer k are `weight_ih_l{k}` (gates by rows, those that take x), `weight_<s>h_l{k}` for each state
 * s that gates take, `bias_l{k}`, and the vectors by their names; the reverse direction has the suffix `_reverse`.
 *
 * @throws CellDefinitionError naming the cell and the offending expression
 */
export function defineCell<const S extends string, const E extends string = never>(
  definition: CellDefinitionOptions<S, E>,
): CompiledClass<S> {
  const graph = traceChecked(definition);
  return classOf(definition, () => graph);
}

/**
 * {@link defineCell} for cells of our own, of which it is known that they can be traced: that is done when the first
 * layer is made, so that loading the package takes no time for them.
 */
export function defineCellLazily<const S extends string, const E extends string = never>(
  definition: CellDefinitionOptions<S, E>,
): CompiledClass<S> {
  let graph: Graph | undefined;
  return classOf(definition, () => {
    graph ??= traceChecked(definition);
    return graph;
  });
}

/** @throws CellDefinitionError; ArgumentError for an initializer of no parameter */
function traceChecked<S extends string, E extends string>(definition: CellDefinitionOptions<S, E>): Graph {
  const graph = trace(definition);
  const parameters = [...graph.weights, ...graph.biases, ...graph.vectors];
  for (const parameter of Object.keys(definition.initializers ?? {})) {
    if (parameters.some((known) => known.name === parameter)) continue;
    throw new ArgumentError(
      definition.name,
      "initializers",
      `by ${parameters.map((known) => known.name).join(", ")}`,
      parameter,
    );
  }
  return graph;
}

function classOf<S extends string, E extends string>(
  { name, initializers = {} }: CellDefinitionOptions<S, E>,
  graph: () => Graph,
): CompiledClass<S> {
  class Cell extends RecurrentCell<CompiledState<S>> {
    constructor(inputSize: number, hiddenSize: number, options: CellOptions & CompiledOptions & CellSizes = {}) {
      super(compiledKind(graph(), initializers, hiddenSize, options), inputSize, hiddenSize, options);
    }
  }
  class Layer extends RecurrentLayer<CompiledState<S>, CompiledSequenceOptions<S>> {
    static readonly cellName = name;
    static readonly Cell = Cell;
    readonly #options: CompiledLayerOptions;

    constructor(inputSize: number, hiddenSize: number, options: CompiledLayerOptions = {}) {
      super(compiledKind(graph(), initializers, hiddenSize, options, options), inputSize, hiddenSize, options);
      this.#options = options;
    }

    observed(inputSize: number): RecurrentLayer<RecurrentState> {
      const { hiddenSize } = this;
      const kind = compiledKind(withObservedGates(graph()), initializers, hiddenSize, this.#options, this.#options);
      return new ObservedLayer(kind, inputSize, hiddenSize, {});
    }
  }
  // Error messages name the cell, whatever a minifier makes of these classes.
  Object.defineProperty(Layer, "name", { value: name });
  Object.defineProperty(Cell, "name", { value: `${name}.Cell` });
  return Layer;
}
