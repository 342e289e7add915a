// The outer loop: harts take turns on one thread, a slice each, and time passes between.
import { Exit } from "../abi/exit";
import { ClockMode, Layout, Machine } from "../abi/layout";
import { ticks } from "../clock";
import { nextDeadline, updateTimers } from "../devices/timer/aclint";
import { serveRequests } from "../hart/control";
import { beginSlice, endSlice, sliceSteps } from "../hart/counters";
import { currentHart, hart, hartCount, hartOf, Run, switchHart } from "../hart/state";
import { selectBanks } from "../hart/tlb";
import { takeInterrupt, wouldWake } from "../hart/trap";
import { forgetDropped } from "../code/predecode";
import { codeDropped } from "../memory/code-map";
import { staUpdate } from "../sbi/sta";
import { installBatch } from "../translator/modules";
import { ageSites } from "../translator/sites";
import { interpret } from "./fast.gen";
import { fetch, nextBias, setStepsLeft, stepsLeft } from "./step";

/** Steps of one turn on the virtual clock. V8 replaces a function's baseline code only between calls, so turns must end. */
const SLICE: u32 = 25_000;
/** On the host's clock a turn takes about this many ticks, whatever runs: interrupts wait for its end. */
const TURN_TICKS: u64 = 300;
const SHORTEST_TURN: u32 = 10_000;
const LONGEST_TURN: u32 = 250_000;
/** After this many ticks the host has its say. */
const RUN_TICKS: u64 = 500;
/** Steps of a turn on the host's clock, after what the last ones took. */
let pace: u32 = SLICE;
const NEVER: u64 = ~(<u64>0);

function isVirtual(): bool {
  return load<u32>(<usize>Machine.CLOCK) == <u32>ClockMode.VIRTUAL;
}

/** The next hart after the current one that can run; MAX_HARTS if none. Harts that an interrupt wakes become runnable. */
function nextRunnable(): u32 {
  const count = hartCount();
  const from = currentHart();
  for (let i: u32 = 1; i <= count; i++) {
    const h = (from + i) % count;
    const s = hartOf(h);
    if (s.run != <u32>Run.STARTED) continue;
    if (s.waiting) {
      if (!wouldWake(h)) continue;
      s.waiting = 0;
      s.suspended = 0;
    }
    return h;
  }
  return <u32>Layout.MAX_HARTS;
}

/** Runs up to `budget` steps over all harts. What ended the run is in the run record too. */
export function runHarts(budget: i32): Exit {
  let left: i64 = budget;
  store<u32>(<usize>Machine.EXIT, Exit.BUDGET);
  const began = isVirtual() ? 0 : ticks();
  while (left > 0) {
    updateTimers();
    const h = nextRunnable();
    if (h == <u32>Layout.MAX_HARTS) {
      if (!sleep()) return Exit.IDLE;
      left--; // jumping to a deadline costs a step, so that this loop ends
      continue;
    }
    left -= <i64>turn(h, <u32>min<i64>(left, <i64>(isVirtual() ? SLICE : pace)));
    if (load<u32>(<usize>Machine.EXIT) != Exit.BUDGET) return <Exit>load<u32>(<usize>Machine.EXIT);
    if (!isVirtual() && turnEnd - began >= RUN_TICKS) break;
  }
  return Exit.BUDGET;
}

/** All harts wait. Virtual time jumps to the next deadline; host time has to pass. False: the host must wait. */
function sleep(): bool {
  const deadline = nextDeadline();
  store<u64>(<usize>Machine.DEADLINE, deadline);
  if (!isVirtual() || deadline == NEVER) {
    store<u32>(<usize>Machine.EXIT, Exit.IDLE);
    return false;
  }
  const now = ticks();
  if (deadline > now) store<u64>(<usize>Machine.SKIPPED, load<u64>(<usize>Machine.SKIPPED) + (deadline - now));
  return true;
}

/** A hart that could run but had no turn was robbed of that time: SBI's STA reports it. In virtual time nothing is stolen. */
function countStolen(h: u32): void {
  const s = hart();
  if (isVirtual()) return;
  turnBegin = ticks();
  if (s.leftRunnable && turnBegin > s.leftAt) staUpdate(h, (turnBegin - s.leftAt) * 100);
}

/** When the last turn began and ended, in ticks of the host's clock. */
let turnBegin: u64 = 0;
let turnEnd: u64 = 0;

/** Fits the next turns to what the last one took. One that was cut short says nothing. */
function keepPace(budget: u32, done: u32): void {
  if (done < budget) return;
  const took = turnEnd - turnBegin;
  if (took > 2 * TURN_TICKS) pace = max(SHORTEST_TURN, pace >> 1);
  else if (took > TURN_TICKS) pace = max(SHORTEST_TURN, pace - (pace >> 3));
  else if (budget == pace) pace = min(LONGEST_TURN, pace + (pace >> 3));
}

/** Gives hart `h` a turn of at most `steps`; how many it took. */
function turn(h: u32, steps: u32): u32 {
  switchHart(h);
  const s = hart();
  serveRequests();
  if (codeDropped()) forgetDropped();
  selectBanks();
  const budget = isVirtual() ? untilDeadline(steps) : steps;
  store<u32>(<usize>Machine.EXIT_HART, h);
  countStolen(h);
  beginSlice(budget);
  setStepsLeft(budget);
  store<u32>(<usize>Machine.ATTENTION, 0);
  takeInterrupt();
  const p = fetch();
  // A fetch that faulted took steps of its own.
  if (p != 0) interpret(p, stepsLeft, nextBias);
  const done = sliceSteps();
  endSlice();
  installBatch();
  ageSites();
  s.leftRunnable = s.waiting ? 0 : 1;
  if (!isVirtual()) {
    turnEnd = ticks();
    s.leftAt = turnEnd;
    keepPace(budget, done);
  }
  store<u64>(<usize>Machine.INSTRUCTIONS, load<u64>(<usize>Machine.INSTRUCTIONS) + <u64>done);
  return done;
}

/** In virtual time a slice ends where the next timer fires, to the instruction. */
function untilDeadline(steps: u32): u32 {
  const deadline = nextDeadline();
  const now = ticks();
  if (deadline <= now || deadline == NEVER) return steps;
  const rate = <u64>load<u32>(<usize>Machine.VIRTUAL_RATE);
  const away = deadline - now;
  if (away > <u64>steps) return steps;
  // The tick began `part` instructions ago.
  const part = load<u64>(<usize>Machine.INSTRUCTIONS) % rate;
  return <u32>max<u64>(1, min<u64>(<u64>steps, away * rate - part));
}
