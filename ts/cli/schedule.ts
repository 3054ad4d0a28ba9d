/** `--schedule NAME:parameter=value,...`: every schedule of the library by its name. */
import { isUnrolledError } from "../errors.js";
import type { TrainOptions } from "../train/loop.js";
import { cosineAnnealing, cosineWarmRestarts } from "../train/schedules/cosine.js";
import {
  exponentialDecay,
  inverseSquareRoot,
  inverseTimeDecay,
  linearSchedule,
  multiStepDecay,
  polynomialDecay,
  stepDecay,
} from "../train/schedules/decay.js";
import { oneCycle } from "../train/schedules/one-cycle.js";
import { ReduceOnPlateau } from "../train/schedules/plateau.js";
import type { Schedule } from "../train/schedules/schedule.js";
import { listOf, type Option, suggestion } from "./arguments.js";
import { UsageError } from "./errors.js";

/** What `train` takes as `schedule`. */
export type RunSchedule = TrainOptions<never, never>["schedule"];

/** A schedule that still lacks its learning rate. */
export interface ScheduleChoice {
  readonly name: string;
  readonly make: (lr: number) => Exclude<RunSchedule, undefined>;
}

type Parameters = Readonly<Record<string, number>>;

interface Kind {
  /** Names of the parameters that must be given, and of those that may be. */
  readonly needed: readonly string[];
  readonly optional: readonly string[];
  readonly make: (lr: number, parameters: Parameters, milestones: readonly number[]) => Schedule | ReduceOnPlateau;
}

/** The library checks the values; names there are the ones here without hyphens. */
function kind<O>(
  make: (lr: number, options: O) => Schedule | ReduceOnPlateau,
  needed: readonly string[],
  optional: readonly string[],
): Kind {
  return { needed, optional, make: (lr, parameters) => make(lr, parameters as O) };
}

const MILESTONES = "milestones";

const kinds: ReadonlyMap<string, Kind> = new Map([
  ["constant", { needed: [], optional: [], make: (lr) => () => lr }],
  ["step", kind(stepDecay, ["step-size"], ["gamma"])],
  [
    "multistep",
    {
      needed: [MILESTONES],
      optional: ["gamma"],
      make: (lr, parameters, milestones) => multiStepDecay(lr, { ...parameters, milestones }),
    },
  ],
  ["exponential", kind(exponentialDecay, ["gamma"], ["every", "after"])],
  ["inverse-time", kind(inverseTimeDecay, ["rate"], ["every"])],
  ["linear", kind(linearSchedule, ["steps"], ["start-factor", "end-factor"])],
  ["polynomial", kind(polynomialDecay, ["steps"], ["end", "power"])],
  ["inverse-square-root", kind(inverseSquareRoot, ["warm-up"], [])],
  ["cosine", kind(cosineAnnealing, ["steps"], ["minimum"])],
  ["cosine-restarts", kind(cosineWarmRestarts, ["period"], ["multiplier", "minimum"])],
  ["one-cycle", kind(oneCycle, ["steps"], ["warm-up", "divisor", "final-divisor"])],
  [
    "plateau",
    kind(
      (lr, options: object) => new ReduceOnPlateau(lr, options),
      [],
      ["factor", "patience", "threshold", "cooldown", "minimum"],
    ),
  ],
] satisfies [string, Kind][]);

/** Every schedule with its parameters, those that may be left out in brackets; for the help. */
export const scheduleNotes: readonly string[] = [...kinds].map(([name, { needed, optional }]) => {
  const parameters = [...needed, ...optional.map((parameter) => `[${parameter}]`)].join(", ");
  return `  ${name}${parameters === "" ? "" : `: ${parameters}`}`;
});

/** The option: a name, and behind a colon its parameters. */
export const scheduleOption: Option<ScheduleChoice> = {
  placeholder: "NAME:...",
  help: "learning-rate schedule in place of the preset's, with its parameters, in updates; see below",
  parse: (text, option) => parseSchedule(text, `--${option}`),
};

function parseSchedule(text: string, option: string): ScheduleChoice {
  const colon = text.indexOf(":");
  const name = colon < 0 ? text : text.slice(0, colon);
  const found = kinds.get(name);
  if (found === undefined) {
    const names = [...kinds.keys()];
    throw new UsageError(
      `${option} must be ${listOf(names, "or")}${suggestion(name, names)}, got ${JSON.stringify(name)}`,
    );
  }
  const where = `${option} ${name}`;
  const parameters: Record<string, number> = {};
  let milestones: number[] = [];
  const given = new Set<string>();
  for (const pair of colon < 0 ? [] : text.slice(colon + 1).split(",")) {
    const [parameter = "", value = ""] = pair.split("=", 2);
    const known = [...found.needed, ...found.optional];
    if (!known.includes(parameter)) {
      const has = known.length === 0 ? "no parameters" : `the parameters ${listOf(known, "and")}`;
      throw new UsageError(`${where} has ${has}, got ${JSON.stringify(pair)}`);
    }
    if (given.has(parameter)) throw new UsageError(`${where}: ${parameter} is given twice`);
    given.add(parameter);
    if (parameter === MILESTONES) milestones = value.split("/").map((part) => parseNumber(where, parameter, part));
    else parameters[camelCase(parameter)] = parseNumber(where, parameter, value);
  }
  const missing = found.needed.find((parameter) => !given.has(parameter));
  if (missing !== undefined) {
    const example = missing === MILESTONES ? "1000/2000" : "1000";
    throw new UsageError(`${where} needs ${missing}, for example ${name}:${missing}=${example}`);
  }
  const make = (lr: number) => found.make(lr, parameters, milestones);
  try {
    make(1);
  } catch (error) {
    if (isUnrolledError(error)) throw new UsageError(`${option} ${error.message}`);
    throw error;
  }
  return { name, make };
}

function parseNumber(where: string, parameter: string, text: string): number {
  if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return Number(text);
  throw new UsageError(`${where}: ${parameter} must be a number, got ${JSON.stringify(text)}`);
}

function camelCase(name: string): string {
  return name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}
