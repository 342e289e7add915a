// Identify data structures and log pages (NVMe 1.4, 5.15 and 5.14). Both are answers of
// fixed layout, put together in the scratch page and copied out.
import { ALL_NAMESPACES, BLOCK_SHIFT, Limit, NAMESPACE, Nvme, PAGE_SIZE, Status, commandAt, errorLogAt, scratchAt } from "./nvme-state";
import { copyToGuest } from "./nvme-prp";

/**
 * Of the function and of its subsystem, in configuration space and in Identify Controller. No maker
 * has this number ("PV"), and no driver knows it: what binds to an NVMe controller does so by its class.
 * Those of QEMU's controller make Linux distrust the namespace's identifiers, which there were not unique.
 */
export const VENDOR: u32 = 0x5056;
export const VERSION: u32 = 0x0001_0400;

/** Controller or Namespace Structure, CDW10 bits 7:0. */
const enum Cns {
  NAMESPACE = 0x00,
  CONTROLLER = 0x01,
  ACTIVE_NAMESPACES = 0x02,
  NAMESPACE_DESCRIPTORS = 0x03,
}

const enum Log {
  ERRORS = 0x01,
  HEALTH = 0x02,
  FIRMWARE = 0x03,
}

/** Identify Controller (figure 247). */
const enum Controller {
  VID = 0,
  SSVID = 2,
  SN = 4,
  SN_SIZE = 20,
  MN = 24,
  MN_SIZE = 40,
  FR = 64,
  FR_SIZE = 8,
  RAB = 72,
  IEEE = 73,
  MDTS = 77,
  VER = 80,
  CNTRLTYPE = 111,
  OACS = 256,
  ACL = 258,
  AERL = 259,
  FRMW = 260,
  LPA = 261,
  ELPE = 262,
  WCTEMP = 266,
  CCTEMP = 268,
  SQES = 512,
  CQES = 513,
  NN = 516,
  ONCS = 520,
  VWC = 525,
  SUBNQN = 768,
  PSD0 = 2048,
}

/** Identify Namespace (figure 245). */
const enum Namespace {
  NSZE = 0,
  NCAP = 8,
  NUSE = 16,
  NSATTR = 99,
  NGUID = 104,
  EUI64 = 120,
  LBAF0 = 128,
}

const OACS_DOORBELL_BUFFER: u32 = 1 << 8;
const ONCS_COMPARE: u32 = 1 << 0;
const ONCS_DATASET_MANAGEMENT: u32 = 1 << 2;
const ONCS_WRITE_ZEROES: u32 = 1 << 3;
/** A cache is there, and a flush may name all namespaces. */
const VWC_PRESENT: u32 = 0b111;
const LPA_EXTENDED: u32 = 1 << 2;
/** One firmware slot, read-only. */
const FRMW_ONE_READ_ONLY: u32 = 0b011;
const NSATTR_WRITE_PROTECTED: u32 = 1;
/** Kelvin: what the drive reports, warns at and shuts down at. */
const TEMPERATURE: u32 = 300;
export const WARNING_TEMPERATURE: u32 = 343;
const CRITICAL_TEMPERATURE: u32 = 373;

// Text lives in constant data; each is followed by as many spaces as its field wants.
const MODEL = memory.data<u8>([0x50, 0x61, 0x72, 0x61, 0x76, 0x61, 0x6e, 0x65, 0x20, 0x4e, 0x56, 0x4d, 0x65]); // Paravane NVMe
const MODEL_SIZE: u32 = 13;
const SERIAL = memory.data<u8>([0x70, 0x61, 0x72, 0x61, 0x76, 0x61, 0x6e, 0x65, 0x2d, 0x6e, 0x76, 0x6d, 0x65, 0x2d]); // paravane-nvme-
const SERIAL_SIZE: u32 = 14;
const FIRMWARE = memory.data<u8>([0x31, 0x2e, 0x30]); // 1.0
const FIRMWARE_SIZE: u32 = 3;
// nqn.2014-08.org.nvmexpress:uuid:70617261-7661-6e65-8000-6e766d65000, then the instance
const NQN = memory.data<u8>([
  0x6e, 0x71, 0x6e, 0x2e, 0x32, 0x30, 0x31, 0x34, 0x2d, 0x30, 0x38, 0x2e, 0x6f, 0x72, 0x67, 0x2e, 0x6e, 0x76, 0x6d, 0x65,
  0x78, 0x70, 0x72, 0x65, 0x73, 0x73, 0x3a, 0x75, 0x75, 0x69, 0x64, 0x3a, 0x37, 0x30, 0x36, 0x31, 0x37, 0x32, 0x36, 0x31,
  0x2d, 0x37, 0x36, 0x36, 0x31, 0x2d, 0x36, 0x65, 0x36, 0x35, 0x2d, 0x38, 0x30, 0x30, 0x30, 0x2d, 0x36, 0x65, 0x37, 0x36,
  0x36, 0x64, 0x36, 0x35, 0x30, 0x30, 0x30,
]);
const NQN_SIZE: u32 = 67;
/** EUI-64 and NGUID: QEMU's OUI 52-54-00, "nvm", then the instance. */
const EUI64: u64 = 0x5254_006e_766d_0000;
const ZERO: u32 = 0x30;

function text(at: usize, width: u32, source: usize, size: u32): void {
  memory.fill(at, 0x20, width);
  memory.copy(at, source, size);
}

export function identify(s: Nvme): Status {
  const c = commandAt(s);
  const page = scratchAt(s);
  memory.fill(page, 0, PAGE_SIZE);
  switch (c.cdw10 & 0xff) {
    case Cns.NAMESPACE:
      if (c.nsid != NAMESPACE) return Status.INVALID_NAMESPACE;
      identifyNamespace(s, page);
      break;
    case Cns.CONTROLLER:
      identifyController(s, page);
      break;
    case Cns.ACTIVE_NAMESPACES:
      if (c.nsid >= ALL_NAMESPACES - 1) return Status.INVALID_NAMESPACE;
      if (c.nsid < NAMESPACE) store<u32>(page, NAMESPACE);
      break;
    case Cns.NAMESPACE_DESCRIPTORS:
      if (c.nsid != NAMESPACE) return Status.INVALID_NAMESPACE;
      describeNamespace(s, page);
      break;
    default:
      return Status.INVALID_FIELD;
  }
  return copyToGuest(c.prp1, c.prp2, page, PAGE_SIZE, PAGE_SIZE);
}

function identifyController(s: Nvme, page: usize): void {
  store<u16>(page, <u16>VENDOR, Controller.VID);
  store<u16>(page, <u16>VENDOR, Controller.SSVID);
  text(page + <usize>Controller.SN, Controller.SN_SIZE, SERIAL, SERIAL_SIZE);
  store<u8>(page + <usize>Controller.SN + SERIAL_SIZE, <u8>(ZERO + s.instance));
  text(page + <usize>Controller.MN, Controller.MN_SIZE, MODEL, MODEL_SIZE);
  text(page + <usize>Controller.FR, Controller.FR_SIZE, FIRMWARE, FIRMWARE_SIZE);
  store<u8>(page, 6, Controller.RAB);
  store<u8>(page, 0x00, Controller.IEEE);
  store<u8>(page, 0x54, Controller.IEEE + 1);
  store<u8>(page, 0x52, Controller.IEEE + 2);
  store<u8>(page, <u8>Limit.MDTS, Controller.MDTS);
  store<u32>(page, VERSION, Controller.VER);
  store<u8>(page, 1, Controller.CNTRLTYPE); // an I/O controller
  if (s.doorbellBuffer != 0) store<u16>(page, <u16>OACS_DOORBELL_BUFFER, Controller.OACS);
  store<u8>(page, 3, Controller.ACL); // four aborts at a time
  store<u8>(page, <u8>(Limit.ASYNC_EVENTS - 1), Controller.AERL);
  store<u8>(page, <u8>FRMW_ONE_READ_ONLY, Controller.FRMW);
  store<u8>(page, <u8>LPA_EXTENDED, Controller.LPA);
  store<u8>(page, <u8>(Limit.ERROR_ENTRIES - 1), Controller.ELPE);
  store<u16>(page, <u16>WARNING_TEMPERATURE, Controller.WCTEMP);
  store<u16>(page, <u16>CRITICAL_TEMPERATURE, Controller.CCTEMP);
  store<u8>(page, 0x66, Controller.SQES);
  store<u8>(page, 0x44, Controller.CQES);
  store<u32>(page, 1, Controller.NN);
  store<u16>(page, <u16>(ONCS_COMPARE | ONCS_DATASET_MANAGEMENT | ONCS_WRITE_ZEROES), Controller.ONCS);
  store<u8>(page, <u8>VWC_PRESENT, Controller.VWC);
  memory.copy(page + <usize>Controller.SUBNQN, NQN, NQN_SIZE);
  store<u8>(page + <usize>Controller.SUBNQN + NQN_SIZE, <u8>(ZERO + s.instance));
  store<u16>(page, 2500, Controller.PSD0); // 25 W, in hundredths
  store<u32>(page, 16, Controller.PSD0 + 4); // entry latency, microseconds
  store<u32>(page, 4, Controller.PSD0 + 8); // exit latency
}

function identifyNamespace(s: Nvme, page: usize): void {
  store<u64>(page, s.blocks, Namespace.NSZE);
  store<u64>(page, s.blocks, Namespace.NCAP);
  store<u64>(page, s.blocks, Namespace.NUSE);
  if (s.readOnly != 0) store<u8>(page, <u8>NSATTR_WRITE_PROTECTED, Namespace.NSATTR);
  storeGuid(s, page + <usize>Namespace.NGUID);
  storeEui64(s, page + <usize>Namespace.EUI64);
  store<u32>(page, BLOCK_SHIFT << 16, Namespace.LBAF0);
}

/** Namespace Identification Descriptors: type, length, two reserved bytes, identifier. */
function describeNamespace(s: Nvme, page: usize): void {
  store<u16>(page, 0x0801);
  storeEui64(s, page + 4);
  store<u16>(page, 0x1002, 12);
  storeGuid(s, page + 16);
}

/** Identifiers are big-endian. */
function storeEui64(s: Nvme, at: usize): void {
  store<u64>(at, bswap(EUI64 + 1 + s.instance));
}

function storeGuid(s: Nvme, at: usize): void {
  store<u64>(at, bswap<u64>(EUI64));
  store<u64>(at, bswap(EUI64 + 1 + s.instance), 8);
}

export function getLogPage(s: Nvme): Status {
  const c = commandAt(s);
  if (c.nsid != 0 && c.nsid != ALL_NAMESPACES) return Status.INVALID_FIELD;
  const dwords = <u64>((c.cdw10 >> 16) | (c.cdw11 << 16)) + 1;
  const length = dwords << 2;
  const offset = <u64>c.cdw12 | (<u64>c.cdw13 << 32);
  if (length > <u64>Limit.TRANSFER || (offset & 3) != 0) return Status.INVALID_FIELD;
  const page = scratchAt(s);
  memory.fill(page, 0, PAGE_SIZE);
  let size: u32 = 512;
  switch (c.cdw10 & 0xff) {
    case Log.ERRORS:
      size = Limit.ERROR_ENTRIES << 6;
      memory.copy(page, errorLogAt(s), size);
      // Retain Asynchronous Event clear: reading the log lets the next event through.
      if ((c.cdw10 & (1 << 15)) == 0) s.asyncMasked = 0;
      break;
    case Log.HEALTH:
      healthLog(s, page);
      break;
    case Log.FIRMWARE:
      store<u8>(page, 1); // slot 1 is active
      text(page + 8, 8, FIRMWARE, FIRMWARE_SIZE);
      break;
    default:
      return Status.INVALID_LOG_PAGE;
  }
  if (offset > size) return Status.INVALID_FIELD;
  return copyToGuest(c.prp1, c.prp2, page + <usize>offset, size - <u32>offset, <u32>length);
}

/** SMART / Health Information (figure 196). Data units are thousands of 512-byte units, rounded up. */
function healthLog(s: Nvme, page: usize): void {
  store<u16>(page, <u16>TEMPERATURE, 1);
  store<u8>(page, 100, 3); // spare capacity left, per cent
  store<u8>(page, 10, 4); // and its threshold
  store<u64>(page, (s.blocksRead + 999) / 1000, 32);
  store<u64>(page, (s.blocksWritten + 999) / 1000, 48);
  store<u64>(page, s.readCommands, 64);
  store<u64>(page, s.writeCommands, 80);
  store<u64>(page, s.powerCycles, 112);
  store<u64>(page, s.mediaErrors, 160);
  store<u64>(page, s.errorCount, 176);
  store<u16>(page, <u16>TEMPERATURE, 200);
}

/** Adds a failed command to the error log (figure 194), newest first. */
export function logError(s: Nvme, sqId: u32, command: u32, status: u32, nsid: u32, block: u64): void {
  const at = errorLogAt(s);
  memory.copy(at + 64, at, (Limit.ERROR_ENTRIES - 1) << 6);
  memory.fill(at, 0, 64);
  s.errorCount++;
  store<u64>(at, s.errorCount);
  store<u16>(at, <u16>sqId, 8);
  store<u16>(at, <u16>command, 10);
  store<u16>(at, <u16>(status << 1), 12);
  store<u16>(at, 0xffff, 14); // which byte of the command: not told
  store<u64>(at, block, 16);
  store<u32>(at, nsid, 24);
}
