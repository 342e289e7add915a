// The log of translated regions (abi/translated.ts), for whoever tunes the translator: what a
// region is made of, and counters in its code for how often it ran and how it was left. Where
// the host gave no room for a log nothing of this is in the code.
import { Gpa, HartAt, Layout, Machine } from "../abi/layout";
import { Map } from "../abi/memory-map";
import { FixedLocal, HartField, LocalKey, RegionLog, RegionRecord, Way } from "../abi/translated";
import { regionAt } from "../code/regions";
import { Hart } from "../hart/state";
import { BOOT_ROM, hostOfIndex } from "../memory/physical";
import { BODY_SIZE, LOCALS, MAX_INSNS, SITE_COUNT, SITE_SIZE, SITES } from "./buffers";
import { insnCount, pageAddress, pageCount, pageIndexOf, pageUsed } from "./discover";
import { Block, Insn, insnAt, lengthOf } from "./insn";
import { Wasm } from "./wasm";
import { access, byte, cursor, i32Const, i64Const } from "./writer";

/** A counter takes more bytes of a body than this of its record. */
const LEAST_COUNTER: usize = 16;
const MOST_RECORD: usize =
  <usize>RegionRecord.HEAD +
  (BODY_SIZE / LEAST_COUNTER) * <usize>RegionRecord.COUNTER_SIZE +
  <usize>MAX_INSNS * <usize>RegionRecord.INSN_SIZE +
  2048;
const LOOP: u32 = 0x8000_0000;

/** Where the log is; 0: there is none. */
let log: usize = 0;
/** The record under construction, or 0; its next counter. */
let record: usize = 0;
let next: usize = 0;
/** The instruction under way. */
let current: u32 = 0;
/** Bytes of the body that are there for the log alone. */
export let loggedBytes: usize = 0;

/** Takes over what the host wrote to Machine.REGION_LOG. */
export function resetLog(): void {
  log = <usize>load<u32>(<usize>Machine.REGION_LOG);
  record = 0;
  loggedBytes = 0;
  if (log == 0) return;
  store<u32>(log, RegionLog.RECORDS, RegionLog.END);
  store<u32>(log, 0, RegionLog.LOST);
  nameField(HartField.TLB, offsetof<Hart>("tlb"));
  nameField(HartField.JUMPS, offsetof<Hart>("jumps"));
  nameField(HartField.FLOAT_READY, offsetof<Hart>("floatReady"));
  nameField(HartField.RESERVATION, offsetof<Hart>("reservation"));
  nameField(HartField.RESERVED_VALUE, offsetof<Hart>("reservedValue"));
  nameField(HartField.RESERVED_SIZE, offsetof<Hart>("reservedSize"));
  store<u32>(log, <u32>SITES, RegionLog.SITES);
  store<u32>(log, SITE_COUNT * <u32>SITE_SIZE, RegionLog.SITES + 4);
}

function nameField(field: u32, offset: usize): void {
  store<u32>(log + RegionLog.FIELDS + <usize>field * 4, <u32>HartAt.STATE + <u32>offset);
}

/** A region's code begins: what was logged of an attempt that became too large is forgotten. */
export function beginRecord(): void {
  record = 0;
  loggedBytes = 0;
  current = 0;
  if (log == 0) return;
  const at = log + load<u32>(log, RegionLog.END);
  if (at + MOST_RECORD > log + RegionLog.SIZE) return;
  record = at;
  next = at + RegionRecord.HEAD;
}

/** Counts how often the code comes by here: a way out of the region, for or at `pc`. */
export function countWay(way: Way, pc: u64): void {
  if (record != 0) count(way, pc, current);
}

/** Counts how often a block runs. */
export function countBlock(b: Block): void {
  if (record != 0 && b.count != 0) count(Way.BLOCK, b.pc, b.count | (b.isLoop != 0 ? LOOP : 0));
}

function count(way: Way, pc: u64, detail: u32): void {
  const from = cursor;
  store<u64>(next, 0);
  store<u64>(next, pc, 8);
  store<u32>(next, way, 16);
  store<u32>(next, detail, 20);
  i32Const(0);
  i32Const(0);
  access(Wasm.I64_LOAD, <u32>next);
  i64Const(1);
  byte(Wasm.I64_ADD);
  access(Wasm.I64_STORE, <u32>next);
  next += RegionRecord.COUNTER_SIZE;
  loggedBytes += cursor - from;
}

/** Says in the code which instruction follows. */
export function markInstruction(i: Insn): void {
  if (record == 0) return;
  const from = cursor;
  current = i.index;
  i32Const(i.index);
  byte(Wasm.DROP);
  loggedBytes += cursor - from;
}

/** The code became region `id`, function `fn` of the module with this number: completes its record. */
export function keepRecord(id: u32, module: u32, fn: u32): void {
  if (record == 0) {
    if (log != 0) store<u32>(log, load<u32>(log, RegionLog.LOST) + 1, RegionLog.LOST);
    return;
  }
  const r = regionAt(id);
  r.record = <u32>record;
  store<u32>(record, 0, RegionRecord.DROPPED);
  store<u64>(record, r.pc, RegionRecord.PC);
  store<u32>(record, r.mode, RegionRecord.MODE);
  store<u32>(record, r.flags, RegionRecord.FLAGS);
  store<u32>(record, module, RegionRecord.MODULE);
  store<u32>(record, fn, RegionRecord.FUNCTION);
  store<u32>(record, r.size - <u32>loggedBytes, RegionRecord.WASM_BYTES);
  store<u32>(record, r.minimum, RegionRecord.MINIMUM);
  store<u32>(record, <u32>((next - record - RegionRecord.HEAD) / RegionRecord.COUNTER_SIZE), RegionRecord.COUNTERS);
  store<u32>(record, insnCount, RegionRecord.INSNS);
  keepPages();
  for (let n: u32 = 0; n < insnCount; n++) {
    const i = insnAt(n);
    store<u64>(next, i.pc);
    store<u32>(next, wordAt(i), 8);
    store<u32>(next, 0, 12);
    next += RegionRecord.INSN_SIZE;
  }
  const locals = keepLocals(next);
  store<u32>(record, locals, RegionRecord.LOCALS);
  next = (next + (<usize>locals << 1) + 7) & ~7;
  store<u32>(record, <u32>(next - record), RegionRecord.SIZE);
  store<u32>(log, <u32>(next - log), RegionLog.END);
}

function keepPages(): void {
  let count: u32 = 0;
  for (let k: u32 = 0; k < pageCount; k++) {
    if (!pageUsed(k)) continue;
    const at = record + RegionRecord.PAGES + <usize>(count++) * 16;
    store<u64>(at, pageAddress(k));
    store<u64>(at, physicalOf(hostOfIndex(pageIndexOf(k))), 8);
  }
  store<u32>(record, count, RegionRecord.PAGE_COUNT);
}

function physicalOf(host: usize): u64 {
  if (host >= <usize>Layout.RAM) return <u64>(host - <usize>Layout.RAM) + <u64>(<u32>Gpa.RAM);
  return <u64>(host - BOOT_ROM) + <u64>(<u32>Map.MROM);
}

/** The instruction's word in memory; the whole region is decoded, so its pages are known. */
function wordAt(i: Insn): u32 {
  const low = halfAt(i.pc);
  return lengthOf(i) == 2 ? low : low | (halfAt(i.pc + 2) << 16);
}

function halfAt(pc: u64): u32 {
  for (let k: u32 = 0; k < pageCount; k++) {
    if (pageAddress(k) == (pc & ~(<u64>0xfff))) return load<u16>(hostOfIndex(pageIndexOf(k)) + <usize>(pc & 0xfff));
  }
  return 0;
}

/** Writes what each local stands for; how many there are. */
function keepLocals(at: usize): u32 {
  memory.fill(at, 0xff, <usize>FixedLocal.COUNT * 2);
  let count: u32 = FixedLocal.COUNT;
  for (let key: u32 = 0; key < <u32>LocalKey.END; key++) {
    const n = <u32>load<u16>(LOCALS + (<usize>key << 1));
    if (n == 0) continue;
    store<u16>(at + ((<usize>n) << 1), <u16>key);
    count = max(count, n + 1);
  }
  return count;
}
