/**
 * Reading zip archives, as much as a .keras file is one. PKWARE, "APPNOTE.TXT - .ZIP File Format Specification".
 *
 * The central directory is what counts; sizes and the CRC-32 of what is read are checked, as a file is not trusted.
 */
import { inflateSync } from "fflate";
import { LoadError } from "../../errors.js";
import { quoted } from "../json.js";

const END = 0x06054b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;

/** A member that deflated so much better than weights do, and is so large, is no model but an attack on memory. */
const MAX_RATIO = 100;
const MAX_SMALL = 4e6;

/** A member of an archive. */
interface Member {
  readonly method: number;
  readonly crc: number;
  readonly compressed: number;
  readonly size: number;
  readonly at: number;
}

/** An archive. */
export interface ZipFile {
  /** The bytes of a member, checked; undefined when there is none of that name. @throws LoadError */
  read(name: string): Uint8Array | undefined;
}

/** @throws LoadError (encoding, truncated, unsupported_version) */
export function openZip(bytes: Uint8Array): ZipFile {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const truncated = (): LoadError => new LoadError("truncated", "zip: the file ends before its directory says so");
  const u32 = (at: number): number => {
    if (at + 4 > bytes.length) throw truncated();
    return view.getUint32(at, true);
  };
  const u16 = (at: number): number => {
    if (at + 2 > bytes.length) throw truncated();
    return view.getUint16(at, true);
  };
  if (bytes.length < 4 || (u32(0) !== LOCAL && u32(0) !== END)) {
    throw new LoadError("encoding", "this is neither a zip archive nor an HDF5 file");
  }
  // The end of the directory stands before a comment of at most 65535 bytes.
  let end = bytes.length - 22;
  while (end >= 0 && u32(end) !== END) end--;
  if (end < 0) throw new LoadError("truncated", "zip: the central directory is missing; the file was cut");
  const members = new Map<string, Member>();
  let at = u32(end + 16);
  for (let count = u16(end + 10); count > 0; count--) {
    if (u32(at) !== CENTRAL) throw new LoadError("encoding", `zip: no directory entry at ${at}`);
    const [nameLength, skipped] = [u16(at + 28), u16(at + 30) + u16(at + 32)];
    if (at + 46 + nameLength > bytes.length) throw truncated();
    const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameLength));
    if (members.has(name)) throw new LoadError("encoding", `zip: ${quoted(name)} is there twice`);
    if ((u16(at + 8) & 1) !== 0) throw new LoadError("unsupported_version", `zip: ${quoted(name)} is encrypted`);
    members.set(name, {
      method: u16(at + 10),
      crc: u32(at + 16),
      compressed: u32(at + 20),
      size: u32(at + 24),
      at: u32(at + 42),
    });
    at += 46 + nameLength + skipped;
  }
  const read = (name: string): Uint8Array | undefined => {
    const member = members.get(name);
    if (member === undefined) return undefined;
    const { method, crc, compressed, size } = member;
    if (u32(member.at) !== LOCAL)
      throw new LoadError("encoding", `zip: ${quoted(name)} does not begin at ${member.at}`);
    const begin = member.at + 30 + u16(member.at + 26) + u16(member.at + 28);
    if (begin + compressed > bytes.length) throw truncated();
    if (size > MAX_SMALL && size > compressed * MAX_RATIO) {
      throw new LoadError("too_large", `zip: ${quoted(name)} inflates from ${compressed} to ${size} bytes`);
    }
    const data = unpack(name, bytes.subarray(begin, begin + compressed), method, size);
    if (data.length !== size || crc32(data) !== crc) {
      throw new LoadError("encoding", `zip: ${quoted(name)} is damaged: its CRC-32 checksum is wrong`);
    }
    return data;
  };
  return { read };
}

function unpack(name: string, data: Uint8Array, method: number, size: number): Uint8Array {
  if (method === 0) return data;
  if (method !== 8) throw new LoadError("unsupported_version", `zip: ${quoted(name)} has compression method ${method}`);
  try {
    return inflateSync(data, { out: new Uint8Array(size) });
  } catch (error) {
    throw new LoadError("encoding", `zip: ${quoted(name)} cannot be inflated: ${String(error)}`);
  }
}

// The reversed polynomial of CRC-32 (ISO 3309), for every byte.
const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte;
  for (let bit = 0; bit < 8; bit++) rest = (rest >>> 1) ^ (rest & 1 ? 0xedb88320 : 0);
  return rest;
});

function crc32(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of data) crc = (crc >>> 8) ^ (table[(crc ^ byte) & 0xff] as number);
  return (crc ^ 0xffffffff) >>> 0;
}
