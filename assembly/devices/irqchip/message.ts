// Message-signalled interrupts on their way: a dword that a device or the APLIC writes to
// memory. In the page of an interrupt file it is an interrupt (AIA 1.0, 3.2). In RAM it is
// what it is on a bus, a write, and a driver that asked for it finds it there. Anywhere
// else nobody takes it: devices do not reach devices, and it is counted as an access to nothing.
import { DeviceKind } from "../../abi/device";
import { ExitDirection } from "../../abi/exit-counter";
import { countExit } from "../../exits";
import { dmaWrite } from "../../memory/ram";
import { hasAia } from "./aia";
import { Level, imsicWrite, inImsicPages } from "./imsic";

/** Writes `data` to the dword at `address`. */
export function sendMessage(address: u64, data: u32): void {
  address &= ~(<u64>3);
  if (hasAia()) {
    if (inImsicPages(address, Level.SUPERVISOR)) return imsicWrite(Level.SUPERVISOR, address, data);
    if (inImsicPages(address, Level.MACHINE)) return imsicWrite(Level.MACHINE, address, data);
  }
  const at = dmaWrite(address, 4);
  if (at != 0) store<u32>(at, data);
  else countExit(DeviceKind.UNMAPPED, 0, ExitDirection.WRITE, address);
}
