import { describe, expect, it } from "vitest";
import { crc32c, tensorBoardHeader, tensorBoardLog, tensorBoardScalars } from "../../ts/inspect/tensorboard.js";
import type { TrainEvent } from "../../ts/train/loop.js";

/** CRC32C bit by bit, as the polynomial division of RFC 3720 says; without tables. */
function crcOf(bytes: Uint8Array): number {
  let remainder = 0xffffffffn;
  for (const byte of bytes) {
    remainder ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) remainder = remainder & 1n ? (remainder >> 1n) ^ 0x82f63b78n : remainder >> 1n;
  }
  return Number(remainder ^ 0xffffffffn);
}

const mask = (crc: number) => Number((((BigInt(crc) >> 15n) | (BigInt(crc) << 17n)) + 0xa282ead8n) & 0xffffffffn);

/** Fields of a protocol buffer, by number. */
function fields(bytes: Uint8Array): [field: number, value: number | Uint8Array][] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const found: [number, number | Uint8Array][] = [];
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = BigInt(bytes[at++]!);
      value |= (byte & 127n) << shift;
      if (byte < 128n) return Number(value);
    }
  };
  while (at < bytes.length) {
    const key = varint();
    const [field, type] = [key >> 3, key & 7];
    if (type === 0) found.push([field, varint()]);
    else if (type === 1) {
      found.push([field, view.getFloat64(at, true)]);
      at += 8;
    } else if (type === 5) {
      found.push([field, view.getFloat32(at, true)]);
      at += 4;
    } else {
      const length = varint();
      found.push([field, bytes.subarray(at, at + length)]);
      at += length;
    }
  }
  return found;
}

const text = (value: unknown) => new TextDecoder().decode(value as Uint8Array);

/** Events of a file, checksums verified. */
function decode(file: Uint8Array) {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const events: { wallTime: number; step?: number; version?: string; scalars: Record<string, number> }[] = [];
  for (let at = 0; at < file.length; ) {
    const length = Number(view.getBigUint64(at, true));
    expect(view.getUint32(at + 8, true)).toBe(mask(crcOf(file.subarray(at, at + 8))));
    const data = file.subarray(at + 12, at + 12 + length);
    expect(view.getUint32(at + 12 + length, true)).toBe(mask(crcOf(data)));
    at += length + 16;
    const event = new Map(fields(data));
    const values = event.has(5) ? fields(event.get(5) as Uint8Array) : [];
    events.push({
      wallTime: event.get(1) as number,
      ...(event.has(2) ? { step: event.get(2) as number } : {}),
      ...(event.has(3) ? { version: text(event.get(3)) } : {}),
      scalars: Object.fromEntries(
        values.map(([, value]) => {
          const inner = new Map(fields(value as Uint8Array));
          return [text(inner.get(1)), inner.get(2) as number];
        }),
      ),
    });
  }
  return events;
}

describe("crc32c", () => {
  it("gives the known answers", () => {
    // RFC 3720, appendix B.4; the last is the check value of the catalogue of parametrised CRC algorithms.
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
    expect(crc32c(new TextEncoder().encode("123456789"))).toBe(0xe3069283);
  });
});

describe("TensorBoard event files", () => {
  it("are records of events", () => {
    const scalars = { "loss/train": 0.5, grüße: -3e-4, many: Infinity };
    const file = Buffer.concat([
      tensorBoardHeader(1234.5),
      tensorBoardScalars(0, scalars, 1235),
      tensorBoardScalars(2 ** 40 + 7, Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`tag ${i}`, i])), 1236),
    ]);
    const events = decode(new Uint8Array(file));
    expect(events[0]).toEqual({ wallTime: 1234.5, version: "brain.Event:2", scalars: {} });
    expect(events[1]).toEqual({
      wallTime: 1235,
      step: 0,
      scalars: { "loss/train": 0.5, grüße: Math.fround(-3e-4), many: Infinity },
    });
    expect(events[2]!.step).toBe(2 ** 40 + 7);
    expect(Object.values(events[2]!.scalars)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(() => tensorBoardScalars(-1, {}, 0)).toThrow(/step must be a whole number from 0, got -1/);
  });

  it("log a run", async () => {
    const pieces: Uint8Array[] = [];
    let now = 0;
    const log = tensorBoardLog((bytes) => void pieces.push(bytes), { wallTime: () => ++now });
    const events = [
      { kind: "start" },
      { kind: "update", update: 3, loss: 1.5, smoothLoss: 1.75, lr: 0.25, gradNorm: 4 },
      { kind: "valid", update: 3, loss: 2 },
      { kind: "end" },
    ] as TrainEvent[];
    for (const event of events) await log(event);
    expect(decode(new Uint8Array(Buffer.concat(pieces))).slice(1)).toEqual([
      {
        wallTime: 2,
        step: 3,
        scalars: { "loss/train": 1.5, "loss/smooth": 1.75, "learning rate": 0.25, "gradient norm": 4 },
      },
      { wallTime: 3, step: 3, scalars: { "loss/valid": 2 } },
    ]);
  });
});
