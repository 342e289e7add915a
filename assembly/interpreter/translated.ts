// From the run loop into translated code and back. The loop comes here with whatever it
// cannot do: an instruction of the slow path, or the beginning of a region.
import { codeDropped, SCALE } from "../memory/code-map";
import { Machine } from "../abi/layout";
import { codePageAt, decoded, markHead, pageOfEntry, predecode, slotForPage, wordOf } from "../code/predecode";
import { nextRegionAt, regionAt, regionDistance, regionPage, RegionState } from "../code/regions";
import { hasRequests } from "../hart/control";
import { setSliceLeft, stepsInSlice } from "../hart/counters";
import { fillJump, jumpEpoch, lookupJump, noteJumpPage } from "../hart/jumps";
import { leafGlobal, leafSize } from "../hart/mmu";
import { currentHart, hart, setPc } from "../hart/state";
import { lookupInstruction } from "../hart/tlb";
import { Op, REGION_HEAD } from "../isa/op.gen";
import { MAX_DEPTH } from "../translator/buffers";
import { isMisaligned } from "../translator/address";
import { arrive } from "../translator/heat";
import { enterFunction } from "../translator/host";
import { placeOf } from "../translator/insn";
import { HYPERCALL, INTERPRET } from "../translator/leave";
import { useModule } from "../translator/modules";
import { noteMiss, SiteReport, takeReport } from "../translator/sites";
import { isSettled, noteJump } from "../translator/targets";
import { suits, translateRegion } from "../translator/translate";
import { interpret } from "./fast.gen";
import { sbiCall } from "../sbi/dispatch";
import { enter, mustLeave, nextBias, resume, setContinuation, start, step, stepsLeft } from "./step";
import { FEWEST_STEPS, mayEndEarly, renewTurn } from "./turns";

/** What a nested run of the interpreter costs of the host's stack, in calls. */
const NEST: i32 = 2;
/** No address that code comes back to. */
const NOWHERE: u64 = 1;

/** Calls that wait in the host's stack, translated ones and those of goOn(). */
let depth: i32 = 0;
/** Where the innermost goOn() wants to come to, in which mode, and whether the loop was left there. */
let back: u64 = NOWHERE;
let backMode: u32 = 0;
let isBack: bool = false;
/** Everything that waits is to return: then the loop goes on at `heldAt` with so many steps, or is left if it `leaves`. */
let unwinds: bool = false;
let leaves: bool = false;
let heldAt: u64 = 0;
let heldSteps: i32 = 0;

/** A turn begins: nothing waits. */
export function beginCalls(): void {
  depth = 0;
  back = NOWHERE;
  isBack = false;
  unwinds = false;
}

/**
 * Goes on at entry `p` with `n` steps left: by translated code as long as there is any, then
 * by one slow step at most. Returns as step() does.
 */
export function proceed(p: usize, n: i32, bias: i64): usize {
  if (!(load<u16>(p) & REGION_HEAD)) return step(p, n, bias);
  let at = <u64>(bias + <i64>(p >> SCALE));
  while (true) {
    if (at == back && hart().mode == backMode) {
      isBack = true;
      return leave(at, n);
    }
    const id = regionFor(p, at);
    // Too few steps for its longest path: the slice ends by single steps, to the instruction.
    if (id == 0 || n < <i32>regionAt(id).minimum) return step(p, n, bias);
    const r = regionAt(id);
    r.entries++;
    let result = <u64>enterFunction(id, n, depth, at);
    n = load<i32>(<usize>Machine.STEPS);
    if (unwinds) {
      if (depth != 0) return 0;
      unwinds = false;
      if (leaves) return 0;
      result = heldAt;
      n = heldSteps;
    }
    if (result & INTERPRET) r.misses++;
    p = receive(result, n);
    if (p == 0) return 0;
    n = stepsLeft;
    bias = nextBias;
    if ((result & INTERPRET) != 0 || !(load<u16>(p) & REGION_HEAD)) {
      setContinuation(n + 1, bias); // the loop takes a step off
      return p;
    }
    at = <u64>(bias + <i64>(p >> SCALE));
  }
}

/** Translated code came back with where to go on, and `n` steps left. Entry to go on with, or 0, and what is left then. */
function receive(result: u64, n: i32): usize {
  const at = result & ~INTERPRET;
  noteTarget(at);
  if (n <= 0) return leave(at, 0);
  let p = lookupInstruction(at);
  if (p != 0) setContinuation(n, <i64>at - <i64>(p >> SCALE));
  else {
    p = enter(at, n, 0);
    if (p == 0) return 0;
  }
  if (result & INTERPRET) {
    const report = takeReport();
    if (report != SiteReport.NONE && isOfUse(report, p) && noteMiss(report, placeOf(pageOfEntry(p), at))) translateAnew();
    const next = stepAndCount(p, stepsLeft, nextBias);
    setContinuation(stepsLeft - 1, nextBias); // a step leaves its own to the loop
    return next;
  }
  if (!(load<u16>(p) & REGION_HEAD) && arrive(p)) translateRegion(p, at);
  return p;
}

/** What the TLB did not hold says nothing of the access, unless that was misaligned. */
function isOfUse(report: SiteReport, p: usize): bool {
  if (report != SiteReport.ALIGNED_MISSED) return true;
  return isMisaligned(decoded(wordOf(p)));
}

/** Leaves the loop at `at`. */
function leave(at: u64, n: i32): usize {
  setPc(at);
  setSliceLeft(<u32>n);
  return 0;
}

/** One instruction that translated code could not do; what follows it may be worth a region of its own. */
function stepAndCount(p: usize, n: i32, bias: i64): usize {
  const next = step(p, n, bias);
  if (next != 0 && arrive(next)) translateRegion(next, <u64>(nextBias + <i64>(next >> SCALE)));
  return next;
}

/**
 * A call of translated code, `calls` deep, came to `address` with `n` steps left instead of
 * to `to`: goes on from there, in a run of the interpreter of its own, until it does. Whoever called
 * can go on then with what Machine.STEPS says. If there is none left it has to return in its turn: a
 * jump cache lost entries, so that its code may be stale; the run is over; or calls are too deep.
 *
 * All that a guest can see is in memory at such a call, so it matters to nobody but the
 * host's stack whose call comes back, or whether traps were taken on the way.
 */
export function goOn(address: u64, n: i32, calls: i32, to: u64): u64 {
  if (unwinds) return giveUp(address);
  if (calls >= MAX_DEPTH) return unwind(address, n);
  const isHypercall = (to & HYPERCALL) != 0;
  if (isHypercall) {
    to &= ~HYPERCALL;
    if (hypercall(address & ~INTERPRET, to, n)) {
      store<u32>(<usize>Machine.STEPS, n - 1);
      return to;
    }
  }
  const outerDepth = depth;
  const outerBack = back;
  const outerMode = backMode;
  depth = calls + NEST;
  back = to;
  backMode = hart().mode;
  const came = runUntilBack(address, n, to, isHypercall);
  depth = outerDepth;
  back = outerBack;
  backMode = outerMode;
  if (!came) return giveUp(address);
  store<u32>(<usize>Machine.STEPS, stepsInSlice());
  return to;
}

function giveUp(address: u64): u64 {
  store<u32>(<usize>Machine.STEPS, 0);
  return address;
}

/** Everything that waits is to return, and the loop to go on at `address`. */
function unwind(address: u64, n: i32): u64 {
  unwinds = true;
  leaves = false;
  heldAt = address;
  heldSteps = n;
  return giveUp(address);
}

/**
 * The call to the hypervisor at `at`, with `n` steps left, as step() does it. True if the code behind can go on at once: nothing
 * else is to be done before. If not the hart's pc says where to go on.
 */
function hypercall(at: u64, to: u64, n: i32): bool {
  const s = hart();
  setSliceLeft(<u32>n);
  setPc(at);
  s.trapped = 0;
  s.redirected = 0;
  if (!sbiCall(currentHart())) return false;
  if (!s.redirected && !load<u32>(<usize>Machine.ATTENTION) && !codeDropped() && !mustLeave()) return true;
  setPc(to);
  return false;
}

/** Goes on behind a call to the hypervisor that left something to do. As receive(). */
function afterHypercall(n: i32): usize {
  setContinuation(n, 0);
  const p = resume();
  setContinuation(stepsLeft - 1, nextBias);
  return p;
}

/** False if everything is to return. The instruction at `address` is `done` if it was a call to the hypervisor. */
function runUntilBack(address: u64, n: i32, to: u64, done: bool): bool {
  const epoch = jumpEpoch;
  const at = listenAt(to);
  let p: usize;
  if (done) p = afterHypercall(n);
  else if (n >= <i32>FEWEST_STEPS || !mayEndEarly() || (address & INTERPRET) != 0) p = receive(address, n);
  else {
    noteTarget(address);
    p = leave(address, n);
  }
  while (true) {
    // An instruction that the engine was asked to do may be all.
    if (p != 0 && p == at && nextBias == <i64>to - <i64>(at >> SCALE) && hart().mode == backMode) {
      isBack = true;
      leave(to, stepsLeft);
    } else if (p != 0) interpret(p, stepsLeft, nextBias);
    if (unwinds) return false;
    const left = <i32>stepsInSlice();
    if (isBack) {
      isBack = false;
      if (epoch != jumpEpoch) {
        unwind(to, left);
        return false;
      }
      if (left >= <i32>FEWEST_STEPS || !mayEndEarly()) return true;
    }
    if (mustLeave() || hasRequests() || !renewTurn()) {
      unwinds = true;
      leaves = true;
      return false;
    }
    p = start(stepsInSlice());
  }
}

/** Makes the loop come by proceed() at `to`; the entry there, or 0. */
function listenAt(to: u64): usize {
  let p = lookupInstruction(to);
  if (p == 0) {
    const index = codePageAt(to, hart().mode);
    if (index < 0) return 0;
    p = slotForPage(index) + ((<usize>to & 0xffe) << SCALE);
  }
  if (load<u16>(p) == <u16>Op.UNDECODED) predecode(p);
  markHead(p);
  return p;
}

/** Live region that begins at entry `p`, the address `at`, and is good as things are; 0 if there is none. */
function regionFor(p: usize, at: u64): u32 {
  const mode = hart().mode;
  const cached = lookupJump(at, mode);
  if (cached != 0 && suits(regionAt(cached).flags)) return cached;
  const index = pageOfEntry(p);
  for (let id = nextRegionAt(0, at, mode, index); id != 0; id = nextRegionAt(id, at, mode, index)) {
    const r = regionAt(id);
    if (r.state != <u32>RegionState.LIVE || !suits(r.flags) || !isMapped(id, at)) continue;
    fillJump(at, mode, id, allGlobal);
    useModule(r.module);
    return id;
  }
  if (arrive(p)) translateRegion(p, at);
  return 0;
}

/** Result of isMapped(): are all of its pages global? */
let allGlobal: bool = false;

/** Are the region's pages mapped as they were when it was translated, if it is entered at `at`? */
function isMapped(id: u32, at: u64): bool {
  const r = regionAt(id);
  const first = at & ~(<u64>0xfff);
  allGlobal = true;
  for (let k: u32 = 0; k < r.pageCount; k++) {
    const va = first + (<u64>regionDistance(id, k) << 12);
    if (codePageAt(va, r.mode) != <i32>regionPage(id, k)) return false;
    allGlobal = allGlobal && leafGlobal;
    noteJumpPage(va, leafSize);
  }
  return true;
}

/** If it came back by an indirect jump whose targets are not known: notes this one. */
function noteTarget(target: u64): void {
  const jump = load<u32>(<usize>Machine.LAST_JUMP);
  if (jump == 0) return;
  store<u32>(<usize>Machine.LAST_JUMP, 0);
  noteJump(jump, target - load<u64>(<usize>Machine.LAST_JUMP_PC));
  if (isSettled(jump)) translateAnew();
}

/** More is known of the region that reported something: another is to take its place. */
function translateAnew(): void {
  const r = regionAt(load<u32>(<usize>Machine.REPORTER));
  if (r.state != <u32>RegionState.LIVE || r.mode != hart().mode) return;
  const pc = r.pc + load<u64>(<usize>Machine.REPORTER_MOVED);
  const p = lookupInstruction(pc);
  if (p == 0) return;
  const index = pageOfEntry(p);
  for (let id = nextRegionAt(0, pc, r.mode, index); id != 0; id = nextRegionAt(id, pc, r.mode, index)) {
    if (regionAt(id).state == <u32>RegionState.PENDING) return;
  }
  translateRegion(p, pc, true);
}
