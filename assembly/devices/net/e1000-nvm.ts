// The non-volatile memory: 64 words with the MAC address, identifiers and a checksum (5.6),
// and the ways to it. The 82540EM's sits behind a Microwire bus that the driver clocks by
// hand through EECD (5.3.1), and behind EERD; the 82574L's behind EERD and EEWR (82574
// 10.2.2.4). What is written lasts until the controller is attached again.
//
// Left out: bit access to the 82574L's SPI EEPROM, and its flash.
import { E1000, Limit, is82574, nvmAt } from "./e1000-state";

const enum Word {
  SUBSYSTEM_ID = 0x0b,
  SUBSYSTEM_VENDOR = 0x0c,
  DEVICE_ID = 0x0d,
  VENDOR = 0x0e,
  CHECKSUM = 0x3f,
}

/** All words together give this. */
const CHECKSUM: u32 = 0xbaba;

export const INTEL: u32 = 0x8086;
export const DEVICE_82540EM: u32 = 0x100e;
export const DEVICE_82574L: u32 = 0x10d3;
/** Intel's own boards: PRO/1000 MT Desktop, and Gigabit CT Desktop. */
export const SUBSYSTEM_82540EM: u32 = 0x001e;
export const SUBSYSTEM_82574L: u32 = 0xa01f;

const enum Eecd {
  SK = 1 << 0,
  CS = 1 << 1,
  DI = 1 << 2,
  DO = 1 << 3,
  FWE = 3 << 4,
  REQ = 1 << 6,
  GNT = 1 << 7,
  PRES = 1 << 8,
  /** 82574: the contents were read after reset. */
  AUTO_RD = 1 << 9,
  DRIVEN = SK | CS | DI | FWE | REQ,
}

/** EERD: the 8254x has DONE at bit 4 and the address from bit 8, the 82574 at 1 and from 2. */
const START: u32 = 1;
const DONE_8254X: u32 = 1 << 4;
const DONE_82574: u32 = 1 << 1;

// What the Microwire EEPROM (93C46) is doing.
const enum Mode {
  COMMAND = 0,
  READ = 1,
  WRITE = 2,
  IGNORE = 3,
}

// Commands, after the start bit: two bits of opcode, six of address.
const enum Opcode {
  EXTENDED = 0,
  WRITE = 1,
  READ = 2,
  ERASE = 3,
}

const enum Extended {
  WRITE_DISABLE = 0,
  WRITE_ALL = 1,
  ERASE_ALL = 2,
  WRITE_ENABLE = 3,
}

function setWord(s: E1000, word: u32, value: u32): void {
  store<u16>(nvmAt(s) + (<usize>word << 1), <u16>value);
}

function word(s: E1000, index: u32): u32 {
  return index < <u32>Limit.NVM_WORDS ? <u32>load<u16>(nvmAt(s) + (<usize>index << 1)) : 0xffff;
}

/** Writes the contents as they leave the factory. Reserved words are ones. */
export function nvmInit(s: E1000): void {
  memory.fill(nvmAt(s), 0xff, <usize>Limit.NVM_WORDS << 1);
  setWord(s, 0x00, s.macLow);
  setWord(s, 0x01, s.macLow >> 16);
  setWord(s, 0x02, s.macHigh);
  setWord(s, 0x03, 0); // compatibility
  setWord(s, 0x08, 0); // printed board assembly number: none
  setWord(s, 0x09, 0);
  setWord(s, 0x0a, 0); // initialization control 1
  setWord(s, Word.SUBSYSTEM_ID, is82574(s) ? SUBSYSTEM_82574L : SUBSYSTEM_82540EM);
  setWord(s, Word.SUBSYSTEM_VENDOR, INTEL);
  setWord(s, Word.DEVICE_ID, is82574(s) ? DEVICE_82574L : DEVICE_82540EM);
  setWord(s, Word.VENDOR, INTEL);
  setWord(s, 0x0f, 0); // initialization control 2: no management
  setWord(s, 0x14, 0); // initialization control 3, port B and A: no wake-up
  setWord(s, 0x24, 0);
  let sum: u32 = 0;
  for (let i: u32 = 0; i < <u32>Word.CHECKSUM; i++) sum += word(s, i);
  setWord(s, Word.CHECKSUM, CHECKSUM - sum);
}

/** The MAC address as the memory has it now: what reset puts into the first receive address. */
export function nvmMacLow(s: E1000): u32 {
  return word(s, 0) | (word(s, 1) << 16);
}

export function nvmMacHigh(s: E1000): u32 {
  return word(s, 2);
}

export function readEerd(s: E1000, value: u32): void {
  if ((value & START) == 0) {
    s.eerd = value;
    return;
  }
  const address = is82574(s) ? (value >> 2) & 0x3fff : (value >> 8) & 0xff;
  s.eerd = (value & 0xffff & ~START) | (word(s, address) << 16) | (is82574(s) ? DONE_82574 : DONE_8254X);
}

/** EEWR writes at once, so it always reads as done. */
export function writeEewr(s: E1000, value: u32): void {
  const address = (value >> 2) & 0x3fff;
  if ((value & START) != 0 && address < <u32>Limit.NVM_WORDS) setWord(s, address, value >> 16);
}

export function readEewr(): u32 {
  return DONE_82574;
}

export function readEecd(s: E1000): u32 {
  const driven = s.eecd & <u32>Eecd.DRIVEN;
  const granted: u32 = (driven & <u32>Eecd.REQ) != 0 ? <u32>Eecd.GNT : 0;
  const value = driven | granted | <u32>Eecd.PRES;
  if (is82574(s)) return value | <u32>Eecd.AUTO_RD;
  return value | (s.eeOut != 0 ? <u32>Eecd.DO : 0);
}

export function writeEecd(s: E1000, value: u32): void {
  const before = s.eecd;
  s.eecd = value & <u32>Eecd.DRIVEN;
  if (is82574(s)) return;
  if ((value & <u32>Eecd.CS) == 0) {
    deselect(s);
  } else if ((before & <u32>Eecd.SK) == 0 && (value & <u32>Eecd.SK) != 0) {
    clock(s, (value & <u32>Eecd.DI) != 0 ? 1 : 0);
  }
}

/** Chip select falls: a write that has all its bits is done, and the next command may begin. DO high says ready. */
function deselect(s: E1000): void {
  if (s.eeMode == <u32>Mode.WRITE && s.eeBits == 16 && s.eeWritable != 0) {
    if (s.eeAddress < <u32>Limit.NVM_WORDS) setWord(s, s.eeAddress, s.eeShift);
    else for (let i: u32 = 0; i < <u32>Limit.NVM_WORDS; i++) setWord(s, i, s.eeShift);
  }
  s.eeMode = Mode.COMMAND;
  s.eeBits = 0;
  s.eeShift = 0;
  s.eeOut = 1;
}

/** The clock rises. */
function clock(s: E1000, bit: u32): void {
  switch (s.eeMode) {
    case Mode.COMMAND:
      // Zeros before the start bit mean nothing.
      if (s.eeBits == 0 && bit == 0) return;
      s.eeShift = (s.eeShift << 1) | bit;
      s.eeBits++;
      if (s.eeBits == 9) command(s, (s.eeShift >> 6) & 3, s.eeShift & 0x3f);
      break;
    case Mode.READ:
      s.eeOut = (s.eeShift >> 15) & 1;
      s.eeShift <<= 1;
      s.eeBits++;
      if (s.eeBits == 16) {
        // Reading on gives the words that follow.
        s.eeAddress = (s.eeAddress + 1) & 0x3f;
        s.eeShift = word(s, s.eeAddress);
        s.eeBits = 0;
      }
      break;
    case Mode.WRITE:
      if (s.eeBits == 16) break;
      s.eeShift = ((s.eeShift << 1) | bit) & 0xffff;
      s.eeBits++;
      break;
  }
}

/** A whole command was clocked in; address Limit.NVM_WORDS stands for all words. */
function command(s: E1000, opcode: u32, address: u32): void {
  s.eeMode = Mode.IGNORE;
  s.eeBits = 0;
  s.eeShift = 0;
  s.eeAddress = address;
  if (opcode == <u32>Opcode.READ) {
    s.eeMode = Mode.READ;
    s.eeShift = word(s, address);
    s.eeOut = 0; // a zero comes before the data
  } else if (opcode == <u32>Opcode.WRITE) {
    s.eeMode = Mode.WRITE;
  } else if (opcode == <u32>Opcode.ERASE) {
    erase(s);
  } else {
    extended(s, address >> 4);
  }
}

function extended(s: E1000, which: u32): void {
  s.eeAddress = Limit.NVM_WORDS;
  switch (which) {
    case Extended.WRITE_ENABLE:
      s.eeWritable = 1;
      break;
    case Extended.WRITE_DISABLE:
      s.eeWritable = 0;
      break;
    case Extended.WRITE_ALL:
      s.eeMode = Mode.WRITE;
      break;
    case Extended.ERASE_ALL:
      erase(s);
      break;
  }
}

/** Erasing is writing ones. */
function erase(s: E1000): void {
  s.eeMode = Mode.WRITE;
  s.eeBits = 16;
  s.eeShift = 0xffff;
}
