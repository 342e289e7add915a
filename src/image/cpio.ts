// cpio archives in the "newc" format, which Linux unpacks as its initramfs
// (Documentation/driver-api/early-userspace/buffer-format.rst): written with every date,
// owner and inode number fixed, read with every length checked.
//
// Own code because the archive must be the same to the byte on every host, and come
// from browsers too: the format is one 110-byte header of hexadecimal text per file.
//
// Left out: the old binary and odc formats, data checksums (070702 is read, its sums are
// not compared) and hard links. Archives are concatenated plain or behind a compressed
// one: the kernel goes on with the next one at a multiple of 4 bytes.

import { type FileEntry, FileType, ImageError, modeOf, withParents } from "./file-tree.ts";

const HEADER_SIZE = 110;
const TRAILER = "TRAILER!!!";
/** PATH_MAX, the longest name that the kernel accepts. */
const MAX_NAME = 4096;

/** Places of the header's fields: 8 hexadecimal digits each, behind the 6 of the magic. */
const enum Field {
  INO = 6,
  MODE = 14,
  NLINK = 38,
  FILESIZE = 54,
  RDEVMAJOR = 78,
  RDEVMINOR = 86,
  NAMESIZE = 94,
}

const align4 = (length: number): number => Math.ceil(length / 4) * 4;

function writeHex(out: Uint8Array, offset: number, value: number): void {
  for (let digit = 7; digit >= 0; digit--) {
    out[offset + digit] = "0123456789abcdef".charCodeAt(value & 15);
    value >>>= 4;
  }
}

function contentOf(entry: FileEntry): Uint8Array {
  if (entry.kind === "file") return entry.data;
  if (entry.kind === "symlink") return new TextEncoder().encode(entry.target);
  return new Uint8Array(0);
}

/** Writes one member; returns the offset behind it. */
function writeMember(
  out: Uint8Array,
  offset: number,
  name: Uint8Array,
  content: Uint8Array,
  fields: readonly (readonly [Field, number])[],
): number {
  out.fill(0x30, offset, offset + HEADER_SIZE);
  out.set(new TextEncoder().encode("070701"), offset);
  for (const [field, value] of fields) writeHex(out, offset + field, value);
  writeHex(out, offset + Field.FILESIZE, content.length);
  writeHex(out, offset + Field.NAMESIZE, name.length + 1);
  out.set(name, offset + HEADER_SIZE);
  const data = align4(offset + HEADER_SIZE + name.length + 1);
  out.set(content, data);
  return align4(data + content.length);
}

export interface CpioOptions {
  /**
   * Whether to add the directories that `entries` leaves out, with mode 755. Not wanted in
   * an overlay: the kernel replaces a symbolic link that lies where a directory is announced.
   */
  parents?: boolean;
}

/** One archive with a trailer, its length a multiple of 4. Equal entries give equal bytes. */
export function writeCpio(entries: Iterable<FileEntry>, { parents = true }: CpioOptions = {}): Uint8Array {
  const encoder = new TextEncoder();
  const members = (parents ? withParents(entries) : [...entries]).map((entry) => {
    const name = encoder.encode(entry.path);
    if (name.length === 0 || name.length >= MAX_NAME) {
      throw new ImageError(`cpio: the name "${entry.path}" has ${name.length} bytes: use 1 to ${MAX_NAME - 1}`);
    }
    const content = contentOf(entry);
    if (content.length > 0xffff_ffff) {
      throw new ImageError(`cpio: ${entry.path} has ${content.length} bytes: the format ends at 4 GiB`);
    }
    return { entry, name, content };
  });
  let size = align4(HEADER_SIZE + TRAILER.length + 1);
  for (const { name, content } of members) size += align4(HEADER_SIZE + name.length + 1) + align4(content.length);

  const out = new Uint8Array(size);
  let offset = 0;
  let ino = 1;
  for (const { entry, name, content } of members) {
    offset = writeMember(out, offset, name, content, [
      [Field.INO, ino++],
      [Field.MODE, modeOf(entry)],
      [Field.NLINK, entry.kind === "directory" ? 2 : 1],
      [Field.RDEVMAJOR, entry.kind === "device" ? entry.major : 0],
      [Field.RDEVMINOR, entry.kind === "device" ? entry.minor : 0],
    ]);
  }
  writeMember(out, offset, encoder.encode(TRAILER), new Uint8Array(0), [[Field.NLINK, 1]]);
  return out;
}

/** `first` (plain or compressed) with `others` behind it, each at a multiple of 4 bytes. */
export function concatenateArchives(first: Uint8Array, ...others: Uint8Array[]): Uint8Array {
  const archives = [first, ...others];
  const out = new Uint8Array(archives.reduce((size, archive) => size + align4(archive.length), 0));
  let offset = 0;
  for (const archive of archives) {
    out.set(archive, offset);
    offset += align4(archive.length);
  }
  return out;
}

/** An archive that begins as one should and is cut short or damaged further on. */
export class DamagedArchive extends ImageError {}

function readHex(bytes: Uint8Array, offset: number): number {
  let value = 0;
  for (let i = offset; i < offset + 8; i++) {
    const digit = Number.parseInt(String.fromCharCode(bytes[i]), 16);
    if (Number.isNaN(digit)) throw new ImageError(`cpio: no hexadecimal digit at offset ${i}: the archive is damaged`);
    value = value * 16 + digit;
  }
  return value;
}

function isHeader(bytes: Uint8Array, offset: number): boolean {
  const magic = String.fromCharCode(...bytes.subarray(offset, offset + 6));
  return magic === "070701" || magic === "070702";
}

function entryOf(path: string, mode: number, data: Uint8Array, major: number, minor: number): FileEntry {
  const permissions = mode & 0o7777;
  switch (mode & FileType.MASK) {
    case FileType.FILE:
      return { kind: "file", path, mode: permissions, data };
    case FileType.DIRECTORY:
      return { kind: "directory", path, mode: permissions };
    case FileType.SYMLINK:
      return { kind: "symlink", path, target: new TextDecoder().decode(data) };
    case FileType.CHAR:
      return { kind: "device", path, mode: permissions, type: "char", major, minor };
    case FileType.BLOCK:
      return { kind: "device", path, mode: permissions, type: "block", major, minor };
    default:
      throw new ImageError(`cpio: ${path} has the mode 0${mode.toString(8)}, which this reader does not know`);
  }
}

/**
 * Where the plain archive at `offset` ends: behind its trailer, or where something else than a member of it begins. What
 * follows may be another archive, packed or not.
 */
export function archiveEnd(bytes: Uint8Array, offset: number): number {
  while (offset + HEADER_SIZE <= bytes.length && isHeader(bytes, offset)) {
    const nameSize = readHex(bytes, offset + Field.NAMESIZE);
    const name = offset + HEADER_SIZE;
    const end = align4(nameSize + HEADER_SIZE) + align4(readHex(bytes, offset + Field.FILESIZE)) + offset;
    const isTrailer =
      nameSize === TRAILER.length + 1 &&
      new TextDecoder().decode(bytes.subarray(name, name + nameSize - 1)) === TRAILER;
    offset = Math.min(end, bytes.length);
    if (isTrailer) break;
  }
  return offset;
}

/**
 * Walks one or more plain archives behind each other. File data is a view of `bytes`.
 * @throws ImageError for anything that is cut short, damaged or not newc.
 */
export function* readCpio(bytes: Uint8Array): Generator<FileEntry, void, undefined> {
  let offset = 0;
  let inArchive = false;
  while (offset < bytes.length) {
    if (!inArchive && bytes[offset] === 0) {
      offset++;
      continue;
    }
    if (offset + HEADER_SIZE > bytes.length) {
      throw new (inArchive ? DamagedArchive : ImageError)(
        `cpio: the header at offset ${offset} is cut short: the archive is incomplete`,
      );
    }
    if (offset % 4 !== 0 || !isHeader(bytes, offset)) {
      throw new (inArchive ? DamagedArchive : ImageError)(
        `cpio: no newc header at offset ${offset}: make the archive with "cpio -o -H newc"`,
      );
    }
    const nameSize = readHex(bytes, offset + Field.NAMESIZE);
    const fileSize = readHex(bytes, offset + Field.FILESIZE);
    const name = offset + HEADER_SIZE;
    const data = align4(name + nameSize);
    const end = data + fileSize;
    const needed = fileSize > 0 ? end : name + nameSize;
    if (nameSize < 1 || nameSize > MAX_NAME || needed > bytes.length) {
      throw new DamagedArchive(
        `cpio: the member at offset ${offset} (name of ${nameSize}, file of ${fileSize} bytes) does not fit into the ` +
          `archive of ${bytes.length} bytes: it is incomplete or damaged`,
      );
    }
    if (bytes[name + nameSize - 1] !== 0) {
      throw new DamagedArchive(`cpio: the name at offset ${name} has no end: the archive is damaged`);
    }
    const path = new TextDecoder().decode(bytes.subarray(name, name + nameSize - 1));
    inArchive = path !== TRAILER;
    if (inArchive) {
      yield entryOf(
        path,
        readHex(bytes, offset + Field.MODE),
        bytes.subarray(data, end),
        readHex(bytes, offset + Field.RDEVMAJOR),
        readHex(bytes, offset + Field.RDEVMINOR),
      );
    }
    // The last member's padding may be missing at the very end of a file.
    offset = Math.min(align4(end), bytes.length);
  }
  if (inArchive) throw new DamagedArchive(`cpio: the archive ends without ${TRAILER}: it is incomplete`);
}
