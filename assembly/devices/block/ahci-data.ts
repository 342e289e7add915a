// What a drive does with its sectors: read, write, verify, trim, flush. Data goes between the
// host's disk and guest memory directly, one host call for each run of the descriptor table.
//
// The write cache is the host's; a write with Force Unit Access, or any while the cache is
// disabled, is followed by a flush. Only a flush can be under way when the call returns.
//
// A fixed ATA drive has no way to say that it is write protected, so a driver finds out when
// it writes: the command ends with ABRT and WP (the bit that is UNC for reads). Other errors
// of the host's disk are UNC for reads and a device fault for writes.
import { diskDiscard, diskFlush, diskRead, diskWrite } from "../../host";
import { dmaRead, dmaWrite } from "../../memory/ram";
import { Run, copyFromGuest, copyToGuest, nextRun, runAddress, runLength } from "./ahci-prdt";
import { Ata, Is, PortState, SCRATCH_SIZE, SECTOR, SECTOR_SHIFT, Taskfile, scratch, taskfileOf } from "./ahci-state";

/** How a command ends. */
export const enum Outcome {
  /** With a register frame; well. */
  DONE = 0,
  /** Well, its data having gone to the host by PIO. */
  PIO = 1,
  /** With the error in the task file. */
  ERROR = 2,
  /** Later: the host flushes. */
  PENDING = 3,
  /** It reached for an address outside memory. */
  OUTSIDE = 4,
}

const EROFS: i32 = -30;
const DISCARD: u32 = 0;
const RANGE: u32 = 8;
/** Most ranges looked at together: the scratch page's. */
const RANGES: u32 = SCRATCH_SIZE / RANGE;

/** Ends the command with `error`. */
export function fail(t: Taskfile, error: u32): Outcome {
  t.status = Ata.GOOD | Ata.ERR;
  t.error = error;
  return Outcome.ERROR;
}

/** The drive could not do what it should: a device fault. */
function fault(p: PortState): Outcome {
  const t = taskfileOf(p);
  p.mediaErrors++;
  t.status = Ata.GOOD | Ata.DF | Ata.ERR;
  t.error = Ata.ABRT;
  return Outcome.ERROR;
}

function writeFailed(p: PortState, errno: i32): Outcome {
  return errno == EROFS ? fail(taskfileOf(p), Ata.ABRT | Ata.WP) : fault(p);
}

/** A walk that could not go on: without descriptors there is nowhere for the data. */
function walkEnded(p: PortState, run: Run): Outcome {
  if (run == Run.OUTSIDE) return Outcome.OUTSIDE;
  p.is |= Is.OFS;
  return fail(taskfileOf(p), Ata.ABRT);
}

/** `length` bytes of the scratch page go to the guest: by PIO, or by DMA. */
export function answer(p: PortState, length: u32, dma: bool): Outcome {
  const run = copyToGuest(scratch(), length);
  if (run != Run.FOUND) return walkEnded(p, run);
  return dma ? Outcome.DONE : Outcome.PIO;
}

export function inCapacity(p: PortState, lba: u64, sectors: u64): bool {
  return lba < p.sectors && sectors <= p.sectors - lba;
}

export function readSectors(p: PortState, lba: u64, sectors: u32, ended: Outcome): Outcome {
  const t = taskfileOf(p);
  if (!inCapacity(p, lba, sectors)) return fail(t, Ata.IDNF);
  let at = <f64>(lba << SECTOR_SHIFT);
  for (let left = sectors << SECTOR_SHIFT; left != 0; left -= runLength) {
    const run = nextRun(left);
    if (run != Run.FOUND) return walkEnded(p, run);
    const to = dmaWrite(runAddress, runLength);
    if (to == 0) return Outcome.OUTSIDE;
    if (diskRead(p.backend, at, to, runLength) != 0) {
      p.mediaErrors++;
      t.lba = <u64>at >> SECTOR_SHIFT;
      return fail(t, Ata.UNC);
    }
    at += <f64>runLength;
  }
  p.sectorsRead += sectors;
  return ended;
}

/** `through`: the data must be durable before the command ends. */
export function writeSectors(p: PortState, slot: u32, lba: u64, sectors: u32, through: bool): Outcome {
  const t = taskfileOf(p);
  if (!inCapacity(p, lba, sectors)) return fail(t, Ata.IDNF);
  if (p.readOnly != 0) return fail(t, Ata.ABRT | Ata.WP);
  let at = <f64>(lba << SECTOR_SHIFT);
  for (let left = sectors << SECTOR_SHIFT; left != 0; left -= runLength) {
    const run = nextRun(left);
    if (run != Run.FOUND) return walkEnded(p, run);
    const from = dmaRead(runAddress, runLength);
    if (from == 0) return Outcome.OUTSIDE;
    const errno = diskWrite(p.backend, at, from, runLength);
    if (errno != 0) {
      t.lba = <u64>at >> SECTOR_SHIFT;
      return writeFailed(p, errno);
    }
    at += <f64>runLength;
  }
  p.sectorsWritten += sectors;
  return through || p.writeCache == 0 ? flush(p, slot) : Outcome.DONE;
}

/** Reads without telling the host what. */
export function verifySectors(p: PortState, lba: u64, sectors: u32): Outcome {
  const t = taskfileOf(p);
  if (!inCapacity(p, lba, sectors)) return fail(t, Ata.IDNF);
  let at = lba << SECTOR_SHIFT;
  for (let left = sectors << SECTOR_SHIFT; left != 0; ) {
    const part = min(left, SCRATCH_SIZE);
    if (diskRead(p.backend, <f64>at, scratch(), part) != 0) {
      p.mediaErrors++;
      t.lba = at >> SECTOR_SHIFT;
      return fail(t, Ata.UNC);
    }
    at += part;
    left -= part;
  }
  return Outcome.DONE;
}

/** DATA SET MANAGEMENT with TRIM (ACS, 7.6): ranges {lba 48 bits, sectors 16 bits}; all are checked before the first is forgotten. */
export function trim(p: PortState, blocks: u32): Outcome {
  const t = taskfileOf(p);
  const run = copyFromGuest(scratch(), blocks << SECTOR_SHIFT);
  if (run != Run.FOUND) return walkEnded(p, run);
  const ranges = min(blocks * (SECTOR / RANGE), RANGES);
  for (let i: u32 = 0; i < ranges; i++) {
    const range = load<u64>(scratch() + <usize>(i * RANGE));
    const sectors = range >> 48;
    if (sectors != 0 && !inCapacity(p, range & 0xffff_ffff_ffff, sectors)) return fail(t, Ata.IDNF | Ata.ABRT);
  }
  if (p.readOnly != 0) return fail(t, Ata.ABRT | Ata.WP);
  for (let i: u32 = 0; i < ranges; i++) {
    const range = load<u64>(scratch() + <usize>(i * RANGE));
    const bytes = (range >> 48) << SECTOR_SHIFT;
    if (bytes == 0) continue;
    const errno = diskDiscard(p.backend, <f64>((range & 0xffff_ffff_ffff) << SECTOR_SHIFT), <f64>bytes, DISCARD);
    if (errno != 0) return writeFailed(p, errno);
  }
  return Outcome.DONE;
}

/** Makes what was written durable, at once or under way. */
export function flush(p: PortState, slot: u32): Outcome {
  if (p.readOnly != 0) return Outcome.DONE;
  const result = diskFlush(p.backend, flushTag(p, slot));
  if (result == 1) return Outcome.PENDING;
  return result == 0 ? Outcome.DONE : flushFailed(p);
}

export function flushFailed(p: PortState): Outcome {
  return fault(p);
}

/** Tag of a flush under way: which of the port's lives, then the slot. */
export function flushTag(p: PortState, slot: u32): u32 {
  return (p.generation << 8) | slot;
}
