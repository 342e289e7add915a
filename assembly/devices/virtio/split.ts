// Split virtqueue (virtio 1.2, 2.7), with indirect descriptors and the event index.
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
import { Chain, walkChain } from "./chain";
import { Pop, VirtQueue, hasEventIndex, hasIndirect } from "./virtqueue";

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

/** True if size, alignment (2.7) and addresses are such that the ring can be used. */
export function splitSound(q: VirtQueue): bool {
  if ((q.size & (q.size - 1)) != 0) return false;
  if ((q.desc & 15) != 0 || (q.avail & 1) != 0 || (q.used & 3) != 0) return false;
  return inRam(q.desc, <u64>q.size << 4) && inRam(q.avail, availBytes(q)) && inRam(q.used, usedBytes(q));
}

export function startSplit(q: VirtQueue): void {
  q.nextAvail = 0;
  q.nextUsed = 0;
}

export function popSplit(q: VirtQueue, c: Chain): Pop {
  const avail = dmaRead(q.avail, availBytes(q));
  if (avail == 0) return Pop.BROKEN;
  const waiting = <u32>(<u16>(atomic.load<u16>(avail, 2) - q.nextAvail));
  if (waiting == 0) return Pop.EMPTY;
  if (waiting > q.size) return Pop.BROKEN;
  const slot = <u32>q.nextAvail & (q.size - 1);
  const head: u32 = load<u16>(avail + (<usize>slot << 1), 4);
  if (!walkChain(c, q.desc, q.size, head, hasIndirect(q))) return Pop.BROKEN;
  q.nextAvail++;
  return Pop.CHAIN;
}

export function splitHasAvailable(q: VirtQueue): bool {
  const avail = dmaRead(q.avail, availBytes(q));
  return avail != 0 && atomic.load<u16>(avail, 2) != q.nextAvail;
}

export function pushSplit(q: VirtQueue, head: u32, written: u32): bool {
  const used = dmaWrite(q.used, usedBytes(q));
  if (used == 0) return false;
  const element = used + 4 + (<usize>(<u32>q.nextUsed & (q.size - 1)) << 3);
  store<u32>(element, head);
  store<u32>(element, written, 4);
  q.nextUsed++;
  atomic.store<u16>(used, q.nextUsed, 2);
  return true;
}

/** 2.7.7. */
export function splitWantsInterrupt(q: VirtQueue): bool {
  const fresh = q.nextUsed;
  const before = q.signalled;
  if (fresh == before) return false;
  q.signalled = fresh;
  const avail = dmaRead(q.avail, availBytes(q));
  if (avail == 0) return false;
  if (hasEventIndex(q)) {
    const event = atomic.load<u16>(avail + 4 + (<usize>q.size << 1));
    return <u16>(fresh - event - 1) < <u16>(fresh - before);
  }
  return (atomic.load<u16>(avail) & <u16>VirtqFlag.AVAIL_NO_INTERRUPT) == 0;
}

/** 2.7.10: with the event index a wish is an index, the next or one that has passed; else a flag. */
export function splitNotification(q: VirtQueue, wanted: bool): void {
  const used = dmaWrite(q.used, usedBytes(q));
  if (used == 0) return;
  if (hasEventIndex(q)) {
    atomic.store<u16>(used + 4 + (<usize>q.size << 3), wanted ? q.nextAvail : q.nextAvail - 1);
    return;
  }
  const flags: u16 = wanted ? 0 : <u16>VirtqFlag.USED_NO_NOTIFY;
  if (q.usedFlags == flags) return;
  q.usedFlags = flags;
  atomic.store<u16>(used, flags);
}
