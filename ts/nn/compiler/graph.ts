/**
 * One step of a cell as a graph: what tracing makes of the equations, and what is executed.
 *
 * A node comes after everything it depends on. Widths are names ("hidden") until a layer gives the sizes.
 */
import type { unaryKinds } from "../../tensor/kinds.js";
import type { Initializer } from "../../tensor/parameter.js";

/** Name of a size ("input" and "hidden" are the constructor's arguments, others are options `<name>Size`), or a number. */
export type Width = string | number;

/** Name of a function of one value. */
export type UnaryName = keyof typeof unaryKinds;

/** Name of a function of two values. */
export type BinaryName = "add" | "sub" | "mul" | "div" | "maximum" | "minimum";

/** One product of a gate: rows of a weight times a source. */
export interface Product {
  readonly source: GraphNode;
  readonly weight: StackedParameter;
  /** Number of diagonal blocks of the product; 1: a full matrix. */
  readonly heads: number;
}

/** A parameter whose rows are those of several gates, one after the other. */
export interface StackedParameter {
  /** Without the suffix of layer and direction. */
  readonly name: string;
  /** Width of a row; null for a bias, which has one value a row. */
  readonly columns: Width | null;
  /** Number of blocks that a row's width is divided by. */
  readonly heads: number;
  /** What multiplies it comes from the step before, or from within the step: what `weightDropout` applies to. */
  readonly recurrent: boolean;
  /** In the order of the rows. */
  readonly gates: { readonly name: string; readonly width: Width }[];
}

/** A parameter with one value a unit. */
export interface VectorParameter {
  readonly name: string;
  readonly width: Width;
  /** Default: as the weights. */
  readonly initializer: Initializer | undefined;
}

interface Common {
  /** How it was written, for error messages. */
  readonly text: string;
  /** null for constants, which fit every width. */
  readonly width: Width | null;
}

/** The input of the step. */
export type InputNode = Common & { readonly kind: "x" };
/** A state before the step. */
export type StateNode = Common & { readonly kind: "state"; readonly name: string };
/** A further input of every step: declared by the cell, or made by an option of `forward` (resets). */
export type ExtraNode = Common & { readonly kind: "extra"; readonly name: string };
/** A number. */
export type ConstantNode = Common & { readonly kind: "constant"; readonly value: number };
/** A parameter with one value a unit. */
export type VectorNode = Common & { readonly kind: "vector"; readonly vector: VectorParameter };
/** Sum of products and biases. */
export type GateNode = Common & {
  readonly kind: "gate";
  readonly name: string;
  readonly width: Width;
  readonly products: readonly Product[];
  readonly biases: readonly StackedParameter[];
};
/** A function of one value. */
export type UnaryNode = Common & {
  readonly kind: "unary";
  readonly operation: UnaryName;
  readonly alpha: number;
  readonly a: GraphNode;
};
/** A function of two values, of which at most one is a constant. A value of width 1 is broadcast. */
export type BinaryNode = Common & {
  readonly kind: "binary";
  readonly operation: BinaryName;
  readonly a: GraphNode;
  readonly b: GraphNode;
};
/** (a - mean) / sqrt(variance + epsilon) over the units. */
export type NormNode = Common & { readonly kind: "norm"; readonly epsilon: number; readonly a: GraphNode };

/** e^a over its sum over the units. */
export type SoftmaxNode = Common & { readonly kind: "softmax"; readonly a: GraphNode };
/** Mean over the units; its width is 1. */
export type MeanNode = Common & { readonly kind: "mean"; readonly a: GraphNode };

export type GraphNode =
  | InputNode
  | StateNode
  | ExtraNode
  | ConstantNode
  | VectorNode
  | GateNode
  | UnaryNode
  | BinaryNode
  | NormNode
  | SoftmaxNode
  | MeanNode;

/** A state of the cell. */
export interface StateDeclaration {
  readonly name: string;
  readonly width: Width;
}

/** The whole step. */
export interface Graph {
  /** The cell's name. */
  readonly name: string;
  /** In topological order; no node is without use. */
  readonly nodes: readonly GraphNode[];
  readonly states: readonly StateDeclaration[];
  /** The new states, in the order of `states`. */
  readonly next: readonly GraphNode[];
  /** Number of the state that is the output. */
  readonly output: number;
  readonly extras: readonly StateDeclaration[];
  /** Width of x, when the equations demand that it be another than inputSize's own: "hidden" for h + x. */
  readonly inputWidth: Width;
  readonly weights: readonly StackedParameter[];
  readonly biases: readonly StackedParameter[];
  readonly vectors: readonly VectorParameter[];
}

/** What a node depends on. */
export function operands(node: GraphNode): readonly GraphNode[] {
  switch (node.kind) {
    case "gate":
      return node.products.map(({ source }) => source);
    case "unary":
    case "norm":
    case "softmax":
    case "mean":
      return [node.a];
    case "binary":
      return [node.a, node.b];
    default:
      return [];
  }
}

/** Everything that the roots depend on, each node after its operands, in the order in which the roots need them. */
export function reachable(roots: readonly GraphNode[]): GraphNode[] {
  const found = new Set<GraphNode>();
  const visit = (node: GraphNode): void => {
    if (found.has(node)) return;
    for (const operand of operands(node)) visit(operand);
    found.add(node);
  };
  for (const root of roots) visit(root);
  return [...found];
}

/** Whether a node depends on parameters and numbers alone: it is computed once a call. */
export function constantOverTime(nodes: readonly GraphNode[]): ReadonlySet<GraphNode> {
  const found = new Set<GraphNode>();
  for (const node of nodes) {
    const itself = node.kind === "vector" || node.kind === "constant";
    const of = operands(node);
    if (itself || (node.kind !== "gate" && of.length > 0 && of.every((operand) => found.has(operand)))) found.add(node);
  }
  return found;
}

/** A width with the sizes of a layer. */
export function sizeOfWidth(width: Width, sizes: ReadonlyMap<string, number>): number {
  return typeof width === "number" ? width : (sizes.get(width) as number);
}
