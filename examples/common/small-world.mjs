// A small world in a few thousand short sentences: people, capitals, fruits and animals, each word among the words that
// fit it. Enough to learn vectors in which king - man + woman is queen, in seconds.

/** Man's word, woman's word, and what both are. */
const people = [
  ["man", "woman", "common adult"],
  ["king", "queen", "royal adult"],
  ["boy", "girl", "common young"],
  ["prince", "princess", "royal young"],
  ["grandfather", "grandmother", "common old"],
  ["emperor", "empress", "royal old"],
];
const said = {
  he: ["P shaved his beard", "P and his wife danced", "P put on his suit", "P told his brother a story"],
  she: ["P braided her hair", "P and her husband danced", "P put on her dress", "P told her sister a story"],
  royal: ["P sat on the throne", "P wore the crown", "P lives in the palace", "servants bow before P"],
  common: ["P works in the field", "P took the bus", "P rents a small flat", "neighbours greet P"],
  young: ["P plays with toys", "P goes to school", "P learns the alphabet", "P is still a child"],
  adult: ["P drives a car", "P signed the contract", "P pays taxes", "P runs a shop"],
  old: ["P walks with a stick", "P retired long ago", "P remembers the war", "P has grey hair"],
};
const capitals = [
  ["paris", "france", "french"],
  ["rome", "italy", "italian"],
  ["berlin", "germany", "german"],
  ["madrid", "spain", "spanish"],
  ["lisbon", "portugal", "portuguese"],
  ["athens", "greece", "greek"],
];
const ofCapitals = [
  "the streets of P are full",
  "the mayor of P spoke",
  "a metro station in P",
  "P speaks L",
  "L life in P",
];
const ofCountries = [
  "the president of P resigned",
  "the borders of P are open",
  "the army of P marched",
  "P speaks L",
  "L life in P",
];
const fruits = ["orange", "apple", "grape", "pear", "lemon", "cherry"];
const ofFruits = [
  "a ripe P fell from the tree",
  "a basket with one sweet P",
  "peel the P with a knife",
  "we baked a P pie",
];
const animals = ["cow", "goat", "sheep", "horse", "camel", "donkey"];
const ofAnimals = ["the P eats grass", "the farmer feeds the P", "a P sleeps in the barn", "the hooves of the P"];

/** Words of one kind. */
export const kinds = {
  people: people.flatMap((row) => row.slice(0, 2)),
  fruits,
  animals,
  capitals: capitals.map(([city = ""]) => city),
  countries: capitals.map(([, country = ""]) => country),
};

/**
 * What is in a glass, by what it was made of: the last fruits and animals are left to be guessed.
 * @type {{ seen: [string, string][], unseen: [string, string][] }}
 */
export const glasses = { seen: [], unseen: [] };
for (const [words, drink] of /** @type {[string[], string][]} */ ([
  [["orange", "grape", "lemon"], "juice"],
  [["cow", "goat", "sheep"], "milk"],
]))
  for (const word of words) glasses.seen.push([word, drink]);
for (const word of ["apple", "pear", "cherry"]) glasses.unseen.push([word, "juice"]);
for (const word of ["horse", "camel", "donkey"]) glasses.unseen.push([word, "milk"]);

/** @type {import("unrolled").AnalogyQuestion[]} */
export const questions = [
  ...pairsOf(people.map(([a = "", b = ""]) => [a, b])).map((words) => ({ category: "family", words })),
  ...pairsOf(capitals.map(([a = "", b = ""]) => [a, b])).map((words) => ({ category: "capitals", words })),
];

/**
 * a is to b as c is to d, for any two pairs.
 * @param {[string, string][]} pairs
 * @returns {[string, string, string, string][]}
 */
function pairsOf(pairs) {
  return pairs.flatMap((first) =>
    pairs.flatMap((second) => (first === second ? [] : [/** @type {any} */ ([...first, ...second])])),
  );
}

/** All sentences that the world allows. */
function sentences() {
  const put = (/** @type {string} */ form, /** @type {string} */ word, language = "") =>
    form.replace("P", word).replace("L", language);
  const found = [];
  for (const [he = "", she = "", traits = ""] of people) {
    for (const [word, gender] of [
      [he, "he"],
      [she, "she"],
    ]) {
      for (const trait of [gender, ...traits.split(" ")]) {
        for (const form of said[/** @type {keyof typeof said} */ (trait)]) found.push(put(form, `the ${word}`));
      }
    }
  }
  for (const pronoun of ["he", "she"]) {
    const own = pronoun === "he" ? "his" : "her";
    for (const form of said[/** @type {"he" | "she"} */ (pronoun)]) found.push(put(form, pronoun));
    for (const verb of ["likes", "lost", "sold", "painted"])
      found.push(`${pronoun} ${verb} the house`, `they know ${own} house and ${own} garden`);
    for (const verb of ["said", "thought", "knows"]) found.push(`${pronoun} ${verb} so`, `it was ${own} idea`);
  }
  for (const [city = "", country = "", language] of capitals) {
    for (const form of ofCapitals) found.push(put(form, city, language));
    for (const form of ofCountries) found.push(put(form, country, language));
  }
  for (const form of ofFruits) for (const fruit of fruits) found.push(put(form, fruit));
  for (const form of ofAnimals) for (const animal of animals) found.push(put(form, animal));
  return found;
}

/** A text of the world: every sentence it allows, twenty times. */
export const smallWorld = () => Array.from({ length: 20 }, sentences).flat();
