// Guest time from the host's clock, in 10 MHz ticks since the guest started. One epoch for
// all harts. It stands still while the guest is paused, and over a gap in which this process
// was stopped or the machine slept: a guest that saw its time leap would report stalls.
import { Timebase } from "../../assembly/abi/memory-map.ts";

const TICKS_PER_MS = Timebase.HZ / 1000;

/** Between two readings while the guest runs at most this passes, in ms; more means that the process was stopped. */
const LONGEST_GAP = 1000;

export class GuestClock {
  readonly #hostNow: () => number;
  /** Host time at guest tick 0. */
  #origin: number;
  /** Host time up to which guest time is accounted for. */
  #last: number;
  #pausedAt: number | undefined;

  constructor(hostNow: () => number) {
    this.#hostNow = hostNow;
    this.#origin = this.#last = hostNow();
  }

  /** Guest ticks now. */
  now(): number {
    const host = this.#pausedAt ?? this.#hostNow();
    if (host - this.#last > LONGEST_GAP) this.#origin += host - this.#last;
    this.#last = host;
    return (host - this.#origin) * TICKS_PER_MS;
  }

  /** To be called after a sleep that was planned to end at host time `planned`: time up to then is no gap. */
  slept(planned: number): void {
    this.#last = Math.max(this.#last, Math.min(planned, this.#hostNow()));
  }

  /** Milliseconds until guest tick `tick`; negative if it is past. */
  millisecondsUntil(tick: number): number {
    return (tick - this.now()) / TICKS_PER_MS;
  }

  pause(): void {
    this.#pausedAt ??= this.#hostNow();
  }

  resume(): void {
    if (this.#pausedAt === undefined) return;
    const host = this.#hostNow();
    this.#origin += host - this.#pausedAt;
    this.#last = host;
    this.#pausedAt = undefined;
  }
}
