// Which pages of memory are in the balloon: a bit each at Layout.BALLOON, so that a page that
// a driver gives or takes twice counts once.
import { Gpa, Layout } from "../../abi/layout";
import { isBacked } from "../../memory/backed";
import { inRam, zeroMemory } from "../../memory/ram";

// @ts-ignore: decorator
@inline
function byteOf(page: u32): usize {
  return <usize>Layout.BALLOON + (page >> 3);
}

export function emptyBalloon(): void {
  memory.fill(<usize>Layout.BALLOON, 0, <usize>Layout.BALLOON_END - <usize>Layout.BALLOON);
}

/** Index of the page with guest page frame number `pfn` if it may be in the balloon: plain memory, not a disk's. Else ~0. */
function pageOf(pfn: u32): u32 {
  const gpa = <u64>pfn << 12;
  if (!inRam(gpa, 4096) || isBacked(gpa)) return ~0;
  return <u32>((gpa - <u64>(<u32>Gpa.RAM)) >> 12);
}

/** Puts a page in. Its contents are dead until it comes out, and read as zeros. Pages by which the balloon grew: 0 or 1; -1: no such page. */
export function inflatePage(pfn: u32): i32 {
  const page = pageOf(pfn);
  if (page == ~0) return -1;
  const bit = <u8>(<u32>1 << (page & 7));
  const before = load<u8>(byteOf(page));
  if ((before & bit) != 0) return 0;
  store<u8>(byteOf(page), before | bit);
  zeroMemory(<u64>pfn << 12, 4096);
  return 1;
}

/** Takes a page out. Pages by which the balloon shrank: 0 or 1; -1: no such page. */
export function deflatePage(pfn: u32): i32 {
  const page = pageOf(pfn);
  if (page == ~0) return -1;
  const bit = <u8>(<u32>1 << (page & 7));
  const before = load<u8>(byteOf(page));
  if ((before & bit) == 0) return 0;
  store<u8>(byteOf(page), before & ~bit);
  return 1;
}

/** Pages in the balloon, counted. */
export function balloonPages(): u32 {
  let count: u64 = 0;
  for (let at = <usize>Layout.BALLOON; at < <usize>Layout.BALLOON_END; at += 8) count += popcnt<u64>(load<u64>(at));
  return <u32>count;
}
