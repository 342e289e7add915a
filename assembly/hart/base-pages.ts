// What translated code remembers of the pages that its base registers point to, so that most
// accesses need no look into the TLB. A table for each privilege mode, with two entries for
// each register, for loads and for stores:
//
//   entry  i64 page    virtual page that the register pointed to last, or all bits set
//          u32 addend  host address = u32(virtual address) + addend
//          u32 unused
//
// All regions of a mode share its table, across their calls. It is memory, not locals of a function:
// these would be loop variables that compilers shuffle between registers and stack all the time.
// An entry is as good as one of the TLB: it goes with any flush, when the mode's bank
// changes (SUM, another hart), and when a page may not be written fast any more.
import { BasePage, Layout } from "../abi/layout";
import { Mode } from "./state";

/** u32 a table: the bank of the TLB that its entries are from. */
const BANKS: usize = <usize>Layout.BASE_PAGES + <usize>BasePage.TABLES * <usize>BasePage.TABLE;
/** u32 a table: not 0 since translated code wrote an entry. Most flushes find tables that are empty. */
const WRITTEN: usize = BANKS + 16;

// @ts-ignore: decorator
@inline
function tableOf(mode: u32): u32 {
  return mode == <u32>Mode.M ? 2 : mode;
}

/** Address of the entry of register `base`. */
export function basePage(mode: u32, base: u32, write: bool): u32 {
  return <u32>Layout.BASE_PAGES + tableOf(mode) * <u32>BasePage.TABLE + (base * 2 + u32(write)) * <u32>BasePage.ENTRY;
}

/** As after reset. All bits set are the page of no address: accesses clear those below a page's, but the lowest three. */
export function resetBasePages(): void {
  memory.fill(<usize>Layout.BASE_PAGES, 0xff, BANKS - <usize>Layout.BASE_PAGES);
}

/** Empties all tables. */
export function forgetBasePages(): void {
  for (let table: u32 = 0; table < <u32>BasePage.TABLES; table++) empty(table);
}

function empty(table: u32): void {
  const written = WRITTEN + (<usize>table << 2);
  if (load<u32>(written) == 0) return;
  store<u32>(written, 0);
  memory.fill(<usize>Layout.BASE_PAGES + <usize>table * <usize>BasePage.TABLE, 0xff, <usize>BasePage.TABLE);
}

/** Where translated code of `mode` says that it wrote an entry. */
export function basePagesWritten(mode: u32): u32 {
  return <u32>WRITTEN + (tableOf(mode) << 2);
}

/** Code of `mode` is about to run, with loads and stores by this bank of the TLB. */
export function useBasePages(mode: u32, bank: u32): void {
  const table = tableOf(mode);
  const at = BANKS + (<usize>table << 2);
  if (load<u32>(at) == bank) return;
  store<u32>(at, bank);
  empty(table);
}
