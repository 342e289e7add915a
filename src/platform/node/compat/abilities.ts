// What this host has beside the machine, for its hardware model.
import { accessSync, constants } from "node:fs";
import type { HostAbilities } from "../../../compat/hardware-model.ts";

function mayWrite(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

export function nodeAbilities(): Partial<HostAbilities> {
  return {
    files: true,
    sockets: true,
    unixSockets: process.platform !== "win32",
    tap: mayWrite("/dev/net/tun"),
  };
}
