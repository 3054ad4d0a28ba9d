/**
 * Learns the merges of byte-pair encoding (Sennrich, Haddow & Birch 2016, "Neural Machine Translation of Rare Words with
 * Subword Units", algorithm 1): the pair of neighbouring symbols that occurs most often becomes a symbol, again and again.
 *
 * Nothing is counted twice. The symbols of all words lie in one array, linked to their neighbours; a pair has its count
 * and the positions where it was seen, and a heap has the pairs by count. A merge visits the positions of its pair only
 * and changes the counts of the neighbours there, so that all merges together take O(n log n) for n bytes of distinct
 * words, one of a million letters too.
 */
import { BYTES, bytesOf } from "./byte-tokens.js";
import { Heap } from "./heap.js";

/** Two ids that become one. */
export type BpeMerge = readonly [left: number, right: number];

/** Bytes of a token at most: a chain of merges can double it each time, so that a file of a few lines could fill the memory. */
export const MAX_TOKEN_BYTES = 128;

interface Pair {
  readonly left: number;
  readonly right: number;
  count: number;
  /** Where its left symbol was when the pair came about, ascending; some have been merged since. */
  readonly positions: number[];
}

/**
 * The merges, in the order that they are learned; the merge of index k makes the symbol 256 + k, and the bytes are the
 * first 256 symbols. Of pairs that occur equally often the one with the lowest ids is first. No symbol has more than
 * {@link MAX_TOKEN_BYTES}.
 * @param words - how often each occurs; no merge goes from one to the next
 * @param limit - merges at most
 * @param minCount - a pair that occurs less often is not merged
 */
export function learnMerges(words: ReadonlyMap<string, number>, limit: number, minCount: number): BpeMerge[] {
  const spelled = Array.from(words, ([word, times]) => ({ bytes: bytesOf(word), times }));
  const length = spelled.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const symbols = new Int32Array(length);
  // Neighbours inside of the word, -1 at its ends. A symbol that has been merged into its left neighbour is -1.
  const before = new Int32Array(length).fill(-1);
  const after = new Int32Array(length).fill(-1);
  const weights = new Float64Array(length);

  const stride = BYTES + limit;
  const pairs = new Map<number, Pair>();
  const heap = new Heap<{ readonly pair: Pair; readonly count: number }>(
    (a, b) =>
      a.count > b.count ||
      (a.count === b.count &&
        (a.pair.left < b.pair.left || (a.pair.left === b.pair.left && a.pair.right < b.pair.right))),
  );
  const found: Pair[] = [];
  const add = (position: number): void => {
    const left = symbols[position] as number;
    const right = symbols[after[position] as number] as number;
    const key = left * stride + right;
    let pair = pairs.get(key);
    if (pair === undefined) {
      pair = { left, right, count: 0, positions: [] };
      pairs.set(key, pair);
      found.push(pair);
    }
    pair.count += weights[position] as number;
    pair.positions.push(position);
  };
  const remove = (position: number): void => {
    const pair = pairs.get((symbols[position] as number) * stride + (symbols[after[position] as number] as number));
    if (pair !== undefined) pair.count -= weights[position] as number;
  };
  /** A pair only comes about in one merge, that of its later symbol, and then only loses: it enters the heap at its highest. */
  const enter = (): void => {
    for (const pair of found) heap.push({ pair, count: pair.count });
    found.length = 0;
  };

  let start = 0;
  for (const { bytes, times } of spelled) {
    symbols.set(bytes, start);
    weights.fill(times, start, start + bytes.length);
    for (let at = start + 1; at < start + bytes.length; at++) {
      before[at] = at - 1;
      after[at - 1] = at;
    }
    for (let at = start; at + 1 < start + bytes.length; at++) add(at);
    start += bytes.length;
  }
  enter();

  const merges: BpeMerge[] = [];
  const lengths = new Uint8Array(stride).fill(1, 0, BYTES);
  while (merges.length < limit) {
    const top = heap.pop();
    if (top === undefined || top.count < minCount) break;
    const { left, right, count, positions } = top.pair;
    if (count < top.count) {
      heap.push({ pair: top.pair, count });
      continue;
    }
    const bytes = (lengths[left] as number) + (lengths[right] as number);
    if (bytes > MAX_TOKEN_BYTES) continue;
    const merged = BYTES + merges.length;
    lengths[merged] = bytes;
    merges.push([left, right]);
    pairs.delete(left * stride + right);
    for (const position of positions) {
      const second = after[position] as number;
      if (symbols[position] !== left || second < 0 || symbols[second] !== right) continue;
      const previous = before[position] as number;
      const next = after[second] as number;
      if (previous >= 0) remove(previous);
      if (next >= 0) remove(second);
      symbols[position] = merged;
      symbols[second] = -1;
      after[position] = next;
      if (next >= 0) {
        before[next] = position;
        add(position);
      }
      if (previous >= 0) add(previous);
    }
    enter();
  }
  return merges;
}
