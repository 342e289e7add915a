// The AHCI controller against a driver that means harm: lists, tables, frames and data outside
// RAM or over each other, frames that are none, state that was tampered with. What it may reach
// is its own disks and guest RAM, and it must come to an end.
import { beforeEach, describe, expect, it } from "vitest";
import { Dev } from "../../assembly/abi/device.ts";
import { Layout } from "../../assembly/abi/layout.ts";
import { BAR, Cmd, Driver, FLUSH, GOOD, Is, PAGE, Px, Reg, read, SLOT, WRITE_QUEUED, write } from "./ahci/driver.ts";
import { RAM, RAM_BYTES, random, same, TestBoard } from "./board.ts";

const END = RAM + RAM_BYTES;
const OUTSIDE: [string, number][] = [
  ["below RAM", 0x1000],
  ["in a device", 0x1000_0000],
  ["at the end of RAM", END],
  ["far away", 2 ** 52],
];

describe("hostile AHCI driver", () => {
  let d: Driver;
  let page: number;
  beforeEach(() => {
    d = Driver.create();
    page = d.allocate(PAGE);
  });
  const set64 = (register: number, value: number) => {
    d.set(register, value >>> 0);
    d.set(register + 4, Math.floor(value / 2 ** 32));
  };
  const halted = () => d.get(Px.IS) & (Is.HBFS | Is.IFS);

  it.each(OUTSIDE)("finds a bus error for data %s", (_what, at) => {
    for (const make of [read, write]) {
      d.run(make(0, 8, { at, bytes: PAGE }));
      expect([halted(), d.get(Px.CI)]).toEqual([Is.HBFS, 1]);
      d.recover();
    }
    d.queued(4, { ...write(0, 8, { at, bytes: PAGE }), command: WRITE_QUEUED });
    expect([halted(), d.get(Px.SACT)]).toEqual([Is.HBFS, 1 << 4]);
    d.recover();
    expect(d.run({ command: 0xec, data: [{ at, bytes: 512 }] }));
    expect(halted()).toBe(Is.HBFS);
    expect(d.board.calls).toEqual([]);
  });

  it("finds one for data that begins in RAM and leaves it", () => {
    d.run(read(0, 16, { at: END - PAGE, bytes: 2 * PAGE }));
    expect(halted()).toBe(Is.HBFS);
    d.recover();
    expect(d.run(read(0, 8, { at: END - PAGE, bytes: PAGE })).status).toBe(GOOD);
  });

  it.each([
    ...OUTSIDE.map(([where, at]): [string, number] => [`a list ${where}`, at]),
    ["a list that would wrap around", 2 ** 64 - 2048] as [string, number],
  ])("finds one for %s", (_what, at) => {
    set64(Px.CLB, at);
    d.issue(1);
    expect([halted(), d.get(Px.CI)]).toEqual([Is.HBFS, 1]);
    d.issue(~1);
    expect(d.board.valid()).toBe(true);
    set64(Px.CLB, d.list);
    d.recover();
    expect(d.run({ command: FLUSH }).status).toBe(GOOD);
  });

  it.each(OUTSIDE)("finds one for frames received %s", (_what, at) => {
    set64(Px.FB, at);
    d.run({ command: FLUSH });
    expect(halted()).toBe(Is.HBFS);
    set64(Px.FB, d.frames);
    d.recover();
    expect(d.run({ command: FLUSH }).status).toBe(GOOD);
  });

  it.each(OUTSIDE)("finds one for a command table %s, or descriptors that leave RAM", (_what, at) => {
    d.put(0, read(0, 1, { at: page, bytes: 512 }));
    d.board.view.setBigUint64(d.board.at(d.list) + 8, BigInt(at), true);
    d.issue(1);
    expect(halted()).toBe(Is.HBFS);
    d.recover();
    d.put(0, read(0, 512, { at: page, bytes: 2 }));
    d.board.bytes.copyWithin(d.board.at(END - 256), d.board.at(d.table(0)), d.board.at(d.table(0)) + 256);
    for (let i = 1; i < 8; i++) d.board.poke(END - 128 + 16 * i, d.board.peek(d.table(0) + 0x80, 16));
    d.board.view.setUint16(d.board.at(d.list) + 2, 0xffff, true);
    d.board.view.setBigUint64(d.board.at(d.list) + 8, BigInt(END - 256), true);
    d.issue(1);
    expect([halted(), d.board.calls.length]).toEqual([Is.HBFS, 8]);
  });

  it.each([
    ["of a type that there is not", 0, 0x99, 5],
    ["of data", 0, 0x46, 5],
    ["that is too short", 0, 0x27, 4],
    ["without length", 0, 0x27, 0],
    ["that is too long", 0, 0x27, 17],
    ["of a self-test", 0, 0x27, 5 | (1 << 9)],
  ])("finds an interface error for a frame %s", (_what, at, type, description) => {
    d.put(0, { command: FLUSH });
    d.board.poke(d.table(0) + at, [type]);
    d.board.view.setUint32(d.board.at(d.list), description, true);
    d.issue(1);
    expect([halted(), d.get(Px.SERR)]).toEqual([Is.IFS, 1 << 11]);
    expect(d.board.calls).toEqual([]);
  });

  it("gets an error for descriptors that end before the data", () => {
    for (const data of [[], [{ at: page, bytes: 510 }]]) {
      for (const c of [
        read(0, 1, ...data),
        write(0, 1, ...data),
        { command: 0xec, data },
        { command: 0x2f, count: 1, data },
      ]) {
        expect(d.run(c)).toEqual({ status: GOOD | 1, error: 4 });
        expect(d.get(Px.IS) & Is.OFS).toBe(Is.OFS);
        d.recover();
      }
    }
  });

  it("comes to an end with the longest table of the shortest pieces", () => {
    d.put(0, read(0, 255, { at: page, bytes: 2 }));
    d.board.view.setUint16(d.board.at(d.list) + 2, 0xffff, true);
    const table = d.allocate(0x80 + 65_535 * 16);
    d.board.poke(table, d.board.peek(d.table(0), 0x80));
    for (let i = 0; i < 65_535; i++) d.board.poke(table + 0x80 + 16 * i, d.board.peek(d.table(0) + 0x80, 16));
    d.board.view.setBigUint64(d.board.at(d.list) + 8, BigInt(table), true);
    for (let slot = 1; slot < 32; slot++) d.board.poke(d.list + 32 * slot, d.board.peek(d.list, 32));
    d.issue(~0);
    // One command, and the write has done its share: the others' turn is later.
    expect([d.board.calls.length, d.board.call("ahciHasWork")]).toEqual([255 * 256, 1]);
  });

  it("may let list, frames, tables and data overlap, at its own cost", () => {
    set64(Px.FB, d.list);
    d.run({ command: FLUSH });
    set64(Px.FB, d.frames);
    d.recover();
    d.board.disk.fill(0xa5, 0, PAGE);
    d.run(read(0, 8, { at: d.table(0), bytes: PAGE }));
    d.run(read(0, 8, { at: d.list, bytes: PAGE }));
    d.issue(~0);
    expect(d.board.valid()).toBe(true);
    d.set(Px.CLB, d.frames);
    d.issue(~0);
    expect(d.board.valid()).toBe(true);
  });

  it("cannot complete a flush twice, nor one that it made the drive forget", () => {
    d.board.flushAnswer = 1;
    d.queued(1, { ...write(0, 1, { at: page, bytes: 512 }), command: WRITE_QUEUED, device: 0xc0 });
    d.queued(1, { ...write(0, 1, { at: page, bytes: 512 }), command: WRITE_QUEUED, device: 0xc0 });
    d.set(Px.CMD, Cmd.FRE);
    d.start();
    for (const tag of [...d.board.flushes, ...d.board.flushes, 0, 31, 32, 255, ~0])
      d.board.call("ahciDiskDone", 0, tag, 0);
    expect([d.get(Px.IS), d.get(Px.SACT), d.board.valid()]).toEqual([0, 0, true]);
  });

  const port = (offset: number) => 0x100 + offset;
  it.each([
    ["attached", port(0), 2],
    ["a port's number", port(4), 1],
    ["the ports", 0, 3],
    ["the slot", 4, 32],
    ["another slot", 4, 2],
    ["a port's interrupt without the port", 12, 2],
    ["whether more is to do", port(28), 2],
    ["the list's address", port(32), 1],
    ["the frames' address", port(40), 8],
  ])("cannot restore %s out of range", (_what, offset, value) => {
    expect(d.board.valid()).toBe(true);
    d.board.view.setUint32(Dev.AHCI + offset, value, true);
    expect(d.board.valid()).toBe(false);
  });

  it("cannot restore any word of a port's state so that it harms the engine", () => {
    const saved = d.board.save();
    d.board.flushAnswer = 1;
    for (let offset = 0; offset < 0x180; offset += 4) {
      for (const value of [0xffff_ffff, 0x8000_0000, 33]) {
        d.board.restore(saved);
        d.board.view.setUint32(Dev.AHCI + 0x100 + offset, value, true);
        if (!d.board.valid()) continue;
        d.board.call("ahciResume");
        d.put(0, { command: FLUSH });
        d.issue(1);
        for (const tag of d.board.flushes.splice(0)) d.board.call("ahciDiskDone", 0, tag, 0);
        d.board.call("ahciPoll");
      }
    }
    d.board.restore(saved);
    expect(d.board.valid()).toBe(true);
  });

  it("leaves everything but RAM and device state alone, whatever it does", () => {
    const next = random(20_261_126);
    const { board } = d;
    const own = (from: number, to: number) => board.bytes.slice(from, to);
    const regions = () => [own(0, 0x1050), own(Layout.HARTS, Layout.DEVICES), own(Layout.STATIC_DATA, Layout.RAM)];
    const before = regions();
    const corners = [0, 1, 2, 7, 8, 15, 16, 511, 512, 4095, 0xffff, 0x1_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
    const value = () => (next(2) ? corners[next(corners.length)] : next(2 ** 31 - 1));
    const address = () => (next(3) ? RAM + next(64) * PAGE + next(3) * 8 : value());
    const codes = [
      0x60, 0x61, 0x60, 0x61, 0x25, 0x35, 0x3d, 0xc8, 0xca, 0x24, 0x34, 0x29, 0x39, 0xc6, 0x06, 0xea, 0xe7,
    ];
    const others = [0xec, 0x2f, 0x47, 0xb0, 0xef, 0xe0, 0xe6, 0x27, 0x90, 0x42, 0xe4, 0xe8];
    for (let i = 0; i < 20_000; i++) {
      if (i % 10 === 0) {
        d.set(Px.CMD, Cmd.FRE);
        for (const det of [1, 0]) d.set(Px.SCTL, det);
        set64(Px.CLB, d.list);
        set64(Px.FB, d.frames);
        board.write(board.ecam(SLOT, 4), 6, 2);
        d.start();
      }
      switch (next(16)) {
        case 0:
          board.write(BAR + next(0x200) * 4, BigInt(value()), [1, 2, 4, 8][next(4)]);
          break;
        case 1:
          d.set([Px.CMD, Px.SCTL, Px.IS, Px.IE, Px.SACT, Px.CI, Px.SERR, Px.FB, Px.CLB][next(9)], value());
          break;
        case 2:
          board.read(BAR + next(0x200) * 4, [1, 2, 4, 8][next(4)]);
          break;
        default: {
          const slot = next(32);
          const command =
            next(10) === 0 ? next(256) : next(3) ? codes[next(codes.length)] : others[next(others.length)];
          const isQueued = command === 0x60 || command === 0x61;
          const count = next(3) ? next(16) : value() & 0xffff;
          d.put(slot, {
            command,
            lba: command === 0xb0 ? 0xc2_4f_00 : next(6) ? next(5000) : value(),
            features: isQueued
              ? count
              : command === 0xb0
                ? 0xd0 + next(16)
                : command === 0xef
                  ? value() & 0xff
                  : next(3),
            count: isQueued && next(8) ? slot << 3 : count,
            device: next(8) ? (next(2) ? 0x40 : 0xc0) : next(256),
            data: Array.from({ length: next(6) }, () => ({
              at: address(),
              bytes: 1 + next(8192),
              interrupt: next(4) === 0,
            })),
          });
          if (next(8) === 0) board.poke(d.table(slot) + next(16), [next(256)]);
          if (next(8) === 0) board.poke(d.list + slot * 32 + next(16), [next(256)]);
          if (isQueued) d.set(Px.SACT, 1 << slot);
          if (next(4)) d.issue(next(4) ? 1 << slot : value());
          if (next(2) && d.get(Px.IS) & Is.TFES) {
            d.recover();
            d.run({ command: 0x47, lba: 0x10, count: 1, data: [{ at: page, bytes: 512 }] });
          }
        }
      }
      if (next(3) === 0 && board.flushes.length > 0)
        board.call("ahciDiskDone", 0, board.flushes.pop() as number, -next(2) * 5);
      if (i % 100 === 0) board.call("ahciPoll");
      if (i % 500 === 0) expect(board.valid()).toBe(true);
      board.flushAnswer = next(4) ? 0 : 1;
      board.diskAnswer = next(16) ? 0 : -5;
    }
    expect(regions().map((bytes, i) => same(bytes, before[i]))).toEqual([true, true, true]);
    expect(board.calls.length).toBeGreaterThan(2000);
    expect(d.hba(Reg.PI)).toBe(1);
  });
});

describe("two drives", () => {
  it("keep their lists, disks' sizes and interrupts apart", () => {
    const board = TestBoard.create((b) => {
      b.call("attachAhci", SLOT, 0, 0, b.disk.length, 0);
      b.call("attachAhci", SLOT, 3, 1, 4096, 0);
    });
    const one = new Driver(board, 0);
    const two = new Driver(board, 3);
    // Both drivers give out the same memory: the second takes its from elsewhere.
    two.allocate(40 * PAGE);
    expect(one.run({ command: FLUSH }).status).toBe(GOOD);
    expect([one.hba(Reg.IS), two.get(Px.IS)]).toEqual([1, 0]);
    expect(two.run(read(8, 1, { at: RAM + 50 * PAGE, bytes: 512 }))).toEqual({ status: GOOD | 1, error: 0x10 });
    expect([one.hba(Reg.IS), one.get(Px.IS)]).toEqual([9, Is.DHRS]);
  });
});
