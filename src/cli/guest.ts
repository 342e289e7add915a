// paravane guest debian [--json]
import { buildDebianGuest } from "../platform/node/debian/build.ts";
import { say } from "./status.ts";

export interface GuestArguments {
  json?: boolean;
  refresh?: boolean;
  quiet?: boolean;
}

export async function makeGuest(options: GuestArguments): Promise<void> {
  const guest = await buildDebianGuest({
    refresh: options.refresh,
    progress: options.quiet ? undefined : say,
  });
  if (options.json) {
    process.stdout.write(`${JSON.stringify(guest, null, 2)}\n`);
    return;
  }
  const { kernel, initrd, toolsDisk, opensbi, uboot, release, version } = guest;
  const lines = Object.entries({ release, version, kernel, initrd, toolsDisk, opensbi: opensbi.dynamic, uboot });
  process.stdout.write(lines.map(([name, value]) => `${name.padEnd(10)}${value}\n`).join(""));
}
