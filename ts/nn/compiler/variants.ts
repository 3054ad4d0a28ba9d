/** Graphs made from a cell's graph: gates held at a number, states that are reset, gates that are seen. */
import { ArgumentError } from "../../errors.js";
import { unaryKinds } from "../../tensor/kinds.js";
import { type Graph, type GraphNode, operands, reachable, type StateDeclaration, type Width } from "./graph.js";

/** Name of the further input that is 0 before a step whose state is reset, else 1. */
export const KEEP = "(keep)";

/**
 * The graph with some nodes in place of others.
 * @param replace what takes a node's place, if anything, from the node as it was and with its operands replaced
 * @param extras the further inputs that come with them
 */
export function substitute(
  graph: Graph,
  replace: (node: GraphNode, rebuilt: GraphNode) => GraphNode | undefined,
  extras: readonly StateDeclaration[],
): Graph {
  const made = new Map<GraphNode, GraphNode>();
  const of = (node: GraphNode): GraphNode => made.get(node) as GraphNode;
  const rebuilt = (node: GraphNode): GraphNode => {
    if ("b" in node) return { ...node, a: of(node.a), b: of(node.b) };
    if ("a" in node) return { ...node, a: of(node.a) };
    if (node.kind !== "gate") return node;
    return { ...node, products: node.products.map((product) => ({ ...product, source: of(product.source) })) };
  };
  for (const node of graph.nodes) {
    const own = rebuilt(node);
    made.set(node, replace(node, own) ?? own);
  }
  const next = graph.next.map(of);
  return { ...graph, next, nodes: reachable(next), extras: [...graph.extras, ...extras] };
}

/** The activation of a gate: the first function of one value on the way from its products, before any state. */
function activationsOf(graph: Graph, gate: string): ReadonlySet<GraphNode> {
  const found = new Set<GraphNode>();
  const visit = (node: GraphNode): void => {
    const users = graph.next.includes(node) ? [] : graph.nodes.filter((user) => operands(user).includes(node));
    for (const user of users) {
      if (user.kind === "unary" && (unaryKinds[user.operation] < 16 || user.operation === "exp")) found.add(user);
      else if (user.kind !== "gate") visit(user);
    }
  };
  const gates = graph.nodes.filter((node) => node.kind === "gate" && node.name === gate);
  gates.forEach(visit);
  return found.size > 0 ? found : new Set(gates);
}

/** @throws ArgumentError for a gate that there is not, or that is activated in several ways */
export function activationOf(graph: Graph, gate: string, option: string, where = graph.name): GraphNode {
  const [activation, ...others] = activationsOf(graph, gate);
  if (activation !== undefined && others.length === 0) return activation;
  throw new ArgumentError(where, option, "an object of numbers by gates that have one activation", gate);
}

/** Name of the further input that stands for the activation of a gate. */
export function forced(gate: string): string {
  return `(force ${gate})`;
}

/** Whether a further input was made by an option: it wants no gradient. */
export function isOption(input: string): boolean {
  return input.startsWith("(");
}

/**
 * The graph in which further inputs stand for the activations of gates.
 * @throws ArgumentError for a gate that there is not
 */
export function withForcedGates(graph: Graph, gates: readonly string[], where: string): Graph {
  const inputs = new Map<GraphNode, GraphNode>();
  for (const gate of gates) {
    const activation = activationOf(graph, gate, "force", where);
    inputs.set(activation, { kind: "extra", name: forced(gate), text: activation.text, width: 1 });
  }
  const extras = gates.map((gate) => ({ name: forced(gate), width: 1 }));
  return substitute(graph, (node) => inputs.get(node), extras);
}

/** The graph in which every state is multiplied by the further input {@link KEEP}. */
export function withResets(graph: Graph): Graph {
  const keep: GraphNode = { kind: "extra", name: KEEP, text: KEEP, width: 1 };
  const states: ReadonlySet<GraphNode> = new Set(graph.nodes.filter((node) => node.kind === "state"));
  return substitute(
    graph,
    (node) =>
      states.has(node)
        ? { kind: "binary", operation: "mul", text: node.text, width: node.width, a: node, b: keep }
        : undefined,
    [{ name: KEEP, width: 1 }],
  );
}

/** What stands before the name of a gate that is a state too. */
export const OBSERVED = "(gate) ";

/** The graph in which the activation of every gate that has one is a state too, which nothing reads. */
export function withObservedGates(graph: Graph): Graph {
  const names = new Set(graph.nodes.flatMap((node) => (node.kind === "gate" ? [node.name] : [])));
  const observed = [...names].flatMap((name) => {
    const [activation, ...others] = activationsOf(graph, name);
    // Products without a function are no gates to look at.
    if (activation === undefined || activation.kind === "gate" || others.length > 0) return [];
    return [{ name: OBSERVED + name, activation }];
  });
  return {
    ...graph,
    states: [...graph.states, ...observed.map(({ name, activation }) => ({ name, width: activation.width as Width }))],
    next: [...graph.next, ...observed.map(({ activation }) => activation)],
  };
}
