// Admin commands (NVMe 1.4, 5): queues, identification, features, logs, events.
//
// Left out, and said so in Identify: firmware download, namespace management, directives,
// security and virtualization.
import { inRam } from "../../memory/ram";
import { Limit, Nvme, PAGE_SIZE, Status, commandAt, cqAt, sqAt } from "./nvme-state";
import { requestAsyncEvent } from "./nvme-events";
import { getFeatures, setFeatures } from "./nvme-features";
import { getLogPage, identify } from "./nvme-identify";
import { abortPending, createCompletionQueue, createSubmissionQueue } from "./nvme-queues";
import { configureDoorbells } from "./nvme-shadow";

const enum Opcode {
  DELETE_IO_SQ = 0x00,
  CREATE_IO_SQ = 0x01,
  GET_LOG_PAGE = 0x02,
  DELETE_IO_CQ = 0x04,
  CREATE_IO_CQ = 0x05,
  IDENTIFY = 0x06,
  ABORT = 0x08,
  SET_FEATURES = 0x09,
  GET_FEATURES = 0x0a,
  ASYNC_EVENT_REQUEST = 0x0c,
  KEEP_ALIVE = 0x18,
  DOORBELL_BUFFER_CONFIG = 0x7c,
}

const PHYSICALLY_CONTIGUOUS: u32 = 1 << 0;
const INTERRUPTS_ENABLED: u32 = 1 << 1;
/** Abort's answer: the command was not aborted. */
const NOT_ABORTED: u32 = 1;

/** Executes the command in commandAt(s), fetched from the admin queue. */
export function executeAdmin(s: Nvme): Status {
  const c = commandAt(s);
  if (c.flags != 0) return Status.INVALID_FIELD;
  switch (<u32>c.opcode) {
    case Opcode.DELETE_IO_SQ:
      return deleteSubmissionQueue(s, c.cdw10 & 0xffff);
    case Opcode.CREATE_IO_SQ:
      return createIoSubmissionQueue(s);
    case Opcode.GET_LOG_PAGE:
      return getLogPage(s);
    case Opcode.DELETE_IO_CQ:
      return deleteCompletionQueue(s, c.cdw10 & 0xffff);
    case Opcode.CREATE_IO_CQ:
      return createIoCompletionQueue(s);
    case Opcode.IDENTIFY:
      return identify(s);
    case Opcode.ABORT:
      // Commands complete as they are fetched; what is left is a flush that the host has begun.
      s.result = NOT_ABORTED;
      return Status.SUCCESS;
    case Opcode.SET_FEATURES:
      return setFeatures(s);
    case Opcode.GET_FEATURES:
      return getFeatures(s);
    case Opcode.ASYNC_EVENT_REQUEST:
      return requestAsyncEvent(s, c.id);
    case Opcode.KEEP_ALIVE:
      return Status.SUCCESS;
    case Opcode.DOORBELL_BUFFER_CONFIG:
      return configureDoorbells(s);
    default:
      return Status.INVALID_OPCODE;
  }
}

/** An I/O queue's identifier is 1 to 8. */
function ioQueue(id: u32): bool {
  return id != 0 && id < <u32>Limit.QUEUES;
}

/** Checks what both kinds of queue have in common; `entry` is the log2 of an entry's size, as CC must have it. */
function queueSound(s: Nvme, configured: u32, entry: u32): Status {
  const c = commandAt(s);
  const size = (c.cdw10 >> 16) + 1;
  if (size < 2 || size > <u32>Limit.QUEUE_ENTRIES) return Status.INVALID_QUEUE_SIZE;
  if ((c.cdw11 & PHYSICALLY_CONTIGUOUS) == 0 || configured != entry) return Status.INVALID_FIELD;
  if ((c.prp1 & (PAGE_SIZE - 1)) != 0) return Status.PRP_OFFSET_INVALID;
  return inRam(c.prp1, <u64>size << entry) ? Status.SUCCESS : Status.INVALID_FIELD;
}

function createIoCompletionQueue(s: Nvme): Status {
  const c = commandAt(s);
  const id = c.cdw10 & 0xffff;
  if (!ioQueue(id) || cqAt(s, id).size != 0) return Status.INVALID_QUEUE_IDENTIFIER;
  const status = queueSound(s, (s.cc >> 20) & 0xf, 4);
  if (status != Status.SUCCESS) return status;
  const vector = c.cdw11 >> 16;
  if (vector >= <u32>Limit.VECTORS) return Status.INVALID_INTERRUPT_VECTOR;
  createCompletionQueue(cqAt(s, id), c.prp1, (c.cdw10 >> 16) + 1, vector, (c.cdw11 & INTERRUPTS_ENABLED) != 0);
  return Status.SUCCESS;
}

function createIoSubmissionQueue(s: Nvme): Status {
  const c = commandAt(s);
  const id = c.cdw10 & 0xffff;
  if (!ioQueue(id) || sqAt(s, id).size != 0) return Status.INVALID_QUEUE_IDENTIFIER;
  const completionQueue = c.cdw11 >> 16;
  if (!ioQueue(completionQueue) || cqAt(s, completionQueue).size == 0) return Status.COMPLETION_QUEUE_INVALID;
  const status = queueSound(s, (s.cc >> 16) & 0xf, 6);
  if (status != Status.SUCCESS) return status;
  createSubmissionQueue(sqAt(s, id), c.prp1, (c.cdw10 >> 16) + 1, completionQueue);
  return Status.SUCCESS;
}

function deleteSubmissionQueue(s: Nvme, id: u32): Status {
  if (!ioQueue(id) || sqAt(s, id).size == 0) return Status.INVALID_QUEUE_IDENTIFIER;
  abortPending(s, id);
  createSubmissionQueue(sqAt(s, id), 0, 0, 0);
  return Status.SUCCESS;
}

/** Its submission queues go first. */
function deleteCompletionQueue(s: Nvme, id: u32): Status {
  if (!ioQueue(id) || cqAt(s, id).size == 0) return Status.INVALID_QUEUE_IDENTIFIER;
  for (let sq: u32 = 1; sq < <u32>Limit.QUEUES; sq++) {
    if (sqAt(s, sq).size != 0 && sqAt(s, sq).completionQueue == id) return Status.INVALID_QUEUE_DELETION;
  }
  createCompletionQueue(cqAt(s, id), 0, 0, 0, false);
  return Status.SUCCESS;
}
