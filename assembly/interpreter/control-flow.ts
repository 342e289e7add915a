// Jumps, links and floating-point preconditions of the slow path.
import { SCALE } from "../memory/code-map";
import { Cause } from "../abi/csr";
import { Ext } from "../abi/ext";
import { HartAt } from "../abi/layout";
import { Status } from "../hart/bits";
import { setFloatDirty } from "../hart/csr";
import { hart, hasExtension, pc } from "../hart/state";
import { raise } from "../hart/trap";
import { Entry, RM, X_RD } from "../isa/entry";
import { LONE_ENTRY, wordOf } from "../code/predecode";

/** Where the next instruction is, unless a trap decides otherwise. */
export let nextPc: u64 = 0;

export function setNextPc(value: u64): void {
  nextPc = value;
}

export function illegal(p: usize): void {
  raise(Cause.ILLEGAL_INSTRUCTION, <u64>wordOf(p));
}

// Without C, a jump to an address that is not a multiple of 4 traps at the jump (2.5).
export function jump(target: u64): void {
  if ((target & 2) != 0 && !hasExtension(Ext.C)) raise(Cause.FETCH_MISALIGNED, target);
  else nextPc = target;
}

/** Target of a near branch or jal, whose distance is scaled to entries; a straddling one is never scaled. */
export function near(p: usize, distance: i64): u64 {
  return pc() + <u64>(p == LONE_ENTRY ? distance : distance >> SCALE);
}

/** Of one with a target on another page. */
export function far(distance: i64): u64 {
  return pc() + <u64>distance;
}

export function link(p: usize): void {
  store<u64>(<usize>changetype<Entry>(p).rd, nextPc, X_RD);
}

export function jumpRegister(p: usize): void {
  const e = changetype<Entry>(p);
  const target = (load<u64>(<usize>e.rs1, HartAt.X) + <u64>(<i64>e.imm)) & ~(<u64>1);
  const after = nextPc;
  jump(target);
  if (!hart().trapped) store<u64>(<usize>e.rd, after, X_RD);
}

/** mstatus.FS is on; whatever follows leaves the state dirty. */
export function floatAllowed(): bool {
  if (!(hart().mstatus & Status.FS)) return false;
  setFloatDirty();
  return true;
}

/** Rounding modes 5 and 6 are reserved, 7 means frm. */
export function roundingValid(p: usize): bool {
  const rm = <u32>load<u8>(p, RM);
  return (rm == 7 ? load<u32>(<usize>HartAt.FRM) : rm) <= 4;
}
