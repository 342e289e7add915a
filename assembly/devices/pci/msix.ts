// MSI-X capability, table and pending bits (PCI Local Bus 3.0, 6.8.2), and the messages
// themselves. A vector that is masked, or whose function is, leaves its pending bit, which
// becomes a message when the mask goes. A function that may not master the bus cannot write,
// so its messages are lost. With a PLIC the board has no MSI controller: Linux finds no MSI
// domain and takes INTx; a driver that enables MSI-X all the same silences INTx, and its
// messages go where it sent them (irqchip/message.ts).
import { sendMessage } from "../irqchip/message";
import {
  CapabilityId, Pci, PciFunction, addCapability, busMaster, configAt, configSet16, configSet32, configWritable, functionAt,
} from "./function";

const enum Control {
  OFFSET = 2,
  FUNCTION_MASK = 1 << 14,
  ENABLE = 1 << 15,
}

const enum Capability {
  TABLE = 4,
  PBA = 8,
  LENGTH = 12,
}

const VECTOR_MASKED: u32 = 1;

/** `vectors` is at most Pci.MSIX_VECTORS; table and pending bits lie in `bar` at offsets that are multiples of 8. */
export function addMsix(slot: u32, bar: u32, table: u32, pba: u32, vectors: u32): u32 {
  if (vectors == 0 || vectors > <u32>Pci.MSIX_VECTORS || ((table | pba) & 7) != 0) unreachable();
  const offset = addCapability(slot, CapabilityId.MSIX, Capability.LENGTH);
  configSet16(slot, offset + Control.OFFSET, vectors - 1);
  configSet32(slot, offset + Capability.TABLE, table | bar);
  configSet32(slot, offset + Capability.PBA, pba | bar);
  configWritable(slot, offset, <u32>(Control.FUNCTION_MASK | Control.ENABLE) << 16);
  functionAt(slot).msix = offset;
  resetMsix(slot);
  return offset;
}

/** Every vector comes up masked. */
export function resetMsix(slot: u32): void {
  const table = configAt(slot) + <usize>Pci.MSIX_TABLE;
  memory.fill(table, 0, <usize>Pci.MSIX_VECTORS << 4);
  for (let v: usize = 0; v < <usize>Pci.MSIX_VECTORS; v++) store<u32>(table + (v << 4), VECTOR_MASKED, 12);
  functionAt(slot).pending = 0;
}

// @ts-ignore: decorator
@inline
function control(slot: u32): u32 {
  return load<u16>(configAt(slot) + functionAt(slot).msix, Control.OFFSET);
}

export function msixEnabled(slot: u32): bool {
  return functionAt(slot).msix != 0 && (control(slot) & <u32>Control.ENABLE) != 0;
}

function vectors(slot: u32): u32 {
  return (control(slot) & 0x7ff) + 1;
}

/** Something for which `vector` exists has happened: a message, or a pending bit. Only while MSI-X is enabled. */
export function raiseMsix(slot: u32, vector: u32): void {
  if (!msixEnabled(slot) || vector >= vectors(slot)) return;
  if (masked(slot, vector)) functionAt(slot).pending |= (<u64>1) << <u64>vector;
  else send(slot, vector);
}

/** What `mask`'s vectors (bit v is vector v) had to tell is over: what of it is still pending is no more. */
export function clearMsix(slot: u32, mask: u64): void {
  functionAt(slot).pending &= ~mask;
}

function masked(slot: u32, vector: u32): bool {
  const entry = configAt(slot) + <usize>Pci.MSIX_TABLE + (<usize>vector << 4);
  return (control(slot) & <u32>Control.FUNCTION_MASK) != 0 || (load<u32>(entry, 12) & VECTOR_MASKED) != 0;
}

function send(slot: u32, vector: u32): void {
  if (!busMaster(slot)) return;
  const entry = configAt(slot) + <usize>Pci.MSIX_TABLE + (<usize>vector << 4);
  sendMessage(<u64>load<u32>(entry) | (<u64>load<u32>(entry, 4) << 32), load<u32>(entry, 8));
}

/** Sends what waited for a mask to go: after any write to the table or to the function's configuration. */
export function updateMsix(slot: u32): void {
  const f = functionAt(slot);
  if (f.pending == 0 || !msixEnabled(slot)) return;
  for (let left = f.pending; left != 0; left &= left - 1) {
    const vector = <u32>ctz(left);
    if (masked(slot, vector)) continue;
    f.pending &= ~((<u64>1) << <u64>vector);
    send(slot, vector);
  }
}

/** After a restore: no bit is pending of a vector that does not exist. */
export function msixSound(slot: u32): bool {
  const f = functionAt(slot);
  return f.msix == 0 ? f.pending == 0 : f.pending >> <u64>vectors(slot) == 0;
}

/** Address of the register behind `offset` of `bar` if it belongs to the MSI-X table or pending bits, else 0. */
export function msixRegister(slot: u32, bar: u32, offset: u32): usize {
  const f = functionAt(slot);
  if (f.msix == 0) return 0;
  const at = configAt(slot);
  const table = load<u32>(at + f.msix, Capability.TABLE);
  const pba = load<u32>(at + f.msix, Capability.PBA);
  if ((table & 7) == bar) {
    const inTable = offset - (table & ~7);
    if (inTable < vectors(slot) << 4) return at + <usize>Pci.MSIX_TABLE + inTable;
  }
  if ((pba & 7) == bar) {
    const inPba = offset - (pba & ~7);
    if (inPba < 8) return changetype<usize>(f) + offsetof<PciFunction>("pending") + inPba;
  }
  return 0;
}

/** Aligned dwords and qwords only, as the specification asks of software; anything else reads 0. */
export function msixRead(register: usize, size: u32): u64 {
  if (size == 4) return load<u32>(register);
  if (size == 8) return load<u64>(register);
  return 0;
}

export function msixWrite(slot: u32, register: usize, size: u32, value: u64): void {
  const table = configAt(slot) + <usize>Pci.MSIX_TABLE;
  if (register < table) return; // pending bits are read-only
  if (size == 8) {
    writeTable(table, register, <u32>value);
    writeTable(table, register + 4, <u32>(value >> 32));
  } else if (size == 4) {
    writeTable(table, register, <u32>value);
  }
  updateMsix(slot);
}

/** Vector control keeps its mask bit alone, the message address is a dword's. */
function writeTable(table: usize, register: usize, value: u32): void {
  const field = (register - table) & 0xc;
  if (field == 12) value &= VECTOR_MASKED;
  else if (field == 0) value &= ~3;
  store<u32>(register, value);
}
