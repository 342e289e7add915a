// The second, small module (assembly/inspect): text about instructions. Everything here
// crosses the boundary through as-bind; none of it is called while a guest runs.
import { instantiateBound } from "./as-bind.ts";

export interface Inspect {
  /** Assembly text of the instruction word `insn` at the address `pcHigh:pcLow` (for branch targets). */
  disassemble(pcLow: number, pcHigh: number, insn: number): string;
}

export function loadInspect(bytes: Uint8Array | ArrayBuffer): Promise<Inspect> {
  return instantiateBound<Inspect>(bytes);
}
