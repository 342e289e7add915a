// Picks kernel modules out of an unpacked kernel package, with all that they depend on,
// and writes the indexes that modprobe reads (modules.dep(5), modules.alias): a package
// ships none, its installation makes them with depmod, which a machine may lack.
//
// Modules are stored decompressed, since the guest would pay for it at every boot, and
// are otherwise left as they are: stripping takes their signature off.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { type ModuleInfo, moduleInfo } from "../../../image/elf-metadata.ts";
import { type FileEntry, file } from "../../../image/file-tree.ts";
import { DebianGuestError } from "./debian-error.ts";

/** Drivers of the machine's devices, and the file systems to use on them. */
export const WANTED_MODULES = [
  ...["virtio_mmio", "virtio_blk", "virtio_rng", "virtio_net", "virtio_balloon", "9pnet_virtio"],
  ...["virtio_pmem", "nd_pmem"],
  ...["nvme", "ahci", "sd_mod", "e1000", "e1000e", "evdev"],
  ...["crc32c_generic", "ext4", "erofs", "squashfs", "overlay", "loop", "9p", "vmw_vsock_virtio_transport"],
];

/** Kernels from 6.14 on have it in another way. */
const NOT_IN_ALL = ["crc32c_generic"];

interface KernelModule {
  info: ModuleInfo;
  /** Relative to the folder of modules, without a suffix of compression. */
  path: string;
  data: Uint8Array;
}

/** Modules are named with - or _ alike. */
const plainName = (path: string): string =>
  basename(path)
    .replace(/\.ko(\.\w+)?$/, "")
    .replaceAll("-", "_");

/** What a module needs loaded before it, the nearest first, as modules.dep lists it. */
function dependencies(name: string, modules: Map<string, KernelModule>, found = new Set<string>()): string[] {
  const direct =
    modules
      .get(name)
      ?.info.depends.map(plainName)
      .filter((other) => modules.has(other)) ?? [];
  const order: string[] = [];
  for (const other of direct) {
    if (found.has(other)) continue;
    found.add(other);
    order.push(other, ...dependencies(other, modules, found));
  }
  return order;
}

/** modprobe loads from the end of a line: a module must stand before those that it needs. */
export function modulesDep(modules: Map<string, KernelModule>): string {
  const depth = new Map<string, number>();
  const depthOf = (name: string): number => {
    const known = depth.get(name);
    if (known !== undefined) return known;
    depth.set(name, 0);
    const below = dependencies(name, modules).map((other) => depthOf(other) + 1);
    depth.set(name, Math.max(0, ...below));
    return depth.get(name) ?? 0;
  };
  const lines = [...modules].map(([name, { path }]) => {
    const needed = dependencies(name, modules).sort((a, b) => depthOf(b) - depthOf(a));
    return `${path}:${needed.map((other) => ` ${modules.get(other)?.path}`).join("")}\n`;
  });
  return lines.join("");
}

export function modulesAlias(modules: Map<string, KernelModule>): string {
  return [...modules].flatMap(([name, { info }]) => info.aliases.map((alias) => `alias ${alias} ${name}\n`)).join("");
}

/**
 * Entries below lib/modules/VERSION (without that prefix) for `wanted` and what they need.
 * @param folder an unpacked usr/lib/modules/VERSION
 * @param read gives the decompressed content of a module file
 */
export async function selectModules(
  folder: string,
  wanted: readonly string[],
  read: (path: string) => Promise<Uint8Array>,
): Promise<FileEntry[]> {
  const files = readdirSync(join(folder, "kernel"), { recursive: true, encoding: "utf8" });
  const byName = new Map(files.filter((path) => /\.ko(\.\w+)?$/.test(path)).map((path) => [plainName(path), path]));
  const builtin = new Set(readFileSync(join(folder, "modules.builtin"), "utf8").split("\n").map(plainName));

  const modules = new Map<string, KernelModule>();
  const queue = wanted.map(plainName);
  for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
    if (modules.has(name) || builtin.has(name)) continue;
    const path = byName.get(name);
    if (!path && NOT_IN_ALL.includes(name)) continue;
    if (!path) throw new DebianGuestError(`the kernel in ${basename(folder)} has no module ${name}`);
    const data = await read(join(folder, "kernel", path));
    const info = moduleInfo(data);
    modules.set(name, { info, path: join("kernel", path.replace(/\.ko\.\w+$/, ".ko")), data });
    queue.push(...info.depends.map(plainName));
  }

  const sorted = new Map([...modules].sort(([a], [b]) => (a < b ? -1 : 1)));
  const kept = ["modules.builtin", "modules.builtin.modinfo", "modules.order"].filter((name) =>
    existsSync(join(folder, name)),
  );
  return [
    file("modules.dep", modulesDep(sorted)),
    file("modules.alias", modulesAlias(sorted)),
    ...kept.map((name) => file(name, readFileSync(join(folder, name)))),
    ...[...sorted.values()].map(({ path, data }) => file(path, data)),
  ];
}
