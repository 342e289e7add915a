// State of an Intel gigabit Ethernet controller: plain data at Dev.E1000 + instance * 4 KiB.
//
//   +0x000  E1000: registers with a meaning, timers, what a frame under way needs
//   +0x300  statistics registers, as they lie from 0x4000 on
//   +0x440  NVM, 64 words
//   +0x4c0  PHY registers, 32 halfwords
//   +0x500  receive addresses, 16 pairs RAL, RAH
//   +0x600  multicast table, 128 dwords
//   +0x800  VLAN filter table, 128 dwords
//   +0xa00  redirection table and random key of receive-side scaling (kept, not used)
//   +0xb00  the beginning of a frame being sent, where the controller may change it
//
// Two controllers share all of this, as the chips do: the 82540EM (driver e1000) and the
// 82574L (driver e1000e). Specifications: "PCI/PCI-X Family of Gigabit Ethernet Controllers
// Software Developer's Manual" (8254x, 317453), and "82574 GbE Controller Family Datasheet"
// (317694). Section numbers in these files are the former's, unless they say 82574.
import { Dev } from "../../abi/device";

export const enum Limit {
  CONTROLLERS = 4,
  VECTORS = 5,
  NVM_WORDS = 64,
  PHY_REGISTERS = 32,
  ADDRESSES = 16,
  /** Bytes of a frame being sent that are copied: headers of a context lie below 256. */
  HEAD = 256,
  TAG = 4,
  /** Largest frame that is not cut into segments (82540: the transmit FIFO). */
  PLAIN_FRAME = 16_288,
  FCS = 4,
  /** Shortest frame without its check sequence. */
  MIN_FRAME = 60,
}

export const enum Model {
  E82540EM = 0,
  E82574L = 1,
}

export const NEVER: u64 = ~0;

export const enum Ctrl {
  FD = 1 << 0,
  GIO_MASTER_DISABLE = 1 << 2,
  ASDE = 1 << 5,
  SLU = 1 << 6,
  SPEED_1000 = 2 << 8,
  SPEED_MASK = 3 << 8,
  FRCSPD = 1 << 11,
  FRCDPX = 1 << 12,
  RST = 1 << 26,
  VME = 1 << 30,
  PHY_RST = 1 << 31,
}

export const enum CtrlExt {
  EE_RST = 1 << 13,
  EIAME = 1 << 24,
  IAME = 1 << 27,
  PBA_CLR = 1 << 31,
}

export const enum Rctl {
  EN = 1 << 1,
  UPE = 1 << 3,
  MPE = 1 << 4,
  LPE = 1 << 5,
  LBM_MAC = 1 << 6,
  RDMTS_SHIFT = 8,
  DTYP_PS = 1 << 10,
  MO_SHIFT = 12,
  BAM = 1 << 15,
  BSIZE_SHIFT = 16,
  VFE = 1 << 18,
  CFIEN = 1 << 19,
  CFI = 1 << 20,
  BSEX = 1 << 25,
  SECRC = 1 << 26,
}

export const enum Tctl {
  EN = 1 << 1,
  PSP = 1 << 3,
}

export const enum Rxcsum {
  PCSS = 0xff,
  IPOFL = 1 << 8,
  TUOFL = 1 << 9,
  PCSD = 1 << 13,
}

export const RFCTL_EXTEN: u32 = 1 << 15;

@unmanaged
export class E1000 {
  attached: u32;
  /** Its PCI function. */
  slot: u32;
  model: u32;
  /** The host's name for it. */
  port: u32;
  instance: u32;
  /** 1 while the host's side of the wire is up. */
  wire: u32;
  macLow: u32;
  macHigh: u32;

  ctrl: u32;
  ctrlExt: u32;
  /** STATUS.LU as last told: a change is an interrupt cause. */
  linkUp: u32;
  phyResetAsserted: u32;
  mdic: u32;
  eerd: u32;

  // The serial EEPROM's end of EECD (e1000-nvm.ts).
  eecd: u32;
  eeShift: u32;
  eeBits: u32;
  eeMode: u32;
  eeAddress: u32;
  eeOut: u32;
  eeWritable: u32;
  reserved0: u32;

  icr: u32;
  ims: u32;
  iam: u32;
  itr: u32;
  ivar: u32;
  eiac: u32;
  /** 1 while the pin is driven. */
  asserted: u32;
  /** Causes whose vectors wait for EITR, one bit a vector. */
  vectorsWaiting: u32;
  eitr0: u32;
  eitr1: u32;
  eitr2: u32;
  eitr3: u32;
  eitr4: u32;
  reserved1: u32;

  rctl: u32;
  rdbal: u32;
  rdbah: u32;
  rdlen: u32;
  rdh: u32;
  rdt: u32;
  rdtr: u32;
  radv: u32;
  rxcsum: u32;
  rfctl: u32;
  psrctl: u32;
  rsrpd: u32;
  rxdctl: u32;

  tctl: u32;
  tdbal: u32;
  tdbah: u32;
  tdlen: u32;
  tdh: u32;
  tdt: u32;
  tidv: u32;
  tadv: u32;
  txdctl: u32;

  vet: u32;
  swsm: u32;
  timinca: u32;
  tsynctxctl: u32;
  txstmpl: u32;
  txstmph: u32;

  /** The two contexts of 3.3.6: offloading alone, and segmentation. Each as the descriptor's two quadwords. */
  context0: u64;
  context1: u64;
  segment0: u64;
  segment1: u64;

  /** When timers end, in ticks; NEVER while one does not run. */
  rxDelay: u64;
  rxAbsolute: u64;
  txDelay: u64;
  txAbsolute: u64;
  /** When the throttle lets the pin, or a vector, go. */
  throttle: u64;
  /** The earliest of these. */
  deadline: u64;
  /** When the pin was last asserted. */
  itrLast: u64;
  eitrLast0: u64;
  eitrLast1: u64;
  eitrLast2: u64;
  eitrLast3: u64;
  eitrLast4: u64;

  /** SYSTIM as of `systimSince`. */
  systim: u64;
  systimSince: u64;

  /** Descriptors that e1000Room took, 0 outside the pair of calls; and the frame's length in them. */
  rxTaken: u32;
  rxLength: u32;
  /** 1: the host was told that there is no room. */
  rxRefused: u32;
  /** 1: descriptors wait for e1000Poll. */
  txWork: u32;
  /** 1: what is left of a frame that is no good is skipped. */
  txSkip: u32;
  /** IOADDR: the register that IODATA is. */
  ioAddress: u32;

  // Registers that are kept and read back, and mean nothing without a wire or a management controller.
  fcal: u32;
  fcah: u32;
  fct: u32;
  fcttv: u32;
  fcrtl: u32;
  fcrth: u32;
  txcw: u32;
  tipg: u32;
  ait: u32;
  ledctl: u32;
  extcnfCtrl: u32;
  pba: u32;
  pbaEcc: u32;
  pbs: u32;
  tarc0: u32;
  tarc1: u32;
  txdctl1: u32;
  rxdctl1: u32;
  tctlExt: u32;
  wuc: u32;
  wufc: u32;
  manc: u32;
  manc2h: u32;
  mrqc: u32;
  gcr: u32;
  gcr2: u32;
  swsm2: u32;
  tsyncrxctl: u32;
  rxmtrl: u32;
  rxudp: u32;
  raid: u32;
  ert: u32;
}

const STATISTICS: usize = 0x300;
const NVM: usize = 0x440;
const PHY: usize = 0x4c0;
const ADDRESSES: usize = 0x500;
const MULTICAST: usize = 0x600;
const VLANS: usize = 0x800;
const SCALING: usize = 0xa00;
const HEAD: usize = 0xb00;

export const STATISTICS_SIZE: u32 = 0x128;
export const SCALING_SIZE: u32 = 0xa8;

// @ts-ignore: decorator
@inline
export function controllerAt(instance: u32): E1000 {
  return changetype<E1000>(<usize>Dev.E1000 + <usize>instance * <usize>Dev.E1000_SIZE);
}

// @ts-ignore: decorator
@inline
export function statisticsAt(s: E1000): usize {
  return changetype<usize>(s) + STATISTICS;
}

// @ts-ignore: decorator
@inline
export function nvmAt(s: E1000): usize {
  return changetype<usize>(s) + NVM;
}

// @ts-ignore: decorator
@inline
export function phyAt(s: E1000): usize {
  return changetype<usize>(s) + PHY;
}

// @ts-ignore: decorator
@inline
export function addressesAt(s: E1000): usize {
  return changetype<usize>(s) + ADDRESSES;
}

// @ts-ignore: decorator
@inline
export function multicastAt(s: E1000): usize {
  return changetype<usize>(s) + MULTICAST;
}

// @ts-ignore: decorator
@inline
export function vlansAt(s: E1000): usize {
  return changetype<usize>(s) + VLANS;
}

// @ts-ignore: decorator
@inline
export function scalingAt(s: E1000): usize {
  return changetype<usize>(s) + SCALING;
}

/** Limit.HEAD bytes, with room for a VLAN tag before them. */
// @ts-ignore: decorator
@inline
export function headAt(s: E1000): usize {
  return changetype<usize>(s) + HEAD + Limit.TAG;
}

/** EITR of vector `v` (82574 10.2.4.9), and when the vector was last sent. */
// @ts-ignore: decorator
@inline
export function eitrAt(s: E1000, v: u32): usize {
  return changetype<usize>(s) + offsetof<E1000>("eitr0") + (<usize>v << 2);
}

// @ts-ignore: decorator
@inline
export function eitrLastAt(s: E1000, v: u32): usize {
  return changetype<usize>(s) + offsetof<E1000>("eitrLast0") + (<usize>v << 3);
}

// @ts-ignore: decorator
@inline
export function is82574(s: E1000): bool {
  return s.model == <u32>Model.E82574L;
}
