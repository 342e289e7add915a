// State of the AHCI controller and of the drives behind its ports: plain data at Dev.AHCI.
//
//   +0x0000  Hba: the generic registers
//   +0x0100  six ports, 0x200 apart: PortState, then the command being executed
//   +0x1000  4 KiB in which answers are put together, and into which lists are copied
//
// Specifications: Serial ATA AHCI 1.3.1 (section numbers without a name), Serial ATA 3.1 for
// frames and queued commands ("SATA"), ATA/ATAPI Command Set 2 for commands ("ACS").
import { Dev } from "../../abi/device";

export const enum Limit {
  PORTS = 6,
  SLOTS = 32,
  /** Sectors in a block of READ and WRITE MULTIPLE. */
  MULTIPLE = 16,
  /** 512-byte blocks of ranges that one DATA SET MANAGEMENT command brings. */
  RANGE_BLOCKS = 8,
}

export const SECTOR: u32 = 512;
export const SECTOR_SHIFT: u32 = 9;

/** PxIS and PxIE (3.3.5). */
export const enum Is {
  DHRS = 1 << 0, // register frame from the device
  PSS = 1 << 1, // PIO setup frame
  SDBS = 1 << 3, // set device bits frame
  DPS = 1 << 5, // a descriptor that asked for it was processed
  PCS = 1 << 6, // port connect change: SERR.DIAG.X
  PRCS = 1 << 22, // PhyRdy change: SERR.DIAG.N
  OFS = 1 << 24, // more data than descriptors
  IFS = 1 << 27, // interface fatal error
  HBFS = 1 << 29, // host bus fatal error
  TFES = 1 << 30, // task file error
}

/** Bits of PxIS that a driver clears by writing ones; PCS and PRCS follow PxSERR. */
export const IS_CLEARABLE: u32 = Is.DHRS | Is.PSS | Is.SDBS | Is.DPS | Is.OFS | Is.IFS | Is.HBFS | Is.TFES;
export const IE_WRITABLE: u32 = 0xfdc0_00ff;

/** PxCMD (3.3.7). */
export const enum Cmd {
  ST = 1 << 0,
  SUD = 1 << 1,
  POD = 1 << 2,
  CLO = 1 << 3,
  FRE = 1 << 4,
  CCS_SHIFT = 8,
  CCS = 0x1f << 8,
  FR = 1 << 14,
  CR = 1 << 15,
  /** What a driver asks of the link, never read back. */
  ICC_SHIFT = 28,
  /** ST, FRE, and ATAPI and DLAE, which only make a light blink. */
  WRITABLE = 0x0300_0011,
}

/** PxSERR (3.3.12). */
export const enum Serr {
  INTERNAL_ERROR = 1 << 11,
  PHYRDY_CHANGE = 1 << 16,
  UNKNOWN_FIS = 1 << 25,
  EXCHANGED = 1 << 26,
}

/** PxSCTL.DET (3.3.11). */
export const enum Det {
  NONE = 0,
  COMRESET = 1,
  OFFLINE = 4,
}

/** States of the link, as in PxSSTS.IPM and PxCMD.ICC. */
export const enum Link {
  ACTIVE = 1,
  PARTIAL = 2,
  SLUMBER = 6,
}

/** ATA status and error registers (ACS, 6.2 and 6.3). */
export const enum Ata {
  ERR = 0x01,
  DRQ = 0x08,
  SERVICE = 0x10, // always set by drives of old: "seek complete"
  DF = 0x20,
  DRDY = 0x40,
  BSY = 0x80,
  GOOD = 0x50,
  // Error:
  ABRT = 0x04,
  IDNF = 0x10,
  UNC = 0x40,
  /** Write protected: the same bit as UNC, for commands that write. */
  WP = 0x40,
}

/** Signature of an ATA drive, and the error register that goes with it: device 0 passed (ACS, 7.16 and 6.8). */
export const SIGNATURE: u32 = 0x0000_0101;

/** Whether a command that is not queued waits for the host: the drive is busy then. */
export const enum Busy {
  NO = 0,
  /** The one in slot `busySlot`. */
  COMMAND = 1,
  /** The command list was stopped meanwhile: its slot is no longer its own. */
  ORPHAN = 2,
}

@unmanaged
export class Hba {
  /** Bit p: port p has a drive, and is implemented. */
  ports: u32;
  /** Its PCI function. */
  slot: u32;
  ghc: u32;
  is: u32;
}

@unmanaged
export class PortState {
  attached: u32;
  number: u32;
  backend: u32;
  readOnly: u32;
  sectors: u64;
  /** Raised whenever commands under way are forgotten: a flush begun before does not complete after. */
  generation: u32;
  /** 1 if commands wait only because one write to PxCI may move so much and no more. */
  more: u32;

  // --- registers ---
  clb: u64;
  fb: u64;
  is: u32;
  ie: u32;
  cmd: u32;
  tfd: u32;
  sig: u32;
  sctl: u32;
  serr: u32;
  /** Link, while it is up. */
  link: u32;
  sact: u32;
  ci: u32;
  /** 1 after a fatal error, until ST is cleared (6.2.2). */
  halted: u32;
  /** Slot from which the search for the next command goes on. */
  lastSlot: u32;
  /** 1 while the signature frame waits for PxCMD.FRE. */
  signature: u32;
  /** 1 while the interrupt for queued commands that ended waits (moderation.ts). */
  waits: u32;

  // --- commands under way ---
  /** Busy. */
  busy: u32;
  busySlot: u32;
  /** Slots of queued commands whose flush is under way. */
  queued: u32;

  // --- the drive ---
  /** 1 between the two frames of a software reset. */
  softReset: u32;
  /** 1 after SLEEP, until a reset. */
  asleep: u32;
  /** What CHECK POWER MODE answers: Power. */
  power: u32;
  writeCache: u32;
  lookAhead: u32;
  smart: u32;
  smartAutosave: u32;
  multiple: u32;
  /** Chosen transfer modes: bit n is mode n. */
  multiwordMode: u32;
  ultraMode: u32;

  // --- log 10h: the queued command that failed (SATA, 13.7.3); until it is read all else is aborted ---
  ncqFailed: u32;
  ncqTag: u32;
  ncqStatus: u32;
  ncqDevice: u32;
  ncqCount: u32;
  ncqLba: u64;

  // --- statistics ---
  sectorsRead: u64;
  sectorsWritten: u64;
  mediaErrors: u64;
  commands: u64;
}

/** A command as its frame gave it, and the registers with which it ends. */
@unmanaged
export class Taskfile {
  command: u32;
  features: u32;
  device: u32;
  count: u32;
  /** 48 bits. */
  lba: u64;
  status: u32;
  error: u32;
}

const PORTS: usize = 0x100;
export const PORT_SIZE: usize = 0x200;
const TASKFILE: usize = 0x180;
const SCRATCH: usize = 0x1000;
export const SCRATCH_SIZE: u32 = 0x1000;

// @ts-ignore: decorator
@inline
export function hbaState(): Hba {
  return changetype<Hba>(<usize>Dev.AHCI);
}

// @ts-ignore: decorator
@inline
export function portAt(number: u32): PortState {
  return changetype<PortState>(<usize>Dev.AHCI + PORTS + <usize>number * PORT_SIZE);
}

// @ts-ignore: decorator
@inline
export function taskfileOf(p: PortState): Taskfile {
  return changetype<Taskfile>(changetype<usize>(p) + TASKFILE);
}

// @ts-ignore: decorator
@inline
export function scratch(): usize {
  return <usize>Dev.AHCI + SCRATCH;
}

/** The link is up: a drive is there and PxSCTL holds it neither in reset nor offline. */
export function online(p: PortState): bool {
  return (p.sctl & 0xf) == <u32>Det.NONE;
}

/** PxTFD: status and error registers of the drive as the controller last saw them. */
export function setTaskFile(p: PortState, status: u32, error: u32): void {
  p.tfd = status | (error << 8);
}

/** A fatal error: nothing more is executed until the driver clears PxCMD.ST (6.2.2). */
export function halt(p: PortState, cause: Is): void {
  p.is |= cause;
  p.halted = 1;
}
