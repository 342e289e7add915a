// Data pointers: Physical Region Pages (NVMe 1.4, 4.3), turned into runs of contiguous
// guest memory.
//
//   PRP1  the first page, may start anywhere in it (dword aligned)
//   PRP2  the second page if two suffice, else a list of page addresses; when a list's
//         last entry would not be the last page, it is the address of the next list
//
// Every page but the first starts at offset 0. A transfer is at most Limit.TRANSFER, each
// chained list yields 511 pages, so the walk is bounded by the length. List entries are
// read once each. Left out: scatter gather lists (SGLS says so) and metadata.
import { dmaRead, dmaWrite } from "../../memory/ram";
import { PAGE_SIZE, Status } from "./nvme-state";

const PAGE_MASK: u32 = PAGE_SIZE - 1;
const ENTRY: u32 = 8;

/** The run that the last nextRun() found. */
export let runAddress: u64 = 0;
export let runLength: u32 = 0;

// The walk's position: a command is served from beginning to end, so it need not survive.
let remaining: u32 = 0;
let nextPage: u64 = 0;
let pages: u32 = 0;
let second: u64 = 0;
let list: u64 = 0;

/** Starts a walk over `length` bytes, not 0. */
export function startRuns(prp1: u64, prp2: u64, length: u32): Status {
  if ((prp1 & 3) != 0) return Status.PRP_OFFSET_INVALID;
  const first = min(length, PAGE_SIZE - (<u32>prp1 & PAGE_MASK));
  remaining = length;
  nextPage = prp1;
  pages = (length - first + PAGE_MASK) / PAGE_SIZE;
  second = 0;
  list = 0;
  if (pages == 1) {
    if ((prp2 & PAGE_MASK) != 0) return Status.PRP_OFFSET_INVALID;
    second = prp2;
  } else if (pages > 1) {
    if ((prp2 & (ENTRY - 1)) != 0) return Status.PRP_OFFSET_INVALID;
    list = prp2;
  }
  return Status.SUCCESS;
}

/** Bytes that are still to come. */
export function runsRemain(): bool {
  return remaining != 0;
}

/** Finds the next run, as long as memory is contiguous. */
export function nextRun(): Status {
  runAddress = nextPage;
  runLength = 0;
  let expected = nextPage;
  while (remaining != 0 && nextPage == expected) {
    const part = min(remaining, PAGE_SIZE - (<u32>nextPage & PAGE_MASK));
    runLength += part;
    remaining -= part;
    expected = nextPage + part;
    if (remaining == 0) break;
    const status = advance();
    if (status != Status.SUCCESS) return status;
  }
  return Status.SUCCESS;
}

/** Sets nextPage to the page that follows. */
function advance(): Status {
  if (list == 0) {
    nextPage = second;
    return Status.SUCCESS;
  }
  // The last entry of a list page, with more than one page to go, is the next list.
  if ((<u32>list & PAGE_MASK) == PAGE_SIZE - ENTRY && pages > 1) {
    const link = dmaRead(list, ENTRY);
    if (link == 0) return Status.DATA_TRANSFER_ERROR;
    list = load<u64>(link);
    if ((list & PAGE_MASK) != 0) return Status.PRP_OFFSET_INVALID;
  }
  const entry = dmaRead(list, ENTRY);
  if (entry == 0) return Status.DATA_TRANSFER_ERROR;
  nextPage = load<u64>(entry);
  if ((nextPage & PAGE_MASK) != 0) return Status.PRP_OFFSET_INVALID;
  list += ENTRY;
  pages--;
  return Status.SUCCESS;
}

/** Copies `available` bytes from `source` to the guest, then zeroes up to `length`. */
export function copyToGuest(prp1: u64, prp2: u64, source: usize, available: u32, length: u32): Status {
  let status = startRuns(prp1, prp2, length);
  let done: u32 = 0;
  while (status == Status.SUCCESS && runsRemain()) {
    status = nextRun();
    if (status != Status.SUCCESS) break;
    const to = dmaWrite(runAddress, runLength);
    if (to == 0) return Status.DATA_TRANSFER_ERROR;
    const data = done < available ? min(runLength, available - done) : 0;
    memory.copy(to, source + done, data);
    memory.fill(to + data, 0, runLength - data);
    done += runLength;
  }
  return status;
}

/** Copies `length` bytes from the guest to `target`. */
export function copyFromGuest(prp1: u64, prp2: u64, target: usize, length: u32): Status {
  let status = startRuns(prp1, prp2, length);
  let done: u32 = 0;
  while (status == Status.SUCCESS && runsRemain()) {
    status = nextRun();
    if (status != Status.SUCCESS) break;
    const from = dmaRead(runAddress, runLength);
    if (from == 0) return Status.DATA_TRANSFER_ERROR;
    memory.copy(target + done, from, runLength);
    done += runLength;
  }
  return status;
}
