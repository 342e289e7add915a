// How much each workload does. Always a number of operations, never a time, so that a run on
// the virtual clock repeats; the first ones are not measured: caches fill, pages fault in.
import type { Amount } from "./work.ts";

export interface Amounts {
  /** KiB of text. */
  terminal: Amount;
  /** Messages of the kernel's. */
  messages: Amount;
  /** 4 KiB reads, one at a time and 32 at a time. */
  random: Amount;
  deepRandom: Amount;
  /** 128 KiB transfers, one at a time. */
  sequential: Amount;
  /** Timer expiries, 1 ms apart. */
  expiries: Amount;
  /** 64 KiB over TCP. */
  segments: Amount;
  /** Echo requests, one at a time. */
  roundTrips: Amount;
}

export const STANDARD: Amounts = {
  terminal: { warm: 16, measured: 256 },
  messages: { warm: 200, measured: 2000 },
  random: { warm: 400, measured: 4000 },
  deepRandom: { warm: 640, measured: 6400 },
  sequential: { warm: 64, measured: 768 },
  expiries: { warm: 200, measured: 2000 },
  segments: { warm: 64, measured: 1024 },
  roundTrips: { warm: 200, measured: 2000 },
};

export const QUICK: Amounts = {
  terminal: { warm: 16, measured: 64 },
  messages: { warm: 100, measured: 400 },
  random: { warm: 200, measured: 800 },
  deepRandom: { warm: 320, measured: 1600 },
  sequential: { warm: 32, measured: 128 },
  expiries: { warm: 100, measured: 400 },
  segments: { warm: 32, measured: 256 },
  roundTrips: { warm: 100, measured: 400 },
};

/** Enough to show that a run repeats, and no more. */
export const BRIEF: Amounts = {
  terminal: { warm: 4, measured: 8 },
  messages: { warm: 20, measured: 40 },
  random: { warm: 32, measured: 64 },
  deepRandom: { warm: 64, measured: 128 },
  sequential: { warm: 8, measured: 16 },
  expiries: { warm: 20, measured: 40 },
  segments: { warm: 8, measured: 16 },
  roundTrips: { warm: 20, measured: 40 },
};
