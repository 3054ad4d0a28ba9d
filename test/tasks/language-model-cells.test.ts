import { describe, expect, it } from "vitest";
import { cells } from "../../ts/cli/cells.js";
import { createCore } from "../../ts/core/core.js";
import { lanes } from "../../ts/data/lanes.js";
import { LoadError } from "../../ts/errors.js";
import { Session } from "../../ts/infer/session.js";
import { save } from "../../ts/io/model-file.js";
import { LRU } from "../../ts/nn/cells/lru.js";
import type { CellSizes } from "../../ts/nn/compiler/compiled.js";
import { defineCell } from "../../ts/nn/define-cell.js";
import { CarriedState } from "../../ts/nn/state.js";
import { LanguageModel, type RecurrentClass } from "../../ts/tasks/language-model.js";
import { Ids } from "../../ts/tensor/ids.js";
import { CharTokenizer } from "../../ts/text/char-tokenizer.js";
import { Adam } from "../../ts/train/adam.js";

const text = "she sells sea shells on the sea shore ";
const tokenizer = CharTokenizer.from(text);
const core = createCore();

/** A user's own cell, whose output has another size. */
const Mine = defineCell({
  name: "Mine",
  state: { y: "output", h: "hidden" },
  step({ x, y, h }, { gate, linear, tanh, sigmoid }) {
    const next = sigmoid(gate("z", x, h)).mul(tanh(gate("n", x, y)));
    return { y: linear("hy", next, { size: "output" }), h: next };
  },
});

const all: [string, RecurrentClass, CellSizes | undefined][] = [
  ...[...cells].map(([name, cell]): [string, RecurrentClass, undefined] => [name, cell, undefined]),
  ["lru", LRU, { outputSize: 5 }],
  ["mine", Mine, { outputSize: 3 }],
];

describe.each(all)("a language model of %s", (_, cell, cellSizes) => {
  const build = () =>
    new LanguageModel({ tokenizer, cell, hiddenSize: 8, numLayers: 2, embeddingSize: 8, cellSizes }).init({
      seed: 2,
      core,
    });

  it("learns, is saved and loaded, and takes steps", () => {
    const model = build();
    const optimizer = new Adam(model, { lr: 0.02 });
    const carried = new CarriedState<never>();
    const losses: number[] = [];
    for (let epoch = 0; epoch < 4; epoch++) {
      for (const batch of lanes(tokenizer.encode(text.repeat(3)), { batchSize: 3, seqLen: 8 }).train) {
        losses.push(optimizer.update(() => model.loss(batch, carried), { clipGradNorm: 1 }).loss);
      }
    }
    expect(Math.max(...losses.slice(-3))).toBeLessThan(losses[0] as number);
    const again = LanguageModel.from(save(model), { core, cells: [...cells.values(), LRU, Mine] });
    expect(again.stateDict()).toEqual(model.stateDict());
    const ids = tokenizer.encode("she sells");
    const whole = again.run(() => again.forward(new Ids(ids, [1, ids.length])).logits);
    const session = new Session(model);
    const steps = [...ids].map((id) => session.step(id));
    expect(steps.flatMap((row) => [...row])).toEqual([...whole.data]);
    session.dispose();
  });
});

describe("a file of a language model", () => {
  const model = new LanguageModel({ tokenizer, cell: Mine, hiddenSize: 4, cellSizes: { outputSize: 3 } }).init({
    core,
  });

  it("names the cell that is not known", () => {
    expect(() => LanguageModel.from(save(model), { core })).toThrow(LoadError);
    expect(() => LanguageModel.from(save(model), { core })).toThrow(
      /the cell "Mine" .* LanguageModel.from\(file, \{ cells/,
    );
  });

  it.each([[{ outputSize: "3" }], [{ outputSize: 0 }], [{ outputSize: 1e300 }], [{ numLayers: 9 }], [[3]], [{}]])(
    "is refused with sizes %j",
    (cellSizes) => {
      const config = { ...model.config(), cellSizes };
      const described = {
        kind: model.kind,
        tokenizer,
        config: () => config,
        namedParameters: () => model.namedParameters(),
      };
      const bytes = save(described as never);
      expect(() => LanguageModel.from(bytes, { core, cells: [Mine] })).toThrow(LoadError);
    },
  );
});
