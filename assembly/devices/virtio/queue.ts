// Split virtqueue (virtio 1.2, 2.7), with indirect descriptors and the event index. State
// is plain data; the three parts of the ring are guest physical addresses that are
// checked when the queue is enabled and turned into host addresses at every use.
//
//   available ring  {flags u16, idx u16, ring u16[size], used_event u16}
//   used ring       {flags u16, idx u16, {id u32, len u32}[size], avail_event u16}
//
// Memory ordering: the driver publishes a chain by storing avail.idx, we publish a
// completion by storing used.idx, and either side asks for a notification by storing its
// event index and then looks at the other's idx once more. Those four are atomics (Wasm's
// are sequentially consistent), so harts in other threads can drive the ring.
import { VirtqFlag } from "../../abi/virtio";
import { dmaRead, dmaWrite, inRam } from "../../memory/ram";
import { Chain, QUEUE_MAX, walkChain } from "./chain";

@unmanaged
export class VirtQueue {
  desc: u64;
  avail: u64;
  used: u64;
  size: u32;
  ready: u32;
  /** Negotiated features that the ring needs: QueueFeature bits. */
  features: u32;
  /** Index of the next available entry to take, of the next used entry to fill. */
  nextAvail: u16;
  nextUsed: u16;
  /** nextUsed when the driver's wish for an interrupt was last looked at. */
  signalled: u16;
  /** MSI-X vector, as the driver set it. */
  vector: u16;
  /** What used.flags holds. */
  usedFlags: u16;
}

export const enum QueueFeature {
  INDIRECT = 1,
  EVENT_IDX = 2,
}

export const enum Pop {
  EMPTY = 0,
  CHAIN = 1,
  /** The driver broke a rule: the device needs a reset. */
  BROKEN = 2,
}

// @ts-ignore: decorator
@inline
function availBytes(q: VirtQueue): u32 {
  return 6 + (q.size << 1);
}

// @ts-ignore: decorator
@inline
function usedBytes(q: VirtQueue): u32 {
  return 6 + (q.size << 3);
}

export function resetQueue(q: VirtQueue, size: u32): void {
  memory.fill(changetype<usize>(q), 0, offsetof<VirtQueue>());
  q.size = size;
  q.vector = 0xffff;
}

/** True if size, alignment (2.7) and addresses are such that the ring can be used. */
export function queueSound(q: VirtQueue): bool {
  if (q.size == 0 || q.size > QUEUE_MAX || (q.size & (q.size - 1)) != 0) return false;
  if ((q.desc & 15) != 0 || (q.avail & 1) != 0 || (q.used & 3) != 0) return false;
  return inRam(q.desc, <u64>q.size << 4) && inRam(q.avail, availBytes(q)) && inRam(q.used, usedBytes(q));
}

/** Takes the next available chain. */
export function popChain(q: VirtQueue, c: Chain): Pop {
  const avail = dmaRead(q.avail, availBytes(q));
  if (avail == 0) return Pop.BROKEN;
  const waiting = <u32>(<u16>(atomic.load<u16>(avail, 2) - q.nextAvail));
  if (waiting == 0) return Pop.EMPTY;
  if (waiting > q.size) return Pop.BROKEN;
  const slot = <u32>q.nextAvail & (q.size - 1);
  const head: u32 = load<u16>(avail + (<usize>slot << 1), 4);
  if (!walkChain(c, q.desc, q.size, head, (q.features & <u32>QueueFeature.INDIRECT) != 0)) return Pop.BROKEN;
  q.nextAvail++;
  return Pop.CHAIN;
}

/** True if the driver has made a chain available that was not taken yet. */
export function hasAvailable(q: VirtQueue): bool {
  const avail = dmaRead(q.avail, availBytes(q));
  return avail != 0 && atomic.load<u16>(avail, 2) != q.nextAvail;
}

/** Gives the chain that starts at `head` back, `written` bytes of it filled from the front. */
export function pushUsed(q: VirtQueue, head: u32, written: u32): bool {
  const used = dmaWrite(q.used, usedBytes(q));
  if (used == 0) return false;
  const element = used + 4 + (<usize>(<u32>q.nextUsed & (q.size - 1)) << 3);
  store<u32>(element, head);
  store<u32>(element, written, 4);
  q.nextUsed++;
  atomic.store<u16>(used, q.nextUsed, 2);
  return true;
}

/** True if the driver wants an interrupt for what was pushed since the last call (2.7.7). */
export function wantsInterrupt(q: VirtQueue): bool {
  const fresh = q.nextUsed;
  const before = q.signalled;
  if (fresh == before) return false;
  q.signalled = fresh;
  const avail = dmaRead(q.avail, availBytes(q));
  if (avail == 0) return false;
  if ((q.features & <u32>QueueFeature.EVENT_IDX) != 0) {
    const event = atomic.load<u16>(avail + 4 + (<usize>q.size << 1));
    return <u16>(fresh - event - 1) < <u16>(fresh - before);
  }
  return (atomic.load<u16>(avail) & <u16>VirtqFlag.AVAIL_NO_INTERRUPT) == 0;
}

/**
 * Asks to be notified of the next chain (2.7.10). True if one has arrived meanwhile: the
 * driver may not have seen the wish, so take it now or its kick is lost.
 */
export function armNotification(q: VirtQueue): bool {
  wishNotification(q, q.nextAvail, 0);
  return hasAvailable(q);
}

/** Asks not to be notified: for queues of empty buffers, which are taken when there is input. */
export function silenceNotification(q: VirtQueue): void {
  wishNotification(q, q.nextAvail - 1, <u16>VirtqFlag.USED_NO_NOTIFY);
}

function wishNotification(q: VirtQueue, event: u16, flags: u16): void {
  const used = dmaWrite(q.used, usedBytes(q));
  if (used == 0) return;
  if ((q.features & <u32>QueueFeature.EVENT_IDX) != 0) {
    atomic.store<u16>(used + 4 + (<usize>q.size << 3), event);
  } else if (q.usedFlags != flags) {
    q.usedFlags = flags;
    atomic.store<u16>(used, flags);
  }
}
