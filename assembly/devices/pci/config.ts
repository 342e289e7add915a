// Configuration accesses through ECAM (PCI Express Base 4.0, 7.2.2): the window's offset is
//
//   27      20 19    15 14  12 11       0
//   [  bus    |  slot  |  fn  | register ]
//
// Only bus 0, function 0 exist; everything else reads all ones, which is how a guest
// learns that nobody is there. Extended configuration space (registers from 0x100) does
// not exist for these functions and reads ones too.
import { DeviceKind } from "../../abi/device";
import { Config, Pci, barSize, configAt, functionAt } from "./function";
import { rebuildDecode } from "./decode";
import { updateIntx } from "./intx";
import { updateMsix } from "./msix";

/** Slot that an ECAM offset addresses, or Pci.SLOTS if nothing lives there. */
export function ecamSlot(offset: u32): u32 {
  if (offset >= 1 << 20 || ((offset >> 12) & 7) != 0) return Pci.SLOTS;
  const slot = offset >> 15;
  return functionAt(slot).kind == <u32>DeviceKind.NONE ? <u32>Pci.SLOTS : slot;
}

/** Reads `size` bytes at an aligned `register`. An 8-byte access is two dwords. */
export function configRead(slot: u32, register: u32, size: u32): u64 {
  if (slot >= <u32>Pci.SLOTS || register >= <u32>Pci.CONFIG_SIZE) return size == 8 ? ~0 : (<u64>1 << (size << 3)) - 1;
  const at = configAt(slot) + register;
  if (size == 1) return load<u8>(at);
  if (size == 2) return load<u16>(at);
  if (size == 4) return load<u32>(at);
  return load<u64>(at);
}

export function configWrite(slot: u32, register: u32, size: u32, value: u64): void {
  if (slot >= <u32>Pci.SLOTS || register >= <u32>Pci.CONFIG_SIZE) return;
  const at = configAt(slot) + register;
  if (size == 1) store<u8>(at, <u8>merge(load<u8>(at), load<u8>(at, Pci.WRITE_MASK), value));
  else if (size == 2) store<u16>(at, <u16>merge(load<u16>(at), load<u16>(at, Pci.WRITE_MASK), value));
  else if (size == 4) store<u32>(at, <u32>merge(load<u32>(at), load<u32>(at, Pci.WRITE_MASK), value));
  else store<u64>(at, merge(load<u64>(at), load<u64>(at, Pci.WRITE_MASK), value));
  if (register < <u32>Config.SUBSYSTEM_VENDOR_ID) rebuildDecode();
  updateIntx(slot);
  updateMsix(slot);
}

// @ts-ignore: decorator
@inline
function merge(before: u64, writable: u64, value: u64): u64 {
  return (before & ~writable) | (value & writable);
}

/**
 * Declares the capability at `capability` a window into the function's BARs: a driver sets bar
 * (byte at +4), offset (dword at +8) and length (dword at +12), then accesses the dword at +16.
 * This is virtio's configuration access capability (Virtio 1.2, 4.1.4.9).
 */
export function setConfigWindow(slot: u32, capability: u32): void {
  if (capability + 20 > <u32>Pci.CONFIG_SIZE) unreachable();
  functionAt(slot).window = capability;
}

/** Where a window's data register points now. */
export let windowBar: u32 = 0;
export let windowOffset: u32 = 0;
export let windowLength: u32 = 0;

/** True if `register` is the data register of the function's window and its setting is sound. */
export function configWindow(slot: u32, register: u32): bool {
  if (slot >= <u32>Pci.SLOTS) return false;
  const window = functionAt(slot).window;
  if (window == 0 || register - (window + 16) >= 4) return false;
  const at = configAt(slot) + window;
  windowBar = load<u8>(at, 4);
  windowOffset = load<u32>(at, 8);
  windowLength = load<u32>(at, 12);
  if (windowLength != 1 && windowLength != 2 && windowLength != 4) return false;
  if (windowBar >= <u32>Pci.BARS || (windowOffset & (windowLength - 1)) != 0) return false;
  return <u64>windowOffset + windowLength <= barSize(slot, windowBar);
}
