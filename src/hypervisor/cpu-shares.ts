// Processor time among guests, each in a thread of its own: when together they want more than the machine has,
// shares follow weights; a guest that is alone has all that it wants.
//
// Stride scheduling (Waldspurger and Weihl, 1995) without a scheduler: each guest's `pass` grows with the time that it
// ran, divided by its weight, and a guest may run while fewer than `cores` others that want to run have a smaller one. Guests publish
// their passes in shared memory, and each decides for itself before each of its turns, which take some 4 ms. Nothing is
// locked: a guest is the only writer of its slot, what it reads of others may be a turn old, and the worst that comes of that
// is a turn too many. A thread that ended, or does not come back for a while, counts for nobody.
//
// A guest that sleeps saves nothing up: `floor`, the smallest pass of those that want to run, never goes back, and
// nobody is further behind it than CREDIT. Nor does anybody who may run begin its turn further ahead than DEBT: that happens where
// weights ask for what cannot be, as no guest can use more than one core. The others then run more than their share, and
// are not to pay for it later.
import { HostError } from "../errors.ts";
import type { CpuTurns } from "../guest/cpu-turns.ts";

/** Guests that can share; more would be more than a hypervisor's memory holds. */
const MOST_SLOTS = 1024;
/** Microseconds of its running that a guest may be behind, and ahead of, the others. */
const CREDIT = 4000;
const DEBT = 20_000;
/** A guest that was not heard of for this long, in us, wants nothing as far as the others can see: a busy host stops threads for a while. */
const STALE = 100_000;
/** Longest block in wait(), in ms: the events of a guest's own thread wait for that. */
const LONGEST_WAIT = 8;

/** A guest's pass grows by this in a microsecond at weight 1. */
const SCALE = 10_000;
const DEFAULT_WEIGHT = 100;

/** A slot of 64 bytes, so that no two guests write to one cache line; the first is the header. */
const SLOT = 64;
const enum Header {
  FLOOR = 0, // i64
  CORES = 8, // i32
  /** i32, slots that were ever taken: what has to be looked at. */
  COUNT = 12,
}
const enum Slot {
  PASS = 0, // i64
  /** i64, us of the host's clock at which the guest was last heard of. */
  SEEN = 8,
  STATE = 16, // i32, State
  /** i32, counts up to wake its thread. */
  WAKE = 20,
}
const enum State {
  IDLE = 0,
  WAITING = 1,
  RUNNING = 2,
}

/** What the guests' threads share. */
class Board {
  readonly longs: BigInt64Array;
  readonly words: Int32Array;

  constructor(buffer: SharedArrayBuffer) {
    this.longs = new BigInt64Array(buffer);
    this.words = new Int32Array(buffer);
  }

  long(slot: number, field: number): number {
    return Number(Atomics.load(this.longs, (SLOT * (slot + 1) + field) / 8));
  }

  setLong(slot: number, field: number, value: number): void {
    Atomics.store(this.longs, (SLOT * (slot + 1) + field) / 8, BigInt(value));
  }

  state(slot: number): State {
    return Atomics.load(this.words, (SLOT * (slot + 1) + Slot.STATE) / 4);
  }

  setState(slot: number, state: State): void {
    Atomics.store(this.words, (SLOT * (slot + 1) + Slot.STATE) / 4, state);
  }

  wakeWord(slot: number): number {
    return (SLOT * (slot + 1) + Slot.WAKE) / 4;
  }

  header(field: Header.CORES | Header.COUNT): number {
    return Atomics.load(this.words, field / 4);
  }

  setHeader(field: Header.CORES | Header.COUNT, value: number): void {
    Atomics.store(this.words, field / 4, value);
  }

  get floor(): number {
    return Number(Atomics.load(this.longs, Header.FLOOR / 8));
  }

  raiseFloor(to: number): void {
    const wanted = BigInt(to);
    for (let seen = Atomics.load(this.longs, 0); seen < wanted; ) {
      const found = Atomics.compareExchange(this.longs, 0, seen, wanted);
      if (found === seen) return;
      seen = found;
    }
  }

  /** Does the guest in `slot` want to run, as of `now`? */
  wants(slot: number, now: number): boolean {
    return this.state(slot) !== State.IDLE && now - this.long(slot, Slot.SEEN) < STALE;
  }

  /** Wakes whoever has waited with the smallest pass, if anybody waits. */
  wakeNext(now: number, except: number): void {
    let next = -1;
    let smallest = Number.POSITIVE_INFINITY;
    const count = this.header(Header.COUNT);
    for (let slot = 0; slot < count; slot++) {
      if (slot === except || this.state(slot) !== State.WAITING || !this.wants(slot, now)) continue;
      const pass = this.long(slot, Slot.PASS);
      if (pass >= smallest) continue;
      smallest = pass;
      next = slot;
    }
    if (next < 0) return;
    Atomics.add(this.words, this.wakeWord(next), 1);
    Atomics.notify(this.words, this.wakeWord(next));
  }
}

/** A slot of shared memory: what a guest's worker needs to take part. */
export interface SharePlace {
  buffer: SharedArrayBuffer;
  slot: number;
}

/** The hypervisor's side: who takes part. */
export class CpuShares {
  readonly #buffer = new SharedArrayBuffer(SLOT * (MOST_SLOTS + 1));
  readonly #board = new Board(this.#buffer);
  readonly #taken = new Set<number>();

  /** @param cores that all guests together may use. */
  constructor(cores: number) {
    this.#board.setHeader(Header.CORES, cores);
  }

  /** A slot for one more guest. @throws HostError if all are taken. */
  take(): SharePlace {
    let slot = 0;
    while (this.#taken.has(slot)) slot++;
    if (slot === MOST_SLOTS) throw new HostError(`${MOST_SLOTS} guests share the processors: stop one first`);
    this.#taken.add(slot);
    for (const field of [Slot.PASS, Slot.SEEN]) this.#board.setLong(slot, field, 0);
    this.#board.setState(slot, State.IDLE);
    this.#board.setHeader(Header.COUNT, Math.max(this.#board.header(Header.COUNT), slot + 1));
    return { buffer: this.#buffer, slot };
  }

  /** The guest's thread has ended. */
  release({ slot }: SharePlace): void {
    this.#taken.delete(slot);
    this.#board.setState(slot, State.IDLE);
  }
}

/** One guest's side, in its own thread. */
export class CpuShare implements CpuTurns {
  readonly #board: Board;
  readonly #slot: number;
  readonly #now: () => number;
  #weight = DEFAULT_WEIGHT;
  // What is published is never read back: a thread that ended late may have written over it.
  #state = State.IDLE;
  #pass = 0;
  #ran = 0;
  #heldBack = 0;
  /** Time up to which #ran or #heldBack is counted. */
  #since = 0;
  #wakes = 0;

  /** `now` is in microseconds, on a clock that all guests' threads have. */
  constructor({ buffer, slot }: SharePlace, now: () => number) {
    this.#board = new Board(buffer);
    this.#slot = slot;
    this.#now = now;
  }

  /** Seconds that the guest ran, and that it wanted to run while others did. */
  get seconds(): { ran: number; heldBack: number } {
    return { ran: this.#ran / 1e6, heldBack: this.#heldBack / 1e6 };
  }

  setWeight(weight: number): void {
    this.#weight = weight;
  }

  mayRun(): boolean {
    const board = this.#board;
    // Before anything is looked at: whoever changes it later wakes wait().
    this.#wakes = Atomics.load(board.words, board.wakeWord(this.#slot));
    const now = this.#account();
    const floor = board.floor;
    const each = SCALE / this.#weight;
    this.#pass = Math.max(this.#pass, Math.round(floor - CREDIT * each));

    let before = 0;
    let smallest = this.#pass;
    const count = board.header(Header.COUNT);
    for (let slot = 0; slot < count; slot++) {
      if (slot === this.#slot || !board.wants(slot, now)) continue;
      const pass = board.long(slot, Slot.PASS);
      smallest = Math.min(smallest, pass);
      if (pass < this.#pass || (pass === this.#pass && slot < this.#slot)) before++;
    }
    board.raiseFloor(smallest);

    const ran = this.#state === State.RUNNING;
    const may = before < board.header(Header.CORES);
    if (may) this.#pass = Math.min(this.#pass, Math.round(floor + DEBT * each));
    this.#state = may ? State.RUNNING : State.WAITING;
    this.#publish(now);
    if (ran && !may) board.wakeNext(now, this.#slot);
    return may;
  }

  wait(): void {
    Atomics.wait(this.#board.words, this.#board.wakeWord(this.#slot), this.#wakes, LONGEST_WAIT);
  }

  leave(): void {
    if (this.#state === State.IDLE) return;
    const now = this.#account();
    this.#state = State.IDLE;
    this.#publish(now);
    this.#board.wakeNext(now, this.#slot);
  }

  /** The time since it was last asked was spent running, waiting, or neither. Returns now. */
  #account(): number {
    const now = this.#now();
    const passed = now - this.#since;
    this.#since = now;
    if (this.#state === State.WAITING) this.#heldBack += passed;
    if (this.#state !== State.RUNNING) return now;
    this.#ran += passed;
    this.#pass += Math.round((passed * SCALE) / this.#weight);
    return now;
  }

  #publish(now: number): void {
    const board = this.#board;
    board.setLong(this.#slot, Slot.PASS, this.#pass);
    board.setLong(this.#slot, Slot.SEEN, now);
    board.setState(this.#slot, this.#state);
  }
}
