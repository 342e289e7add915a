// passt, a network without root behind a socket: Debian 13's if it can be had, else the machine's
// own. That of Debian 12 (0.0~git20230309) resets every connection on which the guest alone sends
// when it is 24 s old: it goes on waiting for the guest to acknowledge its SYN.
import { DebianGuestError } from "../../src/platform/node/debian/debian-error.ts";
import { unpackedProgram } from "./unpacked.ts";

const UNPACKED = { name: "passt", folder: "passt", package: "passt", program: "usr/bin/passt" };

/** The command line up to its options. */
export async function findPasst(progress: (line: string) => void): Promise<string[]> {
  try {
    return await unpackedProgram(UNPACKED, progress);
  } catch (error) {
    if (!(error instanceof DebianGuestError)) throw error;
    progress(`Debian's passt cannot be had (${error.message}): taking the machine's own`);
    return ["passt"];
  }
}
