// The modules of one of Debian's kernels, out of the package of its version.
import { cpSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Apt } from "./apt.ts";
import { DebianGuestError } from "./debian-error.ts";
import { PackageStore } from "./package-store.ts";

/** Names as Debian gives them to its kernels: what `uname -r` says. */
const RELEASE = /^\d[\w.+~-]{0,100}-riscv64$/;

export interface KernelPackageOptions {
  /** Debian's code name of the release that has the kernel. Default: trixie. */
  debian?: string;
  progress?(line: string): void;
}

/**
 * The folder with the files of kernel package `name`: one package, or from Linux 7.0 on several, put together.
 * Undefined if the archive does not have it.
 */
export async function fetchKernel(packages: PackageStore, name: string): Promise<string | undefined> {
  const whole = (await packages.fetch([name])).get(name);
  const parts = whole?.depends.filter((it) => /^linux-(base|binary|modules)-\d/.test(it)) ?? [];
  if (whole === undefined || parts.length === 0) return whole?.folder;
  const fetched = await packages.fetch(parts);
  // The modules are the most by far, so the others are put beside them.
  const [[, first], ...others] = [...fetched].sort(([a], [b]) => Number(/modules/.test(b)) - Number(/modules/.test(a)));
  for (const [, { folder }] of others) cpSync(folder, first.folder, { recursive: true });
  return first.folder;
}

/**
 * Calls `use` with the folder of modules of kernel `release`, which goes away afterwards.
 * @throws DebianGuestError if the archive does not have it.
 */
export async function withKernelPackage<T>(
  release: string,
  { debian = "trixie", progress = () => {} }: KernelPackageOptions,
  use: (folder: string) => Promise<T>,
): Promise<T> {
  const name = `linux-image-${release}`;
  if (!RELEASE.test(release)) {
    throw new DebianGuestError(
      `kernel ${release} is none of Debian's for riscv64: give its folder of modules with --modules`,
    );
  }
  const scratch = mkdtempSync(join(tmpdir(), "paravane-kernel-"));
  try {
    const apt = new Apt({ folder: join(scratch, "apt"), release: debian, architecture: "riscv64", progress });
    await apt.update();
    const folder = await fetchKernel(new PackageStore(apt, scratch), name);
    const modules = ["usr/lib/modules", "lib/modules"]
      .map((path) => join(folder ?? "", path, release))
      .find((path) => folder !== undefined && existsSync(path));
    if (modules === undefined) {
      throw new DebianGuestError(
        `the archive of ${debian} has no package ${name}: give the kernel's folder of modules with --modules`,
      );
    }
    return await use(modules);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
