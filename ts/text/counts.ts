/** Counts of strings, from which vocabularies are made. */

export function count(counts: Map<string, number>, key: string, times = 1): void {
  counts.set(key, (counts.get(key) ?? 0) + times);
}

/** The keys with the highest counts, in that order; of equal counts the first in code unit order. */
export function mostFrequent(counts: ReadonlyMap<string, number>, limit: number): string[] {
  return [...counts]
    .sort(([a, timesA], [b, timesB]) => timesB - timesA || (a < b ? -1 : 1))
    .slice(0, Math.max(0, limit))
    .map(([key]) => key);
}
