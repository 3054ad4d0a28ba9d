/**
 * Saturation: how often each unit is at one end of its range, where it passes (or stops) everything and its gradient is
 * near 0. Karpathy, Johnson & Fei-Fei 2015, "Visualizing and understanding recurrent networks": a gate is left-saturated
 * below 0.1 and right-saturated above 0.9.
 */
import { ArgumentError, ShapeError } from "../errors.js";
import { checkLengths } from "../nn/check.js";
import type { PlainTensor } from "../tensor/tensor.js";
import { coordinate, escapeXml } from "./svg.js";

/** Options of {@link saturation}. */
export interface SaturationOptions {
  /** Below it a value is left-saturated; default 0.1, for sigmoid. For tanh, -0.9. */
  readonly low?: number;
  /** Above it a value is right-saturated; default 0.9, for sigmoid and tanh. */
  readonly high?: number;
  /** How many steps of each row count; default all. */
  readonly lengths?: Int32Array | readonly number[] | undefined;
}

/** Fractions of the steps, from 0 to 1, one of each unit. */
export interface Saturation {
  /** Below `low`. */
  readonly left: readonly number[];
  /** Above `high`. */
  readonly right: readonly number[];
}

/**
 * The fractions of steps at which each unit is saturated.
 *
 * @param values (B, T, H), for example of `gateActivations`
 * @throws ShapeError, ArgumentError (no step at all, lengths, thresholds)
 */
export function saturation(values: PlainTensor, options: SaturationOptions = {}): Saturation {
  const { low = 0.1, high = 0.9, lengths } = options;
  const where = "saturation";
  if (values.shape.length !== 3) throw new ShapeError(where, "values", ["B", "T", "H"], values.shape);
  if (!(low <= high)) throw new ArgumentError(where, "low", `at most high, ${high}`, low);
  const [batch, steps, units] = values.shape as [number, number, number];
  checkLengths(where, lengths, batch, steps);
  const [left, right] = [new Array<number>(units).fill(0), new Array<number>(units).fill(0)];
  let count = 0;
  for (let row = 0; row < batch; row++) {
    const length = lengths?.[row] ?? steps;
    count += length;
    for (let i = row * steps * units; i < (row * steps + length) * units; i++) {
      const value = values.data[i] as number;
      const unit = i % units;
      if (value < low) left[unit] = (left[unit] as number) + 1;
      else if (value > high) right[unit] = (right[unit] as number) + 1;
    }
  }
  if (count === 0) throw new ArgumentError(where, "values", "of at least one step", values.shape);
  const fraction = (times: number): number => times / count;
  return { left: left.map(fraction), right: right.map(fraction) };
}

/** Pixels. */
const PANEL = 200;
const GAP = 56;
const TOP = 56;
const BOTTOM = 48;

/**
 * A panel for each gate, a circle for each unit: how often it is right-saturated, across, and left-saturated, upwards.
 * The two exclude each other, so all circles lie below the diagonal; those near the origin work in the linear range.
 *
 * @param gates results of {@link saturation} by name
 * @returns an SVG document
 */
export function saturationSvg(
  gates: Readonly<Record<string, Saturation>>,
  { title = "Saturation" }: { readonly title?: string } = {},
): string {
  const names = Object.keys(gates);
  const width = Math.max(1, names.length) * (PANEL + GAP) + 16;
  const height = TOP + PANEL + BOTTOM;
  const bottom = TOP + PANEL;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" ` +
      `font-family="sans-serif" font-size="12" role="img" aria-label="${escapeXml(title)}">`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
  ];
  const label = (text: string, x: number, y: number, rest: string) =>
    parts.push(`<text x="${coordinate(x)}" y="${coordinate(y)}" ${rest}>${escapeXml(text)}</text>`);
  label(title, width / 2, 20, 'text-anchor="middle" font-size="14"');
  names.forEach((name, i) => {
    const start = GAP + i * (PANEL + GAP);
    const { left, right } = gates[name] as Saturation;
    label(name, start + PANEL / 2, TOP - 10, 'text-anchor="middle"');
    parts.push(
      `<rect x="${start}" y="${TOP}" width="${PANEL}" height="${PANEL}" fill="none" stroke="#333"/>`,
      `<path d="M${start} ${TOP}L${start + PANEL} ${bottom}" stroke="#ddd"/>`,
    );
    for (const tick of [0, 0.5, 1]) {
      label(String(tick), start + tick * PANEL, bottom + 16, 'text-anchor="middle"');
      label(String(tick), start - 6, bottom - tick * PANEL + 4, 'text-anchor="end"');
    }
    label("fraction right-saturated", start + PANEL / 2, bottom + 34, 'text-anchor="middle"');
    const middle = `translate(${start - 34} ${bottom - PANEL / 2}) rotate(-90)`;
    label("fraction left-saturated", 0, 0, `text-anchor="middle" transform="${middle}"`);
    left.forEach((fraction, unit) => {
      const other = right[unit] as number;
      const [x, y] = [coordinate(start + other * PANEL), coordinate(bottom - fraction * PANEL)];
      const said = `unit ${unit}: left ${coordinate(fraction)}, right ${coordinate(other)}`;
      parts.push(
        `<circle cx="${x}" cy="${y}" r="3.5" fill="#0072b2" fill-opacity="0.5"><title>${said}</title></circle>`,
      );
    });
  });
  return `${parts.join("\n")}\n</svg>\n`;
}
