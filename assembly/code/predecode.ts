// The predecode cache: a pool of slots (memory/code-map), each the entries of one 4 KiB code
// page, decoded as they are first run. Bounded: when the pool is used up, a clock hand evicts pages that nothing
// entered through the instruction TLB since it last came by, some at once.
import { Ext } from "../abi/ext";
import { Layout, Machine } from "../abi/layout";
import { decode } from "../isa/decode.gen";
import { Decoded, Entry, pack } from "../isa/entry";
import { firstOf, hasFar, Op, OP_MASK, pairOf, REGION_HEAD, shortForm, sizeOf, SLOW_ONLY } from "../isa/op.gen";
import { OK, peek, physical } from "../hart/mmu";
import { hasExtension } from "../hart/state";
import { forbidFastWrites, forgetSlots } from "../hart/tlb";
import {
  ENTRIES, markCode, NO_MORE, PAGE_AT, REGIONS_ONLY, resetMarks, SCALE,
  setSlot, SLOT_SIZE, slotAddress, slotOf, takeDropped, TOO_MANY,
} from "../memory/code-map";
import { hostOfIndex, hostPage, pageIndex } from "../memory/physical";
import { beginsRegion, dropAllRegions, dropRegionsOn, hasRegions } from "./regions";

export const SLOTS: u32 = <u32>((<usize>Layout.CODE_POOL_END - <usize>Layout.CODE_POOL) / SLOT_SIZE) - 1;
/** A lone entry, for an instruction that straddles two pages. */
export const LONE_ENTRY: usize = <usize>Layout.CODE_POOL_END - 64;

/** Most instructions that are decoded at once. */
const MOST_AHEAD: i32 = 16;

/** The clock's hand, and how many slots were ever used: hart-local, can be lost. */
let hand: u32 = 0;
let used: u32 = 0;

/** Slots that were evicted together, since each time the instruction TLBs are emptied; u16 their numbers. */
const MOST_FREED: u32 = 32;
const FREED: usize = memory.data(64);
let freed: u32 = 0;

/**
 * Entries by a hash of their words: u32 word, u64 entry at 8. The same few thousand words make up most of any code, and what they
 * become hangs on nothing but the CPU's extensions, except where they jump.
 */
const KNOWN_SHIFT: u32 = 20;
const KNOWN_SIZE: usize = 16;
if (<usize>Layout.KNOWN_WORDS + (KNOWN_SIZE << (32 - KNOWN_SHIFT)) != <usize>Layout.KNOWN_WORDS_END) ERROR("the table of words has no power of two of entries");

export function resetPredecode(): void {
  hand = 0;
  used = 0;
  freed = 0;
  memory.fill(<usize>Layout.KNOWN_WORDS, 0, <usize>Layout.KNOWN_WORDS_END - <usize>Layout.KNOWN_WORDS);
  memory.fill(<usize>Layout.CODE_MAP, 0, <usize>Layout.CODE_MAP_END - <usize>Layout.CODE_MAP);
}

/** Index of the memory page that a fetch at `va` in `mode` would come from, -1 if it would not succeed. Sets what peek() does. */
export function codePageAt(va: u64, mode: u32): i32 {
  if (peek(va, mode) != OK) return -1;
  const page = physical & ~(<u64>0xfff);
  return hostPage(page) == 0 ? -1 : <i32>pageIndex(page);
}

/** Slot (address) of the memory page with this index, newly made if it has none. */
export function slotForPage(index: u32): usize {
  const known = slotOf(index);
  if (known != 0 && known != REGIONS_ONLY) {
    const at = slotAddress(known);
    store<u32>(at, 1, PAGE_AT + 4);
    return at;
  }
  const slot = takeSlot();
  const at = slotAddress(slot);
  memory.fill(at, 0, ENTRIES);
  resetMarks(at, known == REGIONS_ONLY);
  store<u16>(at, Op.PAGE_END, ENTRIES);
  store<u16>(at, Op.PAGE_END, ENTRIES + 8);
  store<u32>(at, index, PAGE_AT);
  store<u32>(at, 1, PAGE_AT + 4);
  setSlot(index, slot);
  forbidFastWrites(hostOfIndex(index));
  return at;
}

function takeSlot(): u32 {
  if (used < SLOTS) return ++used;
  if (freed == 0) evictSlots();
  freed--;
  return load<u16>(FREED + (<usize>freed << 1));
}

/** The hand may come by again before there are enough. */
function isFreed(slot: u32): bool {
  for (let n: u32 = 0; n < freed; n++) if (load<u16>(FREED + (<usize>n << 1)) == slot) return true;
  return false;
}

function evictSlots(): void {
  while (freed < MOST_FREED) {
    hand = hand >= SLOTS ? 1 : hand + 1;
    const at = slotAddress(hand);
    const index = load<u32>(at, PAGE_AT);
    // Unless its page was rewritten, and nothing refers to it any more.
    if (slotOf(index) == hand) {
      if (load<u32>(at, PAGE_AT + 4) != 0) {
        store<u32>(at, 0, PAGE_AT + 4);
        continue;
      }
      setSlot(index, hasRegions(index) ? REGIONS_ONLY : 0);
    } else if (isFreed(hand)) continue;
    store<u16>(FREED + (<usize>freed << 1), <u16>hand);
    freed++;
  }
  forgetSlots();
}

/** What was dropped is forgotten everywhere: by the instruction TLBs and by translated code. */
export function forgetDropped(): void {
  for (let index = takeDropped(); index != NO_MORE; index = takeDropped()) {
    if (index == TOO_MANY) dropAllRegions();
    else dropRegionsOn(index);
  }
  forgetSlots();
}

/** Start of the slot that holds entry `p`. */
// @ts-ignore: decorator
@inline
export function slotOfEntry(p: usize): usize {
  const offset = p - <usize>Layout.CODE_POOL;
  return p - (offset % SLOT_SIZE);
}

const DECODED: usize = memory.data(16);

/** The instruction `word`, until the next one is asked for. */
export function decoded(word: u32): Decoded {
  const d = changetype<Decoded>(DECODED);
  memory.fill(DECODED, 0, offsetof<Decoded>());
  decode(word, d, load<u64>(<usize>Machine.CPU_EXTENSIONS));
  return d;
}

/** Decodes the instruction that entry `p` stands for, and those that always run behind it. */
export function predecode(p: usize): void {
  const slot = slotOfEntry(p);
  const first = p;
  let goesOn = true;
  for (let n = 0; n < MOST_AHEAD && goesOn && p < slot + ENTRIES && load<u16>(p) == <u16>Op.UNDECODED; n++) {
    goesOn = predecodeOne(p, slot);
    p += <usize>sizeOf(load<u16>(p)) << SCALE;
  }
  for (let at = first; at < p; at += <usize>sizeOf(load<u16>(at)) << SCALE) pairWithNext(at, slot);
  if (first >= slot + 8) pairWithNext(first - 8, slot);
  if (first >= slot + 16) pairWithNext(first - 16, slot);
}

/** Where the table of known words has room for this one. */
function knownAt(word: u32): usize {
  return <usize>Layout.KNOWN_WORDS + <usize>((word * 0x9e37_79b1) >> KNOWN_SHIFT) * KNOWN_SIZE;
}

/** True if the next instruction is part of the same block. */
function predecodeOne(p: usize, slot: usize): bool {
  const offset = <u32>(p - slot) >> SCALE;
  const index = load<u32>(slot, PAGE_AT);
  const host = hostOfIndex(index) + offset;
  const low = <u32>load<u16>(host);
  markCode(slot, offset);
  if (offset == 4094 && (low & 3) == 3) {
    changetype<Entry>(p).op = <u16>Op.CROSSES_PAGE;
    return false;
  }
  let word = low;
  if ((low & 3) == 3) {
    word = load<u32>(host);
    markCode(slot, offset + 2);
  }
  const known = knownAt(word);
  let goesOn = true;
  if (word != 0 && load<u32>(known) == word) store<u64>(p, load<u64>(known, 8));
  else {
    goesOn = decodeEntry(p, word, offset);
    if (goesOn) {
      store<u32>(known, word);
      store<u64>(known, load<u64>(p), 8);
    }
  }
  if (beginsRegion(index, offset)) store<u16>(p, load<u16>(p) | REGION_HEAD);
  return goesOn;
}

/** Decodes `word`, which is at `offset` of its page, into entry `p`. True if the next instruction is part of the same block. */
function decodeEntry(p: usize, word: u32, offset: u32): bool {
  const d = decoded(word);
  const long = <u32>d.op;
  let op = d.size == 2 ? shortForm(long) : long;
  const hasTarget = hasFar(long);
  if (hasTarget) {
    // A target on this page becomes a distance in entries; another page's is looked up.
    const target = <i32>offset + d.imm;
    if (target >= 0 && target < 4096) d.imm <<= SCALE;
    else op++;
  }
  // Without C a jump must check its target's alignment, which only the slow path does. It alone
  // looks at rounding modes, of which the reserved ones are illegal.
  const jumps = hasTarget || long == <u32>Op.JALR;
  if ((jumps && !hasExtension(Ext.C)) || <u32>d.rm - 5 < 2) op |= SLOW_ONLY;
  d.op = <u16>op;
  pack(d, changetype<Entry>(p));
  return !jumps && !(op & SLOW_ONLY);
}

/** Entry `p` does the next one too, if they are a frequent pair and nothing is to be looked at in between. */
function pairWithNext(p: usize, slot: usize): void {
  const op = <u32>load<u16>(p);
  const next = p + (<usize>sizeOf(op) << SCALE);
  if (next >= slot + ENTRIES) return;
  store<u16>(p, <u16>pairOf(op, firstOf(<u32>load<u16>(next))));
}

/** The loop leaves entry `p` to the slow step from now on, and no pair before it does it too. */
export function markHead(p: usize): void {
  const head = load<u16>(p);
  if (head & REGION_HEAD) return;
  store<u16>(p, head | REGION_HEAD);
  for (let before = p - 8; before >= p - 16; before -= 8) {
    if (before < slotOfEntry(p)) return;
    const op = <u32>load<u16>(before);
    store<u16>(before, <u16>(firstOf(op & OP_MASK) | (op & ~OP_MASK)));
  }
}

/** Decodes a word that no page holds whole into the lone entry. */
export function decodeLone(word: u32): void {
  pack(decoded(word), changetype<Entry>(LONE_ENTRY));
  store<u32>(LONE_ENTRY, word, 16);
}

/** Index of the page that entry `p` lies on. */
export function pageOfEntry(p: usize): u32 {
  return load<u32>(slotOfEntry(p), PAGE_AT);
}

/** The instruction word behind entry `p`: what mtval holds after an illegal instruction. */
export function wordOf(p: usize): u32 {
  if (p == LONE_ENTRY) return load<u32>(LONE_ENTRY, 16);
  const slot = slotOfEntry(p);
  const host = hostOfIndex(load<u32>(slot, PAGE_AT)) + ((p - slot) >> SCALE);
  const low = <u32>load<u16>(host);
  return (low & 3) == 3 ? load<u32>(host) : low;
}
