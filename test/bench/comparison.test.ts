import { describe, expect, it } from "vitest";
import { compareLosses, type Result, table } from "./comparison.mjs";

const trained = (system: string, first: number, last: number, steps: number, value = 100): Result => ({
  ...{ system, variant: system === "unrolled" ? "wasm-simd" : "core", workload: "W2", metric: "chars_per_s", value },
  ...{ better: "higher", steps, loss_first: first, loss_last: last },
});

describe("results of several systems", () => {
  it("have medians, spreads and ratios, best first", () => {
    const rounds = [100, 130, 110].map((value) => trained("unrolled", 4.17, 4, 5, value));
    const lines = table([...rounds, trained("other", 4.17, 4, 5, 220)]).split("\n");
    expect(lines.slice(2)).toEqual([
      "| W2 chars_per_s | other core | 220.00 | 0% | 2.000 | 4.170 to 4.000 in 5 |",
      "| W2 chars_per_s | unrolled wasm-simd | 110.00 | 27% | 1.000 | 4.170 to 4.000 in 5 |",
    ]);
  });

  it("are alike when all learn as much in a step", () => {
    const results = [trained("unrolled", 4.17, 4.1, 5), trained("a", 4.2, 4.0, 10), trained("b", 4.15, 4.1, 4)];
    expect(compareLosses(results)).toEqual([]);
  });

  it("name one that begins elsewhere, does not learn, or learns little", () => {
    const others = [trained("a", 4.2, 4.0, 10), trained("b", 4.15, 4.1, 4)];
    const odd = (system: Result) => compareLosses([system, ...others]).join("\n");
    expect(odd(trained("unrolled", 2.3, 2.2, 5))).toMatch(/unrolled.*first loss of 2.300, others 4.150/);
    expect(odd(trained("unrolled", 4.17, 4.17, 5))).toMatch(/unrolled.*does not learn/);
    expect(odd(trained("unrolled", 4.17, Number.NaN, 5))).toMatch(/unrolled.*does not learn/);
    expect(odd(trained("unrolled", 4.17, 4.16, 20))).toMatch(/unrolled.*times less in a step/);
  });
});
