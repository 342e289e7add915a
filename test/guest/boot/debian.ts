// One booted Debian guest for all files of this project: they run in one process, one after
// another, so the first to ask pays for the boot. Its disks are in memory.
import { createGuest, type Guest } from "../../../src/index.ts";

import { serialPort } from "./serial-port.ts";

const MIB = 1024 * 1024;

export interface SharedGuest {
  guest: Guest;
  /** Contents of /dev/vda and /dev/nvme0n1. */
  virtioDisk: Uint8Array;
  nvmeDisk: Uint8Array;
  notices: string[];
}

let shared: Promise<SharedGuest> | undefined;

async function boot(): Promise<SharedGuest> {
  const [virtioDisk, nvmeDisk] = [new Uint8Array(16 * MIB), new Uint8Array(16 * MIB)];
  const notices: string[] = [];
  const guest = await createGuest({
    guest: "debian",
    exec: true,
    disks: [
      { bytes: virtioDisk, if: "virtio" },
      { bytes: nvmeDisk, if: "nvme" },
    ],
    devices: [serialPort],
    onNotice: (line) => notices.push(line),
  });
  await guest.ready();
  return { guest, virtioDisk, nvmeDisk, notices };
}

/** The shared guest, ready to run commands. Leave it as you found it. */
export function debian(): Promise<SharedGuest> {
  shared ??= boot();
  return shared;
}

/** Standard output of a command that must succeed in the shared guest. */
export async function sh(command: string): Promise<string> {
  const { guest } = await debian();
  const { status, stdout, stderr } = await guest.exec(command, { timeout: 120_000 });
  const text = new TextDecoder();
  if (status !== 0) throw new Error(`${command}: status ${status}: ${text.decode(stderr)}`);
  return text.decode(stdout);
}
