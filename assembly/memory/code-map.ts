// Which physical pages hold predecoded code, and what must happen when one is written.
//
// CODE_MAP has a u16 for every page of RAM (boot ROM's pages first): the slot in the
// predecode pool, or 0. A page with a slot never gets a fast write tag in any TLB, so
// every store to it, the guest's or a device's, comes through here and drops the slot.
import { Layout } from "../abi/layout";

/** Pages of boot ROM that precede RAM's in the map. */
export const ROM_PAGES: u32 = 16;

/** True once some slot was dropped and the instruction TLBs may still name it. */
let dropped: bool = false;

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

/** Forgets the code predecoded from page `index`. The slot's owner sees that the map no longer names it, and uses it again. */
// @ts-ignore: decorator
@inline
export function dropCode(index: u32): void {
  if (slotOf(index) == 0) return;
  setSlot(index, 0);
  dropped = true;
}

// @ts-ignore: decorator
@inline
export function codeDropped(): bool {
  return dropped;
}

export function clearCodeDropped(): void {
  dropped = false;
}
