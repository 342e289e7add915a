// From the run loop into translated code and back. The loop comes here with whatever it
// cannot do: an instruction of the slow path, or the beginning of a region.
import { Machine } from "../abi/layout";
import { pageOfEntry } from "../code/predecode";
import { nextRegionAt, regionAt, regionDistance, regionPage, RegionState } from "../code/regions";
import { setSliceLeft } from "../hart/counters";
import { fillJump, lookupJump, noteJumpPage } from "../hart/jumps";
import { leafGlobal, leafSize, OK, peek, physical } from "../hart/mmu";
import { hart, setPc } from "../hart/state";
import { lookupInstruction } from "../hart/tlb";
import { REGION_HEAD } from "../isa/op.gen";
import { hostPage, pageIndex } from "../memory/physical";
import { arrive } from "../translator/heat";
import { enterFunction } from "../translator/host";
import { INTERPRET } from "../translator/leave";
import { useModule } from "../translator/modules";
import { noteMiss } from "../translator/sites";
import { isSettled, noteJump } from "../translator/targets";
import { suits, translateRegion } from "../translator/translate";
import { enter, nextBias, setContinuation, step, stepsLeft } from "./step";

/**
 * Goes on at entry `p` with `n` steps left: by translated code as long as there is any, then
 * by one slow step at most. Returns as step() does.
 */
export function proceed(p: usize, n: i32, bias: i64): usize {
  if (!(load<u16>(p) & REGION_HEAD)) return step(p, n, bias);
  let at = <u64>(bias + <i64>(p >> 3));
  while (true) {
    const id = regionFor(p, at);
    // Too few steps for its longest path: the slice ends by single steps, to the instruction.
    if (id == 0 || n < <i32>regionAt(id).minimum) return step(p, n, bias);
    const r = regionAt(id);
    r.entries++;
    const result = <u64>enterFunction(r.fn, n);
    n = load<i32>(<usize>Machine.STEPS);
    at = result & ~INTERPRET;
    noteTarget(at);
    if (n <= 0) return leave(at);
    p = lookupInstruction(at);
    if (p != 0) bias = <i64>at - <i64>(p >> 3);
    else {
      p = enter(at, n, 0);
      if (p == 0) return 0;
      n = stepsLeft;
      bias = nextBias;
      at = <u64>(bias + <i64>(p >> 3));
    }
    if (result & INTERPRET) {
      r.misses++;
      if (noteMiss(at)) translateAnew();
      return stepAndCount(p, n, bias);
    }
    if (!(load<u16>(p) & REGION_HEAD)) {
      if (arrive(p)) translateRegion(p, at);
      setContinuation(n + 1, bias);
      return p;
    }
  }
}

/** The slice is used up, at `at`. */
function leave(at: u64): usize {
  setPc(at);
  setSliceLeft(0);
  return 0;
}

/** One instruction that translated code could not do; what follows it may be worth a region of its own. */
function stepAndCount(p: usize, n: i32, bias: i64): usize {
  const next = step(p, n, bias);
  if (next != 0 && arrive(next)) translateRegion(next, <u64>(nextBias + <i64>(next >> 3)));
  return next;
}

/** Live region that begins at entry `p`, the address `at`, and is good as things are; 0 if there is none. */
function regionFor(p: usize, at: u64): u32 {
  const mode = hart().mode;
  const cached = lookupJump(at, mode);
  if (cached != 0 && suits(regionAt(cached).flags)) return cached;
  const index = pageOfEntry(p);
  for (let id = nextRegionAt(0, at, mode, index); id != 0; id = nextRegionAt(id, at, mode, index)) {
    const r = regionAt(id);
    if (r.state != <u32>RegionState.LIVE || !suits(r.flags) || !isMapped(id)) continue;
    fillJump(at, mode, r.fn, id, allGlobal);
    useModule(r.module);
    return id;
  }
  if (arrive(p)) translateRegion(p, at);
  return 0;
}

/** Result of isMapped(): are all of its pages global? */
let allGlobal: bool = false;

/** Are the region's pages mapped as they were when it was translated? */
function isMapped(id: u32): bool {
  const r = regionAt(id);
  const first = r.pc & ~(<u64>0xfff);
  allGlobal = true;
  for (let k: u32 = 0; k < r.pageCount; k++) {
    const va = first + (<u64>regionDistance(id, k) << 12);
    if (peek(va, r.mode) != OK) return false;
    const page = physical & ~(<u64>0xfff);
    if (hostPage(page) == 0 || pageIndex(page) != regionPage(id, k)) return false;
    allGlobal = allGlobal && leafGlobal;
    noteJumpPage(va, leafSize);
  }
  return true;
}

/** If it came back by an indirect jump whose targets are not known: notes this one. */
function noteTarget(target: u64): void {
  const jump = load<u64>(<usize>Machine.LAST_JUMP);
  if (jump == 0) return;
  store<u64>(<usize>Machine.LAST_JUMP, 0);
  noteJump(jump, target);
  if (isSettled(jump)) translateAnew();
}

/** More is known of the region that reported something: another is to take its place. */
function translateAnew(): void {
  const r = regionAt(load<u32>(<usize>Machine.REPORTER));
  if (r.state != <u32>RegionState.LIVE || r.mode != hart().mode) return;
  const p = lookupInstruction(r.pc);
  if (p == 0) return;
  const index = pageOfEntry(p);
  for (let id = nextRegionAt(0, r.pc, r.mode, index); id != 0; id = nextRegionAt(id, r.pc, r.mode, index)) {
    if (regionAt(id).state == <u32>RegionState.PENDING) return;
  }
  translateRegion(p, r.pc, true);
}
