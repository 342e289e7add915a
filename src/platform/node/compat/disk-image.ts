// What file systems a disk image holds, with or without a partition table, by the magic numbers of their superblocks.
import { closeSync, fstatSync, openSync, readSync } from "node:fs";

const SECTOR = 512;
const MBR_TABLE = 446;
const MBR_ENTRIES = 4;
/** GPT (UEFI specification, 5.3): the header is sector 1. */
const GPT_SIGNATURE = "EFI PART";
const GPT_MOST_ENTRIES = 128;

/** Where each file system says what it is: offset in it, and the bytes there. */
const SIGNATURES = [
  ["ext4", 1024 + 56, [0x53, 0xef]],
  ["erofs", 1024, [0xe2, 0xe1, 0xf5, 0xe0]],
  ["squashfs", 0, [0x68, 0x73, 0x71, 0x73]],
  ["XFS", 0, [0x58, 0x46, 0x53, 0x42]],
  ["Btrfs", 0x10040, [0x5f, 0x42, 0x48, 0x52, 0x66, 0x53, 0x5f, 0x4d]],
  ["F2FS", 1024, [0x10, 0x20, 0xf5, 0xf2]],
  ["ISO 9660", 0x8001, [0x43, 0x44, 0x30, 0x30, 0x31]],
  ["LUKS", 0, [0x4c, 0x55, 0x4b, 0x53, 0xba, 0xbe]],
  ["qcow2", 0, [0x51, 0x46, 0x49, 0xfb]],
] as const;

/** Those that can be read here; ext4 stands for ext2 and ext3 too. */
export type ReadableKind = "ext4" | "erofs" | "squashfs";
const READABLE: readonly string[] = ["ext4", "erofs", "squashfs"] satisfies ReadableKind[];

/** For messages. */
export const READABLE_NAMES = "ext4 (or ext2, ext3), EROFS or squashfs";

export interface FoundFileSystem {
  /** One of `ReadableKind`, or the name of another. */
  kind: string;
  /** Byte at which it begins. */
  offset: number;
}

export function isReadable(found: FoundFileSystem): found is FoundFileSystem & { kind: ReadableKind } {
  return READABLE.includes(found.kind);
}

type Read = (at: number, length: number) => Buffer;

/** Bytes at which partitions begin. */
function partitions(read: Read): number[] {
  const gpt = read(SECTOR, SECTOR);
  if (gpt.toString("latin1", 0, 8) === GPT_SIGNATURE) {
    const table = Number(gpt.readBigUInt64LE(72)) * SECTOR;
    const [count, size] = [Math.min(gpt.readUInt32LE(80), GPT_MOST_ENTRIES), gpt.readUInt32LE(84)];
    if (size < 128 || size > 4096 || !Number.isSafeInteger(table)) return [];
    const entries = Array.from({ length: count }, (_, i) => read(table + i * size, 128));
    return entries.map((entry) => Number(entry.readBigUInt64LE(32)) * SECTOR).filter((at) => at > 0);
  }
  const mbr = read(0, SECTOR);
  if (mbr.readUInt16LE(510) !== 0xaa55) return [];
  const starts = Array.from({ length: MBR_ENTRIES }, (_, i) => mbr.readUInt32LE(MBR_TABLE + 16 * i + 8));
  return starts.filter((sector) => sector > 0).map((sector) => sector * SECTOR);
}

/** The file systems of image `path` that are known by name, in the order of its partitions. */
export function fileSystems(path: string): FoundFileSystem[] {
  const fd = openSync(path, "r");
  try {
    const { size } = fstatSync(fd);
    // What lies past the end reads as zeros.
    const read: Read = (at, length) => {
      const buffer = Buffer.alloc(length);
      if (Number.isSafeInteger(at) && at < size) readSync(fd, buffer, 0, length, at);
      return buffer;
    };
    return [0, ...partitions(read)].flatMap((offset) => {
      const found = SIGNATURES.find(([, at, bytes]) => read(offset + at, bytes.length).equals(Buffer.from(bytes)));
      return found === undefined ? [] : [{ kind: found[0], offset }];
    });
  } finally {
    closeSync(fd);
  }
}
