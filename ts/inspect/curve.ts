/** Curves as SVG: losses of a run, or any series of points. */
import { log } from "../core/elementary.js";
import { ArgumentError } from "../errors.js";
import type { TrainEvent } from "../train/loop.js";
import { coordinate, escapeXml } from "./svg.js";

/** A line of a chart. Points that are not finite (or, on a logarithmic axis, not above 0) interrupt it. */
export interface Series {
  /** In the legend. */
  readonly name: string;
  /** (x, y), in the order in which they are joined. */
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** Options of {@link curveSvg}. */
export interface CurveOptions {
  /** Above the chart; default none. */
  readonly title?: string | undefined;
  /** Below the horizontal axis; default none. */
  readonly xLabel?: string | undefined;
  /** Beside the vertical axis; default none. */
  readonly yLabel?: string | undefined;
  /** Whether the horizontal axis is logarithmic; default false. */
  readonly logX?: boolean | undefined;
  /** Whether the vertical axis is logarithmic; default false. */
  readonly logY?: boolean | undefined;
  /** In pixels; default 640. */
  readonly width?: number | undefined;
  /** In pixels; default 400. */
  readonly height?: number | undefined;
}

/** Blue, vermilion, green, purple, orange, black of Okabe & Ito 2008, told apart also by the colour-blind. */
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#000000"];
const MARGIN = { left: 64, right: 16, top: 36, bottom: 48 };

/** An axis: from values to pixels. */
interface Axis {
  readonly place: (value: number) => number;
  readonly ticks: readonly number[];
}

/**
 * A chart with axes and a legend, an SVG document.
 * @throws ArgumentError when width or height leave no room for the axes
 */
export function curveSvg(series: readonly Series[], options: CurveOptions = {}): string {
  const { title = "", xLabel = "", yLabel = "", logX = false, logY = false, width = 640, height = 400 } = options;
  for (const [option, value] of Object.entries({ width, height })) {
    if (!(value >= 160 && value < Infinity)) throw new ArgumentError("curveSvg", option, "at least 160 pixels", value);
  }
  const usable = ([x, y]: readonly [number, number]) =>
    Number.isFinite(x) && Number.isFinite(y) && (!logX || x > 0) && (!logY || y > 0);
  const points = series.flatMap((line) => line.points.filter(usable));
  const xs = points.map(([x]) => x);
  const ys = points.map(([, y]) => y);
  const [right, bottom] = [width - MARGIN.right, height - MARGIN.bottom];
  const x = axisOf(xs, logX, MARGIN.left, right);
  const y = axisOf(ys, logY, bottom, MARGIN.top);
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" ` +
      `font-family="sans-serif" font-size="12" role="img" aria-label="${escapeXml(title || yLabel)}">`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
  ];
  const label = (text: string, left: number, top: number, rest: string) =>
    parts.push(`<text x="${coordinate(left)}" y="${coordinate(top)}" ${rest}>${escapeXml(text)}</text>`);
  for (const tick of x.ticks) {
    const at = coordinate(x.place(tick));
    parts.push(`<path d="M${at} ${MARGIN.top}V${bottom}" stroke="#ddd"/>`);
    label(number(tick), x.place(tick), bottom + 16, 'text-anchor="middle"');
  }
  for (const tick of y.ticks) {
    const at = coordinate(y.place(tick));
    parts.push(`<path d="M${MARGIN.left} ${at}H${right}" stroke="#ddd"/>`);
    label(number(tick), MARGIN.left - 6, y.place(tick) + 4, 'text-anchor="end"');
  }
  parts.push(`<path d="M${MARGIN.left} ${MARGIN.top}V${bottom}H${right}" fill="none" stroke="#333"/>`);
  series.forEach((line, i) => {
    const colour = COLOURS[i % COLOURS.length] as string;
    let open = false;
    let path = "";
    for (const point of line.points) {
      if (usable(point)) path += `${open ? "L" : "M"}${coordinate(x.place(point[0]))} ${coordinate(y.place(point[1]))}`;
      open = usable(point);
    }
    // Round ends, so that a single point is seen.
    parts.push(
      `<path d="${path}" fill="none" stroke="${colour}" stroke-width="1.5" stroke-linecap="round" ` +
        `stroke-linejoin="round"><title>${escapeXml(line.name)}</title></path>`,
    );
    label(line.name, right - 8, MARGIN.top + 16 + 16 * i, `text-anchor="end" fill="${colour}"`);
  });
  label(title, width / 2, 22, 'text-anchor="middle" font-size="14"');
  label(xLabel, (MARGIN.left + right) / 2, height - 10, 'text-anchor="middle"');
  const middle = coordinate((MARGIN.top + bottom) / 2);
  label(yLabel, 0, 0, `text-anchor="middle" transform="translate(14 ${middle}) rotate(-90)"`);
  return `${parts.join("\n")}\n</svg>\n`;
}

/**
 * Losses of a run, in nats, over its updates.
 * @param events - of `train`, collected for example by `onEvent: (event) => void events.push(event)`
 */
export function lossCurve(events: Iterable<TrainEvent>, options: CurveOptions = {}): string {
  const [loss, smooth, valid]: [number, number][][] = [[], [], []];
  for (const event of events) {
    if (event.kind === "update") {
      loss?.push([event.update, event.loss]);
      smooth?.push([event.update, event.smoothLoss]);
    } else if (event.kind === "valid") valid?.push([event.update, event.loss]);
  }
  const series = [
    { name: "training", points: loss ?? [] },
    { name: "validation", points: valid ?? [] },
    { name: "training, smoothed", points: smooth ?? [] },
  ];
  return curveSvg(
    series.filter(({ points }) => points.length > 0),
    { title: "Loss", xLabel: "updates", yLabel: "loss (nats)", ...options },
  );
}

function axisOf(values: readonly number[], logarithmic: boolean, from: number, to: number): Axis {
  // Not by spreading: a run may have more updates than a call takes arguments.
  let low = values.reduce((least, value) => Math.min(least, value), Infinity);
  let high = values.reduce((most, value) => Math.max(most, value), -Infinity);
  if (low > high) [low, high] = logarithmic ? [1, 10] : [0, 1];
  if (low === high && logarithmic) [low, high] = [low / 2, high * 2];
  else if (low === high) [low, high] = [low - 1, high + 1];
  const scale = logarithmic ? log : (value: number) => value;
  const [start, length] = [scale(low), scale(high) - scale(low)];
  const ticks = logarithmic ? powersOfTen(low, high) : roundNumbers(low, high);
  return { place: (value) => from + ((scale(value) - start) / length) * (to - from), ticks };
}

/** About five multiples of 1, 2 or 5 times a power of ten. */
function roundNumbers(low: number, high: number): number[] {
  const wanted = (high - low) / 5;
  let power = 1;
  while (power > wanted) power /= 10;
  while (power * 10 <= wanted) power *= 10;
  const step = power * ([1, 2, 5].find((factor) => power * factor >= wanted) ?? 10);
  const ticks: number[] = [];
  for (let i = Math.ceil(low / step); i * step <= high; i++) ticks.push(i * step);
  return ticks;
}

/** Powers of ten in a range, about eight at most; where there are fewer than two, the ends. */
function powersOfTen(low: number, high: number): number[] {
  const ticks: number[] = [];
  for (let exponent = -323; exponent <= 308; exponent++) {
    const power = Number(`1e${exponent}`);
    if (power >= low && power <= high) ticks.push(power);
  }
  const every = Math.ceil(ticks.length / 8);
  return ticks.length < 2 ? [low, high] : ticks.filter((_, i) => i % every === 0);
}

/** Short, without the noise of the last digits, and without long rows of zeros. */
function number(value: number): string {
  const rounded = Number(value.toPrecision(4));
  const size = Math.abs(rounded);
  return size !== 0 && (size < 1e-3 || size >= 1e6) ? rounded.toExponential() : String(rounded);
}
