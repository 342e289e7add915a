// The ways out of a function, which share what they have to do. A way out says where to go on
// in one number, and branches to the write-back of the registers that are dirty there. Each
// set of dirty registers has one, behind the function's code: it writes what the largest
// smaller set lacks and goes on with that one's, so that a register is written by few of them.
//
//   block  block  block  code  end  stores of x5, x6, x7  end  stores of x5  end  address and steps
import { HartAt, Machine } from "../abi/layout";
import { upcomingRegion } from "../code/regions";
import { BODY, EXIT_SETS, EXIT_SITES, MOST_EXITS, MOST_SETS } from "./buffers";
import { EXIT, localFor, STEPS } from "./locals";
import { pushMoved, pushPc } from "./moved";
import { Type, Wasm } from "./wasm";
import { access, byte, cursor, get, i32Const, moveTo, nesting, op1, set, setNesting } from "./writer";

// The number: bits 9:0 steps to give back, bits 11:10 a report, bits 31:12 address less the region's.
const REPORT_SHIFT: i32 = 10;
const DISTANCE_SHIFT: i32 = 12;
const FARTHEST: i64 = 1 << 19;

/** Bytes of a branch's depth, which is not known before the function ends. */
const DEPTH_SIZE: usize = 2;
/** Bytes of a block's opening. */
const OPENING: usize = 2;

let base: u64 = 0;
let siteCount: u32 = 0;
let setCount: u32 = 0;

/** Code of a region at `pc` begins at BODY. */
export function beginExits(pc: u64): void {
  base = pc;
  siteCount = 0;
  setCount = 1;
  store<u64>(EXIT_SETS, 0);
  setNesting(0);
}

/** There are more than can be noted. */
export function tooManyExits(): bool {
  return siteCount == MOST_EXITS;
}

// @ts-ignore: decorator
@inline
function setAt(n: u32): u64 {
  return load<u64>(EXIT_SETS + ((<usize>n) << 3));
}

/** Can the way out to `pc` be said in a number? */
export function isNear(pc: u64): bool {
  const distance = <i64>(pc - base);
  return distance >= -FARTHEST && distance < FARTHEST;
}

/** Leaves for `pc`, a near one, with `undone` steps given back and `dirty` registers written. */
export function exitTo(pc: u64, undone: u32, dirty: u64, report: u32): void {
  i32Const((<i32>(pc - base) << DISTANCE_SHIFT) | <i32>(report << REPORT_SHIFT) | <i32>undone);
  set(EXIT);
  const n = indexOf(dirty);
  if (tooManyExits()) return;
  byte(Wasm.BR);
  const site = EXIT_SITES + ((<usize>(siteCount++)) << 3);
  store<u32>(site, <u32>(cursor - BODY));
  store<u16>(site, <u16>nesting, 4);
  store<u16>(site, <u16>n, 6);
  moveTo(cursor + DEPTH_SIZE);
}

/** Number of the set `dirty`. Where there are too many sets already, writes the registers itself, and none is left. */
function indexOf(dirty: u64): u32 {
  for (let n = setCount; n-- > 0; ) if (setAt(n) == dirty) return n;
  if (setCount == MOST_SETS) {
    writeBack(dirty);
    return 0;
  }
  store<u64>(EXIT_SETS + ((<usize>setCount) << 3), dirty);
  return setCount++;
}

export function writeBack(registers: u64): void {
  while (registers != 0) {
    const n = <u32>ctz<u64>(registers);
    registers &= registers - 1;
    i32Const(0);
    get(localFor(n));
    if (n < 32) access(Wasm.I64_STORE, <u32>HartAt.X + n * 8);
    else access(Wasm.F64_STORE, <u32>HartAt.F + (n - 32) * 8);
  }
}

/** The code is written up to the cursor: puts it into its blocks, and writes what follows them. */
export function endExits(): void {
  sortSets();
  const openings = <usize>setCount * OPENING;
  memory.copy(BODY + openings, BODY, cursor - BODY);
  for (let n: u32 = 0; n < setCount; n++) {
    store<u8>(BODY + <usize>n * OPENING, Wasm.BLOCK);
    store<u8>(BODY + <usize>n * OPENING, Type.NONE, 1);
  }
  moveTo(cursor + openings);
  for (let i: u32 = 0; i < siteCount; i++) {
    const site = EXIT_SITES + ((<usize>i) << 3);
    const depth = <u32>load<u16>(site, 4) + placeOf(load<u16>(site, 6));
    const at = BODY + openings + <usize>load<u32>(site);
    store<u8>(at, <u8>(depth | 0x80));
    store<u8>(at, <u8>(depth >> 7), 1);
  }
  for (let place: u32 = 0; place < setCount; place++) {
    byte(Wasm.END);
    writeSet(place);
  }
}

// --- the order of sets: larger ones first, so that each finds the smaller ones behind it ---

// @ts-ignore: decorator
@inline
function ordered(place: u32): u32 {
  return load<u16>(EXIT_SETS + <usize>MOST_SETS * 8 + ((<usize>place) << 1));
}

// @ts-ignore: decorator
@inline
function setOrdered(place: u32, n: u32): void {
  store<u16>(EXIT_SETS + <usize>MOST_SETS * 8 + ((<usize>place) << 1), <u16>n);
}

function sortSets(): void {
  for (let n: u32 = 0; n < setCount; n++) {
    let place = n;
    const size = popcnt<u64>(setAt(n));
    for (; place > 0 && popcnt<u64>(setAt(ordered(place - 1))) < size; place--) setOrdered(place, ordered(place - 1));
    setOrdered(place, n);
  }
}

function placeOf(n: u32): u32 {
  let place: u32 = 0;
  while (ordered(place) != n) place++;
  return place;
}

/** Writes the registers that are dirty in the set at `place` but not in the largest subset of it, and goes on there. */
function writeSet(place: u32): void {
  const registers = setAt(ordered(place));
  if (registers == 0) {
    writeEnd();
    return;
  }
  let next = place + 1;
  while ((setAt(ordered(next)) & ~registers) != 0) next++;
  writeBack(registers & ~setAt(ordered(next)));
  if (next > place + 1) op1(Wasm.BR, next - place - 1);
}

/** Says which region it is that reports something of itself. */
export function reportRegion(): void {
  i32Const(0);
  i32Const(upcomingRegion());
  access(Wasm.I32_STORE, Machine.REPORTER);
  i32Const(0);
  pushMoved();
  access(Wasm.I64_STORE, Machine.REPORTER_MOVED);
}

/** Gives the address and the steps left, and says what is to be reported. */
function writeEnd(): void {
  i32Const(0);
  get(EXIT);
  i32Const(REPORT_SHIFT);
  byte(Wasm.I32_SHR_U);
  i32Const((1 << (DISTANCE_SHIFT - REPORT_SHIFT)) - 1);
  byte(Wasm.I32_AND);
  access(Wasm.I32_STORE, Machine.SITE_REPORT);
  reportRegion();
  get(EXIT);
  i32Const(DISTANCE_SHIFT);
  byte(Wasm.I32_SHR_S);
  byte(Wasm.I64_EXTEND_I32_S);
  pushPc(base);
  byte(Wasm.I64_ADD);
  get(STEPS);
  get(EXIT);
  i32Const((1 << REPORT_SHIFT) - 1);
  byte(Wasm.I32_AND);
  byte(Wasm.I32_ADD);
}
