// When a disk's interrupt goes out. Requests are done at the kick, so a driver that submits one
// after another would be interrupted behind each; a real disk takes its time, and one interrupt
// then tells of several. So here an interrupt may wait: until a hart has nothing else to do (WFI),
// or MOST ticks have passed. Completions, and registers that show them, never wait.
//
// Waiting is of no use to a driver that submits one and waits for it: it would go to sleep first.
// Which it is shows by trying: a wait that covered one kick alone was in vain, and the next
// interrupts go at once, few of them after the first such wait, many after another. It
// starts so: a driver that is setting up waits for each of its requests.
//
//   Dev.DISK_INTERRUPTS + 0x00  Waiting: what the disks have in common
//                       + 0x10  Moderation of disk n, 16 bytes each
import { Dev } from "../../abi/device";
import { DeviceSlot } from "../../abi/hypercall";
import { ticks } from "../../clock";
import { NEVER } from "../timer/hart-timers";

/** Longest wait, in ticks: 500 us. */
const MOST: u64 = 5000;

/** What is known of a driver: how many interrupts go to it at once before one waits again. */
const enum Waits {
  IN_VAIN = 0,
  LAST_IN_VAIN = 1,
  OF_USE = 2,
}

// @ts-ignore: decorator
@inline
function atOnce(waits: u32): u32 {
  return waits == <u32>Waits.OF_USE ? 0 : waits == <u32>Waits.LAST_IN_VAIN ? 7 : 63;
}

@unmanaged
class Waiting {
  /** Tick at which the first of them has waited long enough. */
  until: u64;
  disks: u32;
}

@unmanaged
class Moderation {
  /** 1 while its interrupt waits. */
  waiting: u32;
  /** Kicks that the interrupt will tell of. */
  covers: u32;
  /** Waits: how the last ones ended. */
  waits: u32;
  /** Interrupts that went at once since the last wait. */
  sent: u32;
}

const DISKS: usize = 0x10;

// @ts-ignore: decorator
@inline
function waiting(): Waiting {
  return changetype<Waiting>(<usize>Dev.DISK_INTERRUPTS);
}

// @ts-ignore: decorator
@inline
function moderationOf(disk: u32): Moderation {
  return changetype<Moderation>(<usize>Dev.DISK_INTERRUPTS + DISKS + <usize>disk * offsetof<Moderation>());
}

/** At power-on: nothing waits, nothing is known. */
export function resetModeration(): void {
  memory.fill(<usize>Dev.DISK_INTERRUPTS, 0, DISKS + <usize>DeviceSlot.DISKS * offsetof<Moderation>());
}

/** A kick of the driver of `disk` completed something. May the interrupt wait? */
export function mayWait(disk: u32): bool {
  if (disk >= <u32>DeviceSlot.DISKS) return false;
  const m = moderationOf(disk);
  if (m.waiting != 0) {
    m.covers++;
    return true;
  }
  if (m.sent < atOnce(m.waits)) {
    m.sent++;
    return false;
  }
  m.waiting = 1;
  m.covers = 1;
  const w = waiting();
  if (w.disks++ == 0) w.until = ticks() + MOST;
  return true;
}

/** Does the interrupt of `disk` wait? */
export function isWaiting(disk: u32): bool {
  return disk < <u32>DeviceSlot.DISKS && moderationOf(disk).waiting != 0;
}

/** The interrupt of `disk` waits no longer: it goes out, or there is nothing left to tell. */
export function waited(disk: u32): void {
  if (disk >= <u32>DeviceSlot.DISKS) return;
  const m = moderationOf(disk);
  if (m.waiting == 0) return;
  m.waiting = 0;
  waiting().disks--;
  m.sent = 0;
  if (m.covers > 1) m.waits = Waits.OF_USE;
  else m.waits = m.waits == <u32>Waits.OF_USE ? Waits.LAST_IN_VAIN : Waits.IN_VAIN;
}

/** Does any disk's interrupt wait? */
// @ts-ignore: decorator
@inline
export function anyWaits(): bool {
  return waiting().disks != 0;
}

/** The tick by which those that wait must go out, ~0 if there are none. */
export function moderationDeadline(): u64 {
  return anyWaits() ? waiting().until : NEVER;
}

/** After a restore. */
export function moderationSound(): bool {
  let disks: u32 = 0;
  for (let disk: u32 = 0; disk < <u32>DeviceSlot.DISKS; disk++) {
    const m = moderationOf(disk);
    if (m.waiting > 1 || m.waits > <u32>Waits.OF_USE) return false;
    disks += m.waiting;
  }
  return disks == waiting().disks;
}
