// Accrued exception flags and rounding modes: RISC-V Unprivileged ISA, "F" extension,
// Floating-Point Control and Status Register. The five flags live in the running
// hart's FFLAGS word, already in the order of the fflags CSR; operations only ever
// set them. The dynamic mode and the check for reserved modes are the caller's.
import { HartAt } from "../abi/layout";

export const enum Flag {
  NX = 1,
  UF = 2,
  OF = 4,
  DZ = 8,
  NV = 16,
}

export const enum Rm {
  RNE = 0,
  RTZ = 1,
  RDN = 2,
  RUP = 3,
  RMM = 4,
}

export function raise(flags: u32): void {
  const at = <usize>HartAt.FFLAGS;
  store<u32>(at, load<u32>(at) | flags);
}

/** True once NX has accrued: from then on an inexact result changes no flag. */
// @ts-ignore: decorator
@inline
export function inexactAccrued(): bool {
  return (load<u32>(<usize>HartAt.FFLAGS) & <u32>Flag.NX) != 0;
}
