// Which BAR answers at a physical address. The guest may move BARs at any time, so every
// write to configuration space that touches COMMAND or a BAR rebuilds a compact table of
// what is decoded now, and a lookup walks that: a handful of entries.
//
//   Dev.PCI_HOST + 0x00  the four INTx wires (intx.ts)
//                + 0x10  number of entries
//                + 0x40  entries {base u64, size u32, slot u8, bar u8}, in slot order
//
// I/O BARs are entries too, at the place of their ports in the board's memory map.
// Overlapping BARs are a driver's error: the lowest slot answers.
import { Dev, DeviceKind } from "../../abi/device";
import { Map } from "../../abi/memory-map";
import { Command, Config, Pci, barBase, barIsIo, barSize, command, configAt, functionAt } from "./function";

const enum Host {
  COUNT = 0x10,
  ENTRIES = 0x40,
  ENTRY_SIZE = 16,
}

const NOWHERE: u64 = ~0;
const MAX_ENTRIES: u32 = Pci.SLOTS * Pci.BARS;

/** What the last successful pciLookup found. */
export let foundSlot: u32 = 0;
export let foundBar: u32 = 0;
export let foundOffset: u32 = 0;

export function rebuildDecode(): void {
  let at = <usize>Dev.PCI_HOST + <usize>Host.ENTRIES;
  let count: u32 = 0;
  for (let slot: u32 = 0; slot < <u32>Pci.SLOTS; slot++) {
    if (functionAt(slot).kind == <u32>DeviceKind.NONE) continue;
    if ((command(slot) & <u32>(Command.MEMORY_SPACE | Command.IO_SPACE)) == 0) continue;
    for (let bar: u32 = 0; bar < <u32>Pci.BARS; bar++) {
      const size = barSize(slot, bar);
      if (size == 0) continue;
      const base = decodedBase(slot, bar);
      if (base == NOWHERE) continue;
      store<u64>(at, base);
      store<u32>(at, size, 8);
      store<u32>(at, slot | (bar << 8), 12);
      at += <usize>Host.ENTRY_SIZE;
      count++;
      if (!barIsIo(slot, bar) && (load<u32>(configAt(slot) + (<usize>bar << 2), Config.BAR0) & 0b100) != 0) bar++;
    }
  }
  // What is decoded no more goes, so that equal boards have equal state.
  const before = load<u32>(<usize>Dev.PCI_HOST, Host.COUNT);
  if (before > count) memory.fill(at, 0, <usize>(min(before, MAX_ENTRIES) - count) * <usize>Host.ENTRY_SIZE);
  store<u32>(<usize>Dev.PCI_HOST, count, Host.COUNT);
}

/** Where a BAR answers on the board, or NOWHERE: its space is off, or its ports lie past the window's end. */
function decodedBase(slot: u32, bar: u32): u64 {
  const base = barBase(slot, bar);
  if (!barIsIo(slot, bar)) return (command(slot) & <u32>Command.MEMORY_SPACE) != 0 ? base : NOWHERE;
  const isOn = (command(slot) & <u32>Command.IO_SPACE) != 0;
  return isOn && base < <u64>Map.PCIE_PIO_SIZE ? <u64>Map.PCIE_PIO + base : NOWHERE;
}

/** Finds the BAR at `pa`; on success foundSlot, foundBar and foundOffset say which. */
export function pciLookup(pa: u64): bool {
  const first = <usize>Dev.PCI_HOST + <usize>Host.ENTRIES;
  const end = first + <usize>load<u32>(<usize>Dev.PCI_HOST, Host.COUNT) * <usize>Host.ENTRY_SIZE;
  for (let at = first; at < end; at += <usize>Host.ENTRY_SIZE) {
    const offset = pa - load<u64>(at);
    if (offset < <u64>load<u32>(at, 8)) {
      const which = load<u32>(at, 12);
      foundSlot = which & 0xff;
      foundBar = which >> 8;
      foundOffset = <u32>offset;
      return true;
    }
  }
  return false;
}
