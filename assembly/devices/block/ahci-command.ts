// ATA commands (ACS, 7) but the queued ones: what each needs to be known by its code for, and
// the small ones themselves. Left out, and not promised by IDENTIFY DEVICE: security, host
// protected area (READ NATIVE MAX ADDRESS answers all the same), device configuration,
// advanced power management, self-tests, streaming, SCT; and addresses by cylinder.
import { Outcome, answer, fail, flush, readSectors, trim, verifySectors, writeSectors } from "./ahci-data";
import { LOG_NCQ_ERROR, identify, readLog, smartData, smartDirectory, smartThresholds } from "./ahci-identify";
import { Run, copyFromGuest } from "./ahci-prdt";
import { Ata, Limit, PortState, SECTOR, SIGNATURE, Taskfile, scratch, taskfileOf } from "./ahci-state";

const enum Command {
  DATA_SET_MANAGEMENT = 0x06,
  READ_SECTORS = 0x20,
  READ_SECTORS_EXT = 0x24,
  READ_DMA_EXT = 0x25,
  READ_NATIVE_MAX_EXT = 0x27,
  READ_MULTIPLE_EXT = 0x29,
  READ_LOG_EXT = 0x2f,
  WRITE_SECTORS = 0x30,
  WRITE_SECTORS_EXT = 0x34,
  WRITE_DMA_EXT = 0x35,
  WRITE_MULTIPLE_EXT = 0x39,
  WRITE_DMA_FUA_EXT = 0x3d,
  READ_VERIFY = 0x40,
  READ_VERIFY_EXT = 0x42,
  READ_LOG_DMA_EXT = 0x47,
  EXECUTE_DIAGNOSTIC = 0x90,
  SMART = 0xb0,
  READ_MULTIPLE = 0xc4,
  WRITE_MULTIPLE = 0xc5,
  SET_MULTIPLE_MODE = 0xc6,
  READ_DMA = 0xc8,
  WRITE_DMA = 0xca,
  WRITE_MULTIPLE_FUA_EXT = 0xce,
  STANDBY_IMMEDIATE = 0xe0,
  IDLE_IMMEDIATE = 0xe1,
  STANDBY = 0xe2,
  IDLE = 0xe3,
  READ_BUFFER = 0xe4,
  CHECK_POWER_MODE = 0xe5,
  SLEEP = 0xe6,
  FLUSH_CACHE = 0xe7,
  WRITE_BUFFER = 0xe8,
  FLUSH_CACHE_EXT = 0xea,
  IDENTIFY_DEVICE = 0xec,
  SET_FEATURES = 0xef,
  READ_NATIVE_MAX = 0xf8,
}

/** Answers of CHECK POWER MODE. */
export const enum Power {
  STANDBY = 0x00,
  IDLE = 0x80,
  ACTIVE = 0xff,
}

const enum Smart {
  READ_DATA = 0xd0,
  READ_THRESHOLDS = 0xd1,
  AUTOSAVE = 0xd2,
  READ_LOG = 0xd5,
  ENABLE = 0xd8,
  DISABLE = 0xd9,
  RETURN_STATUS = 0xda,
}

const enum Feature {
  ENABLE_WRITE_CACHE = 0x02,
  TRANSFER_MODE = 0x03,
  DISABLE_LOOK_AHEAD = 0x55,
  KEEP_SETTINGS = 0x66,
  DISABLE_WRITE_CACHE = 0x82,
  ENABLE_LOOK_AHEAD = 0xaa,
  REVERT_SETTINGS = 0xcc,
}

/** Device register: the address is a block's. */
const LBA: u32 = 1 << 6;
/** LBA bits 23:8 of every SMART command, and of the answer of a drive that is well. */
const SMART_KEY: u64 = 0xc24f;

/** READ LOG (DMA) EXT of the log of failed queued commands. */
export function readsErrorLog(t: Taskfile): bool {
  const reads = t.command == <u32>Command.READ_LOG_EXT || t.command == <u32>Command.READ_LOG_DMA_EXT;
  return reads && (<u32>t.lba & 0xff) == LOG_NCQ_ERROR;
}

// The block range of a command with a 28-bit or a 48-bit address.

function lba28(t: Taskfile): u64 {
  return (t.lba & 0xff_ffff) | (<u64>(t.device & 0xf) << 24);
}

function count28(t: Taskfile): u32 {
  const count = t.count & 0xff;
  return count == 0 ? 256 : count;
}

function count48(t: Taskfile): u32 {
  return t.count == 0 ? 0x1_0000 : t.count;
}

/** Bytes in a block of the PIO command that has just ended: the last frame announces what is left for it. */
export function pioBlock(p: PortState, bytes: u32): u32 {
  const command = taskfileOf(p).command;
  const multiple = command == <u32>Command.READ_MULTIPLE || command == <u32>Command.READ_MULTIPLE_EXT;
  const block = multiple ? p.multiple * SECTOR : SECTOR;
  const rest = bytes % block;
  return rest == 0 ? block : rest;
}

/** Executes the command in the task file, which came in `slot`. */
export function execute(p: PortState, slot: u32): Outcome {
  const t = taskfileOf(p);
  const command = t.command;
  if (p.asleep != 0) return fail(t, Ata.ABRT);
  switch (command) {
    case Command.READ_SECTORS:
    case Command.READ_VERIFY:
    case Command.READ_MULTIPLE:
    case Command.READ_DMA:
    case Command.WRITE_SECTORS:
    case Command.WRITE_MULTIPLE:
    case Command.WRITE_DMA:
    case Command.READ_SECTORS + 1: // the same, once without retries
    case Command.READ_VERIFY + 1:
    case Command.READ_DMA + 1:
    case Command.WRITE_SECTORS + 1:
    case Command.WRITE_DMA + 1:
      return moveSectors(p, slot, command, lba28(t), count28(t));
    case Command.READ_SECTORS_EXT:
    case Command.READ_VERIFY_EXT:
    case Command.READ_MULTIPLE_EXT:
    case Command.READ_DMA_EXT:
    case Command.WRITE_SECTORS_EXT:
    case Command.WRITE_MULTIPLE_EXT:
    case Command.WRITE_DMA_EXT:
    case Command.WRITE_DMA_FUA_EXT:
    case Command.WRITE_MULTIPLE_FUA_EXT:
      return moveSectors(p, slot, command, t.lba, count48(t));
    case Command.DATA_SET_MANAGEMENT:
      // TRIM is the only thing to manage.
      if ((t.features & 0xff) != 1 || t.count == 0 || t.count > <u32>Limit.RANGE_BLOCKS) return fail(t, Ata.ABRT);
      return trim(p, t.count);
    case Command.FLUSH_CACHE:
    case Command.FLUSH_CACHE_EXT:
      return flush(p, slot);
    case Command.IDENTIFY_DEVICE:
      identify(p);
      return answer(p, SECTOR, false);
    case Command.READ_LOG_EXT:
    case Command.READ_LOG_DMA_EXT:
      return logs(p, command == <u32>Command.READ_LOG_DMA_EXT);
    case Command.SMART:
      return smart(p);
    case Command.SET_FEATURES:
      return setFeatures(p, slot);
    case Command.SET_MULTIPLE_MODE:
      return setMultiple(p);
    case Command.READ_NATIVE_MAX:
      t.lba = min(p.sectors - 1, 0x0fff_ffff);
      t.device = LBA | <u32>(t.lba >> 24);
      t.lba &= 0xff_ffff;
      return Outcome.DONE;
    case Command.READ_NATIVE_MAX_EXT:
      t.lba = p.sectors - 1;
      return Outcome.DONE;
    case Command.STANDBY:
    case Command.STANDBY_IMMEDIATE:
      p.power = Power.STANDBY;
      return flush(p, slot);
    case Command.SLEEP:
      p.asleep = 1;
      return flush(p, slot);
    case Command.IDLE:
    case Command.IDLE_IMMEDIATE:
      p.power = Power.IDLE;
      return Outcome.DONE;
    case Command.CHECK_POWER_MODE:
      t.count = p.power;
      return Outcome.DONE;
    case Command.READ_BUFFER:
      memory.fill(scratch(), 0, SECTOR);
      return answer(p, SECTOR, false);
    case Command.WRITE_BUFFER: {
      const run = copyFromGuest(scratch(), SECTOR);
      return run == Run.OUTSIDE ? Outcome.OUTSIDE : run == Run.SHORT ? fail(t, Ata.ABRT) : Outcome.DONE;
    }
    case Command.EXECUTE_DIAGNOSTIC:
      t.error = 1; // passed
      t.lba = (SIGNATURE >> 8) & 0xff_ffff;
      t.count = SIGNATURE & 0xff;
      t.device = 0;
      return Outcome.DONE;
    default:
      return fail(t, Ata.ABRT);
  }
}

function moveSectors(p: PortState, slot: u32, command: u32, lba: u64, count: u32): Outcome {
  const t = taskfileOf(p);
  if ((t.device & LBA) == 0) return fail(t, Ata.ABRT);
  p.power = Power.ACTIVE;
  switch (command) {
    case Command.READ_MULTIPLE:
    case Command.READ_MULTIPLE_EXT:
      if (p.multiple == 0) return fail(t, Ata.ABRT);
      return readSectors(p, lba, count, Outcome.PIO);
    case Command.READ_SECTORS:
    case Command.READ_SECTORS + 1:
    case Command.READ_SECTORS_EXT:
      return readSectors(p, lba, count, Outcome.PIO);
    case Command.READ_DMA:
    case Command.READ_DMA + 1:
    case Command.READ_DMA_EXT:
      return readSectors(p, lba, count, Outcome.DONE);
    case Command.READ_VERIFY:
    case Command.READ_VERIFY + 1:
    case Command.READ_VERIFY_EXT:
      return verifySectors(p, lba, count);
    case Command.WRITE_MULTIPLE:
    case Command.WRITE_MULTIPLE_EXT:
      if (p.multiple == 0) return fail(t, Ata.ABRT);
      return writeSectors(p, slot, lba, count, false);
    case Command.WRITE_MULTIPLE_FUA_EXT:
      if (p.multiple == 0) return fail(t, Ata.ABRT);
      return writeSectors(p, slot, lba, count, true);
    default:
      return writeSectors(p, slot, lba, count, command == <u32>Command.WRITE_DMA_FUA_EXT);
  }
}

/** Every log has one page. */
function logs(p: PortState, dma: bool): Outcome {
  const t = taskfileOf(p);
  const page = (<u32>(t.lba >> 8) & 0xff) | (<u32>(t.lba >> 24) & 0xff00);
  if (t.count != 1 || page != 0 || !readLog(p, <u32>t.lba & 0xff)) return fail(t, Ata.ABRT);
  return answer(p, SECTOR, dma);
}

function smart(p: PortState): Outcome {
  const t = taskfileOf(p);
  const what = t.features & 0xff;
  if (((t.lba >> 8) & 0xffff) != SMART_KEY || (p.smart == 0 && what != <u32>Smart.ENABLE)) return fail(t, Ata.ABRT);
  switch (what) {
    case Smart.READ_DATA:
      smartData(p);
      return answer(p, SECTOR, false);
    case Smart.READ_THRESHOLDS:
      smartThresholds();
      return answer(p, SECTOR, false);
    case Smart.READ_LOG:
      if ((t.count & 0xff) != 1 || (t.lba & 0xff) != 0) return fail(t, Ata.ABRT);
      smartDirectory();
      return answer(p, SECTOR, false);
    case Smart.AUTOSAVE:
      p.smartAutosave = (t.count & 0xff) == 0xf1 ? 1 : 0;
      return Outcome.DONE;
    case Smart.ENABLE:
      p.smart = 1;
      return Outcome.DONE;
    case Smart.DISABLE:
      p.smart = 0;
      return Outcome.DONE;
    case Smart.RETURN_STATUS:
      return Outcome.DONE; // the key unchanged: no threshold exceeded
    default:
      return fail(t, Ata.ABRT);
  }
}

function setFeatures(p: PortState, slot: u32): Outcome {
  const t = taskfileOf(p);
  switch (t.features & 0xff) {
    case Feature.ENABLE_WRITE_CACHE:
      p.writeCache = 1;
      return Outcome.DONE;
    case Feature.DISABLE_WRITE_CACHE:
      p.writeCache = 0;
      return flush(p, slot);
    case Feature.ENABLE_LOOK_AHEAD:
      p.lookAhead = 1;
      return Outcome.DONE;
    case Feature.DISABLE_LOOK_AHEAD:
      p.lookAhead = 0;
      return Outcome.DONE;
    case Feature.KEEP_SETTINGS:
    case Feature.REVERT_SETTINGS:
      return Outcome.DONE;
    case Feature.TRANSFER_MODE:
      return setTransferMode(p, t.count & 0xff);
    default:
      return fail(t, Ata.ABRT);
  }
}

/** Upper five bits: kind; lower three: mode. A link has one speed whatever is chosen. */
function setTransferMode(p: PortState, value: u32): Outcome {
  const mode = value & 7;
  switch (value >> 3) {
    case 0: // PIO as it was at power-on
      if (mode <= 1) return Outcome.DONE;
      break;
    case 1: // PIO with flow control
      if (mode <= 4) return Outcome.DONE;
      break;
    case 4: // multiword DMA
      if (mode > 2) break;
      p.multiwordMode = 1 << mode;
      p.ultraMode = 0;
      return Outcome.DONE;
    case 8: // Ultra DMA
      if (mode > 6) break;
      p.ultraMode = 1 << mode;
      p.multiwordMode = 0;
      return Outcome.DONE;
  }
  return fail(taskfileOf(p), Ata.ABRT);
}

/** 0 forbids READ and WRITE MULTIPLE; else a power of two up to the most in IDENTIFY DEVICE. */
function setMultiple(p: PortState): Outcome {
  const t = taskfileOf(p);
  const sectors = t.count & 0xff;
  if (sectors > <u32>Limit.MULTIPLE || (sectors & (sectors - 1)) != 0) return fail(t, Ata.ABRT);
  p.multiple = sectors;
  return Outcome.DONE;
}
