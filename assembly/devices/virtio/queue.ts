// A virtqueue as devices use it: take, give back, ask for and suppress notifications.
// Which form its ring has is settled with the features and known here alone.
import { Chain, QUEUE_MAX } from "./chain";
import {
  packedHasAvailable, packedHeadSound, packedNotification, packedSound, packedWantsInterrupt, placesSound, popPacked, pushPacked, startPacked,
} from "./packed";
import { popSplit, pushSplit, splitHasAvailable, splitNotification, splitSound, splitWantsInterrupt, startSplit } from "./split";
import { Pop, VirtQueue, isPacked } from "./virtqueue";

export { Pop, QueueFeature, VirtQueue, resetQueue } from "./virtqueue";

/** True if size, alignment and addresses are such that the ring can be used. */
export function queueSound(q: VirtQueue): bool {
  if (q.size == 0 || q.size > QUEUE_MAX) return false;
  return isPacked(q) ? packedSound(q) : splitSound(q);
}

/** After a restore: where the device is in the ring. */
export function progressSound(q: VirtQueue): bool {
  return !isPacked(q) || placesSound(q);
}

/** After a restore: can `head` be a chain of this queue that the device holds? */
export function headSound(q: VirtQueue, head: u32): bool {
  return isPacked(q) ? packedHeadSound(q, head) : head < q.size;
}

/** Puts a sound queue at its beginning and into use. */
export function startQueue(q: VirtQueue): void {
  if (isPacked(q)) startPacked(q);
  else startSplit(q);
  q.signalled = 0;
  q.usedFlags = 0;
  q.ready = 1;
}

/** Takes the next available chain. */
export function popChain(q: VirtQueue, c: Chain): Pop {
  return isPacked(q) ? popPacked(q, c) : popSplit(q, c);
}

/** True if the driver has made a chain available that was not taken yet. */
export function hasAvailable(q: VirtQueue): bool {
  return isPacked(q) ? packedHasAvailable(q) : splitHasAvailable(q);
}

/** Gives the chain that popChain() named `head` back, `written` bytes of it filled from the front. */
export function pushUsed(q: VirtQueue, head: u32, written: u32): bool {
  return isPacked(q) ? pushPacked(q, head, written) : pushSplit(q, head, written);
}

/** True if the driver wants an interrupt for what was pushed since the last call. */
export function wantsInterrupt(q: VirtQueue): bool {
  return isPacked(q) ? packedWantsInterrupt(q) : splitWantsInterrupt(q);
}

/**
 * Asks to be notified of the next chain. True if one has arrived meanwhile: the driver
 * may not have seen the wish, so take it now or its kick is lost.
 */
export function armNotification(q: VirtQueue): bool {
  if (isPacked(q)) packedNotification(q, true);
  else splitNotification(q, true);
  return hasAvailable(q);
}

/** Asks not to be notified: for queues of empty buffers, which are taken when there is input. */
export function silenceNotification(q: VirtQueue): void {
  if (isPacked(q)) packedNotification(q, false);
  else splitNotification(q, false);
}
