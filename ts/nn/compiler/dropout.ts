/**
 * Dropout within the recurrence of compiled layers. m are masks that are drawn before the sequence is run, as further
 * inputs of the step.
 *
 * - Zoneout: Krueger et al. 2017, "Zoneout: Regularizing RNNs by Randomly Preserving Hidden Activations".
 *
 *     s_t = m_t s'_t + (1 - m_t) s_{t-1}     s' the cell's own new state, m_t 0 with probability p for each unit and
 *                                            step by itself, else 1; 1 - p in place of m_t when not training
 *
 * - Of what recurrent matrices multiply: Gal & Ghahramani 2016, "A Theoretically Grounded Application of Dropout in
 *   Recurrent Neural Networks". One mask m, which is 0 or 1 / (1 - p), for all steps of a sequence and all gates.
 *
 *     W_hh (m h_{t-1})
 *
 * - Of gates: Semeniuta, Severyn & Barth 2016, "Recurrent Dropout without Memory Loss", where it is the candidate's.
 *
 *     c_t = f c_{t-1} + i (m_t g)            m_t 0 or 1 / (1 - p), drawn anew at every step
 */
import { ArgumentError } from "../../errors.js";
import { minimum } from "../../tensor/binary.js";
import { checkProbability, dropout } from "../../tensor/dropout.js";
import { currentTape } from "../../tensor/scope.js";
import { full, ones, type Tensor } from "../../tensor/tensor.js";
import type { CellRun } from "../recurrent.js";
import {
  type BinaryName,
  type Graph,
  type GraphNode,
  operands,
  reachable,
  type StateDeclaration,
  sizeOfWidth,
  type Width,
} from "./graph.js";
import type { ExtraInput, Sizes } from "./reference.js";
import { activationOf, substitute } from "./variants.js";

/** Dropout within the recurrence, as options of a compiled layer; probabilities from 0 to 1, default 0. */
export interface RecurrenceDropout {
  /**
   * Zoneout: probability, by state, that a unit keeps its value of the step before; when not training every unit keeps
   * that part of it. Krueger et al. 2017 have `{ h: 0.05, c: 0.5 }` for characters.
   */
  readonly zoneout?: Readonly<Record<string, number>>;
  /**
   * Probability that a unit of the output h_{t-1} is dropped, while training, where recurrent matrices multiply it: the
   * same units at all steps of a sequence. Gal & Ghahramani 2016.
   */
  readonly recurrentDropout?: number;
  /**
   * Probability, by gate, that a unit of its activation is dropped, while training, at each step by itself. Semeniuta et
   * al. 2016: `{ g: 0.25 }` of an LSTM.
   */
  readonly gateDropout?: Readonly<Record<string, number>>;
}

const RECURRENT = "(recurrent dropout)";
const moves = (state: string): string => `(zoneout ${state})`;
const droppedGate = (gate: string): string => `(dropout ${gate})`;

/** Streams of masks lie this far behind those of dropped weights, of which there are fewer. */
const FIRST_STREAM = 0x10000;

function mask(name: string, width: Width): GraphNode & StateDeclaration {
  return { kind: "extra", name, text: name, width };
}

function binary(operation: BinaryName, a: GraphNode, b: GraphNode, width: Width): GraphNode {
  return { kind: "binary", operation, text: a.text, width, a, b };
}

/** The names with a probability above 0, in alphabetical order. */
function checkedNames(where: string, option: string, given: Readonly<Record<string, number>>): string[] {
  for (const [name, p] of Object.entries(given)) checkProbability(where, `${option}.${name}`, p);
  return Object.keys(given)
    .filter((name) => given[name] !== 0)
    .sort();
}

/** The dropout of one layer: the graphs with masks in them, and the masks. */
export class DroppedRecurrence {
  readonly #graph: Graph;
  readonly #options: Required<RecurrenceDropout>;
  readonly #states: readonly string[];
  readonly #gates: readonly string[];

  /** @throws ArgumentError for no probability, and for what the cell has not */
  constructor(graph: Graph, options: RecurrenceDropout) {
    const where = graph.name;
    const { zoneout = {}, recurrentDropout = 0, gateDropout = {} } = options;
    checkProbability(where, "recurrentDropout", recurrentDropout);
    this.#graph = graph;
    this.#options = { zoneout, recurrentDropout, gateDropout };
    this.#states = checkedNames(where, "zoneout", zoneout);
    this.#gates = checkedNames(where, "gateDropout", gateDropout);
    const states = graph.states.map(({ name }) => name);
    for (const state of this.#states) {
      if (states.includes(state)) continue;
      throw new ArgumentError(where, "zoneout", `probabilities by ${states.join(", ")}`, state);
    }
    this.whileTraining(graph);
  }

  /** Whether graphs differ while training. */
  get onlyTraining(): boolean {
    return this.#options.recurrentDropout > 0 || this.#gates.length > 0;
  }

  /** The graph with what is dropped while training alone. */
  whileTraining(graph: Graph): Graph {
    const recurrent = this.#options.recurrentDropout > 0 ? withMaskedOutput(graph) : graph;
    return this.#gates.reduce(withMaskedGate, recurrent);
  }

  /** The graph with zoneout. */
  always(graph: Graph): Graph {
    return this.#states.reduce(withZoneout, graph);
  }

  /** Draws the masks of a call, by the names of the further inputs. */
  *inputs(
    call: Pick<CellRun, "core" | "batch" | "steps" | "stream" | "optionStrides">,
    sizes: Sizes,
  ): Iterable<readonly [string, ExtraInput]> {
    const { zoneout, recurrentDropout, gateDropout } = this.#options;
    const { batch, steps, core } = call;
    const training = currentTape()?.training === true;
    let stream = call.stream + FIRST_STREAM;
    const draw = (rows: number, width: number, p: number): Tensor =>
      dropout(ones([rows, width], core), p, stream++ >>> 0);
    const sizeOf = (width: Width): number => sizeOfWidth(width, sizes);
    for (const state of this.#states) {
      const p = zoneout[state] as number;
      const width = sizeOf((this.#graph.states.find(({ name }) => name === state) as StateDeclaration).width);
      yield [
        moves(state),
        training
          ? { tensor: minimum(draw(batch * steps, width, p), 1), ...call.optionStrides(width) }
          : { tensor: full([1, width], 1 - p, core), time: 0, batch: 0 },
      ];
    }
    if (!training) return;
    if (recurrentDropout > 0) {
      const width = sizeOf((this.#graph.states[this.#graph.output] as StateDeclaration).width);
      yield [RECURRENT, { tensor: draw(batch, width, recurrentDropout), time: 0, batch: width }];
    }
    for (const gate of this.#gates) {
      const width = sizeOf(activationOf(this.#graph, gate, "gateDropout").width as Width);
      const tensor = draw(batch * steps, width, gateDropout[gate] as number);
      yield [droppedGate(gate), { tensor, ...call.optionStrides(width) }];
    }
  }
}

function withZoneout(graph: Graph, state: string): Graph {
  const i = graph.states.findIndex(({ name }) => name === state);
  const own = graph.next[i] as GraphNode;
  const { width } = graph.states[i] as StateDeclaration;
  const previous: GraphNode = graph.nodes.find((node) => node.kind === "state" && node.name === state) ?? {
    kind: "state",
    name: state,
    text: state,
    width,
  };
  const moving = mask(moves(state), width);
  const one: GraphNode = { kind: "constant", value: 1, text: "1", width: null };
  const keeping = binary("sub", one, moving, width);
  const mixed = binary("add", binary("mul", own, moving, width), binary("mul", previous, keeping, width), width);
  const next = graph.next.map((node, at) => (at === i ? mixed : node));
  return { ...graph, next, nodes: reachable(next), extras: [...graph.extras, moving] };
}

function withMaskedGate(graph: Graph, gate: string): Graph {
  const activation = activationOf(graph, gate, "gateDropout");
  const width = activation.width as Width;
  const drawn = mask(droppedGate(gate), width);
  const replace = (node: GraphNode, rebuilt: GraphNode) =>
    node === activation ? binary("mul", rebuilt, drawn, width) : undefined;
  return substitute(graph, replace, [drawn]);
}

/**
 * Masks what matrices multiply of the output before the step: itself, and what is computed from it without a matrix in
 * between, as r h of a GRU or the states of a recurrent highway.
 * @throws ArgumentError where no matrix multiplies it
 */
function withMaskedOutput(graph: Graph): Graph {
  const { name, width } = graph.states[graph.output] as StateDeclaration;
  const drawn = mask(RECURRENT, width);
  const fromOutput = new Set<GraphNode>();
  for (const node of graph.nodes) {
    const itself = node.kind === "state" && node.name === name;
    const computed = node.kind !== "gate" && operands(node).some((operand) => fromOutput.has(operand));
    if (itself || (computed && node.width === width)) fromOutput.add(node);
  }
  const masked = new Map<GraphNode, GraphNode>();
  // One node for each source: gates of the same source are one product.
  const maskedOf = (source: GraphNode): GraphNode => {
    const known = masked.get(source) ?? binary("mul", source, drawn, width);
    masked.set(source, known);
    return known;
  };
  const made = substitute(
    graph,
    (node, rebuilt) => {
      if (node.kind !== "gate" || rebuilt.kind !== "gate") return undefined;
      const products = rebuilt.products.map((product, i) =>
        fromOutput.has(node.products[i]?.source as GraphNode)
          ? { ...product, source: maskedOf(product.source) }
          : product,
      );
      return { ...rebuilt, products };
    },
    [drawn],
  );
  if (masked.size > 0) return made;
  throw new ArgumentError(graph.name, "recurrentDropout", `0: no matrix multiplies ${name}`, "a probability above 0");
}
