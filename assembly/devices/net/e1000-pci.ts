// The functions on the bus (4.1; 82574 chapter 9): identifiers of Intel's own boards, BARs
// and capabilities. The capabilities stand where this bus puts them, in the chips' order.
//
//   BAR 0   128 KiB  registers
//   BAR 2   64 B     82540EM, I/O: IOADDR and IODATA, the driver's way to a reset
//   BAR 3   16 KiB   82574L, MSI-X table, and pending bits at 0x2000
//
// Left out: the 82574L's I/O BAR and flash BAR, which its driver does not touch, expansion
// ROMs, MSI, and wake-up (no PME from any state).
import { DeviceKind } from "../../abi/device";
import { addBar, addExpress, addFunction, addIoBar, addPowerManagement, configWritable } from "../pci/function";
import { addMsix } from "../pci/msix";
import { DEVICE_82540EM, DEVICE_82574L, INTEL, SUBSYSTEM_82540EM, SUBSYSTEM_82574L } from "./e1000-nvm";
import { E1000, Limit, is82574 } from "./e1000-state";

export const enum Bar {
  REGISTERS = 0,
  REGISTERS_SIZE = 0x2_0000,
  IO = 2,
  IO_SIZE = 64,
  MSIX = 3,
  MSIX_SIZE = 0x4000,
  MSIX_TABLE = 0,
  MSIX_PBA = 0x2000,
}

const CLASS_ETHERNET: u32 = 0x02_00_00;
const REVISION_82540EM: u32 = 3;
const REVISION_82574L: u32 = 0;
const INTA: u32 = 1;

export function kindOf(s: E1000): DeviceKind {
  return is82574(s) ? DeviceKind.E1000E : DeviceKind.E1000;
}

export function addE1000Function(s: E1000): void {
  const slot = s.slot;
  if (is82574(s)) {
    addFunction(
      slot, DeviceKind.E1000E, s.instance, INTEL, DEVICE_82574L, CLASS_ETHERNET, REVISION_82574L, INTEL, SUBSYSTEM_82574L, INTA,
    );
    addBar(slot, Bar.REGISTERS, Bar.REGISTERS_SIZE, false);
    addBar(slot, Bar.MSIX, Bar.MSIX_SIZE, false);
    addPowerManagement(slot, 2);
    configWritable(slot, addExpress(slot, 1) + 8, 0x7fff);
    addMsix(slot, Bar.MSIX, Bar.MSIX_TABLE, Bar.MSIX_PBA, Limit.VECTORS);
  } else {
    addFunction(
      slot, DeviceKind.E1000, s.instance, INTEL, DEVICE_82540EM, CLASS_ETHERNET, REVISION_82540EM, INTEL, SUBSYSTEM_82540EM, INTA,
    );
    addBar(slot, Bar.REGISTERS, Bar.REGISTERS_SIZE, false);
    addIoBar(slot, Bar.IO, Bar.IO_SIZE);
    addPowerManagement(slot, 2);
  }
}
