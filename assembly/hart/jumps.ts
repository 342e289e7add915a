// The jump cache of a hart: translated functions by the address they begin at, for the
// translations of addresses that are in force. Translated code looks here before it calls
// or jumps; an entry vanishes with the mapping of any page that its function runs on.
//
//   entry  i64 tag       pc + 1, with the mode exclusive-ored into bits 61:60; 0 if empty
//          u32 function  index in the table of translated functions: the number of its region (code/regions.ts)
//          u32 flags     GLOBAL if all its pages are
//
// A log of filled entries makes a flush cost what was filled, as for the TLB. Behind it are two maps of what cached
// functions run on, so that a change elsewhere takes nothing away: bytes of pages by the lowest bits of their number, and of superpages.
import { Layout } from "../abi/layout";
import { currentHart, hart, hartCount, hartOf } from "./state";
import { MAP_SIZE, maySuperpageHold, noteSuperpage } from "./superpages";

const ENTRIES: u32 = 4096;
const LOG: u32 = ENTRIES * 16;
const PAGE_MAP: u32 = LOG + ENTRIES * 2;
const SUPERPAGE_MAP: u32 = PAGE_MAP + MAP_SIZE;
const SIZE: u32 = SUPERPAGE_MAP + MAP_SIZE;
/** Where the tables of all harts end. */
export const JUMPS_END: usize = <usize>Layout.TRANSLATOR + SIZE * <u32>Layout.MAX_HARTS;
/** Bits of an address that choose its entry, once shifted. */
export const INDEX_MASK: u32 = (ENTRIES - 1) << 4;
/** An address is shifted left by the one and right by the other, so that code at the same place of other pages goes elsewhere. */
export const INDEX_SHIFT: u32 = 3;
export const INDEX_FOLD: u32 = 9;
const GLOBAL: u32 = 1;

/** Offset of the entry for `pc` in the table. */
// @ts-ignore: decorator
@inline
export function jumpOffset(pc: u64): u32 {
  return ((<u32>pc << INDEX_SHIFT) ^ (<u32>pc >> INDEX_FOLD)) & INDEX_MASK;
}

// @ts-ignore: decorator
@inline
export function jumpTag(pc: u64, mode: u32): u64 {
  return (pc + 1) ^ ((<u64>mode) << 60);
}

function base(h: u32): u32 {
  return <u32>Layout.TRANSLATOR + h * SIZE;
}

/** Where the running hart's table is for good, or 0 if that depends on the hart. */
export function fixedJumps(): u32 {
  return hartCount() == 1 ? base(0) : 0;
}

/** Region that the running hart's cache knows for `pc` in `mode`, or 0. */
// @ts-ignore: decorator
@inline
export function lookupJump(pc: u64, mode: u32): u32 {
  const at = hart().jumps + jumpOffset(pc);
  return load<u64>(at) == jumpTag(pc, mode) ? load<u32>(at, 8) : 0;
}

/** Caches the function of `region`, whose pages are mapped as they were when it was translated. */
export function fillJump(pc: u64, mode: u32, region: u32, global: bool): void {
  const s = hart();
  const offset = jumpOffset(pc);
  const at = s.jumps + offset;
  if (load<u64>(at) == 0) {
    if (s.jumpLogCount >= ENTRIES) clearJumps(currentHart());
    store<u16>(s.jumps + LOG + (s.jumpLogCount << 1), <u16>(offset >> 4));
    s.jumpLogCount++;
  }
  store<u64>(at, jumpTag(pc, mode));
  store<u32>(at, region, 8);
  store<u32>(at, global ? GLOBAL : 0, 12);
}

/** Remembers that a cached function runs on the page of `va`, cut from one of 2^sizeLog2 bytes. */
export function noteJumpPage(va: u64, sizeLog2: u32): void {
  const s = hart();
  store<u8>(s.jumps + PAGE_MAP + pagePlace(va), 1);
  if (sizeLog2 > 12) s.jumpGigapages |= noteSuperpage(s.jumps + SUPERPAGE_MAP, va, sizeLog2);
}

// @ts-ignore: decorator
@inline
function pagePlace(va: u64): u32 {
  return (<u32>(va >> 12)) & (MAP_SIZE - 1);
}

/** Counts what took an entry away: code that is under way may not be what its address is mapped to any more. */
export let jumpEpoch: u32 = 0;

/** Empties the cache of hart `h`. */
export function clearJumps(h: u32): void {
  jumpEpoch++;
  const s = hartOf(h);
  const from = base(h);
  s.jumps = from;
  for (let i: u32 = 0, n = s.jumpLogCount; i < n; i++) {
    store<u64>(from + (<u32>load<u16>(from + LOG + (i << 1)) << 4), 0);
  }
  if (s.jumpLogCount != 0) memory.fill(from + PAGE_MAP, 0, 2 * MAP_SIZE);
  s.jumpLogCount = 0;
  s.jumpGigapages = 0;
}

/** Empties the caches of all harts: a function is no more. */
export function clearAllJumps(): void {
  for (let h: u32 = 0; h < hartCount(); h++) clearJumps(h);
}

/** As after reset, whatever the memory held. */
export function resetJumps(h: u32): void {
  memory.fill(base(h), 0, SIZE);
  hartOf(h).jumpLogCount = 0;
  clearJumps(h);
}

/** A change of address space: what lies on global pages stays. */
export function clearNonGlobalJumps(): void {
  jumpEpoch++;
  const s = hart();
  let kept: u32 = 0;
  for (let i: u32 = 0, n = s.jumpLogCount; i < n; i++) {
    const index = load<u16>(s.jumps + LOG + (i << 1));
    const at = s.jumps + (<u32>index << 4);
    if (load<u64>(at) == 0) continue;
    if (!(load<u32>(at, 12) & GLOBAL)) {
      store<u64>(at, 0);
      continue;
    }
    store<u16>(s.jumps + LOG + (kept << 1), index);
    kept++;
  }
  s.jumpLogCount = kept;
}

/** The mapping of the page of `va` changed, and of all of a superpage that holds it. */
export function clearJumpsOn(va: u64): void {
  const s = hart();
  const onPage = load<u8>(s.jumps + PAGE_MAP + pagePlace(va)) != 0;
  if (onPage || maySuperpageHold(s.jumps + SUPERPAGE_MAP, s.jumpGigapages, va)) clearJumps(currentHart());
}
