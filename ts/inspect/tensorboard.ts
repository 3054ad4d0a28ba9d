/**
 * Event files for TensorBoard: TFRecords of protocol buffers.
 *
 *     record = length (u64) | masked CRC32C of the length (u32) | data | masked CRC32C of the data (u32), little-endian
 *     masked(c) = ((c >>> 15) | (c << 17)) + 0xa282ead8
 *     Event   { double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5 }
 *     Summary { repeated Value value = 1 }     Value { string tag = 1; float simple_value = 2 }
 *
 * Sources: tensorflow/core/lib/io/record_writer.h, tensorflow/core/util/event.proto and framework/summary.proto. Those
 * six fields are all there is to write, which is less than a library of protocol buffers would add to the bundle.
 */
import { ArgumentError } from "../errors.js";
import type { TrainCallback } from "../train/loop.js";

/** The reversed polynomial of CRC32C (Castagnoli 1993), as in iSCSI (RFC 3720). */
const POLYNOMIAL = 0x82f63b78;

const table = /* @__PURE__ */ Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? POLYNOMIAL : 0);
  return value;
});

/** CRC32C of bytes. @internal */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ (table[(crc ^ byte) & 0xff] as number);
  return ~crc >>> 0;
}

function masked(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

function record(data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(data.length + 16);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length, true);
  view.setUint32(8, masked(crc32c(bytes.subarray(0, 8))), true);
  bytes.set(data, 12);
  view.setUint32(12 + data.length, masked(crc32c(data)), true);
  return bytes;
}

/** Wire types of protocol buffers. */
const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  bytes.push(rest);
  return bytes;
}

function bytesField(field: number, content: ArrayLike<number>): number[] {
  return [field * 8 + BYTES, ...varint(content.length), ...Array.from(content)];
}

function floatField(field: number, value: number): number[] {
  return [field * 8 + FIXED32, ...new Uint8Array(little(4, (view) => view.setFloat32(0, value, true)))];
}

function doubleField(field: number, value: number): number[] {
  return [field * 8 + FIXED64, ...new Uint8Array(little(8, (view) => view.setFloat64(0, value, true)))];
}

function little(size: number, write: (view: DataView) => void): ArrayBuffer {
  const buffer = new ArrayBuffer(size);
  write(new DataView(buffer));
  return buffer;
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/**
 * What an event file begins with.
 * @param wallTime - seconds since 1970
 */
export function tensorBoardHeader(wallTime: number): Uint8Array {
  return record(Uint8Array.from([...doubleField(1, wallTime), ...bytesField(3, text("brain.Event:2"))]));
}

/**
 * Scalars at one step, to be appended to an event file.
 * @param step - for example updates so far, a whole number from 0
 * @param scalars - values by tag, for example `{ "loss/train": 1.5 }`
 * @param wallTime - seconds since 1970
 * @throws ArgumentError unless the step is a whole number from 0
 */
export function tensorBoardScalars(
  step: number,
  scalars: Readonly<Record<string, number>>,
  wallTime: number,
): Uint8Array {
  if (!(Number.isSafeInteger(step) && step >= 0)) {
    throw new ArgumentError("tensorBoardScalars", "step", "a whole number from 0", step);
  }
  const summary = Object.entries(scalars).flatMap(([tag, value]) =>
    bytesField(1, [...bytesField(1, text(tag)), ...floatField(2, value)]),
  );
  return record(
    Uint8Array.from([...doubleField(1, wallTime), 2 * 8 + VARINT, ...varint(step), ...bytesField(5, summary)]),
  );
}

/** Options of {@link tensorBoardLog}. */
export interface TensorBoardOptions {
  /** Seconds since 1970; default: the clock. */
  readonly wallTime?: (() => number) | undefined;
}

/**
 * A callback for `train` that writes loss, learning rate, gradient norm and validation loss for TensorBoard.
 *
 * ```ts
 * const file = createWriteStream(`logs/run/events.out.tfevents.${Math.floor(Date.now() / 1000)}.host`);
 * await train(model, data, { optimizer, onEvent: tensorBoardLog((bytes) => void file.write(bytes)) }).done;
 * ```
 * @param write - appends to the event file, whose name must contain `tfevents`
 */
export function tensorBoardLog(
  write: (bytes: Uint8Array) => void | PromiseLike<void>,
  { wallTime = () => Date.now() / 1000 }: TensorBoardOptions = {},
): TrainCallback {
  return (event) => {
    if (event.kind === "start") return write(tensorBoardHeader(wallTime()));
    if (event.kind === "update") {
      const { update, loss, smoothLoss, lr, gradNorm } = event;
      const scalars = { "loss/train": loss, "loss/smooth": smoothLoss, "learning rate": lr, "gradient norm": gradNorm };
      return write(tensorBoardScalars(update, scalars, wallTime()));
    }
    if (event.kind === "valid") {
      return write(tensorBoardScalars(event.update, { "loss/valid": event.loss }, wallTime()));
    }
  };
}
