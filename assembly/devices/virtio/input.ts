// Input queues, from the device's side: the driver leaves empty buffers, the device fills
// them when it has something.
import { Pop, VirtQueue, armNotification, popChain, pushUsed, silenceNotification } from "./queue";
import { VirtioDevice, chainAt, interruptForQueue, needsReset, queueAt, queueLive } from "./device";

/** Takes an empty buffer of `queue` for input. False if there is none, or the driver gave one that is no room at all. */
export function takeRoom(d: VirtioDevice, queue: u32, atLeast: u32): bool {
  if (!queueLive(d, queue)) return false;
  const c = chainAt(d);
  const pop = popChain(queueAt(d, queue), c);
  if (pop == Pop.CHAIN && c.writableBytes >= atLeast) return true;
  if (pop != Pop.EMPTY) needsReset(d);
  return false;
}

/** Gives the buffer that takeRoom() took back with `written` bytes of input. */
export function giveInput(d: VirtioDevice, queue: u32, written: u32): void {
  const q: VirtQueue = queueAt(d, queue);
  if (!pushUsed(q, chainAt(d).head, written)) needsReset(d);
}

/**
 * All input for now is given: interrupt if wanted. With `more` to give, ask to be notified of the next buffer, and
 * true says that one is there already; else keep notifications off.
 */
export function inputGiven(d: VirtioDevice, queue: u32, more: bool): bool {
  const q: VirtQueue = queueAt(d, queue);
  let arrived = false;
  if (more) arrived = armNotification(q);
  else silenceNotification(q);
  interruptForQueue(d, q);
  return arrived;
}
