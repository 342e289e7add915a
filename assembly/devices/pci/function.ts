// A PCI function's configuration space and what hangs off it: type-0 header, base
// address registers and capability list (PCI Local Bus 3.0, 6.1, 6.2, 6.7).
//
// A function is 1 KiB of plain data at Dev.PCI_FUNCTIONS + slot * 1 KiB:
//
//   +0x000  configuration space, 256 bytes, as the guest reads it
//   +0x100  write mask, one bit a bit: 1 where the guest may write
//   +0x200  PciFunction, our bookkeeping
//   +0x280  MSI-X table, 24 vectors of 16 bytes (msix.ts)
//
// A BAR's size needs no field of its own: it is the complement of its write mask, and
// that is also how the guest learns it (write ones, read back).
//
// Left out: expansion ROM, bridges, functions 1 to 7, extended configuration
// space. A function's driver-visible registers live in its device; the bus finds them
// through decode.ts.
import { Dev, DeviceKind } from "../../abi/device";

export const enum Pci {
  SLOTS = 32,
  BARS = 6,
  CONFIG_SIZE = 0x100,
  FUNCTION_SIZE = 0x400,
  WRITE_MASK = 0x100,
  BOOKKEEPING = 0x200,
  MSIX_TABLE = 0x280,
  MSIX_VECTORS = 24,
}

/** Registers of the type-0 header. */
export const enum Config {
  VENDOR_ID = 0x00,
  DEVICE_ID = 0x02,
  COMMAND = 0x04,
  STATUS = 0x06,
  REVISION_ID = 0x08,
  CLASS_CODE = 0x09,
  CACHE_LINE_SIZE = 0x0c,
  BAR0 = 0x10,
  SUBSYSTEM_VENDOR_ID = 0x2c,
  SUBSYSTEM_ID = 0x2e,
  CAPABILITIES = 0x34,
  INTERRUPT_LINE = 0x3c,
  INTERRUPT_PIN = 0x3d,
  FIRST_CAPABILITY = 0x40,
}

export const enum Command {
  IO_SPACE = 1 << 0,
  MEMORY_SPACE = 1 << 1,
  BUS_MASTER = 1 << 2,
  PARITY_ERROR_RESPONSE = 1 << 6,
  SERR_ENABLE = 1 << 8,
  INTERRUPT_DISABLE = 1 << 10,
}

export const enum Status {
  INTERRUPT = 1 << 3,
  CAPABILITIES = 1 << 4,
}

export const enum CapabilityId {
  POWER_MANAGEMENT = 0x01,
  VENDOR = 0x09,
  EXPRESS = 0x10,
  MSIX = 0x11,
}

/** Low bits of a memory BAR: bits 2:1 say 64-bit. Bit 0 says I/O. */
const BAR_64: u32 = 0b100;
const BAR_IO: u32 = 0b001;

@unmanaged
export class PciFunction {
  /** DeviceKind; NONE where the slot is empty. */
  kind: u32;
  /** Which of the devices of that kind. */
  instance: u32;
  /** What the device drives its pin to, before any gate. */
  intx: u32;
  /** Offset of the newest capability, 0 if none: the next one is linked behind it. */
  lastCapability: u32;
  /** First free byte of configuration space for the next capability. */
  capabilitiesEnd: u32;
  /** Offset of the MSI-X capability, 0 if none. */
  msix: u32;
  /** Offset of a capability whose last dword is a window into the BARs (config.ts), 0 if none. */
  window: u32;
  reserved: u32;
  /** MSI-X pending bits. */
  pending: u64;
}

// @ts-ignore: decorator
@inline
export function configAt(slot: u32): usize {
  return <usize>Dev.PCI_FUNCTIONS + <usize>slot * <usize>Pci.FUNCTION_SIZE;
}

// @ts-ignore: decorator
@inline
export function functionAt(slot: u32): PciFunction {
  return changetype<PciFunction>(configAt(slot) + <usize>Pci.BOOKKEEPING);
}

/** Puts a function into an empty slot; the caller then adds BARs and capabilities. `classCode` is 24 bits: class, subclass, interface. */
export function addFunction(
  slot: u32,
  kind: DeviceKind,
  instance: u32,
  vendor: u32,
  device: u32,
  classCode: u32,
  revision: u32,
  subsystemVendor: u32,
  subsystem: u32,
  interruptPin: u32,
): void {
  if (slot >= <u32>Pci.SLOTS || functionAt(slot).kind != <u32>DeviceKind.NONE) unreachable();
  const at = configAt(slot);
  memory.fill(at, 0, <usize>Pci.FUNCTION_SIZE);
  const f = functionAt(slot);
  f.kind = kind;
  f.instance = instance;
  f.capabilitiesEnd = <u32>Config.FIRST_CAPABILITY;
  store<u16>(at, <u16>vendor, Config.VENDOR_ID);
  store<u16>(at, <u16>device, Config.DEVICE_ID);
  store<u32>(at, (classCode << 8) | (revision & 0xff), Config.REVISION_ID);
  store<u16>(at, <u16>subsystemVendor, Config.SUBSYSTEM_VENDOR_ID);
  store<u16>(at, <u16>subsystem, Config.SUBSYSTEM_ID);
  store<u8>(at, <u8>interruptPin, Config.INTERRUPT_PIN);
  configWritable(
    slot,
    Config.COMMAND,
    Command.MEMORY_SPACE | Command.BUS_MASTER | Command.PARITY_ERROR_RESPONSE | Command.SERR_ENABLE | Command.INTERRUPT_DISABLE,
  );
  configWritable(slot, Config.CACHE_LINE_SIZE, 0xff);
  configWritable(slot, Config.INTERRUPT_LINE, 0xff);
}

/** Gives a function a memory BAR of `size` bytes, a power of two from 16; `is64` takes the next BAR too. */
export function addBar(slot: u32, index: u32, size: u32, is64: bool): void {
  if (size < 16 || (size & (size - 1)) != 0 || index + (is64 ? 1 : 0) >= <u32>Pci.BARS) unreachable();
  const at = configAt(slot) + <usize>Config.BAR0 + (<usize>index << 2);
  store<u32>(at, is64 ? BAR_64 : 0);
  store<u32>(at, ~(size - 1), Pci.WRITE_MASK);
  if (is64) store<u32>(at, 0xffff_ffff, Pci.WRITE_MASK + 4);
}

/** Gives a function an I/O BAR of `size` bytes, a power of two from 16 to 256. */
export function addIoBar(slot: u32, index: u32, size: u32): void {
  if (size < 16 || size > 256 || (size & (size - 1)) != 0 || index >= <u32>Pci.BARS) unreachable();
  const at = configAt(slot) + <usize>Config.BAR0 + (<usize>index << 2);
  store<u32>(at, BAR_IO);
  store<u32>(at, ~(size - 1), Pci.WRITE_MASK);
  configWritable(slot, Config.COMMAND, Command.IO_SPACE);
}

/** Appends a capability of `length` bytes, header included, and gives its offset; the body is zero and read-only until configSet/configWritable say otherwise. */
export function addCapability(slot: u32, id: CapabilityId, length: u32): u32 {
  const f = functionAt(slot);
  const at = configAt(slot);
  const offset = f.capabilitiesEnd;
  if (length < 2 || offset + length > <u32>Pci.CONFIG_SIZE) unreachable();
  store<u8>(at + offset, <u8>id);
  if (f.lastCapability == 0) store<u8>(at, <u8>offset, Config.CAPABILITIES);
  else store<u8>(at + f.lastCapability, <u8>offset, 1);
  store<u16>(at, load<u16>(at, Config.STATUS) | <u16>Status.CAPABILITIES, Config.STATUS);
  f.lastCapability = offset;
  f.capabilitiesEnd = (offset + length + 3) & ~3;
  return offset;
}

/** Power Management capability (PCI Bus Power Management 1.2) of `version`: D0 and D3hot, state is kept. */
export function addPowerManagement(slot: u32, version: u32): void {
  const offset = addCapability(slot, CapabilityId.POWER_MANAGEMENT, 8);
  configSet16(slot, offset + 2, version);
  configSet16(slot, offset + 4, 1 << 3); // No_Soft_Reset
  configWritable(slot, offset + 4, 3);
}

/**
 * PCI Express capability (Base 4.0, 7.5.3) of `version`, 0x14 bytes long in 1, 0x3c in 2: an endpoint that is integrated into the
 * root complex, so it has no link.
 */
export function addExpress(slot: u32, version: u32): u32 {
  const offset = addCapability(slot, CapabilityId.EXPRESS, version == 1 ? 0x14 : 0x3c);
  configSet16(slot, offset + 2, 0x90 | version);
  configSet32(slot, offset + 4, 1 << 15); // role-based error reporting
  return offset;
}

export function configSet8(slot: u32, offset: u32, value: u32): void {
  store<u8>(configAt(slot) + offset, <u8>value);
}

export function configSet16(slot: u32, offset: u32, value: u32): void {
  store<u16>(configAt(slot) + offset, <u16>value);
}

export function configSet32(slot: u32, offset: u32, value: u32): void {
  store<u32>(configAt(slot) + offset, value);
}

export function configGet32(slot: u32, offset: u32): u32 {
  return load<u32>(configAt(slot) + offset);
}

/** Lets the guest write the bits of `mask` in the dword at `offset`. */
export function configWritable(slot: u32, offset: u32, mask: u32): void {
  const at = configAt(slot) + <usize>Pci.WRITE_MASK + offset;
  store<u32>(at, load<u32>(at) | mask);
}

// @ts-ignore: decorator
@inline
export function command(slot: u32): u32 {
  return load<u16>(configAt(slot), Config.COMMAND);
}

/** True if the function may reach memory: without it a device must not do DMA. */
export function busMaster(slot: u32): bool {
  return (command(slot) & <u32>Command.BUS_MASTER) != 0;
}

/** True if the BAR is in I/O space; its base is then a port. */
export function barIsIo(slot: u32, index: u32): bool {
  return (load<u32>(configAt(slot) + <usize>Config.BAR0 + (<usize>index << 2)) & BAR_IO) != 0;
}

/** Where the guest put a BAR, flag bits removed; the size is 0 for a BAR that does not exist. */
export function barBase(slot: u32, index: u32): u64 {
  const at = configAt(slot) + <usize>Config.BAR0 + (<usize>index << 2);
  const low = load<u32>(at);
  let base = <u64>(low & ~0xf);
  if ((low & (BAR_64 | BAR_IO)) == BAR_64) base |= (<u64>load<u32>(at, 4)) << 32;
  return base;
}

export function barSize(slot: u32, index: u32): u32 {
  const at = configAt(slot) + <usize>Config.BAR0 + (<usize>index << 2);
  // The upper half of a 64-bit BAR has a mask of all ones, which gives 1: not a BAR.
  const size = ~load<u32>(at, Pci.WRITE_MASK) + 1;
  return size >= 16 ? size : 0;
}
