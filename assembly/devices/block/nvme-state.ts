// The NVMe controller's state: plain data at Dev.NVME + instance * 16 KiB.
//
//   +0x0000  Nvme: registers, features, statistics
//   +0x0400  submission queues 0 to 8, completion queues 0 to 8
//   +0x0800  flushes under way
//   +0x0c00  error log
//   +0x0d00  the command being executed, copied once so that the guest cannot change it
//   +0x1000  a page in which answers are put together
//
// Specification: NVM Express Base 1.4c; section numbers in these files are its own.
import { Dev } from "../../abi/device";

export const enum Limit {
  CONTROLLERS = 4,
  /** Admin queue and eight I/O queues. */
  QUEUES = 9,
  QUEUE_ENTRIES = 1024,
  /** 256 KiB: 64 pages. */
  TRANSFER = 0x4_0000,
  MDTS = 6,
  PENDING = 64,
  ASYNC_EVENTS = 4,
  ERROR_ENTRIES = 4,
  VECTORS = 9,
}

export const BLOCK_SHIFT: u32 = 9;
export const PAGE_SIZE: u32 = 4096;
export const NAMESPACE: u32 = 1;
export const ALL_NAMESPACES: u32 = 0xffff_ffff;

/** Status field of a completion, without phase: code, type << 8, Do Not Retry (4.6.1). */
export const enum Status {
  SUCCESS = 0,
  DO_NOT_RETRY = 0x4000,
  INVALID_OPCODE = 0x4001,
  INVALID_FIELD = 0x4002,
  DATA_TRANSFER_ERROR = 0x4004,
  INTERNAL_ERROR = 0x4006,
  ABORTED_SQ_DELETION = 0x0008,
  INVALID_NAMESPACE = 0x400b,
  COMMAND_SEQUENCE_ERROR = 0x400c,
  PRP_OFFSET_INVALID = 0x4013,
  NAMESPACE_WRITE_PROTECTED = 0x4020,
  LBA_OUT_OF_RANGE = 0x4080,
  CAPACITY_EXCEEDED = 0x4081,
  COMPLETION_QUEUE_INVALID = 0x4100,
  INVALID_QUEUE_IDENTIFIER = 0x4101,
  INVALID_QUEUE_SIZE = 0x4102,
  ASYNC_EVENT_LIMIT_EXCEEDED = 0x4105,
  INVALID_FIRMWARE_SLOT = 0x4106,
  INVALID_INTERRUPT_VECTOR = 0x4108,
  INVALID_LOG_PAGE = 0x4109,
  INVALID_QUEUE_DELETION = 0x410c,
  FEATURE_NOT_SAVEABLE = 0x410d,
  FEATURE_NOT_CHANGEABLE = 0x410e,
  WRITE_FAULT = 0x0280,
  UNRECOVERED_READ_ERROR = 0x0281,
  COMPARE_FAILURE = 0x4285,
  /** Not a status: the command completes later. */
  PENDING = 0xffff_ffff,
}

@unmanaged
export class Nvme {
  attached: u32;
  /** Its PCI function. */
  slot: u32;
  backend: u32;
  readOnly: u32;
  instance: u32;
  /** Raised by a reset of the controller: a flush begun before it does not complete after it. */
  generation: u32;
  /** Size of namespace 1 in blocks. */
  blocks: u64;

  cc: u32;
  csts: u32;
  intms: u32;
  aqa: u32;
  asq: u64;
  acq: u64;

  arbitration: u32;
  powerManagement: u32;
  temperatureOver: u32;
  temperatureUnder: u32;
  errorRecovery: u32;
  writeCache: u32;
  interruptCoalescing: u32;
  /** Bit v: coalescing disabled for vector v, feature 09h. */
  vectorConfig: u32;
  writeAtomicity: u32;
  asyncConfig: u32;
  keepAlive: u32;

  /** Command identifiers of outstanding asynchronous event requests, oldest in the low 16 bits. */
  asyncIds: u64;
  asyncCount: u32;
  /** Error events that wait for a request (bit = event information). */
  asyncPending: u32;
  /** 1 while error events are held back until the error log is read. */
  asyncMasked: u32;

  /** DW0 of the completion of the command being executed. */
  result: u32;

  /** Statistics for the SMART log. */
  blocksRead: u64;
  blocksWritten: u64;
  readCommands: u64;
  writeCommands: u64;
  mediaErrors: u64;
  powerCycles: u64;
  errorCount: u64;

  /** 1 if the controller offers doorbells in memory; where the driver put them, 0 if nowhere (nvme-shadow.ts). */
  doorbellBuffer: u32;
  reserved: u32;
  shadow: u64;
  eventIndex: u64;
}

@unmanaged
export class SubmissionQueue {
  base: u64;
  /** Entries; 0 where the queue does not exist. */
  size: u32;
  head: u32;
  tail: u32;
  completionQueue: u32;
  reserved: u64;
}

@unmanaged
export class CompletionQueue {
  base: u64;
  size: u32;
  /** The driver's: first entry that it has not consumed. */
  head: u32;
  /** Ours: next entry to post. */
  tail: u32;
  /** Phase tag of the entries posted in this round. */
  phase: u32;
  vector: u32;
  interrupts: u32;
  /** Entries promised to commands under way. */
  promised: u32;
  /** 1 if entries were posted since its vector was last sent. */
  posted: u16;
  /** 1 while the interrupt for all that it holds waits (moderation.ts). */
  waits: u16;
}

/** A command under way in the host. */
@unmanaged
export class Pending {
  used: u32;
  submissionQueue: u32;
  command: u32;
  reserved: u32;
}

const SQS: usize = 0x400;
const CQS: usize = 0x600;
const PENDINGS: usize = 0x800;
const ERRORS: usize = 0xc00;
const COMMAND: usize = 0xd00;
const SCRATCH: usize = 0x1000;

export const STATE_SIZE: u32 = 0x2000;

// @ts-ignore: decorator
@inline
export function controllerAt(instance: u32): Nvme {
  return changetype<Nvme>(<usize>Dev.NVME + <usize>instance * <usize>Dev.NVME_SIZE);
}

// @ts-ignore: decorator
@inline
export function sqAt(s: Nvme, id: u32): SubmissionQueue {
  return changetype<SubmissionQueue>(changetype<usize>(s) + SQS + <usize>id * offsetof<SubmissionQueue>());
}

// @ts-ignore: decorator
@inline
export function cqAt(s: Nvme, id: u32): CompletionQueue {
  return changetype<CompletionQueue>(changetype<usize>(s) + CQS + <usize>id * offsetof<CompletionQueue>());
}

// @ts-ignore: decorator
@inline
export function pendingAt(s: Nvme, index: u32): Pending {
  return changetype<Pending>(changetype<usize>(s) + PENDINGS + <usize>index * offsetof<Pending>());
}

/** Error log entries of 64 bytes, newest first. */
// @ts-ignore: decorator
@inline
export function errorLogAt(s: Nvme): usize {
  return changetype<usize>(s) + ERRORS;
}

// @ts-ignore: decorator
@inline
export function commandAt(s: Nvme): Command {
  return changetype<Command>(changetype<usize>(s) + COMMAND);
}

// @ts-ignore: decorator
@inline
export function scratchAt(s: Nvme): usize {
  return changetype<usize>(s) + SCRATCH;
}

/** A submission queue entry (4.2). */
@unmanaged
export class Command {
  opcode: u8;
  /** FUSE in bits 1:0, PSDT in bits 7:6. */
  flags: u8;
  id: u16;
  nsid: u32;
  reserved: u64;
  metadata: u64;
  prp1: u64;
  prp2: u64;
  cdw10: u32;
  cdw11: u32;
  cdw12: u32;
  cdw13: u32;
  cdw14: u32;
  cdw15: u32;
}
