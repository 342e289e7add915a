// Translated functions become WebAssembly in batches: one module costs the host some 250 us,
// each of its functions a few. When modules or bytes run out, those go whose regions are all
// dropped, and then a clock hand evicts a module that nothing entered since it last came by.
import { Machine, Tier } from "../abi/layout";
import { Element } from "../abi/translated";
import { markHead } from "../code/predecode";
import { dropOlder, dropRegion, MAX_REGIONS, regionAt, regionPage, RegionState } from "../code/regions";
import { clearAllJumps } from "../hart/jumps";
import { Op } from "../isa/op.gen";
import { REGIONS_ONLY, SCALE, slotAddress, slotOf } from "../memory/code-map";
import { BODY, HEADER_SIZE, MODULE, MODULE_RECORD, MODULE_SIZE, MODULES, MOST_MODULES } from "./buffers";
import { forgetFunctions, installModule } from "./host";
import { writeLocals } from "./locals";
import { keepRecord, loggedBytes } from "./log";
import { Section, Type, Wasm } from "./wasm";
import { FunctionType } from "./leave";
import { byte, cursor, moveTo, unsigned } from "./writer";

/** Functions of a module. */
const MOST_FUNCTIONS: u32 = 64;
/**
 * A batch is installed when it is this old, in slices; sooner if one of its regions runs as often again as made it worth translating, or is
 * to take another's place; where the translator is under test, at once. Code of few modules is denser: each lies somewhere
 * else in the host's memory, with page tables of its own.
 */
const PATIENCE: u32 = 2000;
const HURRY: u32 = 60;
/** Host memory that a byte of WebAssembly takes: itself, machine code of 2.7 times its size, and 1.7 times that where it is compiled twice. */
const HOST_BYTES: u32 = 6;
/** A batch of this size is installed at once: the host compiles some 10 KiB a millisecond. */
const ENOUGH_BYTES: usize = 0x8000;
/** Functions translated in one slice, so that none takes long. */
const MOST_IN_A_SLICE: u32 = 8;

@unmanaged
class Module {
  functions: u32;
  /** Bytes of WebAssembly. */
  size: u32;
  /** Entered since the clock's hand passed. */
  used: u32;
  /** Regions in force, when they were last counted. */
  live: u32;
}

let moduleCount: u32 = 0;
let hand: u32 = 0;
let totalSize: u32 = 0;

/** The module under construction: its number, its regions, the end of their bodies. */
let current: u32 = 0;
let pending: u32 = 0;
let end: usize = MODULE + HEADER_SIZE;
let age: u32 = 0;
/** Slices that the batch may wait. */
let patience: u32 = PATIENCE;
/** Functions that joined it in this slice. */
let joined: u32 = 0;
/** Bytes of the batch that are there for the log alone, which are not held against the code cache. */
let logged: u32 = 0;
/** Modules that the host was given so far. */
let installs: u32 = 0;

// @ts-ignore: decorator
@inline
function moduleAt(m: u32): Module {
  return changetype<Module>(MODULES + <usize>m * MODULE_RECORD);
}

export function resetModules(): void {
  if (installs != 0) forgetFunctions(0, MAX_REGIONS);
  memory.fill(MODULES, 0, <usize>MOST_MODULES * MODULE_RECORD);
  moduleCount = 0;
  hand = 0;
  totalSize = 0;
  installs = 0;
  pending = 0;
  logged = 0;
  end = MODULE + HEADER_SIZE;
}

/** Can another function join the batch? */
export function hasRoom(): bool {
  return pending < MOST_FUNCTIONS && joined < MOST_IN_A_SLICE && end < MODULE + MODULE_SIZE - 0x1_4000;
}

/** Number in its module of the function that is added next. */
export function upcomingPlace(): u32 {
  return pending;
}

/** Says that a module is in use. */
// @ts-ignore: decorator
@inline
export function useModule(m: u32): void {
  moduleAt(m).used = 1;
}

/** Region ids of the batch. */
const BATCH: usize = MODULE;

/** Adds the body in BODY, up to the cursor, as the function of region `id`. */
export function addFunction(id: u32): void {
  if (pending == 0) {
    current = takeModule();
    age = 0;
    patience = load<u32>(<usize>Machine.TIER) == <u32>Tier.TRANSLATOR ? 1 : PATIENCE;
  }
  const bodyEnd = cursor;
  // Size, locals, code, end: the size has a fixed width of five bytes.
  const at = end;
  moveTo(at + 5);
  writeLocals();
  memory.copy(cursor, BODY, bodyEnd - BODY);
  moveTo(cursor + (bodyEnd - BODY));
  byte(Wasm.END);
  end = cursor;
  writeFixed(at, <u32>(end - at - 5));
  const r = regionAt(id);
  r.module = current;
  r.place = pending;
  r.size = <u32>(end - at);
  store<u16>(BATCH + ((<usize>pending) << 1), <u16>id);
  keepRecord(id, installs, pending);
  logged += <u32>loggedBytes;
  pending++;
  joined++;
}

/** A region of the batch is waited for. */
export function hurry(atOnce: bool): void {
  patience = min(patience, atOnce ? 1 : HURRY);
}

/** An unsigned number in five bytes of LEB128. */
function writeFixed(at: usize, value: u32): void {
  for (let i: u32 = 0; i < 4; i++) {
    store<u8>(at + i, <u8>((value & 0x7f) | 0x80));
    value >>= 7;
  }
  store<u8>(at + 4, <u8>value);
}

/** A turn is over: is the batch large or old enough to be installed? */
export function batchIsDue(): bool {
  joined = 0;
  if (pending == 0) return false;
  age++;
  return pending == MOST_FUNCTIONS || end - logged >= MODULE + ENOUGH_BYTES || age >= patience;
}

/** Installs the batch. */
export function installBatch(): void {
  const m = moduleAt(current);
  const start = writeModule();
  const size = <u32>(end - start) - logged;
  const done = installModule(start, <u32>(end - start), BATCH, pending) == 0;
  installs++;
  m.functions = pending;
  m.size = size;
  m.used = 1;
  totalSize += size;
  for (let n: u32 = 0; n < pending; n++) {
    const id = <u32>load<u16>(BATCH + ((<usize>n) << 1));
    const r = regionAt(id);
    // Its page may have been written meanwhile, and the record be another's by now.
    if (r.module != current || r.place != n || r.state != <u32>RegionState.PENDING) continue;
    if (!done) {
      dropRegion(id);
      continue;
    }
    r.state = RegionState.LIVE;
    dropOlder(id);
    showHead(regionPage(id, 0), <u32>r.pc & 0xfff);
  }
  pending = 0;
  logged = 0;
  end = MODULE + HEADER_SIZE;
}

/** The loop leaves the entry to the slow step from now on, which enters the region; one that nobody decoded yet will say so itself. */
function showHead(index: u32, offset: u32): void {
  const slot = slotOf(index);
  if (slot == 0 || slot == REGIONS_ONLY) return;
  const entry = slotAddress(slot) + ((<usize>offset) << SCALE);
  if (load<u16>(entry) != <u16>Op.UNDECODED) markHead(entry);
}

// --- the module's bytes: sections, then the bodies that are there already ---

/** Writes the sections before the bodies, right before them. Where the module begins. */
function writeModule(): usize {
  const bodies = MODULE + HEADER_SIZE;
  moveTo(MODULE + 0x100);
  const from = cursor;
  writeHeader(<u32>(end - bodies));
  const length = cursor - from;
  memory.copy(bodies - length, from, length);
  return bodies - length;
}

function writeHeader(bodiesSize: u32): void {
  store<u32>(cursor, 0x6d73_6100);
  store<u32>(cursor, 1, 4);
  moveTo(cursor + 8);
  writeTypes();
  writeImports();
  section(Section.FUNCTION, 1 + pending);
  byte(pending);
  for (let n: u32 = 0; n < pending; n++) byte(FunctionType.TRANSLATED);
  writeExports();
  byte(Section.CODE);
  unsigned(bodiesSize + 1);
  byte(pending);
}

function section(id: Section, size: u32): void {
  byte(id);
  unsigned(size);
}

/** FunctionType's, in their order: translated functions, (steps, depth, address) to (address, steps), and what they call. */
function writeTypes(): void {
  const at = cursor + 2;
  moveTo(at);
  byte(3);
  writeType(false);
  // goOn() of interpreter/translated.ts: (address, steps, depth, back) to an address.
  byte(Type.FUNCTION);
  byte(4);
  byte(Type.I64);
  byte(Type.I32);
  byte(Type.I32);
  byte(Type.I64);
  byte(1);
  byte(Type.I64);
  // As a translated function, which is that of the region in a fourth parameter.
  writeType(true);
  endSection(at, Section.TYPE);
}

function writeType(withRegion: bool): void {
  byte(Type.FUNCTION);
  byte(withRegion ? 4 : 3);
  byte(Type.I32);
  byte(Type.I32);
  byte(Type.I64);
  if (withRegion) byte(Type.I32);
  byte(2);
  byte(Type.I64);
  byte(Type.I32);
}

function endSection(at: usize, id: Section): void {
  store<u8>(at - 2, id);
  store<u8>(at - 1, <u8>(cursor - at));
}

/**
 * "e" "m" the memory, and "e" "t" a table of what leave.ts calls (Element). An imported function would cost more than all of
 * a small module: V8 compiles a way to JavaScript for it (130 us), even if it is WebAssembly.
 */
function writeImports(): void {
  const at = cursor + 2;
  moveTo(at);
  byte(2);
  importName(0x6d);
  byte(2);
  byte(0);
  unsigned(0);
  importName(0x74);
  byte(1);
  byte(Type.FUNCTION_REFERENCE);
  byte(0);
  unsigned(Element.END);
  endSection(at, Section.IMPORT);
}

function importName(letter: u32): void {
  byte(1);
  byte(0x65);
  byte(1);
  byte(letter);
}

/** Each function by its number, as one character from "0" on. */
function writeExports(): void {
  section(Section.EXPORT, 1 + 4 * pending);
  byte(pending);
  for (let n: u32 = 0; n < pending; n++) {
    byte(1);
    byte(0x30 + n);
    byte(0);
    byte(n);
  }
}

// --- room ---

/** Number for a new module. */
function takeModule(): u32 {
  const limit = load<u32>(<usize>Machine.CODE_CACHE) / HOST_BYTES;
  if (moduleCount == MOST_MODULES || totalSize >= limit) {
    evictDropped();
    // Some room for those to come, since each search costs the jump caches what they hold.
    while (totalSize >= limit - limit / 16 && evictNext()) {}
  }
  if (moduleCount < MOST_MODULES) return moduleCount++;
  while (true) {
    for (let m: u32 = 0; m < MOST_MODULES; m++) if (moduleAt(m).functions == 0) return m;
    evictNext();
  }
}

/** Evicts the modules of which no region is in force. */
function evictDropped(): void {
  for (let m: u32 = 0; m < moduleCount; m++) moduleAt(m).live = 0;
  for (let id: u32 = 1; id < MAX_REGIONS; id++) {
    if (regionAt(id).state == <u32>RegionState.LIVE) moduleAt(regionAt(id).module).live++;
  }
  for (let m: u32 = 0; m < moduleCount; m++) if (moduleAt(m).functions != 0 && moduleAt(m).live == 0) evict(m);
}

/** Evicts the next module that nothing entered since the hand last came by. False if there is none. */
function evictNext(): bool {
  for (let looks: u32 = 0; looks < 2 * moduleCount; looks++) {
    hand = hand + 1 >= moduleCount ? 0 : hand + 1;
    const m = moduleAt(hand);
    if (m.functions == 0) continue;
    if (m.used) {
      // Whoever still calls it says so when the jump caches have to be filled anew.
      m.used = 0;
      clearAllJumps();
      continue;
    }
    evict(hand);
    return true;
  }
  return false;
}

function evict(n: u32): void {
  const m = moduleAt(n);
  for (let id: u32 = 1; id < MAX_REGIONS; id++) {
    const r = regionAt(id);
    // One that waits for its module has its number of before.
    if (r.module != n || r.state == <u32>RegionState.PENDING) continue;
    dropRegion(id);
    forgetFunctions(id, 1);
  }
  totalSize -= m.size;
  m.functions = 0;
  m.size = 0;
}
