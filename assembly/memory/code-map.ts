// Which physical pages hold predecoded code, and what must happen when one is written.
//
// CODE_MAP has a u16 for every page of RAM (boot ROM's pages first): the slot in the
// predecode pool, REGIONS_ONLY, or 0. A page with any never gets a fast write tag in any
// TLB, so every store to it, the guest's or a device's, comes through here. One that
// touches an instruction drops what is known of the page. A slot is
//
//      0  2,048 entries, one a halfword
//  16384  two entries PAGE_END: running off the page lands here, whatever the last length
//  16400  u32 index of the page, u32 referenced since the clock passed
//  16448  a bit for each halfword that belongs to a decoded instruction
import { Layout } from "../abi/layout";

/** Pages of boot ROM that precede RAM's in the map. */
export const ROM_PAGES: u32 = 16;

/** Entries (isa/entry.ts) are larger than the code they stand for, by this power of two. */
export const SCALE: u32 = 2;
export const ENTRIES: usize = 0x1000 << SCALE;
export const PAGE_AT: usize = ENTRIES + 16;
const MARKS_AT: usize = ENTRIES + 64;
export const SLOT_SIZE: usize = ENTRIES + 64 + 256;

/** In place of a slot: the page's entries were evicted, but translated regions run on it. */
export const REGIONS_ONLY: u32 = 0xffff;

/** Indices of pages that were dropped since the last look. */
const DROPPED: usize = <usize>Layout.CODE_MAP_END - 0x1000;
const MOST_DROPPED: u32 = 1000;
let dropped: u32 = 0;

/** Slot of page `index`, or 0. */
// @ts-ignore: decorator
@inline
export function slotOf(index: u32): u32 {
  return load<u16>(<usize>Layout.CODE_MAP + ((<usize>index) << 1));
}

// @ts-ignore: decorator
@inline
export function setSlot(index: u32, slot: u32): void {
  store<u16>(<usize>Layout.CODE_MAP + ((<usize>index) << 1), <u16>slot);
}

// @ts-ignore: decorator
@inline
export function slotAddress(slot: u32): usize {
  return <usize>Layout.CODE_POOL + <usize>(slot - 1) * SLOT_SIZE;
}

/** Says that the halfword at `offset` of the slot's page belongs to a decoded instruction. */
export function markCode(slot: usize, offset: u32): void {
  const at = slot + MARKS_AT + (offset >> 4);
  store<u8>(at, <u8>(<u32>load<u8>(at) | (<u32>1 << ((offset >> 1) & 7))));
}

/** No halfword is decoded; or, where regions run on the page that nobody marked here, any may be. */
export function resetMarks(slot: usize, translated: bool): void {
  memory.fill(slot + MARKS_AT, translated ? 0xff : 0, 256);
}

/** `size` bytes at `offset` of a page with code are about to be written. */
export function writeToCode(index: u32, offset: u32, size: u32): void {
  const slot = slotOf(index);
  if (slot != REGIONS_ONLY) {
    const marks = slotAddress(slot) + MARKS_AT;
    let touched = false;
    for (let half = offset >> 1, last = (offset + size - 1) >> 1; half <= last && half < 2048; half++) {
      if ((load<u8>(marks + (half >> 3)) >> (half & 7)) & 1) touched = true;
    }
    if (!touched) return;
  }
  dropCode(index);
}

/** Forgets the code known of page `index`. The slot's owner sees that the map no longer names it, and uses it again. */
// @ts-ignore: decorator
@inline
export function dropCode(index: u32): void {
  if (slotOf(index) == 0) return;
  setSlot(index, 0);
  if (dropped < MOST_DROPPED) store<u32>(DROPPED + ((<usize>dropped) << 2), index);
  dropped++;
}

/** True once some page was dropped and instruction TLBs and regions may still be of its old contents. */
// @ts-ignore: decorator
@inline
export function codeDropped(): bool {
  return dropped != 0;
}

/** Takes one of the dropped pages: its index, ~0 if they were too many to tell, ~0 - 1 after the last. */
export function takeDropped(): u32 {
  if (dropped == 0) return NO_MORE;
  if (dropped > MOST_DROPPED) {
    dropped = 0;
    return TOO_MANY;
  }
  dropped--;
  return load<u32>(DROPPED + ((<usize>dropped) << 2));
}
export const TOO_MANY: u32 = 0xffff_ffff;
export const NO_MORE: u32 = 0xffff_fffe;
