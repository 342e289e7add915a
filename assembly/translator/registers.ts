// Integer registers as locals. x0 reads as zero, and writes to it go nowhere.
import { HartAt } from "../abi/layout";
import { registerBit } from "./insn";
import { localFor } from "./locals";
import { Wasm } from "./wasm";
import { byte, get, i64Const, set } from "./writer";

/** Number of the integer register at `address` in the hart's block. */
// @ts-ignore: decorator
@inline
export function registerNumber(address: u32): u32 {
  return (address - <u32>HartAt.X) >> 3;
}

export function pushRegister(address: u32): void {
  if (address == <u32>HartAt.X) i64Const(0);
  else get(localFor(registerNumber(address)));
}

/** Sets it to the value on the stack, of which so much is known. */
export function setRegister(address: u32, known: Known = Known.NOTHING): void {
  if (address == <u32>HartAt.X_SINK) {
    byte(Wasm.DROP);
    return;
  }
  set(localFor(registerNumber(address)));
  const bit = registerBit(address);
  narrow = known != Known.NOTHING ? narrow | bit : narrow & ~bit;
  extended = known == Known.EXTENDED ? extended | bit : extended & ~bit;
}

// --- what is known of their values ---

/** A value is sign-extended from 32 bits; an instruction made it so, which costs an operation of the host's wherever all of it is looked at. */
export const enum Known { NOTHING = 0, NARROW = 1, EXTENDED = 3 }

/** Registers that the block under way left sign-extended, and those of them by extending. */
let narrow: u64 = 0;
let extended: u64 = 0;

/** A block begins: its registers may come from anywhere. */
export function forgetKnown(): void {
  narrow = 0;
  extended = 0;
}

export function knownOf(address: u32): Known {
  if (address == <u32>HartAt.X) return Known.NARROW;
  const bit = registerBit(address);
  if ((extended & bit) != 0) return Known.EXTENDED;
  return (narrow & bit) != 0 ? Known.NARROW : Known.NOTHING;
}
