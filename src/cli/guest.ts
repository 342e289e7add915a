// paravane guest debian [--root] [--json], paravane guest kernel [--config C] [--release R] [--json]
import { buildDebianGuest } from "../platform/node/debian/build.ts";
import { buildKernel, type KernelRelease } from "../platform/node/debian/kernel.ts";
import type { KernelConfigName } from "../platform/node/debian/kernel-config.ts";
import { buildRootDisk } from "../platform/node/debian/root-disk.ts";
import { onSignal } from "./signals.ts";
import { say } from "./status.ts";

export interface GuestArguments {
  root?: boolean;
  config?: KernelConfigName;
  release?: KernelRelease;
  json?: boolean;
  refresh?: boolean;
  quiet?: boolean;
}

export async function makeKernel({ config, release, refresh, json, quiet }: GuestArguments): Promise<void> {
  let isBuilding = false;
  const progress = (line: string) => {
    isBuilding = true;
    if (!quiet) say(line);
  };
  const stopListening = onSignal((status) => {
    if (isBuilding && !quiet) say("stopped: the same command goes on with what is compiled");
    process.exit(status);
  });
  const built = await buildKernel({ config, release, refresh, progress }).finally(stopListening);
  if (json) process.stdout.write(`${JSON.stringify(built, null, 2)}\n`);
  else
    process.stdout.write(
      Object.entries(built)
        .map(([name, value]) => `${name.padEnd(12)}${value}\n`)
        .join(""),
    );
}

export async function makeGuest(options: GuestArguments): Promise<void> {
  const making = { refresh: options.refresh, progress: options.quiet ? undefined : say };
  const guest = await buildDebianGuest(making);
  const disk = options.root ? await buildRootDisk(guest, making) : undefined;
  const root = disk && { root: disk.image, rootInitrd: disk.initrd };
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ ...guest, ...root }, null, 2)}\n`);
    return;
  }
  const { kernel, initrd, toolsDisk, opensbi, uboot, release, version } = guest;
  const files = { release, version, kernel, initrd, toolsDisk, opensbi: opensbi.dynamic, uboot, ...root };
  const lines = Object.entries(files);
  process.stdout.write(lines.map(([name, value]) => `${name.padEnd(12)}${value}\n`).join(""));
}
