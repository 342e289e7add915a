// What a root file system would boot: the newest kernel in /boot, and the initrd of the same version.
import type { FileSource } from "../../../compat/file-source.ts";

export interface BootFiles {
  /** What `uname -r` will say, by the kernel's name. */
  release: string;
  /** Paths. */
  kernel: string;
  initrd?: string;
}

export async function newestKernel(root: FileSource): Promise<BootFiles | undefined> {
  const names = await root.list("boot");
  const kernels = names.filter((name) => /^(vmlinux|vmlinuz|Image)-/.test(name));
  const releaseOf = (name: string) => name.slice(name.indexOf("-") + 1);
  kernels.sort((a, b) => releaseOf(a).localeCompare(releaseOf(b), "en", { numeric: true }));
  const newest = kernels.at(-1);
  if (newest === undefined) return undefined;
  const release = releaseOf(newest);
  const initrd = [`initrd.img-${release}`, `initramfs-${release}.img`].find((name) => names.includes(name));
  return { release, kernel: `boot/${newest}`, ...(initrd !== undefined && { initrd: `boot/${initrd}` }) };
}
