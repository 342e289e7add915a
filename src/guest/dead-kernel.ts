// Judges whether a kernel that printed its panic message is dead (panic.ts): one that resets the machine is, and one that spins on for
// some seconds of guest time without waiting or entering user mode.
import { Exit } from "../../assembly/abi/exit.ts";
import { Machine } from "../../assembly/abi/layout.ts";
import { Timebase } from "../../assembly/abi/memory-map.ts";
import type { Engine } from "../engine/engine.ts";
import { PanicWatch } from "./panic.ts";

/** How long a kernel may spin after the message before it counts as dead, in guest seconds. */
const GRACE = 3;

export interface DeadKernelParts {
  harts: number;
  engine(): Engine;
  /** Guest time. */
  ticks(): number;
}

export class DeadKernel {
  readonly watch = new PanicWatch();
  readonly #parts: DeadKernelParts;
  /** Guest tick at which the message was seen, and how much time the guest had skipped until then. */
  #tick = 0;
  #skipped = 0n;

  constructor(parts: DeadKernelParts) {
    this.#parts = parts;
  }

  get suspected(): boolean {
    return this.watch.suspected;
  }

  /** Console output of the guest. */
  see(bytes: Uint8Array): void {
    const before = this.watch.suspected;
    this.watch.see(bytes);
    if (!before && this.watch.suspected) {
      this.#tick = this.#parts.ticks();
      this.#skipped = this.#parts.engine().view.getBigUint64(Machine.SKIPPED, true);
    }
  }

  /** After each slice behind the message: true once the kernel is dead. */
  isDead(exit: Exit): boolean {
    const { exports, view } = this.#parts.engine();
    const waited = exit === Exit.IDLE || view.getBigUint64(Machine.SKIPPED, true) !== this.#skipped;
    if (waited) this.watch.clear();
    else {
      const harts = Array.from({ length: this.#parts.harts }, (_, hart) => hart);
      this.watch.look(harts.map((hart) => exports.getMode(hart) === 0 || exports.isWaiting(hart) !== 0));
    }
    return this.watch.suspected && this.#parts.ticks() - this.#tick > GRACE * Timebase.HZ;
  }
}
