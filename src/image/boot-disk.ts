// A disk that boot loaders boot Linux from: an MBR with one active FAT16 partition, in it the
// kernel, the initrd and extlinux/extlinux.conf (the Boot Loader Specification's ancestor;
// U-Boot: doc/develop/distro.rst, doc/README.pxe).
import { Map as PhysicalMap } from "../../assembly/abi/memory-map.ts";
import { ParavaneError } from "../errors.ts";
import { BootError, hex } from "../machine/boot-error.ts";
import { MIB } from "../machine/memory-size.ts";
import { writeFat16 } from "./fat.ts";
import { type FileEntry, file } from "./file-tree.ts";
import type { LinuxImage } from "./kernel.ts";

export interface BootDiskInput {
  kernel: Uint8Array;
  initrd?: Uint8Array;
  /** The kernel's command line. */
  append: string;
}

const SECTOR = 512;
/** Partitions begin at 1 MiB, as partitioning programs have them. */
const START_SECTOR = 2048;

const PARTITION_TABLE = 446;
const ACTIVE = 0x80;
const TYPE_FAT16_LBA = 0x0e;
/** Cylinder, head and sector where they cannot express the place. */
const CHS_BEYOND = [0xfe, 0xff, 0xff];
const DISK_SIGNATURE = 0x5041_5242;

// Where U-Boot for QEMU's virt board loads files to (include/configs/qemu-riscv.h) and then moves
// the kernel; it itself lies at the end of RAM, with its heap and 16 MiB of stack in front of it.
const RAM: number = PhysicalMap.RAM;
const KERNEL_LOADED = RAM + 64 * MIB;
const INITRD_LOADED = RAM + 195 * MIB;
const UBOOT_SIZE = 36 * MIB;

/** U-Boot's CONFIG_SYS_CBSIZE: what it takes of a command line, with the zero at the end. */
const COMMAND_LINE_MOST = 1024;

/**
 * Checks that U-Boot has the memory to load what is on its disk, for it starts whatever it could load.
 * @throws BootError with the memory to ask for.
 */
export function checkRoomForUBoot(kernel: LinuxImage, initrd: Uint8Array | undefined, ramBytes: number): void {
  if (
    KERNEL_LOADED + kernel.bytes.length > INITRD_LOADED ||
    RAM + kernel.textOffset + kernel.imageSize > INITRD_LOADED
  ) {
    const size = Math.ceil(kernel.imageSize / MIB);
    throw new BootError(`the kernel takes ${size} MiB, more than U-Boot leaves it: boot it without U-Boot`);
  }
  const end = initrd === undefined ? KERNEL_LOADED + kernel.bytes.length : INITRD_LOADED + initrd.length;
  const need = Math.ceil((end + UBOOT_SIZE - RAM) / MIB);
  if (ramBytes < need * MIB) {
    throw new BootError(
      `U-Boot loads the ${initrd === undefined ? "kernel" : "initrd"} to where it ends at ${hex(end)}, and needs room behind it: raise --memory to ${need}M or more`,
    );
  }
}

function writePartitionTable(disk: Uint8Array): void {
  const view = new DataView(disk.buffer, disk.byteOffset, SECTOR);
  view.setUint32(440, DISK_SIGNATURE, true);
  view.setUint8(PARTITION_TABLE, ACTIVE);
  disk.set(CHS_BEYOND, PARTITION_TABLE + 1);
  view.setUint8(PARTITION_TABLE + 4, TYPE_FAT16_LBA);
  disk.set(CHS_BEYOND, PARTITION_TABLE + 5);
  view.setUint32(PARTITION_TABLE + 8, START_SECTOR, true);
  view.setUint32(PARTITION_TABLE + 12, disk.length / SECTOR - START_SECTOR, true);
  view.setUint16(510, 0xaa55, true);
}

/**
 * `text` so that U-Boot, which replaces $(name) and ${name} and takes quotes and backslashes
 * away, ends up with it. After a backslash that stands for itself the next character is plain.
 */
function escapeForUBoot(text: string): string {
  let escaped = "";
  let afterBackslash = false;
  for (const character of text) {
    const isSpecial = character === "\\" || character === "'" || character === "$";
    escaped += isSpecial && !afterBackslash ? `\\${character}` : character;
    afterBackslash = character === "\\";
  }
  return escaped;
}

/** @throws ParavaneError for a command line that the file cannot carry. */
function extlinuxConfig({ append, initrd }: BootDiskInput): string {
  if (append.includes("\0") || /[\r\n]/.test(append)) {
    throw new ParavaneError("the kernel's command line has a line break: write it as one line");
  }
  const line = escapeForUBoot(append.trim());
  if (line.length >= COMMAND_LINE_MOST) {
    throw new ParavaneError(
      `the kernel's command line is longer than the ${COMMAND_LINE_MOST - 1} characters that U-Boot takes: shorten it`,
    );
  }
  const lines = ["default linux", "label linux", "  kernel /Image"];
  if (initrd !== undefined) lines.push("  initrd /initrd");
  if (line !== "") lines.push(`  append ${line}`);
  return `${lines.join("\n")}\n`;
}

/** The disk's contents. The same input gives the same bytes. */
export function bootDisk(input: BootDiskInput): Uint8Array<ArrayBuffer> {
  const entries: FileEntry[] = [file("extlinux/extlinux.conf", extlinuxConfig(input)), file("Image", input.kernel)];
  if (input.initrd !== undefined) entries.push(file("initrd", input.initrd));
  const disk = writeFat16(entries, { startSector: START_SECTOR });
  writePartitionTable(disk);
  return disk;
}
