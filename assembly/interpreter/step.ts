// One instruction on the slow path, and the way back into the fast loop: interrupts,
// dropped code, fetches.
import { Exit } from "../abi/exit";
import { Machine } from "../abi/layout";
import { hasRequests } from "../hart/control";
import { countUnretired, setSliceLeft } from "../hart/counters";
import { accessFault, leafGlobal, leafSize, OK, physical, translate } from "../hart/mmu";
import { Access } from "../hart/access-kind";
import { hart, pc, Run, setPc } from "../hart/state";
import { fillInstruction, lookupInstruction } from "../hart/tlb";
import { raise, takeInterrupt } from "../hart/trap";
import { Op, REGION_HEAD, sizeOf } from "../isa/op.gen";
import { codeDropped, SCALE } from "../memory/code-map";
import { hostPage, pageIndex } from "../memory/physical";
import { arrive } from "../translator/heat";
import { translateRegion } from "../translator/translate";
import { nextPc, setNextPc } from "./control-flow";
import { decodeLone, forgetDropped, LONE_ENTRY, predecode, slotForPage } from "../code/predecode";
import { executeSlow } from "./slow.gen";

/** What the loop goes on with after a step: budget left, and pc - (entry >> SCALE). */
export let stepsLeft: i32 = 0;
export let nextBias: i64 = 0;

/**
 * Runs the instruction of entry `p` with `n` steps left, this one included. Returns the
 * entry to go on with, or 0 to leave the loop (the pc is then stored).
 */
export function step(p: usize, n: i32, bias: i64): usize {
  stepsLeft = n;
  nextBias = bias;
  setSliceLeft(<u32>n);
  const at = <u64>(bias + <i64>(p >> SCALE));
  const op = <u32>(load<u16>(p) & ~REGION_HEAD);
  if (op <= <u32>Op.CROSSES_PAGE) {
    if (op == Op.UNDECODED) {
      predecode(p);
      stepsLeft = n + 1; // decoding is no instruction: the loop runs the entry next
      return p;
    }
    setPc(at);
    if (op == Op.PAGE_END) {
      stepsLeft = n + 1;
      return resume();
    }
    p = straddling(at);
    if (p == 0) return afterTrap();
  }
  const s = hart();
  setPc(at);
  const size = sizeOf(<u32>load<u16>(p));
  setNextPc(at + <u64>size);
  s.trapped = 0;
  s.redirected = 0;
  executeSlow(p);
  // 1: an exception. 2: the instruction chose the pc itself (mret, sret, some hypercalls).
  if (s.trapped) return s.trapped == 1 ? afterTrap() : resume();
  const next = nextPc;
  const straight = p != LONE_ENTRY && next == at + <u64>size;
  if (straight && !s.redirected && !load<u32>(<usize>Machine.ATTENTION) && !codeDropped()) return p + (<usize>size << SCALE);
  setPc(next);
  return resume();
}

function afterTrap(): usize {
  countUnretired();
  return resume();
}

/** Does the hart, or the host, have something else to do than go on? */
export function mustLeave(): bool {
  const s = hart();
  return load<u32>(<usize>Machine.EXIT) != Exit.BUDGET || s.waiting != 0 || s.run != <u32>Run.STARTED;
}

/** A turn of `steps` begins, at the hart's pc. As fetch(). */
export function start(steps: u32): usize {
  stepsLeft = <i32>steps;
  if (codeDropped()) forgetDropped();
  store<u32>(<usize>Machine.ATTENTION, 0);
  takeInterrupt();
  return fetch();
}

/** Goes on at the hart's pc: takes what interrupts are due, finds the code. 0 leaves the loop. */
export function resume(): usize {
  if (codeDropped()) forgetDropped();
  if (mustLeave() || stepsLeft <= 1) {
    // Let the outer loop decide; this step itself still counts.
    setSliceLeft(<u32>(stepsLeft > 0 ? stepsLeft - 1 : 0));
    return 0;
  }
  if (load<u32>(<usize>Machine.ATTENTION)) {
    store<u32>(<usize>Machine.ATTENTION, 0);
    if (hasRequests()) {
      setSliceLeft(<u32>(stepsLeft - 1));
      return 0;
    }
  }
  takeInterrupt();
  const p = fetch(1);
  if (p != 0 && arrive(p)) translateRegion(p, pc());
  return p;
}

/** Continues a jump whose target the instruction TLB did not know. The jump is `own` of the `n` steps that are left. */
export function enter(target: u64, n: i32, own: i32 = 1): usize {
  stepsLeft = n;
  setPc(target);
  // A fetch that faults takes a step of its own: the slice may end before it.
  if (n <= own) {
    setSliceLeft(0);
    return 0;
  }
  setSliceLeft(<u32>n);
  return fetch(own);
}

/**
 * Entry for the hart's pc; raises the exceptions of the fetch. 0 leaves the loop. Of the steps that are left `own` belong
 * to the instruction before.
 */
export function fetch(own: i32 = 0): usize {
  let faultedAt: u64 = 1;
  while (true) {
    const at = pc();
    let p = lookupInstruction(at);
    if (p == 0) p = find(at);
    if (p != 0) {
      nextBias = <i64>at - <i64>(p >> SCALE);
      return p;
    }
    // The handler itself cannot be fetched, again: this would never end.
    if (at == faultedAt && pc() == at) {
      store<u32>(<usize>Machine.EXIT, Exit.DOUBLE_FAULT);
      setSliceLeft(<u32>(stepsLeft - own));
      return 0;
    }
    faultedAt = pc();
    countUnretired();
    if (--stepsLeft <= own) {
      setSliceLeft(0);
      return 0;
    }
    setSliceLeft(<u32>stepsLeft);
  }
}

/** Translates the page of `at` and gives it a slot. 0: an exception was raised. */
function find(at: u64): usize {
  const s = hart();
  const cause = translate(at, Access.FETCH, s.mode);
  if (cause != OK) {
    raise(<u32>cause, at);
    return 0;
  }
  const page = physical & ~(<u64>0xfff);
  if (hostPage(page) == 0) {
    raise(<u32>accessFault(Access.FETCH), at);
    return 0;
  }
  const slot = slotForPage(pageIndex(page));
  fillInstruction(at, slot, leafGlobal, leafSize);
  return slot + ((<usize>at & 0xffe) << SCALE);
}

/** A 32-bit instruction in the last halfword of a page: both halves are fetched anew each time. */
function straddling(at: u64): usize {
  const first = halfword(at, at);
  if (first < 0) return 0;
  const second = halfword(at + 2, at + 2);
  if (second < 0) return 0;
  const word = <u32>first | (<u32>second << 16);
  decodeLone(word);
  return LONE_ENTRY;
}

function halfword(va: u64, report: u64): i32 {
  const cause = translate(va, Access.FETCH, hart().mode);
  const page = cause == OK ? hostPage(physical & ~(<u64>0xfff)) : 0;
  if (page == 0) {
    raise(<u32>(cause == OK ? accessFault(Access.FETCH) : cause), report);
    return -1;
  }
  return <i32>load<u16>(page + <usize>(physical & 0xfff));
}

/** What the loop goes on with, as after a step. */
export function setContinuation(steps: i32, bias: i64): void {
  stepsLeft = steps;
  nextBias = bias;
}
