/** Groups generate and surprisal. */
import {
  beamSearch,
  Embedding,
  type Ids,
  Linear,
  LSTM,
  type LSTMState,
  Module,
  Sampler,
  Session,
  softmax,
  type Tensor,
  tensor,
  tokenSurprisal,
} from "../../../ts/index.js";
import { pick } from "../../../ts/infer/sampling.js";
import type { Case, Results } from "../corpus.js";
import { givenIds, ofRole } from "../vjp.js";

/** The corpus's character model. */
class CharModel extends Module {
  readonly embed: Embedding;
  readonly rnn: LSTM;
  readonly out: Linear;

  constructor(config: { vocab: number; embed: number; hidden_size: number; num_layers: number }) {
    super();
    this.embed = new Embedding(config.vocab, config.embed);
    this.rnn = new LSTM(config.embed, config.hidden_size, { numLayers: config.num_layers });
    this.out = new Linear(config.hidden_size, config.vocab);
  }

  forward(ids: Ids, options: { readonly state?: LSTMState } = {}): { logits: Tensor; state: LSTMState } {
    const { output, state } = this.rnn.forward(this.embed.forward(ids), options);
    return { logits: this.out.forward(output), state };
  }
}

export function generation(test: Case): Results {
  const config = test.document.config as unknown as ConstructorParameters<typeof CharModel>[0] & {
    steps: number;
    temperatures: number[];
    beam_width: number;
    beam_len: number;
  };
  const model = new CharModel(config).loadStateDict(ofRole(test, "param"));
  const prompt = givenIds(test, "in.prompt").data;
  const uniform = ofRole(test, "in").get("u")?.data as Float32Array;
  /** As many tokens as the case has steps, each chosen from the logits before it. */
  const follow = (choose: (logits: Float32Array, step: number) => number): number[] => {
    const session = new Session(model);
    let logits = session.feed(prompt) as Float32Array;
    return Array.from({ length: config.steps }, (_, step) => {
      const token = choose(logits, step);
      logits = session.step(token);
      return token;
    });
  };
  const greedy = new Sampler({ temperature: 0 });
  const samples = config.temperatures.flatMap((temperature) =>
    follow((logits, step) => {
      const { data } = model.run(() => softmax(tensor(logits), { temperature }));
      return pick(data as Float32Array, uniform[step] as number);
    }),
  );
  const beams = beamSearch(model, prompt, { beamWidth: config.beam_width, maxTokens: config.beam_len });
  return new Map([
    ["out.first_logits", { data: new Session(model).feed(prompt) as Float32Array }],
    ["out.greedy", { data: follow((logits) => greedy.sample(logits)) }],
    ["out.samples", { data: samples }],
    ["out.beam_ids", { data: beams.flatMap(({ tokens }) => tokens) }],
    ["out.beam_scores", { data: beams.map(({ logProbability }) => logProbability) }],
  ]);
}

export function surprisalOf(test: Case): Results {
  const logits = ofRole(test, "in").get("logits");
  if (logits === undefined) throw new Error(`${test.id} has no logits`);
  const found = tokenSurprisal(logits, givenIds(test, "in.tokens").data);
  return new Map<string, { data: ArrayLike<number> }>([
    ["out.surprisal_bits", { data: found.bits }],
    ["out.entropy_bits", { data: found.entropyBits }],
    ["mean_nats", { data: [found.meanNats] }],
    ["perplexity", { data: [found.perplexity] }],
    ["bits_per_token", { data: [found.bitsPerToken] }],
  ]);
}
