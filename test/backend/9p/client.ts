// A 9P2000.L client for tests: makes messages, cuts them into pieces as a driver does, and
// takes replies apart.
import { T } from "../../../src/backend/9p/message.ts";
import type { ShareServer } from "../../../src/backend/9p/server.ts";
import { Pieces } from "../../../src/backend/pieces.ts";

export type Field =
  | { u8: number }
  | { u16: number }
  | { u32: number }
  | { u64: bigint }
  | { text: string }
  | Uint8Array;

export const u8 = (value: number): Field => ({ u8: value });
export const u16 = (value: number): Field => ({ u16: value });
export const u32 = (value: number): Field => ({ u32: value });
export const u64 = (value: number | bigint): Field => ({ u64: BigInt(value) });
export const text = (value: string): Field => ({ text: value });

function encodeField(field: Field): Buffer {
  if (field instanceof Uint8Array) return Buffer.from(field);
  const bytes = Buffer.alloc(8);
  if ("u8" in field) return bytes.subarray(0, bytes.writeUInt8(field.u8));
  if ("u16" in field) return bytes.subarray(0, bytes.writeUInt16LE(field.u16));
  if ("u32" in field) return bytes.subarray(0, bytes.writeUInt32LE(field.u32 >>> 0));
  if ("u64" in field) return bytes.subarray(0, bytes.writeBigUInt64LE(BigInt.asUintN(64, field.u64)));
  const value = Buffer.from(field.text, "latin1");
  return Buffer.concat([encodeField(u16(value.length)), value]);
}

export function message(type: number, tag: number, ...fields: Field[]): Buffer {
  const body = Buffer.concat(fields.map(encodeField));
  const header = Buffer.alloc(7);
  header.writeUInt32LE(7 + body.length, 0);
  header.writeUInt8(type, 4);
  header.writeUInt16LE(tag, 5);
  return Buffer.concat([header, body]);
}

/** Cuts bytes into pieces of odd sizes. */
function cut(bytes: Uint8Array): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0, size = 5; at < bytes.length; at += size, size = size * 3 + 1) {
    pieces.push(bytes.subarray(at, at + size));
  }
  return pieces;
}

export class Reply {
  #at = 7;
  constructor(readonly bytes: Buffer) {}
  get type(): number {
    return this.bytes.readUInt8(4);
  }
  get tag(): number {
    return this.bytes.readUInt16LE(5);
  }
  /** Error number, or 0. */
  get errno(): number {
    return this.type === 7 ? this.bytes.readUInt32LE(7) : 0;
  }
  u8(): number {
    return this.bytes.readUInt8(this.#at++);
  }
  u16(): number {
    this.#at += 2;
    return this.bytes.readUInt16LE(this.#at - 2);
  }
  u32(): number {
    this.#at += 4;
    return this.bytes.readUInt32LE(this.#at - 4);
  }
  u64(): bigint {
    this.#at += 8;
    return this.bytes.readBigUInt64LE(this.#at - 8);
  }
  text(): string {
    const length = this.u16();
    this.#at += length;
    return this.bytes.toString("latin1", this.#at - length, this.#at);
  }
  qid(): { type: number; version: number; path: bigint } {
    return { type: this.u8(), version: this.u32(), path: this.u64() };
  }
  get rest(): Buffer {
    return this.bytes.subarray(this.#at);
  }
  get left(): number {
    return this.bytes.length - this.#at;
  }
}

export class NineError extends Error {
  constructor(readonly errno: number) {
    super(`errno ${errno}`);
  }
}

export interface Entry {
  name: string;
  offset: bigint;
  type: number;
  path: bigint;
}

export class Client {
  /** Replies that came later. */
  readonly later: Reply[] = [];
  #nextFid = 1;
  readonly root = 0;
  waits = false;

  readonly #room = new Uint8Array(128 * 1024);

  constructor(readonly server: ShareServer) {}

  static attached(server: ShareServer): Client {
    const client = new Client(server);
    client.version();
    client.call(T.ATTACH, u32(0), u32(0xffff_ffff), text("root"), text(""), u32(0));
    return client;
  }

  /** Sends bytes as they are. undefined if there was no reply, or it comes later. */
  raw(bytes: Uint8Array, room = this.#room.length): Reply | undefined {
    const into = this.#room.subarray(0, room);
    const deliver = this.waits ? (reply: Uint8Array) => this.later.push(new Reply(Buffer.from(reply))) : undefined;
    const length = this.server.answer(new Pieces(cut(bytes)), new Pieces(cut(into)), deliver);
    return length <= 0 ? undefined : new Reply(Buffer.from(into.subarray(0, length)));
  }

  /** The reply to a request that must succeed. */
  call(type: number, ...fields: Field[]): Reply {
    const reply = this.raw(message(type, type === T.VERSION ? 0xffff : 1, ...fields));
    if (reply === undefined) throw new Error("no reply");
    if (reply.bytes.readUInt32LE(0) !== reply.bytes.length) throw new Error("the reply's size is wrong");
    if (reply.errno !== 0) throw new NineError(reply.errno);
    if (reply.type !== type + 1) throw new Error(`reply ${reply.type} to ${type}`);
    return reply;
  }

  /** Error number of a request, 0 if it succeeds. */
  errno(type: number, ...fields: Field[]): number {
    try {
      this.call(type, ...fields);
      return 0;
    } catch (error) {
      if (error instanceof NineError) return error.errno;
      throw error;
    }
  }

  version(msize = 64 * 1024, name = "9P2000.L"): { msize: number; version: string } {
    const reply = this.call(T.VERSION, u32(msize), text(name));
    return { msize: reply.u32(), version: reply.text() };
  }

  /** A new fid for a path from `from`. */
  walk(path: string, from = this.root): number {
    const names = path.split("/").filter((name) => name !== "");
    const fid = this.#nextFid++;
    const reply = this.call(T.WALK, u32(from), u32(fid), u16(names.length), ...names.map(text));
    if (reply.u16() < names.length) throw new NineError(2);
    return fid;
  }

  clunk(fid: number): void {
    this.call(T.CLUNK, u32(fid));
  }

  open(path: string, flags = 0): number {
    const fid = this.walk(path);
    this.call(T.LOPEN, u32(fid), u32(flags));
    return fid;
  }

  create(folder: string, name: string, flags = 2, mode = 0o644): number {
    const fid = this.walk(folder);
    this.call(T.LCREATE, u32(fid), text(name), u32(flags), u32(mode), u32(0));
    return fid;
  }

  read(fid: number, offset: number | bigint = 0, count = 60_000): Buffer {
    const reply = this.call(T.READ, u32(fid), u64(offset), u32(count));
    const length = reply.u32();
    if (length !== reply.left) throw new Error("the data is not as long as it says");
    return reply.rest;
  }

  write(fid: number, bytes: Uint8Array | string, offset: number | bigint = 0): number {
    const data = typeof bytes === "string" ? Buffer.from(bytes) : bytes;
    return this.call(T.WRITE, u32(fid), u64(offset), u32(data.length), data).u32();
  }

  /** Entries of an open directory from `offset`. */
  readdir(fid: number, offset: bigint, count: number): Entry[] {
    const reply = this.call(T.READDIR, u32(fid), u64(offset), u32(count));
    if (reply.u32() !== reply.left) throw new Error("the data is not as long as it says");
    const entries: Entry[] = [];
    while (reply.left > 0) {
      const { path } = reply.qid();
      const [next, type] = [reply.u64(), reply.u8()];
      entries.push({ path, offset: next, type, name: reply.text() });
    }
    return entries;
  }

  list(path: string): string[] {
    const fid = this.open(path);
    const names: string[] = [];
    for (let offset = 0n; ; ) {
      const entries = this.readdir(fid, offset, 4096);
      if (entries.length === 0) break;
      names.push(...entries.map(({ name }) => name));
      offset = (entries.at(-1) as Entry).offset;
    }
    this.clunk(fid);
    return names.filter((name) => name !== "." && name !== "..").sort();
  }

  attributes(fid: number) {
    const reply = this.call(T.GETATTR, u32(fid), u64(0x7ff));
    const valid = reply.u64();
    const qid = reply.qid();
    const [mode, uid, gid] = [reply.u32(), reply.u32(), reply.u32()];
    const [links, device, size] = [reply.u64(), reply.u64(), reply.u64()];
    reply.u64();
    reply.u64();
    const [accessed, , modified, modifiedPart] = [reply.u64(), reply.u64(), reply.u64(), reply.u64()];
    return { valid, qid, mode, uid, gid, links, device, size, accessed, modified, modifiedPart };
  }

  setattr(
    fid: number,
    valid: number,
    values: { mode?: number; uid?: number; size?: number; mtime?: bigint } = {},
  ): number {
    const { mode = 0, uid = 0, size = 0, mtime = 0n } = values;
    return this.errno(
      T.SETATTR,
      ...[u32(fid), u32(valid), u32(mode), u32(uid), u32(0), u64(size)],
      ...[u64(mtime), u64(0), u64(mtime), u64(0)],
    );
  }
}
