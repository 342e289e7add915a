// What was learnt of single loads and stores while their region ran, by a hash of their
// address. One that finds its base register's page changed all the time is looked up in the
// TLB at once, in the next translation; one whose group was left for the interpreter again
// and again is checked alone.
import { Machine } from "../abi/layout";
import { SITE_COUNT, SITE_MISSES, SITES } from "./buffers";

// A site: bit 0 changes pages too often, bit 1 checked alone; bits 15:6 page changes since the last look.
const TOO_MANY: u16 = 1;
const ALONE: u16 = 2;
/** A change, and the bits that count them: once they are all zero again, there were too many. */
export const CHANGE: i32 = 0x40;
export const CHANGES: i32 = 0xffc0;
/** When a region is translated anew, so many changes are enough for the other sites. */
const MANY: u32 = 0x40 * 128;

/** Groups that miss this often between two looks are none any more. */
const MOST_MISSES: u32 = 64;
/** Slices between two looks. */
const PERIOD: u32 = 16;

let slices: u32 = 0;
export function resetSites(): void {
  memory.fill(SITES, 0, <usize>SITE_COUNT * 2);
  memory.fill(SITE_MISSES, 0, SITE_COUNT);
}

/** Address of the site of the access at `pc`. */
export function siteOf(pc: u64): usize {
  return SITES + ((<usize>(pc >> 1) & (SITE_COUNT - 1)) << 1);
}

/** Does the access at `pc` find another page most of the time? */
export function changesPages(pc: u64): bool {
  return (load<u16>(siteOf(pc)) & TOO_MANY) != 0;
}

export function isAlone(pc: u64): bool {
  return (load<u16>(siteOf(pc)) & ALONE) != 0;
}

/** What translated code reports of an access that it leaves to the interpreter. */
export const enum SiteReport { NONE = 0, CHANGES_PAGES = 1, GROUP_MISSED = 2 }

/** The access at `pc` was left to the interpreter. True if its region is to be translated anew. */
export function noteMiss(pc: u64): bool {
  const report = load<u32>(<usize>Machine.SITE_REPORT);
  if (report == <u32>SiteReport.NONE) return false;
  store<u32>(<usize>Machine.SITE_REPORT, SiteReport.NONE);
  const site = siteOf(pc);
  if (report == <u32>SiteReport.CHANGES_PAGES) {
    store<u16>(site, load<u16>(site) | TOO_MANY);
    judgeOthers();
    return true;
  }
  const at = SITE_MISSES + ((site - SITES) >> 1);
  const misses = <u32>load<u8>(at) + 1;
  if (misses < MOST_MISSES) {
    store<u8>(at, <u8>misses);
    return false;
  }
  if (load<u16>(site) & ALONE) return false;
  store<u16>(site, load<u16>(site) | ALONE);
  return true;
}

/** Whoever is on the way to too many changes need not report them one by one, each with a translation of its own. */
function judgeOthers(): void {
  for (let at = SITES, end = SITES + <usize>SITE_COUNT * 2; at < end; at += 2) {
    const site = load<u16>(at);
    if (site >= MANY) store<u16>(at, site | TOO_MANY);
  }
}

/** A slice is over: changes count within a period alone. */
export function ageSites(): void {
  if (++slices < PERIOD) return;
  slices = 0;
  memory.fill(SITE_MISSES, 0, SITE_COUNT);
  const keep = ~((<u64>CHANGES) * 0x0001_0001_0001_0001);
  for (let at = SITES, end = SITES + <usize>SITE_COUNT * 2; at < end; at += 8) store<u64>(at, load<u64>(at) & keep);
}
