// The check as a whole: from a guest's images to verdicts.
import type { Policy } from "../hypercall/policy.ts";
import { ImageError } from "../image/file-tree.ts";
import { gunzip, isGzip } from "../image/gunzip.ts";
import { readKernel } from "../image/kernel.ts";
import { CATALOGUE, type Form } from "../machine/catalogue.ts";
import { type DriverSet, readDriverSet } from "./driver-set.ts";
import type { FileSource } from "./file-source.ts";
import type { HardwareModel } from "./hardware-model.ts";
import { readInitramfs, type Unpack, unpackGzip } from "./initramfs.ts";
import { wantedBy } from "./needs.ts";
import { judge, type Verdict } from "./verdict.ts";

/** What a guest is made of, as bytes. */
export interface CheckedGuest {
  /** An Image, plain or gzip, or an ELF program. */
  kernel?: Uint8Array;
  /** cpio archives, plain or packed. */
  initrd?: Uint8Array;
  /** Firmware in the order in which it runs. */
  firmware?: readonly Uint8Array[];
  /** A flattened device tree from which a program that is no Linux takes its devices; alone, or with the program. */
  dtb?: Uint8Array;
  /** The root file system. */
  root?: FileSource;
}

const MOST_KERNEL = 2 ** 30;

/** The bytes of a kernel that is one for this machine. @throws BootError otherwise. */
async function unpackedKernel(file: Uint8Array): Promise<Uint8Array> {
  const image = await readKernel(file);
  if (image.kind === "linux") return image.bytes;
  return isGzip(file) ? gunzip(file, "kernel", MOST_KERNEL) : file;
}

/**
 * What a guest can drive, read from its images.
 * @throws ImageError or BootError for images that cannot be read.
 */
export async function readGuestDrivers(guest: CheckedGuest, unpack: Unpack = unpackGzip): Promise<DriverSet> {
  const { initrd, firmware, dtb, root } = guest;
  const kernel = guest.kernel && (await unpackedKernel(guest.kernel));
  if (kernel === undefined && dtb === undefined && (firmware === undefined || firmware.length === 0)) {
    throw new ImageError("there is no kernel to look at: give one, or a root file system with one in /boot");
  }
  const initramfs = initrd && (await readInitramfs(initrd, unpack));
  return readDriverSet({ kernel, firmware, dtb, initramfs, root }, wantedBy(CATALOGUE), unpack);
}

/** Verdicts on every form of every function for a guest on `hardware`; `prefer` is where the best form begins (default: direct). */
export async function checkGuestOn(
  hardware: HardwareModel,
  guest: CheckedGuest & { policy?: Policy },
  unpack?: Unpack,
  prefer?: Form,
): Promise<Verdict[]> {
  const { policy, firmware = [] } = guest;
  return judge(await readGuestDrivers(guest, unpack), hardware, { prefer, policy, firmware: firmware.length > 0 });
}
