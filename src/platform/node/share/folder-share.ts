// A folder of the host as a share. Everything happens with the rights of the user who runs
// the guest, inside the folder (path-tree.ts says how that is kept), and to regular files,
// folders and symbolic links alone: fifos, sockets and devices are shown and can be removed,
// never opened or made. Setuid and setgid bits of files do not reach the host.
//
// Times are set to the precision that Node has, about a microsecond.
import {
  type BigIntStats,
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  opendirSync,
  openSync,
  readlinkSync,
  readSync,
  renameSync,
  rmdirSync,
  statfsSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
} from "node:fs";
import type {
  OpenMode,
  ShareBackend,
  ShareChanges,
  ShareFile,
  ShareNode,
  ShareStat,
  ShareStatfs,
} from "../../../backend/9p/share-backend.ts";
import { OptionError } from "../../../errors.ts";
import { FolderFile } from "./folder-file.ts";
import { type PathNode, PathTree, pathOf } from "./path-tree.ts";
import { refuse, shareError, sharing } from "./share-errors.ts";
import { StatMap } from "./share-stat.ts";

/** Names in one folder. */
const ENTRIES_MAX = 1_000_000;
/** Entries that the host reads at a time. */
const ENTRIES_AT_ONCE = 512;
/** Attempts to open what others take away and put back meanwhile. */
const ATTEMPTS = 8;
const PERMISSIONS = 0o7777;
/** Setuid and setgid: on a file they would give whoever runs it on the host the rights of its owner. */
const SET_ID = 0o6000;
const SECOND = 1e9;

export class FolderShare implements ShareBackend {
  readonly name: string;
  readonly readOnly: boolean;
  readonly #tree: PathTree;
  readonly #stats = new StatMap();

  /** @throws OptionError if `path` is no folder that can be shared. */
  constructor(path: string, options: { readOnly?: boolean } = {}) {
    this.name = path;
    this.readOnly = options.readOnly ?? false;
    this.#tree = openTree(path);
    this.#stats.of(fstatSync(this.#tree.root.descriptor, { bigint: true }));
  }

  root(): PathNode {
    this.#tree.retain(this.#tree.root);
    return this.#tree.root;
  }

  retain(node: ShareNode): void {
    this.#tree.retain(node as PathNode);
  }

  release(node: ShareNode): void {
    this.#tree.release(node as PathNode);
  }

  walk(directory: ShareNode, name: string): PathNode {
    return sharing(() => this.#tree.walk(directory as PathNode, name));
  }

  parent(node: ShareNode): PathNode {
    const { parent } = node as PathNode;
    this.#tree.retain(parent);
    return parent;
  }

  stat(node: ShareNode): ShareStat {
    return sharing(() => this.#stats.of(this.#stat(node)));
  }

  statEntry(directory: ShareNode, name: string): ShareStat | undefined {
    try {
      return this.#stats.of(lstatSync(this.#tree.entry(directory as PathNode, name), { bigint: true }));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw shareError(error);
    }
  }

  /** Read through the folder: what a link's own descriptor leads to, only readlinkat(2) tells. */
  readlink(node: ShareNode): string {
    return sharing(() => {
      const { directory, name } = this.#tree.place(node as PathNode);
      return readlinkSync(this.#tree.entry(directory, name), { encoding: "buffer" }).toString("latin1");
    });
  }

  /** Opened through the descriptor that is held, so it is the very file whose kind was looked at. */
  open(node: ShareNode, mode: OpenMode): ShareFile {
    return sharing(() => {
      if (node.kind === "symlink") refuse("ELOOP");
      if (node.kind === "directory") refuse("EISDIR");
      if (node.kind !== "file") refuse("ENXIO");
      this.#checkWritable(mode.write || mode.truncate);
      return new FolderFile(openSync(this.#path(node), openFlags(mode)), this.#stats);
    });
  }

  /** Only ever creates a new file, or opens one that is known to be regular: opening anything else can do harm. */
  create(folder: ShareNode, name: string, mode: OpenMode, permissions: number): { node: PathNode; file: ShareFile } {
    this.#checkWritable(true);
    const directory = folder as PathNode;
    return sharing(() => {
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        try {
          return this.#createNew(directory, name, mode, permissions);
        } catch (error) {
          if (mode.exclusive || (error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
        }
        let node: PathNode | undefined;
        try {
          node = this.#tree.walk(directory, name);
          return { node, file: this.open(node, mode) };
        } catch (error) {
          if (node !== undefined) this.#tree.release(node);
          if (shareError(error).errno !== shareError({ code: "ENOENT" }).errno) throw error;
        }
      }
      return refuse("EAGAIN");
    });
  }

  #createNew(directory: PathNode, name: string, mode: OpenMode, permissions: number) {
    const flags = openFlags(mode) | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    const wanted = permissions & PERMISSIONS & ~SET_ID;
    const descriptor = openSync(this.#tree.entry(directory, name), flags, wanted);
    try {
      const stat = fstatSync(descriptor, { bigint: true });
      // The umask is the host's; the guest has applied its own.
      if ((Number(stat.mode) & PERMISSIONS) !== wanted) fchmodSync(descriptor, wanted);
      return { node: this.#tree.add(directory, name, stat), file: new FolderFile(descriptor, this.#stats) };
    } catch (error) {
      closeSync(descriptor);
      throw error;
    }
  }

  list(directory: ShareNode): string[] {
    return sharing(() => {
      const folder = opendirSync(this.#path(directory), {
        encoding: "buffer" as BufferEncoding,
        bufferSize: ENTRIES_AT_ONCE,
      });
      try {
        const names: string[] = [];
        for (let entry = folder.readSync(); entry !== null; entry = folder.readSync()) {
          if (names.length >= ENTRIES_MAX) refuse("EOVERFLOW");
          names.push((entry.name as unknown as Buffer).toString("latin1"));
        }
        return names;
      } finally {
        folder.closeSync();
      }
    });
  }

  makeDirectory(directory: ShareNode, name: string, permissions: number): ShareStat {
    this.#checkWritable(true);
    return sharing(() => {
      // Linux keeps setgid of the folder around it, and a guest may set it: it only decides the group of new files.
      const wanted = permissions & PERMISSIONS;
      this.#tree.checkDepth(directory as PathNode);
      mkdirSync(this.#tree.entry(directory as PathNode, name), wanted);
      const node = this.#tree.walk(directory as PathNode, name);
      try {
        const mode = Number(this.#stat(node).mode) & PERMISSIONS;
        if (node.kind === "directory" && (mode & ~SET_ID) !== (wanted & ~SET_ID)) {
          chmodSync(this.#path(node), wanted | (mode & SET_ID));
        }
        return this.#stats.of(this.#stat(node));
      } finally {
        this.#tree.release(node);
      }
    });
  }

  /** Whatever the target says is for the guest's eyes: nobody here follows it. */
  makeSymlink(directory: ShareNode, name: string, target: string): ShareStat {
    this.#checkWritable(true);
    return sharing(() => {
      symlinkSync(Buffer.from(target, "latin1"), this.#tree.entry(directory as PathNode, name));
      this.#tree.removed(directory as PathNode, name);
      return this.#stats.of(lstatSync(this.#tree.entry(directory as PathNode, name), { bigint: true }));
    });
  }

  /** By the name under which the node is known: link(2) follows no link there. */
  link(node: ShareNode, directory: ShareNode, name: string): void {
    this.#checkWritable(true);
    sharing(() => {
      const from = this.#tree.place(node as PathNode);
      linkSync(this.#tree.entry(from.directory, from.name), this.#tree.entry(directory as PathNode, name));
    });
  }

  rename(from: ShareNode, name: string, to: ShareNode, newName: string): void {
    this.#checkWritable(true);
    const [source, target] = [from as PathNode, to as PathNode];
    sharing(() => {
      renameSync(this.#tree.entry(source, name), this.#tree.entry(target, newName));
      this.#tree.renamed(source, name, target, newName);
    });
  }

  move(node: ShareNode, to: ShareNode, newName: string): void {
    const { directory, name } = sharing(() => this.#tree.place(node as PathNode));
    this.rename(directory, name, to, newName);
  }

  remove(directory: ShareNode, name: string, isDirectory: boolean): void {
    this.#checkWritable(true);
    sharing(() => {
      const path = this.#tree.entry(directory as PathNode, name);
      if (isDirectory) rmdirSync(path);
      else unlinkSync(path);
      this.#tree.removed(directory as PathNode, name);
    });
  }

  removeNode(node: ShareNode): void {
    const { directory, name } = sharing(() => this.#tree.place(node as PathNode));
    this.remove(directory, name, node.kind === "directory");
  }

  change(place: ShareNode, file: ShareFile | undefined, changes: ShareChanges): void {
    this.#checkWritable(true);
    const node = place as PathNode;
    sharing(() => {
      if (changes.size !== undefined) this.#resize(node, file, changes.size);
      if (changes.uid !== undefined || changes.gid !== undefined) this.#chown(node, changes);
      if (changes.mode !== undefined) this.#chmod(node, changes.mode);
      if (changes.accessed !== undefined || changes.modified !== undefined) this.#setTimes(node, changes);
    });
  }

  #resize(node: PathNode, file: ShareFile | undefined, size: bigint): void {
    if (file !== undefined) {
      file.resize(size);
      return;
    }
    if (node.kind === "directory") refuse("EISDIR");
    const mode = { ...READ, read: false, write: true };
    const opened = this.open(node, mode);
    try {
      opened.resize(size);
    } finally {
      opened.close();
    }
  }

  #chmod(node: PathNode, mode: number): void {
    if (node.kind === "symlink") refuse("EOPNOTSUPP");
    chmodSync(this.#path(node), node.kind === "directory" ? mode : mode & ~SET_ID);
  }

  #chown(node: PathNode, { uid, gid }: ShareChanges): void {
    const stat = this.#stat(node);
    const user = uid === undefined ? Number(stat.uid) : this.#stats.toHostUser(uid);
    const group = gid === undefined ? Number(stat.gid) : this.#stats.toHostGroup(gid);
    if (user === Number(stat.uid) && group === Number(stat.gid)) return;
    if (node.kind !== "symlink") {
      chownSync(this.#path(node), user, group);
      return;
    }
    const { directory, name } = this.#tree.place(node);
    lchownSync(this.#tree.entry(directory, name), user, group);
  }

  #setTimes(node: PathNode, { accessed, modified }: ShareChanges): void {
    const stat = this.#stat(node);
    const seconds = (time: bigint | "now" | undefined, before: bigint) =>
      time === "now" ? Date.now() / 1000 : Number(time ?? before) / SECOND;
    const times = [seconds(accessed, stat.atimeNs), seconds(modified, stat.mtimeNs)] as const;
    if (node.kind !== "symlink") {
      utimesSync(this.#path(node), ...times);
      return;
    }
    const { directory, name } = this.#tree.place(node);
    lutimesSync(this.#tree.entry(directory, name), ...times);
  }

  statfs(node: ShareNode): ShareStatfs {
    return sharing(() => {
      const s = statfsSync(this.#path(node), { bigint: true });
      const [free, available] = [s.bfree, this.readOnly ? 0n : s.bavail];
      return {
        blockSize: Number(s.bsize),
        blocks: s.blocks,
        free,
        available,
        files: s.files,
        freeFiles: s.ffree,
        nameMax: 255,
      };
    });
  }

  settle(): void {
    this.#tree.settle();
  }

  close(): void {
    this.#tree.close();
  }

  /** Descriptors held for places, for tests. */
  get openDescriptors(): number {
    return this.#tree.openDescriptors;
  }

  #stat(node: ShareNode): BigIntStats {
    return fstatSync(this.#tree.descriptor(node as PathNode), { bigint: true });
  }

  #path(node: ShareNode): string {
    return pathOf(this.#tree.descriptor(node as PathNode));
  }

  #checkWritable(isWrite: boolean): void {
    if (isWrite && this.readOnly) refuse("EROFS");
  }
}

const READ: OpenMode = {
  read: true,
  write: false,
  append: false,
  truncate: false,
  exclusive: false,
  sync: false,
  dataSync: false,
};

/** Never waits, not for another process's lease either, and never becomes a process's terminal. */
function openFlags(mode: OpenMode): number {
  const access = mode.write ? (mode.read ? constants.O_RDWR : constants.O_WRONLY) : constants.O_RDONLY;
  return (
    access |
    constants.O_NONBLOCK |
    constants.O_NOCTTY |
    (mode.append ? constants.O_APPEND : 0) |
    (mode.truncate ? constants.O_TRUNC : 0) |
    (mode.sync ? constants.O_SYNC : 0) |
    (mode.dataSync ? constants.O_DSYNC : 0)
  );
}

function openTree(path: string): PathTree {
  if (process.platform !== "linux") {
    throw new OptionError(
      `folder ${path} cannot be shared on ${process.platform}: it takes Linux's /proc to keep a guest inside it`,
    );
  }
  let tree: PathTree;
  try {
    tree = new PathTree(path);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const said =
      code === "ENOENT" ? "does not exist" : code === "ENOTDIR" ? "is no folder" : `cannot be opened (${message})`;
    throw new OptionError(`share ${path} ${said}: name a folder`, { cause });
  }
  try {
    checkProc(tree);
  } catch (cause) {
    tree.close();
    throw new OptionError(`folder ${path} cannot be shared without /proc, which keeps a guest inside it: mount it`, {
      cause,
    });
  }
  return tree;
}

/** That a descriptor's path leads to what it is open on, and that O_PATH is what we take it for. */
function checkProc({ root }: PathTree): void {
  const { dev, ino } = fstatSync(root.descriptor, { bigint: true });
  const through = lstatSync(`${pathOf(root.descriptor)}/.`, { bigint: true });
  if (through.dev !== dev || through.ino !== ino) throw new Error("/proc/self/fd leads somewhere else");
  try {
    readSync(root.descriptor, new Uint8Array(1));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EBADF") return;
  }
  throw new Error("O_PATH has another meaning here");
}
