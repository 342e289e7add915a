// The timers that interrupt harts: each hart's mtimecmp (machine timer, MTIP) and its
// supervisor deadline (STIP), which is the Sstc extension's stimecmp and what SBI's
// set_timer arms alike. All compare with mtime, which is guest time plus an offset that
// machine-mode software may shift by writing mtime.
//
//   Dev.ACLINT + 0x000  mtime - ticks()
//              + 0x040  mtimecmp of hart h
//              + 0x080  supervisor deadline of hart h
//              + 0x0c0  u32 of hart h: 1 if its supervisor deadline drives STIP
//              + 0x100  u32 of hart h: msip (aclint.ts)
import { Dev } from "../../abi/device";
import { Layout, Machine } from "../../abi/layout";
import { ticks } from "../../clock";
import { Line, setLine } from "../../irq";

export const NEVER: u64 = ~0;

export const enum TimerAt {
  OFFSET = 0x000,
  MTIMECMP = 0x040,
  SUPERVISOR = 0x080,
  SUPERVISOR_ENABLED = 0x0c0,
  MSIP = 0x100,
  END = 0x140,
}

// @ts-ignore: decorator
@inline
function qword(at: TimerAt, hart: u32): usize {
  return <usize>Dev.ACLINT + <usize>at + (<usize>hart << 3);
}

// @ts-ignore: decorator
@inline
function enabledAt(hart: u32): usize {
  return <usize>Dev.ACLINT + <usize>TimerAt.SUPERVISOR_ENABLED + (<usize>hart << 2);
}

// @ts-ignore: decorator
@inline
export function hartCount(): u32 {
  return min(load<u32>(<usize>Machine.HART_COUNT), <u32>Layout.MAX_HARTS);
}

/** The machine's time register; the `time` CSR reads the same. */
export function mtime(): u64 {
  return ticks() + load<u64>(<usize>Dev.ACLINT, TimerAt.OFFSET);
}

export function setMtime(value: u64): void {
  store<u64>(<usize>Dev.ACLINT, value - ticks(), TimerAt.OFFSET);
  updateHartTimers();
}

export function machineTimer(hart: u32): u64 {
  return load<u64>(qword(TimerAt.MTIMECMP, hart));
}

export function setMachineTimer(hart: u32, deadline: u64): void {
  if (hart >= <u32>Layout.MAX_HARTS) return;
  store<u64>(qword(TimerAt.MTIMECMP, hart), deadline);
  setLine(hart, Line.MTIP, mtime() >= deadline);
}

/** stimecmp as last set. */
export function supervisorTimer(hart: u32): u64 {
  return hart < <u32>Layout.MAX_HARTS ? load<u64>(qword(TimerAt.SUPERVISOR, hart)) : NEVER;
}

/** Sets a hart's supervisor deadline in mtime; while not enabled, STIP stays low whatever the deadline. */
export function setSupervisorTimer(hart: u32, deadline: u64, enabled: bool): void {
  if (hart >= <u32>Layout.MAX_HARTS) return;
  store<u64>(qword(TimerAt.SUPERVISOR, hart), deadline);
  store<u32>(enabledAt(hart), enabled ? 1 : 0);
  setLine(hart, Line.STIP, enabled && mtime() >= deadline);
}

/** Sets MTIP and STIP of every hart from the time. */
export function updateHartTimers(): void {
  const time = mtime();
  const n = hartCount();
  for (let hart: u32 = 0; hart < n; hart++) {
    setLine(hart, Line.MTIP, time >= load<u64>(qword(TimerAt.MTIMECMP, hart)));
    setLine(hart, Line.STIP, load<u32>(enabledAt(hart)) != 0 && time >= load<u64>(qword(TimerAt.SUPERVISOR, hart)));
  }
}

/** Tick of the earliest hart timer that has not fired yet, ~0 if none: a line that is already high wakes nobody again. */
export function hartDeadline(): u64 {
  const offset = load<u64>(<usize>Dev.ACLINT, TimerAt.OFFSET);
  const n = hartCount();
  let earliest = NEVER;
  for (let hart: u32 = 0; hart < n; hart++) {
    const lines = load<u32>(<usize>Machine.LINES + (<usize>hart << 2));
    if ((lines & (1 << Line.MTIP)) == 0) earliest = min(earliest, toTicks(load<u64>(qword(TimerAt.MTIMECMP, hart)), offset));
    if ((lines & (1 << Line.STIP)) == 0 && load<u32>(enabledAt(hart)) != 0) {
      earliest = min(earliest, toTicks(load<u64>(qword(TimerAt.SUPERVISOR, hart)), offset));
    }
  }
  return earliest;
}

/** A deadline in mtime as one in ticks; ~0 stays never. */
function toTicks(deadline: u64, offset: u64): u64 {
  if (deadline == NEVER) return NEVER;
  // The offset is negative where the guest set mtime back.
  if (<i64>offset < 0) {
    const later = deadline - offset;
    return later < deadline ? NEVER : later;
  }
  return deadline > offset ? deadline - offset : 0;
}

/** All timers off: mtimecmp and the deadlines come up as never, mtime runs on from guest time. */
export function resetHartTimers(): void {
  memory.fill(<usize>Dev.ACLINT, 0, <usize>TimerAt.END);
  for (let hart: u32 = 0; hart < <u32>Layout.MAX_HARTS; hart++) {
    store<u64>(qword(TimerAt.MTIMECMP, hart), NEVER);
    store<u64>(qword(TimerAt.SUPERVISOR, hart), NEVER);
    setLine(hart, Line.MTIP, false);
    setLine(hart, Line.STIP, false);
  }
}
