/**
 * What the messages of an Arrow stream claim, checked before `apache-arrow` acts on it: it reads vectors as long as they say
 * they are, past the end of the message too, until memory is full.
 * (https://arrow.apache.org/docs/format/Columnar.html, "Encapsulated message format"; the tables are those of Message.fbs
 * and Schema.fbs; https://flatbuffers.dev/internals.)
 */
import { DataError } from "../errors.js";

const SCHEMA = 1;
const DICTIONARY_BATCH = 2;
const RECORD_BATCH = 3;

/**
 * Checks the metadata of a message.
 * @returns bytes of the body that follows it
 * @internal
 */
export function checkMessage(metadata: Uint8Array): number {
  const buffer = new Tables(new DataView(metadata.buffer, metadata.byteOffset, metadata.byteLength));
  const message = buffer.target(0);
  buffer.vector(message, 4, 4);
  const kind = buffer.field(message, 1);
  const header = buffer.field(message, 2);
  if (kind === 0 || header === 0) throw new DataError("a message without a header");
  const table = buffer.target(header);
  const type = metadata[kind];
  if (type === SCHEMA) {
    buffer.vector(table, 2, 4);
    buffer.checkFields(table, 1);
  } else if (type === RECORD_BATCH) checkBatch(buffer, table);
  else if (type === DICTIONARY_BATCH) checkBatch(buffer, buffer.target(buffer.field(table, 1)));
  return buffer.long(buffer.field(message, 3));
}

function checkBatch(buffer: Tables, batch: number): void {
  buffer.vector(batch, 1, 16);
  buffer.vector(batch, 2, 16);
  buffer.vector(batch, 4, 8);
}

/** Tables of a flatbuffer. A DataView refuses what lies outside. */
class Tables {
  readonly #view: DataView;
  #fields = 0;

  constructor(view: DataView) {
    this.#view = view;
  }

  /** Where an offset leads. */
  target(at: number): number {
    return at + this.#view.getUint32(at, true);
  }

  /** Where field `number` of a table is; 0 where it has none. */
  field(table: number, number: number): number {
    const offsets = table - this.#view.getInt32(table, true);
    const entry = 4 + 2 * number;
    if (entry >= this.#view.getUint16(offsets, true)) return 0;
    const offset = this.#view.getUint16(offsets + entry, true);
    return offset === 0 ? 0 : table + offset;
  }

  /** The items of a vector, checked to lie in the message. */
  vector(table: number, number: number, itemSize: number): { readonly start: number; readonly length: number } {
    const at = this.field(table, number);
    if (at === 0) return { start: 0, length: 0 };
    const start = this.target(at) + 4;
    const length = this.#view.getUint32(start - 4, true);
    if (start + length * itemSize > this.#view.byteLength)
      throw new DataError(`a vector of ${length} items is cut off`);
    return { start, length };
  }

  long(at: number): number {
    const value = at === 0 ? 0 : Number(this.#view.getBigInt64(at, true));
    if (!(value >= 0 && Number.isSafeInteger(value))) throw new DataError(`a body of ${value} bytes`);
    return value;
  }

  /** Fields and their children. Fields that share children would be read again for each, for exponential time. */
  checkFields(table: number, number: number): void {
    const { start, length } = this.vector(table, number, 4);
    for (let item = 0; item < length; item++) {
      const field = this.target(start + 4 * item);
      if (++this.#fields > this.#view.byteLength / 8) throw new DataError("fields that share their children");
      this.vector(field, 6, 4);
      this.checkFields(field, 5);
    }
  }
}
