// What a drive tells about itself: IDENTIFY DEVICE (ACS, 7.12), SMART (7.48) and the logs of
// READ LOG EXT (annex A). All are answers of 512 bytes with a layout of their own, put
// together in the scratch page. Numbers are little-endian words; text has the first
// character of each pair in the word's upper byte.
import { Limit, PortState, SECTOR, scratch } from "./ahci-state";

/** Words of IDENTIFY DEVICE. */
const enum Word {
  GENERAL = 0,
  CYLINDERS = 1,
  SPECIFIC = 2,
  HEADS = 3,
  SECTORS_PER_TRACK = 6,
  SERIAL = 10,
  FIRMWARE = 23,
  MODEL = 27,
  MULTIPLE = 47,
  CAPABILITIES = 49,
  CAPABILITIES_2 = 50,
  VALIDITY = 53,
  MULTIPLE_NOW = 59,
  SECTORS_28 = 60,
  MULTIWORD_DMA = 63,
  PIO_MODES = 64,
  CYCLE_TIMES = 65, // four of them
  QUEUE_DEPTH = 75,
  SATA_CAPABILITIES = 76,
  SATA_SPEED = 77,
  MAJOR_VERSION = 80,
  MINOR_VERSION = 81,
  SUPPORTED = 82, // three words, and the same three as they are now
  ENABLED = 85,
  ULTRA_DMA = 88,
  SECTORS_48 = 100,
  RANGE_BLOCKS = 105,
  SECTOR_SIZE = 106,
  WORLD_WIDE_NAME = 108,
  SUPPORTED_2 = 119,
  ENABLED_2 = 120,
  TRIM = 169,
  ROTATION_RATE = 217,
  TRANSPORT = 222,
}

// Bits of words 82 and 85.
const SMART: u32 = 1 << 0;
const POWER_MANAGEMENT: u32 = 1 << 3;
const WRITE_CACHE: u32 = 1 << 5;
const LOOK_AHEAD: u32 = 1 << 6;
const BUFFER_COMMANDS: u32 = (1 << 12) | (1 << 13);
/** Words 83 and 86: 48-bit addresses, FLUSH CACHE and FLUSH CACHE EXT. */
const LARGE_AND_FLUSH: u32 = (1 << 10) | (1 << 12) | (1 << 13);
/** Words 84 and 87: general purpose logging, forced unit access, a world wide name. */
const LOGS_FUA_NAME: u32 = (1 << 5) | (1 << 6) | (1 << 8);
/** Word 119: READ LOG DMA EXT. */
const LOG_DMA: u32 = 1 << 3;
/** Bit 14 set and bit 15 clear: the word means something. */
const VALID: u32 = 1 << 14;

const MODEL = memory.data<u8>([0x50, 0x61, 0x72, 0x61, 0x76, 0x61, 0x6e, 0x65, 0x20, 0x53, 0x41, 0x54, 0x41]); // Paravane SATA
const MODEL_SIZE: u32 = 13;
const SERIAL = memory.data<u8>([0x70, 0x61, 0x72, 0x61, 0x76, 0x61, 0x6e, 0x65, 0x2d, 0x61, 0x68, 0x63, 0x69, 0x2d]); // paravane-ahci-
const SERIAL_SIZE: u32 = 14;
const FIRMWARE = memory.data<u8>([0x31, 0x2e, 0x30]); // 1.0
const FIRMWARE_SIZE: u32 = 3;
const ZERO: u32 = 0x30;
/** Registered name of type 5: QEMU's OUI 52-54-00, "ahci", then the port. */
const WORLD_WIDE_NAME: u64 = 0x5525_4006_1686_3690;

// @ts-ignore: decorator
@inline
function word(index: u32, value: u32): void {
  store<u16>(scratch() + <usize>(index << 1), <u16>value);
}

/** Puts text into words from `first` on, padded with spaces to `words`. */
function text(first: u32, words: u32, source: usize, size: u32): void {
  const at = scratch() + <usize>(first << 1);
  memory.fill(at, 0x20, words << 1);
  for (let i: u32 = 0; i < size; i++) store<u8>(at + <usize>(i ^ 1), load<u8>(source + i));
}

/** Makes all bytes of the block add up to 0. */
function checksum(block: usize): void {
  let sum: u32 = 0;
  for (let i: usize = 0; i < SECTOR - 1; i++) sum += load<u8>(block + i);
  store<u8>(block + (SECTOR - 1), <u8>(0 - sum));
}

export function identify(p: PortState): void {
  memory.fill(scratch(), 0, SECTOR);
  word(Word.GENERAL, 1 << 6); // an ATA device, fixed
  word(Word.CYLINDERS, 16383);
  word(Word.HEADS, 16);
  word(Word.SECTORS_PER_TRACK, 63);
  word(Word.SPECIFIC, 0xc837); // needs nothing to start, and this answer is complete
  text(Word.SERIAL, 10, SERIAL, SERIAL_SIZE);
  store<u8>(scratch() + <usize>((Word.SERIAL << 1) + (SERIAL_SIZE ^ 1)), <u8>(ZERO + p.number));
  text(Word.FIRMWARE, 4, FIRMWARE, FIRMWARE_SIZE);
  text(Word.MODEL, 20, MODEL, MODEL_SIZE);
  word(Word.MULTIPLE, 0x8000 | Limit.MULTIPLE);
  word(Word.CAPABILITIES, 0x2f00); // DMA, LBA, IORDY, standard standby timer values
  word(Word.CAPABILITIES_2, VALID);
  word(Word.VALIDITY, 0b110); // words 64 to 70 and 88
  word(Word.MULTIPLE_NOW, p.multiple != 0 ? (1 << 8) | p.multiple : 0);
  const few = <u32>min(p.sectors, 0x0fff_ffff);
  word(Word.SECTORS_28, few);
  word(Word.SECTORS_28 + 1, few >> 16);
  word(Word.MULTIWORD_DMA, 0b111 | (p.multiwordMode << 8));
  word(Word.PIO_MODES, 0b11);
  for (let i: u32 = 0; i < 4; i++) word(Word.CYCLE_TIMES + i, 120); // nanoseconds
  word(Word.QUEUE_DEPTH, Limit.SLOTS - 1);
  word(Word.SATA_CAPABILITIES, (1 << 9) | (1 << 8) | (1 << 2) | (1 << 1)); // link power management, queued commands, 3 and 1.5 Gb/s
  word(Word.SATA_SPEED, 2 << 1); // 3 Gb/s now
  word(Word.MAJOR_VERSION, 0x03f0); // ATA/ATAPI-4 to ACS-2
  word(Word.MINOR_VERSION, 0x0110); // ACS-2 revision 3
  word(Word.SUPPORTED, SMART | POWER_MANAGEMENT | WRITE_CACHE | LOOK_AHEAD | BUFFER_COMMANDS);
  word(Word.SUPPORTED + 1, VALID | LARGE_AND_FLUSH);
  word(Word.SUPPORTED + 2, VALID | LOGS_FUA_NAME);
  const switched = (p.smart != 0 ? SMART : 0) | (p.writeCache != 0 ? WRITE_CACHE : 0) | (p.lookAhead != 0 ? LOOK_AHEAD : 0);
  word(Word.ENABLED, POWER_MANAGEMENT | BUFFER_COMMANDS | switched);
  word(Word.ENABLED + 1, LARGE_AND_FLUSH | (1 << 15)); // words 119 and 120 mean something
  word(Word.ENABLED + 2, VALID | LOGS_FUA_NAME);
  word(Word.ULTRA_DMA, 0x7f | (p.ultraMode << 8));
  store<u64>(scratch() + (Word.SECTORS_48 << 1), p.sectors);
  word(Word.RANGE_BLOCKS, Limit.RANGE_BLOCKS);
  word(Word.SECTOR_SIZE, VALID); // 512 bytes, logical and physical
  const name = WORLD_WIDE_NAME + p.number;
  for (let i: u32 = 0; i < 4; i++) word(Word.WORLD_WIDE_NAME + i, <u32>(name >> (48 - ((<u64>i) << 4))) & 0xffff);
  word(Word.SUPPORTED_2, VALID | LOG_DMA);
  word(Word.ENABLED_2, VALID | LOG_DMA);
  word(Word.TRIM, 1);
  word(Word.ROTATION_RATE, 1); // does not rotate
  word(Word.TRANSPORT, 0x101f); // Serial ATA, up to 2.6
  store<u8>(scratch() + 510, 0xa5);
  checksum(scratch());
}

/** SMART attributes: identifier, and the flags that say how to read it. */
const enum Attribute {
  REALLOCATED = 5,
  POWER_CYCLES = 12,
  UNCORRECTABLE = 187,
  TEMPERATURE = 194,
  CRC_ERRORS = 199,
  WRITTEN = 241,
  READ = 242,
}

const PREFAILURE: u32 = 1 << 0;
const ONLINE: u32 = 1 << 1;
const EVENT_COUNT: u32 = 1 << 4;
const KEPT: u32 = 1 << 5;
const ATTRIBUTE: u32 = 12;
const CELSIUS: u32 = 27;
const THRESHOLD: u32 = 10;

function attribute(index: u32, id: Attribute, flags: u32, raw: u64): void {
  const at = scratch() + 2 + <usize>(index * ATTRIBUTE);
  store<u8>(at, <u8>id);
  store<u16>(at, <u16>flags, 1);
  store<u8>(at, 100, 3); // value now, and the worst there was
  store<u8>(at, 100, 4);
  store<u64>(at, raw & 0xffff_ffff_ffff, 5);
}

/** SMART READ DATA. This drive's health does not change; the counts are what they count. */
export function smartData(p: PortState): void {
  memory.fill(scratch(), 0, SECTOR);
  store<u16>(scratch(), 0x10); // structure revision
  attribute(0, Attribute.REALLOCATED, PREFAILURE | ONLINE | EVENT_COUNT | KEPT, 0);
  attribute(1, Attribute.POWER_CYCLES, ONLINE | EVENT_COUNT | KEPT, 1);
  attribute(2, Attribute.UNCORRECTABLE, ONLINE | EVENT_COUNT | KEPT, p.mediaErrors);
  attribute(3, Attribute.TEMPERATURE, ONLINE | KEPT, CELSIUS);
  attribute(4, Attribute.CRC_ERRORS, ONLINE | EVENT_COUNT | KEPT, 0);
  attribute(5, Attribute.WRITTEN, ONLINE | KEPT, p.sectorsWritten);
  attribute(6, Attribute.READ, ONLINE | KEPT, p.sectorsRead);
  store<u16>(scratch() + 368, 3); // saves attributes, by itself too
  checksum(scratch());
}

/** SMART READ THRESHOLDS: value at or below which an attribute has failed; 0 never fails. */
export function smartThresholds(): void {
  memory.fill(scratch(), 0, SECTOR);
  store<u16>(scratch(), 0x10);
  threshold(0, Attribute.REALLOCATED, THRESHOLD);
  threshold(1, Attribute.POWER_CYCLES, 0);
  threshold(2, Attribute.UNCORRECTABLE, 0);
  threshold(3, Attribute.TEMPERATURE, 0);
  threshold(4, Attribute.CRC_ERRORS, 0);
  threshold(5, Attribute.WRITTEN, 0);
  threshold(6, Attribute.READ, 0);
  checksum(scratch());
}

function threshold(index: u32, id: Attribute, value: u32): void {
  store<u16>(scratch() + 2 + <usize>(index * ATTRIBUTE), <u16>(id | (value << 8)));
}

export const LOG_DIRECTORY: u32 = 0x00;
export const LOG_NCQ_ERROR: u32 = 0x10;

/** General purpose log `address`, of one page; false if there is none. Reading the log of a failed queued command clears it. */
export function readLog(p: PortState, address: u32): bool {
  memory.fill(scratch(), 0, SECTOR);
  if (address == LOG_DIRECTORY) {
    word(0, 1); // version
    word(LOG_NCQ_ERROR, 1); // pages
    return true;
  }
  if (address != LOG_NCQ_ERROR) return false;
  const at = scratch();
  if (p.ncqFailed == 0) {
    store<u8>(at, 0x80); // no queued command has failed
  } else {
    store<u8>(at, <u8>p.ncqTag);
    store<u8>(at, <u8>p.ncqStatus, 2);
    store<u8>(at, <u8>(p.ncqStatus >> 8), 3);
    store<u32>(at, (<u32>p.ncqLba & 0xff_ffff) | (p.ncqDevice << 24), 4);
    store<u32>(at, <u32>(p.ncqLba >> 24) & 0xff_ffff, 8);
    store<u16>(at, <u16>p.ncqCount, 12);
  }
  checksum(at);
  p.ncqFailed = 0;
  return true;
}

/** SMART READ LOG knows the directory alone. */
export function smartDirectory(): void {
  memory.fill(scratch(), 0, SECTOR);
  word(0, 1);
}
