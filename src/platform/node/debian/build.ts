// Makes the Debian guest: kernel, initramfs, tools disk and firmware out of Debian's
// riscv64 packages, once; after that it comes from the cache, without network.
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { agentScript } from "../../../image/agent-script.ts";
import { type BuildRecord, currentBuild, defaultCacheDir } from "./cache.ts";
import { cachedBuild, type Workplace } from "./cached-build.ts";
import { decompress } from "./deb.ts";
import { DebianGuestError } from "./debian-error.ts";
import { initramfs } from "./initramfs.ts";
import { fetchKernel } from "./kernel-package.ts";
import { selectModules, WANTED_MODULES } from "./modules.ts";
import { buildToolsDisk, TOOL_PACKAGES } from "./tools-disk.ts";

/** Counts up whenever what is built out of the same packages changes in a way that RECIPE does not see. */
const RECIPE_VERSION = 1;
/** Stands for how a guest is made: one made in another way is made anew. */
const RECIPE = createHash("sha256")
  .update(JSON.stringify([RECIPE_VERSION, agentScript, WANTED_MODULES, TOOL_PACKAGES]))
  .digest("hex")
  .slice(0, 16);
const KERNEL_METAPACKAGE = "linux-image-riscv64";
/** MB that a build takes while it is made. */
const SPACE_NEEDED = 700;
const OPENSBI = "usr/lib/riscv64-linux-gnu/opensbi/generic";
const UBOOT = "usr/lib/u-boot/qemu-riscv64_smode";

const FILES = {
  kernel: "Image",
  initrd: "initrd.cpio",
  toolsDisk: "tools.erofs",
  dynamic: "fw_dynamic.bin",
  jump: "fw_jump.bin",
  uboot: "u-boot.bin",
} as const;

export interface DebianGuestOptions {
  /** Where guests are kept; $PARAVANE_CACHE or ~/.cache/paravane if left out. */
  cacheDir?: string;
  /** Debian's code name of the release. Default: trixie. */
  release?: "trixie" | "sid";
  /** Look for newer packages although there is a build already. */
  refresh?: boolean;
  /** Gets a line of text at each step; nothing at all when the guest comes from the cache. */
  progress?(line: string): void;
}

/** Absolute paths of a built guest's files. */
export interface DebianGuest {
  /** The kernel as a raw Linux Image. */
  kernel: string;
  /** A plain cpio archive; its /init gives a shell on the console, or serves commands. */
  initrd: string;
  /** Read-only EROFS image with fio, stress-ng, iperf3 and cyclictest; /init mounts it. */
  toolsDisk: string;
  opensbi: { dynamic: string; jump: string };
  /** U-Boot for S-mode, to be started by OpenSBI. */
  uboot: string;
  release: string;
  /** The kernel's version, as `uname -r` says it. */
  version: string;
  /** Versions of the packages that it was made of, by name. */
  packages: Record<string, string>;
}

/**
 * The Debian guest, from the cache or, the first time, made with the machine's own apt client.
 * @throws DebianGuestError if this machine cannot make it; the message says what to do.
 */
export async function buildDebianGuest(options: DebianGuestOptions = {}): Promise<DebianGuest> {
  const { cacheDir = defaultCacheDir(), release = "trixie", refresh = false, progress = () => undefined } = options;
  const plan = {
    name: "the Debian guest",
    folder: join(cacheDir, "debian", release),
    release,
    recipe: RECIPE,
    space: SPACE_NEEDED,
    make: (workplace: Workplace) => make(release, workplace),
  };
  const { folder, record } = await cachedBuild(plan, { refresh, progress });
  return describe(folder, record);
}

/** The guest if it is in the cache already: nothing is made, downloaded or waited for. */
export function cachedDebianGuest(
  options: Pick<DebianGuestOptions, "cacheDir" | "release"> = {},
): DebianGuest | undefined {
  const { cacheDir = defaultCacheDir(), release = "trixie" } = options;
  const cached = currentBuild(join(cacheDir, "debian", release), RECIPE);
  return cached && describe(cached.folder, cached.record);
}

function describe(folder: string, record: BuildRecord): DebianGuest {
  const path = (name: string): string => join(folder, name);
  return {
    kernel: path(FILES.kernel),
    initrd: path(FILES.initrd),
    toolsDisk: path(FILES.toolsDisk),
    opensbi: { dynamic: path(FILES.dynamic), jump: path(FILES.jump) },
    uboot: path(FILES.uboot),
    release: record.release,
    version: record.kernelVersion,
    packages: record.packages,
  };
}

async function make(release: string, { packages, out, scratch, progress }: Workplace): Promise<string> {
  const meta = (await packages.show([KERNEL_METAPACKAGE])).get(KERNEL_METAPACKAGE);
  const kernelPackage = meta?.depends.find((name) => /^linux-image-\d/.test(name));
  if (!kernelPackage) {
    throw new DebianGuestError(
      `the archive has no ${KERNEL_METAPACKAGE} in ${release}: use a mirror that carries riscv64`,
    );
  }
  const fetched = await packages.fetch(["busybox-static", "opensbi", "u-boot-qemu"]);
  const kernel = await fetchKernel(packages, kernelPackage);
  if (kernel !== undefined) fetched.set(kernelPackage, { folder: kernel, depends: [] });
  const fileOf = (name: string, path: string): string => {
    const found = fetched.get(name);
    if (!found) throw new DebianGuestError(`the archive has no package ${name} in ${release} for riscv64`);
    const file = join(found.folder, path);
    if (!existsSync(file)) throw new DebianGuestError(`Debian's package ${name} has no ${path}`);
    return file;
  };

  progress("picking the kernel's modules");
  const [kernelVersion] = readdirSync(fileOf(kernelPackage, "usr/lib/modules"));
  const modules = await selectModules(
    fileOf(kernelPackage, `usr/lib/modules/${kernelVersion}`),
    WANTED_MODULES,
    (path) => decompress(path, readFileSync(path), join(scratch, "decompress.deb")),
  );
  const busybox = readFileSync(fileOf("busybox-static", "usr/bin/busybox"));
  writeFileSync(join(out, FILES.initrd), initramfs({ busybox, kernelVersion, modules }));
  // A plain Image in both places; the second is that of Linux 7.0 and later.
  const images = [`boot/vmlinux-${kernelVersion}`, `usr/lib/modules/${kernelVersion}/vmlinuz`];
  const image = images.find((path) => kernel !== undefined && existsSync(join(kernel, path))) ?? images[0];
  copyFileSync(fileOf(kernelPackage, image), join(out, FILES.kernel));
  copyFileSync(fileOf("opensbi", `${OPENSBI}/fw_dynamic.bin`), join(out, FILES.dynamic));
  copyFileSync(fileOf("opensbi", `${OPENSBI}/fw_jump.bin`), join(out, FILES.jump));
  copyFileSync(fileOf("u-boot-qemu", `${UBOOT}/u-boot.bin`), join(out, FILES.uboot));

  progress(`making the disk with ${TOOL_PACKAGES.join(", ")}`);
  const tools = await buildToolsDisk((names) => packages.fetch(names));
  writeFileSync(join(out, FILES.toolsDisk), tools.image);
  return kernelVersion;
}
