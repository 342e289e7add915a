// What a file system image is made of: the entries that the cpio and the EROFS writer
// take and the cpio reader gives. Owner is always root, times are always 0, so that one
// list of entries has one image. Left out: hard links, sockets, extended attributes.

import { ParavaneError } from "../errors.ts";

/** `path` is relative to the root, with `/` between names; `mode` holds permission bits only. */
export type FileEntry =
  | { kind: "file"; path: string; mode: number; data: Uint8Array }
  | { kind: "directory"; path: string; mode: number }
  | { kind: "symlink"; path: string; target: string }
  | { kind: "device"; path: string; mode: number; type: "char" | "block"; major: number; minor: number };

/** The type bits of `st_mode` (POSIX sys/stat.h). */
export const FileType = {
  MASK: 0o170000,
  FIFO: 0o010000,
  CHAR: 0o020000,
  DIRECTORY: 0o040000,
  BLOCK: 0o060000,
  FILE: 0o100000,
  SYMLINK: 0o120000,
} as const;

/** A file system image that could not be made or read; the message says where and what to do. */
export class ImageError extends ParavaneError {}

export function file(path: string, data: Uint8Array | string, mode = 0o644): FileEntry {
  return { kind: "file", path, mode, data: typeof data === "string" ? new TextEncoder().encode(data) : data };
}

export function directory(path: string, mode = 0o755): FileEntry {
  return { kind: "directory", path, mode };
}

export function symlink(path: string, target: string): FileEntry {
  return { kind: "symlink", path, target };
}

export function charDevice(path: string, major: number, minor: number, mode = 0o600): FileEntry {
  return { kind: "device", path, mode, type: "char", major, minor };
}

/** `st_mode` of an entry: type and permissions. */
export function modeOf(entry: FileEntry): number {
  switch (entry.kind) {
    case "file":
      return FileType.FILE | (entry.mode & 0o7777);
    case "directory":
      return FileType.DIRECTORY | (entry.mode & 0o7777);
    case "symlink":
      return FileType.SYMLINK | 0o777;
    case "device":
      return (entry.type === "char" ? FileType.CHAR : FileType.BLOCK) | (entry.mode & 0o7777);
  }
}

/** The path without leading `/` or `./` and without doubled or trailing slashes. */
export function normalizePath(path: string): string {
  const names = path.split("/").filter((name) => name !== "" && name !== ".");
  if (names.length === 0 || names.includes("..") || path.includes("\0")) {
    throw new ImageError(`"${path}" is no path inside an image: name a file below the root, without ".."`);
  }
  return names.join("/");
}

/** Entries with normal paths, every parent directory (mode 755) ahead of what it holds. */
export function withParents(entries: Iterable<FileEntry>): FileEntry[] {
  const directories = new Set<string>();
  const complete: FileEntry[] = [];
  for (const entry of entries) {
    const path = normalizePath(entry.path);
    for (let slash = path.indexOf("/"); slash !== -1; slash = path.indexOf("/", slash + 1)) {
      const parent = path.slice(0, slash);
      if (directories.has(parent)) continue;
      directories.add(parent);
      complete.push(directory(parent));
    }
    if (entry.kind === "directory") {
      if (directories.has(path)) continue;
      directories.add(path);
    }
    complete.push({ ...entry, path });
  }
  return complete;
}
