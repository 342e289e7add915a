// Records of translated regions, found by where in memory they begin and by the physical
// pages that they run on. A region is one function of translated code: instructions on up
// to four pages, entered at its first alone. It is good wherever its address is mapped to
// the same pages, in the mode that it was translated for; for U-mode at any other address, too.
import { RegionFlag, RegionNumber, RegionRecord } from "../abi/translated";
import { JUMPS_END, clearAllJumps } from "../hart/jumps";
import { Mode } from "../hart/state";

export { RegionFlag } from "../abi/translated";

export const enum RegionState { FREE = 0, PENDING = 1, LIVE = 2 }

/** Flags that tell variants of a region apart. */
const VARIANT: u32 = RegionFlag.FAST_FLOAT | RegionFlag.SLOW_FLOAT;

export const MAX_PAGES: u32 = 4;

@unmanaged
export class Region {
  pc: u64;
  mode: u32;
  state: u32; // RegionState
  module: u32;
  /** Number of its function in the module. The host's table has it at the region's own number. */
  place: u32;
  /** Steps that must be left to enter it. */
  minimum: u32;
  flags: u32; // RegionFlag
  pageCount: u32;
  /** Next region of the same hash; of the free list. */
  next: u32;
  /** Times it was entered from outside translated code, and left for an instruction that it cannot do. */
  entries: u32;
  misses: u32;
  /** Bytes of Wasm. */
  size: u32;
  /** Its record in the log of regions, or 0. */
  record: u32;
  // Then for each page: u32 index in the code map, u32 next link of the page's hash, i64
  // distance in pages from the first.
}

const PAGES_AT: usize = offsetof<Region>();
const PAGE_SIZE: usize = 16;
const LINK: usize = 4;
const RECORD: usize = 128;
export const MAX_REGIONS: u32 = RegionNumber.END;

const START_HASH: usize = JUMPS_END;
const START_BUCKETS: u32 = 4096;
const PAGE_HASH: usize = START_HASH + START_BUCKETS * 2;
const PAGE_BUCKETS: u32 = 2048;
const RECORDS: usize = PAGE_HASH + PAGE_BUCKETS * 2;
export const REGIONS_END: usize = RECORDS + <usize>MAX_REGIONS * RECORD;

let free: u32 = 0;
let used: u32 = 0;

// @ts-ignore: decorator
@inline
export function regionAt(id: u32): Region {
  return changetype<Region>(RECORDS + <usize>id * RECORD);
}

// @ts-ignore: decorator
@inline
function pageAt(id: u32, k: u32): usize {
  return RECORDS + <usize>id * RECORD + PAGES_AT + <usize>k * PAGE_SIZE;
}

/** Index in the code map of page `k`, and its distance in pages from the page that the region begins on. */
export function regionPage(id: u32, k: u32): u32 {
  return load<u32>(pageAt(id, k));
}
export function regionDistance(id: u32, k: u32): i64 {
  return load<i64>(pageAt(id, k), 8);
}

/** By where it begins in memory: addresses of the same code differ. */
function startBucket(pc: u64, index: u32): usize {
  return START_HASH + (((((<usize>pc & 0xfff) >> 1) ^ (<usize>index * 0x9e5)) & (START_BUCKETS - 1)) << 1);
}

function pageBucket(index: u32): usize {
  return PAGE_HASH + ((<usize>index & (PAGE_BUCKETS - 1)) << 1);
}

export function resetRegions(): void {
  free = 0;
  used = 0;
  memory.fill(START_HASH, 0, REGIONS_END - START_HASH);
}

/** The number that newRegion() gives next. */
export function upcomingRegion(): u32 {
  return free != 0 ? free : used + 1;
}

/** A new record for a region that begins on the page with this index, in the hash of its beginning; 0 if there is no room. */
export function newRegion(pc: u64, mode: u32, index: u32): u32 {
  let id = free;
  if (id != 0) free = regionAt(id).next;
  else if (used + 1 < MAX_REGIONS) id = ++used;
  else return 0;
  memory.fill(RECORDS + <usize>id * RECORD, 0, RECORD);
  const r = regionAt(id);
  r.pc = pc;
  r.mode = mode;
  r.state = RegionState.PENDING;
  const bucket = startBucket(pc, index);
  r.next = load<u16>(bucket);
  store<u16>(bucket, <u16>id);
  return id;
}

/** Says that the region runs on the page with this index. */
export function addPage(id: u32, index: u32, distance: i64): void {
  const k = regionAt(id).pageCount++;
  const at = pageAt(id, k);
  const bucket = pageBucket(index);
  store<u32>(at, index);
  store<u32>(at, load<u16>(bucket), LINK);
  store<i64>(at, distance, 8);
  store<u16>(bucket, <u16>(id * MAX_PAGES + k));
}

/** May what is translated for the mode run at other addresses? */
// @ts-ignore: decorator
@inline
export function canMove(mode: u32): bool {
  return mode == <u32>Mode.U;
}

/** Is it good for the address, too, if its pages are there? */
function isAt(r: Region, pc: u64): bool {
  return canMove(r.mode) ? ((r.pc ^ pc) & 0xfff) == 0 : r.pc == pc;
}

/** The next region after `id` (0: the first) that begins at `pc` on the page with this index. */
export function nextRegionAt(id: u32, pc: u64, mode: u32, index: u32): u32 {
  let at = id == 0 ? <u32>load<u16>(startBucket(pc, index)) : regionAt(id).next;
  while (at != 0) {
    const r = regionAt(at);
    if (r.mode == mode && regionPage(at, 0) == index && isAt(r, pc)) return at;
    at = r.next;
  }
  return 0;
}

/** Does a region begin at byte `offset` of the page? */
export function beginsRegion(index: u32, offset: u32): bool {
  for (let link = <u32>load<u16>(pageBucket(index)); link != 0; link = load<u32>(pageAt(link / MAX_PAGES, link % MAX_PAGES), LINK)) {
    const id = link / MAX_PAGES;
    if (link % MAX_PAGES != 0 || regionPage(id, 0) != index) continue;
    if ((<u32>regionAt(id).pc & 0xfff) == offset && regionAt(id).state == <u32>RegionState.LIVE) return true;
  }
  return false;
}

export function hasRegions(index: u32): bool {
  for (let link = <u32>load<u16>(pageBucket(index)); link != 0; ) {
    const at = pageAt(link / MAX_PAGES, link % MAX_PAGES);
    if (load<u32>(at) == index) return true;
    link = load<u32>(at, LINK);
  }
  return false;
}

export function dropAllRegions(): void {
  for (let id: u32 = 1; id <= used; id++) dropRegion(id);
}

/** Forgets all regions that run on the page. */
export function dropRegionsOn(index: u32): void {
  let link = <u32>load<u16>(pageBucket(index));
  while (link != 0) {
    const id = link / MAX_PAGES;
    const at = pageAt(id, link % MAX_PAGES);
    if (load<u32>(at) == index) {
      dropRegion(id);
      link = load<u16>(pageBucket(index));
    } else link = load<u32>(at, LINK);
  }
}

/** Forgets the other regions that begin where region `id` does and suit the same state: it is there instead. */
export function dropOlder(id: u32): void {
  const r = regionAt(id);
  let other = nextRegionAt(0, r.pc, r.mode, regionPage(id, 0));
  while (other != 0) {
    const next = nextRegionAt(other, r.pc, r.mode, regionPage(id, 0));
    const o = regionAt(other);
    if (other != id && o.state == <u32>RegionState.LIVE && ((o.flags ^ r.flags) & VARIANT) == 0) dropRegion(other);
    other = next;
  }
}

/** Forgets a region. Its function may still be running: nothing calls it again. */
export function dropRegion(id: u32): void {
  const r = regionAt(id);
  if (r.state == <u32>RegionState.FREE) return;
  if (r.state == <u32>RegionState.LIVE) clearAllJumps();
  const bucket = startBucket(r.pc, regionPage(id, 0));
  if (load<u16>(bucket) == id) store<u16>(bucket, <u16>r.next);
  else {
    let at = <u32>load<u16>(bucket);
    while (regionAt(at).next != id) at = regionAt(at).next;
    regionAt(at).next = r.next;
  }
  for (let k: u32 = 0; k < r.pageCount; k++) unlinkPage(id, k);
  if (r.record != 0) store<u32>(<usize>r.record, 1, RegionRecord.DROPPED);
  r.state = RegionState.FREE;
  r.next = free;
  free = id;
}

function unlinkPage(id: u32, k: u32): void {
  const own = id * MAX_PAGES + k;
  const after = load<u32>(pageAt(id, k), LINK);
  const bucket = pageBucket(load<u32>(pageAt(id, k)));
  let link = <u32>load<u16>(bucket);
  if (link == own) {
    store<u16>(bucket, <u16>after);
    return;
  }
  while (true) {
    const at = pageAt(link / MAX_PAGES, link % MAX_PAGES);
    link = load<u32>(at, LINK);
    if (link == own) {
      store<u32>(at, after, LINK);
      return;
    }
  }
}
