/** Forward values and gradients of a computation, under the names that the corpus gives them. */
import { add, gradients, Ids, mul, sum, type Tensor, tensor } from "../../ts/index.js";
import type { Case, Results } from "./corpus.js";

/** A tensor of the case, in persistent memory. */
export function given(test: Case, name: string): Tensor {
  const { data, shape } = wanted(test, name);
  return tensor(data as Float32Array, shape);
}

/** As {@link given}, undefined where the case lacks it. */
export function optional(test: Case, name: string): Tensor | undefined {
  return test.tensors.has(name) ? given(test, name) : undefined;
}

/** Integers of the case. */
export function givenIds(test: Case, name: string): Ids {
  const { data, shape } = wanted(test, name);
  return new Ids(Int32Array.from(data), shape);
}

/** The case's tensors of one role, by the rest of their names: `param.weight` is `weight` of role `param`. */
export function ofRole(test: Case, role: string): Map<string, { data: Float32Array; shape: readonly number[] }> {
  const found = [...test.tensors].filter(([name]) => name.startsWith(`${role}.`));
  return new Map(
    found.map(([name, { data, shape }]) => [name.slice(role.length + 1), { data: Float32Array.from(data), shape }]),
  );
}

function wanted(test: Case, name: string): NonNullable<ReturnType<Case["tensors"]["get"]>> {
  const found = test.tensors.get(name);
  if (found === undefined) throw new Error(`${test.group}/${test.id} has no ${name}`);
  return found;
}

/**
 * Runs `forward`, whose outputs are named as in the case, and differentiates: with cotangents the loss is the sum of
 * cot.k out.k, else it is the one output `loss`.
 *
 * @param leaves what to differentiate by, by the case's names (`in.x`, `param.weight`)
 */
export function vjp(test: Case, leaves: ReadonlyMap<string, Tensor>, forward: () => Record<string, Tensor>): Results {
  const results: Results = new Map();
  const cotangents = ofRole(test, "cot");
  const { loss, grads } = gradients(
    () => {
      const outputs = forward();
      for (const [name, { data, shape }] of Object.entries(outputs).map(
        ([name, value]) => [name, copy(value)] as const,
      )) {
        results.set(`out.${name}`, { data, shape });
      }
      if (cotangents.size === 0) return outputs["loss"] as Tensor;
      const terms = [...cotangents].map(([name, { data, shape }]) => {
        const output = outputs[name];
        if (output === undefined) throw new Error(`${test.group}/${test.id}: the adapter has no output ${name}`);
        return sum(mul(output, tensor(data, shape)));
      });
      return terms.reduce((total, term) => add(total, term));
    },
    { parameters: leaves.values() },
  );
  results.set("loss", { data: [loss] });
  for (const [name, leaf] of leaves) {
    results.set(`grad.${name}`, { data: grads.get(leaf) as Float32Array, shape: leaf.shape });
  }
  return results;
}

function copy(value: Tensor): { data: ArrayLike<number>; shape: readonly number[] } {
  return { data: value.toArray(), shape: value.shape };
}
