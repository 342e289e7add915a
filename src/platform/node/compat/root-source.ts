// A guest's root file system: a folder, or a disk image, with or without a partition table.
import { closeSync, openSync, readSync, statSync } from "node:fs";
import type { FileSource } from "../../../compat/file-source.ts";
import { OptionError } from "../../../errors.ts";
import { Ext4Source } from "./ext4-source.ts";
import { FolderSource } from "./folder-source.ts";

const SECTOR = 512;
/** s_magic of ext2, ext3 and ext4, in the superblock at 1024. */
const EXT4_MAGIC_AT = 1024 + 56;
const EXT4_MAGIC = 0xef53;
const EROFS_MAGIC = 0xe0f5e1e2;
const MBR_TABLE = 446;
const MBR_ENTRIES = 4;
/** GPT (UEFI specification, 5.3): the header is sector 1. */
const GPT_SIGNATURE = "EFI PART";
const GPT_MOST_ENTRIES = 128;

/** Bytes at which partitions begin. */
function partitions(read: (at: number, length: number) => Buffer): number[] {
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

/** @throws OptionError for what holds no file system that can be read here. */
export function rootSource(path: string): FileSource {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw new OptionError(`root ${path} does not exist: give a folder or a disk image`);
  if (stat.isDirectory()) return new FolderSource(path);
  if (!stat.isFile()) throw new OptionError(`root ${path} is neither a folder nor a disk image: give one`);
  const fd = openSync(path, "r");
  const read = (at: number, length: number): Buffer => {
    const buffer = Buffer.alloc(length);
    if (Number.isSafeInteger(at)) readSync(fd, buffer, 0, length, at);
    return buffer;
  };
  try {
    for (const offset of [0, ...partitions(read)]) {
      if (read(offset + EXT4_MAGIC_AT, 2).readUInt16LE() === EXT4_MAGIC) return new Ext4Source(path, offset);
      if (read(offset + 1024, 4).readUInt32LE() === EROFS_MAGIC) {
        throw new OptionError(
          `root ${path} is an EROFS image, which cannot be read here: mount it and give its folder`,
        );
      }
    }
  } finally {
    closeSync(fd);
  }
  throw new OptionError(`root ${path} holds no ext4 file system: give such an image, or a folder with the files`);
}
