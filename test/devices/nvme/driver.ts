// A driver for the NVMe controller, as small as one can be: queues and buffers in guest
// RAM, commands as 16 dwords, completions taken by phase tag.
import { Map as Board } from "../../../assembly/abi/memory-map.ts";
import { RAM, TestBoard } from "../board.ts";

export const PAGE = 4096;
export const SLOT = 1;
export const BAR = Board.PCIE_MMIO;

export const Reg = {
  CAP: 0,
  VS: 8,
  INTMS: 0xc,
  INTMC: 0x10,
  CC: 0x14,
  CSTS: 0x1c,
  AQA: 0x24,
  ASQ: 0x28,
  ACQ: 0x30,
} as const;
export const Csts = { READY: 1, FATAL: 2, SHUTDOWN: 0xc } as const;
/** Enable, queue entries of 64 and 16 bytes. */
export const CC_ENABLED = 0x0046_0001;

export interface Completion {
  result: number;
  sqHead: number;
  sqId: number;
  command: number;
  /** Type << 8 | code. */
  status: number;
  doNotRetry: boolean;
}

export interface Command {
  opcode: number;
  flags?: number;
  nsid?: number;
  prp1?: number;
  prp2?: number;
  cdw10?: number;
  cdw11?: number;
  cdw12?: number;
  cdw13?: number;
}

/** A submission queue with its completion queue. */
export class Queue {
  tail = 0;
  head = 0;
  private phase = 1;
  private nextId = 1;

  constructor(
    private readonly d: Driver,
    readonly id: number,
    readonly sq: number,
    readonly cq: number,
    readonly size: number,
    readonly completionQueue = id,
  ) {}

  /** Writes a command without ringing; gives its identifier. */
  put(c: Command): number {
    const id = this.nextId++ & 0xffff;
    const at = this.d.board.at(this.sq + this.tail * 64);
    const { view } = this.d.board;
    for (let i = 0; i < 64; i += 4) view.setUint32(at + i, 0, true);
    view.setUint32(at, c.opcode + ((c.flags ?? 0) << 8) + id * 65536, true);
    view.setUint32(at + 4, c.nsid ?? 0, true);
    view.setBigUint64(at + 24, BigInt(c.prp1 ?? 0), true);
    view.setBigUint64(at + 32, BigInt(c.prp2 ?? 0), true);
    [c.cdw10, c.cdw11, c.cdw12, c.cdw13].forEach((dword, i) => void view.setUint32(at + 40 + 4 * i, dword ?? 0, true));
    this.tail = (this.tail + 1) % this.size;
    return id;
  }

  /** Both queues empty, their memory cleared. */
  reset(): void {
    this.tail = this.head = 0;
    this.phase = 1;
    const { board } = this.d;
    board.bytes.fill(0, board.at(this.cq), board.at(this.cq) + 16 * this.size);
  }

  ring(tail = this.tail): void {
    this.d.doorbell(2 * this.id, tail);
  }

  /** The next completion, or nothing; `consume` tells the controller. */
  take(consume = true): Completion | undefined {
    const at = this.d.board.at(this.cq + this.head * 16);
    const { view } = this.d.board;
    const last = view.getUint32(at + 12, true);
    if (((last >>> 16) & 1) !== this.phase) return undefined;
    this.head = (this.head + 1) % this.size;
    if (this.head === 0) this.phase ^= 1;
    if (consume) this.d.doorbell(2 * this.completionQueue + 1, this.head);
    return {
      result: view.getUint32(at, true),
      sqHead: view.getUint16(at + 8, true),
      sqId: view.getUint16(at + 10, true),
      command: last & 0xffff,
      status: (last >>> 17) & 0x7ff,
      doNotRetry: last >>> 31 === 1,
    };
  }

  /** Executes one command to its end. */
  run(c: Command): Completion {
    const id = this.put(c);
    this.ring();
    const completion = this.take();
    if (completion?.command !== id) throw new Error(`command ${id} of queue ${this.id} did not complete`);
    return completion;
  }

  status(c: Command): number {
    return this.run(c).status;
  }
}

export class Driver {
  private free = RAM;
  admin!: Queue;

  constructor(readonly board: TestBoard) {
    board.write(board.ecam(SLOT, 0x10), BAR);
    board.write(board.ecam(SLOT, 0x14), 0);
    board.write(board.ecam(SLOT, 0x04), 6, 2);
  }

  static create(flags = 0): Driver {
    return new Driver(TestBoard.create((b) => b.call("attachNvme", SLOT, 0, 0, b.disk.length, flags)));
  }

  /** Page-aligned guest memory. */
  allocate(bytes: number): number {
    const at = this.free;
    this.free += Math.ceil(bytes / PAGE) * PAGE;
    return at;
  }

  register(offset: number): number {
    return this.board.read(BAR + offset);
  }

  doorbell(index: number, value: number): void {
    this.board.write(BAR + 0x1000 + 4 * index, value);
  }

  enable(size = 16, cc = CC_ENABLED): void {
    this.admin = new Queue(this, 0, this.allocate(size * 64), this.allocate(size * 16), size);
    this.enableAdmin(cc);
  }

  private enableAdmin(cc: number): void {
    const b = this.board;
    b.write(BAR + Reg.AQA, (this.admin.size - 1) * 0x1_0001);
    b.write(BAR + Reg.ASQ, BigInt(this.admin.sq), 8);
    b.write(BAR + Reg.ACQ, BigInt(this.admin.cq), 8);
    b.write(BAR + Reg.CC, cc);
  }

  createCq(id: number, at: number, size: number, vector = 0, flags = 3): number {
    return this.admin.status({ opcode: 5, prp1: at, cdw10: id + (size - 1) * 65536, cdw11: flags + vector * 65536 });
  }

  createSq(id: number, at: number, size: number, cq = id): number {
    return this.admin.status({ opcode: 1, prp1: at, cdw10: id + (size - 1) * 65536, cdw11: 1 + cq * 65536 });
  }

  /** An I/O queue pair. */
  queue(id: number, size = 16): Queue {
    const q = new Queue(this, id, this.allocate(size * 64), this.allocate(size * 16), size);
    const status = this.createCq(id, q.cq, size) || this.createSq(id, q.sq, size);
    if (status !== 0) throw new Error(`no queue ${id}: status 0x${status.toString(16)}`);
    return q;
  }

  /** Resets the controller and brings it up again with the admin queue and `q` where they were. */
  restart(q: Queue): void {
    this.board.write(BAR + Reg.CC, 0);
    this.admin.reset();
    q.reset();
    this.enableAdmin(CC_ENABLED);
    const status = this.createCq(q.id, q.cq, q.size) || this.createSq(q.id, q.sq, q.size);
    if (status !== 0) throw new Error(`no queue ${q.id}: status 0x${status.toString(16)}`);
  }

  /** Writes a PRP list for `pages` into list pages of `perList` entries, chained; gives its address. */
  list(pages: number[], perList = 512): number {
    const start = this.allocate(PAGE);
    let at = start;
    let room = perList;
    pages.forEach((page, i) => {
      if (room === 1 && i < pages.length - 1) {
        const next = this.allocate(PAGE);
        this.board.view.setBigUint64(this.board.at(at), BigInt(next), true);
        at = next;
        room = 512;
      }
      this.board.view.setBigUint64(this.board.at(at), BigInt(page), true);
      at += 8;
      room--;
    });
    return start;
  }

  /** Level of the interrupt pin, as Interrupt Status shows it. */
  interrupt(): boolean {
    return (this.board.read(this.board.ecam(SLOT, 0x06), 2) & 8) !== 0;
  }
}

export const read = (lba: number, blocks: number, prp1: number, prp2 = 0): Command => ({
  opcode: 2,
  nsid: 1,
  prp1,
  prp2,
  cdw10: lba,
  cdw12: blocks - 1,
});
export const write = (lba: number, blocks: number, prp1: number, prp2 = 0): Command => ({
  ...read(lba, blocks, prp1, prp2),
  opcode: 1,
});
export const FLUSH: Command = { opcode: 0, nsid: 1 };
