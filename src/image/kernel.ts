// What a kernel file is. A RISC-V Linux Image (Documentation/arch/riscv/boot-image-header.rst),
// plain or gzip; an ELF program for this machine; and, so that a mistake gets a name, the
// things that are given instead: kernels of other machines, other packings, other files.
//
//   0x00  code, or "MZ" when the Image is a PE file too     0x20  header version
//   0x08  text_offset, u64                                  0x30  "RISCV" (deprecated)
//   0x10  image_size, u64, with .bss                        0x38  "RSC\x05"
//   0x18  flags, bit 0 big-endian                           0x3c  offset of the PE header
import { BootError } from "../machine/boot-error.ts";
import { type ElfProgram, isElf, readElf } from "./elf.ts";
import { gunzip, isGzip } from "./gunzip.ts";

export interface LinuxImage {
  kind: "linux";
  bytes: Uint8Array;
  /** Where it wants to be, from the start of RAM. */
  textOffset: number;
  /** Memory that it occupies from there, at least bytes.length. */
  imageSize: number;
}

export interface ElfImage extends ElfProgram {
  kind: "elf";
}

/** Bytes to be put where the next boot stage begins, such as U-Boot's u-boot.bin. */
export interface RawImage {
  kind: "raw";
  bytes: Uint8Array;
}

export type BootImage = LinuxImage | ElfImage | RawImage;

const HEADER_SIZE = 64;
const UNPACKED_MOST = 1024 * 1024 * 1024;

const PE_HEADER_SIZE = 24;
const PE_SECTION_SIZE = 40;
const PE_MACHINE_RISCV64 = 0x5064;
const PE_MACHINES: Record<number, string> = {
  34404: "x86-64",
  332: "32-bit x86",
  43620: "ARM64",
  20530: "32-bit RISC-V",
  25188: "LoongArch",
};

function startsWith(bytes: Uint8Array, at: number, text: string): boolean {
  if (at + text.length > bytes.length) return false;
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text.charCodeAt(i)) return false;
  return true;
}

function truncated(what: string, have: number, need: number): BootError {
  return new BootError(`${what} is truncated: it has ${have} bytes and its headers speak of ${need}; fetch it again`);
}

// What is given for a kernel by mistake: signature, and what to say of the file.
const STRANGERS: { at: number; signature: string; is: string }[] = [
  { at: 0x202, signature: "HdrS", is: "an x86 kernel (bzImage: boot protocol HdrS at 0x202): give a RISC-V Image" },
  { at: 0x38, signature: "ARM\x64", is: "an ARM64 kernel Image: give a RISC-V Image" },
  { at: 0x24, signature: "\x18\x28\x6f\x01", is: "a 32-bit ARM kernel (zImage): give a RISC-V Image" },
  { at: 4, signature: "zimg", is: "an EFI zboot kernel: give the plain Image, or boot it from a disk through U-Boot" },
  { at: 0, signature: "\xfd7zXZ\0", is: "packed with xz: unpack it first (xz -d)" },
  { at: 0, signature: "\x28\xb5\x2f\xfd", is: "packed with zstd: unpack it first (zstd -d)" },
  { at: 0, signature: "BZh", is: "packed with bzip2: unpack it first (bunzip2)" },
  { at: 0, signature: "\x02\x21\x4c\x18", is: "packed with lz4: unpack it first (lz4 -d)" },
  { at: 0, signature: "\x04\x22\x4d\x18", is: "packed with lz4: unpack it first (lz4 -d)" },
  { at: 0, signature: "\x27\x05\x19\x56", is: "a U-Boot uImage: give the Image that is inside it" },
  { at: 0, signature: "\xd0\x0d\xfe\xed", is: "a device tree or a U-Boot FIT image: give the Image itself" },
  { at: 0, signature: "070701", is: "a cpio archive, such as an initrd: give it as initrd" },
  { at: 0, signature: "!<arch>\n", is: "an archive, such as a .deb package: unpack the kernel from it" },
  { at: 0, signature: "QFI\xfb", is: "a qcow2 disk image: give it as disk" },
];

/**
 * Reads a kernel file; `what` names it in messages ("kernel /boot/vmlinuz").
 * @throws BootError if it is empty, truncated, for another machine, or no kernel.
 */
export async function readKernel(bytes: Uint8Array, what = "kernel"): Promise<LinuxImage | ElfImage> {
  if (isGzip(bytes)) return readUnpacked(await gunzip(bytes, what, UNPACKED_MOST), `${what} (unpacked)`);
  return readUnpacked(bytes, what);
}

/** A program that begins at its first byte, ELF or raw: firmware, U-Boot. @throws BootError as readKernel. */
export function readProgram(bytes: Uint8Array, what: string): ElfImage | RawImage {
  if (bytes.length === 0) throw new BootError(`${what} is empty: fetch it again`);
  if (isElf(bytes)) return { kind: "elf", ...readElf(bytes, what) };
  refuseStrangers(bytes, what);
  if (isGzip(bytes)) throw new BootError(`${what} is packed with gzip: unpack it first (gunzip)`);
  return { kind: "raw", bytes };
}

function refuseStrangers(bytes: Uint8Array, what: string): void {
  for (const { at, signature, is } of STRANGERS) {
    if (startsWith(bytes, at, signature)) throw new BootError(`${what} is ${is}`);
  }
}

function readUnpacked(bytes: Uint8Array, what: string): LinuxImage | ElfImage {
  if (bytes.length === 0) throw new BootError(`${what} is empty: fetch it again`);
  if (isElf(bytes)) return { kind: "elf", ...readElf(bytes, what) };
  if (startsWith(bytes, 0x38, "RSC\x05") || startsWith(bytes, 0x30, "RISCV\0\0\0")) return readImage(bytes, what);
  refuseStrangers(bytes, what);
  if (startsWith(bytes, 0, "MZ"))
    throw new BootError(`${what} is ${describePe(bytes)}: give a RISC-V Image or an ELF program`);
  if (bytes.length < HEADER_SIZE)
    throw new BootError(
      `${what} is truncated: ${bytes.length} bytes are less than any kernel's header; fetch it again`,
    );
  throw new BootError(
    `${what} is neither a RISC-V Linux Image (no RSC\\x05 at 0x38) nor an ELF program: give one of them`,
  );
}

function readImage(bytes: Uint8Array, what: string): LinuxImage {
  if (bytes.length < HEADER_SIZE) throw truncated(what, bytes.length, HEADER_SIZE);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if ((view.getUint8(0x18) & 1) !== 0)
    throw new BootError(`${what} is a big-endian RISC-V Image: the machine is little-endian`);
  if (startsWith(bytes, 0, "MZ")) checkPe(view, what);
  const textOffset = Number(view.getBigUint64(8, true));
  if (textOffset % 4096 !== 0)
    throw new BootError(
      `${what} has text_offset 0x${textOffset.toString(16)}, which is no page: its header is damaged`,
    );
  // image_size counts .bss, so it may exceed the file; kernels before 4.6 left it 0.
  const imageSize = Math.max(Number(view.getBigUint64(0x10, true)), bytes.length);
  return { kind: "linux", bytes, textOffset, imageSize };
}

/** An Image with an EFI stub is a PE file, whose section table says how long the file must be (PE format, 3 and 4). */
function checkPe(view: DataView, what: string): void {
  const at = view.getUint32(0x3c, true);
  const need = at + PE_HEADER_SIZE;
  if (need > view.byteLength) throw truncated(what, view.byteLength, need);
  if (view.getUint32(at, true) !== 0x4550) return; // no "PE\0\0": the first two bytes are an instruction's
  const machine = view.getUint16(at + 4, true);
  if (machine !== PE_MACHINE_RISCV64) {
    throw new BootError(
      `${what} is a kernel for ${PE_MACHINES[machine] ?? `PE machine 0x${machine.toString(16)}`}: give one for 64-bit RISC-V`,
    );
  }
  const sections = view.getUint16(at + 6, true);
  const tableAt = need + view.getUint16(at + 20, true);
  const tableEnd = tableAt + sections * PE_SECTION_SIZE;
  if (tableEnd > view.byteLength) throw truncated(what, view.byteLength, tableEnd);
  for (let section = tableAt; section < tableEnd; section += PE_SECTION_SIZE) {
    const end = view.getUint32(section + 20, true) + view.getUint32(section + 16, true);
    if (end > view.byteLength) throw truncated(what, view.byteLength, end);
  }
}

function describePe(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < HEADER_SIZE) return "a truncated PE file";
  const at = view.getUint32(0x3c, true);
  if (at + PE_HEADER_SIZE > bytes.length || view.getUint32(at, true) !== 0x4550) return "a DOS program";
  const machine = view.getUint16(at + 4, true);
  return `an EFI or Windows program for ${PE_MACHINES[machine] ?? `PE machine 0x${machine.toString(16)}`}`;
}
