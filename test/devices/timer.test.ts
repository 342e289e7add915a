// ACLINT, the supervisor timers, the RTC's alarm, and what they mean for the run loop.
import { beforeEach, describe, expect, it } from "vitest";
import { Machine as At } from "../../assembly/abi/layout.ts";
import { Map as Board, Irq } from "../../assembly/abi/memory-map.ts";
import { Line, TestBoard } from "./board.ts";

const MSIP = Board.ACLINT;
const MTIMECMP = Board.ACLINT + 0x4000;
const MTIME = Board.ACLINT + 0xbff8;
const NEVER = 0xffff_ffff_ffff_ffffn;

describe("ACLINT", () => {
  let b: TestBoard;
  beforeEach(() => {
    b = TestBoard.create();
  });

  it("interrupts the hart whose msip bit 0 is set", () => {
    b.write(MSIP + 4, 0xffff_ffff);
    expect([b.line(0, Line.MSIP), b.line(1, Line.MSIP)]).toEqual([false, true]);
    expect(b.read(MSIP + 4)).toBe(1);
    b.write(MSIP + 4, 0xffff_fffe);
    expect(b.line(1, Line.MSIP)).toBe(false);
  });

  it("asserts MTIP from mtimecmp on, in both widths", () => {
    b.now = 1000;
    b.write(MTIMECMP + 8, 1001n, 8);
    expect(b.line(1, Line.MTIP)).toBe(false);
    b.now = 1001;
    b.call("updateTimers");
    expect([b.line(0, Line.MTIP), b.line(1, Line.MTIP)]).toEqual([false, true]);
    b.write(MTIMECMP + 12, 5);
    expect(b.line(1, Line.MTIP)).toBe(false);
    expect(b.read64(MTIMECMP + 8)).toBe(0x5_0000_03e9n);
    expect([b.read(MTIMECMP + 8), b.read(MTIMECMP + 12)]).toEqual([0x3e9, 5]);
  });

  it("lets firmware shift mtime, and the timers with it", () => {
    b.now = 5000;
    b.write(MTIME, 100n, 8);
    expect(b.ticks("mtime")).toBe(100n);
    b.write(MTIMECMP, 150n, 8);
    expect(b.ticks("nextDeadline")).toBe(5050n);
    b.now = 5049;
    b.call("updateTimers");
    expect(b.line(0, Line.MTIP)).toBe(false);
    b.now = 5050;
    b.call("updateTimers");
    expect(b.line(0, Line.MTIP)).toBe(true);
    b.write(MTIME + 4, 2);
    expect(b.read64(MTIME)).toBe(0x2_0000_0096n);
    b.write(MTIMECMP, 0n, 8);
    expect(b.line(0, Line.MTIP)).toBe(true);
  });

  it("does not know harts that are not there, bytes, or what lies between its registers", () => {
    for (const at of [
      MSIP + 8,
      MSIP + 0x3ffc,
      MTIMECMP + 16,
      MTIMECMP + 0x7ff0,
      Board.ACLINT + 0xc000,
      Board.ACLINT + 0xfff8,
    ]) {
      b.write(at, 0xffff_ffff);
      expect(b.read(at)).toBe(0);
    }
    b.write(MSIP, 1, 1);
    b.write(MSIP, 1n, 8);
    expect(b.line(0, Line.MSIP)).toBe(false);
  });
});

describe("supervisor timers", () => {
  let b: TestBoard;
  beforeEach(() => {
    b = TestBoard.create();
  });

  it("drive STIP while enabled, and stand aside otherwise", () => {
    b.now = 10;
    b.call("setSupervisorTimer", 1, 10n, true);
    expect([b.line(0, Line.STIP), b.line(1, Line.STIP)]).toEqual([false, true]);
    b.call("setSupervisorTimer", 1, 10n, false);
    expect(b.line(1, Line.STIP)).toBe(false);
    b.call("updateTimers");
    expect(b.line(1, Line.STIP)).toBe(false);
    expect(b.call("supervisorTimer", 1)).toBe(10);
  });

  it("ask for attention when they fire", () => {
    b.call("setSupervisorTimer", 0, 20n, true);
    b.view.setUint32(At.ATTENTION, 0, true);
    b.now = 20;
    b.call("updateTimers");
    expect(b.view.getUint32(At.ATTENTION, true)).toBe(1);
  });

  it("and machine timers give the earliest deadline that has not fired", () => {
    expect(b.ticks("nextDeadline")).toBe(NEVER);
    b.call("setSupervisorTimer", 0, 300n, true);
    b.call("setSupervisorTimer", 1, 100n, false);
    b.write(MTIMECMP + 8, 200n, 8);
    expect(b.ticks("nextDeadline")).toBe(200n);
    b.now = 250;
    b.call("updateTimers");
    expect(b.ticks("nextDeadline")).toBe(300n);
    b.now = 300;
    b.call("updateTimers");
    expect(b.ticks("nextDeadline")).toBe(NEVER);
  });
});

describe("Goldfish RTC", () => {
  const RTC = Board.RTC;
  const TIME = 1_700_000_000_000_000_000n;
  let b: TestBoard;
  beforeEach(() => {
    b = TestBoard.create();
    b.view.setBigUint64(At.WALL_BASE, TIME, true);
    b.write(Board.PLIC + 4 * Irq.RTC, 1);
    b.write(Board.PLIC + 0x2080, 1 << Irq.RTC);
  });

  const time = () => BigInt(b.read(RTC)) + (BigInt(b.read(RTC + 4)) << 32n);
  const setAlarm = (at: bigint) => {
    b.write(RTC + 0x0c, at >> 32n);
    b.write(RTC + 0x08, at & 0xffff_ffffn);
  };

  it("tells wall time and latches the high half with the low one", () => {
    b.now = 3;
    const low = b.read(RTC);
    b.now = 2 ** 40;
    expect(BigInt(low) + (BigInt(b.read(RTC + 4)) << 32n)).toBe(TIME + 300n);
    expect(time()).toBe(TIME + 100n * 2n ** 40n);
  });

  it("can be set, and runs on from there", () => {
    b.write(RTC + 4, 7);
    b.write(RTC, 9);
    b.now += 10;
    expect(time()).toBe((7n << 32n) + 9n + 1000n);
  });

  it("raises its interrupt at the alarm, not before, once", () => {
    b.write(RTC + 0x10, 1);
    setAlarm(TIME + 1050n);
    expect(b.read(RTC + 0x18)).toBe(1);
    expect(b.ticks("nextDeadline")).toBe(11n);
    b.now = 10;
    b.call("updateTimers");
    expect(b.line(0, Line.SEIP)).toBe(false);
    b.now = 11;
    b.call("updateTimers");
    expect(b.line(0, Line.SEIP)).toBe(true);
    expect(b.read(RTC + 0x18)).toBe(0);
    expect(b.ticks("nextDeadline")).toBe(NEVER);
    expect(b.read(Board.PLIC + 0x20_1004)).toBe(Irq.RTC);
    b.write(RTC + 0x1c, 1);
    b.write(Board.PLIC + 0x20_1004, Irq.RTC);
    expect(b.line(0, Line.SEIP)).toBe(false);
  });

  it("fires an alarm in the past at once, and none that was cleared", () => {
    b.write(RTC + 0x10, 1);
    setAlarm(TIME + 10_000n);
    b.write(RTC + 0x14, 1);
    b.now = 200;
    b.call("updateTimers");
    expect(b.line(0, Line.SEIP)).toBe(false);
    setAlarm(TIME);
    expect(b.line(0, Line.SEIP)).toBe(true);
  });

  it("keeps an interrupt that is not enabled to itself", () => {
    setAlarm(TIME);
    expect(b.line(0, Line.SEIP)).toBe(false);
    b.write(RTC + 0x10, 1);
    expect(b.line(0, Line.SEIP)).toBe(true);
  });
});
