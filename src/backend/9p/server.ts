// A 9P2000.L server for one client: messages in, replies out, at once. What a message says is
// hostile; nothing in it reaches the backend unchecked, and whatever it holds, it is
// answered with an error at worst.
//
// Making a file durable may take the host a while. Then its reply comes later, and so does
// the reply to a FLUSH of it: a client that was told that a request is over must not see an
// answer to it any more.
//
// Left out: authentication, extended attributes, locks between this client and others.
import type { Pieces } from "../pieces.ts";
import {
  ERROR_SIZE,
  HEADER_SIZE,
  QID_SIZE,
  READ_REPLY_SIZE,
  Reader,
  RLERROR,
  T,
  WRITE_REQUEST_SIZE,
  Writer,
} from "./message.ts";
import { OPERATIONS } from "./operations.ts";
import { MSIZE_MAX, MSIZE_MIN, Session, type SessionOptions } from "./session.ts";
import type { NodeKind, ShareBackend, ShareStat } from "./share-backend.ts";
import { LinuxErrno, ShareError } from "./share-error.ts";

const VERSION = "9P2000.L";
const NO_TAG = 0xffff;

/** What answer() gives for a reply that comes later. */
export const LATER = -1;

/** No request but WRITE is longer: names and targets of links, 64 KiB each at most. */
const LONGEST_REQUEST = 4 * 0x1_0000;
/** No reply but those with data is longer. */
const LONGEST_REPLY = 0x1_0000 + 1024;
const LARGEST_OFFSET = 2n ** 63n - 1n;
/** Of an entry in a directory, without its name. */
const ENTRY_SIZE = QID_SIZE + 8 + 1 + 2;
const TYPE_SHIFT = 12;
const GONE_MAX = 1000;

/** Takes a whole reply that comes later. */
export type Deliver = (reply: Uint8Array) => void;

/** A request under way, and what is to be answered once it is over. */
interface Pending {
  tag: number;
  flushes: (() => void)[];
}

export class ShareServer {
  readonly #backend: ShareBackend;
  readonly #session: Session;
  readonly #reply = new Writer(LONGEST_REPLY);
  #entries: Writer | undefined;
  readonly #pending = new Set<Pending>();

  constructor(backend: ShareBackend, options: SessionOptions = {}) {
    this.#backend = backend;
    this.#session = new Session(backend, options);
  }

  /** Requests whose reply is still to come. */
  get pending(): number {
    return this.#pending.size;
  }

  /** Fids that the client holds. */
  get fids(): number {
    return this.#session.fids;
  }

  /**
   * Does what `request` asks and puts the reply into `room`: its length, 0 if there is no room even for an error, or
   * LATER. Without `deliver` everything is answered at once.
   */
  answer(request: Pieces, room: Pieces, deliver?: Deliver): number {
    if (request.length < HEADER_SIZE || room.length < ERROR_SIZE) return 0;
    const header = new Reader(request.copy(0, HEADER_SIZE));
    const size = header.u32();
    const type = header.u8();
    const tag = header.u16();
    const reply = this.#reply;
    reply.restart();
    for (let i = 0; i < HEADER_SIZE; i++) reply.u8(0);
    try {
      if (size < HEADER_SIZE || size > request.length) throw new ShareError(LinuxErrno.EINVAL);
      const length = this.#perform({ type, tag, size }, request, room, deliver);
      if (length === LATER) return LATER;
      if (length > room.length) throw new ShareError(LinuxErrno.EOVERFLOW);
      reply.finish(type + 1, tag, length);
      room.put(0, reply.bytes);
      return length;
    } catch (error) {
      return this.#refuse(room, tag, error);
    } finally {
      this.#backend.settle?.();
    }
  }

  /** The client is gone: so is what it held. */
  reset(): void {
    this.#session.reset();
    this.#pending.clear();
  }

  close(): void {
    this.reset();
    this.#backend.close();
  }

  #refuse(room: Pieces, tag: number, error: unknown): number {
    if (!(error instanceof ShareError)) throw error;
    room.put(0, errorReply(tag, error.errno));
    return ERROR_SIZE;
  }

  /** Length of the reply: the part in the Writer, and data that is in `room` already. */
  #perform(
    { type, tag, size }: { type: number; tag: number; size: number },
    request: Pieces,
    room: Pieces,
    deliver: Deliver | undefined,
  ): number {
    const session = this.#session;
    const reply = this.#reply;
    const isWrite = type === T.WRITE;
    if (!isWrite && size > LONGEST_REQUEST) throw new ShareError(LinuxErrno.EINVAL);
    // Copied first, so that nothing changes between check and use.
    const fields = new Reader(request.copy(HEADER_SIZE, (isWrite ? WRITE_REQUEST_SIZE : size) - HEADER_SIZE));
    if (type === T.VERSION) {
      this.#agree(fields, tag);
      return reply.length;
    }
    if (session.msize === 0) throw new ShareError(LinuxErrno.EINVAL);
    switch (type) {
      case T.READ:
        return this.#read(fields, room);
      case T.WRITE:
        this.#write(fields, request, size);
        return reply.length;
      case T.READDIR:
        return this.#readdir(fields, room);
      case T.FSYNC:
        return this.#fsync(fields, tag, deliver) ? LATER : reply.length;
      case T.FLUSH:
        return this.#flush(fields, tag, deliver) ? LATER : reply.length;
    }
    const operation = OPERATIONS.get(type);
    if (operation === undefined) throw new ShareError(LinuxErrno.EOPNOTSUPP);
    operation(session, fields, reply);
    return reply.length;
  }

  /** The first request of a client, which ends whatever was before. */
  #agree(fields: Reader, tag: number): void {
    const wanted = fields.u32();
    const version = fields.string();
    if (tag !== NO_TAG || wanted < MSIZE_MIN) throw new ShareError(LinuxErrno.EINVAL);
    this.#session.reset();
    const msize = Math.min(wanted, MSIZE_MAX);
    const known = version === VERSION;
    if (known) this.#session.msize = msize;
    this.#reply.u32(msize);
    this.#reply.string(known ? VERSION : "unknown");
  }

  /** Bytes of data that a reply may hold. */
  #dataRoom(wanted: number, room: Pieces): number {
    return Math.max(0, Math.min(wanted, this.#session.msize - READ_REPLY_SIZE, room.length - READ_REPLY_SIZE));
  }

  /** Straight from the file into guest memory. */
  #read(fields: Reader, room: Pieces): number {
    const file = this.#session.openFile(fields.u32(), "mayRead");
    const offset = fields.u64();
    const count = this.#dataRoom(fields.u32(), room);
    if (offset > LARGEST_OFFSET - BigInt(count)) throw new ShareError(LinuxErrno.EINVAL);
    const got = count === 0 ? 0 : file.read(room.slice(READ_REPLY_SIZE, count), offset);
    this.#reply.u32(got);
    return READ_REPLY_SIZE + got;
  }

  /** And the other way. */
  #write(fields: Reader, request: Pieces, size: number): void {
    const file = this.#session.openFile(fields.u32(), "mayWrite");
    const offset = fields.u64();
    const count = fields.u32();
    if (count > size - WRITE_REQUEST_SIZE) throw new ShareError(LinuxErrno.EINVAL);
    if (offset > LARGEST_OFFSET - BigInt(count)) throw new ShareError(LinuxErrno.EFBIG);
    this.#reply.u32(count === 0 ? 0 : file.write(request.slice(WRITE_REQUEST_SIZE, count), offset));
  }

  /**
   * Entries from `offset` on: 0 and 1 are "." and "..", n + 2 is name n of the listing that was made when reading began.
   * An entry's own offset is where reading goes on behind it.
   */
  #readdir(fields: Reader, room: Pieces): number {
    const fid = this.#session.fid(fields.u32());
    const offset = fields.u64();
    const count = this.#dataRoom(fields.u32(), room);
    const names = this.#session.listing(fid, offset === 0n);
    this.#entries ??= new Writer(MSIZE_MAX);
    const out = this.#entries;
    out.restart();
    let gone = 0;
    for (let at = Number(offset > 0xffff_ffffn ? 0xffff_ffffn : offset); at < names.length + 2; at++) {
      const name = at === 0 ? "." : at === 1 ? ".." : names[at - 2];
      if (out.length + ENTRY_SIZE + name.length > count) {
        if (out.length === 0) throw new ShareError(LinuxErrno.EINVAL);
        break;
      }
      const stat = at < 2 ? this.#dots(fid.node, at) : this.#backend.statEntry(fid.node, name);
      // Gone meanwhile. So that no message costs too much, only so many are left out.
      if (stat === undefined && ++gone <= GONE_MAX) continue;
      out.qid(stat ?? { kind: "file", version: 0, path: 0n });
      out.u64(BigInt(at + 1));
      out.u8((stat?.mode ?? 0) >> TYPE_SHIFT);
      out.string(name);
    }
    this.#reply.u32(out.length);
    room.put(READ_REPLY_SIZE, out.bytes);
    return READ_REPLY_SIZE + out.length;
  }

  #dots(node: { kind: NodeKind }, at: number): ShareStat {
    if (at === 0) return this.#backend.stat(node);
    const parent = this.#backend.parent(node);
    try {
      return this.#backend.stat(parent);
    } finally {
      this.#backend.release(parent);
    }
  }

  /** True if the reply comes later. */
  #fsync(fields: Reader, tag: number, deliver: Deliver | undefined): boolean {
    const fid = this.#session.fid(fields.u32());
    const dataOnly = fields.u32() !== 0;
    if (!fid.isOpen) throw new ShareError(LinuxErrno.EBADF);
    const { file } = fid;
    if (file === undefined || this.#session.readOnly) return false;
    if (deliver === undefined || file.syncLater === undefined) {
      file.sync(dataOnly);
      return false;
    }
    const pending: Pending = { tag, flushes: [] };
    this.#pending.add(pending);
    file.syncLater(dataOnly, (error) => {
      if (!this.#pending.delete(pending)) return;
      deliver(error === undefined ? emptyReply(T.FSYNC + 1, tag) : errorReply(tag, error.errno));
      for (const flush of pending.flushes) flush();
    });
    return true;
  }

  #flush(fields: Reader, tag: number, deliver: Deliver | undefined): boolean {
    const old = fields.u16();
    const pending = [...this.#pending].find((it) => it.tag === old);
    if (pending === undefined || deliver === undefined) return false;
    pending.flushes.push(() => deliver(emptyReply(T.FLUSH + 1, tag)));
    return true;
  }
}

function emptyReply(type: number, tag: number): Uint8Array {
  const reply = new Writer(HEADER_SIZE);
  for (let i = 0; i < HEADER_SIZE; i++) reply.u8(0);
  reply.finish(type, tag);
  return reply.bytes;
}

function errorReply(tag: number, errno: number): Uint8Array {
  const reply = new Writer(ERROR_SIZE);
  for (let i = 0; i < HEADER_SIZE; i++) reply.u8(0);
  reply.u32(errno);
  reply.finish(RLERROR, tag);
  return reply.bytes;
}
