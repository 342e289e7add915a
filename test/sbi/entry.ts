// SBI and the harts that it acts on, with what the tests look at.
import { supervisorTimer } from "../../assembly/devices/timer/hart-timers";
import { enterSupervisor, hartCounter, resetHart } from "../../assembly/hart/control";
import { hartOf } from "../../assembly/hart/state";
import { resetParked } from "../../assembly/hypercall/parked";
import { resetGrants } from "../../assembly/sbi/grants";
import { resetSbiState } from "../../assembly/sbi/state";

export { beginSlice, endSlice, setSliceLeft } from "../../assembly/hart/counters";
export { switchHart } from "../../assembly/hart/state";
export { beginPoll, isPollDue, mayServe, served } from "../../assembly/hypercall/devices";
export { isDue, isParked, unpark } from "../../assembly/hypercall/parked";
export { sbiConsoleInput, validateConsole } from "../../assembly/sbi/dbcn";
export { sbiCall } from "../../assembly/sbi/dispatch";
export { validateGrants } from "../../assembly/sbi/grants";
export { hypercallBuffer, hypercallDone } from "../../assembly/sbi/host-call";
export { staUpdate } from "../../assembly/sbi/sta";
export { validateSbiState } from "../../assembly/sbi/state";
export { hartCounter };

/** Power-on with hart 0 in S-mode. */
export function powerOn(): void {
  resetSbiState();
  resetGrants();
  resetParked();
  for (let h: u32 = 0; h < 8; h++) resetHart(h);
  enterSupervisor(0, 0x8020_0000, 0, 0);
}

export function softPending(h: u32): u64 {
  return hartOf(h).mipSoft;
}

export function waiting(h: u32): u32 {
  return hartOf(h).waiting;
}

export function deadline(h: u32): u64 {
  return supervisorTimer(h);
}
