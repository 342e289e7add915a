// Makes the Debian guest: kernel, initramfs, tools disk and firmware out of Debian's
// riscv64 packages, once; after that it comes from the cache, without network.
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { agentScript } from "../../../image/agent-script.ts";
import { Apt, type AptPackage } from "./apt.ts";
import { type BuildRecord, currentBuild, defaultCacheDir, replaceFile, withLock } from "./cache.ts";
import { decompress, unpackDeb } from "./deb.ts";
import { DebianGuestError, explainSystemError } from "./debian-error.ts";
import { initramfs } from "./initramfs.ts";
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
/** What a build takes while it is made, downloads and unpacked packages included. */
const SPACE_NEEDED = 700 * 1024 * 1024;
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
  /** Debian's code name of the release. */
  release?: "trixie";
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
  const folder = join(cacheDir, "debian", release);
  const cached = refresh ? undefined : currentBuild(folder, RECIPE);
  if (cached) return describe(cached.folder, cached.record);
  try {
    mkdirSync(folder, { recursive: true });
    return await withLock(
      join(folder, "lock"),
      () => progress("another process is making the Debian guest: waiting for it"),
      async () => {
        const made = refresh ? undefined : currentBuild(folder, RECIPE);
        if (made) return describe(made.folder, made.record);
        return await build(folder, release, progress);
      },
    );
  } catch (error) {
    throw explainSystemError(error);
  }
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

async function build(folder: string, release: string, progress: (line: string) => void): Promise<DebianGuest> {
  // The lock is ours: what other builds left behind has no owner.
  for (const name of readdirSync(folder)) {
    if (name.startsWith("building-")) rmSync(join(folder, name), { recursive: true, force: true });
  }
  const { bavail, bsize } = statfsSync(folder);
  if (bavail * bsize < SPACE_NEEDED) {
    const free = Math.floor((bavail * bsize) / 1024 / 1024);
    throw new DebianGuestError(`${folder} has ${free} MB free: free 700 MB or set PARAVANE_CACHE`);
  }
  const scratch = mkdtempSync(join(folder, "building-"));
  try {
    const out = join(scratch, "out");
    mkdirSync(out);
    const packages = new PackageStore(
      new Apt({ folder: join(scratch, "apt"), release, architecture: "riscv64", progress }),
      scratch,
    );
    await packages.update();
    const record = await make(packages, { out, scratch, release, progress });
    return install(folder, out, record);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Packages of the archive, downloaded and unpacked when asked for. */
class PackageStore {
  readonly #apt: Apt;
  readonly #scratch: string;
  readonly versions: Record<string, string> = {};

  constructor(apt: Apt, scratch: string) {
    this.#apt = apt;
    this.#scratch = scratch;
  }

  update(): Promise<void> {
    return this.#apt.update();
  }

  show(names: readonly string[]): Promise<Map<string, AptPackage>> {
    return this.#apt.show(names);
  }

  /** Unpacks those of `names` that the archive has: name -> folder and dependencies. */
  async fetch(names: readonly string[]): Promise<Map<string, { folder: string; depends: string[] }>> {
    const packages = [...(await this.show(names)).values()];
    const debs = await this.#apt.download(packages);
    const found = new Map<string, { folder: string; depends: string[] }>();
    for (const { name, version, depends } of packages) {
      const folder = join(this.#scratch, "packages", name);
      const deb = debs.get(name) ?? "";
      await unpackDeb(deb, folder);
      rmSync(deb);
      this.versions[name] = version;
      found.set(name, { folder, depends });
    }
    return found;
  }
}

interface Workplace {
  out: string;
  scratch: string;
  release: string;
  progress(line: string): void;
}

async function make(packages: PackageStore, { out, scratch, release, progress }: Workplace): Promise<BuildRecord> {
  const meta = (await packages.show([KERNEL_METAPACKAGE])).get(KERNEL_METAPACKAGE);
  const kernelPackage = meta?.depends.find((name) => /^linux-image-\d/.test(name));
  if (!kernelPackage) {
    throw new DebianGuestError(
      `the archive has no ${KERNEL_METAPACKAGE} in ${release}: use a mirror that carries riscv64`,
    );
  }
  const fetched = await packages.fetch([kernelPackage, "busybox-static", "opensbi", "u-boot-qemu"]);
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
  copyFileSync(fileOf(kernelPackage, `boot/vmlinux-${kernelVersion}`), join(out, FILES.kernel));
  copyFileSync(fileOf("opensbi", `${OPENSBI}/fw_dynamic.bin`), join(out, FILES.dynamic));
  copyFileSync(fileOf("opensbi", `${OPENSBI}/fw_jump.bin`), join(out, FILES.jump));
  copyFileSync(fileOf("u-boot-qemu", `${UBOOT}/u-boot.bin`), join(out, FILES.uboot));

  progress(`making the disk with ${TOOL_PACKAGES.join(", ")}`);
  const { image } = await buildToolsDisk((names) => packages.fetch(names));
  writeFileSync(join(out, FILES.toolsDisk), image);

  const files = Object.fromEntries(Object.values(FILES).map((name) => [name, statSync(join(out, name)).size]));
  const versions = Object.fromEntries(Object.entries(packages.versions).sort(([a], [b]) => (a < b ? -1 : 1)));
  const record: BuildRecord = { recipe: RECIPE, release, kernelVersion, packages: versions, files };
  writeFileSync(join(out, "guest.json"), `${JSON.stringify(record, null, 2)}\n`);
  return record;
}

/** Puts a finished build in its place, and takes away those that no running guest can still want. */
function install(folder: string, out: string, record: BuildRecord): DebianGuest {
  const identity = JSON.stringify([record.recipe, record.packages]);
  const id = createHash("sha256").update(identity).digest("hex").slice(0, 16);
  const place = join(folder, id);
  replaceFile(join(folder, "current.json"), `${JSON.stringify({ recipe: record.recipe, id })}\n`);
  // The same packages again: what is there may be in use, so it goes only if it is damaged.
  if (!currentBuild(folder, record.recipe)) {
    rmSync(place, { recursive: true, force: true });
    renameSync(out, place);
  }
  const dayAgo = Date.now() - 24 * 60 * 60 * 1000;
  for (const name of readdirSync(folder)) {
    const old = join(folder, name);
    if (/^[0-9a-f]{16}$/.test(name) && name !== id && statSync(old).mtimeMs < dayAgo) {
      rmSync(old, { recursive: true, force: true });
    }
  }
  return describe(place, record);
}
