// An instruction as the decoder gives it, and as the predecode cache holds it. The cache's
// entries are small: what a program runs of them should fit into the host's own caches.
import { HartAt } from "../abi/layout";

/** What decode() fills in: fields that an instruction does not have are left as they were. */
@unmanaged
export class Decoded {
  op: u16;
  /** Addresses of registers in the hart's block; a destination x0 is the sink. */
  rd: u16;
  rs1: u16;
  rs2: u16;
  imm: i32;
  rs3: u16;
  /** Bytes of its encoding: 2 or 4. */
  size: u8;
  /** Rounding mode field. */
  rm: u8;
}

// An entry: 8 bytes for every halfword of a code page. Registers are distances in the
// hart's block, which the operation knows the file of.
//
//    0  u16 op
//    2  u8  rd       from x1 (the sink comes after x31), or from f0
//    3  u8  rs1      from x0, or from f0
//    4  i32 imm      of an instruction without rs2; a near jal's is already scaled to entries
//
//    4  u8  rs2      or else
//    5  u8  rs3
//    6  i16 offset   immediate of stores and branches; a near branch's is scaled to entries
//    6  u8  rm       of floating point, which has no immediate beside it
@unmanaged
export class Entry {
  op: u16;
  rd: u8;
  rs1: u8;
  imm: i32;
}

export const RS2: usize = 4;
export const RS3: usize = 5;
export const OFFSET: usize = 6;
export const RM: usize = 6;

/** What a destination in an integer register counts from; where x0 is. */
export const X_RD: usize = HartAt.X + 8;
export const SINK_RD: u8 = <u8>(HartAt.X_SINK - HartAt.X - 8);

// @ts-ignore: decorator
@inline
function distance(register: u32, from: u32): u8 {
  return <u8>(register - (register >= <u32>HartAt.F ? <u32>HartAt.F : from));
}

/** Writes entry `e` for a decoded instruction, whose other fields are zero. */
export function pack(d: Decoded, e: Entry): void {
  const at = changetype<usize>(e);
  e.op = d.op;
  e.rd = distance(d.rd, <u32>X_RD);
  e.rs1 = distance(d.rs1, HartAt.X);
  if (d.rs2 == 0 && d.rm == 0) {
    e.imm = d.imm;
    return;
  }
  store<u8>(at, distance(d.rs2, HartAt.X), RS2);
  store<u8>(at, distance(d.rs3, HartAt.X), RS3);
  store<i16>(at, <i16>(d.imm | <i32>d.rm), OFFSET); // no instruction has both
}
