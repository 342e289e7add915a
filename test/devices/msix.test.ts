// MSI-X messages: PCI Local Bus 3.0, 6.8.2 and 6.8.3; and NVMe's vectors, NVM Express 1.4, 7.5.1.2.
import { beforeEach, describe, expect, it } from "vitest";
import { Dev, DeviceKind } from "../../assembly/abi/device.ts";
import { Map as Board } from "../../assembly/abi/memory-map.ts";
import { RAM, random, TestBoard } from "./board.ts";
import { BAR, Driver, FLUSH, type Queue, read, SLOT } from "./nvme/driver.ts";

const SUPERVISOR = 1;
const [ENABLE, FUNCTION_MASK] = [0x8000, 0x4000];
const FILE = Board.IMSIC_S;

/** Hart 0's supervisor file with all identities enabled. */
function openFile(b: TestBoard): void {
  for (const word of [0, 2, 4, 6]) b.call("imsicRegisterWrite", 0, SUPERVISOR, 0xc0 + word, -1n);
}

/** Claims all that is pending there. */
function claims(b: TestBoard): number[] {
  const seen: number[] = [];
  for (;;) {
    const top = b.call("imsicTop", 0, SUPERVISOR);
    if (top === 0) return seen;
    seen.push(top);
    b.call("imsicClaim", 0, SUPERVISOR, top);
  }
}

describe("MSI-X", () => {
  const slot = 3;
  const [window, pba] = [Board.PCIE_MMIO, Board.PCIE_MMIO + 0x800];
  let b: TestBoard;
  beforeEach(() => {
    b = TestBoard.create(
      (board) => {
        board.call("addFunction", slot, DeviceKind.PCI_HOST, 0, 0x1234, 0x5678, 0x010203, 0, 0, 0, 1);
        board.call("addBar", slot, 0, 0x1000, false);
        board.call("addMsix", slot, 0, 0, 0x800, 4);
      },
      { aia: true },
    );
    b.write(b.ecam(slot, 0x10), window);
    command(6);
    openFile(b);
    for (let v = 0; v < 4; v++) set(v, FILE, 100 + v);
    control(ENABLE);
  });
  const command = (value: number) => b.write(b.ecam(slot, 0x04), value, 2);
  const control = (value: number) => b.write(b.ecam(slot, 0x42), value, 2);
  const mask = (vector: number, on: boolean) => b.write(window + 16 * vector + 12, on ? 1 : 0);
  const set = (vector: number, address: number, data: number) => {
    b.write(window + 16 * vector, address);
    b.write(window + 16 * vector + 4, 0);
    b.write(window + 16 * vector + 8, data);
    mask(vector, false);
  };
  const raise = (vector: number) => b.call("raiseMsix", slot, vector);
  const pending = () => b.read(pba);

  it("sends each vector's message", () => {
    for (const vector of [2, 0, 3, 4, 1000]) raise(vector);
    expect([claims(b), pending()]).toEqual([[100, 102, 103], 0]);
  });

  it("keeps a masked vector pending, and sends it once when the mask goes", () => {
    mask(1, true);
    raise(1);
    raise(1);
    raise(2);
    expect([claims(b), pending()]).toEqual([[102], 0b10]);
    mask(1, false);
    expect([claims(b), pending()]).toEqual([[101], 0]);
  });

  it("keeps all of them while the function is masked", () => {
    control(ENABLE | FUNCTION_MASK);
    mask(3, true);
    for (const vector of [0, 1, 3]) raise(vector);
    expect([claims(b), pending()]).toEqual([[], 0b1011]);
    control(ENABLE);
    expect([claims(b), pending()]).toEqual([[100, 101], 0b1000]);
  });

  it("forgets what is over before its mask goes", () => {
    mask(1, true);
    raise(1);
    b.call("clearMsix", slot, 0b10n);
    mask(1, false);
    expect([claims(b), pending()]).toEqual([[], 0]);
  });

  it("sends to where the message says at the time, 64 bits of it", () => {
    set(0, RAM + 0x100, 0xcafe);
    raise(0);
    expect(b.view.getUint32(b.at(RAM + 0x100), true)).toBe(0xcafe);
    b.write(window + 4, 1); // 4 GiB further on: nothing there
    b.write(window + 8, 0xbeef);
    raise(0);
    expect([claims(b), b.view.getUint32(b.at(RAM + 0x100), true), b.valid()]).toEqual([[], 0xcafe, true]);
  });

  it("says nothing while it is off, or may not master the bus", () => {
    control(0);
    raise(0);
    control(ENABLE);
    command(2);
    raise(1);
    command(6);
    expect([claims(b), pending()]).toEqual([[], 0]);
  });

  it("reaches no device but an interrupt file, and RAM as any write does", () => {
    const next = random(4);
    const before = b.bytes.slice(0, Dev.PCI_FUNCTIONS);
    const devices = [Board.FINISHER, Board.UART, Board.APLIC_S, Board.PCIE_ECAM, window, RAM - 4, 0xffff_fffc, 0];
    for (const address of [...devices, ...Array.from({ length: 500 }, () => next(0x7000_0000))]) {
      if (address >= Board.IMSIC_M && address < Board.IMSIC_S + 0x8000) continue;
      set(0, address, next(2048));
      raise(0);
    }
    expect(Buffer.compare(b.bytes.slice(0, Dev.PCI_FUNCTIONS), before)).toBe(0);
    expect([claims(b), b.valid()]).toEqual([[], true]);
  });

  it("is not restored with a vector pending that it does not have", () => {
    b.view.setBigUint64(Dev.PCI_FUNCTIONS + slot * 0x400 + 0x220, 1n << 4n, true);
    expect(b.valid()).toBe(false);
  });
});

describe("NVMe with a vector a queue", () => {
  let b: TestBoard;
  let d: Driver;
  let queues: Queue[];
  beforeEach(() => {
    b = TestBoard.create((board) => board.call("attachNvme", SLOT, 0, 0, board.disk.length, 0), { aia: true });
    openFile(b);
    d = new Driver(b);
    for (let v = 0; v < 9; v++) {
      b.write(table(v), FILE);
      b.write(table(v) + 8, 10 + v);
      b.write(table(v) + 12, 0);
    }
    b.write(b.ecam(SLOT, 0x42), ENABLE, 2);
    d.enable();
    queues = [1, 2].map((id) => vectored(id, id));
    claims(b);
  });
  const table = (vector: number) => BAR + 0x2000 + 16 * vector;
  const pending = () => b.read(BAR + 0x3000);
  const page = () => d.allocate(4096);

  /** An I/O queue whose completions have a vector of their own. */
  function vectored(id: number, vector: number): Queue {
    const q = d.queue(id);
    d.admin.status({ opcode: 0, cdw10: id }); // delete the submission queue, then the other
    d.admin.status({ opcode: 4, cdw10: id });
    expect([d.createCq(id, q.cq, q.size, vector), d.createSq(id, q.sq, q.size)]).toEqual([0, 0]);
    return q;
  }

  it("tells of a completion through its queue's vector, and of the admin queue's through vector 0", () => {
    queues[0].status(read(0, 1, page()));
    expect(claims(b)).toEqual([11]);
    queues[1].status(read(0, 1, page()));
    expect(claims(b)).toEqual([12]);
    d.admin.status({ opcode: 0x18 });
    expect([claims(b), d.interrupt()]).toEqual([[10], false]);
  });

  it("sends one message for all that one doorbell completed, none for what is only consumed", () => {
    for (let i = 0; i < 3; i++) queues[0].put(read(i, 1, page()));
    queues[0].ring();
    expect(claims(b)).toEqual([11]);
    for (let i = 0; i < 3; i++) {
      queues[0].take();
      expect(claims(b)).toEqual([]);
    }
    queues[0].run(read(5, 1, page()));
    expect(claims(b)).toEqual([11]);
  });

  it("sends what a flush completes later", () => {
    b.flushAnswer = 1;
    queues[1].put(FLUSH);
    queues[1].ring();
    expect(claims(b)).toEqual([]);
    b.call("nvmeDiskDone", 0, b.flushes[0], 0);
    expect(claims(b)).toEqual([12]);
  });

  it("leaves a masked vector pending until its queue is empty", () => {
    b.write(table(1) + 12, 1);
    queues[0].put(read(0, 1, page()));
    queues[0].ring();
    expect([claims(b), pending()]).toEqual([[], 0b10]);
    queues[0].take();
    expect(pending()).toBe(0);
    queues[0].put(read(0, 1, page()));
    queues[0].ring();
    b.write(table(1) + 12, 0);
    expect([claims(b), pending()]).toEqual([[11], 0]);
  });

  it("falls back to its pin, which knows what is left", () => {
    queues[0].put(read(0, 1, page()));
    queues[0].ring();
    expect([claims(b), d.interrupt()]).toEqual([[11], false]);
    b.write(b.ecam(SLOT, 0x42), 0, 2);
    expect(d.interrupt()).toBe(true);
    queues[0].take();
    expect([d.interrupt(), b.valid()]).toEqual([false, true]);
  });
});
