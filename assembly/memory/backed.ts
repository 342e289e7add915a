// Memory with a disk's contents in it: what a persistent memory device shows its guest. Wasm
// cannot map a file, so pages are copies: brought in when first touched, a chunk of 64 KiB at a
// time, and written back when the guest asks for it, if they were written.
//
// Who writes to memory says so first: the hart when it fills the write half of a TLB (one
// exit a page, none for the stores that follow), devices when they ask for a buffer. So a page of a
// range that has a write tag in any TLB has its dirty bit set. Writing back clears bits, and
// so has to take the tags away: writeTagsFrom and writeTagsTo say of which pages, and the
// hart looks before it goes on (hart/tlb.ts, settleWrites).
//
// Bits and ranges are kept by page of memory from Gpa.RAM on, at Layout.BACKED. They belong to
// memory and outlive a reset, as its contents do; ranges are named anew when devices are attached.
// They lie behind all other memory, so one comparison tells what is none of this.
import { Backed, Gpa, Layout, Machine } from "../abi/layout";
import { diskRead, diskWrite } from "../host";

@unmanaged
class Range {
  first: u32;
  pages: u32;
  disk: u32;
  flags: u32;
}

const CHUNK_SHIFT: u32 = 16;
const PAGE_SHIFT: u32 = 12;
/** Longest piece handed to the host at once. */
const MOST_BYTES: u32 = 16 << 20;

/** Offset in memory of the first byte that has a disk behind it. */
let backedFrom: u64 = ~0;

/** Host addresses between which pages may have write tags that they must not keep; nothing where from is 0. */
let writeTagsFrom: usize = 0;
let writeTagsTo: usize = 0;

// @ts-ignore: decorator
@inline
function rangeAt(index: u32): Range {
  return changetype<Range>(<usize>Layout.BACKED + <usize>Backed.RANGES_AT + <usize>index * <usize>Backed.RANGE_SIZE);
}

// @ts-ignore: decorator
@inline
function testBit(table: u32, bit: u32): bool {
  return ((load<u8>(<usize>Layout.BACKED + <usize>table + (bit >> 3)) >> (bit & 7)) & 1) != 0;
}

// @ts-ignore: decorator
@inline
function setBit(table: u32, bit: u32): void {
  const at = <usize>Layout.BACKED + <usize>table + (bit >> 3);
  store<u8>(at, load<u8>(at) | <u8>(<u32>1 << (bit & 7)));
}

// @ts-ignore: decorator
@inline
function clearBit(table: u32, bit: u32): void {
  const at = <usize>Layout.BACKED + <usize>table + (bit >> 3);
  store<u8>(at, load<u8>(at) & ~<u8>(<u32>1 << (bit & 7)));
}

/** Takes all ranges away; before devices are attached. What was brought in and written stays known. */
export function forgetRanges(): void {
  memory.fill(<usize>Layout.BACKED + <usize>Backed.RANGES_AT, 0, <usize>(Backed.RANGES * Backed.RANGE_SIZE));
  backedFrom = ~0;
}

/** Puts disk `disk` behind `pages` pages from page `first` of memory on, both whole chunks. The range's number, or -1. */
export function addRange(first: u32, pages: u32, disk: u32): i32 {
  const mask: u32 = (1 << (CHUNK_SHIFT - PAGE_SHIFT)) - 1;
  if (pages == 0 || ((first | pages) & mask) != 0) return -1;
  for (let index: u32 = 0; index < <u32>Backed.RANGES; index++) {
    const r = rangeAt(index);
    if (r.pages != 0) continue;
    r.first = first;
    r.pages = pages;
    r.disk = disk;
    findRanges();
    return <i32>index;
  }
  return -1;
}

/** Says where ranges begin, from what is in memory: after a restore too. */
export function findRanges(): void {
  backedFrom = ~0;
  for (let index: u32 = 0; index < <u32>Backed.RANGES; index++) {
    const r = rangeAt(index);
    if (r.pages != 0) backedFrom = min(backedFrom, <u64>r.first << PAGE_SHIFT);
  }
}

/** Where the first range begins, as an offset in memory; all bits set if there is none. */
export function rangesFrom(): u64 {
  return backedFrom;
}

/** True if the byte at guest physical `gpa`, which is memory, lies where a disk's contents may lie. */
export function isBacked(gpa: u64): bool {
  return gpa - <u64>(<u32>Gpa.RAM) >= backedFrom;
}

/** Brings in what is missing of `length` bytes at `offset` of memory. False: a disk could not be read. */
// @ts-ignore: decorator
@inline
export function bringIn(offset: u64, length: u64): bool {
  return offset + length <= backedFrom || bringChunks(offset, length);
}

/** Bytes at `offset` of memory, which are there, are about to be written. */
// @ts-ignore: decorator
@inline
export function noteWrite(offset: u64, length: u64): void {
  if (offset + length > backedFrom) markDirty(offset, length);
}

function bringChunks(offset: u64, length: u64): bool {
  if (length == 0) return true;
  const last = <u32>((offset + length - 1) >> CHUNK_SHIFT);
  for (let chunk = <u32>(max(offset, backedFrom) >> CHUNK_SHIFT); chunk <= last; chunk++) {
    if (!testBit(Backed.PRESENT, chunk) && !bringChunk(chunk)) return false;
  }
  return true;
}

function bringChunk(chunk: u32): bool {
  const r = rangeOf(chunk << (CHUNK_SHIFT - PAGE_SHIFT));
  if (r != null) {
    const offset = (<u64>chunk << CHUNK_SHIFT) - (<u64>r.first << PAGE_SHIFT);
    const to = <usize>Layout.RAM + (<usize>chunk << CHUNK_SHIFT);
    if (diskRead(r.disk, <f64>offset, to, <u32>Backed.CHUNK) != 0) return false;
  }
  setBit(Backed.PRESENT, chunk);
  return true;
}

function rangeOf(page: u32): Range | null {
  for (let index: u32 = 0; index < <u32>Backed.RANGES; index++) {
    const r = rangeAt(index);
    if (page - r.first < r.pages) return r;
  }
  return null;
}

function markDirty(offset: u64, length: u64): void {
  if (length == 0) return;
  const last = <u32>((offset + length - 1) >> PAGE_SHIFT);
  for (let page = <u32>(max(offset, backedFrom) >> PAGE_SHIFT); page <= last; page++) setBit(Backed.DIRTY, page);
}

/** First dirty page from `page` on, before `end`; `end` if there is none. */
function nextDirty(page: u32, end: u32): u32 {
  const table = <usize>Layout.BACKED + <usize>Backed.DIRTY;
  while (page < end) {
    if ((page & 63) == 0 && load<u64>(table + (page >> 3)) == 0) page += 64;
    else if (testBit(Backed.DIRTY, page)) return page;
    else page++;
  }
  return end;
}

/** True if a page of the range was written since it was last written back. */
export function isDirty(index: u32): bool {
  const r = rangeAt(index);
  return nextDirty(r.first, r.first + r.pages) < r.first + r.pages;
}

/** Writes the range's dirty pages to its disk, neighbours together. 0, or the disk's error: what it did not take stays dirty. */
export function writeBack(index: u32): i32 {
  const r = rangeAt(index);
  const end = r.first + r.pages;
  let answer: i32 = 0;
  let page = nextDirty(r.first, end);
  if (page < end) forbidWriteTags(r);
  while (page < end && answer == 0) {
    const limit = min(end, page + (MOST_BYTES >> PAGE_SHIFT));
    let behind = page + 1;
    while (behind < limit && testBit(Backed.DIRTY, behind)) behind++;
    const from = <usize>Layout.RAM + (<usize>page << PAGE_SHIFT);
    answer = diskWrite(r.disk, <f64>(page - r.first) * 4096, from, (behind - page) << PAGE_SHIFT);
    if (answer != 0) break;
    for (let done = page; done < behind; done++) clearBit(Backed.DIRTY, done);
    page = nextDirty(behind, end);
  }
  return answer;
}

/** Writes back all ranges: the machine is about to go. The first error, or 0. */
export function writeBackAll(): i32 {
  let first: i32 = 0;
  for (let index: u32 = 0; index < <u32>Backed.RANGES; index++) {
    if (rangeAt(index).pages == 0) continue;
    const answer = writeBack(index);
    if (first == 0) first = answer;
  }
  return first;
}

function forbidWriteTags(r: Range): void {
  const from = <usize>Layout.RAM + (<usize>r.first << PAGE_SHIFT);
  const to = from + (<usize>r.pages << PAGE_SHIFT);
  writeTagsTo = writeTagsFrom == 0 ? to : max(writeTagsTo, to);
  writeTagsFrom = writeTagsFrom == 0 ? from : min(writeTagsFrom, from);
}

/** True if some TLB may hold write tags that are to go. */
// @ts-ignore: decorator
@inline
export function writeTagsStale(): bool {
  return writeTagsFrom != 0;
}

/** Host addresses between which write tags are to go; taken once. */
export function staleFrom(): usize {
  return writeTagsFrom;
}

export function staleTo(): usize {
  return writeTagsTo;
}

export function writeTagsGone(): void {
  writeTagsFrom = 0;
}

/** True if range `index` is `bytes` bytes at guest physical `start`, with disk `disk` behind it. */
export function isRange(index: u32, start: u64, bytes: u64, disk: u32): bool {
  if (index >= <u32>Backed.RANGES || bytes == 0) return false;
  const r = rangeAt(index);
  return <u64>r.pages << PAGE_SHIFT == bytes && <u64>(<u32>Gpa.RAM) + (<u64>r.first << PAGE_SHIFT) == start && r.disk == disk;
}

/** After a restore: ranges are whole chunks inside memory. Changes nothing. */
export function rangesValid(): bool {
  const pages = load<u32>(<usize>Machine.RAM_SIZE);
  const mask: u32 = (1 << (CHUNK_SHIFT - PAGE_SHIFT)) - 1;
  for (let index: u32 = 0; index < <u32>Backed.RANGES; index++) {
    const r = rangeAt(index);
    if (r.pages == 0) continue;
    if (((r.first | r.pages) & mask) != 0 || r.first > pages || r.pages > pages - r.first) return false;
  }
  return true;
}
