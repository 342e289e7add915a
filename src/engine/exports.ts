// The boundary between the host and the engine's module (assembly/engine.ts): what it
// exports and what it asks for (assembly/host.ts). All numbers are i32 unless a bigint
// or a comment says otherwise; addresses are offsets into linear memory.
import type { Exit } from "../../assembly/abi/exit.ts";
import type { GoOn } from "./translated.ts";

export interface EngineExports {
  /** Before reset(): has the host compile the interpreter for speed meanwhile. */
  warmUp(): void;
  /** Puts harts and devices into their power-on state; attachments must be made again. */
  reset(): void;
  attachVirtioMmio(slot: number, kind: number, backend: number, capacityBytes: number, flags: number): void;
  attachVirtioPci(
    pciSlot: number,
    instance: number,
    kind: number,
    backend: number,
    capacityBytes: number,
    flags: number,
  ): void;
  attachNvme(pciSlot: number, instance: number, backend: number, capacityBytes: number, flags: number): void;
  attachAhci(pciSlot: number, port: number, backend: number, capacityBytes: number, flags: number): void;
  /** `model` is 0 for the 82540EM, 1 for the 82574L; the MAC address as in netConfigure. */
  attachE1000(pciSlot: number, instance: number, model: number, port: number, macLow: number, macHigh: number): void;
  attachCustom(index: number, size: number): void;
  customInterrupt(index: number, level: number): void;
  /** The answer to a request that customRequest answered LATER to; non-zero if somebody waits for it. */
  customRequestDone(tag: number, address: number, length: number): number;
  /** Fills room in an input queue of a virtio device that the host defines: bytes given, or -1. */
  virtioCustomGive(instance: number, queue: number, address: number, length: number): number;
  /** Sets bytes of its configuration space. */
  virtioCustomSetConfig(instance: number, offset: number, address: number, length: number, notify: number): number;
  /** Where its configuration space is. */
  virtioCustomConfig(instance: number): number;
  virtioConsoleSetPort(
    instance: number,
    port: number,
    isConsole: number,
    nameAddress: number,
    nameLength: number,
  ): void;

  /** Puts a persistent memory device's memory at `page` of memory (4 KiB each, from the beginning of RAM); after attaching. */
  virtioPmemSetPlace(instance: number, page: number): number;
  /** The same for a memory device's region. */
  virtioMemSetPlace(instance: number, page: number): number;
  /** Asks the guest to plug or unplug until it has `bytes`. */
  virtioMemSetRequested(instance: number, bytes: number): number;
  /** Bytes plugged now (f64). */
  virtioMemPlugged(instance: number): number;
  /** Asks the guest to have `pages` pages of 4 KiB in the balloon. */
  virtioBalloonSetTarget(instance: number, pages: number): number;
  virtioBalloonPages(instance: number): number;
  /** Bytes that the guest has reported as free, each time it did (f64). */
  virtioBalloonReported(instance: number): number;
  /** Asks the guest for statistics; 0 if it has none to give now. */
  virtioBalloonAskStats(instance: number): number;
  /** Address of the statistics that came last, 16 u64 by tag; which of them did, a bit each; and how many times they came. */
  virtioBalloonStats(instance: number): number;
  virtioBalloonStatsKnown(instance: number): number;
  virtioBalloonStatsSerial(instance: number): number;
  /** Writes what the guest has written to persistent memory to its disks. 0, or a negative errno. */
  writeBackAll(): number;
  /** Of `count` pages of memory from page `first` on, those that are not all zeros. */
  pagesInUse(first: number, count: number): number;

  /** Address of the boot ROM's contents (Map.MROM_SIZE bytes). */
  bootRom(): number;
  /** Gives a hart its entry state; `mode` is 3 for M and 1 for S. */
  startHart(hart: number, pc: bigint, a0: bigint, a1: bigint, a2: bigint, mode: number): void;
  /** Runs up to `budget` instructions over all harts. */
  run(budget: number): Exit;
  /** For translated code alone. */
  goOn: GoOn;

  /** Offers input; returns how many bytes were taken. */
  consoleInput(port: number, address: number, length: number): number;
  /** Non-zero if consoleInput would take anything now. */
  consoleInputReady(port: number): number;
  sbiConsoleRead(): number;
  consoleResize(columns: number, rows: number): void;
  consoleGuestOpen(port: number): number;
  diskDone(backend: number, tag: number, status: number): void;
  /** Disk `backend` of a virtio device now holds `bytes` (f64); the guest's driver is told. */
  virtioBlkResize(backend: number, bytes: number): void;

  /**
   * Says what port `port` is to be, before a network device is attached to it: MAC address (its first four bytes as a
   * little-endian word, then the last two), MTU, queue pairs, Mbit/s, and whether its link is up.
   */
  netConfigure(
    port: number,
    macLow: number,
    macHigh: number,
    mtu: number,
    pairs: number,
    speed: number,
    up: number,
  ): void;
  /** NetOffload bits that frames into the guest may leave undone, or -1 while no driver listens. */
  netOffloads(port: number): number;
  /** Takes room for a frame: address of {count, reserved, count times {address, length}}, or NetRoom. Then netDeliver at once. */
  netRoom(port: number, length: number): number;
  /** The room that netRoom took is filled. `header` is NetAt.HEADER_IN, filled in, or 0. */
  netDeliver(port: number, header: number): void;
  /** Is it worth beginning with so many frames of so many bytes each? 0: netReady says when. */
  netHolds(port: number, frames: number, length: number): number;
  /**
   * Cuts the TCP frame of `length` bytes at NetCut.FRAME, whose header is at NetAt.HEADER_IN, and delivers its segments
   * from number `first` on. 1 when that is done, 0 where there is no more room: NetCut says what became of them.
   */
  netSegments(port: number, length: number, first: number): number;
  netLink(port: number, up: number): void;

  /** Names the share of a 9P device; 1 to 31 bytes. */
  virtio9pSetTag(instance: number, address: number, length: number): void;
  /** The reply to a request that shareRequest answered -1 to. */
  shareDone(share: number, tag: number, address: number, length: number): void;
  vsockSetCid(instance: number, cid: number): void;
  /** Non-zero while the guest's socket driver can be given packets. */
  vsockUp(instance: number): number;
  /** Takes room for a packet: address of {count, bytes, count times {address, length}}, or 0. Then vsockGive at once. */
  vsockRoom(instance: number): number;
  vsockGive(instance: number, length: number): void;

  /** The answer to a call that import `hypercall` answered 1 to. 0: that hart waits for none. */
  hypercallDone(hart: number, error: number, value: bigint): number;
  /** Where `length` bytes of guest memory at `gpa` lie, to be written now; 0: outside of it. */
  hypercallBuffer(gpa: bigint, length: number): number;

  /** Register `index`: 0-31 x, 32 pc, 33-64 f, 0x1000 + n CSR n. */
  getReg(hart: number, index: number): bigint;
  setReg(hart: number, index: number, value: bigint): void;
  getMode(hart: number): number;
  /** Non-zero while a hart waits for an interrupt. */
  isWaiting(hart: number): number;
  /** Physical address of guest virtual address `va` as privilege `mode` sees it, or -1. */
  translate(hart: number, va: bigint, access: number, mode: number): bigint;
  /** Instructions retired so far (f64). */
  retired(): number;
}

/** Register numbers of getReg and setReg. */
export const enum Register {
  PC = 32,
  F = 33,
  CSR = 0x1000,
}

/** Bit of an attachment's `flags`. */
export const enum AttachFlag {
  READ_ONLY = 1,
  /** attachNvme: offers doorbells in memory. */
  DOORBELL_BUFFER = 2,
}

/** What the engine calls in its host. */
export interface EngineHost {
  /** Guest time in 10 MHz ticks. */
  now(): number;
  consoleOut(port: number, address: number, length: number): void;
  diskRead(backend: number, offset: number, address: number, length: number): number;
  diskWrite(backend: number, offset: number, address: number, length: number): number;
  diskFlush(backend: number, tag: number): number;
  diskDiscard(backend: number, offset: number, length: number, kind: number): number;
  netSend(port: number, pieces: number, count: number, header: number): void;
  netReady(port: number): void;
  shareRequest(share: number, tag: number, pieces: number, readable: number, writable: number): number;
  vsockPacket(pieces: number, count: number): void;
  vsockReady(): void;
  vsockReset(): void;
  entropy(address: number, length: number): void;
  /** A register of a device that the host defines; an unsigned number of `size` bytes. */
  customRead(device: number, offset: number, size: number): number;
  /** `value` may be negative: its bits count. */
  customWrite(device: number, offset: number, size: number, value: number): void;
  /** A call that the host serves: 0 answered at HypercallAt.ANSWER, 1 later through hypercallDone. */
  hypercall(call: number, hart: number): number;
  /** A request to a virtio device that the host defines: bytes of the answer, or VirtioCustom.LATER. */
  customRequest(device: number, queue: number, tag: number, pieces: number, readable: number, writable: number): number;
  /** There is room in an input queue of one. */
  customRoom(device: number, queue: number): void;
  customConfigWritten(device: number, offset: number, size: number): void;
  customReset(device: number): void;
}
