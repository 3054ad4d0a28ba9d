/**
 * Finds the first value of a recording that is not finite: in the order of the computation, so that what is named is a
 * cause and not what the cause spoilt.
 */
import { Parameter } from "../tensor/parameter.js";
import type { Tape, TapeNode } from "../tensor/tape.js";
import type { Tensor } from "../tensor/tensor.js";

/**
 * In words: a parameter, an input, an operation with the parameters it uses (or the latest before it), or a gradient.
 * Gradients are looked at from the loss backwards, and only when all values are finite.
 * @internal
 */
export function firstNonFinite(tape: Tape): string {
  const bad = (pointer: number, size: number): boolean =>
    pointer !== 0 && size > 0 && !Number.isFinite(tape.core.raw.ur_max_abs(size, pointer));
  const badValue = (tensor: Tensor | null): boolean => tensor !== null && bad(tensor.pointer, tensor.size);
  const badGradient = (tensor: Tensor | null): boolean => {
    if (tensor === null || !tensor.requiresGrad) return false;
    // Asking the tape for an accumulator would make one.
    const owner = tensor.base ?? tensor;
    return owner.gradient !== 0 && bad(tape.gradient(tensor), tensor.size);
  };
  let latest = "";
  const names = tape.nodes.map((node) => {
    const used = parametersOf(node);
    if (used !== "") latest = used;
    const suffix = used !== "" ? ` with ${used}` : latest === "" ? "" : ` after ${latest}`;
    return node.operation.name + suffix;
  });
  // Directions of a layer write into one output, layers into one final state: whose part is bad shows after the last.
  const writers = new Map<Tensor, number[]>();
  for (const [i, { outputs }] of tape.nodes.entries()) {
    for (const output of outputs) if (output !== null) writers.set(output, [...(writers.get(output) ?? []), i]);
  }
  for (const [i, node] of tape.nodes.entries()) {
    const input = node.inputs.find(badValue);
    if (input instanceof Parameter) return `the value of ${input.name}`;
    if (input !== undefined) return `an input of ${names[i]}`;
    for (const output of node.outputs) {
      const sharers = (output !== null && writers.get(output)) || [];
      if (sharers.at(-1) === i && badValue(output)) return `the output of ${sharers.map((j) => names[j]).join(" or ")}`;
    }
  }
  for (const [i, node] of [...tape.nodes.entries()].reverse()) {
    const input = node.inputs.find((tensor) => !(tensor instanceof Parameter) && badGradient(tensor));
    if (input !== undefined) return `the gradient of an input of ${names[i]}`;
    const parameter = node.inputs.find((tensor) => tensor instanceof Parameter && badGradient(tensor));
    if (parameter instanceof Parameter) return `the gradient of ${parameter.name}`;
  }
  return "the loss";
}

/** Names of the parameters among the inputs. */
function parametersOf({ inputs }: TapeNode): string {
  return inputs.flatMap((tensor) => (tensor instanceof Parameter ? [tensor.name] : [])).join(", ");
}
