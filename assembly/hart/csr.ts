// Control and status registers. A read or write that the hart may not make, or of a
// register that does not exist, answers false: the instruction is illegal.
import { Csr } from "../abi/csr";
import { Ext } from "../abi/ext";
import { HartAt, Machine } from "../abi/layout";
import { mtime, setSupervisorTimer } from "../devices/timer/hart-timers";
import { readMachineAia, readSupervisorAia, writeMachineAia, writeSupervisorAia } from "./aia";
import { EnvCfg, Pending, Status } from "./bits";
import { instructionsRetired, setCounter, setInhibit } from "./counters";
import { readPmpAddress, writePmpAddress, writePmpConfig } from "./pmp";
import { mseccfgMask } from "./seed";
import { currentHart, Hart, hart, hasExtension, Mode, PMP_COUNT } from "./state";
import { flushAll, flushNonGlobal, selectBanks } from "./tlb";
import { interruptsPending, supervisorEnabled, supervisorPending } from "./trap";

/** Result of the last readCsr. */
export let csrValue: u64 = 0;

/** Interrupts that may be delegated, and exceptions likewise (ECALL_M never). */
const EXCEPTIONS: u64 = 0xb3ff & ~((<u64>1) << 11);

function fpEnabled(): bool {
  return (hart().mstatus & Status.FS) != 0 && hasExtension(Ext.F);
}

/** Recomputes what the fast interpreter asks before floating point. */
export function updateFloatReady(): void {
  const s = hart();
  s.floatReady = u32((s.mstatus & Status.FS) == Status.FS && load<u32>(<usize>HartAt.FRM) <= 4);
}

export function setFloatDirty(): void {
  const s = hart();
  if ((s.mstatus & Status.FS) != Status.FS) {
    s.mstatus |= Status.FS;
    updateFloatReady();
  }
}

/** mstatus as software reads it: SD summarises FS. */
export function statusValue(s: Hart): u64 {
  let value = s.mstatus;
  if ((value & Status.FS) == Status.FS) value |= Status.SD;
  return value | fixedStatus();
}

/** What mstatus always shows: the only width of registers below M-mode. */
export function fixedStatus(): u64 {
  return hasExtension(Ext.S) ? Status.UXL | Status.SXL : Status.UXL;
}

/** A counter at `index` 0 to 31 read through its user-level name. */
function counterAllowed(index: u64): bool {
  const s = hart();
  if (s.mode == <u32>Mode.M) return true;
  if (!((s.mcounteren >> index) & 1)) return false;
  return s.mode == <u32>Mode.S || ((s.scounteren >> index) & 1) != 0;
}

function stimecmpAllowed(s: Hart): bool {
  if (!hasExtension(Ext.SSTC)) return false;
  return s.mode == <u32>Mode.M || ((s.mcounteren & 2) != 0 && (s.menvcfg & EnvCfg.STCE) != 0);
}

function misa(): u64 {
  const e = load<u64>(<usize>Machine.CPU_EXTENSIONS);
  let value: u64 = ((<u64>2) << 62) | (1 << 8);
  if ((e >> Ext.A) & 1) value |= 1 << 0;
  if ((e >> Ext.C) & 1) value |= 1 << 2;
  if ((e >> Ext.D) & 1) value |= 1 << 3;
  if ((e >> Ext.F) & 1) value |= 1 << 5;
  if ((e >> Ext.M) & 1) value |= 1 << 12;
  if ((e >> Ext.S) & 1) value |= 1 << 18;
  if ((e >> Ext.U) & 1) value |= 1 << 20;
  return value;
}

// @ts-ignore: decorator
@inline
export function found(value: u64): bool {
  csrValue = value;
  return true;
}

/** May the current mode touch this register at all, and write it if `write`? */
export function csrAccessible(n: u32, write: bool): bool {
  if (((n >> 8) & 3) > hart().mode) return false;
  return !write || n >> 10 != 3;
}

/** Reads CSR `n` into csrValue. */
export function readCsr(n: u32): bool {
  const s = hart();
  switch (n >> 8) {
    case 0x0: return readFloatCsr(n);
    case 0x1: return readSupervisorCsr(s, n);
    case 0x3: return readMachineCsr(s, n);
    case 0x7: return readOtherMachineCsr(s, n);
    case 0xb: return (n & 0xff) < 32 && n != 0xb01 ? readCounter(n & 31) : false;
    case 0xc: return readUserCounter(n);
    case 0xd: return hasExtension(Ext.S) && n == Csr.STOPI ? readSupervisorAia(s, n) : false;
    case 0xf:
      if (n == Csr.MTOPI) return readMachineAia(s, n);
      if (n - Csr.MVENDORID > 4) return false;
      return found(n == Csr.MHARTID ? <u64>s.hartId : 0);
  }
  return false;
}

function readFloatCsr(n: u32): bool {
  if (!fpEnabled()) return false;
  const flags = <u64>load<u32>(<usize>HartAt.FFLAGS);
  const rm = <u64>load<u32>(<usize>HartAt.FRM);
  switch (n) {
    case Csr.FFLAGS: return found(flags);
    case Csr.FRM: return found(rm);
    case Csr.FCSR: return found(flags | (rm << 5));
  }
  return false;
}

function readCounter(index: u32): bool {
  return found(index == 0 || index == 2 ? instructionsRetired(index) : 0);
}

function readUserCounter(n: u32): bool {
  const index = n & 31;
  if ((n & 0xff) > 31) return false;
  if (!hasExtension(index < 3 ? Ext.ZICNTR : Ext.ZIHPM) || !counterAllowed(index)) return false;
  return index == 1 ? found(mtime()) : readCounter(index);
}

function readSupervisorCsr(s: Hart, n: u32): bool {
  if (!hasExtension(Ext.S)) return false;
  switch (n) {
    case Csr.SSTATUS: return found(statusValue(s) & Status.SSTATUS);
    case Csr.SIE: return found(supervisorEnabled(s));
    case Csr.STVEC: return found(s.stvec);
    case Csr.SCOUNTEREN: return found(s.scounteren);
    case Csr.SENVCFG: return found(s.senvcfg);
    case Csr.SSCRATCH: return found(s.sscratch);
    case Csr.SEPC: return found(s.sepc);
    case Csr.SCAUSE: return found(s.scause);
    case Csr.STVAL: return found(s.stval);
    case Csr.SIP: return found(supervisorPending(currentHart(), s));
    case Csr.STIMECMP: return stimecmpAllowed(s) ? found(s.stimecmp) : false;
    case Csr.SATP: return trapsVirtualMemory(s) ? false : found(s.satp);
  }
  return readSupervisorAia(s, n);
}

function trapsVirtualMemory(s: Hart): bool {
  return s.mode == <u32>Mode.S && (s.mstatus & Status.TVM) != 0;
}

function readMachineCsr(s: Hart, n: u32): bool {
  switch (n) {
    case Csr.MSTATUS: return found(statusValue(s));
    case Csr.MISA: return found(misa());
    case Csr.MEDELEG: return hasExtension(Ext.S) ? found(s.medeleg) : false;
    case Csr.MIDELEG: return hasExtension(Ext.S) ? found(s.mideleg) : false;
    case Csr.MIE: return found(s.mie);
    case Csr.MTVEC: return found(s.mtvec);
    case Csr.MCOUNTEREN: return found(s.mcounteren);
    case Csr.MENVCFG: return found(s.menvcfg);
    case Csr.MCOUNTINHIBIT: return found(s.mcountinhibit);
    case Csr.MSCRATCH: return found(s.mscratch);
    case Csr.MEPC: return found(s.mepc);
    case Csr.MCAUSE: return found(s.mcause);
    case Csr.MTVAL: return found(s.mtval);
    case Csr.MIP: return found(interruptsPending(currentHart()));
    case Csr.PMPCFG0: return found(s.pmpcfg0);
    case Csr.PMPCFG0 + 2: return found(s.pmpcfg2);
  }
  if (n - Csr.MHPMEVENT3 < 29) return found(0);
  if (n - Csr.PMPADDR0 < 64) return found(n - Csr.PMPADDR0 < PMP_COUNT ? readPmpAddress(n - Csr.PMPADDR0) : 0);
  if (n - Csr.PMPCFG0 < 16 && (n & 1) == 0) return found(0);
  return readMachineAia(s, n);
}

function readOtherMachineCsr(s: Hart, n: u32): bool {
  if (n == Csr.MSECCFG) return found(s.mseccfg);
  // No debug triggers: tselect reads back nothing, which is how software finds that out.
  if (n - Csr.TSELECT < 4) return found(n == Csr.TSELECT ? 1 : 0);
  return false;
}

/** Writes CSR `n`; the register is known to be readable. */
export function writeCsr(n: u32, value: u64): bool {
  const s = hart();
  switch (n >> 8) {
    case 0x0: return writeFloatCsr(n, value);
    case 0x1: return writeSupervisorCsr(s, n, value);
    case 0x3: return writeMachineCsr(s, n, value);
    case 0xb:
      if (n == Csr.MCYCLE || n == Csr.MINSTRET) setCounter(n & 31, value);
      return true;
  }
  if (n == Csr.MSECCFG) s.mseccfg = value & mseccfgMask();
  return true;
}

function writeFloatCsr(n: u32, value: u64): bool {
  if (n != Csr.FRM) store<u32>(<usize>HartAt.FFLAGS, <u32>value & 31);
  if (n == Csr.FRM) store<u32>(<usize>HartAt.FRM, <u32>value & 7);
  if (n == Csr.FCSR) store<u32>(<usize>HartAt.FRM, (<u32>value >> 5) & 7);
  setFloatDirty();
  updateFloatReady();
  return true;
}

function writeSupervisorCsr(s: Hart, n: u32, value: u64): bool {
  switch (n) {
    case Csr.SSTATUS: writeStatus(s, Status.SSTATUS_WRITABLE, value); break;
    case Csr.SIE:
      s.mie = (s.mie & ~s.mideleg) | (value & s.mideleg & Pending.ALL);
      if (s.mvien != 0) s.virtualSie = (s.virtualSie & (s.mideleg | ~s.mvien)) | (value & s.mvien & ~s.mideleg);
      s.redirected = 1;
      break;
    case Csr.STVEC: s.stvec = legalVector(value, s.stvec); break;
    case Csr.SCOUNTEREN: s.scounteren = value & 0xffff_ffff; break;
    case Csr.SENVCFG: s.senvcfg = legalEnv(value, EnvCfg.FIOM | EnvCfg.CBIE | EnvCfg.CBCFE | EnvCfg.CBZE); break;
    case Csr.SSCRATCH: s.sscratch = value; break;
    case Csr.SEPC: s.sepc = value & pcMask(); break;
    case Csr.SCAUSE: s.scause = value; break;
    case Csr.STVAL: s.stval = value; break;
    case Csr.SIP: {
      const mask = s.mideleg & Pending.SSI;
      s.mipSoft = (s.mipSoft & ~mask) | (value & mask);
      if ((s.mvien & ~s.mideleg & Pending.SSI) != 0) s.virtualSsi = value & Pending.SSI;
      s.redirected = 1;
      break;
    }
    case Csr.STIMECMP: setStimecmp(s, value); break;
    case Csr.SATP: writeSatp(s, value); break;
    default: writeSupervisorAia(s, n, value);
  }
  return true;
}

function setStimecmp(s: Hart, value: u64): void {
  s.stimecmp = value;
  setSupervisorTimer(currentHart(), value, (s.menvcfg & EnvCfg.STCE) != 0);
  s.redirected = 1;
}

function writeSatp(s: Hart, value: u64): void {
  const mode = value >> 60;
  const known = mode == 0 || mode == 8 || (mode == 9 && hasExtension(Ext.SV48)) || (mode == 10 && hasExtension(Ext.SV57));
  if (!known || value == s.satp) return; // an unknown mode leaves satp as it was
  // Bare to paged or one table format to another changes what every entry means; a
  // different address space leaves global mappings alone.
  const formatChanged = value >> 60 != s.satp >> 60;
  s.satp = value;
  if (formatChanged) flushAll();
  else flushNonGlobal();
  s.redirected = 1;
}

function writeStatus(s: Hart, writable: u64, value: u64): void {
  let mask = writable;
  if (!hasExtension(Ext.F)) mask &= ~Status.FS;
  if (!hasExtension(Ext.S)) mask &= ~(Status.SUM | Status.MXR | Status.SPP | Status.SIE | Status.SPIE | Status.TVM | Status.TSR);
  if (!hasExtension(Ext.U)) mask &= ~(Status.MPRV | Status.TW);
  let next = (s.mstatus & ~mask) | (value & mask);
  // MPP is WARL: 2 is no mode, and S or U must exist.
  const mpp = (next >> 11) & 3;
  if (mpp == 2 || (mpp == 1 && !hasExtension(Ext.S)) || (mpp == 0 && !hasExtension(Ext.U))) next = (next & ~Status.MPP) | (s.mstatus & Status.MPP);
  s.mstatus = next;
  selectBanks();
  updateFloatReady();
  s.redirected = 1;
}

function writeMachineCsr(s: Hart, n: u32, value: u64): bool {
  switch (n) {
    case Csr.MSTATUS: writeStatus(s, Status.WRITABLE, value); return true;
    case Csr.MEDELEG: s.medeleg = value & EXCEPTIONS; return true;
    case Csr.MIDELEG: s.mideleg = value & Pending.S; s.redirected = 1; return true;
    case Csr.MIE: s.mie = value & (hasExtension(Ext.S) ? Pending.ALL : Pending.ALL & ~Pending.S); s.redirected = 1; return true;
    case Csr.MTVEC: s.mtvec = legalVector(value, s.mtvec); return true;
    case Csr.MCOUNTEREN: s.mcounteren = value & 0xffff_ffff; return true;
    case Csr.MENVCFG: writeMenvcfg(s, value); return true;
    case Csr.MCOUNTINHIBIT: setInhibit(value); return true;
    case Csr.MSCRATCH: s.mscratch = value; return true;
    case Csr.MEPC: s.mepc = value & pcMask(); return true;
    case Csr.MCAUSE: s.mcause = value; return true;
    case Csr.MTVAL: s.mtval = value; return true;
    case Csr.MIP: {
      const stce = (s.menvcfg & EnvCfg.STCE) != 0;
      const mask = hasExtension(Ext.S) ? Pending.SSI | (Pending.SEI & ~s.mvien) | (stce ? 0 : Pending.STI) : 0;
      s.mipSoft = (s.mipSoft & ~mask) | (value & mask);
      s.redirected = 1;
      return true;
    }
    case Csr.PMPCFG0: writePmpConfig(0, value); s.redirected = 1; return true;
    case Csr.PMPCFG0 + 2: writePmpConfig(2, value); s.redirected = 1; return true;
  }
  if (n - Csr.PMPADDR0 < PMP_COUNT) {
    writePmpAddress(n - Csr.PMPADDR0, value);
    s.redirected = 1;
  } else writeMachineAia(s, n, value);
  return true;
}

function writeMenvcfg(s: Hart, value: u64): void {
  let mask = EnvCfg.FIOM;
  if (hasExtension(Ext.ZICBOM)) mask |= EnvCfg.CBIE | EnvCfg.CBCFE;
  if (hasExtension(Ext.ZICBOZ)) mask |= EnvCfg.CBZE;
  if (hasExtension(Ext.SSTC)) mask |= EnvCfg.STCE;
  if (hasExtension(Ext.SVADU)) mask |= EnvCfg.ADUE;
  if (hasExtension(Ext.SVPBMT)) mask |= EnvCfg.PBMTE;
  s.menvcfg = legalEnv(value, mask);
  setSupervisorTimer(currentHart(), s.stimecmp, (s.menvcfg & EnvCfg.STCE) != 0);
  flushAll();
  s.redirected = 1;
}

/** CBIE 2 is reserved. */
function legalEnv(value: u64, mask: u64): u64 {
  return (value & EnvCfg.CBIE) == (<u64>2) << 4 ? value & mask & ~EnvCfg.CBIE : value & mask;
}

/** Vector modes are direct and vectored; a write of another keeps the old mode. */
function legalVector(value: u64, old: u64): u64 {
  return (value & 3) <= 1 ? value : (value & ~(<u64>3)) | (old & 3);
}

/** Bits of an address that mepc and sepc hold. */
export function pcMask(): u64 {
  return hasExtension(Ext.C) ? ~(<u64>1) : ~(<u64>3);
}
