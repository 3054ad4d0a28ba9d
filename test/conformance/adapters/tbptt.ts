/** Group tbptt: gradients of truncated windows, summed. */
import {
  CarriedState,
  gradients,
  mul,
  type RecurrentState,
  runScope,
  slice,
  sum,
  type Tensor,
  truncatedWindows,
} from "../../../ts/index.js";
import type { Case, Results } from "../corpus.js";
import { given, ofRole, optional } from "../vjp.js";
import { type LayerConfig, makeLayer } from "./recurrent.js";

export function tbptt(test: Case): Results {
  const config = test.document.config as unknown as LayerConfig & { seq_len: number; k1: number; k2: number };
  const layer = makeLayer(config).loadStateDict(ofRole(test, "param"));
  const [x, cotangent] = [given(test, "in.x"), given(test, "cot.y")];
  type Forward = (x: Tensor, options: object) => { output: Tensor; state: RecurrentState };
  const forward: Forward = (part, options) => (layer.forward as Forward).call(layer, part, options);
  const states = new Map([[0, new CarriedState<RecurrentState>()]]);
  runScope(layer.core, () => {
    const [h, c] = [given(test, "in.h0"), optional(test, "in.c0")];
    states.get(0)?.set(c === undefined ? { h } : { h, c });
  });
  const outputs: number[] = [];
  const losses: number[] = [];
  const totals = new Map(layer.parameters().map((parameter) => [parameter, new Float32Array(parameter.size)]));
  for (const { start, from, end } of truncatedWindows(config.seq_len, config)) {
    const { loss, grads } = gradients(
      () => {
        const { output, state } = forward(slice(x, 0, start, end), { state: states.get(start)?.get() });
        const next = new CarriedState<RecurrentState>();
        next.set(state);
        states.set(end, next);
        const last = slice(output, 0, from - start);
        outputs.push(...last.toArray());
        return sum(mul(last, slice(cotangent, 0, from, end)));
      },
      { parameters: totals.keys() },
    );
    losses.push(loss);
    for (const [parameter, total] of totals)
      grads.get(parameter)?.forEach((slope, i) => (total[i] = (total[i] as number) + slope));
  }
  const results: Results = new Map([
    ["out.y", { data: outputs }],
    ["out.window_losses", { data: losses }],
  ]);
  for (const [name, parameter] of layer.namedParameters()) {
    results.set(`grad.param.${name}`, { data: totals.get(parameter) ?? [], shape: parameter.shape });
  }
  return results;
}
