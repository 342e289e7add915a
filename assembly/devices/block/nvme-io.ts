// NVM command set (NVMe 1.4, 6): Read, Write, Flush, Compare, Write Zeroes, Dataset
// Management. Data goes between the host's disk and guest memory directly, one host call
// for each contiguous run.
//
// The volatile write cache is the host's; a write with Force Unit Access, or any while the
// cache is disabled, is followed by a flush. Only a flush can be under way when the call
// returns. Left out: reservations, Verify, Write Uncorrectable, fused operations, metadata
// and end-to-end protection; Identify promises none of them.
import { diskDiscard, diskFlush, diskRead, diskWrite } from "../../host";
import { dmaRead, dmaWrite } from "../../memory/ram";
import {
  ALL_NAMESPACES, BLOCK_SHIFT, Command, Limit, NAMESPACE, Nvme, PAGE_SIZE, Pending, Status, commandAt, pendingAt, scratchAt,
} from "./nvme-state";
import { copyFromGuest, nextRun, runAddress, runLength, runsRemain, startRuns } from "./nvme-prp";
import { freePending, promise } from "./nvme-queues";

const enum Opcode {
  FLUSH = 0x00,
  WRITE = 0x01,
  READ = 0x02,
  COMPARE = 0x05,
  WRITE_ZEROES = 0x08,
  DATASET_MANAGEMENT = 0x09,
}

const enum Errno {
  NOSPC = -28,
  ROFS = -30,
}

const enum DiscardKind {
  DISCARD = 0,
  WRITE_ZEROES = 1,
}

const FORCE_UNIT_ACCESS: u32 = 1 << 30;
const DEALLOCATE: u32 = 1 << 2;
const RANGE: u32 = 16;

/** Bytes of one block range on the disk, from CDW10 to CDW12. */
let offset: f64 = 0;
let length: u32 = 0;

/** Executes the command in commandAt(s), fetched from `sqId`. */
export function executeIo(s: Nvme, sqId: u32): Status {
  const c = commandAt(s);
  length = 0;
  if (c.flags != 0) return Status.INVALID_FIELD;
  if (c.nsid != NAMESPACE && !(c.nsid == ALL_NAMESPACES && c.opcode == <u8>Opcode.FLUSH)) return Status.INVALID_NAMESPACE;
  switch (<u32>c.opcode) {
    case Opcode.FLUSH:
      return flush(s, sqId, c);
    case Opcode.WRITE:
      return write(s, sqId, c);
    case Opcode.READ:
      return read(s, c);
    case Opcode.COMPARE:
      return compare(s, c);
    case Opcode.WRITE_ZEROES:
      return writeZeroes(s, sqId, c);
    case Opcode.DATASET_MANAGEMENT:
      return datasetManagement(s, c);
    default:
      return Status.INVALID_OPCODE;
  }
}

/** What the command executed last had to do with, in bytes. */
export function bytesMoved(): u32 {
  return length;
}

/** Sets offset and length from a command's block range; `limit` is the most bytes it may have. */
function blockRange(s: Nvme, c: Command, limit: u32): Status {
  const first = <u64>c.cdw10 | (<u64>c.cdw11 << 32);
  const count = (c.cdw12 & 0xffff) + 1;
  if (count << BLOCK_SHIFT > limit) return Status.INVALID_FIELD;
  if (first >= s.blocks || <u64>count > s.blocks - first) return Status.LBA_OUT_OF_RANGE;
  offset = <f64>(first << BLOCK_SHIFT);
  length = count << BLOCK_SHIFT;
  return Status.SUCCESS;
}

/** What a negative errno of the backend means to the driver. */
function diskStatus(s: Nvme, errno: i32, otherwise: Status): Status {
  if (errno >= 0) return Status.SUCCESS;
  if (errno == Errno.ROFS) return Status.NAMESPACE_WRITE_PROTECTED;
  if (errno == Errno.NOSPC) return Status.CAPACITY_EXCEEDED;
  s.mediaErrors++;
  return otherwise;
}

function read(s: Nvme, c: Command): Status {
  let status = blockRange(s, c, Limit.TRANSFER);
  if (status == Status.SUCCESS) status = startRuns(c.prp1, c.prp2, length);
  let at = offset;
  while (status == Status.SUCCESS && runsRemain()) {
    status = nextRun();
    if (status != Status.SUCCESS) break;
    const to = dmaWrite(runAddress, runLength);
    if (to == 0) return Status.DATA_TRANSFER_ERROR;
    status = diskStatus(s, diskRead(s.backend, at, to, runLength), Status.UNRECOVERED_READ_ERROR);
    at += <f64>runLength;
  }
  if (status != Status.SUCCESS) return status;
  s.readCommands++;
  s.blocksRead += length >> BLOCK_SHIFT;
  return Status.SUCCESS;
}

function write(s: Nvme, sqId: u32, c: Command): Status {
  if (s.readOnly != 0) return Status.NAMESPACE_WRITE_PROTECTED;
  let status = blockRange(s, c, Limit.TRANSFER);
  if (status == Status.SUCCESS) status = startRuns(c.prp1, c.prp2, length);
  let at = offset;
  while (status == Status.SUCCESS && runsRemain()) {
    status = nextRun();
    if (status != Status.SUCCESS) break;
    const from = dmaRead(runAddress, runLength);
    if (from == 0) return Status.DATA_TRANSFER_ERROR;
    status = diskStatus(s, diskWrite(s.backend, at, from, runLength), Status.WRITE_FAULT);
    at += <f64>runLength;
  }
  if (status != Status.SUCCESS) return status;
  s.writeCommands++;
  s.blocksWritten += length >> BLOCK_SHIFT;
  return settle(s, sqId, c);
}

/** Compares guest memory with the disk, a page at a time. */
function compare(s: Nvme, c: Command): Status {
  let status = blockRange(s, c, Limit.TRANSFER);
  if (status == Status.SUCCESS) status = startRuns(c.prp1, c.prp2, length);
  const scratch = scratchAt(s);
  let at = offset;
  while (status == Status.SUCCESS && runsRemain()) {
    status = nextRun();
    if (status != Status.SUCCESS) break;
    const guest = dmaRead(runAddress, runLength);
    if (guest == 0) return Status.DATA_TRANSFER_ERROR;
    for (let done: u32 = 0; done < runLength; done += PAGE_SIZE) {
      const part = min(PAGE_SIZE, runLength - done);
      status = diskStatus(s, diskRead(s.backend, at, scratch, part), Status.UNRECOVERED_READ_ERROR);
      if (status != Status.SUCCESS) return status;
      if (memory.compare(scratch, guest + done, part) != 0) return Status.COMPARE_FAILURE;
      at += <f64>part;
    }
  }
  if (status == Status.SUCCESS) s.readCommands++;
  return status;
}

function writeZeroes(s: Nvme, sqId: u32, c: Command): Status {
  if (s.readOnly != 0) return Status.NAMESPACE_WRITE_PROTECTED;
  // The data never crosses the bus, so MDTS does not bound it: 65,536 blocks are 32 MiB.
  let status = blockRange(s, c, 0x1_0000 << BLOCK_SHIFT);
  if (status != Status.SUCCESS) return status;
  status = diskStatus(s, diskDiscard(s.backend, offset, <f64>length, DiscardKind.WRITE_ZEROES), Status.WRITE_FAULT);
  return status == Status.SUCCESS ? settle(s, sqId, c) : status;
}

/** Up to 256 ranges, of which only deallocation means something here; hints are taken and forgotten. */
function datasetManagement(s: Nvme, c: Command): Status {
  const ranges = (c.cdw10 & 0xff) + 1;
  const scratch = scratchAt(s);
  const status = copyFromGuest(c.prp1, c.prp2, scratch, ranges * RANGE);
  if (status != Status.SUCCESS) return status;
  for (let i: u32 = 0; i < ranges; i++) {
    const at = scratch + <usize>(i * RANGE);
    const count = <u64>load<u32>(at, 4);
    const first = load<u64>(at, 8);
    if (first > s.blocks || count > s.blocks - first) return Status.LBA_OUT_OF_RANGE;
  }
  if ((c.cdw11 & DEALLOCATE) == 0) return Status.SUCCESS;
  if (s.readOnly != 0) return Status.NAMESPACE_WRITE_PROTECTED;
  for (let i: u32 = 0; i < ranges; i++) {
    const at = scratch + <usize>(i * RANGE);
    const bytes = <f64>load<u32>(at, 4) * <f64>(1 << BLOCK_SHIFT);
    if (bytes == 0) continue;
    const errno = diskDiscard(s.backend, <f64>(load<u64>(at, 8) << BLOCK_SHIFT), bytes, DiscardKind.DISCARD);
    const result = diskStatus(s, errno, Status.WRITE_FAULT);
    if (result != Status.SUCCESS) return result;
  }
  return Status.SUCCESS;
}

/** After a write: durable at once if the command or the cache setting says so. */
function settle(s: Nvme, sqId: u32, c: Command): Status {
  return (c.cdw12 & FORCE_UNIT_ACCESS) != 0 || s.writeCache == 0 ? flush(s, sqId, c) : Status.SUCCESS;
}

function flush(s: Nvme, sqId: u32, c: Command): Status {
  const index = freePending(s);
  const answer = diskFlush(s.backend, pendingTag(s, index));
  if (answer != 1) return diskStatus(s, answer, Status.WRITE_FAULT);
  const p = pendingAt(s, index);
  p.used = 1;
  p.submissionQueue = sqId;
  p.command = c.id;
  promise(s, sqId);
  return Status.PENDING;
}

/** Tag of a flush under way: the controller's generation, then the place. */
export function pendingTag(s: Nvme, index: u32): u32 {
  return (s.generation << 8) | index;
}

/** Ends the flush in place `index`; the caller completes the command. */
export function endFlush(s: Nvme, index: u32, errno: i32): Status {
  memory.fill(changetype<usize>(pendingAt(s, index)), 0, offsetof<Pending>());
  return diskStatus(s, errno, Status.WRITE_FAULT);
}
