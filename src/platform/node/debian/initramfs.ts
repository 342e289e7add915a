// The guest's initramfs: busybox, modules and the agent as /init. It is a plain archive:
// the host copies it for nothing, while the guest would pay for inflating it.

import { writeCpio } from "../../../image/cpio.ts";
import { directory, type FileEntry, file, symlink } from "../../../image/file-tree.ts";
import { agentFiles } from "../../../image/overlay.ts";

export interface InitramfsParts {
  busybox: Uint8Array;
  /** The kernel's version, as uname -r says it. */
  kernelVersion: string;
  /** Entries below lib/modules/VERSION. */
  modules: FileEntry[];
}

export function initramfs({ busybox, kernelVersion, modules }: InitramfsParts): Uint8Array {
  const moduleFolder = `usr/lib/modules/${kernelVersion}`;
  return writeCpio([
    ...["etc", "mnt", "proc", "run", "sys", "usr", "usr/bin", "usr/sbin", "usr/lib"].map((path) => directory(path)),
    directory("root", 0o700),
    directory("tmp", 0o1777),
    symlink("bin", "usr/bin"),
    symlink("sbin", "usr/sbin"),
    symlink("lib", "usr/lib"),
    file("usr/bin/busybox", busybox, 0o755),
    symlink("usr/bin/sh", "busybox"),
    // The kernel calls it for modules that it wants itself.
    symlink("usr/sbin/modprobe", "../bin/busybox"),
    file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"),
    file("etc/group", "root:x:0:\n"),
    file("etc/hosts", "127.0.0.1 localhost\n"),
    file("etc/hostname", "paravane\n"),
    ...modules.map((entry) => ({ ...entry, path: `${moduleFolder}/${entry.path}` })),
    ...agentFiles(),
  ]);
}
