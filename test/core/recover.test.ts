/** A trap at any place, and what `recover()` brings back: training goes on with the bytes of a run without one. */
import { describe, expect, it } from "vitest";
import * as u from "../../ts/index.js";

const text = "the quick brown fox jumps over the lazy dog. ".repeat(3);
const tokenizer = u.CharTokenizer.from(text);
const batches = u.lanes(tokenizer.encode(text), { batchSize: 2, seqLen: 7 }).train;

/** A call of the core that traps: it fills memory that there is not. */
const trap = (core: u.Core) => core.raw.ur_fill(0xffff_ff00, 1000, 0);

function setUp() {
  const core = u.createCore();
  const model = new u.LanguageModel({ tokenizer, cell: u.LSTM, hiddenSize: 5, dropout: 0.2 }).init({ seed: 3, core });
  const optimizer = new u.Adam(model, { lr: 0.02 });
  const state = new u.CarriedState<u.RecurrentState>();
  const update = (n: number, before = () => {}, after = () => {}) =>
    optimizer.update(() => {
      before();
      const loss = model.loss(batches.batch(n), state);
      after();
      return loss;
    });
  /** Everything that must come back. */
  const all = () => ({ weights: model.stateDict(), optimizer: optimizer.stateDict(), state: state.toArrays() });
  return { core, model, optimizer, state, update, all };
}

/** Makes the export of a core trap at its n-th call from now on. */
function trapIn(core: u.Core, name: "ur_sequence_backward" | "ur_adam" | "ur_sum_squares", call: number) {
  const { raw } = core;
  let calls = 0;
  core.raw = {
    ...raw,
    memory: raw.memory,
    [name]: (...given: never[]) => {
      if (++calls === call) trap({ raw } as u.Core);
      return (raw[name] as (...given: never[]) => number)(...given);
    },
  };
}

function errorOf(work: () => unknown): u.CorePoisonedError {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(u.CorePoisonedError);
    return error as u.CorePoisonedError;
  }
  throw new Error("did not trap");
}

describe("recover", () => {
  for (const [place, arrange] of [
    ["before the forward pass", (core, update) => update(3, () => trap(core))],
    ["after it, when the state is set", (core, update) => update(3, undefined, () => trap(core))],
    [
      "in the backward pass",
      (core, update) => {
        trapIn(core, "ur_sequence_backward", 1);
        update(3);
      },
    ],
    [
      "in the norm of the gradients",
      (core, update) => {
        trapIn(core, "ur_sum_squares", 2);
        update(3);
      },
    ],
  ] as [string, (core: u.Core, update: ReturnType<typeof setUp>["update"]) => void][]) {
    it(`brings the last completed update back after a trap ${place}`, () => {
      const [trapped, whole] = [setUp(), setUp()];
      for (let n = 0; n < 3; n++) {
        trapped.update(n);
        whole.update(n);
      }
      const error = errorOf(() => arrange(trapped.core, trapped.update));
      expect(error.cause).toBeInstanceOf(WebAssembly.RuntimeError);
      expect(error.message).toMatch(/core\.recover\(\)/);
      expect(trapped.all(), "before recovery").toEqual(whole.all());
      errorOf(() => trapped.update(3));
      trapped.core.recover();
      expect(trapped.core.poisoned).toBe(false);
      expect(trapped.all(), "after recovery").toEqual(whole.all());
      for (let n = 3; n < 6; n++) {
        expect(trapped.update(n)).toEqual(whole.update(n));
      }
      expect(trapped.all()).toEqual(whole.all());
    });
  }

  it("says when the trap came while values were written, and takes a checkpoint then", () => {
    const { core, model, optimizer, state, update } = setUp();
    update(0);
    const checkpoint = u.writeCheckpoint(model, optimizer, { numbers: {}, state: state.toArrays() });
    trapIn(core, "ur_adam", 2);
    errorOf(() => update(1));
    expect(errorOf(() => core.recover()).message).toMatch(/while values were being written; load a checkpoint/);
    expect(core.poisoned).toBe(false);
    const progress = u.readCheckpoint(checkpoint, model, optimizer);
    state.fromArrays(progress.state, core);
    const whole = setUp();
    whole.update(0);
    expect(update(1)).toEqual(whole.update(1));
    expect(model.stateDict()).toEqual(whole.model.stateDict());
  });

  it("throws the parts of an accumulated update away, which begins anew", () => {
    const [trapped, whole] = [setUp(), setUp()];
    const part = ({ model, state }: ReturnType<typeof setUp>, n: number) => model.loss(batches.batch(n), state);
    trapped.optimizer.accumulate(() => part(trapped, 0));
    errorOf(() =>
      trapped.optimizer.accumulate(() => {
        const loss = part(trapped, 1);
        trap(trapped.core);
        return loss;
      }),
    );
    trapped.core.recover();
    expect(trapped.state.toArrays()).toBeUndefined();
    for (const each of [trapped, whole]) {
      for (const n of [0, 1]) each.optimizer.accumulate(() => part(each, n));
    }
    expect(trapped.optimizer.updateFromParts()).toEqual(whole.optimizer.updateFromParts());
    expect(trapped.all()).toEqual(whole.all());
  });

  it("frees what was disposed of after the trap, keeps the rest, and can be repeated", () => {
    const core = u.createCore();
    const before = core.persistentBytes;
    const kept = u.tensor([1, 2, 3], [3], core);
    const bytes = core.persistentBytes;
    for (let i = 0; i < 3; i++) {
      const dropped = u.zeros([1000], core);
      errorOf(() => u.runScope(core, () => trap(core)));
      dropped.dispose();
      core.recover();
      expect(core.persistentBytes).toBe(bytes);
      expect([...u.runScope(core, () => u.mul(kept, 2).toArray())]).toEqual([2, 4, 6]);
    }
    // More memory than a fresh instance begins with.
    const large = u.full([3_000_000], 1.5, core);
    errorOf(() => u.runScope(core, () => trap(core)));
    core.recover();
    expect(u.runScope(core, () => u.sum(large).item())).toBe(4_500_000);
    large.dispose();
    kept.dispose();
    core.recover();
    expect(core.persistentBytes).toBe(before);
  });

  it("leaves a session that is not stepping as it is", () => {
    const { core, model, update } = setUp();
    const [session, other] = [new u.Session(model), new u.Session(model)];
    for (const each of [session, other]) each.step(2);
    errorOf(() => update(0, () => trap(core)));
    core.recover();
    expect(session.save()).toEqual(other.save());
    expect(session.save()).toBeDefined();
    other.step(3);
    expect(session.feed(Int32Array.of(3, 1))).toEqual(other.step(1));
    expect(session.step(4)).toEqual(other.step(4));
  });
});

describe("a run that traps", () => {
  it("ends with an error and a checkpoint of its last update, from which it ends as if nothing had been", async () => {
    const options = { updates: 9, checkpointEvery: 4, clipGradNorm: 1 };
    const whole = setUp();
    await u.train(whole.model, batches, { ...options, optimizer: whole.optimizer }).done;

    const { core, model, optimizer } = setUp();
    const checkpoints: u.CheckpointEvent[] = [];
    const loss = (
      lm: typeof model,
      batch: ReturnType<typeof batches.batch>,
      state: u.CarriedState<u.RecurrentState>,
    ) => {
      const value = lm.loss(batch, state);
      if (optimizer.updates === 6 && resume === undefined) trap(core);
      return value;
    };
    let resume: Uint8Array | undefined;
    const run = u.train(model, batches, {
      ...options,
      optimizer,
      loss,
      onEvent: (event) => void (event.kind === "checkpoint" && checkpoints.push(event)),
    });
    await expect(run.done).rejects.toThrow(u.CorePoisonedError);
    expect(checkpoints.map(({ update }) => update)).toEqual([4, 6]);
    core.recover();
    resume = checkpoints.at(-1)?.bytes;
    await u.train(model, batches, { ...options, optimizer, loss, resume }).done;
    expect(model.stateDict()).toEqual(whole.model.stateDict());
  });
});
