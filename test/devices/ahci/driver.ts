// A driver for the AHCI controller, as small as one can be: a command list, a received-frame
// area and a table for each slot in guest RAM; commands by the names of the ATA registers.
import { Map as Board } from "../../../assembly/abi/memory-map.ts";
import { RAM, TestBoard } from "../board.ts";

export const PAGE = 4096;
export const SLOT = 6;
export const BAR = Board.PCIE_MMIO;

export const Reg = { CAP: 0, GHC: 4, IS: 8, PI: 0xc, VS: 0x10 } as const;
export const Px = {
  CLB: 0x00,
  FB: 0x08,
  IS: 0x10,
  IE: 0x14,
  CMD: 0x18,
  TFD: 0x20,
  SIG: 0x24,
  SSTS: 0x28,
  SCTL: 0x2c,
  SERR: 0x30,
  SACT: 0x34,
  CI: 0x38,
} as const;
export const Is = {
  DHRS: 1,
  PSS: 2,
  SDBS: 8,
  DPS: 0x20,
  PCS: 0x40,
  OFS: 1 << 24,
  IFS: 1 << 27,
  HBFS: 1 << 29,
  TFES: 1 << 30,
};
export const Cmd = { ST: 1, CLO: 8, FRE: 0x10, CR: 0x8000, FR: 0x4000 } as const;
/** Status register: ready, busy, failed. */
export const GOOD = 0x50;
export const BUSY = 0xd0;
export const AtaError = { ABRT: 4, IDNF: 0x10, UNC: 0x40 } as const;

/** Where frames go in the received-frame area. */
export const Area = { DMA_SETUP: 0, PIO_SETUP: 0x20, REGISTER: 0x40, DEVICE_BITS: 0x58 } as const;

/** A piece of guest memory, as a descriptor names it. */
export interface Piece {
  at: number;
  bytes: number;
  /** Asks for an interrupt when it is processed. */
  interrupt?: boolean;
}

export interface AtaCommand {
  command: number;
  features?: number;
  lba?: number;
  count?: number;
  device?: number;
  data?: Piece[];
  write?: boolean;
}

export class Driver {
  private free = RAM;
  readonly list: number;
  readonly frames: number;
  readonly tables: number;

  /** The drive behind `port`, its list running. */
  constructor(
    readonly board: TestBoard,
    readonly port = 0,
    start = true,
  ) {
    board.write(board.ecam(SLOT, 0x24), BAR);
    board.write(board.ecam(SLOT, 0x04), 6, 2);
    this.list = this.allocate(1024);
    this.frames = this.allocate(256);
    this.tables = this.allocate(32 * PAGE);
    this.set(Px.CLB, this.list);
    this.set(Px.FB, this.frames);
    if (start) this.start();
  }

  static create(flags = 0): Driver {
    return new Driver(TestBoard.create((b) => b.call("attachAhci", SLOT, 0, 0, b.disk.length, flags)));
  }

  /** Enables interrupts and starts the list. */
  start(): void {
    this.set(Px.CMD, Cmd.FRE);
    this.set(Px.SERR, 0xffff_ffff);
    this.set(Px.IS, 0xffff_ffff);
    this.set(Px.IE, 0x7dc0_007f);
    this.set(Px.CMD, Cmd.FRE | Cmd.ST);
    this.board.write(BAR + Reg.IS, 0xffff_ffff);
    this.board.write(BAR + Reg.GHC, 0x8000_0002);
  }

  /** What Linux does after a task file error: stops the list, acknowledges, starts it again. */
  recover(): void {
    this.set(Px.CMD, Cmd.FRE);
    this.start();
  }

  allocate(bytes: number): number {
    const at = this.free;
    this.free += Math.ceil(bytes / PAGE) * PAGE;
    return at;
  }

  get(register: number): number {
    return this.board.read(BAR + 0x100 + this.port * 0x80 + register);
  }

  set(register: number, value: number): void {
    this.board.write(BAR + 0x100 + this.port * 0x80 + register, value);
  }

  hba(register: number): number {
    return this.board.read(BAR + register);
  }

  table(slot: number): number {
    return this.tables + slot * PAGE;
  }

  /** Writes header, frame and descriptors of `c` into `slot` without issuing it. */
  put(slot: number, c: AtaCommand): void {
    const { board } = this;
    const data = c.data ?? [];
    const header = board.at(this.list + slot * 32);
    board.view.setUint32(header, 5 | (c.write ? 0x40 : 0) | (data.length << 16), true);
    board.view.setUint32(header + 4, 0xdead_beef, true);
    board.view.setBigUint64(header + 8, BigInt(this.table(slot)), true);
    const lba = BigInt(c.lba ?? 0);
    const byte = (n: number) => Number((lba >> BigInt(8 * n)) & 0xffn);
    const { features = 0, count = 0, device = 0x40 } = c;
    board.poke(this.table(slot), [
      ...[0x27, 0x80, c.command, features & 0xff],
      ...[byte(0), byte(1), byte(2), device],
      ...[byte(3), byte(4), byte(5), features >> 8],
      ...[count & 0xff, count >> 8, 0, 0, 0, 0, 0, 0],
    ]);
    data.forEach(({ at, bytes, interrupt }, i) => {
      const entry = board.at(this.table(slot) + 0x80 + i * 16);
      board.view.setBigUint64(entry, BigInt(at), true);
      board.view.setUint32(entry + 8, 0, true);
      board.view.setUint32(entry + 12, (bytes - 1 + (interrupt ? 0x8000_0000 : 0)) >>> 0, true);
    });
  }

  issue(slots: number): void {
    this.set(Px.CI, slots);
  }

  /** Executes a command in slot 0; its status and error registers, as PxTFD has them. */
  run(c: AtaCommand): { status: number; error: number } {
    this.put(0, c);
    this.issue(1);
    return this.ended();
  }

  ended(): { status: number; error: number } {
    const tfd = this.get(Px.TFD);
    return { status: tfd & 0xff, error: tfd >> 8 };
  }

  /** Executes one queued command in `slot`, which is its tag. */
  queued(slot: number, c: AtaCommand): void {
    this.put(slot, { ...c, features: c.count, count: slot << 3 });
    this.set(Px.SACT, 1 << slot);
    this.issue(1 << slot);
  }

  /** Bytes moved, as the header of `slot` says. */
  moved(slot = 0): number {
    return this.board.view.getUint32(this.board.at(this.list + slot * 32 + 4), true);
  }

  frame(at: number, length = 20): number[] {
    return [...this.board.peek(this.frames + at, length)];
  }

  /** Level of the interrupt pin, as Interrupt Status shows it. */
  interrupt(): boolean {
    return (this.board.read(this.board.ecam(SLOT, 0x06), 2) & 8) !== 0;
  }

  /** What Linux's interrupt handler does: reads and acknowledges; gives PxIS. */
  acknowledge(): number {
    const ports = this.hba(Reg.IS);
    const status = this.get(Px.IS);
    this.set(Px.IS, status);
    this.board.write(BAR + Reg.IS, ports);
    return status;
  }
}

export const READ_DMA_EXT = 0x25;
export const WRITE_DMA_EXT = 0x35;
export const READ_QUEUED = 0x60;
export const WRITE_QUEUED = 0x61;
export const FLUSH = 0xea;
export const IDENTIFY = 0xec;

export const read = (lba: number, count: number, ...data: Piece[]): AtaCommand => ({
  command: READ_DMA_EXT,
  lba,
  count,
  data,
});
export const write = (lba: number, count: number, ...data: Piece[]): AtaCommand => ({
  command: WRITE_DMA_EXT,
  lba,
  count,
  data,
  write: true,
});
