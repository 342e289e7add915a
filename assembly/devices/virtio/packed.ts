// Packed virtqueue (virtio 1.2, 2.8): one ring of descriptors that both sides write. The
// driver puts a chain into consecutive entries; the device writes one used entry for it
// over the place where it is in the ring, and goes on as many entries as the chain had.
//
//   descriptor  {address u64, length u32, id u16, flags u16}
//     available when AVAIL is the driver's wrap counter and USED is not, used when both
//     are the device's; a counter starts at 1 and turns at each end of the ring
//   event suppression, either side's  {offset 15 bits, wrap counter, flags u16}
//     flags: every event, none, or the one at that place
//
// Places are kept as the event structures have them: an index, and the wrap counter in
// bit 15. A chain's name for pushUsed() is [ entries 16 | id 16 ]: the id is the driver's
// and means nothing to us.
//
// The device asks for every notification or none, never for one place: chains are served
// as they come, so there is no later one to wait for; a driver spares the look at the
// place, and we a store at each kick.
//
// Memory ordering: flags of a chain's first descriptor publish it, flags of a used entry
// publish that, and wishes are read and written whole: all four are atomics.
import { VirtqFlag } from "../../abi/virtio";
import { dmaRead, dmaWrite, inRam } from "../../memory/ram";
import { Chain, addBuffer, addIndirectTable, beginChain } from "./chain";
import { Pop, VirtQueue, hasEventIndex, hasIndirect } from "./virtqueue";

const DESCRIPTOR_SHIFT: u32 = 4;
const EVENT_BYTES: u32 = 4;
const WRAP: u16 = 0x8000;

/** Offsets in a descriptor, and of the flags in an event structure. */
const enum At {
  LENGTH = 8,
  ID = 12,
  FLAGS = 14,
  EVENT_FLAGS = 2,
}

// @ts-ignore: decorator
@inline
function ringBytes(q: VirtQueue): u32 {
  return q.size << DESCRIPTOR_SHIFT;
}

// @ts-ignore: decorator
@inline
function indexOf(place: u16): u32 {
  return <u32>place & 0x7fff;
}

/** The place `entries` further on; at most one round. */
function advance(place: u16, entries: u32, size: u32): u16 {
  const index = indexOf(place) + entries;
  const wrap = place & WRAP;
  return index < size ? wrap | <u16>index : (wrap ^ WRAP) | <u16>(index - size);
}

/** True if alignment (2.8.10.1) and addresses are such that the ring can be used. */
export function packedSound(q: VirtQueue): bool {
  if ((q.desc & 15) != 0 || (q.avail & 3) != 0 || (q.used & 3) != 0) return false;
  return inRam(q.desc, ringBytes(q)) && inRam(q.avail, EVENT_BYTES) && inRam(q.used, EVENT_BYTES);
}

/** True if both places lie in the ring. */
export function placesSound(q: VirtQueue): bool {
  return indexOf(q.nextAvail) < q.size && indexOf(q.nextUsed) < q.size && <u32>q.signalled <= q.size;
}

/** True if `head` can be the name of a chain that was taken. */
export function packedHeadSound(q: VirtQueue, head: u32): bool {
  const entries = head >> 16;
  return entries != 0 && entries <= q.size;
}

export function startPacked(q: VirtQueue): void {
  q.nextAvail = WRAP;
  q.nextUsed = WRAP;
}

// @ts-ignore: decorator
@inline
function availableAt(ring: usize, place: u16): bool {
  const flags: u32 = atomic.load<u16>(ring + (<usize>indexOf(place) << DESCRIPTOR_SHIFT), At.FLAGS);
  const wrap: bool = (place & WRAP) != 0;
  return ((flags & <u32>VirtqFlag.PACKED_AVAIL) != 0) == wrap && ((flags & <u32>VirtqFlag.PACKED_USED) != 0) != wrap;
}

export function popPacked(q: VirtQueue, c: Chain): Pop {
  const ring = dmaRead(q.desc, ringBytes(q));
  if (ring == 0) return Pop.BROKEN;
  if (!availableAt(ring, q.nextAvail)) return Pop.EMPTY;
  beginChain(c);
  let index = indexOf(q.nextAvail);
  for (let entries: u32 = 1; entries <= q.size; entries++) {
    const at = ring + (<usize>index << DESCRIPTOR_SHIFT);
    const address = load<u64>(at);
    const length = load<u32>(at, At.LENGTH);
    const flags: u32 = load<u16>(at, At.FLAGS);
    if ((flags & <u32>VirtqFlag.DESC_INDIRECT) != 0) {
      // A table stands alone (2.8.19): its chain is the table.
      if (!hasIndirect(q) || entries != 1 || (flags & <u32>VirtqFlag.DESC_NEXT) != 0) return Pop.BROKEN;
      if (!addIndirectTable(c, address, length)) return Pop.BROKEN;
    } else if (!addBuffer(c, address, length, (flags & <u32>VirtqFlag.DESC_WRITE) != 0)) {
      return Pop.BROKEN;
    }
    if ((flags & <u32>VirtqFlag.DESC_NEXT) == 0) {
      c.head = (entries << 16) | load<u16>(at, At.ID);
      q.nextAvail = advance(q.nextAvail, entries, q.size);
      return Pop.CHAIN;
    }
    if (++index == q.size) index = 0;
  }
  return Pop.BROKEN; // a chain that goes round
}

export function packedHasAvailable(q: VirtQueue): bool {
  const ring = dmaRead(q.desc, ringBytes(q));
  return ring != 0 && availableAt(ring, q.nextAvail);
}

export function pushPacked(q: VirtQueue, head: u32, written: u32): bool {
  const at = dmaWrite(q.desc + (<u64>indexOf(q.nextUsed) << DESCRIPTOR_SHIFT), 1 << DESCRIPTOR_SHIFT);
  if (at == 0) return false;
  store<u32>(at, written, At.LENGTH);
  store<u16>(at, <u16>head, At.ID);
  let flags: u32 = written != 0 ? VirtqFlag.DESC_WRITE : 0;
  if ((q.nextUsed & WRAP) != 0) flags |= VirtqFlag.PACKED_AVAIL | VirtqFlag.PACKED_USED;
  atomic.store<u16>(at, <u16>flags, At.FLAGS);
  const entries = head >> 16;
  q.nextUsed = advance(q.nextUsed, entries, q.size);
  q.signalled = <u16>min(<u32>q.signalled + entries, q.size);
  return true;
}

/**
 * 2.8.10. The place that the driver waits for lies among the entries used since the last look, counted back from
 * the next one: in this round of the ring if its wrap counter says so, else in the round before.
 */
export function packedWantsInterrupt(q: VirtQueue): bool {
  const fresh: u32 = q.signalled;
  if (fresh == 0) return false;
  q.signalled = 0;
  const event = dmaRead(q.avail, EVENT_BYTES);
  if (event == 0) return false;
  const wish = atomic.load<u32>(event);
  switch ((wish >> 16) & 3) {
    case VirtqFlag.EVENT_DISABLE: return false;
    case VirtqFlag.EVENT_DESC: {
      if (!hasEventIndex(q)) return true;
      const place = <u16>wish;
      const round: u32 = ((place ^ q.nextUsed) & WRAP) != 0 ? q.size : 0;
      return indexOf(q.nextUsed) + round - indexOf(place) - 1 < fresh;
    }
    default: return true;
  }
}

export function packedNotification(q: VirtQueue, wanted: bool): void {
  const flags: u16 = wanted ? <u16>VirtqFlag.EVENT_ENABLE : <u16>VirtqFlag.EVENT_DISABLE;
  if (q.usedFlags == flags) return;
  const event = dmaWrite(q.used, EVENT_BYTES);
  if (event == 0) return;
  q.usedFlags = flags;
  atomic.store<u16>(event, flags, At.EVENT_FLAGS);
}
