// --firmware F: which guest runs behind firmware of one's own where none is named.
import { readFile } from "node:fs/promises";
import { Map as PhysicalMap } from "../../assembly/abi/memory-map.ts";
import { readProgram } from "../image/kernel.ts";

/** Where firmware starts what comes after it: 2 MiB into RAM. */
const NEXT_STAGE = PhysicalMap.RAM + 0x20_0000;

/**
 * "debian", unless the firmware is an ELF program that lies where the kernel would: that is a
 * whole guest, and nothing comes after it.
 */
export async function guestBehind(firmware: string | undefined): Promise<"debian" | undefined> {
  if (firmware === undefined || firmware === "opensbi" || firmware === "u-boot") return "debian";
  // A file that cannot be read is reported where it is read for good.
  const bytes = await readFile(firmware).catch(() => undefined);
  if (bytes === undefined) return undefined;
  const program = readProgram(bytes, `firmware ${firmware}`);
  if (program.kind === "raw") return "debian";
  const isTaken = program.segments.some(({ gpa, size }) => gpa <= NEXT_STAGE && NEXT_STAGE < gpa + size);
  return isTaken ? undefined : "debian";
}
