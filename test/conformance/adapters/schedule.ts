/** Groups schedule and keras_schedule: learning rates update by update. */
import {
  byEpoch,
  cosineAnnealing,
  cosineWarmRestarts,
  exponentialDecay,
  inverseSquareRoot,
  inverseTimeDecay,
  linearSchedule,
  multiStepDecay,
  oneCycle,
  oneCycleMomentum,
  polynomialDecay,
  ReduceOnPlateau,
  type Schedule,
  stepDecay,
  warmUp,
} from "../../../ts/index.js";
import type { Case, Results } from "../corpus.js";

/** Options of all schedules; which has which is in the corpus. */
type Config = Readonly<
  Record<
    | "T_0"
    | "T_max"
    | "T_mult"
    | "alpha"
    | "base_lr"
    | "base_momentum"
    | "cooldown"
    | "decay_rate"
    | "decay_steps"
    | "div_factor"
    | "end"
    | "end_factor"
    | "eps"
    | "eta_min"
    | "factor"
    | "final_div_factor"
    | "gamma"
    | "initial"
    | "max_lr"
    | "max_momentum"
    | "min_lr"
    | "patience"
    | "pct_start"
    | "power"
    | "start_factor"
    | "step_size"
    | "steps"
    | "threshold"
    | "total_iters"
    | "total_steps"
    | "warmup"
    | "warmup_steps"
    | "warmup_target",
    number
  >
> & {
  readonly milestones: readonly number[];
  readonly metrics: readonly number[];
  readonly anneal_strategy: string;
  readonly three_phase: boolean;
  readonly staircase: boolean;
  readonly mode: "min" | "max";
  readonly threshold_mode: string;
};

/** PyTorch's schedules by the corpus's names. */
const schedules: Record<string, (config: Config) => Schedule> = {
  step: (c) => stepDecay(c.base_lr, { stepSize: c.step_size, gamma: c.gamma }),
  multistep: (c) => multiStepDecay(c.base_lr, { milestones: c.milestones, gamma: c.gamma }),
  // By epochs, which must be the same thing when an epoch is an update.
  exponential: (c) => byEpoch(exponentialDecay(c.base_lr, { gamma: c.gamma })),
  cosine: (c) => cosineAnnealing(c.base_lr, { steps: c.T_max, minimum: c.eta_min }),
  cosine_warm_restarts: (c) =>
    cosineWarmRestarts(c.base_lr, { period: c.T_0, multiplier: c.T_mult, minimum: c.eta_min }),
  linear: (c) =>
    linearSchedule(c.base_lr, {
      steps: c.total_iters,
      startFactor: c.start_factor,
      endFactor: c.end_factor,
    }),
  lambda_inverse_sqrt: (c) => inverseSquareRoot(c.base_lr, { warmUp: c.warmup }),
  onecycle: (c) => oneCycle(c.max_lr, { ...cycleOf(c), divisor: c.div_factor, finalDivisor: c.final_div_factor }),
};

const cycleOf = (c: Config): Parameters<typeof oneCycleMomentum>[0] => ({
  steps: c.total_steps,
  warmUp: c.pct_start,
  anneal: c.anneal_strategy === "cos" ? "cosine" : "linear",
  threePhase: c.three_phase,
});

/** Keras's. */
const kerasSchedules: Record<string, (config: Config) => Schedule> = {
  "cosine-decay-warmup": (c) =>
    warmUp(
      cosineAnnealing(c.warmup_target, {
        steps: c.decay_steps,
        minimum: c.alpha * c.warmup_target,
        afterwards: "hold",
      }),
      { steps: c.warmup_steps, from: c.initial },
    ),
  "exponential-decay": exponential,
  "exponential-staircase": exponential,
  "inverse-time": (c) => inverseTimeDecay(c.initial, { rate: c.decay_rate, every: c.decay_steps }),
  polynomial: (c) => polynomialDecay(c.initial, { steps: c.decay_steps, end: c.end, power: c.power }),
};

function exponential(c: Config): Schedule {
  return exponentialDecay(c.initial, {
    gamma: c.decay_rate,
    every: c.decay_steps,
    staircase: c.staircase,
  });
}

/** The first `steps` rates, an epoch being one update. */
function rates(schedule: Schedule, steps: number): { data: number[] } {
  return { data: Array.from({ length: steps }, (_, update) => schedule(update, update + 1)) };
}

function plateau(config: Config): { data: number[] } {
  const reduction = new ReduceOnPlateau(config.base_lr, {
    mode: config.mode,
    factor: config.factor,
    patience: config.patience,
    threshold: config.threshold,
    thresholdMode: config.threshold_mode === "rel" ? "relative" : "absolute",
    cooldown: config.cooldown,
    minimum: config.min_lr,
    epsilon: config.eps,
  });
  const metrics = config.metrics;
  return {
    data: metrics.map((metric) => {
      const before = reduction.schedule();
      reduction.observe(metric);
      return before;
    }),
  };
}

export function schedule({ op, document }: Case): Results {
  const config = document.config as unknown as Config;
  if (op === "plateau") return new Map([["lr", plateau(config)]]);
  const make = schedules[op];
  if (make === undefined) throw new Error(`unknown schedule ${op}`);
  const steps = config.steps;
  const results: Results = new Map([["lr", rates(make(config), steps)]]);
  if (op === "onecycle") {
    const range = { low: config.base_momentum, high: config.max_momentum };
    results.set("momentum", rates(oneCycleMomentum({ ...cycleOf(config), ...range }), steps));
  }
  return results;
}

export function kerasSchedule({ op, document }: Case): Results {
  const config = document.config as unknown as Config;
  const make = kerasSchedules[op];
  if (make === undefined) throw new Error(`unknown schedule ${op}`);
  return new Map([["lr", rates(make(config), config.steps)]]);
}
