/** Groups optim and keras_optim: a run of every optimizer on given gradients. */
import { Adadelta, Adagrad, Adam, AdamW, Module, type Optimizer, Parameter, RMSprop, SGD } from "../../../ts/index.js";
import type { Case, Results } from "../corpus.js";
import { ofRole } from "../vjp.js";

/** Optimizers of the corpus and their names in PyTorch's `config.optimizer`. */
const optimizers: Record<string, new (target: Module, options: Record<string, unknown>) => Optimizer> = {
  SGD,
  Adagrad,
  RMSprop,
  Adam,
  AdamW,
  Adadelta,
};

/** PyTorch's names of options where ours differ. */
const renamed: Record<string, string> = {
  eps: "epsilon",
  weight_decay: "weightDecay",
  lr_decay: "lrDecay",
  initial_accumulator_value: "initialAccumulatorValue",
};
const sameName = [
  "lr",
  "alpha",
  "betas",
  "momentum",
  "dampening",
  "nesterov",
  "centered",
  "amsgrad",
  "maximize",
  "rho",
];

/** What Keras does otherwise, in our words. */
const kerasOptions: Record<string, Record<string, unknown>> = {
  SGD: { lrInVelocity: true },
  Adagrad: { initialAccumulatorValue: 0.1, epsilonInside: true },
  RMSprop: { epsilonInside: true },
  Adam: { epsilonBeforeCorrection: true },
  Adadelta: { rho: 0.95 },
};
const kerasNames: Record<string, string> = { learning_rate: "lr", epsilon: "eps" };

function optionsOf(config: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const options: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(config)) {
    if (["optimizer", "steps", "lr_per_step"].includes(name)) continue;
    const own = renamed[name] ?? (sameName.includes(name) ? name : undefined);
    // An option that is passed over would be tested as if it were absent.
    if (own === undefined) throw new Error(`unknown option ${name}`);
    options[own] = value;
  }
  return options;
}

class Bare extends Module {
  readonly p: Parameter[];

  constructor(shapes: readonly (readonly number[])[]) {
    super();
    this.p = shapes.map((shape) => new Parameter(shape));
  }
}

/** As {@link optim}, from Keras's names and with its conventions. */
export function kerasOptim(test: Case): Results {
  const { config } = test.document;
  const optimizer = config["optimizer"] as string;
  const names: Record<string, string> = { ...kerasNames, ...(optimizer === "RMSprop" ? { rho: "alpha" } : {}) };
  const renamed = Object.entries(config).map(([name, value]) => [names[name] ?? name, value]);
  return run(test, Object.fromEntries(renamed), kerasOptions[optimizer] ?? {});
}

export function optim(test: Case): Results {
  return run(test, test.document.config, {});
}

function run(
  test: Case,
  config: Readonly<Record<string, unknown>>,
  conventions: Readonly<Record<string, unknown>>,
): Results {
  const start = [...ofRole(test, "param").values()];
  const steps = ofRole(test, "step");
  const model = new Bare(start.map(({ shape }) => shape)).init();
  model.p.forEach((parameter, k) => parameter.write(start[k]?.data as Float32Array));
  const make = optimizers[config["optimizer"] as string];
  if (make === undefined) throw new Error(`unknown optimizer ${config["optimizer"]}`);
  const optimizer = new make(model, { ...optionsOf(config), ...conventions });
  const rates = config["lr_per_step"] as number[] | undefined;
  const trace = model.p.map((): number[] => []);
  for (let step = 0; step < (config["steps"] as number); step++) {
    if (rates !== undefined) optimizer.lr = rates[step] as number;
    optimizer.applyGradients(
      new Map(
        model.p.map((parameter, k) => {
          const all = steps.get(`g${k}`)?.data as Float32Array;
          return [parameter, all.subarray(step * parameter.size, (step + 1) * parameter.size)];
        }),
      ),
    );
    model.p.forEach((parameter, k) => trace[k]?.push(...parameter.toArray()));
  }
  const results: Results = new Map(trace.map((data, k) => [`out.p${k}`, { data }]));
  for (const [name, { data, shape }] of optimizer.stateDict().tensors) {
    results.set(`final.${name.replace("p.", "p")}`, { data, shape });
  }
  return results;
}
