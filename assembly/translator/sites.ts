// What was learnt of single loads and stores while their region ran, by a hash of their
// place in memory (insn.ts). One that finds its base register's page changed every few steps is looked up in the
// TLB at once, in the next translation; one whose group was left for the interpreter again
// and again is checked alone, for any alignment, as is one that is misaligned.
import { Machine } from "../abi/layout";
import { SITE_COUNT, SITE_SIZE, SITES } from "./buffers";

// A site:
//   u16 state   bit 0 changes pages too often, bit 1 checked alone; bits 15:6 page changes since the last look
//   u8  misses  how often a group that begins there, or a misaligned access, was left to the interpreter
//   u8  unused
//   u32 steps   that were left at the last change
const MISSES: usize = 2;
export const LAST_CHANGE: u32 = 4;
const TOO_MANY: u16 = 1;
const ALONE: u16 = 2;
/** A change, and the bits that count them: once they are all zero again, there were too many. */
export const CHANGE: i32 = 0x40;
export const CHANGES: i32 = 0xffc0;
/** When a region is translated anew, so many changes are enough for the other sites. */
const MANY: u32 = 0x40 * 128;
/**
 * A change counts if another came so few times of the region's longest path before: seldomer ones, as of pointers that
 * run over memory, cost less than a look at the TLB each time.
 */
export const SOON: u32 = 4;

/** Groups that miss this often between two looks are none any more. */
const MOST_MISSES: u32 = 64;
/** Slices between two looks. */
const PERIOD: u32 = 16;

let slices: u32 = 0;
export function resetSites(): void {
  memory.fill(SITES, 0, <usize>SITE_COUNT * SITE_SIZE);
}

/** Address of the site of the access at `place`. */
export function siteOf(place: u32): usize {
  return SITES + (<usize>((place >> 1) ^ (place >> 13) * 0x9e5) & (SITE_COUNT - 1)) * SITE_SIZE;
}

/** Does the access at `place` find another page most of the time? */
export function changesPages(place: u32): bool {
  return (load<u16>(siteOf(place)) & TOO_MANY) != 0;
}

export function isAlone(place: u32): bool {
  return (load<u16>(siteOf(place)) & ALONE) != 0;
}

/** What translated code reports of an access that it leaves to the interpreter. */
export const enum SiteReport { NONE = 0, CHANGES_PAGES = 1, GROUP_MISSED = 2, ALIGNED_MISSED = 3 }

/** What translated code said of the access that it left to the interpreter last; only once. */
// @ts-ignore: decorator
@inline
export function takeReport(): SiteReport {
  const report = <SiteReport>load<u32>(<usize>Machine.SITE_REPORT);
  store<u32>(<usize>Machine.SITE_REPORT, SiteReport.NONE);
  return report;
}

/** The access at `place` was left to the interpreter with a report. True if its region is to be translated anew. */
export function noteMiss(report: SiteReport, place: u32): bool {
  const site = siteOf(place);
  if (report == SiteReport.CHANGES_PAGES) {
    store<u16>(site, load<u16>(site) | TOO_MANY);
    judgeOthers();
    return true;
  }
  const misses = <u32>load<u8>(site, MISSES) + 1;
  if (misses < MOST_MISSES) {
    store<u8>(site, <u8>misses, MISSES);
    return false;
  }
  if (load<u16>(site) & ALONE) return false;
  store<u16>(site, load<u16>(site) | ALONE);
  return true;
}

/** Whoever is on the way to too many changes need not report them one by one, each with a translation of its own. */
function judgeOthers(): void {
  for (let at = SITES, end = SITES + <usize>SITE_COUNT * SITE_SIZE; at < end; at += SITE_SIZE) {
    const site = load<u16>(at);
    if (site >= MANY) store<u16>(at, site | TOO_MANY);
  }
}

/** A slice is over: changes count within a period alone. */
export function ageSites(): void {
  if (++slices < PERIOD) return;
  slices = 0;
  const keep: u64 = 0xffff_ffff_0000_0000 | <u64>(~CHANGES & 0xffff);
  for (let at = SITES, end = SITES + <usize>SITE_COUNT * SITE_SIZE; at < end; at += SITE_SIZE) {
    store<u64>(at, load<u64>(at) & keep);
  }
}
