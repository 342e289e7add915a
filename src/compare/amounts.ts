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
  /** Datagrams of 18 bytes. */
  packets: Amount;
  /** 64 KiB over TCP, from one guest to another. */
  guestSegments: Amount;
  /** 128 KiB of a file; files opened. */
  fileReads: Amount;
  fileOpens: Amount;
  /** KiB to the host. */
  stream: Amount;
  /** 64 KiB, and echo requests, over a socket to the host. */
  vsockBlocks: Amount;
  vsockTrips: Amount;
  /** A byte to a process on the other hart, and one back. */
  wakeUps: Amount;
  /** A page's permissions changed, and changed back. */
  fences: Amount;
  /** Reads of 4 KiB, an interrupt each. */
  interrupts: Amount;
  /** Readings of a clock chip, and of the kernel's clock. */
  chipReads: Amount;
  clockReads: Amount;
  /** KiB of random numbers, from the kernel and from the CSR. */
  hwrng: Amount;
  seed: Amount;
  /** Pages, all at once. */
  balloonPages: Amount;
  /** Calls to the hypervisor, and reads of a register. */
  calls: Amount;
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
  packets: { warm: 200, measured: 4000 },
  guestSegments: { warm: 64, measured: 1024 },
  fileReads: { warm: 64, measured: 768 },
  fileOpens: { warm: 200, measured: 2000 },
  stream: { warm: 16, measured: 256 },
  vsockBlocks: { warm: 64, measured: 768 },
  vsockTrips: { warm: 200, measured: 2000 },
  wakeUps: { warm: 200, measured: 2000 },
  fences: { warm: 200, measured: 2000 },
  interrupts: { warm: 200, measured: 2000 },
  chipReads: { warm: 200, measured: 4000 },
  clockReads: { warm: 20000, measured: 400000 },
  hwrng: { warm: 16, measured: 256 },
  seed: { warm: 64, measured: 2048 },
  balloonPages: { warm: 0, measured: 16384 },
  calls: { warm: 0, measured: 4_000_000 },
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
  packets: { warm: 200, measured: 1000 },
  guestSegments: { warm: 32, measured: 256 },
  fileReads: { warm: 16, measured: 128 },
  fileOpens: { warm: 100, measured: 400 },
  stream: { warm: 16, measured: 64 },
  vsockBlocks: { warm: 32, measured: 192 },
  vsockTrips: { warm: 100, measured: 400 },
  wakeUps: { warm: 100, measured: 400 },
  fences: { warm: 100, measured: 400 },
  interrupts: { warm: 100, measured: 400 },
  chipReads: { warm: 100, measured: 800 },
  clockReads: { warm: 20000, measured: 100000 },
  hwrng: { warm: 16, measured: 64 },
  seed: { warm: 64, measured: 512 },
  balloonPages: { warm: 0, measured: 8192 },
  calls: { warm: 0, measured: 1_000_000 },
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
  packets: { warm: 20, measured: 40 },
  guestSegments: { warm: 8, measured: 16 },
  fileReads: { warm: 8, measured: 18 },
  fileOpens: { warm: 10, measured: 36 },
  stream: { warm: 4, measured: 8 },
  vsockBlocks: { warm: 8, measured: 18 },
  vsockTrips: { warm: 10, measured: 36 },
  wakeUps: { warm: 10, measured: 36 },
  fences: { warm: 10, measured: 36 },
  interrupts: { warm: 10, measured: 36 },
  chipReads: { warm: 10, measured: 36 },
  clockReads: { warm: 100, measured: 900 },
  hwrng: { warm: 2, measured: 9 },
  seed: { warm: 2, measured: 9 },
  balloonPages: { warm: 0, measured: 1024 },
  calls: { warm: 0, measured: 10_000 },
};
