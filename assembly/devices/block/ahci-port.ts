// A port's command list (4.2, 5.3 and 5.5): commands are taken in the order of their slots,
// going round, and each is executed when it is taken. So a write to PxCI has done what it
// asked for before the guest's next instruction; only a flush may go on. While one that is
// not queued does, the drive is busy and the others wait; queued ones go on beside it.
//
// So that a driver cannot hold the host, one write moves a bounded number of bytes through a
// bounded number of descriptors; what is left goes on in ahciPoll(), between slices.
import { DeviceSlot } from "../../abi/hypercall";
import { mayServe, noteHeld, served } from "../../hypercall/devices";
import { busMaster } from "../pci/function";
import { dmaRead, dmaWrite } from "../../memory/ram";
import { execute, pioBlock, Power, readsErrorLog } from "./ahci-command";
import { Outcome, fail, flushFailed, readSectors, writeSectors } from "./ahci-data";
import { deviceBitsFrame, dmaSetupFrame, pioFrame, registerFrame, signatureFrame } from "./ahci-frames";
import { bytesFound, clearWork, entriesRead, interruptAsked, startRuns } from "./ahci-prdt";
import {
  Ata, Busy, Cmd, Det, Is, Limit, Link, PortState, SECTOR_SHIFT, Serr, Taskfile, halt, hbaState, online, setTaskFile, taskfileOf,
} from "./ahci-state";

/** A command header (4.2.2): 32 bytes. */
const HEADER: u32 = 32;
const enum Header {
  FRAME_DWORDS = 0x1f,
  BIST = 1 << 9,
  CLEAR_BUSY = 1 << 10,
}

/** In a command table: the frame, and where descriptors begin. */
const FRAME_BYTES: u32 = 64;
const DESCRIPTORS: u32 = 0x80;
const TABLE_ALIGNMENT: u64 = 127;

/** Register frame to the device (SATA, 10.5.5). */
const REGISTER_TO_DEVICE: u32 = 0x27;
const REGISTER_DWORDS: u32 = 5;
const IS_COMMAND: u32 = 1 << 7;
const SOFT_RESET: u32 = 1 << 2;

const READ_QUEUED: u32 = 0x60;
const WRITE_QUEUED: u32 = 0x61;
const FORCE_UNIT_ACCESS: u32 = 1 << 7;

/** After so much, one write to PxCI takes no further command. */
const MOST_BYTES: u32 = 32 << 20;
const MOST_ENTRIES: u32 = 1 << 15;

/** May the next command be taken? */
function ready(p: PortState): bool {
  return (
    (p.cmd & <u32>Cmd.ST) != 0 &&
    p.halted == 0 &&
    p.busy == <u32>Busy.NO &&
    (p.tfd & <u32>(Ata.BSY | Ata.DRQ)) == 0 &&
    online(p) &&
    busMaster(hbaState().slot)
  );
}

/** Executes what PxCI holds. */
export function serve(p: PortState): void {
  clearWork();
  p.more = 0;
  let moved: u32 = 0;
  while (p.ci != 0 && ready(p)) {
    const budgeted = mayServe(DeviceSlot.DISK + p.backend);
    if (!budgeted) noteHeld(DeviceSlot.DISK + p.backend);
    if (!budgeted || moved >= MOST_BYTES || entriesRead >= MOST_ENTRIES) {
      p.more = 1;
      return;
    }
    take(p, nextSlot(p));
    served(DeviceSlot.DISK + p.backend, bytesFound);
    moved += bytesFound;
  }
}

function nextSlot(p: PortState): u32 {
  const first = (p.lastSlot + 1) & (Limit.SLOTS - 1);
  return (first + ctz(rotr(p.ci, first))) & (Limit.SLOTS - 1);
}

/** A frame that no drive could answer. */
function interfaceError(p: PortState): void {
  p.serr |= Serr.INTERNAL_ERROR;
  halt(p, Is.IFS);
}

function take(p: PortState, slot: u32): void {
  p.lastSlot = slot;
  p.link = Link.ACTIVE;
  p.cmd = (p.cmd & ~(<u32>Cmd.CCS)) | (slot << <u32>Cmd.CCS_SHIFT);
  startRuns(0, 0);
  const header = dmaRead(p.clb + slot * HEADER, HEADER);
  if (header == 0) return halt(p, Is.HBFS);
  const description = load<u32>(header);
  const table = load<u64>(header, 8) & ~TABLE_ALIGNMENT;
  const frame = dmaRead(table, FRAME_BYTES);
  if (frame == 0) return halt(p, Is.HBFS);
  const dwords = description & <u32>Header.FRAME_DWORDS;
  const known = dwords >= REGISTER_DWORDS && dwords <= FRAME_BYTES >> 2 && load<u8>(frame) == <u8>REGISTER_TO_DEVICE;
  if (!known || (description & <u32>Header.BIST) != 0) return interfaceError(p);
  if ((load<u8>(frame, 1) & <u8>IS_COMMAND) == 0) {
    control(p, slot, load<u8>(frame, 15), (description & <u32>Header.CLEAR_BUSY) != 0);
    return;
  }
  const t = taskfileOf(p);
  decode(t, frame);
  startRuns(table + DESCRIPTORS, description >> 16);
  p.commands++;
  if (t.command == READ_QUEUED || t.command == WRITE_QUEUED) queued(p, slot);
  else end(p, slot, single(p, slot));
  if (interruptAsked) p.is |= Is.DPS;
}

function decode(t: Taskfile, frame: usize): void {
  t.command = load<u8>(frame, 2);
  t.features = <u32>load<u8>(frame, 3) | ((<u32>load<u8>(frame, 11)) << 8);
  t.lba = <u64>(load<u32>(frame, 4) & 0xff_ffff) | ((<u64>(load<u32>(frame, 8) & 0xff_ffff)) << 24);
  t.device = load<u8>(frame, 7);
  t.count = load<u16>(frame, 12);
  t.status = Ata.GOOD;
  t.error = 0;
}

// --- commands that are not queued ---

function single(p: PortState, slot: u32): Outcome {
  const t = taskfileOf(p);
  if (p.softReset != 0) return fail(t, Ata.ABRT);
  if (p.ncqFailed != 0 && !readsErrorLog(t)) return fail(t, Ata.ABRT);
  if (p.queued != 0) {
    // One among queued ones ends them all (SATA, 13.6.1).
    forget(p);
    return fail(t, Ata.ABRT);
  }
  return execute(p, slot);
}

function end(p: PortState, slot: u32, outcome: Outcome): void {
  const bit: u32 = 1 << slot;
  switch (outcome) {
    case Outcome.PENDING:
      p.busy = Busy.COMMAND;
      p.busySlot = slot;
      setTaskFile(p, Ata.GOOD | Ata.BSY, 0);
      return;
    case Outcome.OUTSIDE:
      return halt(p, Is.HBFS);
    case Outcome.ERROR:
      registerFrame(p, true);
      return halt(p, Is.TFES);
    case Outcome.PIO:
      pioFrame(p, pioBlock(p, bytesFound));
      break;
    default:
      registerFrame(p, true);
  }
  const moved = dmaWrite(p.clb + slot * HEADER + 4, 4);
  if (moved == 0) return halt(p, Is.HBFS);
  store<u32>(moved, bytesFound);
  p.ci &= ~bit;
}

/** A frame that carries the device control register: of use is its SRST (10.4.1). */
function control(p: PortState, slot: u32, value: u32, clearBusy: bool): void {
  const reset = (value & SOFT_RESET) != 0;
  if (reset) {
    forget(p);
    resetDrive(p, false);
    p.softReset = 1;
    setTaskFile(p, clearBusy ? Ata.GOOD : Ata.GOOD | Ata.BSY, 0);
  } else if (p.softReset != 0) {
    p.softReset = 0;
    p.signature = 1;
    signatureFrame(p);
  }
  p.ci &= ~(<u32>1 << slot);
}

// --- queued commands (SATA, 13.6) ---

function queued(p: PortState, slot: u32): void {
  const t = taskfileOf(p);
  const tag = t.count >> 3;
  const sectors: u32 = t.features == 0 ? 0x1_0000 : t.features;
  const sound = tag == slot && p.softReset == 0 && p.ncqFailed == 0 && p.asleep == 0;
  // Accepted: the slot is free, the drive no longer busy.
  registerFrame(p, false);
  p.ci &= ~(<u32>1 << slot);
  let outcome: Outcome;
  if (!sound) {
    outcome = fail(t, Ata.ABRT);
  } else {
    const reads = t.command == READ_QUEUED;
    p.power = Power.ACTIVE;
    dmaSetupFrame(p, tag, sectors << SECTOR_SHIFT, reads);
    if (reads) outcome = readSectors(p, t.lba, sectors, Outcome.DONE);
    else outcome = writeSectors(p, slot, t.lba, sectors, (t.device & FORCE_UNIT_ACCESS) != 0);
  }
  if (outcome == Outcome.PENDING) p.queued |= 1 << slot;
  else endQueued(p, tag & 31, outcome);
}

function endQueued(p: PortState, tag: u32, outcome: Outcome): void {
  if (outcome == Outcome.OUTSIDE) return halt(p, Is.HBFS);
  if (outcome != Outcome.ERROR) return deviceBitsFrame(p, 1 << tag);
  const t = taskfileOf(p);
  if (p.ncqFailed == 0) {
    p.ncqFailed = 1;
    p.ncqTag = tag;
    p.ncqStatus = t.status | (t.error << 8);
    p.ncqLba = t.lba;
    p.ncqDevice = t.device;
    p.ncqCount = t.count;
  }
  forget(p);
  deviceBitsFrame(p, 0);
  halt(p, Is.TFES);
}

// --- what ends later, or not at all ---

/** The host has finished the flush of the command in `slot`. */
export function finish(p: PortState, slot: u32, errno: i32): void {
  const t = taskfileOf(p);
  const bit: u32 = 1 << slot;
  if ((p.queued & bit) != 0) {
    p.queued &= ~bit;
    t.status = Ata.GOOD;
    t.error = 0;
    endQueued(p, slot, errno == 0 ? Outcome.DONE : flushFailed(p));
  } else if (p.busy != <u32>Busy.NO && p.busySlot == slot) {
    const orphan = p.busy == <u32>Busy.ORPHAN;
    p.busy = Busy.NO;
    t.status = Ata.GOOD;
    t.error = 0;
    const outcome = errno == 0 ? Outcome.DONE : flushFailed(p);
    if (orphan) {
      registerFrame(p, true);
    } else {
      setTaskFile(p, Ata.GOOD, 0);
      end(p, slot, outcome);
    }
  }
  serve(p);
}

/** Gives up what is under way: the host's answer will find another generation. */
export function forget(p: PortState): void {
  if (p.queued != 0 || p.busy != <u32>Busy.NO) p.generation = (p.generation + 1) & 0xff_ffff;
  p.queued = 0;
  p.busy = Busy.NO;
  p.busySlot = 0;
}

/** PxCMD.ST cleared: the list is the driver's again (10.3.2). A drive that is busy stays so. */
export function stop(p: PortState): void {
  if (p.busy == <u32>Busy.NO) forget(p);
  else p.busy = Busy.ORPHAN;
  p.ci = 0;
  p.sact = 0;
  p.halted = 0;
  p.more = 0;
  p.lastSlot = Limit.SLOTS - 1;
  p.cmd &= ~(<u32>Cmd.CCS);
}

/** What a reset of the drive undoes; a software reset keeps the driver's settings. */
export function resetDrive(p: PortState, hard: bool): void {
  p.softReset = 0;
  p.asleep = 0;
  p.power = Power.ACTIVE;
  p.ncqFailed = 0;
  if (!hard) return;
  p.multiple = 0;
  p.writeCache = 1;
  p.lookAhead = 1;
  p.multiwordMode = 0;
  p.ultraMode = 1 << 6;
}

/** A write to PxSCTL: COMRESET, and the link's coming and going (10.4.2, 10.10). */
export function setLink(p: PortState, value: u32): void {
  const before = p.sctl & 0xf;
  const after = value & 0xf;
  p.sctl = value & 0xfff;
  if (after == before) return;
  if (after == <u32>Det.NONE) {
    linkUp(p);
  } else {
    forget(p);
    resetDrive(p, true);
    p.signature = 0;
    setTaskFile(p, 0x7f, 0);
    p.serr |= Serr.PHYRDY_CHANGE;
  }
}

/** The drive has answered: it is busy until its signature has arrived. */
export function linkUp(p: PortState): void {
  p.serr |= <u32>(Serr.EXCHANGED | Serr.PHYRDY_CHANGE);
  p.link = Link.ACTIVE;
  p.sig = 0xffff_ffff;
  setTaskFile(p, Ata.BSY, 0);
  p.signature = 1;
  signatureFrame(p);
}
