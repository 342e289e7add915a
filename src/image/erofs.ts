// Writes read-only EROFS file systems (Documentation/filesystems/erofs.rst and
// fs/erofs/erofs_fs.h of Linux), with nothing but the bytes of the entries: no root, no
// mkfs, the same image everywhere. Debian's kernel has the driver as a module.
//
// Layout, in blocks of 4 KiB: the superblock at 1024, behind it the compact inodes (32
// bytes each; an inode's number, nid, is its offset in units of 32), then the directories,
// link targets and files, each from a block of its own and uncompressed (FLAT_PLAIN), so
// that the guest's page cache reads them straight from the disk.
//
// Left out: compression, data packed behind inodes, extended attributes, checksum of the
// superblock, chunks and extra devices, device nodes, times (all 0).

import { type FileEntry, ImageError, modeOf, withParents } from "./file-tree.ts";

const BLOCK = 4096;
const MAGIC = 0xe0f5_e1e2;
const SUPERBLOCK = 1024;
const INODE_SIZE = 32;
/** Nid of the root: the first inode lies behind the 128 bytes of the superblock. */
const ROOT_NID = (SUPERBLOCK + 128) / INODE_SIZE;
const DIRENT_SIZE = 12;

/** Offsets inside the superblock. */
const enum Super {
  MAGIC = 0,
  BLOCK_SIZE_BITS = 12,
  ROOT_NID = 14,
  INODES = 16,
  BLOCKS = 36,
  META_BLOCK = 40,
  UUID = 48,
  VOLUME_NAME = 64,
}

/** Offsets inside a compact inode. i_format 0 says: compact, FLAT_PLAIN. */
const enum Inode {
  MODE = 4,
  NLINK = 6,
  SIZE = 8,
  BLOCK = 16,
  INO = 20,
}

/** File types of directory entries, those of readdir. */
const DirentType = { file: 1, directory: 2, symlink: 7 } as const;

interface Node {
  entry: Exclude<FileEntry, { kind: "device" }>;
  nid: number;
  parent: Node | undefined;
  /** Children by name; only directories have some. */
  children: Map<string, Node>;
  content: Uint8Array;
  block: number;
}

const blocksOf = (size: number): number => Math.ceil(size / BLOCK);

/** The entries as a tree, in the order given, the root first. */
function buildTree(entries: Iterable<FileEntry>): Node[] {
  const node = (entry: FileEntry, parent: Node | undefined): Node => {
    if (entry.kind === "device") throw new ImageError(`erofs: ${entry.path} is a device: leave it out of the image`);
    return { entry, nid: 0, parent, children: new Map(), content: new Uint8Array(0), block: 0 };
  };
  const root = node({ kind: "directory", path: "", mode: 0o755 }, undefined);
  const byPath = new Map([["", root]]);
  for (const entry of withParents(entries)) {
    const slash = entry.path.lastIndexOf("/");
    const parent = byPath.get(slash === -1 ? "" : entry.path.slice(0, slash));
    if (parent?.entry.kind !== "directory" || byPath.has(entry.path)) {
      throw new ImageError(`erofs: ${entry.path} comes twice, or lies below something that is no directory`);
    }
    const child = node(entry, parent);
    parent.children.set(entry.path.slice(slash + 1), child);
    byPath.set(entry.path, child);
  }
  return [...byPath.values()];
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length && i < b.length; i++) if (a[i] !== b[i]) return a[i] - b[i];
  return a.length - b.length;
}

/** A directory's blocks: in each the entries, then their names, sorted by bytes throughout. */
function directoryContent(directory: Node): Uint8Array {
  const encoder = new TextEncoder();
  const names = [...directory.children, [".", directory] as const, ["..", directory.parent ?? directory] as const]
    .map(([name, node]) => ({ name: encoder.encode(name), node }))
    .sort((a, b) => compareBytes(a.name, b.name));
  const blocks: (typeof names)[] = [];
  let used = BLOCK;
  for (const item of names) {
    const size = DIRENT_SIZE + item.name.length;
    if (item.name.length > 255) throw new ImageError(`erofs: a name in ${directory.entry.path}/ exceeds 255 bytes`);
    if (used + size > BLOCK) {
      blocks.push([]);
      used = 0;
    }
    blocks[blocks.length - 1].push(item);
    used += size;
  }
  // All blocks but the last are full; `used` is the length of the last.
  const content = new Uint8Array((blocks.length - 1) * BLOCK + used);
  const view = new DataView(content.buffer);
  blocks.forEach((items, index) => {
    const base = index * BLOCK;
    let nameOffset = items.length * DIRENT_SIZE;
    items.forEach(({ name, node }, i) => {
      const dirent = base + i * DIRENT_SIZE;
      view.setBigUint64(dirent, BigInt(node.nid), true);
      view.setUint16(dirent + 8, nameOffset, true);
      view.setUint8(dirent + 10, DirentType[node.entry.kind]);
      content.set(name, base + nameOffset);
      nameOffset += name.length;
    });
  });
  return content;
}

function contentOf(node: Node): Uint8Array {
  const { entry } = node;
  if (entry.kind === "directory") return directoryContent(node);
  return entry.kind === "file" ? entry.data : new TextEncoder().encode(entry.target);
}

function linkCount(node: Node): number {
  if (node.entry.kind !== "directory") return 1;
  let count = 2;
  for (const child of node.children.values()) if (child.entry.kind === "directory") count++;
  return count;
}

function writeInode(view: DataView, node: Node, index: number): void {
  const at = node.nid * INODE_SIZE;
  view.setUint16(at + Inode.MODE, modeOf(node.entry), true);
  view.setUint16(at + Inode.NLINK, linkCount(node), true);
  view.setUint32(at + Inode.SIZE, node.content.length, true);
  view.setUint32(at + Inode.BLOCK, node.block, true);
  view.setUint32(at + Inode.INO, index + 1, true);
}

/**
 * A file system image of whole 4 KiB blocks holding `entries` and the directories above them.
 * @param label at most 16 bytes; found again by {@link volumeName} and by `blkid`.
 */
export function writeErofs(entries: Iterable<FileEntry>, label: string): Uint8Array {
  const name = new TextEncoder().encode(label);
  if (name.length > 16) throw new ImageError(`erofs: the label "${label}" is longer than 16 bytes`);
  const nodes = buildTree(entries);
  nodes.forEach((node, index) => {
    node.nid = ROOT_NID + index;
  });
  let blocks = blocksOf((ROOT_NID + nodes.length) * INODE_SIZE);
  for (const node of nodes) {
    node.content = contentOf(node);
    if (node.content.length > 0) node.block = blocks;
    blocks += blocksOf(node.content.length);
  }

  const image = new Uint8Array(blocks * BLOCK);
  const view = new DataView(image.buffer);
  view.setUint32(SUPERBLOCK + Super.MAGIC, MAGIC, true);
  view.setUint8(SUPERBLOCK + Super.BLOCK_SIZE_BITS, Math.log2(BLOCK));
  view.setUint16(SUPERBLOCK + Super.ROOT_NID, ROOT_NID, true);
  view.setBigUint64(SUPERBLOCK + Super.INODES, BigInt(nodes.length), true);
  view.setUint32(SUPERBLOCK + Super.BLOCKS, blocks, true);
  view.setUint32(SUPERBLOCK + Super.META_BLOCK, 0, true);
  // A fixed identity: the label, as it is the same file system wherever it is built.
  image.set(name, SUPERBLOCK + Super.UUID);
  image.set(name, SUPERBLOCK + Super.VOLUME_NAME);
  nodes.forEach((node, index) => {
    writeInode(view, node, index);
    image.set(node.content, node.block * BLOCK);
  });
  return image;
}

/** The label of an EROFS image, or undefined if `image` is none. */
export function volumeName(image: Uint8Array): string | undefined {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  if (image.length < BLOCK || view.getUint32(SUPERBLOCK, true) !== MAGIC) return undefined;
  const at = SUPERBLOCK + Super.VOLUME_NAME;
  return new TextDecoder().decode(image.subarray(at, at + 16)).replace(/\0.*$/s, "");
}
