/** Group clip: gradients in, clipped gradients and the norm before out. */
import { clipGradients } from "../../../ts/index.js";
import type { Case, Results } from "../corpus.js";
import { ofRole } from "../vjp.js";

export function clipNorm(test: Case): Results {
  const { max_norm: clipGradNorm, norm_type: type } = test.document.config as {
    max_norm: number;
    norm_type: number | "inf";
  };
  if (type !== 2 && type !== "inf") throw new Error(`unknown norm ${type}`);
  return clip(test, { clipGradNorm, normType: type === 2 ? 2 : Infinity });
}

export function clipValue(test: Case): Results {
  return clip(test, { clipGradValue: test.document.config["clip_value"] as number });
}

function clip(test: Case, options: Parameters<typeof clipGradients>[1]): Results {
  const grads = new Map([...ofRole(test, "in")].map(([name, { data }]) => [name, data]));
  const norm = clipGradients(grads, options);
  const results: Results = new Map([...grads].map(([name, data]) => [`out.${name}`, { data }]));
  return results.set("total_norm", { data: [norm] });
}
