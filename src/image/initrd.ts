// Whether a file can be the initrd of a Linux kernel (Documentation/driver-api/early-userspace/
// buffer-format.rst): cpio archives in the newc format, plain or packed in one of the ways that
// kernels unpack. Found out before the boot, for a kernel says of it no more than that it has no
// root file system, after minutes perhaps.
//
// With commands to run, the archive must hold the shell that runs them. Members are looked at in
// plain archives, and for the shell in gzip ones; what is packed otherwise the guest finds out.
import { BootError } from "../machine/boot-error.ts";
import { DamagedArchive, readCpio } from "./cpio.ts";
import { ImageError } from "./file-tree.ts";
import { gunzip, isGzip } from "./gunzip.ts";

/** First bytes of what kernels unpack (lib/decompress.c): gzip, bzip2, lzma, xz, lzo, lz4, zstd. */
const PACKED = [
  [0x1f, 0x8b],
  [0x1f, 0x9e],
  [0x42, 0x5a],
  [0x5d, 0x00],
  [0xfd, 0x37],
  [0x89, 0x4c],
  [0x02, 0x21],
  [0x28, 0xb5],
];
const NEWC = [
  [0x30, 0x37, 0x30, 0x37, 0x30, 0x31],
  [0x30, 0x37, 0x30, 0x37, 0x30, 0x32],
];
/** Where Debian's kernel finds a program: /bin may be a link into /usr. */
const FOLDERS = ["bin/", "usr/bin/"];
const PROGRAMS = ["sh", "busybox"];
const UNPACKED_MOST = 2 ** 31;

function startsWith(bytes: Uint8Array, at: number, signature: readonly number[]): boolean {
  return signature.every((byte, i) => bytes[at + i] === byte);
}

/** Zeros may precede an archive. */
function firstByte(bytes: Uint8Array): number {
  let at = 0;
  while (at < bytes.length && bytes[at] === 0) at++;
  return at;
}

/** Names of all members of the archives, until one that is packed. */
function readNames(bytes: Uint8Array, what: string): Set<string> {
  const names = new Set<string>();
  try {
    for (const { path } of readCpio(bytes)) names.add(path.replace(/^(\.?\/)+/, ""));
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    if (error instanceof DamagedArchive) {
      throw new BootError(`${what} is truncated or damaged (${error.message}): make or fetch it again`, {
        cause: error,
      });
    }
  }
  return names;
}

/**
 * Checks an initrd for a Linux kernel; `forCommands` says that it has to hold a shell.
 * @throws BootError if the kernel could not unpack it, or it holds no shell.
 */
export async function checkInitrd(bytes: Uint8Array, forCommands: boolean, what = "initrd"): Promise<void> {
  if (bytes.length === 0) throw new BootError(`${what} is empty: leave it out or fetch it again`);
  const at = firstByte(bytes);
  const isCpio = NEWC.some((signature) => startsWith(bytes, at, signature));
  if (at < bytes.length && !isCpio && !PACKED.some((signature) => startsWith(bytes, at, signature))) {
    throw new BootError(
      `${what} is no cpio archive, plain or packed: make one, for example with \`find . | cpio -o -H newc\``,
    );
  }
  const isPlain = isCpio || at === bytes.length;
  if (!isPlain && !(forCommands && isGzip(bytes))) return;
  const names = readNames(isPlain ? bytes : await gunzip(bytes, what, UNPACKED_MOST), what);
  if (!forCommands) return;
  for (const program of PROGRAMS) {
    if (FOLDERS.some((folder) => names.has(folder + program))) continue;
    throw new BootError(
      `${what} has no /bin/${program}, which runs commands in the guest: add it (Debian's busybox-static), or run without exec`,
    );
  }
}
