import { expect, it } from "vitest";
import * as u from "../../ts/index.js";

async function all(text: string): Promise<u.AnalogyQuestion[]> {
  const found: u.AnalogyQuestion[] = [];
  for await (const question of u.readAnalogies(text)) found.push(question);
  return found;
}

it("reads questions and their categories", async () => {
  expect(await all("a b c d\r\n: gram1 adjective\n\nbad worst big\tbiggest\n: family\n🦆 é x y")).toEqual([
    { category: "", words: ["a", "b", "c", "d"] },
    { category: "gram1 adjective", words: ["bad", "worst", "big", "biggest"] },
    { category: "family", words: ["🦆", "é", "x", "y"] },
  ]);
  expect(await all("")).toEqual([]);
});

it.each([
  ["a b c d\na b c\n", /line 2: 3 words, expected 4/],
  [": x\na b c d e", /line 2: 5 words, expected 4/],
  [" : \n", /line 1: a category without a name/],
])("refuses %j", async (text, message) => {
  await expect(all(text)).rejects.toThrow(message);
  await expect(all(text)).rejects.toBeInstanceOf(u.DataError);
});
