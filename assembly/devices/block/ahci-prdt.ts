// Physical Region Descriptor Tables (4.2.3.3): where in guest memory a command's data goes.
// An entry is {base u64, reserved u32, count u32}: bytes minus one in bits 21:0 (bit 0 must be
// one, so lengths are even), bit 31 asks for an interrupt once the entry is processed.
//
// A table has at most 65,535 entries, each at least two bytes and at most 4 MiB, so the walk
// is bounded by the table and by the command's length. Entries are read once each, when
// their turn comes.
import { dmaRead, dmaWrite } from "../../memory/ram";

const ENTRY: u32 = 16;
const COUNT: u32 = 0x3f_ffff;
const INTERRUPT: u32 = 1 << 31;

/** How a walk goes on. */
export const enum Run {
  FOUND = 0,
  /** The table is at its end before the data is. */
  SHORT = 1,
  /** An address outside memory. */
  OUTSIDE = 2,
}

/** The run that the last nextRun() found. */
export let runAddress: u64 = 0;
export let runLength: u32 = 0;
/** An entry that asked for an interrupt was processed. */
export let interruptAsked: bool = false;
/** Bytes found so far: PRDBC. */
export let bytesFound: u32 = 0;
/** Entries read since clearWork(). */
export let entriesRead: u32 = 0;

// The walk's position: a command is served from beginning to end, so it need not survive.
let table: u64 = 0;
let entries: u32 = 0;

export function clearWork(): void {
  entriesRead = 0;
}

export function startRuns(at: u64, count: u32): void {
  table = at;
  entries = count;
  interruptAsked = false;
  bytesFound = 0;
}

/** Finds the next run, of at most `most` bytes, not 0. */
export function nextRun(most: u32): Run {
  if (entries == 0) return Run.SHORT;
  const entry = dmaRead(table, ENTRY);
  if (entry == 0) return Run.OUTSIDE;
  table += ENTRY;
  entries--;
  entriesRead++;
  const count = load<u32>(entry, 12);
  runAddress = load<u64>(entry) & ~(<u64>1);
  runLength = min(((count & COUNT) | 1) + 1, most);
  bytesFound += runLength;
  if ((count & INTERRUPT) != 0) interruptAsked = true;
  return Run.FOUND;
}

/** Copies `length` bytes from `source` to the guest. */
export function copyToGuest(source: usize, length: u32): Run {
  for (let done: u32 = 0; done < length; done += runLength) {
    const run = nextRun(length - done);
    if (run != Run.FOUND) return run;
    const to = dmaWrite(runAddress, runLength);
    if (to == 0) return Run.OUTSIDE;
    memory.copy(to, source + done, runLength);
  }
  return Run.FOUND;
}

/** Copies `length` bytes from the guest to `target`. */
export function copyFromGuest(target: usize, length: u32): Run {
  for (let done: u32 = 0; done < length; done += runLength) {
    const run = nextRun(length - done);
    if (run != Run.FOUND) return run;
    const from = dmaRead(runAddress, runLength);
    if (from == 0) return Run.OUTSIDE;
    memory.copy(target + done, from, runLength);
  }
  return Run.FOUND;
}
