// Starting, stopping and signalling harts, for SBI and for the run loop.
import { Ext } from "../abi/ext";
import { HartAt, Layout, Machine } from "../abi/layout";
import { SbiError } from "../abi/sbi";
import { Pending, Status } from "./bits";
import { instructionsRetired, setCounter, setInhibit } from "./counters";
import { mseccfgMask } from "./seed";
import { currentHart, hart, hartCount, hartOf, HartRequest, hasExtension, imageOf, Mode, PMP_ADDRESSES, Run } from "./state";
import { flushAddress, flushAll, resetTlb, selectBanks } from "./tlb";

export { HartRequest } from "./state";

/** Bytes of an ecall; there is no compressed one. */
const ECALL_SIZE: u64 = 4;

/** Where hart `h`'s register block is, running or not. */
function blockOf(h: u32): usize {
  return h == currentHart() ? <usize>Layout.HART : imageOf(h);
}

function setRegister(h: u32, address: usize, value: u64): void {
  store<u64>(blockOf(h) + (address - <usize>Layout.HART), value);
}

/** The ecall at which hart `h` waits has been answered: it goes on behind it. */
export function answerCall(h: u32, error: i64, value: u64): void {
  setRegister(h, <usize>HartAt.X + 80, <u64>error);
  setRegister(h, <usize>HartAt.X + 88, value);
  setRegister(h, HartAt.PC, load<u64>(blockOf(h) + (<usize>HartAt.PC - <usize>Layout.HART)) + ECALL_SIZE);
  hartOf(h).retired++;
}

/** Register a`n` of hart `h`, running or not: where it is. */
export function argumentAt(h: u32, n: u32): usize {
  return blockOf(h) + (<usize>HartAt.X - <usize>Layout.HART) + ((<usize>(10 + n)) << 3);
}

/** Power-on state of hart `h`: stopped, in M-mode, interrupts off. */
export function resetHart(h: u32): void {
  memory.fill(blockOf(h), 0, <usize>Layout.HART_SIZE);
  const s = hartOf(h);
  s.hartId = h;
  s.mode = Mode.M;
  s.run = Run.STOPPED;
  s.reservation = ~(<u64>0);
  s.otherBankKey = 0xffff_ffff;
  s.stimecmp = ~(<u64>0);
  if (!hasExtension(Ext.S)) s.mstatus = Status.MPP;
  store<u32>(<usize>Machine.HART_REQUESTS + ((<usize>h) << 2), 0);
  resetTlb(h);
}

/** Enters hart `h` in M-mode at `pc` with a0 to a2, as a boot ROM would. */
export function enterMachine(h: u32, pc: u64, a0: u64, a1: u64, a2: u64): void {
  const s = hartOf(h);
  s.run = Run.STARTED;
  s.mode = Mode.M;
  setRegister(h, HartAt.PC, pc);
  setRegister(h, <usize>HartAt.X + 80, a0);
  setRegister(h, <usize>HartAt.X + 88, a1);
  setRegister(h, <usize>HartAt.X + 96, a2);
}

/** What firmware would leave behind for a kernel in S-mode: delegation, memory open, counters readable. */
export function enterSupervisor(h: u32, pc: u64, a0: u64, a1: u64): void {
  const s = hartOf(h);
  s.run = Run.STARTED;
  s.waiting = 0;
  s.mode = Mode.S;
  s.mstatus = 0;
  s.medeleg = 0xb1ff; // all but ecalls from S, which the hypervisor serves
  s.mideleg = Pending.S;
  s.mie = 0;
  s.satp = 0;
  s.mcounteren = 7;
  s.scounteren = 7;
  s.mseccfg = mseccfgMask(); // so that programs can read the seed: no firmware comes that would say so
  let env: u64 = 0;
  if (hasExtension(Ext.SSTC)) env |= (<u64>1) << 63;
  if (hasExtension(Ext.SVPBMT)) env |= (<u64>1) << 62;
  if (hasExtension(Ext.SVADU)) env |= (<u64>1) << 61;
  if (hasExtension(Ext.ZICBOM)) env |= (3 << 4) | (1 << 6);
  if (hasExtension(Ext.ZICBOZ)) env |= 1 << 7;
  s.menvcfg = env;
  setRegister(h, PMP_ADDRESSES, (<u64>1 << 54) - 1);
  s.pmpcfg0 = 0x1f; // NAPOT over everything, read, write, execute
  s.pmpActive = 1;
  setRegister(h, HartAt.PC, pc);
  setRegister(h, <usize>HartAt.X + 80, a0);
  setRegister(h, <usize>HartAt.X + 88, a1);
}

/** SBI hart_start: 0 or an SBI error. The hart begins at its next turn. */
export function hartStart(h: u32, pc: u64, opaque: u64): i32 {
  if (h >= hartCount()) return SbiError.INVALID_PARAM;
  if (hartOf(h).run != <u32>Run.STOPPED) return SbiError.ALREADY_AVAILABLE;
  resetKeepingCounters(h);
  enterSupervisor(h, pc, <u64>h, opaque);
  return SbiError.SUCCESS;
}

function resetKeepingCounters(h: u32): void {
  const retired = hartOf(h).retired;
  resetHart(h);
  hartOf(h).retired = retired;
}

/** The running hart stops until someone starts it. */
export function hartStop(h: u32): void {
  const s = hartOf(h);
  s.run = Run.STOPPED;
  s.waiting = 0;
}

export function hartStatus(h: u32): i32 {
  if (h >= hartCount()) return SbiError.INVALID_PARAM;
  const s = hartOf(h);
  return s.suspended && s.run == <u32>Run.STARTED ? <i32>Run.SUSPENDED : <i32>s.run;
}

/** The running hart waits for an interrupt; not retentive: it then enters S-mode anew at `pc`. */
export function hartSuspend(h: u32, retentive: bool, pc: u64, opaque: u64): void {
  const s = hartOf(h);
  s.waiting = 1;
  if (retentive) {
    s.suspended = 1;
    return;
  }
  const enabled = s.mie;
  enterSupervisor(h, pc, <u64>h, opaque);
  // What wakes a suspended hart is what it had enabled; it starts with interrupts off.
  s.mie = enabled;
  s.waiting = 1;
  s.suspended = 1;
  flushAll();
  selectBanks();
}

/** Asks hart `h` to order its instruction fetches or translations; done before it runs again. */
export function remoteFence(h: u32, kind: u32, start: u64, size: u64, asid: i64): void {
  if (h >= hartCount()) return;
  if (h == currentHart()) {
    if (kind == HartRequest.FENCE_VMA) fenceRange(start, size);
    return;
  }
  const at = <usize>Machine.HART_REQUESTS + ((<usize>h) << 2);
  atomic.or<u32>(at, kind);
}

function fenceRange(start: u64, size: u64): void {
  // Above 64 pages a full flush is cheaper; size 0 or ~0 means everything.
  if (size == 0 || size > 64 << 12) flushAll();
  else for (let done: u64 = 0; done < size + 4096; done += 4096) flushAddress(start + done);
  hart().redirected = 1;
}

// @ts-ignore: decorator
@inline
function requestsAt(): usize {
  return <usize>Machine.HART_REQUESTS + ((<usize>currentHart()) << 2);
}

/** Did other harts ask something of the running one? */
export function hasRequests(): bool {
  return load<u32>(requestsAt()) != 0;
}

/** Serves what other harts asked of the running one while it did not run. */
export function serveRequests(): void {
  const requests = atomic.xchg<u32>(requestsAt(), 0);
  if (requests & HartRequest.FENCE_VMA) flushAll();
}

/** Sets or clears a hart's supervisor software interrupt. */
export function setSoftInterrupt(h: u32, pending: bool): void {
  if (h >= hartCount()) return;
  const s = hartOf(h);
  s.mipSoft = pending ? s.mipSoft | Pending.SSI : s.mipSoft & ~Pending.SSI;
  store<u32>(<usize>Machine.ATTENTION, 1);
}

// --- SBI PMU: the hardware counters 0 (cycle) and 2 (instret) of the running hart ---

export function hartCounter(h: u32, counter: u32): u64 {
  return h == currentHart() ? instructionsRetired(counter) : 0;
}

export function setHartCounter(h: u32, counter: u32, value: u64): void {
  if (h == currentHart()) setCounter(counter, value);
}

export function inhibitHartCounter(h: u32, counter: u32, inhibit: bool): void {
  if (h != currentHart()) return;
  const mask = hart().mcountinhibit;
  setInhibit(inhibit ? mask | (1 << counter) : mask & ~(<u64>(1 << counter)));
}
