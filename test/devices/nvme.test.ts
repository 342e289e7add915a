// The NVMe controller against a driver that keeps the rules: NVM Express 1.4c.
import { beforeEach, describe, expect, it } from "vitest";
import { Map as Board, Irq } from "../../assembly/abi/memory-map.ts";
import { DISK_BYTES, Line, RAM, same } from "./board.ts";
import { BAR, CC_ENABLED, Csts, Driver, FLUSH, PAGE, type Queue, Reg, read, SLOT, write } from "./nvme/driver.ts";

const BLOCKS = DISK_BYTES / 512;
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trimEnd();
const pattern = (length: number, seed = 1) =>
  Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 9) * 31 + seed) & 0xff);

describe("NVMe controller", () => {
  let d: Driver;
  beforeEach(() => {
    d = Driver.create();
  });

  it("is nobody's product to drivers, with power, Express and MSI-X capabilities", () => {
    const { board } = d;
    expect(board.read(board.ecam(SLOT, 0))).toBe(0x0001_5056);
    expect(board.read(board.ecam(SLOT, 0x2c))).toBe(0x0001_5056);
    expect(board.read(board.ecam(SLOT, 8)) >>> 8).toBe(0x01_08_02);
    const ids: number[] = [];
    for (let at = board.read(board.ecam(SLOT, 0x34), 1); at !== 0; at = board.read(board.ecam(SLOT, at + 1), 1)) {
      ids.push(board.read(board.ecam(SLOT, at), 1));
    }
    expect(ids.sort((a, b) => a - b)).toEqual([0x01, 0x10, 0x11]);
  });

  it("says in CAP what it can", () => {
    expect(d.board.read64(BAR + Reg.CAP)).toBe((1n << 37n) | (15n << 24n) | (1n << 16n) | 1023n);
    expect(d.register(Reg.VS)).toBe(0x0001_0400);
    expect(d.board.read(BAR + Reg.VS + 2, 2)).toBe(1);
  });

  it("gets ready and stops as CC.EN says, keeping the admin queue's registers", () => {
    d.enable();
    expect(d.register(Reg.CSTS)).toBe(Csts.READY);
    d.board.write(BAR + Reg.CC, CC_ENABLED & ~1);
    expect(d.register(Reg.CSTS)).toBe(0);
    expect(d.register(Reg.ASQ)).toBe(d.admin.sq);
    expect(d.register(Reg.AQA)).toBe(0x000f_000f);
    d.admin.put({ opcode: 6, cdw10: 1 });
    d.admin.ring();
    expect(d.admin.take()).toBeUndefined();
  });

  it.each([
    ["another command set", 16, CC_ENABLED | (1 << 4)],
    ["larger pages", 16, CC_ENABLED | (1 << 7)],
    ["another arbitration", 16, CC_ENABLED | (1 << 11)],
    ["an admin queue of one entry", 1, CC_ENABLED],
  ])("fails for good when asked for %s, until it is disabled", (_what, size, cc) => {
    d.enable(size, cc);
    expect(d.register(Reg.CSTS)).toBe(Csts.FATAL);
    d.board.write(BAR + Reg.CC, 0);
    d.enable();
    expect(d.register(Reg.CSTS)).toBe(Csts.READY);
  });

  it("flushes before it says that shutdown is complete, also when that takes time", () => {
    d.enable();
    d.board.write(BAR + Reg.CC, CC_ENABLED | (1 << 14));
    expect(d.register(Reg.CSTS) & Csts.SHUTDOWN).toBe(8);
    d.board.write(BAR + Reg.CC, CC_ENABLED);
    expect(d.register(Reg.CSTS) & Csts.SHUTDOWN).toBe(0);
    d.board.flushAnswer = 1;
    d.board.write(BAR + Reg.CC, CC_ENABLED | (1 << 14));
    expect(d.register(Reg.CSTS) & Csts.SHUTDOWN).toBe(4);
    d.board.call("nvmeDiskDone", 0, d.board.flushes[0], 0);
    expect(d.register(Reg.CSTS) & Csts.SHUTDOWN).toBe(8);
    expect(d.board.calls.filter((c) => c.kind === "flush")).toHaveLength(2);
  });

  it("does nothing without bus mastering", () => {
    d.enable();
    d.board.write(d.board.ecam(SLOT, 4), 2, 2);
    d.admin.put({ opcode: 6, cdw10: 1, prp1: d.allocate(PAGE) });
    d.admin.ring();
    expect(d.admin.take()).toBeUndefined();
    d.board.write(d.board.ecam(SLOT, 4), 6, 2);
    d.admin.ring();
    expect(d.admin.take()?.status).toBe(0);
  });

  describe("admin commands", () => {
    let page: number;
    beforeEach(() => {
      d.enable();
      page = d.allocate(PAGE);
    });
    const identify = (cns: number, nsid = 0) => d.admin.status({ opcode: 6, nsid, prp1: page, cdw10: cns });
    const bytes = (at: number, length: number) => d.board.peek(page + at, length);
    const dword = (at: number) => d.board.view.getUint32(d.board.at(page + at), true);

    it("identify the controller", () => {
      expect(identify(1)).toBe(0);
      expect(dword(0)).toBe(0x5056_5056);
      expect(text(bytes(4, 20))).toBe("paravane-nvme-0");
      expect(text(bytes(24, 40))).toBe("Paravane NVMe");
      expect(bytes(77, 1)[0]).toBe(6); // MDTS: 256 KiB
      expect(dword(80)).toBe(0x0001_0400);
      expect([...bytes(512, 2)]).toEqual([0x66, 0x44]);
      expect(dword(516)).toBe(1);
      expect(dword(520) & 0xffff).toBe(0b1101);
      expect(bytes(525, 1)[0] & 1).toBe(1);
      expect(new TextDecoder().decode(bytes(768, 69))).toMatch(
        /^nqn\.2014-08\.org\.nvmexpress:uuid:[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}\0$/,
      );
    });

    it("identify the namespace, and no other", () => {
      expect(identify(0, 1)).toBe(0);
      expect([dword(0), dword(8), dword(16)]).toEqual([BLOCKS, BLOCKS, BLOCKS]);
      expect(bytes(99, 1)[0]).toBe(0);
      expect(dword(128)).toBe(9 << 16);
      const eui64 = [...bytes(120, 8)];
      expect(eui64).toEqual([0x52, 0x54, 0x00, 0x6e, 0x76, 0x6d, 0, 1]);
      expect(identify(3, 1)).toBe(0);
      expect([...bytes(0, 4)]).toEqual([1, 8, 0, 0]);
      expect([...bytes(4, 8)]).toEqual(eui64);
      expect([...bytes(12, 4)]).toEqual([2, 16, 0, 0]);
      for (const nsid of [0, 2, 0xffff_ffff]) {
        expect(identify(0, nsid)).toBe(0x0b);
        expect(identify(3, nsid)).toBe(0x0b);
      }
    });

    it("list active namespaces above a given one", () => {
      expect(identify(2, 0)).toBe(0);
      expect([dword(0), dword(4)]).toEqual([1, 0]);
      expect(identify(2, 1)).toBe(0);
      expect(dword(0)).toBe(0);
      expect(identify(2, 0xffff_fffe)).toBe(0x0b);
      expect(identify(0x16)).toBe(0x02);
    });

    it("set and get features", () => {
      const set = (feature: number, value: number) => d.admin.run({ opcode: 9, cdw10: feature, cdw11: value });
      const get = (feature: number, cdw11 = 0) => d.admin.run({ opcode: 10, cdw10: feature, cdw11 });
      expect(get(6).result).toBe(1);
      set(6, 0);
      expect(get(6).result).toBe(0);
      expect(set(7, 0x003f_003f).result).toBe(0x0007_0007);
      expect(set(7, 0xffff).status).toBe(2);
      for (const feature of [1, 5, 8, 0x0b, 0x0f]) {
        expect(set(feature, 0x0102).status).toBe(0);
        expect(get(feature).result).toBe(0x0102);
      }
      set(9, 0x1_0003);
      expect([get(9, 3).result, get(9, 2).result]).toEqual([0x1_0003, 2]);
      expect([set(9, 9).status, get(9, 9).status]).toEqual([2, 2]);
      set(4, 350);
      set(4, (1 << 20) | 200);
      expect([get(4).result, get(4, 1 << 20).result]).toEqual([350, 200]);
      expect(set(2, 1).status).toBe(2);
      expect([set(0x7f, 0).status, get(0x7f).status]).toEqual([2, 2]);
      expect(d.admin.run({ opcode: 9, cdw10: 0x8000_0006, cdw11: 1 }).status).toBe(0x10d);
      d.queue(1);
      expect(set(7, 0).status).toBe(0x0c);
    });

    it("read log pages, in pieces too", () => {
      const log = (id: number, length: number, offset = 0, retain = 0) =>
        d.admin.status({
          opcode: 2,
          nsid: 0xffff_ffff,
          prp1: page,
          cdw10: id + (retain << 15) + (length / 4 - 1) * 65536,
          cdw12: offset,
        });
      const io = d.queue(1);
      for (let i = 0; i < 3; i++) io.run(read(0, 8, d.allocate(PAGE)));
      io.run(read(BLOCKS, 1, page));
      expect(log(2, 512)).toBe(0);
      expect(bytes(1, 4)).toEqual(Uint8Array.of(44, 1, 100, 10));
      expect([dword(32), dword(64), dword(176)]).toEqual([1, 3, 1]);
      expect(log(1, 64)).toBe(0);
      expect([dword(0), dword(8) & 0xffff, dword(16)]).toEqual([1, 1, BLOCKS]);
      expect(log(3, 512)).toBe(0);
      expect(text(bytes(8, 8))).toBe("1.0");
      d.board.poke(page, pattern(64));
      expect(log(3, 16, 8)).toBe(0);
      expect(text(bytes(0, 8))).toBe("1.0");
      expect(bytes(16, 48)).toEqual(pattern(64).slice(16));
      expect([log(3, 16, 2), log(3, 16, 516), log(0x70, 16)]).toEqual([2, 2, 0x109]);
    });

    it("refuse what does not exist", () => {
      expect(d.admin.status({ opcode: 0x7c })).toBe(1);
      expect(d.admin.status({ opcode: 0xff })).toBe(1);
      expect(d.admin.status({ opcode: 6, flags: 0x40, cdw10: 1, prp1: page })).toBe(2);
      expect(d.admin.run({ opcode: 8, cdw10: 0x1_0001 })).toMatchObject({ status: 0, result: 1 });
      expect(d.admin.status({ opcode: 0x18 })).toBe(0);
    });

    it("create and delete queues in the order that is allowed", () => {
      const [sq, cq] = [d.allocate(PAGE), d.allocate(PAGE)];
      const deleteSq = (id: number) => d.admin.status({ opcode: 0, cdw10: id });
      const deleteCq = (id: number) => d.admin.status({ opcode: 4, cdw10: id });
      expect(d.createSq(1, sq, 16)).toBe(0x100);
      expect([d.createCq(0, cq, 16), d.createCq(9, cq, 16), d.createCq(0xffff, cq, 16)]).toEqual([0x101, 0x101, 0x101]);
      expect([d.createCq(1, cq, 1), d.createCq(1, cq, 1025)]).toEqual([0x102, 0x102]);
      expect(d.createCq(1, cq + 8, 16)).toBe(0x13);
      expect(d.createCq(1, cq, 16, 9)).toBe(0x108);
      expect(d.createCq(1, cq, 16, 0, 2)).toBe(2);
      expect(d.createCq(1, RAM - PAGE, 16)).toBe(2);
      expect(d.createCq(1, cq, 16)).toBe(0);
      expect(d.createCq(1, cq, 16)).toBe(0x101);
      expect([d.createSq(1, sq, 16, 0), d.createSq(1, sq, 16, 2), d.createSq(0, sq, 16, 1)]).toEqual([
        0x100, 0x100, 0x101,
      ]);
      expect(d.createSq(1, sq, 16)).toBe(0);
      expect(deleteCq(1)).toBe(0x10c);
      expect([deleteSq(2), deleteSq(0), deleteCq(0)]).toEqual([0x101, 0x101, 0x101]);
      expect([deleteSq(1), deleteCq(1), deleteSq(1), deleteCq(1)]).toEqual([0, 0, 0x101, 0x101]);
    });

    it("hold event requests, and complete one for a doorbell that does not exist", () => {
      const ids = [0, 1, 2, 3].map(() => d.admin.put({ opcode: 0x0c }));
      d.admin.ring();
      expect(d.admin.take()).toBeUndefined();
      expect(d.admin.status({ opcode: 0x0c })).toBe(0x105);
      d.doorbell(2 * 5, 1);
      expect(d.admin.take()).toMatchObject({ command: ids[0], status: 0, result: 0x01_00_00 });
      d.doorbell(0, 999); // held back until the error log is read
      expect(d.admin.take()).toBeUndefined();
      expect(d.admin.status({ opcode: 2, nsid: 0xffff_ffff, prp1: page, cdw10: 1 + (15 << 16) })).toBe(0);
      expect(d.admin.take()).toMatchObject({ command: ids[1], status: 0, result: 0x01_01_00 });
    });
  });

  describe("I/O commands", () => {
    let q: Queue;
    let buffer: number;
    beforeEach(() => {
      d.enable();
      q = d.queue(1);
      buffer = d.allocate(80 * PAGE);
    });

    it("write and read one page, and what lies in it", () => {
      d.board.poke(buffer, pattern(PAGE));
      expect(q.status(write(8, 8, buffer))).toBe(0);
      expect(same(d.board.disk.subarray(PAGE, 2 * PAGE), pattern(PAGE))).toBe(true);
      expect(q.status(read(9, 2, buffer + PAGE + 512))).toBe(0);
      expect(same(d.board.peek(buffer + PAGE + 512, 1024), pattern(PAGE).slice(512, 1536))).toBe(true);
      expect(same(d.board.peek(buffer + PAGE + 1536, 512), new Uint8Array(512))).toBe(true);
    });

    it("cross pages: PRP2 as second page, then as list", () => {
      d.board.disk.set(pattern(4 * PAGE));
      const [a, b, c] = [buffer + 8 * PAGE, buffer + 3 * PAGE, buffer + 5 * PAGE];
      expect(q.status(read(0, 8, a + 1024, b))).toBe(0);
      expect(same(d.board.peek(a + 1024, 3072), pattern(PAGE).slice(0, 3072))).toBe(true);
      expect(same(d.board.peek(b, 1024), pattern(PAGE).slice(3072))).toBe(true);
      expect(q.status(read(0, 24, a, d.list([b, c])))).toBe(0);
      expect(same(d.board.peek(c, PAGE), pattern(3 * PAGE).slice(2 * PAGE))).toBe(true);
    });

    it("merge contiguous pages into one host access", () => {
      const pages = Array.from({ length: 63 }, (_, i) => buffer + (i + 1) * PAGE);
      d.board.poke(buffer, pattern(64 * PAGE));
      expect(q.status(write(0, 512, buffer, d.list(pages)))).toBe(0);
      expect(d.board.calls).toEqual([{ kind: "write", offset: 0, length: 64 * PAGE }]);
      expect(same(d.board.disk.subarray(0, 64 * PAGE), pattern(64 * PAGE))).toBe(true);
    });

    it("follow lists from page to page, also when the first has but one entry", () => {
      d.board.disk.set(pattern(64 * PAGE));
      const scattered = Array.from({ length: 63 }, (_, i) => buffer + ((i * 29) % 64) * PAGE + PAGE);
      for (const entries of [1, 2, 3]) {
        // The same list, begun `entries` before the end of a page.
        const first = d.allocate(PAGE) + PAGE - 8 * entries;
        const { view } = d.board;
        for (let i = 0; i < entries - 1; i++) view.setBigUint64(d.board.at(first + 8 * i), BigInt(scattered[i]), true);
        const rest = d.list(scattered.slice(entries - 1));
        view.setBigUint64(d.board.at(first + 8 * (entries - 1)), BigInt(rest), true);
        expect(q.status(read(0, 512, buffer, first))).toBe(0);
        scattered.forEach((page, i) => {
          expect(same(d.board.peek(page, PAGE), d.board.disk.slice((i + 1) * PAGE, (i + 2) * PAGE))).toBe(true);
        });
        for (const page of scattered) d.board.poke(page, new Uint8Array(PAGE));
      }
    });

    it("take a list's last entry for a page if it is the last page, for a list if two are left", () => {
      d.board.disk.set(pattern(3 * PAGE));
      const [a, b, list] = [buffer + 8 * PAGE, buffer + 3 * PAGE, d.allocate(PAGE)];
      const entry = (at: number, value: number) => d.board.view.setBigUint64(d.board.at(at), BigInt(value), true);
      entry(list + PAGE - 16, a);
      entry(list + PAGE - 8, b);
      expect(q.status(read(0, 24, buffer, list + PAGE - 16))).toBe(0);
      expect(same(d.board.peek(b, PAGE), pattern(3 * PAGE).slice(2 * PAGE))).toBe(true);
      entry(list + PAGE - 8, d.list([b, a]));
      expect(q.status(read(0, 24, buffer, list + PAGE - 8))).toBe(0);
      expect(same(d.board.peek(a, PAGE), pattern(3 * PAGE).slice(2 * PAGE))).toBe(true);
      expect(same(d.board.peek(b, PAGE), pattern(3 * PAGE).slice(PAGE, 2 * PAGE))).toBe(true);
    });

    it("compare", () => {
      d.board.disk.set(pattern(3 * PAGE));
      d.board.poke(buffer, pattern(3 * PAGE));
      const compare = { ...read(0, 24, buffer, d.list([buffer + PAGE, buffer + 2 * PAGE])), opcode: 5 };
      expect(q.status(compare)).toBe(0);
      d.board.disk[3 * PAGE - 1] ^= 1;
      expect(q.status(compare)).toBe(0x285);
    });

    it("write zeroes, deallocate, flush", () => {
      d.board.disk.fill(0xff);
      expect(q.status({ opcode: 8, nsid: 1, cdw10: 2, cdw12: 3 })).toBe(0);
      expect(d.board.calls.at(-1)).toEqual({ kind: "zero", offset: 1024, length: 2048 });
      const range = (i: number, first: number, count: number) => {
        d.board.view.setUint32(d.board.at(buffer + 16 * i + 4), count, true);
        d.board.view.setBigUint64(d.board.at(buffer + 16 * i + 8), BigInt(first), true);
      };
      range(0, 100, 4);
      range(1, BLOCKS - 1, 1);
      expect(q.status({ opcode: 9, nsid: 1, prp1: buffer, cdw10: 1, cdw11: 4 })).toBe(0);
      expect(d.board.calls.slice(-2)).toEqual([
        { kind: "discard", offset: 51200, length: 2048 },
        { kind: "discard", offset: DISK_BYTES - 512, length: 512 },
      ]);
      range(1, BLOCKS, 1);
      const before = d.board.calls.length;
      expect(q.status({ opcode: 9, nsid: 1, prp1: buffer, cdw10: 1, cdw11: 4 })).toBe(0x80);
      expect(d.board.calls).toHaveLength(before);
      expect(q.status(FLUSH)).toBe(0);
      expect(q.status({ ...FLUSH, nsid: 0xffff_ffff })).toBe(0);
      expect(d.board.calls.slice(before).map((c) => c.kind)).toEqual(["flush", "flush"]);
    });

    it("make a write durable with FUA, and every write while the cache is off", () => {
      q.run({ ...write(0, 1, buffer), cdw12: 1 << 30 });
      expect(d.board.calls.map((c) => c.kind)).toEqual(["write", "flush"]);
      d.admin.run({ opcode: 9, cdw10: 6, cdw11: 0 });
      q.run(write(0, 1, buffer));
      expect(d.board.calls.slice(2).map((c) => c.kind)).toEqual(["write", "flush"]);
    });

    it.each([
      ["past the end", read(BLOCKS, 1, RAM), 0x80],
      ["across the end", read(BLOCKS - 1, 2, RAM), 0x80],
      ["an address that wraps", { ...read(0xffff_ffff, 2, RAM), cdw11: 0xffff_ffff }, 0x80],
      ["more than MDTS", read(0, 513, RAM), 0x02],
      ["another namespace", { ...read(0, 1, RAM), nsid: 2 }, 0x0b],
      ["all namespaces", { ...read(0, 1, RAM), nsid: 0xffff_ffff }, 0x0b],
      ["a fused operation", { ...read(0, 1, RAM), flags: 1 }, 0x02],
      ["a scatter gather list", { ...read(0, 1, RAM), flags: 0x40 }, 0x02],
      ["an unknown opcode", { opcode: 0x0d, nsid: 1 }, 0x01],
    ])("refuse %s", (_what, command, status) => {
      expect(q.run(command)).toMatchObject({ status, doNotRetry: true });
      expect(d.board.calls).toEqual([]);
    });

    it.each([
      [-5, 0x281, 0x280],
      [-28, 0x81, 0x81],
      [-30, 0x20, 0x20],
    ])("turn errno %i of the disk into statuses", (errno, reading, writing) => {
      d.board.diskAnswer = errno;
      expect(q.status(read(0, 1, buffer))).toBe(reading);
      expect(q.status(write(0, 1, buffer))).toBe(writing);
      expect(q.status({ opcode: 8, nsid: 1, cdw12: 0 })).toBe(writing);
      d.board.flushAnswer = errno;
      expect(q.status(FLUSH)).toBe(writing);
    });
  });

  it("protects a read-only namespace, and says so", () => {
    d = Driver.create(1);
    d.enable();
    const q = d.queue(1);
    const page = d.allocate(PAGE);
    expect(q.status(write(0, 1, page))).toBe(0x20);
    expect(q.status({ opcode: 8, nsid: 1 })).toBe(0x20);
    expect(q.status({ opcode: 9, nsid: 1, prp1: page, cdw11: 4 })).toBe(0x20);
    expect(d.board.calls).toEqual([]);
    expect(q.status(read(0, 1, page))).toBe(0);
    d.admin.run({ opcode: 6, nsid: 1, prp1: page });
    expect(d.board.peek(page + 99, 1)[0]).toBe(1);
  });

  describe("queues", () => {
    beforeEach(() => {
      d.enable();
    });

    it("of 1,024 entries complete in one doorbell, and go round", () => {
      const q = d.queue(1, 1024);
      const page = d.allocate(PAGE);
      for (let round = 0; round < 3; round++) {
        const ids = Array.from({ length: 1023 }, (_, i) => q.put(read(i, 1, page)));
        q.ring();
        for (const id of ids) expect(q.take(false)).toMatchObject({ command: id, status: 0, sqId: 1 });
        d.doorbell(3, q.head);
        expect(q.take()).toBeUndefined();
      }
    });

    it("wait for room in the completion queue and go on when there is some", () => {
      const [sq, cq] = [d.allocate(PAGE), d.allocate(PAGE)];
      d.createCq(1, cq, 4);
      d.createSq(1, sq, 16);
      const page = d.allocate(PAGE);
      const at = d.board.at(sq);
      for (let i = 0; i < 8; i++) {
        d.board.view.setUint32(at + 64 * i, 2 | (i << 16), true);
        d.board.view.setUint32(at + 64 * i + 4, 1, true);
        d.board.view.setBigUint64(at + 64 * i + 24, BigInt(page), true);
      }
      d.doorbell(2, 8);
      expect(d.board.calls).toHaveLength(3);
      d.doorbell(3, 2);
      expect(d.board.calls).toHaveLength(5);
      d.doorbell(3, 1);
      expect(d.board.calls).toHaveLength(8);
      expect(d.board.valid()).toBe(true);
    });

    it("keep a flush that takes time, and complete it when it is done", () => {
      const q = d.queue(1);
      d.board.flushAnswer = 1;
      const [first, second, third] = [q.put(FLUSH), q.put(FLUSH), q.put(read(0, 1, d.allocate(PAGE)))];
      q.ring();
      expect(q.take()?.command).toBe(third);
      expect(q.take()).toBeUndefined();
      d.board.call("nvmeDiskDone", 0, d.board.flushes[1], 0);
      expect(q.take()).toMatchObject({ command: second, status: 0 });
      d.board.call("nvmeDiskDone", 0, d.board.flushes[1], 0);
      expect(q.take()).toBeUndefined();
      d.board.call("nvmeDiskDone", 0, d.board.flushes[0], -5);
      expect(q.take()).toMatchObject({ command: first, status: 0x280 });
      expect(d.board.call("nvmeDiskDone", 7, 0, 0)).toBe(0);
    });

    it("hold back rather than lose track of more flushes than have a place", () => {
      const q = d.queue(1, 128);
      d.board.flushAnswer = 1;
      const ids = Array.from({ length: 100 }, () => q.put(FLUSH));
      q.ring();
      expect(d.board.flushes).toHaveLength(64);
      for (let i = 0; i < 100; i++) d.board.call("nvmeDiskDone", 0, d.board.flushes[i], 0);
      expect(ids.map(() => q.take()?.command)).toEqual(ids);
    });

    it("abort a flush under way when its queue is deleted, and forget it at a reset", () => {
      const q = d.queue(1);
      d.board.flushAnswer = 1;
      const id = q.put(FLUSH);
      q.ring();
      expect(d.admin.status({ opcode: 0, cdw10: 1 })).toBe(0);
      expect(q.take()).toMatchObject({ command: id, status: 0x08 });
      const again = d.queue(2);
      again.put(FLUSH);
      again.ring();
      d.board.write(BAR + Reg.CC, 0);
      d.enable();
      const fresh = d.queue(2);
      fresh.put(FLUSH);
      fresh.ring();
      d.board.call("nvmeDiskDone", 0, d.board.flushes[1], 0);
      expect(fresh.take()).toBeUndefined();
      d.board.call("nvmeDiskDone", 0, d.board.flushes[2], 0);
      expect(fresh.take()?.status).toBe(0);
    });

    it("do not take a flush from before power-on for one of their own", () => {
      const q = d.queue(1);
      d.board.flushAnswer = 1;
      q.put(FLUSH);
      q.ring();
      d.board.call("nvmeInit");
      d.board.call("pciInit");
      d.board.call("attachNvme", SLOT, 0, 0, d.board.disk.length, 0);
      const after = new Driver(d.board);
      after.enable();
      const fresh = after.queue(1);
      const id = fresh.put(FLUSH);
      fresh.ring();
      d.board.call("nvmeDiskDone", 0, d.board.flushes[0], 0);
      expect(fresh.take()).toBeUndefined();
      d.board.call("nvmeDiskDone", 0, d.board.flushes[1], 0);
      expect(fresh.take()?.command).toBe(id);
    });

    it("ask for unfinished flushes again after a restore", () => {
      const q = d.queue(1);
      d.board.flushAnswer = 1;
      const [first, second] = [q.put(FLUSH), q.put(FLUSH)];
      q.ring();
      const saved = d.board.save();
      d.board.restore(saved);
      expect(d.board.valid()).toBe(true);
      d.board.flushAnswer = 0;
      d.board.call("nvmeResume", 0);
      expect([q.take()?.command, q.take()?.command]).toEqual([first, second]);
    });
  });

  describe("interrupt", () => {
    let q: Queue;
    let page: number;
    beforeEach(() => {
      d.enable();
      page = d.allocate(PAGE);
      q = d.queue(1);
    });
    const submit = () => {
      q.put(read(0, 1, page));
      q.ring();
    };

    it("is high while completions wait, once for a batch", () => {
      const source = Irq.PCIE + SLOT;
      d.board.write(Board.PLIC + 4 * source, 1);
      d.board.write(Board.PLIC + 0x2084, 1 << (source - 32));
      q.put(read(0, 1, page));
      q.put(read(1, 1, page));
      q.ring();
      expect(d.board.line(0, Line.SEIP)).toBe(true);
      expect(d.interrupt()).toBe(true);
      q.take();
      expect(d.interrupt()).toBe(true);
      q.take();
      expect(d.interrupt()).toBe(false);
    });

    it("can be masked and unmasked by vector", () => {
      d.board.write(BAR + Reg.INTMS, 1);
      submit();
      expect(d.interrupt()).toBe(false);
      expect(d.register(Reg.INTMS)).toBe(1);
      d.board.write(BAR + Reg.INTMC, 1);
      expect(d.interrupt()).toBe(true);
      q.take();
      const [sq, cq] = [d.allocate(PAGE), d.allocate(PAGE)];
      d.createCq(2, cq, 4, 5);
      d.createSq(2, sq, 4);
      d.board.write(BAR + Reg.INTMS, 1 << 5);
      d.doorbell(4, 1); // a command of zeroes: a flush of namespace 0, refused
      expect(d.interrupt()).toBe(false);
      d.board.write(BAR + Reg.INTMC, 1 << 5);
      expect(d.interrupt()).toBe(true);
    });

    it("does not come from a queue that was created without", () => {
      const [sq, cq] = [d.allocate(PAGE), d.allocate(PAGE)];
      d.createCq(2, cq, 4, 0, 1);
      d.createSq(2, sq, 4);
      d.doorbell(4, 1);
      expect((d.board.view.getUint32(d.board.at(cq) + 12, true) >>> 16) & 1).toBe(1);
      expect(d.interrupt()).toBe(false);
    });

    it("falls at a reset", () => {
      submit();
      d.board.write(BAR + Reg.CC, 0);
      expect(d.interrupt()).toBe(false);
    });
  });
});
