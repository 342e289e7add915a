// Submission and completion queues (NVMe 1.4, 4.1 and 7.2): fetching commands, posting
// completions, and the interrupt that follows from them.
//
// A command is fetched only if its completion has a place: entries posted and not yet
// consumed, plus those promised to commands under way, must leave a free one. So a driver
// that is slow to consume slows its own submissions and nothing is ever overwritten.
import { dmaRead, dmaWrite } from "../../memory/ram";
import { busMaster } from "../pci/function";
import { setIntx } from "../pci/intx";
import { clearMsix, msixEnabled, raiseMsix } from "../pci/msix";
import { waited } from "./moderation";
import { Command, CompletionQueue, Limit, Nvme, Pending, Status, SubmissionQueue, commandAt, cqAt, pendingAt, sqAt } from "./nvme-state";

const SQ_ENTRY: u32 = 64;
const CQ_ENTRY: u32 = 16;

/** CSTS bits (3.1.6). */
export const enum Csts {
  READY = 1 << 0,
  FATAL = 1 << 1,
  SHUTDOWN_OCCURRING = 1 << 2,
  SHUTDOWN_COMPLETE = 2 << 2,
  SHUTDOWN_MASK = 3 << 2,
}

/** The controller can go no further until it is reset. */
export function fatal(s: Nvme): void {
  s.csts |= <u32>Csts.FATAL;
}

export function running(s: Nvme): bool {
  return (s.csts & <u32>(Csts.READY | Csts.FATAL)) == <u32>Csts.READY;
}

/**
 * Interrupts follow the completion queues. The pin is high while any unmasked one has something to
 * consume (7.5.1.1). With MSI-X a queue that was posted to sends its vector, once for all that one doorbell
 * completed; a vector that is masked stays pending while one of its queues has something (7.5.1.2).
 */
export function updateInterrupt(s: Nvme): void {
  let level = false;
  let posted: u64 = 0;
  let unconsumed: u64 = 0;
  for (let id: u32 = 0; id < <u32>Limit.QUEUES; id++) {
    const cq = cqAt(s, id);
    if (cq.size == 0 || cq.interrupts == 0) continue;
    if (cq.head == cq.tail) cq.waits = 0;
    else if (cq.waits != 0) continue;
    else {
      unconsumed |= (<u64>1) << <u64>cq.vector;
      if (cq.posted != 0) posted |= (<u64>1) << <u64>cq.vector;
      if (((s.intms >> cq.vector) & 1) == 0) level = true;
    }
    cq.posted = 0;
  }
  setIntx(s.slot, level);
  if (!msixEnabled(s.slot)) return;
  for (; posted != 0; posted &= posted - 1) raiseMsix(s.slot, <u32>ctz(posted));
  clearMsix(s.slot, ~unconsumed);
}

/** True if an interrupt for what will be posted to the queue may wait: none is out for it, and the driver has not forbidden it (feature 09h). */
export function isQuiet(s: Nvme, cq: CompletionQueue): bool {
  if (((s.vectorConfig >> cq.vector) & 1) != 0) return false;
  return cq.interrupts != 0 && (cq.waits != 0 || cq.head == cq.tail);
}

/** The interrupts that waited go out. */
export function sendWaiting(s: Nvme): void {
  for (let id: u32 = 0; id < <u32>Limit.QUEUES; id++) cqAt(s, id).waits = 0;
  waited(s.backend);
  updateInterrupt(s);
}

export function createSubmissionQueue(q: SubmissionQueue, base: u64, size: u32, completionQueue: u32): void {
  memory.fill(changetype<usize>(q), 0, offsetof<SubmissionQueue>());
  q.base = base;
  q.size = size;
  q.completionQueue = completionQueue;
}

export function createCompletionQueue(q: CompletionQueue, base: u64, size: u32, vector: u32, interrupts: bool): void {
  memory.fill(changetype<usize>(q), 0, offsetof<CompletionQueue>());
  q.base = base;
  q.size = size;
  q.phase = 1;
  q.vector = vector;
  q.interrupts = interrupts ? 1 : 0;
}

/** Entries that the driver has yet to consume. */
function unconsumed(cq: CompletionQueue): u32 {
  return cq.tail >= cq.head ? cq.tail - cq.head : cq.tail + cq.size - cq.head;
}

/** True if one more command may be fetched for this queue. */
export function hasRoom(cq: CompletionQueue): bool {
  return cq.size != 0 && unconsumed(cq) + cq.promised + 1 < cq.size;
}

/** A new submission queue tail from its doorbell; false if no queue could have it. */
export function setTail(sq: SubmissionQueue, tail: u32): bool {
  if (tail >= sq.size) return false;
  sq.tail = tail;
  return true;
}

/** A new completion queue head; false if it would consume what was not posted. */
export function setHead(cq: CompletionQueue, head: u32): bool {
  if (head >= cq.size) return false;
  const consumed = head >= cq.head ? head - cq.head : head + cq.size - cq.head;
  if (consumed > unconsumed(cq)) return false;
  cq.head = head;
  return true;
}

/** Copies the next command to commandAt(s); false if there is none, or it must wait. */
export function fetch(s: Nvme, sq: SubmissionQueue): bool {
  if (sq.head == sq.tail || !running(s) || !busMaster(s.slot)) return false;
  if (!hasRoom(cqAt(s, sq.completionQueue))) return false;
  const entry = dmaRead(sq.base + <u64>sq.head * SQ_ENTRY, SQ_ENTRY);
  if (entry == 0) {
    fatal(s);
    return false;
  }
  memory.copy(changetype<usize>(commandAt(s)), entry, offsetof<Command>());
  sq.head = sq.head + 1 == sq.size ? 0 : sq.head + 1;
  return true;
}

/** Posts a completion (4.6). The phase tag goes last, with the status. */
export function complete(s: Nvme, sqId: u32, command: u32, status: u32, result: u32): void {
  const sq = sqAt(s, sqId);
  const cq = cqAt(s, sq.completionQueue);
  const entry = dmaWrite(cq.base + <u64>cq.tail * CQ_ENTRY, CQ_ENTRY);
  if (entry == 0) {
    fatal(s);
    return;
  }
  store<u32>(entry, result);
  store<u32>(entry, 0, 4);
  store<u32>(entry, sq.head | (sqId << 16), 8);
  store<u32>(entry, command | ((status << 1) | cq.phase) << 16, 12);
  cq.posted = 1;
  cq.tail++;
  if (cq.tail == cq.size) {
    cq.tail = 0;
    cq.phase ^= 1;
  }
}

/** Sets a completion entry aside for a command that completes later. */
export function promise(s: Nvme, sqId: u32): void {
  cqAt(s, sqAt(s, sqId).completionQueue).promised++;
}

/** Completes a promised command. */
export function fulfil(s: Nvme, sqId: u32, command: u32, status: u32, result: u32): void {
  cqAt(s, sqAt(s, sqId).completionQueue).promised--;
  complete(s, sqId, command, status, result);
}

/** A free place for a command under way, or Limit.PENDING. */
export function freePending(s: Nvme): u32 {
  let index: u32 = 0;
  while (index < <u32>Limit.PENDING && pendingAt(s, index).used != 0) index++;
  return index;
}

/** Aborts what is under way for a submission queue that is being deleted (5.6). */
export function abortPending(s: Nvme, sqId: u32): void {
  for (let index: u32 = 0; index < <u32>Limit.PENDING; index++) {
    const p = pendingAt(s, index);
    if (p.used == 0 || p.submissionQueue != sqId) continue;
    const command = p.command;
    memory.fill(changetype<usize>(p), 0, offsetof<Pending>());
    fulfil(s, sqId, command, Status.ABORTED_SQ_DELETION, 0);
  }
}

/** After a restore: everything that indexes is in range. */
export function queuesSound(s: Nvme): bool {
  for (let id: u32 = 0; id < <u32>Limit.QUEUES; id++) {
    const sq = sqAt(s, id);
    if (sq.size > <u32>Limit.QUEUE_ENTRIES << 2 || sq.completionQueue >= <u32>Limit.QUEUES) return false;
    if (sq.size != 0 && (sq.head >= sq.size || sq.tail >= sq.size || cqAt(s, sq.completionQueue).size == 0)) return false;
    const cq = cqAt(s, id);
    if (cq.size > <u32>Limit.QUEUE_ENTRIES << 2 || cq.vector >= <u32>Limit.VECTORS) return false;
    if (cq.size == 0) continue;
    if (cq.head >= cq.size || cq.tail >= cq.size || cq.phase > 1 || cq.interrupts > 1 || cq.posted > 1 || cq.waits > 1) return false;
    if (cq.promised > <u32>Limit.PENDING || unconsumed(cq) + cq.promised >= cq.size) return false;
  }
  return pendingSound(s);
}

/** Each command under way has its queue and its promised entry. */
function pendingSound(s: Nvme): bool {
  let used: u32 = 0;
  for (let index: u32 = 0; index < <u32>Limit.PENDING; index++) {
    const p = pendingAt(s, index);
    if (p.used == 0) continue;
    if (p.submissionQueue >= <u32>Limit.QUEUES || sqAt(s, p.submissionQueue).size == 0 || p.command > 0xffff) return false;
    used++;
  }
  let promised: u32 = 0;
  for (let id: u32 = 0; id < <u32>Limit.QUEUES; id++) promised += cqAt(s, id).promised;
  return used == promised;
}
