/** What a model is made of: its parameters with shapes, counts and bytes. */
import type { Module } from "../nn/module.js";
import { Parameter } from "../tensor/parameter.js";

/** A parameter of a summary. */
export interface SummaryRow {
  /** Path of a module, or name of a parameter. */
  readonly name: string;
  /** Class of the module that holds it. */
  readonly module: string;
  /** Of a parameter. */
  readonly shape: readonly number[];
  /** Values. */
  readonly size: number;
  /** Whether optimizers change it. */
  readonly trainable: boolean;
  /** For a tied parameter after its first appearance: the name it is counted under. */
  readonly tiedTo: string | undefined;
}

/** What {@link summarizeModel} returns. Parameters that are tied count once. */
export interface ModelSummary {
  /** Each module and parameter, in order. */
  readonly rows: readonly SummaryRow[];
  /** Values of all parameters. */
  readonly parameters: number;
  /** Those that are trained. */
  readonly trainable: number;
  /** Bytes of all values, 4 each; gradients and an optimizer's state come on top while training. */
  readonly bytes: number;
  /** A table. */
  toString(): string;
}

const BYTES = 4;

/** Describes a model, initialised or not. */
export function summarizeModel(model: Module): ModelSummary {
  const kinds = new Map<string, string>();
  for (const [path, module] of model.namedModules()) {
    for (const [field, value] of Object.entries(module)) {
      const own = path === "" ? field : `${path}.${field}`;
      if (value instanceof Parameter) kinds.set(own, module.constructor.name);
      if (Array.isArray(value)) value.forEach((_, i) => kinds.set(`${own}.${i}`, module.constructor.name));
    }
  }
  const first = new Map<Parameter, string>();
  const rows = model.namedParameters().map(([name, parameter]): SummaryRow => {
    const tiedTo = first.get(parameter);
    if (tiedTo === undefined) first.set(parameter, name);
    const { shape, size, trainable } = parameter;
    return { name, module: kinds.get(name) ?? "", shape, size, trainable, tiedTo };
  });
  const total = (test: (row: SummaryRow) => boolean) =>
    rows.reduce((sum, row) => sum + (row.tiedTo === undefined && test(row) ? row.size : 0), 0);
  const parameters = total(() => true);
  const trainable = total((row) => row.trainable);
  const bytes = parameters * BYTES;
  const title = model.constructor.name;
  return { rows, parameters, trainable, bytes, toString: () => table(title, rows, parameters, trainable, bytes) };
}

function table(
  title: string,
  rows: readonly SummaryRow[],
  parameters: number,
  trainable: number,
  bytes: number,
): string {
  const cells = [
    ["parameter", "module", "shape", "values", "bytes", ""],
    ...rows.map(({ name, module, shape, size, tiedTo, trainable: trained }) => [
      name,
      module,
      shape.length === 0 ? "scalar" : shape.join(" x "),
      tiedTo === undefined ? String(size) : "-",
      tiedTo === undefined ? String(size * BYTES) : "-",
      tiedTo === undefined ? (trained ? "" : "frozen") : `is ${tiedTo}`,
    ]),
  ];
  const widths = [0, 1, 2, 3, 4, 5].map((i) => Math.max(...cells.map((row) => row[i]?.length ?? 0)));
  const lines = cells.map((row) =>
    row
      .map((cell, i) => (i === 3 || i === 4 ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
  return [title, ...lines, `${parameters} parameters (${trainable} trainable), ${bytes} bytes`].join("\n");
}
