// RISC-V ACLINT (specification 1.0-rc4): a machine software interrupt device and a machine
// timer, laid out as SiFive's CLINT so that drivers of either find their registers.
//
//   0x0000  MSWI: msip of hart h at 4h, bit 0
//   0x4000  MTIMER: mtimecmp of hart h at 8h
//   0xbff8  mtime
//
// The timers are dwords or qwords to the guest. Left out: the supervisor software
// interrupt device (SSWI), which the `virt` board lacks too. The hypervisor's own view of
// time (updateTimers, nextDeadline, setSupervisorTimer, mtime) is exported here as well,
// for those who look for it by this name.
import { Dev } from "../../abi/device";
import { Layout } from "../../abi/layout";
import { Line, setLine } from "../../irq";
import { TimerAt, hartCount, machineTimer, mtime, resetHartTimers, setMachineTimer, setMtime } from "./hart-timers";

export { nextDeadline, updateTimers } from "./deadline";
export { mtime, NEVER, setSupervisorTimer, supervisorTimer } from "./hart-timers";

const enum Reg {
  MSIP = 0x0000,
  MTIMECMP = 0x4000,
  MTIME = 0xbff8,
}

// @ts-ignore: decorator
@inline
function msipAt(hart: u32): usize {
  return <usize>Dev.ACLINT + <usize>TimerAt.MSIP + (<usize>hart << 2);
}

export function aclintReset(): void {
  resetHartTimers();
  for (let hart: u32 = 0; hart < <u32>Layout.MAX_HARTS; hart++) setLine(hart, Line.MSIP, false);
}

export function aclintRead(offset: u32, size: u32): u64 {
  if (size < 4) return 0;
  if (offset >= <u32>Reg.MTIME) return offset < <u32>Reg.MTIME + 8 ? part(mtime(), offset, size) : 0;
  if (offset >= <u32>Reg.MTIMECMP) {
    const hart = (offset - <u32>Reg.MTIMECMP) >> 3;
    return hart < hartCount() ? part(machineTimer(hart), offset, size) : 0;
  }
  const hart = offset >> 2;
  return size == 4 && hart < hartCount() ? load<u32>(msipAt(hart)) : 0;
}

export function aclintWrite(offset: u32, size: u32, value: u64): void {
  if (size < 4) return;
  // Nothing lies behind mtime; its window ends at 0xc000.
  if (offset >= <u32>Reg.MTIME) {
    if (offset < <u32>Reg.MTIME + 8) setMtime(replaced(mtime(), offset, size, value));
    return;
  }
  if (offset >= <u32>Reg.MTIMECMP) {
    const hart = (offset - <u32>Reg.MTIMECMP) >> 3;
    if (hart < hartCount()) setMachineTimer(hart, replaced(machineTimer(hart), offset, size, value));
    return;
  }
  const hart = offset >> 2;
  if (size != 4 || hart >= hartCount()) return;
  store<u32>(msipAt(hart), <u32>value & 1);
  setLine(hart, Line.MSIP, (value & 1) != 0);
}

/** The dword of a 64-bit register that `offset` names, or all of it. */
function part(register: u64, offset: u32, size: u32): u64 {
  if (size == 8) return register;
  return (offset & 4) != 0 ? register >> 32 : register & 0xffff_ffff;
}

function replaced(register: u64, offset: u32, size: u32, value: u64): u64 {
  if (size == 8) return value;
  if ((offset & 4) != 0) return (register & 0xffff_ffff) | (value << 32);
  return (register & 0xffff_ffff_0000_0000) | (value & 0xffff_ffff);
}

export function aclintValidate(): bool {
  for (let hart: u32 = 0; hart < <u32>Layout.MAX_HARTS; hart++) {
    if (load<u32>(msipAt(hart)) > 1) return false;
  }
  return true;
}
