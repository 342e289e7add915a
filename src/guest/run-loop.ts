// Runs a guest on the host's event loop: slices of a fixed number of instructions for a few
// milliseconds, then the host's own events have their turn. When every hart waits, the loop
// sleeps until the guest's next deadline, or until input or a completion wakes it; it never
// polls.
import { Exit } from "../../assembly/abi/exit.ts";
import type { GuestClock } from "./clock.ts";
import type { CpuTurns } from "./cpu-turns.ts";
import type { Platform } from "./platform.ts";

/** Instructions in a slice on the virtual clock: the host's events come at these counts. */
const SLICE = 40_000;

/** Most instructions in a slice on the host's clock: the engine comes back when it has run for about 1 ms. */
const LONGEST_SLICE = 50_000_000;

/** How long slices run before the host's events have their turn, in ms. */
const TURN = 4;

/** Below this many ms a timer is too coarse. */
const TIMER_LIMIT = 1.6;
/** A timer may fire this much late, so it is set earlier. */
const TIMER_SLACK = 1;
const LONGEST_SLEEP = 10_000;

/** What a guest with a cap may save up of its share while it sleeps, in ms of running. */
const MOST_CREDIT = 20;

/** What the loop drives. */
export interface Driven {
  /** Hands pending input and completions to the guest. True if something was handed over. */
  deliver(): boolean;
  run(budget: number): Exit;
  /** Guest tick of the next deadline, or Infinity. */
  readonly deadline: number;
  /** Takes output out after each slice. */
  collect(): void;
  /** Publishes what was collected, before the host has its turn. */
  publish(): void;
  /** True while the host owes the guest a completion or may have a frame for it, which a blocked host could not deliver. */
  readonly awaitsCompletion: boolean;
  /** An exit that is neither BUDGET nor IDLE. True to go on running. */
  handle(exit: Exit): boolean;
  /** Something threw inside the loop: the guest cannot go on. */
  fail(error: unknown): void;
}

type State = "stopped" | "scheduled" | "running" | "sleeping";

export class RunLoop {
  readonly #driven: Driven;
  readonly #platform: Platform;
  /** Absent with the virtual clock: guest time is then the engine's own affair. */
  readonly #clock: GuestClock | undefined;
  #state: State = "stopped";
  /** Reasons not to run: the caller paused it, or nothing is asked of a guest on the virtual clock. */
  #holds = new Set<string>();
  #ended = false;
  #turnIsOver = false;
  /** Share of the time in which the guest may run, up to 1. */
  readonly #cap: number;
  /** Absent for a guest that shares its processors with no others. */
  readonly #turns: CpuTurns | undefined;
  /** Milliseconds that it ran more than its share, as of `#sharedAt` of the host's time. */
  #ahead = 0;
  #sharedAt = 0;
  #cancelTimer: (() => void) | undefined;
  /** Host time at which the sleep is to end. */
  #wakeAt = 0;

  constructor(driven: Driven, platform: Platform, clock: GuestClock | undefined, cap = 1, turns?: CpuTurns) {
    this.#cap = cap;
    this.#turns = turns;
    this.#driven = driven;
    this.#platform = platform;
    this.#clock = clock;
  }

  start(): void {
    this.#schedule();
  }

  /** Stops at the end of the current slice, until the same reason is released. */
  hold(reason: string): void {
    if (this.#holds.size === 0) this.#clock?.pause();
    this.#holds.add(reason);
    if (this.#state === "sleeping") this.#stopSleeping();
  }

  release(reason: string): void {
    if (!this.#holds.delete(reason) || this.#holds.size > 0) return;
    this.#clock?.resume();
    this.#schedule();
  }

  isHeld(reason: string): boolean {
    return this.#holds.has(reason);
  }

  /** Input or a completion has arrived: a sleeping guest runs at once. */
  wake(): void {
    if (this.#state !== "sleeping") return;
    this.#stopSleeping();
    this.#schedule();
  }

  /** The host's events, and promises that are about to settle, have their turn after this slice. */
  endTurn(): void {
    this.#turnIsOver = true;
  }

  /** Ends the loop for good. */
  end(): void {
    this.#ended = true;
    if (this.#state === "sleeping") this.#stopSleeping();
  }

  #stopSleeping(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#state = "stopped";
    this.#clock?.slept(this.#wakeAt);
  }

  #schedule(): void {
    if (this.#state !== "stopped" || this.#ended || this.#holds.size > 0) return;
    this.#state = "scheduled";
    const rest = this.#restBeforeTurn();
    if (rest === 0) this.#platform.yieldToHost(() => this.#turn());
    else {
      this.#turns?.leave();
      this.#platform.startTimer(rest, () => this.#turn());
    }
  }

  /** Milliseconds that a guest with a cap has to rest before its next turn: until it has no more than its share. */
  #restBeforeTurn(): number {
    if (this.#cap >= 1) return 0;
    const now = this.#platform.now();
    this.#ahead = Math.max(this.#ahead - (now - this.#sharedAt) * this.#cap, -MOST_CREDIT);
    this.#sharedAt = now;
    return this.#ahead <= 0 ? 0 : Math.ceil(this.#ahead / this.#cap);
  }

  /** The guest ran from `begin` to now: it had its share of that time, and the rest is owed. */
  #ran(begin: number): void {
    if (this.#cap < 1) this.#ahead += this.#platform.now() - begin;
  }

  /** Is it another guest's turn? Then this one asks again, when the host's events have been served. */
  #isOthersTurn(): boolean {
    if (this.#turns === undefined || this.#ended || this.#holds.size > 0 || this.#turns.mayRun()) return false;
    this.#turns.wait();
    // For the guest this is time like any other, in which it was not there.
    this.#clock?.slept(this.#platform.now());
    this.#platform.yieldToHost(() => this.#turn());
    return true;
  }

  #turn(): void {
    if (this.#isOthersTurn()) return;
    this.#state = "running";
    let sleeps = false;
    const begin = this.#platform.now();
    try {
      sleeps = this.#slices();
      this.#driven.publish();
    } catch (error) {
      this.#ended = true;
      this.#driven.fail(error);
    }
    this.#state = "stopped";
    this.#ran(begin);
    if (this.#ended || this.#holds.size > 0) this.#turns?.leave();
    else if (sleeps) this.#sleep();
    else this.#schedule();
  }

  /** Runs slices until the turn is over (false) or the guest is idle (true). */
  #slices(): boolean {
    const driven = this.#driven;
    const end = this.#platform.now() + TURN;
    this.#turnIsOver = false;
    while (!this.#ended && this.#holds.size === 0) {
      driven.deliver();
      const exit = driven.run(this.#clock === undefined ? SLICE : LONGEST_SLICE);
      driven.collect();
      if (exit !== Exit.BUDGET && exit !== Exit.IDLE && !driven.handle(exit)) this.#ended = true;
      if (this.#turnIsOver || this.#platform.now() >= end) return false;
      if (exit === Exit.IDLE && !driven.deliver() && this.#mustWait()) return true;
    }
    return false;
  }

  #mustWait(): boolean {
    return this.#clock === undefined || this.#clock.millisecondsUntil(this.#driven.deadline) > 0;
  }

  /** Sleeps until the guest's deadline. */
  #sleep(): void {
    const { blockFor } = this.#platform;
    const deadline = this.#driven.deadline;
    const wait = this.#clock?.millisecondsUntil(deadline) ?? LONGEST_SLEEP;
    if (wait <= 0) {
      this.#schedule();
      return;
    }
    this.#turns?.leave();
    if (wait < TIMER_LIMIT && blockFor !== undefined && !this.#driven.awaitsCompletion) {
      blockFor.call(this.#platform, wait);
      this.#clock?.slept(this.#platform.now());
      this.#schedule();
      return;
    }
    const slack = blockFor === undefined ? 0 : TIMER_SLACK;
    const time = Math.min(Math.max(wait - slack, 0), LONGEST_SLEEP);
    this.#state = "sleeping";
    this.#wakeAt = this.#platform.now() + time;
    this.#cancelTimer = this.#platform.startTimer(time, () => {
      this.#stopSleeping();
      if (this.#holds.size > 0 || this.#ended) return;
      // A timer that fired early (or was cut to LONGEST_SLEEP) sleeps the rest.
      this.#sleep();
    });
  }
}
