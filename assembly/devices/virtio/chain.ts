// One descriptor chain as a device sees it: a stream of bytes that the device may read,
// then a stream that it may write (virtio 1.2, 2.7.4, 2.7.5). How the driver cut the
// streams into descriptors means nothing to a device, so devices address them by offset.
//
// A walk reads every descriptor once, checks it, and keeps {offset in RAM, length} of its
// buffer; no host address is kept. Buffers are checked against RAM again when they are
// used, by dmaRead and dmaWrite. What a hostile chain can cost is bounded:
//
//   - at most QUEUE_MAX buffers, and no more direct descriptors than the queue has;
//   - one level of indirection, as the last descriptor (2.7.5.3) or alone (2.8.7);
//   - all buffers together no larger than RAM.
//
// Empty buffers are legal and skipped.
import { Gpa } from "../../abi/layout";
import { VirtqFlag } from "../../abi/virtio";
import { dmaRead, dmaWrite, inRam, ramSize } from "../../memory/ram";

/** Largest queue that any device offers, and so the longest chain. */
export const QUEUE_MAX: u32 = 256;

const DESCRIPTOR: u32 = 16;

@unmanaged
export class Chain {
  /** The chain's name in its ring: what pushUsed() is given. */
  head: u32;
  /** Buffers in the list, and how many of them are device-readable; those come first. */
  segments: u32;
  readableSegments: u32;
  readableBytes: u32;
  writableBytes: u32;

  // Cursor, set by seek().
  segment: u32;
  within: u32;
  left: u32;
  writing: u32;
  /** Length of the run that nextRun() gave. */
  run: u32;
}

/** The list of buffers follows: {offset in RAM u32, length u32} each. */
const enum At {
  SEGMENTS = 0x40,
  SEGMENT_SIZE = 8,
}

// @ts-ignore: decorator
@inline
function segmentAt(c: Chain, index: u32): usize {
  return changetype<usize>(c) + <usize>At.SEGMENTS + <usize>index * <usize>At.SEGMENT_SIZE;
}

/** An empty list, to be filled buffer by buffer. */
export function beginChain(c: Chain): void {
  c.segments = 0;
  c.readableSegments = 0;
  c.readableBytes = 0;
  c.writableBytes = 0;
}

/** Walks the chain that starts at descriptor `head` of a split ring's table (2.7.5). False if the driver broke a rule. */
export function walkChain(c: Chain, table: u64, size: u32, head: u32, indirectAllowed: bool): bool {
  beginChain(c);
  c.head = head;
  let entries = size;
  let index = head;
  let remaining = size;
  let indirect = false;
  while (index < entries && remaining != 0) {
    remaining--;
    const at = dmaRead(table + <u64>index * DESCRIPTOR, DESCRIPTOR);
    if (at == 0) return false;
    const address = load<u64>(at);
    const length = load<u32>(at, 8);
    const flags: u32 = load<u16>(at, 12);
    if ((flags & <u32>VirtqFlag.DESC_INDIRECT) != 0) {
      if (!indirectAllowed || indirect || (flags & <u32>VirtqFlag.DESC_NEXT) != 0) return false;
      if (length == 0 || (length & (DESCRIPTOR - 1)) != 0) return false;
      indirect = true;
      table = address;
      entries = length / DESCRIPTOR;
      index = 0;
      remaining = QUEUE_MAX - c.segments;
      continue;
    }
    if (!addBuffer(c, address, length, (flags & <u32>VirtqFlag.DESC_WRITE) != 0)) return false;
    if ((flags & <u32>VirtqFlag.DESC_NEXT) == 0) return true;
    index = load<u16>(at, 14);
  }
  return false; // out of the table, or longer than the queue: a loop
}

/** The buffers of a packed ring's indirect table, in order; only WRITE means anything there (2.8.7). */
export function addIndirectTable(c: Chain, table: u64, bytes: u32): bool {
  if (bytes == 0 || (bytes & (DESCRIPTOR - 1)) != 0 || bytes > QUEUE_MAX * DESCRIPTOR) return false;
  const start = dmaRead(table, bytes);
  if (start == 0) return false;
  for (let at = start; at < start + bytes; at += DESCRIPTOR) {
    const flags: u32 = load<u16>(at, 14);
    if (!addBuffer(c, load<u64>(at), load<u32>(at, 8), (flags & <u32>VirtqFlag.DESC_WRITE) != 0)) return false;
  }
  return true;
}

/** Appends a buffer. False if it does not lie in RAM, is readable behind a writable one, or makes the chain too long. */
export function addBuffer(c: Chain, address: u64, length: u32, writable: bool): bool {
  if (length == 0) return true;
  if (c.segments >= QUEUE_MAX || !inRam(address, length)) return false;
  if (<u64>c.readableBytes + c.writableBytes + length > ramSize()) return false;
  if (writable) {
    c.writableBytes += length;
  } else {
    if (c.writableBytes != 0) return false;
    c.readableSegments++;
    c.readableBytes += length;
  }
  const at = segmentAt(c, c.segments++);
  store<u32>(at, <u32>(address - <u64>(<u32>Gpa.RAM)));
  store<u32>(at, length, 4);
  return true;
}

/** Places the cursor on `length` bytes at `offset` of the readable or the writable stream. False if it has not that many. */
export function seek(c: Chain, writable: bool, offset: u32, length: u32): bool {
  const bytes = writable ? c.writableBytes : c.readableBytes;
  if (offset > bytes || length > bytes - offset) return false;
  c.writing = writable ? 1 : 0;
  c.segment = writable ? c.readableSegments : 0;
  c.within = offset;
  c.left = length;
  if (length == 0) return true;
  let size = load<u32>(segmentAt(c, c.segment), 4);
  while (c.within >= size) {
    c.within -= size;
    c.segment++;
    size = load<u32>(segmentAt(c, c.segment), 4);
  }
  return true;
}

/** Guest physical address of the byte at the cursor. */
export function cursorAddress(c: Chain): u64 {
  return <u64>(<u32>Gpa.RAM) + load<u32>(segmentAt(c, c.segment)) + c.within;
}

/**
 * Host address of the next run of bytes, buffers that touch taken together, or 0 at the
 * end; `c.run` is its length, at most `limit`. Use it before anything else can run.
 */
export function nextRun(c: Chain, limit: u32): usize {
  if (c.left == 0) return 0;
  const start = cursorAddress(c);
  let length: u32 = 0;
  while (c.left != 0 && length < limit) {
    if (cursorAddress(c) != start + length) break;
    const size = load<u32>(segmentAt(c, c.segment), 4);
    const take = min(min(size - c.within, c.left), limit - length);
    length += take;
    c.left -= take;
    c.within += take;
    if (c.within == size) {
      c.within = 0;
      c.segment++;
    }
  }
  c.run = length;
  return c.writing != 0 ? dmaWrite(start, length) : dmaRead(start, length);
}

/** Copies `length` bytes at `offset` of the readable stream to host address `to`. */
export function copyFromChain(c: Chain, offset: u32, to: usize, length: u32): bool {
  if (!seek(c, false, offset, length)) return false;
  for (let from = nextRun(c, length); from != 0; from = nextRun(c, length)) {
    memory.copy(to, from, c.run);
    to += c.run;
  }
  return c.left == 0;
}

/** Copies `length` bytes at host address `from` to `offset` of the writable stream. */
export function copyToChain(c: Chain, offset: u32, from: usize, length: u32): bool {
  if (!seek(c, true, offset, length)) return false;
  for (let to = nextRun(c, length); to != 0; to = nextRun(c, length)) {
    memory.copy(to, from, c.run);
    from += c.run;
  }
  return c.left == 0;
}
