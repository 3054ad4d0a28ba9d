/** Strings that tokenizers get wrong, and a seeded source of more. */

export const NASTY: readonly string[] = [
  "",
  "\0",
  "\0\0a\0",
  "\r\n\r\n \r\n\n\r",
  "tabs\t\tand   runs    of  spaces ",
  " leading and trailing ",
  "don't 'quote' l’été rock'n'roll '",
  "e\u0301 vs \u00e9, A\u030a vs \u00c5",
  "\u{1f469}\u200d\u{1f469}\u200d\u{1f467}\u200d\u{1f466} \u{1f1e9}\u{1f1ea} \u{1f44d}\u{1f3fd}",
  "\ud800",
  "\udc00",
  "\udc00\ud800",
  "a\ud83db\ude00c",
  "\ud83d \ude00",
  "\ufeffBOM and \ufffd and \uffff and \u{10ffff}",
  "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627 \u202ertl\u202c",
  "\u65e5\u672c\u8a9e\u306e\u6587\u7ae0\u3002\ud55c\uad6d\uc5b4 \u6587",
  "x\u00a0y\u2003z\u3000w\u2028v\u0085u",
  "__proto__ constructor toString hasOwnProperty",
  "<00> <|endoftext|> </s>",
  "3.14159 1,000,000 x2 2x",
];

/** Numbers in [0, 1) from a seed (mulberry32): not the library's own generator, which is under test elsewhere. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** A string of UTF-16 units and code points out of the awkward ranges. */
export function nastyString(random: () => number, length: number): string {
  const ranges = [
    [0x61, 0x7a],
    [0x20, 0x2f],
    [0x20, 0x20],
    [0x00, 0x20],
    [0x80, 0x2ff],
    [0x300, 0x36f],
    [0x2000, 0x206f],
    [0x3000, 0x30ff],
    [0xd800, 0xdfff],
    [0xd800, 0xdbff],
    [0xe000, 0xffff],
    [0x10000, 0x10ffff],
    [0x1f300, 0x1f64f],
  ] as const;
  let text = "";
  for (let i = 0; i < length; i++) {
    const [first, last] = ranges[Math.floor(random() * ranges.length)]!;
    text += String.fromCodePoint(first + Math.floor(random() * (last - first + 1)));
  }
  return text;
}
