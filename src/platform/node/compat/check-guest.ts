// checkGuest() and hardwareModel() for Node: images by path.

import { readGuestDrivers } from "../../../compat/check-guest.ts";
import type { DriverSet } from "../../../compat/driver-set.ts";
import type { FileSource } from "../../../compat/file-source.ts";
import type { HardwareModel } from "../../../compat/hardware-model.ts";
import { probeHardware } from "../../../compat/probe-hardware.ts";
import { judge, type Verdict } from "../../../compat/verdict.ts";
import { OptionError } from "../../../errors.ts";
import type { Policy } from "../../../hypercall/policy.ts";
import type { Form } from "../../../machine/catalogue-row.ts";
import { buildDebianGuest } from "../debian/build.ts";
import { type FileOrBytes, read, readHardware } from "../options.ts";
import { nodePlatform } from "../platform.ts";
import { newestKernel } from "./boot-files.ts";
import { openRoot } from "./root-source.ts";
import { unpack } from "./unpack.ts";

export interface CheckOptions {
  /** The guest that is made for you. */
  guest?: "debian";
  /** An Image, plain or gzip, or an ELF program. Without it the newest in /boot of `root`. */
  kernel?: FileOrBytes;
  /** cpio archives, plain or packed. Without it what is in /boot of `root` beside the kernel. */
  initrd?: FileOrBytes;
  /** The root file system: a folder, or a disk image with ext4, EROFS or squashfs, partitioned or not. */
  root?: string;
  /** "opensbi" or "u-boot" (OpenSBI, then U-Boot), or firmware of your own. */
  firmware?: "opensbi" | "u-boot" | FileOrBytes | FileOrBytes[];
  /**
   * A flattened device tree (DTB) from which a program without an operating system, or firmware, takes its devices: what it
   * names counts as driven. Alone, or with the program.
   */
  dtb?: FileOrBytes;
  /** The hardware that it is to run on: a model, or the path of a file with one. Default: this host. */
  hardware?: string | HardwareModel;
  /** Where the best form of each function begins. Default: "direct". */
  prefer?: Form;
  /** What the guest may call, as createGuest() takes it. Default: everything. */
  policy?: Policy;
  /** Hears of what takes long. */
  onNotice?(line: string): void;
}

/** What this host offers its guests, in the terms of their drivers. */
export function hardwareModel(): Promise<HardwareModel> {
  return probeHardware(nodePlatform);
}

/** The kernel that `root` would boot, and its initrd. */
async function bootFiles(root: FileSource): Promise<{ kernel?: Uint8Array; initrd?: Uint8Array }> {
  const found = await newestKernel(root);
  if (found === undefined) return {};
  const { kernel, initrd } = found;
  return { kernel: await root.read(kernel), initrd: initrd === undefined ? undefined : await root.read(initrd) };
}

/** What a guest can drive, read from the guest itself. */
export async function guestDrivers(options: CheckOptions): Promise<DriverSet> {
  const { guest, firmware } = options;
  if (guest !== undefined && guest !== "debian") {
    throw new OptionError(`guest "${guest}" is not known: write debian, or give a kernel`);
  }
  const isOurs = firmware === "opensbi" || firmware === "u-boot";
  const progress = options.onNotice ?? (() => {});
  const debian = guest === "debian" || isOurs ? await buildDebianGuest({ progress }) : undefined;
  const stages = isOurs
    ? [debian?.opensbi.dynamic ?? "", ...(firmware === "u-boot" ? [debian?.uboot ?? ""] : [])]
    : firmware === undefined
      ? []
      : [firmware].flat();
  const wants = {
    kernel: options.kernel ?? (guest === "debian" ? debian?.kernel : undefined),
    initrd: options.initrd ?? (guest === "debian" ? debian?.initrd : undefined),
  };
  const root = options.root === undefined ? undefined : await openRoot(options.root, options.onNotice);
  try {
    const source = root?.source;
    const found = source !== undefined && wants.kernel === undefined ? await bootFiles(source) : {};
    return await readGuestDrivers(
      {
        kernel: wants.kernel === undefined ? found.kernel : await read(wants.kernel, "kernel"),
        initrd: wants.initrd === undefined ? found.initrd : await read(wants.initrd, "initrd"),
        firmware: await Promise.all(stages.map((file) => read(file as FileOrBytes, "firmware"))),
        dtb: options.dtb === undefined ? undefined : await read(options.dtb, "dtb"),
        root: source,
      },
      unpack,
    );
  } finally {
    await root?.close();
  }
}

/**
 * Says before the boot which forms of which functions will work for a guest, and what is missing for the others.
 * @throws OptionError, BootError or ImageError for images that cannot be read.
 */
export async function checkGuest(options: CheckOptions): Promise<Verdict[]> {
  const { hardware } = options;
  const model = typeof hardware === "string" ? await readHardware(hardware) : (hardware ?? (await hardwareModel()));
  const { prefer, policy, firmware = [] } = options;
  return judge(await guestDrivers(options), model, { prefer, policy, firmware: [firmware].flat().length > 0 });
}
