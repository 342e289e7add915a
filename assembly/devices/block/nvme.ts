// NVMe controller on PCI (NVM Express 1.4c): its registers and doorbells, and the order in
// which things happen. One namespace of 512-byte blocks, an admin queue and up to eight I/O
// queue pairs of 1,024 entries.
//
//   BAR 0, 16 KiB   0x0000  registers (3.1)
//                   0x1000  doorbells: submission queue y's tail, completion queue y's head
//                   0x2000  MSI-X table
//                   0x3000  MSI-X pending bits
//
// Everything submitted is done when the doorbell is written, before the guest's next
// instruction; only a flush may complete later, through nvmeDiskDone. A doorbell serves at
// most as many commands as its queue has entries.
//
// Left out: controller memory buffer, subsystem reset, weighted arbitration, and pages
// other than 4 KiB; CAP offers none of them.
import { DeviceKind } from "../../abi/device";
import { DeviceSlot } from "../../abi/hypercall";
import { diskFlush } from "../../host";
import { isBudgeted, mayServe, noteHeld, served } from "../../hypercall/devices";
import { addMsix, clearMsix } from "../pci/msix";
import { Pci, addBar, addExpress, addFunction, addPowerManagement, functionAt } from "../pci/function";
import { setIntx } from "../pci/intx";
import { executeAdmin } from "./nvme-admin";
import { mayWait, moderationSound, waited } from "./moderation";
import { ErrorEvent, deliverEvents, forgetEvents, reportError } from "./nvme-events";
import { resetFeatures } from "./nvme-features";
import { VENDOR, VERSION, logError } from "./nvme-identify";
import { bytesMoved, endFlush, executeIo, pendingTag } from "./nvme-io";
import {
  Csts, complete, createCompletionQueue, createSubmissionQueue, fatal, fetch, freePending, fulfil, isQuiet, queuesSound, running,
  sendWaiting, setHead, setTail, updateInterrupt,
} from "./nvme-queues";
import { askForDoorbells, hasShadow, shadowDoorbell, shadowSound, takeHeads } from "./nvme-shadow";
import { BLOCK_SHIFT, Limit, Nvme, PAGE_SIZE, Pending, STATE_SIZE, Status, commandAt, controllerAt, cqAt, pendingAt, sqAt } from "./nvme-state";

const enum Reg {
  CAP_LOW = 0x00,
  CAP_HIGH = 0x04,
  VS = 0x08,
  INTMS = 0x0c,
  INTMC = 0x10,
  CC = 0x14,
  CSTS = 0x1c,
  AQA = 0x24,
  ASQ_LOW = 0x28,
  ASQ_HIGH = 0x2c,
  ACQ_LOW = 0x30,
  ACQ_HIGH = 0x34,
  END = 0x1000,
}

const enum Bar {
  INDEX = 0,
  SIZE = 0x4000,
  DOORBELLS = 0x1000,
  MSIX_TABLE = 0x2000,
  MSIX_PBA = 0x3000,
}

/** CC fields (3.1.5). */
const enum Cc {
  ENABLE = 1 << 0,
  COMMAND_SET = 7 << 4,
  PAGE_SIZE = 0xf << 7,
  ARBITRATION = 7 << 11,
  SHUTDOWN = 3 << 14,
  WRITABLE = 0x00ff_fff1,
}

/** CAP: 1,024 entries, contiguous queues, 7.5 s to get ready, NVM command set, 4 KiB pages. */
const CAP_LOW: u32 = (Limit.QUEUE_ENTRIES - 1) | (1 << 16) | (15 << 24);
const CAP_HIGH: u32 = 1 << 5;

const DEVICE: u32 = 0x0001;
const CLASS_NVME: u32 = 0x01_08_02;
const REVISION: u32 = 1;
const INTA: u32 = 1;

/** Flags of attachNvme: the namespace is write protected; doorbells in memory are offered. */
const READ_ONLY: u32 = 1;
const DOORBELL_BUFFER: u32 = 2;
/** In a flush's tag: this one is for the shutdown, no command's. */
const SHUTDOWN_FLUSH: u32 = 0xff;

/** Takes all controllers away; before devices are attached. Only their generations go on, so that a flush from before completes nothing after. */
export function nvmeInit(): void {
  for (let i: u32 = 0; i < <u32>Limit.CONTROLLERS; i++) {
    nvmeReset(i);
    clear(controllerAt(i));
  }
}

function clear(s: Nvme): void {
  const generation = s.generation;
  memory.fill(changetype<usize>(s), 0, STATE_SIZE);
  s.generation = generation;
}

/** Puts controller `instance` (0 to 3) into an empty PCI slot, after pciInit() and before pciReset(). False if either is taken. */
export function attachNvme(slot: u32, instance: u32, backend: u32, capacityBytes: f64, flags: u32): bool {
  if (instance >= <u32>Limit.CONTROLLERS || slot == 0 || slot >= <u32>Pci.SLOTS) return false;
  const s = controllerAt(instance);
  if (s.attached != 0 || functionAt(slot).kind != <u32>DeviceKind.NONE) return false;
  clear(s);
  s.attached = 1;
  s.slot = slot;
  s.backend = backend;
  s.readOnly = flags & READ_ONLY;
  s.doorbellBuffer = (flags & DOORBELL_BUFFER) != 0 ? 1 : 0;
  s.instance = instance;
  s.blocks = <u64>capacityBytes >> BLOCK_SHIFT;
  s.powerCycles = 1;
  addFunction(slot, DeviceKind.NVME, instance, VENDOR, DEVICE, CLASS_NVME, REVISION, VENDOR, DEVICE, INTA);
  addBar(slot, Bar.INDEX, Bar.SIZE, true);
  addMsix(slot, Bar.INDEX, Bar.MSIX_TABLE, Bar.MSIX_PBA, Limit.VECTORS);
  addPowerManagement(slot, 3);
  addExpress(slot, 2);
  nvmeReset(instance);
  return true;
}

/** Power-on state; the disk stays attached. */
export function nvmeReset(instance: u32): void {
  const s = controllerAt(instance);
  if (s.attached == 0) return;
  resetController(s);
  s.cc = 0;
  s.aqa = 0;
  s.asq = 0;
  s.acq = 0;
}

/** A controller level reset (7.3.2): all but the admin queue's registers. */
function resetController(s: Nvme): void {
  let underWay = (s.csts & <u32>Csts.SHUTDOWN_MASK) == <u32>Csts.SHUTDOWN_OCCURRING;
  for (let i: u32 = 0; i < <u32>Limit.PENDING; i++) {
    if (pendingAt(s, i).used != 0) underWay = true;
    memory.fill(changetype<usize>(pendingAt(s, i)), 0, offsetof<Pending>());
  }
  if (underWay) s.generation = (s.generation + 1) & 0xffff;
  for (let id: u32 = 0; id < <u32>Limit.QUEUES; id++) {
    createSubmissionQueue(sqAt(s, id), 0, 0, 0);
    createCompletionQueue(cqAt(s, id), 0, 0, 0, false);
  }
  s.csts = 0;
  s.intms = 0;
  s.shadow = 0;
  s.eventIndex = 0;
  resetFeatures(s);
  forgetEvents(s);
  waited(s.backend);
  setIntx(s.slot, false);
  clearMsix(s.slot, ~(<u64>0));
}

export function nvmeRead(instance: u32, offset: u32, size: u32): u64 {
  const s = controllerAt(instance);
  const low = readRegister(s, offset & ~3);
  if (size == 8) return <u64>low | (<u64>readRegister(s, offset + 4) << 32);
  const value = low >> ((offset & 3) << 3);
  return size == 4 ? value : value & ((1 << (size << 3)) - 1);
}

function readRegister(s: Nvme, offset: u32): u32 {
  switch (offset) {
    case Reg.CAP_LOW:
      return CAP_LOW;
    case Reg.CAP_HIGH:
      return CAP_HIGH;
    case Reg.VS:
      return VERSION;
    case Reg.INTMS:
    case Reg.INTMC:
      return s.intms;
    case Reg.CC:
      return s.cc;
    case Reg.CSTS:
      return s.csts;
    case Reg.AQA:
      return s.aqa;
    case Reg.ASQ_LOW:
      return <u32>s.asq;
    case Reg.ASQ_HIGH:
      return <u32>(s.asq >> 32);
    case Reg.ACQ_LOW:
      return <u32>s.acq;
    case Reg.ACQ_HIGH:
      return <u32>(s.acq >> 32);
    default:
      return 0; // doorbells are write-only
  }
}

/** Registers are written as dwords or qwords, doorbells as dwords; anything else is a stray. */
export function nvmeWrite(instance: u32, offset: u32, size: u32, value: u64): void {
  const s = controllerAt(instance);
  if (size < 4) return;
  if (offset < <u32>Reg.END) {
    writeRegister(s, offset, <u32>value);
    if (size == 8) writeRegister(s, offset + 4, <u32>(value >> 32));
  } else if (offset < <u32>Bar.MSIX_TABLE && size == 4) {
    ringDoorbell(s, (offset - <u32>Bar.DOORBELLS) >> 2, <u32>value);
  }
}

function writeRegister(s: Nvme, offset: u32, value: u32): void {
  switch (offset) {
    case Reg.INTMS:
      s.intms |= value;
      updateInterrupt(s);
      break;
    case Reg.INTMC:
      s.intms &= ~value;
      updateInterrupt(s);
      break;
    case Reg.CC:
      configure(s, value & <u32>Cc.WRITABLE);
      break;
    case Reg.AQA:
      s.aqa = value & 0x0fff_0fff;
      break;
    case Reg.ASQ_LOW:
      s.asq = (s.asq & 0xffff_ffff_0000_0000) | (value & ~(PAGE_SIZE - 1));
      break;
    case Reg.ASQ_HIGH:
      s.asq = (s.asq & 0xffff_ffff) | (<u64>value << 32);
      break;
    case Reg.ACQ_LOW:
      s.acq = (s.acq & 0xffff_ffff_0000_0000) | (value & ~(PAGE_SIZE - 1));
      break;
    case Reg.ACQ_HIGH:
      s.acq = (s.acq & 0xffff_ffff) | (<u64>value << 32);
      break;
  }
}

function configure(s: Nvme, value: u32): void {
  const before = s.cc;
  s.cc = value;
  const changed = before ^ value;
  if ((changed & <u32>Cc.ENABLE) != 0) {
    if ((value & <u32>Cc.ENABLE) != 0) enable(s);
    else resetController(s);
  }
  if ((value & <u32>Cc.SHUTDOWN) == 0) s.csts &= ~(<u32>Csts.SHUTDOWN_MASK);
  else if ((before & <u32>Cc.SHUTDOWN) == 0) shutDown(s);
}

/** Brings up the admin queue, or fails for good where the driver asks for what CAP does not offer. */
function enable(s: Nvme): void {
  const submissions = (s.aqa & 0xfff) + 1;
  const completions = (s.aqa >> 16) + 1;
  const unsupported = s.cc & <u32>(Cc.COMMAND_SET | Cc.PAGE_SIZE | Cc.ARBITRATION);
  if (submissions < 2 || completions < 2 || unsupported != 0) {
    fatal(s);
    return;
  }
  createCompletionQueue(cqAt(s, 0), s.acq, completions, 0, true);
  createSubmissionQueue(sqAt(s, 0), s.asq, submissions, 0);
  s.csts |= <u32>Csts.READY;
}

/** What was written becomes durable; then the shutdown is complete (7.6.2). */
function shutDown(s: Nvme): void {
  const answer = s.readOnly != 0 ? 0 : diskFlush(s.backend, pendingTag(s, SHUTDOWN_FLUSH));
  setShutdownStatus(s, answer == 1 ? Csts.SHUTDOWN_OCCURRING : Csts.SHUTDOWN_COMPLETE);
}

function setShutdownStatus(s: Nvme, status: u32): void {
  s.csts = (s.csts & ~(<u32>Csts.SHUTDOWN_MASK)) | status;
}

/** Doorbell `index`: 2y is submission queue y's tail, 2y + 1 completion queue y's head. */
function ringDoorbell(s: Nvme, index: u32, value: u32): void {
  if (!running(s)) return;
  const id = index >> 1;
  const isHead = (index & 1) != 0;
  const inMemory = hasShadow(s) && id != 0 && id < <u32>Limit.QUEUES;
  // The register says that there is something to look at; what it is, memory says.
  if (inMemory) {
    look(s);
    value = shadowDoorbell(s, index);
  }
  if (id >= <u32>Limit.QUEUES || (isHead ? cqAt(s, id).size : sqAt(s, id).size) == 0) {
    reportError(s, ErrorEvent.INVALID_DOORBELL_REGISTER);
  } else if (!(isHead ? setHead(cqAt(s, id), value) : setTail(sqAt(s, id), value))) {
    reportError(s, ErrorEvent.INVALID_DOORBELL_VALUE);
  } else if (!isHead) {
    submitted(s, id);
  } else {
    serveWaiting(s, id);
  }
  if (inMemory) askForDoorbells(s);
  deliverEvents(s);
  updateInterrupt(s);
}

/** Serves what a doorbell of submission queue `id` told of. */
function submitted(s: Nvme, id: u32): void {
  const cq = cqAt(s, sqAt(s, id).completionQueue);
  const quiet = id != 0 && isQuiet(s, cq);
  const tail = cq.tail;
  serve(s, id);
  if (quiet && cq.tail != tail) cq.waits = mayWait(s.backend) ? 1 : 0;
}

/** The interrupts of all controllers that waited go out. */
export function nvmeSendWaiting(): void {
  for (let i: u32 = 0; i < <u32>Limit.CONTROLLERS; i++) {
    if (controllerAt(i).attached != 0) sendWaiting(controllerAt(i));
  }
}

/** Queues that waited for room in completion queue `id` go on. */
function serveWaiting(s: Nvme, id: u32): void {
  for (let sq: u32 = 0; sq < <u32>Limit.QUEUES; sq++) {
    if (sqAt(s, sq).size != 0 && sqAt(s, sq).completionQueue == id) serve(s, sq);
  }
}

/** Takes what the driver has consumed without ringing for it. */
function look(s: Nvme): bool {
  if (!hasShadow(s) || !running(s) || !takeHeads(s)) return false;
  for (let id: u32 = 1; id < <u32>Limit.QUEUES; id++) {
    if (cqAt(s, id).size != 0) serveWaiting(s, id);
  }
  return true;
}

/** The same for all controllers: between slices, and when a driver is about to end its interrupt. */
export function nvmeLook(): void {
  for (let i: u32 = 0; i < <u32>Limit.CONTROLLERS; i++) {
    const s = controllerAt(i);
    if (!hasShadow(s) || !look(s)) continue;
    askForDoorbells(s);
    updateInterrupt(s);
  }
}

/** Goes on with commands that were left on their queues for want of budget. */
export function nvmePoll(): void {
  for (let i: u32 = 0; i < <u32>Limit.CONTROLLERS; i++) {
    const s = controllerAt(i);
    if (s.attached == 0 || !isBudgeted(DeviceSlot.DISK + s.backend) || !running(s)) continue;
    for (let id: u32 = 1; id < <u32>Limit.QUEUES; id++) {
      if (sqAt(s, id).size != 0 && sqAt(s, id).head != sqAt(s, id).tail) serve(s, id);
    }
    if (hasShadow(s)) askForDoorbells(s);
    updateInterrupt(s);
  }
}

/** Executes what a submission queue holds, at most as many commands as it has entries. */
function serve(s: Nvme, id: u32): void {
  const sq = sqAt(s, id);
  const c = commandAt(s);
  for (let left = sq.size; left != 0; left--) {
    if (id != 0 && (freePending(s) == <u32>Limit.PENDING || sq.head == sq.tail)) return;
    if (id != 0 && !mayServe(DeviceSlot.DISK + s.backend)) {
      noteHeld(DeviceSlot.DISK + s.backend);
      return;
    }
    if (!fetch(s, sq)) return;
    s.result = 0;
    const status = id == 0 ? executeAdmin(s) : executeIo(s, id);
    if (id != 0) served(DeviceSlot.DISK + s.backend, bytesMoved());
    if (id == 0 && hasShadow(s)) askForDoorbells(s); // queues may have come
    if (status == Status.PENDING) continue;
    if (status != Status.SUCCESS) logError(s, id, c.id, status, c.nsid, <u64>c.cdw10 | (<u64>c.cdw11 << 32));
    complete(s, id, c.id, status, s.result);
  }
}

/** The host has finished a flush that it answered with 1. False if none of these controllers began it. */
export function nvmeDiskDone(backend: u32, tag: u32, errno: i32): bool {
  for (let i: u32 = 0; i < <u32>Limit.CONTROLLERS; i++) {
    const s = controllerAt(i);
    if (s.attached == 0 || s.backend != backend) continue;
    if (tag >> 8 == s.generation) finish(s, tag & 0xff, errno);
    return true;
  }
  return false;
}

function finish(s: Nvme, index: u32, errno: i32): void {
  if (index == SHUTDOWN_FLUSH) {
    if ((s.csts & <u32>Csts.SHUTDOWN_MASK) == <u32>Csts.SHUTDOWN_OCCURRING) setShutdownStatus(s, Csts.SHUTDOWN_COMPLETE);
    return;
  }
  if (index >= <u32>Limit.PENDING || pendingAt(s, index).used == 0) return;
  look(s);
  const sq = pendingAt(s, index).submissionQueue;
  const command = pendingAt(s, index).command;
  fulfil(s, sq, command, endFlush(s, index, errno), 0);
  // Queues that waited for a place among the pending go on.
  for (let id: u32 = 1; id < <u32>Limit.QUEUES; id++) {
    if (sqAt(s, id).size != 0) serve(s, id);
  }
  if (hasShadow(s)) askForDoorbells(s);
  sendWaiting(s);
}

/** After a restore, once backends are there: flushes that the host had not finished are asked for again. */
export function nvmeResume(instance: u32): void {
  const s = controllerAt(instance);
  if (s.attached == 0) return;
  if ((s.csts & <u32>Csts.SHUTDOWN_MASK) == <u32>Csts.SHUTDOWN_OCCURRING) shutDown(s);
  for (let index: u32 = 0; index < <u32>Limit.PENDING; index++) {
    if (pendingAt(s, index).used == 0) continue;
    const answer = diskFlush(s.backend, pendingTag(s, index));
    if (answer != 1) finish(s, index, answer);
  }
}

/** After a restore; changes nothing. */
export function nvmeValidate(instance: u32): bool {
  const s = controllerAt(instance);
  if (s.attached == 0) return true;
  return (
    s.attached == 1 &&
    s.slot < <u32>Pci.SLOTS &&
    functionAt(s.slot).kind == <u32>DeviceKind.NVME &&
    functionAt(s.slot).instance == instance &&
    s.instance == instance &&
    s.generation <= 0xffff &&
    s.asyncCount <= <u32>Limit.ASYNC_EVENTS &&
    queuesSound(s) &&
    moderationSound() &&
    shadowSound(s)
  );
}
