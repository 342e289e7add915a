// The files of an initramfs (Documentation/driver-api/early-userspace/buffer-format.rst): archives
// behind each other, each plain or packed, as firmware packages and initramfs-tools make them.
import { archiveEnd, readCpio } from "../image/cpio.ts";
import { type FileEntry, ImageError } from "../image/file-tree.ts";
import { gunzip } from "../image/gunzip.ts";
import { EntrySource } from "./file-source.ts";

/** What a file can be packed with. */
export type Packing = "gzip" | "zstd" | "xz" | "lz4" | "bzip2" | "lzma" | "lzo";

/**
 * Unpacks what begins with a stream of `packing`. `used` is how many bytes the stream took, if that is known; else all.
 * Refuses what unpacks to more than `most` bytes.
 */
export type Unpack = (
  packing: Packing,
  bytes: Uint8Array,
  most: number,
) => Promise<{ content: Uint8Array; used?: number }>;

const SIGNATURES: [Packing, number[]][] = [
  ["gzip", [0x1f, 0x8b, 8]],
  ["zstd", [0x28, 0xb5, 0x2f, 0xfd]],
  ["xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]],
  ["lz4", [0x02, 0x21, 0x4c, 0x18]],
  ["bzip2", [0x42, 0x5a, 0x68]],
  ["lzma", [0x5d, 0, 0]],
  ["lzo", [0x89, 0x4c, 0x5a, 0x4f]],
];

/** Archives in one initramfs, and bytes that all of them unpack to. */
const MOST_ARCHIVES = 64;
const MOST_UNPACKED = 2 ** 30;
/** Members of all archives together. */
const MOST_FILES = 200_000;

export function packingOf(bytes: Uint8Array, at = 0): Packing | undefined {
  return SIGNATURES.find(([, signature]) => signature.every((byte, i) => bytes[at + i] === byte))?.[0];
}

/** Unpacks gzip alone, of which every platform is capable. */
export const unpackGzip: Unpack = async (packing, bytes, most) => {
  if (packing !== "gzip") {
    throw new ImageError(`packed with ${packing}, which cannot be unpacked here: pack it with gzip, or leave it plain`);
  }
  return { content: await gunzip(bytes, "the archive", most) };
};

const isCpio = (bytes: Uint8Array, at: number): boolean =>
  String.fromCharCode(...bytes.subarray(at, at + 5)) === "07070" && (bytes[at + 5] === 0x31 || bytes[at + 5] === 0x32);

/**
 * The files of initramfs `bytes`; `what` names it in messages, `most` is what all its archives may unpack to.
 * @throws ImageError for what Linux could not unpack, or would not fit into any guest.
 */
export async function readInitramfs(
  bytes: Uint8Array,
  unpack: Unpack,
  what = "the initramfs",
  most: number = MOST_UNPACKED,
): Promise<EntrySource> {
  const entries: FileEntry[] = [];
  let unpacked = 0;
  let archives = 0;

  const walk = async (from: Uint8Array, isOutermost: boolean): Promise<void> => {
    for (let at = 0; at < from.length; ) {
      if (from[at] === 0) {
        at++;
        continue;
      }
      if (++archives > MOST_ARCHIVES) throw new ImageError(`${what}: more than ${MOST_ARCHIVES} archives`);
      if (isCpio(from, at)) {
        const end = archiveEnd(from, at);
        for (const entry of readCpio(from.subarray(at, end))) {
          entries.push(entry);
          if (entries.length > MOST_FILES) throw new ImageError(`${what}: more than ${MOST_FILES} files`);
        }
        at = Math.max(end, at + 1);
        continue;
      }
      const packing = isOutermost ? packingOf(from, at) : undefined;
      if (packing === undefined) {
        // Linux says "junk within compressed archive" and goes on booting with what it has.
        if (entries.length > 0) return;
        throw new ImageError(`${what} holds no cpio archive, plain or packed: make it with "cpio -o -H newc"`);
      }
      const { content, used } = await unpack(packing, from.subarray(at), most - unpacked);
      unpacked += content.length;
      if (unpacked > most)
        throw new ImageError(`${what} unpacks to more than ${most} bytes, which no guest's memory holds`);
      await walk(content, false);
      at += Math.max(used ?? from.length, 1);
    }
  };

  await walk(bytes, true);
  return new EntrySource(what, entries);
}
