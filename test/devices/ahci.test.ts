// The AHCI controller and its drives against a driver that keeps the rules: Serial ATA AHCI
// 1.3.1, ATA/ATAPI Command Set 2.
import { beforeEach, describe, expect, it } from "vitest";
import { Map as Board, Irq } from "../../assembly/abi/memory-map.ts";
import {
  Area,
  type AtaCommand,
  AtaError,
  BAR,
  BUSY,
  Cmd,
  Driver,
  FLUSH,
  GOOD,
  IDENTIFY,
  Is,
  PAGE,
  Px,
  READ_QUEUED,
  Reg,
  read,
  SLOT,
  WRITE_QUEUED,
  write,
} from "./ahci/driver.ts";
import { DISK_BYTES, Line, RAM, same, TestBoard } from "./board.ts";

const SECTORS = DISK_BYTES / 512;
const pattern = (length: number, seed = 1) =>
  Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 9) * 31 + seed) & 0xff);

let d: Driver;
let buffer: number;
beforeEach(() => {
  d = Driver.create();
  buffer = d.allocate(64 * PAGE);
});

const FAILED = GOOD | 1;
const good = { status: GOOD, error: 0 };
const failed = (error: number) => ({ status: FAILED, error });
const all = (bytes: number, at = buffer) => ({ at, bytes });

describe("AHCI controller", () => {
  it("is an ICH9 to drivers", () => {
    const { board } = d;
    expect(board.read(board.ecam(SLOT, 0))).toBe(0x2922_8086);
    expect(board.read(board.ecam(SLOT, 8)) >>> 8).toBe(0x01_06_01);
    expect(board.read(board.ecam(SLOT, 0x92), 2)).toBe(0x0101);
    expect(d.hba(Reg.VS)).toBe(0x0001_0301);
    expect(d.hba(Reg.CAP)).toBe(0xc124_ff05);
  });

  it("implements the ports that have a disk", () => {
    const board = TestBoard.create((b) => {
      expect(b.call("attachAhci", SLOT, 1, 0, b.disk.length, 0)).toBe(1);
      expect(b.call("attachAhci", SLOT, 5, 1, b.disk.length, 0)).toBe(1);
      expect(b.call("attachAhci", SLOT, 5, 1, b.disk.length, 0)).toBe(0);
      expect(b.call("attachAhci", SLOT, 6, 1, b.disk.length, 0)).toBe(0);
      expect(b.call("attachAhci", SLOT + 1, 2, 1, b.disk.length, 0)).toBe(0);
    });
    const [one, two] = [new Driver(board, 1), new Driver(board, 0)];
    expect(one.hba(Reg.PI)).toBe(0b10_0010);
    expect(one.get(Px.SSTS)).toBe(0x123);
    expect([two.get(Px.SSTS), two.get(Px.CMD)]).toEqual([0, 0]);
  });

  it("tells of the drive by a signature, which waits until frames are received", () => {
    d = new Driver(
      TestBoard.create((b) => b.call("attachAhci", SLOT, 0, 0, b.disk.length, 0)),
      0,
      false,
    );
    expect([d.get(Px.SIG) >>> 0, d.get(Px.TFD)]).toEqual([0xffff_ffff, 0x80]);
    expect(d.get(Px.SERR)).toBe(0x0401_0000);
    expect(d.get(Px.IS)).toBe(0x0040_0040);
    d.set(Px.CMD, Cmd.FRE);
    expect([d.get(Px.SIG), d.get(Px.TFD)]).toEqual([0x101, 0x0150]);
    expect(d.frame(Area.REGISTER)).toEqual([0x34, 0, 0x50, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
  });

  it("does COMRESET, and shows the link's coming and going", () => {
    d.run({ command: 0xc6, count: 16 });
    d.set(Px.CMD, Cmd.FRE);
    d.set(Px.SCTL, 1);
    expect([d.get(Px.SSTS), d.get(Px.TFD)]).toEqual([0, 0x7f]);
    d.set(Px.SCTL, 0);
    expect([d.get(Px.SSTS), d.get(Px.TFD), d.get(Px.SIG)]).toEqual([0x123, 0x150, 0x101]);
    expect(d.interrupt()).toBe(true);
    expect(d.acknowledge() & (Is.PCS | 0x40_0000)).toBe(Is.PCS | 0x40_0000);
    expect(d.interrupt()).toBe(true); // while PxSERR has it
    d.set(Px.SERR, 0xffff_ffff);
    d.acknowledge();
    expect(d.interrupt()).toBe(false);
    d.set(Px.SCTL, 4);
    expect(d.get(Px.SSTS)).toBe(4);
    d.set(Px.SCTL, 0);
    d.start();
    expect(d.run({ command: 0xc4, lba: 0, count: 1, data: [all(512)] })).toEqual(failed(AtaError.ABRT));
  });

  it("does a software reset with its two frames", () => {
    for (const control of [4, 0]) {
      d.put(0, { command: 0 });
      d.board.view.setUint32(d.board.at(d.list), 5 | 0x500, true);
      d.board.poke(d.table(0) + 1, [0]);
      d.board.poke(d.table(0) + 15, [control]);
      d.issue(1);
      expect(d.get(Px.CI)).toBe(0);
    }
    expect(d.get(Px.TFD)).toBe(0x150);
    expect(d.frame(Area.REGISTER, 8)).toEqual([0x34, 0, 0x50, 1, 1, 0, 0, 0]);
    expect(d.run({ command: FLUSH })).toEqual(good);
  });

  it("resets as a whole, keeping the lists' addresses", () => {
    d.run({ command: FLUSH });
    d.board.write(BAR + Reg.GHC, 1);
    expect([d.hba(Reg.GHC) >>> 0, d.hba(Reg.IS), d.get(Px.CMD), d.get(Px.IE)]).toEqual([0x8000_0000, 0, 6, 0]);
    expect([d.get(Px.CLB), d.get(Px.FB)]).toEqual([d.list, d.frames]);
    expect(d.interrupt()).toBe(false);
    d.start();
    expect(d.run({ command: FLUSH })).toEqual(good);
  });

  it("puts the link into low power when asked, and wakes it for a command", () => {
    const cmd = Cmd.FRE | Cmd.ST;
    d.set(Px.CMD, cmd + 0x2000_0000);
    expect(d.get(Px.SSTS)).toBe(0x223);
    d.set(Px.CMD, cmd + 0x6000_0000);
    expect([d.get(Px.SSTS), d.get(Px.CMD) & 0xff]).toEqual([0x623, cmd | 6]);
    expect(d.run({ command: FLUSH })).toEqual(good);
    expect(d.get(Px.SSTS)).toBe(0x123);
    d.set(Px.SCTL, 0x300);
    d.set(Px.CMD, cmd + 0x6000_0000);
    expect(d.get(Px.SSTS)).toBe(0x123);
  });

  it("takes commands only while the list runs, and does nothing without bus mastering", () => {
    d.set(Px.CMD, Cmd.FRE);
    d.put(0, read(0, 1, all(512)));
    d.issue(1);
    expect(d.get(Px.CI)).toBe(0);
    d.set(Px.CMD, Cmd.FRE | Cmd.ST);
    d.board.write(d.board.ecam(SLOT, 4), 2, 2);
    d.issue(1);
    expect([d.get(Px.CI), d.board.calls]).toEqual([1, []]);
    d.board.write(d.board.ecam(SLOT, 4), 6, 2);
    d.issue(1);
    expect([d.get(Px.CI), d.board.calls.length]).toEqual([0, 1]);
  });

  it("executes slots in order, going round, all before the guest goes on", () => {
    for (const slot of [0, 3, 30]) d.put(slot, read(slot, 1, all(512)));
    d.issue((1 << 30) | 0b1001);
    expect(d.board.calls.map((c) => c.offset / 512)).toEqual([0, 3, 30]);
    d.issue((1 << 30) | 0b1001);
    expect(d.board.calls.slice(3).map((c) => c.offset / 512)).toEqual([0, 3, 30]);
    d.put(31, read(31, 1, all(512)));
    d.issue((1 << 31) | 0b1000);
    expect(d.board.calls.slice(6).map((c) => c.offset / 512)).toEqual([31, 3]);
    expect((d.get(Px.CMD) >> 8) & 31).toBe(3);
  });

  it("interrupts once for what one write completed, and keeps IS until it is cleared", () => {
    d.board.write(Board.PLIC + 4 * (Irq.PCIE + 2), 1);
    d.board.write(Board.PLIC + 0x2084, 1 << 2);
    for (const slot of [0, 1]) d.put(slot, read(0, 1, all(512)));
    d.issue(3);
    expect(d.board.line(0, Line.SEIP)).toBe(true);
    expect([d.hba(Reg.IS), d.get(Px.IS)]).toEqual([1, Is.DHRS]);
    d.set(Px.IS, Is.DHRS);
    expect([d.hba(Reg.IS), d.interrupt()]).toEqual([1, true]);
    d.board.write(BAR + Reg.IS, 1);
    expect([d.hba(Reg.IS), d.interrupt()]).toEqual([0, false]);
    d.set(Px.IE, 0);
    d.run({ command: FLUSH });
    expect([d.get(Px.IS), d.interrupt()]).toEqual([Is.DHRS, false]);
    d.set(Px.IE, Is.DHRS);
    expect(d.interrupt()).toBe(true);
    d.board.write(BAR + Reg.GHC, 0x8000_0000);
    expect(d.interrupt()).toBe(false);
  });
});

describe("ATA drive", () => {
  it("identifies itself", () => {
    expect(d.run({ command: IDENTIFY, data: [all(512)] })).toEqual(good);
    const bytes = d.board.peek(buffer, 512);
    const word = (n: number) => bytes[2 * n] | (bytes[2 * n + 1] << 8);
    const text = (from: number, words: number) =>
      Array.from({ length: words }, (_, i) => String.fromCharCode(word(from + i) >> 8, word(from + i) & 0xff))
        .join("")
        .trimEnd();
    expect([text(10, 10), text(23, 4), text(27, 20)]).toEqual(["paravane-ahci-0", "1.0", "Paravane SATA"]);
    expect([word(60) | (word(61) << 16), word(100) | (word(101) << 16)]).toEqual([SECTORS, SECTORS]);
    expect([word(75), word(76) & 0x100, word(217), word(169), word(106)]).toEqual([31, 0x100, 1, 1, 0x4000]);
    expect([word(85) & 0x61, word(83) & 0x3400, word(119) & 8]).toEqual([0x61, 0x3400, 8]);
    expect(bytes[510]).toBe(0xa5);
    expect(bytes.reduce((sum, byte) => sum + byte, 0) & 0xff).toBe(0);
    // By PIO: its frame comes with the ending status, and the count of its block.
    expect([d.get(Px.IS), d.moved()]).toEqual([Is.PSS, 512]);
    const frame = d.frame(Area.PIO_SETUP);
    expect([frame[0], frame[1], frame[2], frame[15], frame[16] | (frame[17] << 8)]).toEqual([
      0x5f,
      0x60,
      0x58,
      GOOD,
      512,
    ]);
  });

  it.each([
    ["DMA EXT", 0x25, 0x35],
    ["DMA EXT with FUA", 0x25, 0x3d],
    ["DMA", 0xc8, 0xca],
    ["PIO", 0x20, 0x30],
    ["PIO EXT", 0x24, 0x34],
    ["MULTIPLE", 0xc4, 0xc5],
    ["MULTIPLE EXT", 0x29, 0x39],
    ["MULTIPLE EXT with FUA", 0x29, 0xce],
  ])("reads and writes by %s, scattered", (_name, readCommand, writeCommand) => {
    const bytes = pattern(20 * 512);
    expect(d.run({ command: 0xc6, count: 16 })).toEqual(good);
    d.board.poke(buffer, bytes);
    const pieces = [all(2, buffer), all(1022, buffer + 2), all(9 * 1024, buffer + 1024)];
    expect(d.run({ command: writeCommand, lba: 100, count: 20, data: pieces, write: true })).toEqual(good);
    expect(same(d.board.disk.subarray(51200, 51200 + 20 * 512), bytes)).toBe(true);
    expect(d.moved()).toBe(20 * 512);
    const to = [all(4094, buffer + 8 * PAGE), all(20 * 512 - 4094, buffer + 20 * PAGE)];
    expect(d.run({ command: readCommand, lba: 100, count: 20, data: to })).toEqual(good);
    expect(same(d.board.peek(buffer + 8 * PAGE, 4094), bytes.slice(0, 4094))).toBe(true);
    expect(same(d.board.peek(buffer + 20 * PAGE, 20 * 512 - 4094), bytes.slice(4094))).toBe(true);
    expect(d.moved()).toBe(20 * 512);
    expect(d.get(Px.CI)).toBe(0);
  });

  it("announces the last block of a PIO transfer: a sector, or what is left of several", () => {
    const announced = () => d.frame(Area.PIO_SETUP)[16] | (d.frame(Area.PIO_SETUP)[17] << 8);
    d.run({ command: 0x24, lba: 0, count: 3, data: [all(1536)] });
    expect(announced()).toBe(512);
    d.run({ command: 0xc6, count: 8 });
    d.run({ command: 0x29, lba: 0, count: 11, data: [all(11 * 512)] });
    expect(announced()).toBe(3 * 512);
    d.run({ command: 0x29, lba: 0, count: 16, data: [all(16 * 512)] });
    expect(announced()).toBe(8 * 512);
  });

  it("takes a count of 0 for 256 or 65,536", () => {
    expect(d.run({ command: 0xc8, lba: SECTORS - 256, data: [all(256 * 512)] })).toEqual(good);
    expect(d.moved()).toBe(256 * 512);
    expect(d.run({ command: 0x25, lba: 0, data: [all(256 * 512)] })).toEqual(failed(AtaError.IDNF));
  });

  it("says when a descriptor that asked for it is processed", () => {
    d.run(read(0, 2, all(512), { at: buffer + 512, bytes: 512, interrupt: true }));
    expect(d.get(Px.IS)).toBe(Is.DHRS | Is.DPS);
  });

  it.each([
    ["a read past the end", { command: 0x25, lba: SECTORS - 1, count: 2 }, AtaError.IDNF],
    ["a write far away", { command: 0x35, lba: 2 ** 47, count: 1 }, AtaError.IDNF],
    ["an address by cylinder", { command: 0x25, lba: 0, count: 1, device: 0 }, AtaError.ABRT],
    ["READ MULTIPLE before SET MULTIPLE MODE", { command: 0xc4, lba: 0, count: 1 }, AtaError.ABRT],
    ["SET MULTIPLE MODE with no power of two", { command: 0xc6, count: 12 }, AtaError.ABRT],
    ["an unknown command", { command: 0xff }, AtaError.ABRT],
    ["IDENTIFY PACKET DEVICE", { command: 0xa1 }, AtaError.ABRT],
    ["SECURITY FREEZE LOCK", { command: 0xf5 }, AtaError.ABRT],
    ["DATA SET MANAGEMENT without TRIM", { command: 0x06, count: 1 }, AtaError.ABRT],
    ["an unknown log", { command: 0x2f, lba: 0x30, count: 1 }, AtaError.ABRT],
    ["a log's second page", { command: 0x2f, lba: 0x110, count: 1 }, AtaError.ABRT],
    ["SMART without its key", { command: 0xb0, features: 0xda }, AtaError.ABRT],
    ["an unknown feature", { command: 0xef, features: 0x99 }, AtaError.ABRT],
    ["a transfer mode that there is not", { command: 0xef, features: 3, count: 0x47 }, AtaError.ABRT],
  ])("refuses %s, which halts the list until it is stopped", (_what, command, error) => {
    expect(d.run({ ...command, data: [all(4096)] })).toEqual(failed(error));
    expect([d.get(Px.IS), d.get(Px.CI)]).toEqual([Is.DHRS | Is.TFES, 1]);
    d.put(1, { command: FLUSH });
    d.issue(2);
    expect(d.get(Px.CI)).toBe(3);
    d.recover();
    expect(d.get(Px.CI)).toBe(0);
    expect(d.run({ command: FLUSH })).toEqual(good);
  });

  it("tells the sector of a read error, and a write error from a full or broken disk", () => {
    d.board.diskAnswer = -5;
    expect(d.run(read(7, 1, all(512)))).toEqual(failed(AtaError.UNC));
    expect(d.frame(Area.REGISTER, 7).slice(3)).toEqual([AtaError.UNC, 7, 0, 0]);
    d.recover();
    expect(d.run(write(7, 1, all(512)))).toEqual({ status: FAILED | 0x20, error: AtaError.ABRT });
    d.recover();
    d.board.diskAnswer = -30;
    expect(d.run(write(7, 1, all(512)))).toEqual(failed(AtaError.ABRT | 0x40));
  });

  it("takes no writes if it is read-only, but flushes and reads", () => {
    d = Driver.create(1);
    for (const command of [write(0, 1, all(512)), { command: 0x06, features: 1, count: 1, data: [all(512)] }]) {
      d.board.bytes.fill(0, d.board.at(buffer), d.board.at(buffer) + 512);
      expect(d.run(command)).toEqual(failed(AtaError.ABRT | 0x40));
      d.recover();
    }
    expect([d.run({ command: FLUSH }), d.run(read(0, 1, all(512)))]).toEqual([good, good]);
    expect(d.board.calls.map((c) => c.kind)).toEqual(["read"]);
  });

  it("forgets ranges, once all of them have proved sound", () => {
    const range = (i: number, lba: number, sectors: number) =>
      d.board.view.setBigUint64(d.board.at(buffer + 8 * i), BigInt(lba) | (BigInt(sectors) << 48n), true);
    const trim = (count: number) => d.run({ command: 0x06, features: 1, count, data: [all(512 * count)], write: true });
    d.board.poke(buffer, new Uint8Array(PAGE));
    range(0, 4, 2);
    range(511, SECTORS - 1, 1);
    expect(trim(8)).toEqual(good);
    expect(d.board.calls).toEqual([
      { kind: "discard", offset: 2048, length: 1024 },
      { kind: "discard", offset: (SECTORS - 1) * 512, length: 512 },
    ]);
    range(5, SECTORS - 1, 2);
    expect(trim(1).status).toBe(FAILED);
    expect(d.board.calls).toHaveLength(2);
    d.recover();
    expect(trim(9)).toEqual(failed(AtaError.ABRT));
  });

  it("flushes: at once, under way while others wait, or in vain", () => {
    expect(d.run({ command: FLUSH })).toEqual(good);
    d.board.flushAnswer = 1;
    d.acknowledge();
    expect(d.run({ command: 0xe7 })).toEqual({ status: BUSY, error: 0 });
    d.put(1, read(0, 1, all(512)));
    d.issue(2);
    expect([d.get(Px.CI), d.interrupt(), d.board.calls.filter((c) => c.kind === "read")]).toEqual([3, false, []]);
    d.board.call("ahciDiskDone", 0, d.board.flushes[0], 0);
    expect([d.get(Px.CI), d.interrupt(), d.get(Px.TFD)]).toEqual([0, true, GOOD]);
    expect(d.board.calls.at(-1)?.kind).toBe("read");
    d.board.flushAnswer = -5;
    expect(d.run({ command: FLUSH })).toEqual({ status: FAILED | 0x20, error: AtaError.ABRT });
  });

  it("makes a write durable with FUA, and every write while the cache is off", () => {
    const flushes = () => d.board.calls.filter((c) => c.kind === "flush").length;
    d.run(write(0, 1, all(512)));
    expect(flushes()).toBe(0);
    d.run({ ...write(0, 1, all(512)), command: 0x3d });
    expect(flushes()).toBe(1);
    d.run({ command: 0xef, features: 0x82 });
    expect(flushes()).toBe(2);
    d.run(write(0, 1, all(512)));
    expect(flushes()).toBe(3);
    d.run({ command: 0xef, features: 0x02 });
    d.run(write(0, 1, all(512)));
    expect(flushes()).toBe(3);
  });

  it("answers about power, capacity, health and what it is", () => {
    const registers = (command: AtaCommand) => {
      expect(d.run(command)).toEqual(good);
      const f = d.frame(Area.REGISTER);
      return { lba: f[4] | (f[5] << 8) | (f[6] << 16) | (f[8] << 24), count: f[12], device: f[7] };
    };
    expect(registers({ command: 0xe5 }).count).toBe(0xff);
    registers({ command: 0xe0 });
    expect(registers({ command: 0xe5 }).count).toBe(0);
    registers({ command: 0xe1 });
    expect(registers({ command: 0xe5 }).count).toBe(0x80);
    d.run(read(0, 1, all(512)));
    expect(registers({ command: 0xe5 }).count).toBe(0xff);
    expect(registers({ command: 0x27 }).lba).toBe(SECTORS - 1);
    expect(registers({ command: 0xf8 }).lba).toBe(SECTORS - 1);
    expect(registers({ command: 0xb0, features: 0xda, lba: 0xc2_4f_00 }).lba).toBe(0xc2_4f_00);
    for (const features of [0xd0, 0xd1, 0xd5]) {
      expect(d.run({ command: 0xb0, features, lba: 0xc2_4f_00, count: 1, data: [all(512)] })).toEqual(good);
      if (features !== 0xd5) expect(d.board.peek(buffer, 512).reduce((sum, byte) => sum + byte, 0) & 0xff).toBe(0);
    }
    registers({ command: 0xb0, features: 0xd9, lba: 0xc2_4f_00 });
    expect(d.run({ command: 0xb0, features: 0xda, lba: 0xc2_4f_00 })).toEqual(failed(AtaError.ABRT));
    d.recover();
    expect(d.run({ command: 0x90 })).toEqual({ status: GOOD, error: 1 });
    expect(d.frame(Area.REGISTER).slice(4, 13)).toEqual([1, 0, 0, 0, 0, 0, 0, 0, 1]);
  });

  it("sleeps until a reset", () => {
    expect(d.run({ command: 0xe6 })).toEqual(good);
    expect(d.run(read(0, 1, all(512)))).toEqual(failed(AtaError.ABRT));
    d.set(Px.CMD, Cmd.FRE);
    d.set(Px.SCTL, 1);
    d.set(Px.SCTL, 0);
    d.start();
    expect(d.run(read(0, 1, all(512)))).toEqual(good);
  });

  it("lists its logs, by PIO and by DMA", () => {
    for (const command of [0x2f, 0x47]) {
      expect(d.run({ command, lba: 0, count: 1, data: [all(512)] })).toEqual(good);
      expect([...d.board.peek(buffer, 2), ...d.board.peek(buffer + 32, 2)]).toEqual([1, 0, 1, 0]);
    }
    expect(d.run({ command: 0x47, lba: 0x10, count: 1, data: [all(512)] })).toEqual(good);
    expect(d.board.peek(buffer, 1)[0]).toBe(0x80);
  });
});

describe("queued commands", () => {
  const queuedRead = (lba: number, count: number, ...data: { at: number; bytes: number }[]) => ({
    ...read(lba, count, ...data),
    command: READ_QUEUED,
  });
  const queuedWrite = (lba: number, count: number, device = 0x40) => ({
    ...write(lba, count, all(count * 512)),
    command: WRITE_QUEUED,
    device,
  });

  it("read and write, and end with a frame that clears their tags", () => {
    d.board.poke(buffer, pattern(PAGE));
    d.queued(5, queuedWrite(16, 8));
    expect([d.get(Px.CI), d.get(Px.SACT), d.get(Px.IS)]).toEqual([0, 0, Is.SDBS]);
    expect(d.frame(Area.DEVICE_BITS, 8)).toEqual([0xa1, 0x40, GOOD, 0, 1 << 5, 0, 0, 0]);
    expect(d.frame(Area.DMA_SETUP, 5)).toEqual([0x41, 0, 0, 0, 5]);
    d.queued(31, queuedRead(16, 8, all(PAGE, buffer + PAGE)));
    expect(same(d.board.peek(buffer + PAGE, PAGE), pattern(PAGE))).toBe(true);
    expect(d.get(Px.SACT)).toBe(0);
  });

  it("of all 32 slots complete in one write", () => {
    for (let slot = 0; slot < 32; slot++) {
      d.put(slot, { ...queuedRead(slot, 1, all(512, buffer + slot * 512)), features: 1, count: slot << 3 });
    }
    d.board.disk.set(pattern(32 * 512));
    d.set(Px.SACT, 0xffff_ffff);
    d.issue(0xffff_ffff);
    expect([d.get(Px.CI), d.get(Px.SACT), d.board.calls.length]).toEqual([0, 0, 32]);
    expect(same(d.board.peek(buffer, 32 * 512), pattern(32 * 512))).toBe(true);
  });

  it("with forced unit access end when the host has flushed; others go on beside them", () => {
    d.board.flushAnswer = 1;
    d.queued(3, queuedWrite(0, 1, 0xc0));
    d.queued(4, queuedWrite(1, 1, 0xc0));
    expect([d.get(Px.CI), d.get(Px.SACT)]).toEqual([0, 0b1_1000]);
    d.queued(0, queuedRead(0, 1, all(512)));
    expect(d.get(Px.SACT)).toBe(0b1_1000);
    d.acknowledge();
    d.board.call("ahciDiskDone", 0, d.board.flushes[1], 0);
    expect([d.get(Px.SACT), d.interrupt()]).toEqual([0b1000, true]);
    d.board.call("ahciDiskDone", 0, d.board.flushes[0], 0);
    expect(d.get(Px.SACT)).toBe(0);
  });

  it.each([
    ["past the end", () => queuedRead(SECTORS, 1, all(512)), AtaError.IDNF, 0],
    ["that the disk fails", () => queuedRead(9, 1, all(512)), AtaError.UNC, -5],
  ])("%s fail: the log tells which, and all else is aborted until it is read", (_what, make, error, diskAnswer) => {
    d.board.diskAnswer = diskAnswer;
    const command = make();
    d.queued(7, command);
    expect(d.ended()).toEqual(failed(error));
    expect([d.get(Px.SACT), d.get(Px.IS)]).toEqual([1 << 7, Is.SDBS | Is.TFES]);
    d.recover();
    expect(d.get(Px.SACT)).toBe(0);
    d.board.diskAnswer = 0;
    expect(d.run({ command: IDENTIFY, data: [all(512)] })).toEqual(failed(AtaError.ABRT));
    d.recover();
    expect(d.run({ command: 0x47, lba: 0x10, count: 1, data: [all(512)] })).toEqual(good);
    const log = d.board.peek(buffer, 512);
    expect([log[0], log[2], log[3], log[4] | (log[5] << 8)]).toEqual([7, FAILED, error, (command.lba ?? 0) & 0xffff]);
    expect(log.reduce((sum, byte) => sum + byte, 0) & 0xff).toBe(0);
    expect(d.run({ command: IDENTIFY, data: [all(512)] })).toEqual(good);
  });

  it("whose flush fails, or that share the drive with one that is not queued, are aborted", () => {
    d.board.flushAnswer = 1;
    d.queued(3, queuedWrite(0, 1, 0xc0));
    d.board.call("ahciDiskDone", 0, d.board.flushes[0], -5);
    expect(d.ended()).toEqual({ status: FAILED | 0x20, error: AtaError.ABRT });
    d.recover();
    d.run({ command: 0x47, lba: 0x10, count: 1, data: [all(512)] });
    d.queued(3, queuedWrite(0, 1, 0xc0));
    expect(d.run({ command: FLUSH })).toEqual(failed(AtaError.ABRT));
    d.board.call("ahciDiskDone", 0, d.board.flushes[1], 0);
    expect([d.get(Px.SACT), d.board.valid()]).toEqual([8, true]);
  });

  it("must have their slot's number as tag", () => {
    d.put(2, { ...queuedRead(0, 1, all(512)), features: 1, count: 3 << 3 });
    d.set(Px.SACT, 4);
    d.issue(4);
    expect([d.ended(), d.board.calls]).toEqual([failed(AtaError.ABRT), []]);
  });
});

describe("what is under way", () => {
  beforeEach(() => {
    d.board.flushAnswer = 1;
  });

  it("keeps the drive busy when the list is stopped, and ends without touching the new list", () => {
    d.run({ command: FLUSH });
    d.set(Px.CMD, Cmd.FRE);
    d.start();
    expect(d.get(Px.TFD)).toBe(BUSY);
    d.put(0, read(0, 1, all(512)));
    d.issue(1);
    expect(d.get(Px.CI)).toBe(1);
    d.board.call("ahciDiskDone", 0, d.board.flushes[0], 0);
    expect([d.get(Px.CI), d.get(Px.TFD), d.board.calls.at(-1)?.kind]).toEqual([0, GOOD, "read"]);
  });

  it.each([
    ["COMRESET", () => [1, 0].map((det) => d.set(Px.SCTL, det))],
    ["a reset of the controller", () => d.board.write(BAR + Reg.GHC, 1)],
    ["power-on", () => d.board.reset()],
  ])("is forgotten at %s", (_what, reset) => {
    d.run({ command: FLUSH });
    d.set(Px.CMD, Cmd.FRE);
    reset();
    const before = d.board.save();
    expect(d.board.call("ahciDiskDone", 0, d.board.flushes[0], 0)).toBe(1);
    expect(same(d.board.save(), before)).toBe(true);
    expect(d.board.call("ahciDiskDone", 9, d.board.flushes[0], 0)).toBe(0);
  });

  it("is asked for again after a restore", () => {
    d.queued(3, { ...write(0, 1, all(512)), command: WRITE_QUEUED, device: 0xc0 });
    d.queued(9, { ...write(0, 1, all(512)), command: WRITE_QUEUED, device: 0xc0 });
    const c = Driver.create();
    c.board.restore(d.board.save());
    c.board.bytes.set(d.board.bytes.subarray(d.board.at(RAM)), d.board.at(RAM));
    c.board.flushAnswer = 1;
    expect(c.board.valid()).toBe(true);
    c.board.call("ahciResume");
    expect(c.board.flushes).toHaveLength(2);
    for (const tag of [...d.board.flushes, ...c.board.flushes]) c.board.call("ahciDiskDone", 0, tag, 0);
    expect(c.get(Px.SACT)).toBe(0);
  });

  it("is bounded for one write to PxCI; the rest goes on between slices", () => {
    for (let slot = 0; slot < 32; slot++) d.put(slot, read(0, SECTORS, all(4 << 20)));
    d.issue(0xffff_ffff);
    const done = d.board.calls.length;
    expect(done).toBe(8);
    expect(d.board.call("ahciHasWork")).toBe(1);
    for (let i = 0; i < 3; i++) d.board.call("ahciPoll");
    expect([d.board.calls.length, d.get(Px.CI), d.board.call("ahciHasWork")]).toEqual([32, 0, 0]);
  });
});
