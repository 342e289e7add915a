// Serving notified queues. A kick is served to the end before the driver's next
// instruction, then one interrupt is due, if the driver wants it. So that a driver cannot
// hold the host, a kick takes at most as many chains as the queue has entries and moves a
// bounded number of bytes; what is left is flagged and goes on at the next kick or in
// virtioPoll(), which the run loop calls between slices; so is an interrupt that may wait.
import { Pop, armNotification, hasAvailable, popChain, pushUsed, silenceNotification } from "./queue";
import { VIRTIO_DEVICES, VirtioDevice, chainAt, deviceAt, interruptForQueue, needsReset, queueAt, queueLive, running } from "./device";
import { canServe, countHeld, countServed, mayOwe, owedSent, owesLater, queuesOf, roomAdded, serveChain, servedAtKick } from "./kinds";
import { Served } from "./served";

/** Bytes after which a kick takes no further chain. */
const KICK_BYTES: u64 = 32 << 20;

/** The driver notifies `queue`. */
export function notifyQueue(d: VirtioDevice, queue: u32): void {
  if (queue >= queuesOf(d) || queueAt(d, queue).ready == 0) {
    d.strays++;
    return;
  }
  d.pending |= 1 << queue;
  if (running(d)) serveQueue(d, queue);
}

export function serveQueue(d: VirtioDevice, queue: u32): void {
  const q = queueAt(d, queue);
  d.pending &= ~(1 << queue);
  if (!servedAtKick(d, queue)) {
    silenceNotification(q);
    roomAdded(d, queue);
    return;
  }
  let chains: u32 = 0;
  let completed = false;
  d.work = 0;
  for (;;) {
    if (chains >= q.size || d.work >= KICK_BYTES || !canServe(d)) {
      d.pending |= 1 << queue;
      if (hasAvailable(q)) countHeld(d);
      break;
    }
    const c = chainAt(d);
    const pop = popChain(q, c);
    if (pop == Pop.EMPTY) {
      if (!armNotification(q)) break;
      continue;
    }
    if (pop == Pop.BROKEN) {
      needsReset(d);
      break;
    }
    chains++;
    d.work += <u64>c.readableBytes + c.writableBytes;
    countServed(d, <u64>c.readableBytes + c.writableBytes);
    const head = c.head; // serving one queue may take a chain of another
    const written = serveChain(d, queue);
    if (written == Served.HELD) continue;
    if (written < 0 || !pushUsed(q, head, <u32>written)) {
      needsReset(d);
      break;
    }
    completed = true;
  }
  if (mayOwe(d, queue, completed)) d.owed |= 1 << queue;
  else if (completed || !owesLater(d)) interruptForQueue(d, q);
}

/** Sends the interrupts that one device owes; one that does not run keeps owing them. */
export function sendOwed(d: VirtioDevice): void {
  owedSent(d);
  if (!running(d)) return;
  for (let left = d.owed; left != 0; left &= left - 1) {
    const queue = <u32>ctz(left);
    if (queueLive(d, queue)) interruptForQueue(d, queueAt(d, queue));
  }
  d.owed = 0;
}

/** Goes on with what kicks left undone on one device. */
export function servePending(d: VirtioDevice): void {
  if ((d.pending | d.owed) == 0 || !running(d)) return;
  if (!owesLater(d)) sendOwed(d);
  for (let queue: u32 = 0; queue < queuesOf(d); queue++) {
    if ((d.pending & (1 << queue)) != 0 && queueLive(d, queue)) serveQueue(d, queue);
  }
}

/** Goes on with what kicks left undone. True if there is more that can go on at once: then the machine is not idle. */
export function virtioPoll(): bool {
  for (let index: u32 = 0; index < VIRTIO_DEVICES; index++) servePending(deviceAt(index));
  return virtioHasWork();
}

/** True if virtioPoll() would find something to do. */
export function virtioHasWork(): bool {
  for (let index: u32 = 0; index < VIRTIO_DEVICES; index++) {
    const d = deviceAt(index);
    if (running(d) && (d.owed != 0 || (d.pending != 0 && canServe(d)))) return true;
  }
  return false;
}
