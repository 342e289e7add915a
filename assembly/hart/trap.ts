// Traps: exceptions, interrupts and the returns from them (Privileged Architecture
// 3.1.6 to 3.1.16 and 12.1).
import { Machine } from "../abi/layout";
import { Pending, Status } from "./bits";
import { currentHart, Hart, hart, hartOf, Mode, pc, setPc } from "./state";
import { selectBanks } from "./tlb";

/** Raises exception `cause` at the current pc: the pc becomes the handler's. */
export function raise(cause: u32, value: u64): void {
  const s = hart();
  s.trapped = 1;
  const delegated = s.mode != <u32>Mode.M && ((s.medeleg >> <u64>cause) & 1) != 0;
  enter(delegated, <u64>cause, value, false);
}

function enter(toSupervisor: bool, cause: u64, value: u64, interrupt: bool): void {
  const s = hart();
  const code = interrupt ? cause | (<u64>1 << 63) : cause;
  s.redirected = 1;
  s.reservation = ~(<u64>0);
  const vector = toSupervisor ? s.stvec : s.mtvec;
  if (pc() != (vector & ~(<u64>3))) {
    store<u64>(<usize>Machine.FAULT_PC, pc());
    store<u64>(<usize>Machine.FAULT_CAUSE, code);
    store<u64>(<usize>Machine.FAULT_VALUE, value);
  }
  if (toSupervisor) {
    s.sepc = pc();
    s.scause = code;
    s.stval = value;
    const pie = (s.mstatus & Status.SIE) != 0 ? Status.SPIE : 0;
    const spp = s.mode == <u32>Mode.S ? Status.SPP : 0;
    s.mstatus = (s.mstatus & ~(Status.SIE | Status.SPIE | Status.SPP)) | pie | spp;
    s.mode = Mode.S;
  } else {
    s.mepc = pc();
    s.mcause = code;
    s.mtval = value;
    const pie = (s.mstatus & Status.MIE) != 0 ? Status.MPIE : 0;
    s.mstatus = (s.mstatus & ~(Status.MIE | Status.MPIE | Status.MPP)) | pie | (<u64>s.mode << 11);
    s.mode = Mode.M;
  }
  setPc((vector & ~(<u64>3)) + (interrupt && (vector & 1) != 0 ? cause << 2 : 0));
  selectBanks();
}

/** mip as software reads it: device lines and the bits that software itself set. With mvien the software's SEIP is mvip's alone. */
export function interruptsPending(h: u32): u64 {
  const s = hartOf(h);
  return <u64>load<u32>(<usize>Machine.LINES + ((<usize>h) << 2)) | (s.mipSoft & ~(s.mvien & Pending.SEI));
}

/** Interrupts that M-mode keeps, but shows to S-mode as it likes (AIA 1.0, 5.3). */
// @ts-ignore: decorator
@inline
function virtual(s: Hart): u64 {
  return s.mvien & ~s.mideleg;
}

/** sip. */
export function supervisorPending(h: u32, s: Hart): u64 {
  const pending = interruptsPending(h) & s.mideleg;
  return s.mvien == 0 ? pending : pending | ((s.virtualSsi | (s.mipSoft & Pending.SEI)) & virtual(s));
}

/** sie. */
export function supervisorEnabled(s: Hart): u64 {
  return (s.mie & s.mideleg) | (s.virtualSie & virtual(s));
}

/** Pending and enabled for supervisor level: what stopi tells of. */
export function supervisorReady(h: u32, s: Hart): u64 {
  return supervisorPending(h, s) & supervisorEnabled(s);
}

/** Takes the most urgent enabled interrupt, if any. True if the pc moved. */
export function takeInterrupt(): bool {
  const s = hart();
  const ready = interruptsPending(currentHart()) & s.mie;
  if (ready == 0 && s.mvien == 0) return false;
  const machine = ready & ~s.mideleg;
  if (machine != 0 && (s.mode != <u32>Mode.M || (s.mstatus & Status.MIE) != 0)) {
    enter(false, mostUrgent(machine), 0, true);
    return true;
  }
  const supervisor = supervisorReady(currentHart(), s);
  if (supervisor != 0 && (s.mode == <u32>Mode.U || (s.mode == <u32>Mode.S && (s.mstatus & Status.SIE) != 0))) {
    enter(true, mostUrgent(supervisor), 0, true);
    return true;
  }
  return false;
}

/** Would an interrupt end WFI? Global enables do not matter (3.3.3; AIA 1.0, 5.5). */
export function wouldWake(h: u32): bool {
  const s = hartOf(h);
  return ((interruptsPending(h) & s.mie) | supervisorReady(h, s)) != 0;
}

/** Would the hart take an interrupt before its next instruction? */
export function wouldTake(h: u32): bool {
  const s = hartOf(h);
  const machine = interruptsPending(h) & s.mie & ~s.mideleg;
  if (machine != 0 && (s.mode != <u32>Mode.M || (s.mstatus & Status.MIE) != 0)) return true;
  if (s.mode == <u32>Mode.M || (s.mode == <u32>Mode.S && (s.mstatus & Status.SIE) == 0)) return false;
  return supervisorReady(h, s) != 0;
}

/** Priority order MEI, MSI, MTI, SEI, SSI, STI (3.1.9). */
export function mostUrgent(set: u64): u64 {
  if (set & Pending.MEI) return 11;
  if (set & Pending.MSI) return 3;
  if (set & Pending.MTI) return 7;
  if (set & Pending.SEI) return 9;
  if (set & Pending.SSI) return 1;
  return 5;
}

export function returnFromMachine(): void {
  const s = hart();
  const previous = <u32>(s.mstatus >> 11) & 3;
  const ie = (s.mstatus & Status.MPIE) != 0 ? Status.MIE : 0;
  s.mstatus = (s.mstatus & ~(Status.MIE | Status.MPP)) | Status.MPIE | ie;
  if (previous != <u32>Mode.M) s.mstatus &= ~Status.MPRV;
  s.mode = previous;
  resume(s.mepc);
}

export function returnFromSupervisor(): void {
  const s = hart();
  const previous: u32 = (s.mstatus & Status.SPP) != 0 ? Mode.S : Mode.U;
  const ie = (s.mstatus & Status.SPIE) != 0 ? Status.SIE : 0;
  s.mstatus = (s.mstatus & ~(Status.SIE | Status.SPP | Status.MPRV)) | Status.SPIE | ie;
  s.mode = previous;
  resume(s.sepc);
}

function resume(at: u64): void {
  hart().trapped = 2; // the pc is decided
  setPc(at);
  selectBanks();
}
