/** Examples divided into those to train on, to validate on and to test on. */
import { ArgumentError, DataError } from "../errors.js";
import { PURPOSE, permutation } from "./order.js";

/** Options of {@link splitExamples}. */
export interface SplitOptions<T> {
  /** The fraction that is kept for validation; default 0. */
  readonly valid?: number | undefined;
  /** The fraction that is kept for the test; default 0. */
  readonly test?: number | undefined;
  /** Which examples go where; default: the last ones to the test, those before them to validation. */
  readonly seed?: number | undefined;
  /**
   * The class of an example: every class is then divided by the same fractions, as nearly as whole examples allow;
   * needs `seed`. Default: no classes.
   */
  readonly stratify?: ((example: T) => string | number) | undefined;
}

/** The parts, in the order that the examples came in. */
export interface ExampleSplit<T> {
  /** For training. */
  readonly train: T[];
  /** For choices while training. */
  readonly valid: T[];
  /** For a last evaluation. */
  readonly test: T[];
}

const WHERE = "splitExamples";

/**
 * Divides examples. The parts have floor(valid n) and floor(test n) of the n examples, the rest is for training; with
 * `stratify` too, where what rounding leaves over goes to the classes that lost the most by it (the first of equal
 * ones).
 *
 * @throws DataError when nothing is left to train on
 */
export function splitExamples<T>(examples: readonly T[], options: SplitOptions<T>): ExampleSplit<T> {
  const { valid = 0, test = 0, seed, stratify } = options;
  checkFraction("valid", valid);
  checkFraction("test", test);
  if (!(valid + test < 1)) throw new ArgumentError(WHERE, "valid + test", "below 1", valid + test);
  if (stratify !== undefined && seed === undefined) {
    throw new ArgumentError(WHERE, "seed", "given together with stratify", undefined);
  }
  const count = examples.length;
  const [validCount, testCount] = [Math.floor(valid * count), Math.floor(test * count)];
  if (count - validCount - testCount < 1) throw new DataError(`${WHERE}: ${count} examples leave none to train on`);
  const classes = classesOf(examples, seed, stratify);
  const sizes = classes.map((members) => members.length);
  const testSizes = portions(sizes, test, testCount);
  const validSizes = portions(
    sizes,
    valid,
    validCount,
    sizes.map((size, index) => size - (testSizes[index] as number)),
  );
  const parts = new Uint8Array(count);
  classes.forEach((members, index) => {
    const testFrom = members.length - (testSizes[index] as number);
    const validFrom = testFrom - (validSizes[index] as number);
    for (const member of members.slice(validFrom, testFrom)) parts[member] = 1;
    for (const member of members.slice(testFrom)) parts[member] = 2;
  });
  const part = (number: number) => examples.filter((_, index) => parts[index] === number);
  return { train: part(0), valid: part(1), test: part(2) };
}

/** The examples of each class, by number, in the order that is to be cut. */
function classesOf<T>(
  examples: readonly T[],
  seed: number | undefined,
  stratify: ((example: T) => string | number) | undefined,
): number[][] {
  const order =
    seed === undefined ? examples.map((_, index) => index) : permutation(examples.length, seed, PURPOSE.split, 0);
  const classes = new Map<string | number, number[]>();
  if (stratify !== undefined) for (const example of examples) classes.set(stratify(example), []);
  for (const index of order) {
    const label = stratify === undefined ? 0 : stratify(examples[index] as T);
    const members = classes.get(label);
    if (members === undefined) classes.set(label, [index]);
    else members.push(index);
  }
  return [...classes.values()];
}

/** How many of `total` each class gives: its fraction, by the largest remainder. */
function portions(
  sizes: readonly number[],
  fraction: number,
  total: number,
  most: readonly number[] = sizes,
): number[] {
  const given = sizes.map((size, index) => Math.min(Math.floor(fraction * size), most[index] as number));
  let left = total - given.reduce((sum, size) => sum + size, 0);
  const lost = sizes.map((size, index) => fraction * size - (given[index] as number));
  const byLoss = sizes.map((_, index) => index).sort((a, b) => (lost[b] as number) - (lost[a] as number));
  for (let rank = 0; left > 0; rank = (rank + 1) % byLoss.length) {
    const index = byLoss[rank] as number;
    if ((given[index] as number) >= (most[index] as number)) continue;
    given[index] = (given[index] as number) + 1;
    left--;
  }
  return given;
}

function checkFraction(option: string, value: number): void {
  if (!(value >= 0 && value < 1)) throw new ArgumentError(WHERE, option, "at least 0 and below 1", value);
}
