// The smallest language model: four letters, h e l o, and a vanilla RNN that learns to spell "hello": many-to-many,
// aligned, at every letter the next one. After l comes l once and o once, so that only the state can tell which.
//   node examples/hello.mjs [--hidden 8] [--seed 1] [--help]
import { parseArgs } from "node:util";
import {
  AdamW,
  CharTokenizer,
  crossEntropy,
  ids,
  LanguageModel,
  RNN,
  Sampler,
  Session,
  softmax,
  tensor,
} from "unrolled";

const { values } = parseArgs({
  options: {
    hidden: { type: "string", default: "8" },
    seed: { type: "string", default: "1" },
    help: { type: "boolean" },
  },
});
if (values.help) {
  console.log("node examples/hello.mjs [--hidden 8] [--seed 1]   trains a vanilla RNN to spell hello");
  process.exit();
}
const seed = Number(values.seed);

const word = "hello";
const tokenizer = new CharTokenizer([..."helo"]);
const model = new LanguageModel({ tokenizer, cell: RNN, hiddenSize: Number(values.hidden) }).init({ seed });
const letters = tokenizer.encode(word);
const inputs = ids(letters.slice(0, -1), [1, word.length - 1]); // h e l l
const targets = ids(letters.slice(1), [1, word.length - 1]); //    e l l o

/** Probabilities of the next letter, from logits. */
const probabilities = (/** @type {Float32Array} */ logits) => model.run(() => softmax(tensor(logits))).data;

/** The smallest of the probabilities that the model gives to the right letters. */
function certainty() {
  const { data } = model.run(() => softmax(model.forward(inputs).logits));
  return Math.min(...Array.from(targets.data, (letter, t) => data[t * tokenizer.size + letter] ?? 0));
}

const optimizer = new AdamW(model, { lr: 0.03 });
while (certainty() <= 0.99) {
  if (optimizer.updates === 2000) throw new Error("not certain after 2000 updates: try another --seed");
  const { loss } = optimizer.update(() => crossEntropy(model.forward(inputs).logits, targets));
  if (optimizer.updates % 20 === 0) console.log(`update ${optimizer.updates}  loss ${loss.toFixed(4)}`);
}
console.log(`certain after ${optimizer.updates} updates\n`);

// A session keeps the state, so that each step takes one letter; what was sampled is the next step's input.
const session = new Session(model);
const sampler = new Sampler({ seed });
let letter = letters[0] ?? 0;
let spelled = tokenizer.decode([letter]);
console.log("read      h      e      l      o    sampled");
while (spelled.length < word.length) {
  const read = tokenizer.decode([letter]);
  const logits = session.step(letter);
  letter = sampler.sample(logits);
  const next = tokenizer.decode([letter]);
  const row = Array.from(probabilities(logits), (p) => p.toFixed(4)).join(" ");
  console.log(`${read}    ${row}  ${next}`);
  spelled += next;
}
session.dispose();
console.log(`\n${spelled}`);
