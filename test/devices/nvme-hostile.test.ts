// The NVMe controller against a driver that means harm: addresses outside RAM, lists that
// lead nowhere, doorbells that lie, state that was tampered with. What it may reach is its
// own disk and guest RAM, and it must come to an end.
import { beforeEach, describe, expect, it } from "vitest";
import { Dev } from "../../assembly/abi/device.ts";
import { Layout } from "../../assembly/abi/layout.ts";
import { RAM, RAM_BYTES, random, same, TestBoard } from "./board.ts";
import { BAR, CC_ENABLED, Csts, Driver, FLUSH, PAGE, type Queue, Reg, read, SLOT, write } from "./nvme/driver.ts";

const END = RAM + RAM_BYTES;

describe("hostile NVMe driver", () => {
  let d: Driver;
  let q: Queue;
  let page: number;
  beforeEach(() => {
    d = Driver.create();
    d.enable();
    q = d.queue(1);
    page = d.allocate(PAGE);
  });

  it.each([
    ["below RAM", 0x1000],
    ["in a device", 0x1000_0000],
    ["at the end of RAM", END],
    ["far away", 2 ** 52],
  ])("gets an error for data %s", (_what, at) => {
    for (const make of [read, write]) expect(q.run(make(0, 8, at))).toMatchObject({ status: 4, doNotRetry: true });
    expect(d.admin.status({ opcode: 6, cdw10: 1, prp1: at })).toBe(4);
    expect(q.status({ opcode: 9, nsid: 1, prp1: at, cdw11: 4 })).toBe(4);
    expect(q.status({ ...read(0, 8, at), opcode: 5 })).toBe(4);
  });

  it("gets an error for data that begins in RAM and leaves it", () => {
    expect(q.status(read(0, 16, END - PAGE, END))).toBe(4);
    expect(q.status(read(0, 24, END - PAGE, d.list([END, END + PAGE])))).toBe(4);
    expect(q.status(read(0, 8, END - 512, page))).toBe(0);
  });

  it.each([
    ["PRP1 between dwords", 2, 0],
    ["PRP2 inside a page", 0, 512],
  ])("gets an error for %s", (_what, first, second) => {
    expect(q.status(read(0, 16, page + first, page + second))).toBe(0x13);
  });

  it("gets an error for a list between qwords, outside RAM, or with pages that are none", () => {
    const list = (entry: number) => d.list([page, entry, page]);
    expect(q.status(read(0, 24, page, d.list([page, page]) + 4))).toBe(0x13);
    expect(q.status(read(0, 24, page, END))).toBe(4);
    expect(q.status(read(0, 24, page, 0))).toBe(4);
    expect(q.status(read(0, 32, page, list(page + 8)))).toBe(0x13);
    expect(q.status(read(0, 32, page, list(2 ** 40)))).toBe(4);
  });

  it("comes to an end with a list that chains to itself", () => {
    const list = d.allocate(PAGE);
    const { view } = d.board;
    view.setBigUint64(d.board.at(list + PAGE - 8), BigInt(list), true);
    for (let i = 0; i < 511; i++) view.setBigUint64(d.board.at(list + 8 * i), BigInt(page), true);
    expect(q.status(read(0, 512, page, list + PAGE - 8))).toBe(0);
    // A list page of nothing but links: the second is taken for a page and is its own list's.
    view.setBigUint64(d.board.at(list), BigInt(list + 8), true);
    expect(q.status(read(0, 512, page, list + PAGE - 8))).toBe(0x13);
    view.setBigUint64(d.board.at(list + PAGE - 8), BigInt(list + 8), true);
    expect(q.status(read(0, 512, page, list + PAGE - 8))).toBe(0x13);
  });

  it.each([
    ["submission", Reg.ASQ],
    ["completion", Reg.ACQ],
  ])("finds a fatal status when its admin %s queue is outside RAM", (_what, register) => {
    for (const at of [0, END, 2 ** 51]) {
      d.board.write(BAR + Reg.CC, 0);
      d.board.write(BAR + Reg.ASQ, BigInt(page), 8);
      d.board.write(BAR + Reg.ACQ, BigInt(page), 8);
      d.board.write(BAR + register, BigInt(at), 8);
      d.board.write(BAR + Reg.CC, CC_ENABLED);
      expect(d.register(Reg.CSTS)).toBe(Csts.READY);
      d.doorbell(0, 1);
      expect(d.register(Reg.CSTS)).toBe(Csts.READY | Csts.FATAL);
      d.doorbell(0, 2);
      expect(d.board.valid()).toBe(true);
    }
  });

  it("cannot ring a queue out of its range, nor consume what was not posted", () => {
    for (const tail of [16, 0xffff, 0xffff_ffff]) d.doorbell(2, tail);
    expect(d.board.calls).toEqual([]);
    q.put(read(0, 1, page));
    q.ring();
    for (const head of [2, 15, 16, 0xffff_ffff]) d.doorbell(3, head);
    expect(d.interrupt()).toBe(true);
    expect(q.take()?.status).toBe(0);
    expect(d.interrupt()).toBe(false);
  });

  it("makes a doorbell serve a queue once round at most", () => {
    const commands = q.size - 1;
    for (let i = 0; i < q.size; i++) q.put({ opcode: 0x7f, nsid: 1 });
    d.doorbell(2, commands);
    for (let i = 0; i < commands; i++) expect(q.take()?.status).toBe(1);
    expect(q.take()).toBeUndefined();
  });

  it("may let queues overlap each other, the list and the data, at its own cost", () => {
    const at = d.allocate(PAGE);
    d.createCq(2, at, 64);
    d.createSq(2, at, 64);
    for (let i = 0; i < 64; i++) d.board.poke(at + 64 * i, [2, 0, i, 0, 1, 0, 0, 0]);
    for (const tail of [5, 60, 3, 63, 0]) d.doorbell(4, tail);
    for (const head of [1, 9, 20]) d.doorbell(5, head);
    expect(d.board.valid()).toBe(true);
    q.run(read(0, 8, q.cq));
    expect(d.board.valid()).toBe(true);
  });

  it("cannot make it forget a completion by deleting what is under way in any order", () => {
    d.board.flushAnswer = 1;
    for (let i = 0; i < 5; i++) q.put(FLUSH);
    q.ring();
    expect(d.admin.status({ opcode: 4, cdw10: 1 })).toBe(0x10c);
    expect(d.admin.status({ opcode: 0, cdw10: 1 })).toBe(0);
    for (let i = 0; i < 5; i++) expect(q.take()?.status).toBe(8);
    expect(d.admin.status({ opcode: 4, cdw10: 1 })).toBe(0);
    for (const tag of d.board.flushes) d.board.call("nvmeDiskDone", 0, tag, 0);
    expect(d.board.valid()).toBe(true);
  });

  it.each([
    ["a submission head", 0x400 + 32 + 12, 16],
    ["a submission tail", 0x400 + 32 + 16, 99],
    ["a completion queue's number", 0x400 + 32 + 20, 9],
    ["the number of a queue that does not exist", 0x400 + 32 + 20, 3],
    ["a completion head", 0x600 + 40 + 12, 16],
    ["a completion tail", 0x600 + 40 + 16, 1 << 30],
    ["a phase", 0x600 + 40 + 20, 2],
    ["a vector", 0x600 + 40 + 24, 32],
    ["a promise", 0x600 + 40 + 32, 1],
    ["a queue's size", 0x600 + 40 + 8, 0x1_0000],
    ["a pending command", 0x800, 1],
    ["the slot", 4, 32],
    ["another slot", 4, 2],
    ["the instance", 16, 1],
    ["attached", 0, 2],
  ])("cannot restore %s out of range", (_what, offset, value) => {
    expect(d.board.valid()).toBe(true);
    d.board.view.setUint32(Dev.NVME + offset, value, true);
    expect(d.board.valid()).toBe(false);
  });

  it("leaves everything but RAM and device state alone, whatever it does", () => {
    const next = random(20_260_726);
    const { board } = d;
    const own = (from: number, to: number) => board.bytes.slice(from, to);
    const before = [own(0, 0x1050), own(Layout.HARTS, Layout.DEVICES), own(Layout.STATIC_DATA, Layout.RAM)];
    const corners = [0, 1, 7, 8, 15, 16, 511, 512, 4095, 0xffff, 0x1_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
    const value = () => (next(2) ? corners[next(corners.length)] : next(2 ** 31 - 1));
    const address = () => (next(3) ? RAM + next(64) * PAGE + next(3) * 8 : value());
    for (let i = 0; i < 20_000; i++) {
      if (i % 20 === 0) d.restart(q);
      const queue = next(4) ? q : d.admin;
      switch (next(12)) {
        case 0:
          board.write(BAR + (next(8) ? 0x1000 + next(0x100) : next(0x1000)), BigInt(value()), [1, 2, 4, 8][next(4)]);
          break;
        case 1:
          d.doorbell(next(20), value() % 20);
          break;
        case 2:
          board.read(BAR + next(0x4000), [1, 2, 4, 8][next(4)]);
          break;
        default:
          queue.put({
            opcode: next(8) ? [0, 1, 2, 5, 6, 8, 9, 12][next(8)] : next(256),
            flags: next(8) ? 0 : next(256),
            nsid: next(8) ? 1 : value(),
            prp1: address(),
            prp2: address(),
            cdw10: next(4) ? next(16) : value(),
            cdw11: next(3) ? 0 : next(2) ? next(8) : value(),
            cdw12: next(4) ? next(64) : value(),
          });
          d.doorbell(2 * queue.id, queue.tail);
          if (next(4)) for (let n = 0; n < queue.size && queue.take(); n++);
          else d.doorbell(2 * queue.id + 1, next(16));
      }
      if (board.flushes.length > 0) board.call("nvmeDiskDone", 0, board.flushes.pop() as number, -next(2));
      if (i % 500 === 0) expect(board.valid()).toBe(true);
      board.flushAnswer = next(4) ? 0 : 1;
    }
    const after = [own(0, 0x1050), own(Layout.HARTS, Layout.DEVICES), own(Layout.STATIC_DATA, Layout.RAM)];
    expect(after.map((bytes, i) => same(bytes, before[i]))).toEqual([true, true, true]);
    expect(board.calls.length).toBeGreaterThan(2000);
  });
});

describe("two controllers", () => {
  it("keep their queues, disks' sizes and interrupts apart", () => {
    const board = TestBoard.create((b) => {
      expect(b.call("attachNvme", SLOT, 0, 0, b.disk.length, 0)).toBe(1);
      expect(b.call("attachNvme", 2, 1, 1, 4096, 1)).toBe(1);
      expect(b.call("attachNvme", 2, 2, 1, 4096, 0)).toBe(0);
      expect(b.call("attachNvme", 3, 1, 1, 4096, 0)).toBe(0);
      expect(b.call("attachNvme", 3, 4, 1, 4096, 0)).toBe(0);
      expect(b.call("attachNvme", 32, 3, 1, 4096, 0)).toBe(0);
    });
    const d = new Driver(board);
    board.write(board.ecam(2, 0x10), BAR + 0x1_0000);
    board.write(board.ecam(2, 0x04), 6, 2);
    d.enable();
    expect(board.read(BAR + 0x1_0000 + Reg.CSTS)).toBe(0);
    d.admin.put({ opcode: 6, cdw10: 1, prp1: d.allocate(PAGE) });
    d.admin.ring();
    expect([board.read(board.ecam(1, 6), 2) & 8, board.read(board.ecam(2, 6), 2) & 8]).toEqual([8, 0]);
  });
});
