// The running hart's state besides its registers. One hart runs at a time; the images
// of the others wait at Layout.HARTS and are copied in and out as harts take turns.
import { HartAt, Layout, Machine } from "../abi/layout";

export const enum Mode { U = 0, S = 1, M = 3 }

/** What a hart is doing (SBI HSM states 0-4, chapter 9). */
export const enum Run { STARTED = 0, STOPPED = 1, START_PENDING = 2, STOP_PENDING = 3, SUSPENDED = 4 }

/** Requests that other harts leave in Machine.HART_REQUESTS. */
export const enum HartRequest { FENCE_I = 1, FENCE_VMA = 2 }

@unmanaged
export class Hart {
  mode: u32;
  hartId: u32;
  run: u32; // Run
  /** Non-zero while WFI (or a retentive suspend) waits for an interrupt. */
  waiting: u32;

  // Hot: read by the fast interpreter.
  /** Address of the read half of the TLB bank that loads and stores use now. */
  tlb: u32;
  /** Address of the instruction TLB bank for the current mode. */
  itlb: u32;
  /** Address of this hart's jump cache. */
  jumps: u32;
  /** 1 if floating point may run without a check: FS dirty and frm valid. */
  floatReady: u32;
  /** True while the other TLB bank's contents are for an unusual mode (MXR, MPRV). */
  otherBankKey: u32;

  retired: u64; // instructions this hart has retired, whole slices and slow steps

  mstatus: u64;
  mie: u64;
  mipSoft: u64; // the bits of mip that software writes: SSIP, STIP, SEIP
  mideleg: u64;
  medeleg: u64;
  mtvec: u64;
  mscratch: u64;
  mepc: u64;
  mcause: u64;
  mtval: u64;
  mcounteren: u64;
  mcountinhibit: u64;
  menvcfg: u64;
  mcycleOffset: u64;
  minstretOffset: u64;
  stvec: u64;
  sscratch: u64;
  sepc: u64;
  scause: u64;
  stval: u64;
  satp: u64;
  scounteren: u64;
  senvcfg: u64;
  stimecmp: u64;
  mseccfg: u64;

  /** Physical address reserved by LR, or ~0; and what LR read there. */
  reservation: u64;
  reservedValue: u64;
  reservedSize: u32;

  /** How many entries the TLB log holds, and which regions may have pieces of superpages cached (tlb.ts). */
  tlbLogCount: u32;
  gigapageRegions: u64;

  /** How many entries the log of the jump cache holds, and which pages (hashed) they lie on (jumps.ts). */
  jumpLogCount: u32;
  jumpGigapages: u64;

  /** PMP entries in use: 0 means no check is needed in any mode below M. */
  pmpActive: u32;
  /** Set when an instruction of the slow path left the straight line. */
  redirected: u32;
  trapped: u32;
  /** Waits in an SBI suspend rather than in WFI: what HSM reports. */
  suspended: u32;
  /** When its last turn ended, in ticks, and whether it could have run on. */
  leftRunnable: u32;
  leftAt: u64;
  pmpcfg0: u64;
  pmpcfg2: u64;

  // Advanced Interrupt Architecture (aia.ts).
  miselect: u64;
  siselect: u64;
  mvien: u64;
  /** SSIP of mvip while mvien sets it apart; the other bits of mvip are those of mipSoft. */
  virtualSsi: u64;
  /** Bits of sie that mvien sets apart from mie. */
  virtualSie: u64;
}

/** pmpaddr registers follow the fixed fields. */
export const PMP_COUNT: u32 = 16;
export const PMP_ADDRESSES: usize = <usize>HartAt.END - 16 * 8;

// @ts-ignore: decorator
@inline
export function hart(): Hart {
  return changetype<Hart>(<usize>HartAt.STATE);
}

// @ts-ignore: decorator
@inline
export function pc(): u64 {
  return load<u64>(<usize>HartAt.PC);
}

// @ts-ignore: decorator
@inline
export function setPc(value: u64): void {
  store<u64>(<usize>HartAt.PC, value);
}

// @ts-ignore: decorator
@inline
export function currentHart(): u32 {
  return load<u32>(<usize>Machine.CURRENT_HART);
}

// @ts-ignore: decorator
@inline
export function hartCount(): u32 {
  return load<u32>(<usize>Machine.HART_COUNT);
}

/** State of hart `h`, running or not. */
export function hartOf(h: u32): Hart {
  if (h == currentHart()) return hart();
  return changetype<Hart>(imageOf(h) + (<usize>HartAt.STATE - <usize>Layout.HART));
}

/** Where the image of hart `h` waits while it does not run. */
export function imageOf(h: u32): usize {
  return <usize>Layout.HARTS + <usize>h * <usize>Layout.HART_SIZE;
}

/** Makes hart `h` the running one. */
export function switchHart(h: u32): void {
  const from = currentHart();
  if (from == h) return;
  memory.copy(imageOf(from), <usize>Layout.HART, <usize>Layout.HART_SIZE);
  memory.copy(<usize>Layout.HART, imageOf(h), <usize>Layout.HART_SIZE);
  store<u32>(<usize>Machine.CURRENT_HART, h);
}

export function hasExtension(bit: u64): bool {
  return ((load<u64>(<usize>Machine.CPU_EXTENSIONS) >> bit) & 1) != 0;
}
