// The outer loop: harts take turns on one thread, and time passes between.
import { Exit } from "../abi/exit";
import { Layout, Machine } from "../abi/layout";
import { isVirtual, ticks } from "../clock";
import { sendDiskInterrupts } from "../devices/block/disk-interrupts";
import { NEVER, nextDeadline, updateTimers } from "../devices/timer/aclint";
import { serveRequests } from "../hart/control";
import { currentHart, hart, hartCount, hartOf, Run, switchHart } from "../hart/state";
import { selectBanks } from "../hart/tlb";
import { wouldWake } from "../hart/trap";
import { isPollDue } from "../hypercall/devices";
import { isDue, isParked, unpark } from "../hypercall/parked";
import { batchIsDue, installBatch } from "../translator/modules";
import { interpret } from "./fast.gen";
import { nextBias, start, stepsLeft } from "./step";
import { beginCalls } from "./translated";
import { beginRun, beginTurn, endTurn, runIsOver, spend, stepsOfTurn } from "./turns";

/** The next hart after the current one that can run; MAX_HARTS if none. Harts that an interrupt wakes become runnable. */
function nextRunnable(): u32 {
  const count = hartCount();
  const from = currentHart();
  for (let i: u32 = 1; i <= count; i++) {
    const h = (from + i) % count;
    const s = hartOf(h);
    if (s.run != <u32>Run.STARTED) continue;
    if (s.waiting) {
      if (isParked(h)) {
        if (!isDue(h)) continue;
        unpark(h);
      } else if (!wouldWake(h)) continue;
      s.waiting = 0;
      s.suspended = 0;
    }
    return h;
  }
  return <u32>Layout.MAX_HARTS;
}

/** Runs up to `budget` steps over all harts. What ended the run is in the run record too. */
export function runHarts(budget: i32): Exit {
  store<u32>(<usize>Machine.EXIT, Exit.BUDGET);
  beginRun(budget);
  while (!runIsOver()) {
    updateTimers();
    // Requests wait for budget that is there by now: run() looks at devices when it is called again.
    if (isPollDue()) return Exit.BUDGET;
    const h = nextRunnable();
    if (h == <u32>Layout.MAX_HARTS) {
      if (!sleep()) return Exit.IDLE;
      spend(1); // jumping to a deadline costs a step, so that this loop ends
      continue;
    }
    turn(h);
    if (load<u32>(<usize>Machine.EXIT) != Exit.BUDGET) return <Exit>load<u32>(<usize>Machine.EXIT);
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

/** Gives hart `h` a turn. */
function turn(h: u32): void {
  switchHart(h);
  serveRequests();
  selectBanks();
  store<u32>(<usize>Machine.EXIT_HART, h);
  const steps = stepsOfTurn();
  beginTurn(steps);
  beginCalls();
  const p = start(steps);
  // A fetch that faulted took steps of its own.
  if (p != 0) interpret(p, stepsLeft, nextBias);
  endTurn();
  if (hart().waiting != 0) sendDiskInterrupts();
  if (batchIsDue()) installBatch();
}
