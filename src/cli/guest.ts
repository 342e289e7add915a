// paravane guest debian [--root] [--json]
import { buildDebianGuest } from "../platform/node/debian/build.ts";
import { buildRootDisk } from "../platform/node/debian/root-disk.ts";
import { say } from "./status.ts";

export interface GuestArguments {
  root?: boolean;
  json?: boolean;
  refresh?: boolean;
  quiet?: boolean;
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
