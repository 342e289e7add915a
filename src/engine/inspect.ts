// The second, small module (assembly/inspect): text about instructions. Everything here
// crosses the boundary through as-bind; none of it is called while a guest runs.
import { instantiateBound } from "./as-bind.ts";

export interface Inspect {
  /** Assembly text of the instruction word `insn` at the address `pcHigh:pcLow` (for branch targets). */
  disassemble(pcLow: number, pcHigh: number, insn: number): string;
  /** ABI names of the integer and floating-point register `n`, 0 to 31. */
  integerName(n: number): string;
  floatName(n: number): string;
  exceptionName(code: number): string;
  interruptName(code: number): string;
  /** Replaces the table of symbols: addresses in halves, ascending, one name each. Returns how many there are. */
  setSymbols(low: Uint32Array, high: Uint32Array, names: string[]): number;
  /** `name+0x12` of the last symbol at or below the address, or "". */
  symbolize(low: number, high: number): string;
  /** Name of a device (assembly/abi/device.ts, DeviceKind). */
  deviceName(kind: number): string;
  /** Name of a device's register; `pci` for the PCI form of a virtio device. Hexadecimal where there is none. */
  registerName(kind: number, offset: number, pci: number): string;
}

export function loadInspect(bytes: Uint8Array | ArrayBuffer): Promise<Inspect> {
  return instantiateBound<Inspect>(bytes);
}
