// Incoming MSI Controllers (RISC-V Advanced Interrupt Architecture 1.0, chapter 3): for each
// hart an interrupt file for machine level and one for supervisor level, of 255 identities.
// There is no hypervisor extension, so there are no guest interrupt files.
//
// A file is a page of physical memory that messages are written to, and registers that its
// hart reaches through its CSRs (hart/aia.ts):
//
//   page   0x000  seteipnum_le: makes the identity written pending. All else is read-only zero
//                 (seteipnum_be too: the machine is little-endian).
//   0x70          eidelivery: 0 or 1. Delivery from the APLIC (0x4000_0000) is not supported.
//   0x72          eithreshold
//   0x80 - 0xbf   eip: pending bits; on RV64 the even numbers, 64 bits each
//   0xc0 - 0xff   eie: enable bits, likewise
//
// A lower identity has a higher priority. MEIP or SEIP of the hart is high while delivery is
// on and some pending and enabled identity is below the threshold.
import { Dev } from "../../abi/device";
import { Layout } from "../../abi/layout";
import { Aia, Map } from "../../abi/memory-map";
import { Line, setLine } from "../../irq";
import { hartsServed, hasAia } from "./aia";

/** Whose file of a hart. */
export const enum Level {
  MACHINE = 0,
  SUPERVISOR = 1,
}

/** Numbers of the registers behind `*iselect`. */
export const enum ImsicRegister {
  EIDELIVERY = 0x70,
  EITHRESHOLD = 0x72,
  EIP = 0x80,
  EIE = 0xc0,
  END = 0x100,
}

const SETEIPNUM_LE: u32 = 0;
/** 64-bit words of pending or enable bits. */
const WORDS: u32 = (Aia.IDENTITIES + 1) >> 6;
const MOST: u32 = Aia.IDENTITIES;

// State, in bytes from the file's own place.
const enum At {
  DELIVERY = 0,
  THRESHOLD = 4,
  PENDING = 0x20,
  ENABLE = 0x40,
  SIZE = 0x60,
}

// @ts-ignore: decorator
@inline
function fileAt(hart: u32, level: Level): usize {
  return <usize>Dev.IMSIC + ((<usize>hart << 1) + <usize>level) * <usize>At.SIZE;
}

/** The most urgent identity that is pending, enabled and below the threshold; 0 if there is none. `eidelivery` does not matter. */
export function imsicTop(hart: u32, level: Level): u32 {
  const file = fileAt(hart, level);
  for (let w: u32 = 0; w < WORDS; w++) {
    const ready = load<u64>(file + (<usize>w << 3), At.PENDING) & load<u64>(file + (<usize>w << 3), At.ENABLE);
    if (ready == 0) continue;
    const identity = (w << 6) + <u32>ctz(ready);
    const threshold = load<u32>(file, At.THRESHOLD);
    return threshold == 0 || identity < threshold ? identity : 0;
  }
  return 0;
}

function updateLine(hart: u32, level: Level): void {
  const delivered = load<u32>(fileAt(hart, level), At.DELIVERY) == 1 && imsicTop(hart, level) != 0;
  setLine(hart, level == Level.MACHINE ? Line.MEIP : Line.SEIP, delivered);
}

/** Clears the pending bit of `identity`, as a write to `*topei` does of the one that is on top. */
export function imsicClaim(hart: u32, level: Level, identity: u32): void {
  if (identity == 0 || identity > MOST) return;
  const at = fileAt(hart, level) + ((<usize>identity >> 6) << 3);
  store<u64>(at, load<u64>(at, At.PENDING) & ~((<u64>1) << <u64>(identity & 63)), At.PENDING);
  updateLine(hart, level);
}

function setPending(hart: u32, level: Level, identity: u32): void {
  if (identity == 0 || identity > MOST || hart >= hartsServed()) return;
  const at = fileAt(hart, level) + ((<usize>identity >> 6) << 3);
  store<u64>(at, load<u64>(at, At.PENDING) | ((<u64>1) << <u64>(identity & 63)), At.PENDING);
  updateLine(hart, level);
}

// @ts-ignore: decorator
@inline
function pagesAt(level: Level): u32 {
  return level == Level.MACHINE ? <u32>Map.IMSIC_M : <u32>Map.IMSIC_S;
}

/** The pages of one level: as many as there could be harts. Those of no hart are read-only zeros (3.6). */
// @ts-ignore: decorator
@inline
export function inImsicPages(pa: u64, level: Level): bool {
  return pa - <u64>pagesAt(level) < <u64>(<u32>Map.IMSIC_PAGE * <u32>Layout.MAX_HARTS);
}

/** A dword written to the pages of a level, by a hart or as a message. Everything but seteipnum_le ignores it. */
export function imsicWrite(level: Level, pa: u64, value: u32): void {
  const offset = <u32>pa - pagesAt(level);
  if ((offset & (<u32>Map.IMSIC_PAGE - 1)) == SETEIPNUM_LE) setPending(offset / <u32>Map.IMSIC_PAGE, level, value);
}

// --- the registers behind a hart's CSRs ---

/** Does register `number`, 0x70 to 0xff, exist on RV64? Those of 0x70 to 0x7f that have no name read 0. */
export function imsicRegisterExists(number: u32): bool {
  return number < <u32>ImsicRegister.EIP || (number & 1) == 0;
}

/** Host address of the 64 bits behind an `eip` or `eie` register; 0 beyond the last identity. */
function bitsAt(hart: u32, level: Level, number: u32): usize {
  const w = (number & 0x3f) >> 1;
  if (w >= WORDS) return 0;
  return fileAt(hart, level) + (number >= <u32>ImsicRegister.EIE ? <usize>At.ENABLE : <usize>At.PENDING) + (<usize>w << 3);
}

export function imsicRead(hart: u32, level: Level, number: u32): u64 {
  if (number == <u32>ImsicRegister.EIDELIVERY) return load<u32>(fileAt(hart, level), At.DELIVERY);
  if (number == <u32>ImsicRegister.EITHRESHOLD) return load<u32>(fileAt(hart, level), At.THRESHOLD);
  if (number < <u32>ImsicRegister.EIP) return 0;
  const at = bitsAt(hart, level, number);
  return at == 0 ? 0 : load<u64>(at);
}

export function imsicRegisterWrite(hart: u32, level: Level, number: u32, value: u64): void {
  if (number == <u32>ImsicRegister.EIDELIVERY) store<u32>(fileAt(hart, level), <u32>value & 1, At.DELIVERY);
  else if (number == <u32>ImsicRegister.EITHRESHOLD) store<u32>(fileAt(hart, level), <u32>value & MOST, At.THRESHOLD);
  else if (number < <u32>ImsicRegister.EIP) return;
  else {
    const at = bitsAt(hart, level, number);
    if (at == 0) return;
    // Identity 0 does not exist.
    store<u64>(at, (number & 0x3f) == 0 ? value & ~(<u64>1) : value);
  }
  updateLine(hart, level);
}

/** All files empty and delivery off. The lines are those of the PLIC where the machine has one. */
export function imsicReset(): void {
  memory.fill(<usize>Dev.IMSIC, 0, 2 * <usize>Layout.MAX_HARTS * <usize>At.SIZE);
  if (hasAia()) updateLines();
}

function updateLines(): void {
  for (let hart: u32 = 0; hart < <u32>Layout.MAX_HARTS; hart++) {
    updateLine(hart, Level.MACHINE);
    updateLine(hart, Level.SUPERVISOR);
  }
}

/** After a restore: fields in range, no identity 0, and the lines follow. */
export function imsicValidate(): bool {
  for (let hart: u32 = 0; hart < <u32>Layout.MAX_HARTS; hart++) {
    for (let level: u32 = 0; level < 2; level++) {
      const file = fileAt(hart, level);
      if (load<u32>(file, At.DELIVERY) > 1 || load<u32>(file, At.THRESHOLD) > MOST) return false;
      if (((load<u64>(file, At.PENDING) | load<u64>(file, At.ENABLE)) & 1) != 0) return false;
    }
  }
  if (hasAia()) updateLines();
  return true;
}
