/**
 * All n-grams of a text up to an order, as a trie in arrays: a level for each length, its n-grams sorted, each with the
 * first of those that are longer by one word behind, and with the one that is shorter by its first word.
 */

/** The n-grams of one length. Level 0 has one, of no words. */
export interface NGramLevel {
  /** Last word of each. */
  readonly words: Int32Array;
  /** Number in the next level of the first n-gram that goes on from each, and one entry more; none in the last level. */
  readonly children: Int32Array;
  /** Number in the level before of the same without its first word. */
  readonly suffixes: Int32Array;
  /** How often each occurs. */
  readonly occurrences: Int32Array;
}

/**
 * @param tokens - ids from 0 to vocabSize - 1
 * @param boundary - n-grams have this token as their first or last only: what is before it says nothing of what is after
 */
export function ngramLevels(tokens: Int32Array, vocabSize: number, order: number, boundary: number): NGramLevel[] {
  const longest = longestFrom(tokens, order, boundary);
  const sorted = sortPositions(tokens, longest, vocabSize, order);
  const common = new Int32Array(sorted.length);
  const sizes = new Int32Array(order + 1);
  sizes[0] = 1;
  sorted.forEach((position, i) => {
    const length = longest[position] as number;
    if (i > 0) common[i] = commonStart(tokens, sorted[i - 1] as number, position, longest);
    for (let level = (common[i] as number) + 1; level <= length; level++) (sizes[level] as number)++;
  });
  const levels = Array.from(sizes, (size, level) => ({
    words: new Int32Array(size),
    children: new Int32Array(level < order ? size + 1 : 0),
    suffixes: new Int32Array(size),
    occurrences: new Int32Array(size),
  }));
  const made = new Int32Array(order + 2);
  made[0] = 1;
  sorted.forEach((position, i) => {
    for (let level = 1; level <= (longest[position] as number); level++) {
      const { words, children, occurrences } = levels[level] as NGramLevel;
      if (level > (common[i] as number)) {
        const added = (made[level] as number)++;
        words[added] = tokens[position + level - 1] as number;
        if (level < order) children[added] = made[level + 1] as number;
      }
      (occurrences[(made[level] as number) - 1] as number)++;
    }
  });
  levels.forEach(({ children, words }, level) => {
    if (level < order) children[words.length] = sizes[level + 1] as number;
  });
  for (let level = 2; level <= order; level++) linkSuffixes(levels, level);
  return levels;
}

/** Length of the longest n-gram that begins at each position. */
function longestFrom(tokens: Int32Array, order: number, boundary: number): Int32Array {
  const longest = new Int32Array(tokens.length);
  let end = tokens.length;
  for (let position = tokens.length - 1; position >= 0; position--) {
    longest[position] = Math.min(order, end - position);
    if (tokens[position] === boundary) end = position + 1;
  }
  return longest;
}

/** Positions in the order of the n-grams that begin there, by counting, the last word first; what has ended comes first. */
function sortPositions(tokens: Int32Array, longest: Int32Array, vocabSize: number, order: number): Int32Array {
  let sorted = Int32Array.from(tokens.keys());
  let next = new Int32Array(tokens.length);
  for (let word = order - 1; word >= 0; word--) {
    const keyOf = (position: number): number =>
      word < (longest[position] as number) ? (tokens[position + word] as number) + 1 : 0;
    const starts = new Int32Array(vocabSize + 2);
    for (const position of sorted) (starts[keyOf(position) + 1] as number)++;
    for (let key = 0; key <= vocabSize; key++) (starts[key + 1] as number) += starts[key] as number;
    for (const position of sorted) next[(starts[keyOf(position)] as number)++] = position;
    [sorted, next] = [next, sorted];
  }
  return sorted;
}

/** How many words the n-grams at two positions begin with together. */
function commonStart(tokens: Int32Array, a: number, b: number, longest: Int32Array): number {
  const most = Math.min(longest[a] as number, longest[b] as number);
  let length = 0;
  while (length < most && tokens[a + length] === tokens[b + length]) length++;
  return length;
}

/** Whatever follows an n-gram follows it without its first word too, and both lists are sorted. */
function linkSuffixes(levels: readonly NGramLevel[], level: number): void {
  const [parents, here] = [levels[level - 1] as NGramLevel, levels[level] as NGramLevel];
  const grandparents = levels[level - 2] as NGramLevel;
  for (let parent = 0; parent < parents.words.length; parent++) {
    let candidate = grandparents.children[parents.suffixes[parent] as number] as number;
    const end = parents.children[parent + 1] as number;
    for (let child = parents.children[parent] as number; child < end; child++) {
      while (parents.words[candidate] !== here.words[child]) candidate++;
      here.suffixes[child] = candidate;
    }
  }
}

/** Number in the next level of the n-gram that a word makes of one here; -1 when there is none. */
export function childOf(levels: readonly NGramLevel[], level: number, node: number, word: number): number {
  const { children } = levels[level] as NGramLevel;
  const { words } = levels[level + 1] as NGramLevel;
  let low = children[node] as number;
  let high = (children[node + 1] as number) - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const found = words[middle] as number;
    if (found === word) return middle;
    if (found < word) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}
