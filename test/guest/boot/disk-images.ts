// Root file systems for tests, made by the tools that Debian has for each: a system that boots busybox and does nothing but
// loading modules for its hardware and starting the agent if it has one.
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { readCpio } from "../../../src/image/cpio.ts";
import { ROOT_LABEL } from "../../../src/image/root-script.ts";

const MIB = 1024 * 1024;

const INIT = `#!/bin/busybox sh
export PATH=/bin
mount -t tmpfs tmpfs /run
for pass in 1 2 3; do
  cat /sys/bus/*/devices/*/modalias 2>/dev/null | sort -u | xargs modprobe -qab 2>/dev/null
done
[ -x /usr/lib/paravane-agent/start ] && /usr/lib/paravane-agent/start -d
echo the system is up
while :; do sleep 1000; done
`;

/** Files of the Debian guest's modules that `keep` admits, below `folder`. */
export function writeModules(initrd: string, folder: string, keep: (path: string) => boolean = () => true): void {
  for (const { path, ...entry } of readCpio(readFileSync(initrd))) {
    const [, below] = /^usr\/lib\/modules\/[^/]+\/(.*)$/.exec(path) ?? [];
    if (below === undefined || entry.kind !== "file" || !keep(below)) continue;
    mkdirSync(join(folder, dirname(below)), { recursive: true });
    writeFileSync(join(folder, below), entry.data);
  }
}

/** A system in `folder`, without modules. */
export function writeSystem(initrd: string, folder: string): void {
  for (const name of ["bin", "boot", "dev", "etc", "mnt", "proc", "run", "sbin", "sys", "tmp", "usr/lib"]) {
    mkdirSync(join(folder, name), { recursive: true });
  }
  const busybox = [...readCpio(readFileSync(initrd))].find(({ path }) => path === "usr/bin/busybox");
  if (busybox?.kind !== "file") throw new Error(`${initrd} has no busybox`);
  writeFileSync(join(folder, "bin/busybox"), busybox.data);
  for (const name of ["sh", "cat", "echo", "ls", "mkdir", "modprobe", "mount", "sleep", "sort", "xargs", "sha256sum"]) {
    symlinkSync("busybox", join(folder, "bin", name));
  }
  symlinkSync("usr/lib", join(folder, "lib"));
  // Where the kernel calls it.
  symlinkSync("../bin/busybox", join(folder, "sbin/modprobe"));
  writeFileSync(join(folder, "sbin/init"), INIT);
  for (const name of ["bin/busybox", "sbin/init"]) chmodSync(join(folder, name), 0o755);
}

const sh = (command: string): void => {
  execFileSync("sh", ["-c", command], { env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` } });
};

/** `folder` as an ext4 image of `size` MiB; with `partitions`, behind an empty first one. */
export function writeExt4Image(folder: string, image: string, size: number, partitions = false): void {
  const first = 8;
  const total = partitions ? size + first + 2 : size;
  writeFileSync(image, new Uint8Array(0));
  sh(`truncate -s ${total}M '${image}'`);
  if (partitions) {
    const table = `label: gpt\\nstart=${MIB / 512}, size=${first - 1}MiB\\nstart=${first}MiB, size=${size}MiB\\n`;
    sh(`printf '${table}' | sfdisk -q '${image}'`);
  }
  const place = partitions ? `-E offset=${first * MIB},root_owner=0:0` : "-E root_owner=0:0";
  sh(`mke2fs -q -F -t ext4 -m 0 -L ${ROOT_LABEL} ${place} -d '${folder}' '${image}' ${size}M 2>&1`);
}

export function writeErofsImage(folder: string, image: string): void {
  sh(`mkfs.erofs -zlz4hc '${image}' '${folder}' >/dev/null 2>&1`);
}

export function writeSquashfsImage(folder: string, image: string): void {
  sh(`mksquashfs '${folder}' '${image}' -comp xz -quiet -noappend >/dev/null`);
}
