// Chains that a device holds, because the host answers them later: up to HELD at once, then its
// queues wait. One table for every device that has some, in its own state:
//
//   privateAt(d) + 0x040  Held, HELD entries of 16 bytes
//                + 0x240  number of entries in use
//
// The host calls a request by its tag (device.ts, hostTag). What a reset gives up is answered
// under another epoch, and goes nowhere. A queue that stops alone leaves its entries behind until
// the host has answered, so that no later request takes that answer for its own.
import { DeviceKind } from "../../abi/device";
import { Gpa } from "../../abi/layout";
import { dmaWrite, inRam } from "../../memory/ram";
import {
  VIRTIO_DEVICES, VirtioDevice, deviceAt, deviceIs, hostTag, interruptForQueue, needsReset, nextEpoch, privateAt, queueAt, queueLive,
} from "./device";
import { headSound, pushUsed } from "./queue";

/** Most chains that a device holds. */
export const HELD: u32 = 32;

export const enum HeldState {
  FREE = 0,
  WAITING = 1,
  /** The driver took its queue back: the host's answer is still to come, and goes nowhere. */
  ABANDONED = 2,
}

/** A chain that waits for the host. */
@unmanaged
export class Held {
  /** Where the answer goes, as an offset in RAM, and the room there. */
  answerAt: u32;
  room: u32;
  head: u32;
  /** The queue it came from. */
  queue: u8;
  state: u8;
  /** What the device has to know of it. */
  note: u16;
}

const enum At {
  HELD = 0x40,
  COUNT = 0x240,
}

// @ts-ignore: decorator
@inline
export function heldAt(d: VirtioDevice, entry: u32): Held {
  return changetype<Held>(privateAt(d) + <usize>At.HELD + <usize>entry * offsetof<Held>());
}

/** Chains that the device holds. */
// @ts-ignore: decorator
@inline
export function heldCount(d: VirtioDevice): u32 {
  return load<u32>(privateAt(d), At.COUNT);
}

function setCount(d: VirtioDevice, count: u32): void {
  store<u32>(privateAt(d), count, At.COUNT);
}

/** May it hold another? */
export function canHold(d: VirtioDevice): bool {
  return heldCount(d) < HELD;
}

/** An entry that is free; only after canHold(). */
export function freeEntry(d: VirtioDevice): u32 {
  let entry: u32 = 0;
  while (heldAt(d, entry).state != <u8>HeldState.FREE) entry++;
  return entry;
}

/** Holds chain `head` of `queue` in a free entry. Its answer goes to `room` bytes at `address`, which are in RAM. */
export function hold(d: VirtioDevice, entry: u32, queue: u32, head: u32, address: u64, room: u32, note: u32): void {
  const h = heldAt(d, entry);
  h.answerAt = <u32>(address - <u64>(<u32>Gpa.RAM));
  h.room = room;
  h.head = head;
  h.queue = <u8>queue;
  h.state = <u8>HeldState.WAITING;
  h.note = <u16>note;
  setCount(d, heldCount(d) + 1);
}

/** The chain is held no longer. */
export function release(d: VirtioDevice, entry: u32): void {
  memory.fill(changetype<usize>(heldAt(d, entry)), 0, offsetof<Held>());
  setCount(d, heldCount(d) - 1);
}

/** Gives up every held chain: the host's answers for them will find another epoch. */
export function forgetHeld(d: VirtioDevice): void {
  if (heldCount(d) == 0) return;
  memory.fill(privateAt(d) + <usize>At.HELD, 0, <usize>HELD * offsetof<Held>());
  setCount(d, 0);
  nextEpoch(d);
}

/** Gives up what is held of one queue. */
export function abandonHeld(d: VirtioDevice, queue: u32): void {
  if (heldCount(d) == 0) return;
  for (let entry: u32 = 0; entry < HELD; entry++) {
    const h = heldAt(d, entry);
    if (h.state == <u8>HeldState.WAITING && <u32>h.queue == queue) h.state = <u8>HeldState.ABANDONED;
  }
}

/** The device of `kind` that holds what the host calls `tag`; null: nobody waits for it. The entry is entryOf(tag). */
export function holderOf(tag: u32, kind: DeviceKind): VirtioDevice | null {
  const index = (tag >> 8) & 0xff;
  const entry = entryOf(tag);
  if (index >= VIRTIO_DEVICES || !deviceIs(index, kind) || entry >= HELD) return null;
  const d = deviceAt(index);
  return tag == hostTag(d, entry) && heldAt(d, entry).state != <u8>HeldState.FREE ? d : null;
}

// @ts-ignore: decorator
@inline
export function entryOf(tag: u32): u32 {
  return tag & 0xff;
}

/**
 * The host has answered: `length` bytes at host address `from`, as many as there is room for at most, go where the
 * driver wants them, and the chain back with `used` bytes written. False if the driver waits for it no longer.
 */
export function giveBack(d: VirtioDevice, entry: u32, from: usize, length: u32, used: u32): bool {
  const h = heldAt(d, entry);
  const waits = h.state == <u8>HeldState.WAITING;
  const queue: u32 = h.queue;
  const head = h.head;
  const address = <u64>(<u32>Gpa.RAM) + h.answerAt;
  release(d, entry);
  if (!waits || !queueLive(d, queue)) return false;
  if (length != 0) {
    const to = dmaWrite(address, length);
    if (to == 0) {
      needsReset(d);
      return true;
    }
    memory.copy(to, from, length);
  }
  const q = queueAt(d, queue);
  if (!pushUsed(q, head, used)) needsReset(d);
  else interruptForQueue(d, q);
  return true;
}

/** After a restore: everything that is held can be. */
export function heldSound(d: VirtioDevice, queues: u32): bool {
  let count: u32 = 0;
  for (let entry: u32 = 0; entry < HELD; entry++) {
    const h = heldAt(d, entry);
    if (h.state == <u8>HeldState.FREE) continue;
    count++;
    if (h.state > <u8>HeldState.ABANDONED || <u32>h.queue >= queues) return false;
    if (h.state == <u8>HeldState.ABANDONED) continue;
    if (!headSound(queueAt(d, h.queue), h.head)) return false;
    if (h.room != 0 && !inRam(<u64>(<u32>Gpa.RAM) + h.answerAt, h.room)) return false;
  }
  return count == heldCount(d);
}
