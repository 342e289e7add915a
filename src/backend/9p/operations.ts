// What each request of 9P2000.L does, but for those that move a file's data (data.ts) and
// those about the connection itself (server.ts). A handler reads its fields, checks names,
// does it, and writes the fields of the reply.
import { MAX_WALK, NO_FID, type Reader, T, type Writer } from "./message.ts";
import type { Session } from "./session.ts";
import type { OpenMode, ShareChanges, ShareNode, ShareStat } from "./share-backend.ts";
import { LinuxErrno, ShareError } from "./share-error.ts";

export type Operation = (session: Session, request: Reader, reply: Writer) => void;

/** Linux's generic flags, as LOPEN and LCREATE carry them. */
const Open = {
  ACCESS: 3,
  WRITE_ONLY: 1,
  READ_WRITE: 2,
  EXCLUSIVE: 0o200,
  TRUNCATE: 0o1000,
  APPEND: 0o2000,
  DATA_SYNC: 0o10000,
  SYNC: 0o4000000,
} as const;

const Valid = {
  MODE: 1 << 0,
  UID: 1 << 1,
  GID: 1 << 2,
  SIZE: 1 << 3,
  ATIME: 1 << 4,
  MTIME: 1 << 5,
  ATIME_SET: 1 << 7,
  MTIME_SET: 1 << 8,
} as const;

/** All that GETATTR answers (P9_STATS_BASIC). */
const STATS_BASIC = 0x7ffn;
const REMOVE_DIRECTORY = 0x200;
const LOCK_SUCCESS = 0;
const LOCK_TYPE_UNLOCK = 2;
/** What statfs(2) names the file system: 9P. */
const V9FS_MAGIC = 0x0102_1997;
const TYPE_MASK = 0o170000;
const REGULAR = 0o100000;
const NANOSECONDS = 1_000_000_000n;

/** Refuses what is no name of one file in a directory. */
function checkName(name: string, errno: number = LinuxErrno.EINVAL): void {
  if (name === "" || name === "." || name === ".." || name.includes("/") || name.includes("\0")) {
    throw new ShareError(errno);
  }
}

function checkWritable({ readOnly }: Session): void {
  if (readOnly) throw new ShareError(LinuxErrno.EROFS);
}

function openMode(flags: number): OpenMode {
  const access = flags & Open.ACCESS;
  if (access === Open.ACCESS) throw new ShareError(LinuxErrno.EINVAL);
  return {
    read: access !== Open.WRITE_ONLY,
    write: access === Open.WRITE_ONLY || access === Open.READ_WRITE,
    append: (flags & Open.APPEND) !== 0,
    truncate: (flags & Open.TRUNCATE) !== 0,
    exclusive: (flags & Open.EXCLUSIVE) !== 0,
    sync: (flags & Open.SYNC) === Open.SYNC,
    dataSync: (flags & Open.DATA_SYNC) !== 0,
  };
}

/** The fields of a directory's entry that a request about it begins with, and a check that it may be changed. */
function entry(session: Session, request: Reader): { directory: ShareNode; name: string } {
  const directory = session.directory(request.u32());
  const name = request.string();
  checkWritable(session);
  checkName(name);
  return { directory, name };
}

/** Attaches to the root: what a name of a user or a tree says is not ours to judge. */
const attach: Operation = (session, request, reply) => {
  const number = request.u32();
  request.u32(); // no authentication, so whatever fid this is
  request.string();
  const tree = request.string();
  if (tree !== "" && tree !== "/") throw new ShareError(LinuxErrno.ENOENT);
  session.checkNew(number);
  const root = session.backend.root();
  try {
    reply.qid(session.backend.stat(root));
  } catch (error) {
    session.backend.release(root);
    throw error;
  }
  session.add(number, root);
};

/** One step. ".." of a fid's place is where it was reached from, and of the root the root itself. */
function step({ backend }: Session, from: ShareNode, name: string): ShareNode {
  if (from.kind !== "directory") throw new ShareError(LinuxErrno.ENOTDIR);
  if (name === "..") return backend.parent(from);
  checkName(name, LinuxErrno.ENOENT);
  return backend.walk(from, name);
}

const walk: Operation = (session, request, reply) => {
  const { backend } = session;
  const number = request.u32();
  const newNumber = request.u32();
  const count = request.u16();
  if (count > MAX_WALK) throw new ShareError(LinuxErrno.EINVAL);
  const names = Array.from({ length: count }, () => request.string());
  const fid = session.fid(number);
  let { node } = fid;
  if (newNumber !== number) session.checkNew(newNumber);
  else if (fid.isOpen) throw new ShareError(LinuxErrno.EBADF);
  const stats: ShareStat[] = [];
  backend.retain(node);
  try {
    for (const name of names) {
      const next = step(session, node, name);
      backend.release(node);
      node = next;
      stats.push(backend.stat(node));
    }
  } catch (error) {
    // A walk that gets part of the way says how far, and changes nothing.
    if (!(error instanceof ShareError) || stats.length === 0) {
      backend.release(node);
      throw error;
    }
  }
  reply.u16(stats.length);
  for (const stat of stats) reply.qid(stat);
  if (stats.length < count) backend.release(node);
  else if (newNumber === number) session.replace(number, node);
  else session.add(newNumber, node);
};

const open: Operation = (session, request, reply) => {
  const fid = session.fid(request.u32());
  const mode = openMode(request.u32());
  if (mode.write || mode.truncate) checkWritable(session);
  session.checkOpen(fid);
  const { node } = fid;
  if (node.kind === "directory" && (mode.write || mode.truncate)) throw new ShareError(LinuxErrno.EISDIR);
  const file = node.kind === "directory" ? undefined : session.backend.open(node, mode);
  session.opened(fid, file, mode);
  reply.qid(file?.stat() ?? session.backend.stat(node));
  reply.u32(0); // as much at a time as fits a message
};

/** The fid of the directory becomes that of the new file. */
const create: Operation = (session, request, reply) => {
  const number = request.u32();
  const name = request.string();
  const mode = openMode(request.u32());
  const permissions = request.u32();
  checkWritable(session);
  checkName(name);
  const fid = session.fid(number);
  const directory = session.directory(number);
  session.checkOpen(fid);
  const { node, file } = session.backend.create(directory, name, mode, permissions);
  session.replace(number, node);
  session.opened(fid, file, mode);
  reply.qid(file.stat());
  reply.u32(0);
};

const getattr: Operation = (session, request, reply) => {
  const fid = session.fid(request.u32());
  const s = fid.file?.stat() ?? session.backend.stat(fid.node);
  reply.u64(STATS_BASIC);
  reply.qid(s);
  reply.u32(s.mode);
  reply.u32(s.uid);
  reply.u32(s.gid);
  for (const value of [s.links, s.device, s.size, s.blockSize, s.blocks]) reply.u64(BigInt.asUintN(64, value));
  for (const time of [s.accessed, s.modified, s.changed, 0n]) {
    const part = ((time % NANOSECONDS) + NANOSECONDS) % NANOSECONDS;
    reply.u64(BigInt.asUintN(64, (time - part) / NANOSECONDS));
    reply.u64(part);
  }
  reply.u64(0n); // generation
  reply.u64(0n); // data version
};

const setattr: Operation = (session, request) => {
  const fid = session.fid(request.u32());
  const valid = request.u32();
  const [mode, uid, gid] = [request.u32(), request.u32(), request.u32()];
  const size = request.u64();
  const time = () => BigInt.asIntN(64, request.u64()) * NANOSECONDS + (request.u64() % NANOSECONDS);
  const [accessed, modified] = [time(), time()];
  checkWritable(session);
  const changes: ShareChanges = {};
  if (valid & Valid.MODE) changes.mode = mode & 0o7777;
  if (valid & Valid.UID) changes.uid = uid;
  if (valid & Valid.GID) changes.gid = gid;
  if (valid & Valid.SIZE) changes.size = size;
  if (valid & Valid.ATIME) changes.accessed = valid & Valid.ATIME_SET ? accessed : "now";
  if (valid & Valid.MTIME) changes.modified = valid & Valid.MTIME_SET ? modified : "now";
  session.backend.change(fid.node, fid.mayWrite ? fid.file : undefined, changes);
};

const readlink: Operation = (session, request, reply) => {
  const { node } = session.fid(request.u32());
  if (node.kind !== "symlink") throw new ShareError(LinuxErrno.EINVAL);
  reply.string(session.backend.readlink(node));
};

const mkdir: Operation = (session, request, reply) => {
  const { directory, name } = entry(session, request);
  reply.qid(session.backend.makeDirectory(directory, name, request.u32()));
};

/** Empty files alone: fifos, sockets and devices are no things to leave in a folder of the host. */
const mknod: Operation = (session, request, reply) => {
  const { directory, name } = entry(session, request);
  const mode = request.u32();
  const type = mode & TYPE_MASK;
  if (type !== REGULAR && type !== 0) throw new ShareError(LinuxErrno.EPERM);
  const { node, file } = session.backend.create(directory, name, { ...openMode(0), exclusive: true }, mode & 0o7777);
  try {
    reply.qid(file.stat());
  } finally {
    file.close();
    session.backend.release(node);
  }
};

const symlink: Operation = (session, request, reply) => {
  const { directory, name } = entry(session, request);
  const target = request.string();
  if (target === "" || target.includes("\0")) throw new ShareError(LinuxErrno.ENOENT);
  reply.qid(session.backend.makeSymlink(directory, name, target));
};

const link: Operation = (session, request) => {
  const directory = session.directory(request.u32());
  const { node } = session.fid(request.u32());
  const name = request.string();
  checkWritable(session);
  checkName(name);
  if (node.kind === "directory") throw new ShareError(LinuxErrno.EPERM);
  session.backend.link(node, directory, name);
};

const renameat: Operation = (session, request) => {
  const { directory, name } = entry(session, request);
  const { directory: to, name: newName } = entry(session, request);
  session.backend.rename(directory, name, to, newName);
};

const rename: Operation = (session, request) => {
  const { node } = session.fid(request.u32());
  const { directory, name } = entry(session, request);
  session.backend.move(node, directory, name);
};

const unlinkat: Operation = (session, request) => {
  const { directory, name } = entry(session, request);
  const flags = request.u32();
  if ((flags & ~REMOVE_DIRECTORY) !== 0) throw new ShareError(LinuxErrno.EINVAL);
  session.backend.remove(directory, name, flags !== 0);
};

/** The fid is gone, whether or not the file is. */
const remove: Operation = (session, request) => {
  const number = request.u32();
  const { node } = session.fid(number);
  try {
    checkWritable(session);
    session.backend.removeNode(node);
  } finally {
    session.clunk(number);
  }
};

const statfs: Operation = (session, request, reply) => {
  const s = session.backend.statfs(session.fid(request.u32()).node);
  reply.u32(V9FS_MAGIC);
  reply.u32(s.blockSize);
  for (const value of [s.blocks, s.free, s.available, s.files, s.freeFiles]) reply.u64(BigInt.asUintN(64, value));
  reply.u64(0n); // identifier of the file system
  reply.u32(s.nameMax);
};

/** The guest's kernel keeps its own programs apart, and is the only client: every lock is granted. */
const lock: Operation = (session, request, reply) => {
  session.fid(request.u32());
  reply.u8(LOCK_SUCCESS);
};

const getlock: Operation = (session, request, reply) => {
  session.fid(request.u32());
  request.u8();
  const [start, length, process, client] = [request.u64(), request.u64(), request.u32(), request.string()];
  reply.u8(LOCK_TYPE_UNLOCK);
  reply.u64(start);
  reply.u64(length);
  reply.u32(process);
  reply.string(client);
};

/** Extended attributes stay in the guest's kernel, or nowhere. */
const noAttributes: Operation = () => {
  throw new ShareError(LinuxErrno.EOPNOTSUPP);
};

const noAuthentication: Operation = (_session, request) => {
  const fid = request.u32();
  throw new ShareError(fid === NO_FID ? LinuxErrno.EBADF : LinuxErrno.EOPNOTSUPP);
};

export const OPERATIONS = new Map<number, Operation>([
  [T.AUTH, noAuthentication],
  [T.ATTACH, attach],
  [T.WALK, walk],
  [T.LOPEN, open],
  [T.LCREATE, create],
  [T.GETATTR, getattr],
  [T.SETATTR, setattr],
  [T.READLINK, readlink],
  [T.MKDIR, mkdir],
  [T.MKNOD, mknod],
  [T.SYMLINK, symlink],
  [T.LINK, link],
  [T.RENAMEAT, renameat],
  [T.RENAME, rename],
  [T.UNLINKAT, unlinkat],
  [T.REMOVE, remove],
  [T.STATFS, statfs],
  [T.LOCK, lock],
  [T.GETLOCK, getlock],
  [T.XATTRWALK, noAttributes],
  [T.XATTRCREATE, noAttributes],
  [T.CLUNK, (session, request) => session.clunk(request.u32())],
]);
