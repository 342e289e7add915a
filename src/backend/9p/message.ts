// 9P2000.L on the wire: little-endian numbers, strings with a length of two bytes in front.
//
//   size[4] type[1] tag[2] ...
//
// Strings are names of files, which to Linux are bytes: they are kept as they came, one
// character a byte, and whoever shows one to a person decodes it.
import type { ShareStat } from "./share-backend.ts";
import { LinuxErrno, ShareError } from "./share-error.ts";

/** Types of requests; a reply has the next number. */
export const T = {
  STATFS: 8,
  LOPEN: 12,
  LCREATE: 14,
  SYMLINK: 16,
  MKNOD: 18,
  RENAME: 20,
  READLINK: 22,
  GETATTR: 24,
  SETATTR: 26,
  XATTRWALK: 30,
  XATTRCREATE: 32,
  READDIR: 40,
  FSYNC: 50,
  LOCK: 52,
  GETLOCK: 54,
  LINK: 70,
  MKDIR: 72,
  RENAMEAT: 74,
  UNLINKAT: 76,
  VERSION: 100,
  AUTH: 102,
  ATTACH: 104,
  FLUSH: 108,
  WALK: 110,
  READ: 116,
  WRITE: 118,
  CLUNK: 120,
  REMOVE: 122,
} as const;

export const RLERROR = 7;
export const HEADER_SIZE = 7;
/** Of a reply to READ and READDIR, and of a request to WRITE, up to the data. */
export const READ_REPLY_SIZE = HEADER_SIZE + 4;
export const WRITE_REQUEST_SIZE = HEADER_SIZE + 16;
export const ERROR_SIZE = HEADER_SIZE + 4;
export const NO_FID = 0xffff_ffff;
export const MAX_WALK = 16;

export const QID_SIZE = 13;
const QidType = { DIRECTORY: 0x80, SYMLINK: 0x02, FILE: 0 } as const;

/** Reads a message's fields in order. A field past the end is EINVAL. */
export class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  #take(length: number): number {
    const at = this.#at;
    if (length > this.#bytes.length - at) throw new ShareError(LinuxErrno.EINVAL);
    this.#at = at + length;
    return at;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8), true);
  }

  string(): string {
    const length = this.u16();
    const at = this.#take(length);
    let text = "";
    for (let i = at; i < at + length; i++) text += String.fromCharCode(this.#bytes[i]);
    return text;
  }
}

/** Writes a message's fields in order into a buffer that has room for the longest. */
export class Writer {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(capacity: number) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  get length(): number {
    return this.#at;
  }

  /** What was written; valid until the next message. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }

  restart(): void {
    this.#at = 0;
  }

  #room(length: number): number {
    const at = this.#at;
    if (length > this.#bytes.length - at) throw new ShareError(LinuxErrno.ENAMETOOLONG);
    this.#at = at + length;
    return at;
  }

  u8(value: number): void {
    this.#view.setUint8(this.#room(1), value);
  }

  u16(value: number): void {
    this.#view.setUint16(this.#room(2), value, true);
  }

  u32(value: number): void {
    this.#view.setUint32(this.#room(4), value, true);
  }

  u64(value: bigint): void {
    this.#view.setBigUint64(this.#room(8), value, true);
  }

  string(text: string): void {
    this.u16(text.length);
    const at = this.#room(text.length);
    for (let i = 0; i < text.length; i++) this.#bytes[at + i] = text.charCodeAt(i);
  }

  /** What tells one file from all others, and one state of it from the next. */
  qid({ kind, version, path }: Pick<ShareStat, "kind" | "version" | "path">): void {
    this.u8(kind === "directory" ? QidType.DIRECTORY : kind === "symlink" ? QidType.SYMLINK : QidType.FILE);
    this.u32(version);
    this.u64(path);
  }

  /** Size, type and tag, once everything behind them is there. */
  finish(type: number, tag: number, length = this.#at): void {
    this.#view.setUint32(0, length, true);
    this.#view.setUint8(4, type);
    this.#view.setUint16(5, tag, true);
  }
}
