// What is for dinner? Three cooks, each a little network over one-hot vectors:
//   1. a fixed schedule, pizza -> sushi -> waffles -> pizza (one-to-one): a linear map whose weights are a permutation
//      matrix;
//   2. a cook who looks at the weather: on a sunny day he goes out and leaves yesterday's dish, on a rainy one he cooks
//      the next of apple pie -> burger -> chicken (many-to-many, aligned): an Elman network whose weights are set by hand;
//   3. the same cook, learned by an Elman network from examples of weather and dinners.
// The schedules are those of Brandon Rohrer ("How Recurrent Neural Networks and Long Short-Term Memory Work", 2017) and
// Luis Serrano ("A friendly introduction to Recurrent Neural Networks", 2017).
//   node examples/dinner.mjs [--days 12] [--seed 1] [--help]
import { parseArgs } from "node:util";
import { AdamW, crossEntropy, Elman, ids, Linear, oneHot, Session, tensor } from "unrolled";

const { values } = parseArgs({
  options: {
    days: { type: "string", default: "12" },
    seed: { type: "string", default: "1" },
    help: { type: "boolean" },
  },
});
if (values.help) {
  console.log("node examples/dinner.mjs [--days 12] [--seed 1]   predicts dinners, by weights set by hand and learned");
  process.exit();
}
const days = Number(values.days);

/**
 * The index of the largest value of a row.
 * @param {Float32Array} row
 */
const largest = (row) => row.indexOf(Math.max(...row));

// 1. dinner = W yesterday. Column j of W has its one in the row of the dish that follows dish j.
const schedule = ["pizza", "sushi", "waffles"];
const follow = [
  [0, 0, 1],
  [1, 0, 0],
  [0, 1, 0],
];
const map = new Linear(3, 3, { bias: false }).init();
map.weight.write(follow.flat());
console.log("1. a permutation matrix");
/** @type {Float32Array} */
let dish = Float32Array.of(1, 0, 0);
for (let day = 0; day < 4; day++) {
  const next = map.run(() => map.forward(tensor(dish))).data;
  console.log(`${schedule[largest(dish)]} -> ${schedule[largest(next)]} [${next.join(" ")}]`);
  dish = next;
}

// 2. The state has two halves of three: "the old dish again" and "the next dish", one of the six units on each day.
//      h_t = relu(W_ih weather_t + W_hh h_{t-1} - 1)      y_t = V h_t, the dish of either half
//    W_hh maps yesterday's dish to both candidates, the dish itself and the one after it; the weather, as a shift,
//    lifts one half; only the unit that has both exceeds 1.
const dishes = ["apple pie", "burger", "chicken"];
const weathers = ["sunny", "rainy"];
const same = [
  [1, 0, 0],
  [0, 1, 0],
  [0, 0, 1],
];
const cook = new Elman(2, 6, 3, { nonlinearity: "relu" }).init();
cook.loadStateDict(
  new Map(
    Object.entries({
      "rnn.weight_ih_l0": [1, 1, 1, 0, 0, 0].flatMap((old) => [old, 1 - old]),
      "rnn.weight_hh_l0": [...same, ...follow].flatMap((row) => [...row, ...row]),
      "rnn.bias_ih_l0": Array(6).fill(-1),
      "rnn.bias_hh_l0": Array(6).fill(0),
      "head.weight": same.flatMap((row) => [...row, ...row]),
      "head.bias": [0, 0, 0],
    }).map(([name, data]) => [name, { data, shape: cook.stateDict().get(name)?.shape ?? [] }]),
  ),
);

// A generator of our own, so that every run is the same.
let random = Number(values.seed);
const coin = () => {
  random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
  return random >>> 31;
};

/**
 * The rule itself: dinners of a spell of weather, after an apple pie the day before.
 * @param {number[]} weather
 */
function dinners(weather) {
  let today = 0;
  return weather.map((rainy) => {
    today = (today + rainy) % 3;
    return today;
  });
}

/**
 * Follows a spell of weather day by day, and counts the dinners that were predicted.
 * @param {Session} session
 * @param {number[]} weather
 * @param {number} shown - days to print
 */
function follows(session, weather, shown) {
  let right = 0;
  dinners(weather).forEach((dinner, day) => {
    const rainy = weather[day] ?? 0;
    const scores = session.step(Float32Array.of(1 - rainy, rainy));
    if (largest(scores) === dinner) right++;
    if (day >= shown) return;
    const row = Array.from(scores, (score) => score.toFixed(2).padStart(7)).join(" ");
    console.log(`${weathers[rainy]}: ${(dishes[largest(scores)] ?? "").padEnd(9)} [${row}]`);
  });
  console.log(`predicted ${right} of ${weather.length} dinners`);
  session.dispose();
}

const weather = Array.from({ length: 1000 }, coin);
console.log("\n2. weather and yesterday's dinner, weights set by hand");
const byHand = new Session(cook);
byHand.restore({ h: { data: Float32Array.of(1, 0, 0, 0, 0, 0), shape: [1, 1, 6] } }); // apple pie the day before
follows(byHand, weather, days);

// 3. What the rule is, and that there was an apple pie the day before, the network has to find out from examples.
const [rows, steps] = [32, 20];
const learner = new Elman(2, 16, 3).init({ seed: Number(values.seed) });
const optimizer = new AdamW(learner, { lr: 1e-2 });
let loss = Infinity;
while (loss > 0.001) {
  if (optimizer.updates === 3000) throw new Error("not learned after 3000 updates: try another --seed");
  const spells = Array.from({ length: rows }, () => Array.from({ length: steps }, coin));
  const targets = ids(spells.map(dinners));
  ({ loss } = optimizer.update(() => crossEntropy(learner.forward(oneHot(ids(spells), 2)).output, targets), {
    clipGradNorm: 1,
  }));
}
console.log(`\n3. the same, learned from examples of ${steps} days in ${optimizer.updates} updates`);
follows(new Session(learner), weather, days);
