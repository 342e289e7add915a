// NVMe's doorbells in memory: Doorbell Buffer Config (NVM Express 1.4c, 5.7 and 7.13), against a
// driver that writes a register only when the event index asks for it.
import { beforeEach, describe, expect, it } from "vitest";
import { Dev } from "../../assembly/abi/device.ts";
import { Map as Board, Irq } from "../../assembly/abi/memory-map.ts";
import { Line, RAM, RAM_BYTES, random } from "./board.ts";
import { BAR, Driver, FLUSH, PAGE, type Queue, Reg, read } from "./nvme/driver.ts";

const OFFERED = 2;
const PLIC_CLAIM = Board.PLIC + 0x20_1004;

/** The doorbells of a driver as Linux's. */
class ShadowDriver extends Driver {
  shadow = 0;
  events = 0;
  /** Writes to doorbell registers of I/O queues. */
  rung = 0;

  configure(shadow = this.allocate(PAGE), events = this.allocate(PAGE)): number {
    const status = this.admin.status({ opcode: 0x7c, prp1: shadow, prp2: events });
    if (status === 0) [this.shadow, this.events] = [shadow, events];
    return status;
  }

  override doorbell(index: number, value: number): void {
    if (this.shadow !== 0 && index >= 2) {
      const { view } = this.board;
      const at = this.board.at(this.shadow + 4 * index);
      const old = view.getUint32(at, true);
      view.setUint32(at, value, true);
      const event = view.getUint32(this.board.at(this.events + 4 * index), true);
      if (((value - event - 1) & 0xffff) >= ((value - old) & 0xffff)) return;
      this.rung++;
    }
    super.doorbell(index, value);
  }

  static offered(flags = OFFERED): ShadowDriver {
    const { board } = Driver.create(flags);
    const d = new ShadowDriver(board);
    d.enable();
    return d;
  }
}

let d: ShadowDriver;
let q: Queue;
let page: number;
beforeEach(() => {
  d = ShadowDriver.offered();
  page = d.allocate(PAGE);
});

const start = (size = 16) => {
  expect(d.configure()).toBe(0);
  q = d.queue(1, size);
  d.rung = 0;
};

describe("doorbells in memory", () => {
  it("are offered only by a controller that was attached so", () => {
    const oacs = (driver: Driver) => {
      expect(driver.admin.status({ opcode: 6, cdw10: 1, prp1: page })).toBe(0);
      return driver.board.view.getUint16(driver.board.at(page + 256), true);
    };
    expect(oacs(d)).toBe(0x100);
    const plain = ShadowDriver.offered(0);
    expect(oacs(plain)).toBe(0);
    expect(plain.configure()).toBe(1);
  });

  it.each([
    ["inside a page", (at: number) => [at + 8, at], 0x13],
    ["events inside a page", (at: number) => [at, at + 8], 0x13],
    ["outside RAM", (at: number) => [RAM + RAM_BYTES, at], 2],
    ["nowhere", (at: number) => [at, 0], 2],
  ])("cannot be %s", (_what, make, status) => {
    const [shadow, events] = make(d.allocate(PAGE));
    expect(d.configure(shadow, events)).toBe(status);
  });

  it("are rung once for a command and never for its completion, all the way round", () => {
    start();
    for (let i = 0; i < 100; i++) expect(q.run(read(i, 1, page)).status).toBe(0);
    expect(d.rung).toBe(100);
    expect(d.board.calls).toHaveLength(100);
    expect(d.board.valid()).toBe(true);
  });

  it("are rung once for a batch, which goes round too", () => {
    start();
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < 15; i++) q.put(read(i, 1, page));
      q.ring();
      for (let i = 0; i < 15; i++) expect(q.take()?.status).toBe(0);
    }
    expect(d.rung).toBe(20);
  });

  it("let the pin fall when the driver ends its interrupt", () => {
    const wire = Irq.PCIE + 1;
    d.board.write(Board.PLIC + 4 * wire, 1);
    d.board.write(Board.PLIC + 0x2084, 1 << (wire - 32));
    start();
    q.put(read(0, 1, page));
    q.ring();
    expect(d.board.line(0, Line.SEIP)).toBe(true);
    expect(d.board.read(PLIC_CLAIM)).toBe(wire);
    expect(q.take()?.status).toBe(0);
    expect(d.interrupt()).toBe(true);
    d.board.write(PLIC_CLAIM, wire);
    expect([d.interrupt(), d.board.line(0, Line.SEIP)]).toEqual([false, false]);
    expect(d.rung).toBe(1);
    // What was not consumed asks again.
    for (let i = 0; i < 2; i++) q.put(read(0, 1, page));
    q.ring();
    expect(d.board.read(PLIC_CLAIM)).toBe(wire);
    q.take();
    d.board.write(PLIC_CLAIM, wire);
    expect([d.interrupt(), d.board.line(0, Line.SEIP)]).toEqual([true, true]);
  });

  it("ask for the register when a command waits for room among completions", () => {
    start();
    d.createSq(2, d.allocate(PAGE), 16, 1);
    for (let i = 0; i < 15; i++) q.put(read(i, 1, page));
    q.ring();
    for (let i = 0; i < 3; i++) q.take(false);
    d.doorbell(3, 3);
    expect(d.rung).toBe(1);
    for (let i = 0; i < 6; i++) q.put(read(i, 1, page));
    q.ring();
    // Three places were free, and taken; three commands wait.
    expect([d.board.calls.length, d.rung]).toEqual([18, 2]);
    // Each that is consumed lets one go on; then no more is asked for.
    for (let i = 0; i < 15; i++) expect(q.take()?.status).toBe(0);
    expect([d.board.calls.length, d.rung]).toEqual([21, 5]);
    for (let i = 0; i < 3; i++) expect(q.take()?.status).toBe(0);
    expect(d.rung).toBe(5);
  });

  it("are looked at when a flush ends, and between slices", () => {
    start();
    d.board.flushAnswer = 1;
    q.put(FLUSH);
    q.put(read(0, 1, page));
    q.ring();
    expect(q.take()?.command).toBe(2);
    expect(d.interrupt()).toBe(true);
    d.board.call("nvmeLook");
    expect(d.interrupt()).toBe(false);
    d.board.call("nvmeDiskDone", 0, d.board.flushes[0], 0);
    expect([d.interrupt(), q.take()?.command]).toEqual([true, 1]);
    d.board.call("nvmeLook");
    expect(d.interrupt()).toBe(false);
  });

  it("end with a reset, and survive a restore", () => {
    start();
    q.run(read(0, 1, page));
    const saved = d.board.save();
    d.board.write(BAR + Reg.CC, 0);
    const state = Dev.NVME + 0x400;
    expect(d.board.view.getBigUint64(state - 0x400 + 0x100, true)).toBe(0n);
    d.board.restore(saved);
    expect(d.board.valid()).toBe(true);
    expect(q.run(read(1, 1, page)).status).toBe(0);
  });

  it("take no value that the queue could not have", () => {
    start();
    const next = random(11);
    const { view } = d.board;
    for (let i = 0; i < 3000; i++) {
      const index = 2 + next(20);
      view.setUint32(d.board.at(d.shadow + 4 * index), next(3) ? next(20) : next(2 ** 31 - 1) * 2, true);
      view.setUint32(d.board.at(d.events + 4 * index), next(2 ** 31 - 1), true);
      if (next(2)) d.board.write(BAR + 0x1000 + 4 * index, next(20));
      else d.board.call("nvmeLook");
      if (i % 100 === 0) expect(d.board.valid()).toBe(true);
    }
    expect(d.board.valid()).toBe(true);
  });

  it("may lie over the queues, at the driver's own cost", () => {
    expect(d.configure(d.admin.sq, d.admin.cq)).toBe(0);
    q = d.queue(1);
    for (let i = 0; i < 20; i++) {
      q.put(read(0, 1, page));
      q.ring();
      d.board.call("nvmeLook");
    }
    expect(d.board.valid()).toBe(true);
  });
});
