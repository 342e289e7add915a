// What a virtqueue is to its device, whatever the form of its ring (virtio 1.2, 2.6):
// plain data. The three areas are guest physical addresses that are checked when the
// queue is enabled and turned into host addresses at every use.
//
//   area               split ring (split.ts)     packed ring (packed.ts)
//   desc    Descriptor  descriptor table          descriptor ring
//   avail   Driver      available ring            Driver Event Suppression
//   used    Device      used ring                 Device Event Suppression
//
// A device names a chain that it took by the number that popChain() left in Chain.head
// and hands to pushUsed(); what is in it is the ring's own business.

@unmanaged
export class VirtQueue {
  desc: u64;
  avail: u64;
  used: u64;
  size: u32;
  ready: u32;
  /** Negotiated features that the ring needs: QueueFeature bits. */
  features: u32;
  /** Next available entry to take, next used entry to fill. Split: the ring's running index; packed: place and wrap counter. */
  nextAvail: u16;
  nextUsed: u16;
  /** How far the driver's wish for an interrupt was looked at. Split: nextUsed then; packed: entries used since. */
  signalled: u16;
  /** MSI-X vector, as the driver set it. */
  vector: u16;
  /** The flags by which the device last asked for notifications, or not. */
  usedFlags: u16;
}

export const enum QueueFeature {
  INDIRECT = 1,
  EVENT_IDX = 2,
  PACKED = 4,
  ALL = 7,
}

export const enum Pop {
  EMPTY = 0,
  CHAIN = 1,
  /** The driver broke a rule: the device needs a reset. */
  BROKEN = 2,
}

// @ts-ignore: decorator
@inline
export function isPacked(q: VirtQueue): bool {
  return (q.features & <u32>QueueFeature.PACKED) != 0;
}

// @ts-ignore: decorator
@inline
export function hasEventIndex(q: VirtQueue): bool {
  return (q.features & <u32>QueueFeature.EVENT_IDX) != 0;
}

// @ts-ignore: decorator
@inline
export function hasIndirect(q: VirtQueue): bool {
  return (q.features & <u32>QueueFeature.INDIRECT) != 0;
}

/** As the queue comes up, with the features of its ring. */
export function resetQueue(q: VirtQueue, size: u32, features: u32): void {
  memory.fill(changetype<usize>(q), 0, offsetof<VirtQueue>());
  q.size = size;
  q.features = features;
  q.vector = 0xffff;
}
