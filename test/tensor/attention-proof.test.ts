/**
 * The proof that the tape carries what is to come: two networks joined by attention, a decoder fed its own output,
 * several losses, inputs of different lengths. It is an encoder-decoder with dot attention (Luong et al. 2015) that
 * learns to copy.
 */
import { expect, it } from "vitest";
import * as u from "../../ts/index.js";
import { numbers } from "./reference.js";

const [symbols, longest, hidden] = [8, 6, 32];
const [end, start, vocabulary] = [symbols, symbols + 1, symbols + 2];

class Copier extends u.Module {
  readonly embed = new u.Embedding(vocabulary, 16);
  readonly encoder = new u.GRU(16, hidden);
  readonly decoder = new u.GRUCell(16 + hidden, hidden);
  readonly combine = new u.Linear(2 * hidden, hidden);
  readonly head = new u.Linear(hidden, vocabulary);

  /** Logits of each step; the decoder is fed the targets, or what it chose itself. */
  forward({ source, lengths, padding, targets }: Batch, teacher: boolean): u.Tensor[] {
    const rows = lengths.length;
    const { output: memory, state } = this.encoder.forward(this.embed.forward(source), { lengths });
    let h = u.reshape(state.h, [rows, hidden]);
    let context = u.zeros([rows, hidden]);
    let input = new Int32Array(rows).fill(start);
    return targets.map((target) => {
      ({ h } = this.decoder.forward(u.concat([this.embed.forward(u.ids(input)), context]), { h }));
      const scores = u.matmul(u.reshape(h, [rows, 1, hidden]), memory, { transposeB: true });
      const attention = u.softmax(u.maskedFill(scores, padding, -1e9));
      const attended = u.reshape(u.matmul(attention, memory), [rows, hidden]);
      context = u.tanh(this.combine.forward(u.concat([attended, h])));
      const logits = this.head.forward(context);
      input = Int32Array.from(teacher ? target : u.argmax(logits).data, (id) => Math.max(id, 0));
      return logits;
    });
  }
}

/** Rows of random symbols, and what is to be written at each step: the row, `end`, then nothing (-100). */
function draw(rows: number, seed: number) {
  const lengths = Int32Array.from(numbers(rows, seed, 1, longest + 1), Math.floor);
  const data = Int32Array.from(numbers(rows * longest, seed + 1, 0, symbols), Math.floor);
  const target = (row: number, t: number) =>
    t < lengths[row]! ? data[row * longest + t]! : t === lengths[row] ? end : -100;
  return {
    lengths,
    source: u.ids(data, [rows, longest]),
    padding: u.ids(
      data.map((_, i) => +(i % longest >= lengths[Math.floor(i / longest)]!)),
      [rows, 1, longest],
    ),
    targets: Array.from({ length: longest + 1 }, (_, t) => Int32Array.from(lengths, (_, row) => target(row, t))),
  };
}
type Batch = ReturnType<typeof draw>;

it("an attention encoder-decoder, fed its own output, learns to copy", () => {
  const model = new Copier().init({ seed: 1, core: u.createCore() });
  const optimizer = new u.Adam(model, { lr: 4e-3 });
  for (let i = 0; i < 700; i++) {
    const batch = draw(32, 2 * i);
    optimizer.update(
      () => {
        const losses = model
          .forward(batch, i % 4 !== 3)
          .map((logits, t) => u.crossEntropy(logits, batch.targets[t]!, { reduction: "sum" }));
        return u.mul(
          losses.reduce((a, b) => u.add(a, b)),
          1 / 32,
        );
      },
      { clipGradNorm: 5 },
    );
  }
  const unseen = draw(200, 1_000_001);
  const written = model.run((m) => m.forward(unseen, false).map((logits) => u.argmax(logits).data));
  const exact = [...unseen.lengths].filter((length, row) =>
    unseen.targets.every((target, t) => t > length || target[row] === written[t]![row]),
  );
  expect(exact.length / 200).toBeGreaterThanOrEqual(0.95);
});
