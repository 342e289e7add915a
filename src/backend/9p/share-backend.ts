// What a 9P server talks to: a tree of files, in the host's file system or made up. Names are
// strings of bytes, one character a byte, never "", ".", ".." and without "/" and NUL: the
// server has checked that, and a backend whose safety hangs on it checks again.
//
// Everything throws ShareError. A backend never follows a symbolic link: the guest does, in
// its own tree.

import type { ShareError } from "./share-error.ts";

export type NodeKind = "file" | "directory" | "symlink" | "other";

/** A place in the tree that the guest holds: what is behind it is the backend's own affair. */
export interface ShareNode {
  readonly kind: NodeKind;
}

export interface ShareStat {
  kind: NodeKind;
  /** Type and permission bits, as Linux has them. */
  mode: number;
  /** Tells the file from all others of the share; keeps its value while the file exists. */
  path: bigint;
  /** Another number whenever the contents have changed. */
  version: number;
  uid: number;
  gid: number;
  links: bigint;
  device: bigint;
  size: bigint;
  blockSize: bigint;
  /** Of 512 bytes. */
  blocks: bigint;
  /** Nanoseconds since 1970. */
  accessed: bigint;
  modified: bigint;
  changed: bigint;
}

/** Attributes to be set; what is absent stays. */
export interface ShareChanges {
  mode?: number;
  uid?: number;
  gid?: number;
  size?: bigint;
  /** Nanoseconds since 1970, or the host's present time. */
  accessed?: bigint | "now";
  modified?: bigint | "now";
}

export interface ShareStatfs {
  blockSize: number;
  blocks: bigint;
  free: bigint;
  available: bigint;
  files: bigint;
  freeFiles: bigint;
  nameMax: number;
}

/** How a file is opened. */
export interface OpenMode {
  read: boolean;
  write: boolean;
  append: boolean;
  truncate: boolean;
  /** Creating: the file must not exist. */
  exclusive: boolean;
  /** Each write is durable before it is done: all of the file, or its data. */
  sync: boolean;
  dataSync: boolean;
}

/** An open file. */
export interface ShareFile {
  /** Fills the pieces from `offset` of the file; bytes read, fewer at its end. */
  read(pieces: readonly Uint8Array[], offset: bigint): number;
  write(pieces: readonly Uint8Array[], offset: bigint): number;
  stat(): ShareStat;
  resize(size: bigint): void;
  /** Makes the file durable before it returns. */
  sync(dataOnly: boolean): void;
  /** The same without waiting; absent where sync() takes no time. Calls back once. */
  syncLater?(dataOnly: boolean, done: (error?: ShareError) => void): void;
  close(): void;
}

export interface ShareBackend {
  /** For messages: a path. */
  readonly name: string;
  readonly readOnly: boolean;
  /** Nodes are counted: root, walk and create give one that must be released, retain adds to it. */
  root(): ShareNode;
  retain(node: ShareNode): void;
  release(node: ShareNode): void;
  /** The child `name` of a directory. */
  walk(directory: ShareNode, name: string): ShareNode;
  /** The directory that `node` was reached through, the root for the root itself. Must be released. */
  parent(node: ShareNode): ShareNode;
  stat(node: ShareNode): ShareStat;
  /** Of a directory's entry, without a node; undefined if it is gone. */
  statEntry(directory: ShareNode, name: string): ShareStat | undefined;
  readlink(node: ShareNode): string;
  /** Opens a file: only ones of kind "file", and never waits for another process. */
  open(node: ShareNode, mode: OpenMode): ShareFile;
  /** Creates and opens a file. */
  create(directory: ShareNode, name: string, mode: OpenMode, permissions: number): { node: ShareNode; file: ShareFile };
  /** Names in a directory, without "." and "..". */
  list(directory: ShareNode): string[];
  makeDirectory(directory: ShareNode, name: string, permissions: number): ShareStat;
  makeSymlink(directory: ShareNode, name: string, target: string): ShareStat;
  link(node: ShareNode, directory: ShareNode, name: string): void;
  rename(from: ShareNode, name: string, to: ShareNode, newName: string): void;
  /** Renames a node wherever it is. */
  move(node: ShareNode, to: ShareNode, newName: string): void;
  remove(directory: ShareNode, name: string, isDirectory: boolean): void;
  /** Removes a node wherever it is. */
  removeNode(node: ShareNode): void;
  change(node: ShareNode, file: ShareFile | undefined, changes: ShareChanges): void;
  statfs(node: ShareNode): ShareStatfs;
  /** Called when a request is done, for what is better put off until then. */
  settle?(): void;
  /** Gives up everything; nothing is called after it. */
  close(): void;
}
