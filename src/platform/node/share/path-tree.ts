// Places in a shared folder, held in a way that nobody can turn into places outside of it:
// not the guest with ".." and symbolic links, nor any process of the host that swaps a folder
// for a link between our looking and our using.
//
// Node has no openat(2), but Linux has /proc/self/fd: the kernel resolves
// /proc/self/fd/N/name from the very folder that N is open on, wherever it is by now. So a
// place is an open file descriptor, got from its folder's descriptor by one name alone,
// with O_PATH and O_NOFOLLOW: a link is held as the link, a fifo or device is not touched.
// No path of two names that a guest chose is ever given to the kernel.
//
// A guest can hold more places than a process descriptors: those not used for long are closed,
// and opened again through their folder, by name. What is there must then still be the same
// file (device and inode), else the place is stale.
import { type BigIntStats, closeSync, constants, fstatSync, lstatSync, openSync } from "node:fs";
import type { NodeKind, ShareNode } from "../../../backend/9p/share-backend.ts";
import { refuse } from "./share-errors.ts";

/** Missing in Node's constants; the same on all architectures that Node runs on. */
const O_PATH = 0o10000000;
const HOLD = O_PATH | constants.O_NOFOLLOW;

/** Descriptors kept open between requests. */
const OPEN_MAX = 512;
/** Folders in folders: what a guest can make is bounded here, and no real tree is so deep. */
const DEPTH_MAX = 1024;

export class PathNode implements ShareNode {
  readonly kind: NodeKind;
  readonly device: bigint;
  readonly inode: bigint;
  /** The folder it was reached through; the root's is itself. */
  parent: PathNode;
  name: string;
  depth: number;
  descriptor = -1;
  /** Fids, and nodes reached through it. */
  references = 1;
  readonly children = new Map<string, PathNode>();
  /** No longer at its name: can be used while it is open, but not be opened again. */
  isGone = false;

  constructor(stat: BigIntStats, parent: PathNode | undefined, name: string) {
    this.kind = kindOf(stat);
    this.device = stat.dev;
    this.inode = stat.ino;
    this.parent = parent ?? this;
    this.name = name;
    this.depth = parent === undefined ? 0 : parent.depth + 1;
  }

  isSame(stat: BigIntStats): boolean {
    return this.inode === stat.ino && this.device === stat.dev && this.kind === kindOf(stat);
  }
}

export function kindOf(stat: BigIntStats): NodeKind {
  if (stat.isDirectory()) return "directory";
  if (stat.isFile()) return "file";
  return stat.isSymbolicLink() ? "symlink" : "other";
}

/** The path of what `descriptor` is open on. The kernel follows it to that file and no further. */
export function pathOf(descriptor: number): string {
  return `/proc/self/fd/${descriptor}`;
}

export class PathTree {
  readonly root: PathNode;
  /** Nodes with an open descriptor but the root, the longest unused first. */
  readonly #open = new Set<PathNode>();

  /** @throws what the file system says of `folder`, which is the caller's own and may be reached through links. */
  constructor(folder: string) {
    const descriptor = openSync(folder, O_PATH | constants.O_DIRECTORY);
    this.root = new PathNode(fstatSync(descriptor, { bigint: true }), undefined, "");
    this.root.descriptor = descriptor;
  }

  get openDescriptors(): number {
    return this.#open.size + 1;
  }

  retain(node: PathNode): void {
    node.references++;
  }

  release(node: PathNode): void {
    for (let at = node; --at.references === 0 && at !== this.root; at = at.parent) {
      this.#close(at);
      if (at.parent.children.get(at.name) === at) at.parent.children.delete(at.name);
    }
  }

  /** The entry `name` of a folder, with a reference. */
  walk(directory: PathNode, name: string): PathNode {
    const path = this.entry(directory, name);
    const known = directory.children.get(name);
    if (known !== undefined) {
      if (known.isSame(lstatSync(path, { bigint: true }))) {
        known.references++;
        return known;
      }
      this.forget(known);
    }
    this.checkDepth(directory);
    const descriptor = openSync(path, HOLD);
    try {
      const node = this.add(directory, name, fstatSync(descriptor, { bigint: true }));
      node.descriptor = descriptor;
      this.#open.add(node);
      return node;
    } catch (error) {
      closeSync(descriptor);
      throw error;
    }
  }

  /** Refuses what would be too deep to be reached. */
  checkDepth(directory: PathNode): void {
    if (directory.depth >= DEPTH_MAX) refuse("ENAMETOOLONG");
  }

  /** A node for what is known to be at `name` of a folder, with a reference. */
  add(directory: PathNode, name: string, stat: BigIntStats): PathNode {
    const before = directory.children.get(name);
    if (before !== undefined) this.forget(before);
    const node = new PathNode(stat, directory, name);
    directory.references++;
    directory.children.set(name, node);
    return node;
  }

  /** The descriptor of a node: of use until settle(). */
  descriptor(node: PathNode): number {
    if (node.descriptor >= 0) {
      if (this.#open.delete(node)) this.#open.add(node);
      return node.descriptor;
    }
    const closed: PathNode[] = [];
    for (let at = node; at.descriptor < 0; at = at.parent) closed.push(at);
    for (const at of closed.reverse()) this.#reopen(at);
    return node.descriptor;
  }

  #reopen(node: PathNode): void {
    if (node.isGone) refuse("ESTALE");
    const descriptor = openSync(entryPath(this.descriptor(node.parent), node.name), HOLD);
    if (!node.isSame(fstatSync(descriptor, { bigint: true }))) {
      closeSync(descriptor);
      this.forget(node);
      refuse("ESTALE");
    }
    node.descriptor = descriptor;
    this.#open.add(node);
  }

  /** A path for one call that makes, takes away or looks at the entry `name` of a folder, and follows no link there. */
  entry(directory: PathNode, name: string): Buffer | string {
    if (directory.kind !== "directory") refuse("ENOTDIR");
    if (name === "" || name === "." || name === ".." || name.includes("/") || name.includes("\0")) refuse("EINVAL");
    return entryPath(this.descriptor(directory), name);
  }

  /** Where a node was last known to be. */
  place(node: PathNode): { directory: PathNode; name: string } {
    if (node === this.root) refuse("EBUSY");
    if (node.isGone) refuse("ENOENT");
    return { directory: node.parent, name: node.name };
  }

  /** Something else is at the node's name now, or nothing. */
  forget(node: PathNode): void {
    node.isGone = true;
    if (node.parent.children.get(node.name) === node) node.parent.children.delete(node.name);
  }

  /** The entry of a folder was taken away. */
  removed(directory: PathNode, name: string): void {
    const node = directory.children.get(name);
    if (node !== undefined) this.forget(node);
  }

  /** An entry has another name now: nodes follow. */
  renamed(from: PathNode, name: string, to: PathNode, newName: string): void {
    const node = from.children.get(name);
    const target = to.children.get(newName);
    if (target !== undefined && target !== node) this.forget(target);
    if (node === undefined || (from === to && name === newName)) return;
    from.children.delete(name);
    // What we know may be older than what the host has made of the tree: no place leads to itself.
    for (let at = to; at !== this.root; at = at.parent) {
      if (at === node) {
        node.isGone = true;
        return;
      }
    }
    to.references++;
    node.parent = to;
    node.name = newName;
    node.depth = to.depth + 1;
    to.children.set(newName, node);
    this.release(from);
  }

  /** Closes what was not used for the longest time. */
  settle(): void {
    for (const node of this.#open) {
      if (this.#open.size <= OPEN_MAX) break;
      this.#close(node);
    }
  }

  #close(node: PathNode): void {
    if (!this.#open.delete(node)) return;
    closeSync(node.descriptor);
    node.descriptor = -1;
  }

  close(): void {
    for (const node of this.#open) this.#close(node);
    closeSync(this.root.descriptor);
    this.root.descriptor = -1;
  }
}

/** Names are bytes, one character each. */
function entryPath(descriptor: number, name: string): Buffer | string {
  const path = `${pathOf(descriptor)}/${name}`;
  return /^[\x20-\x7e]*$/.test(name) ? path : Buffer.from(path, "latin1");
}
