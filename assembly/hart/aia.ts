// CSRs of the Advanced Interrupt Architecture 1.0 (Smaia and Ssaia, chapters 2, 3.8 to 3.9 and
// 5) on RV64 without the hypervisor extension: the window to the IMSIC's registers, the top
// external and the top major interrupt, and machine level's filter on supervisor interrupts.
//
// The iprio arrays are read-only zeros, so major interrupts keep their default order and
// IPRIO of mtopi and stopi is always 1. Of mvien the bits for supervisor software and external
// interrupts can be set; there are no interrupts from 13 up, and their bits are read-only zeros.
import { Csr } from "../abi/csr";
import { Ext } from "../abi/ext";
import { hasAia } from "../devices/irqchip/aia";
import { imsicClaim, imsicRead, imsicRegisterExists, ImsicRegister, imsicRegisterWrite, imsicTop, Level } from "../devices/irqchip/imsic";
import { EnvCfg, Pending } from "./bits";
import { found } from "./csr";
import { currentHart, Hart, hasExtension, Mode } from "./state";
import { interruptsPending, mostUrgent, supervisorReady } from "./trap";

/** What `miselect` and `siselect` hold: the nine bits that are recommended. */
const SELECT: u64 = 0x1ff;
const IPRIO: u64 = 0x30;
const IPRIO_END: u64 = 0x40;
const VIRTUAL: u64 = Pending.SSI | Pending.SEI;

export function readSupervisorAia(s: Hart, n: u32): bool {
  if (!hasExtension(Ext.SSAIA)) return false;
  switch (n) {
    case Csr.SISELECT: return found(s.siselect);
    case Csr.SIREG: return readSelected(s, Level.SUPERVISOR, s.siselect);
    case Csr.STOPEI: return !hasAia() || filtersExternal(s) ? false : found(topExternal(Level.SUPERVISOR));
    case Csr.STOPI: return found(topMajor(supervisorReady(currentHart(), s)));
  }
  return false;
}

export function readMachineAia(s: Hart, n: u32): bool {
  if (!hasExtension(Ext.SMAIA)) return false;
  switch (n) {
    case Csr.MISELECT: return found(s.miselect);
    case Csr.MIREG: return readSelected(s, Level.MACHINE, s.miselect);
    case Csr.MTOPEI: return hasAia() ? found(topExternal(Level.MACHINE)) : false;
    case Csr.MTOPI: return found(topMajor(interruptsPending(currentHart()) & s.mie & ~s.mideleg));
    case Csr.MVIEN: return hasExtension(Ext.S) ? found(s.mvien) : false;
    case Csr.MVIP: return hasExtension(Ext.S) ? found(virtualPending(s)) : false;
  }
  return false;
}

/** Writes of registers that are known to be readable. */
export function writeSupervisorAia(s: Hart, n: u32, value: u64): void {
  switch (n) {
    case Csr.SISELECT: s.siselect = value & SELECT; break;
    case Csr.SIREG: writeSelected(Level.SUPERVISOR, s.siselect, value); break;
    case Csr.STOPEI: imsicClaim(currentHart(), Level.SUPERVISOR, imsicTop(currentHart(), Level.SUPERVISOR)); break;
  }
  s.redirected = 1;
}

export function writeMachineAia(s: Hart, n: u32, value: u64): void {
  switch (n) {
    case Csr.MISELECT: s.miselect = value & SELECT; break;
    case Csr.MIREG: writeSelected(Level.MACHINE, s.miselect, value); break;
    case Csr.MTOPEI: imsicClaim(currentHart(), Level.MACHINE, imsicTop(currentHart(), Level.MACHINE)); break;
    case Csr.MVIEN: s.mvien = value & VIRTUAL; break;
    case Csr.MVIP: writeVirtualPending(s, value); break;
  }
  s.redirected = 1;
}

/** Does machine level keep the supervisor's interrupt file from S-mode (5.3)? */
function filtersExternal(s: Hart): bool {
  return s.mode == <u32>Mode.S && (s.mvien & Pending.SEI) != 0;
}

function readSelected(s: Hart, level: Level, select: u64): bool {
  // On RV64 the odd ones of iprio do not exist.
  if (select >= IPRIO && select < IPRIO_END) return (select & 1) == 0 ? found(0) : false;
  if (select < <u64>ImsicRegister.EIDELIVERY || select >= <u64>ImsicRegister.END || !hasAia()) return false;
  if (level == Level.SUPERVISOR && filtersExternal(s)) return false;
  if (!imsicRegisterExists(<u32>select)) return false;
  return found(imsicRead(currentHart(), level, <u32>select));
}

function writeSelected(level: Level, select: u64, value: u64): void {
  if (select >= <u64>ImsicRegister.EIDELIVERY) imsicRegisterWrite(currentHart(), level, <u32>select, value);
}

/** mtopei and stopei: the identity, and its priority, which is the same. */
function topExternal(level: Level): u64 {
  const identity = <u64>imsicTop(currentHart(), level);
  return (identity << 16) | identity;
}

/** mtopi and stopi: the number of the most urgent major interrupt of a set. */
function topMajor(ready: u64): u64 {
  return ready == 0 ? 0 : (mostUrgent(ready) << 16) | 1;
}

/** mvip: bits that mvien does not set apart are those of mip that software writes. */
function virtualPending(s: Hart): u64 {
  const software = (s.mvien & Pending.SSI) != 0 ? s.virtualSsi : s.mipSoft & Pending.SSI;
  const timer = (s.menvcfg & EnvCfg.STCE) != 0 ? 0 : s.mipSoft & Pending.STI;
  return software | timer | (s.mipSoft & Pending.SEI);
}

function writeVirtualPending(s: Hart, value: u64): void {
  let mask = Pending.SEI;
  if ((s.menvcfg & EnvCfg.STCE) == 0) mask |= Pending.STI;
  if ((s.mvien & Pending.SSI) != 0) s.virtualSsi = value & Pending.SSI;
  else mask |= Pending.SSI;
  s.mipSoft = (s.mipSoft & ~mask) | (value & mask);
}
