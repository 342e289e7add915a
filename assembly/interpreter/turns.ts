// A turn is what a hart runs at a time; then timers and interrupts are looked at. A run, which
// is what the host asks for, has many. Where nothing else is to be done in between a turn begins
// while calls of translated code wait in the host's stack (translated.ts).
import { Machine } from "../abi/layout";
import { isVirtual, ticks } from "../clock";
import { NEVER, nextDeadline, updateTimers } from "../devices/timer/aclint";
import { beginSlice, endSlice, sliceSteps } from "../hart/counters";
import { currentHart, hart, hartCount } from "../hart/state";
import { staUpdate } from "../sbi/sta";
import { batchIsDue } from "../translator/modules";
import { ageSites } from "../translator/sites";

/** Steps of one turn on the virtual clock. V8 replaces a function's baseline code only between calls, so turns must end. */
const TURN: u32 = 25_000;
/** On the host's clock a turn takes about this many ticks, whatever runs: interrupts wait for its end. */
const TURN_TICKS: u64 = 300;
const SHORTEST_TURN: u32 = 10_000;
const LONGEST_TURN: u32 = 250_000;
/** Fewer steps are not worth going on with where a turn may end early; one that left more was cut short by something. */
export const FEWEST_STEPS: u32 = 1024;
/** After this many ticks the host has its say. */
const RUN_TICKS: u64 = 10_000;

/** Steps of a turn on the host's clock, after what the last ones took. */
let pace: u32 = TURN;
/** When the run began, and the last turn began and ended, in ticks of the host's clock. */
let runBegin: u64 = 0;
let turnBegin: u64 = 0;
let turnEnd: u64 = 0;
/** Steps that the run has left, and those that the turn began with. */
let stepsLeft: i64 = 0;
let turnSteps: u32 = 0;

export function beginRun(budget: i32): void {
  stepsLeft = budget;
  if (!isVirtual()) {
    runBegin = ticks();
    turnEnd = runBegin;
  }
}

export function runIsOver(): bool {
  return stepsLeft <= 0 || (!isVirtual() && turnEnd - runBegin >= RUN_TICKS);
}

export function spend(steps: u32): void {
  stepsLeft -= steps;
}

/** Steps that the next turn may take. */
export function stepsOfTurn(): u32 {
  const most = <u32>min<i64>(stepsLeft, <i64>(isVirtual() ? TURN : pace));
  return isVirtual() ? untilDeadline(most) : most;
}

/** In virtual time a turn ends where the next timer fires, to the instruction. */
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

/** The running hart begins a turn of at most so many steps. */
export function beginTurn(steps: u32): void {
  if (!isVirtual()) {
    turnBegin = ticks();
    countStolen();
  }
  turnSteps = steps;
  beginSlice(steps);
}

/** A hart that could run but had no turn was robbed of that time: SBI's STA reports it. In virtual time nothing is stolen. */
function countStolen(): void {
  const s = hart();
  if (s.leftRunnable && turnBegin > s.leftAt) staUpdate(currentHart(), (turnBegin - s.leftAt) * 100);
}

/** The turn is over, with as many steps left as was told last (hart/counters). */
export function endTurn(): void {
  const s = hart();
  const done = sliceSteps();
  endSlice();
  ageSites();
  stepsLeft -= <i64>done;
  s.leftRunnable = s.waiting ? 0 : 1;
  if (!isVirtual()) {
    turnEnd = ticks();
    s.leftAt = turnEnd;
    keepPace(done);
  }
  store<u64>(<usize>Machine.INSTRUCTIONS, load<u64>(<usize>Machine.INSTRUCTIONS) + <u64>done);
}

/** Fits the next turns to what the last one took. One that was cut short says nothing. */
function keepPace(done: u32): void {
  if (done + FEWEST_STEPS < turnSteps) return;
  const took = turnEnd - turnBegin;
  if (took > 2 * TURN_TICKS) pace = max(SHORTEST_TURN, pace >> 1);
  else if (took > TURN_TICKS) pace = max(SHORTEST_TURN, pace - (pace >> 3));
  else if (turnSteps == pace) pace = min(LONGEST_TURN, pace + (pace >> 3));
}

/** May a turn end before its last step, for another one? Virtual time and harts that take turns count them. */
export function mayEndEarly(): bool {
  return !isVirtual() && hartCount() == 1 && stepsLeft - <i64>turnSteps >= <i64>SHORTEST_TURN;
}

/** The turn has no steps left, or too few: begins another one, unless something comes first that the outer loop sees to. */
export function renewTurn(): bool {
  if (hartCount() > 1 || batchIsDue()) return false;
  endTurn();
  if (runIsOver()) {
    beginTurn(0); // which the outer loop ends
    return false;
  }
  updateTimers();
  beginTurn(stepsOfTurn());
  return true;
}
