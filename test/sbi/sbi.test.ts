import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Exit } from "../../assembly/abi/exit.ts";
import { Machine as At, Layout } from "../../assembly/abi/layout.ts";
import { SbiExtension as E, SbiAt, SbiError, SbiVersion } from "../../assembly/abi/sbi.ts";
import { HARTS, RAM, RAM_BYTES, SbiMachine } from "./machine.ts";

let create: () => SbiMachine;
let m: SbiMachine;
beforeAll(async () => {
  create = await SbiMachine.compile();
}, 120_000);
beforeEach(() => {
  m = create();
});

const ok = (value: number | bigint = 0) => ({ returned: true, error: 0, value: BigInt(value) });
const refused = (error: SbiError) => ({ returned: true, error: error as number, value: 0n });
const start = (hart: number) => m.call(E.HSM, 0, hart, RAM, 7);
const requests = (hart: number) => m.view.getUint32(At.HART_REQUESTS + 4 * hart, true);
const soft = (hart: number) => Number(m.exports.softPending(hart)) & 2;
const ALL = [E.BASE, E.TIME, E.IPI, E.RFENCE, E.HSM, E.SRST, E.PMU, E.DBCN, E.SUSP, E.STA, 0, 1, 2, 3, 4, 5, 6, 7, 8];

describe("BASE", () => {
  it("says which specification, implementation and machine", () => {
    expect(m.call(E.BASE, 0)).toEqual(ok(0x0200_0000));
    expect(m.call(E.BASE, 1)).toEqual(ok(SbiVersion.IMPLEMENTATION_ID));
    expect(m.call(E.BASE, 2)).toEqual(ok(SbiVersion.IMPLEMENTATION));
    for (const fid of [4, 5, 6]) expect(m.call(E.BASE, fid)).toEqual(ok(0));
  });

  it("finds exactly the extensions that answer", () => {
    for (const eid of ALL) expect(m.call(E.BASE, 3, eid).value, eid.toString(16)).toBe(1n);
    for (const eid of [9, 0xf, 0x43505043, 0x4e41434c, -1n, 1n << 32n, (1n << 32n) + 0x10n]) {
      expect(m.call(E.BASE, 3, eid)).toEqual(ok(0));
      expect(m.call(eid, 0)).toEqual(refused(SbiError.NOT_SUPPORTED));
    }
  });

  it("refuses functions that no extension has", () => {
    for (const eid of ALL.filter((eid) => eid >= 0x10)) {
      for (const fid of [8, 0xffff_ffff, -1n, 1n << 32n])
        expect(m.call(eid, fid)).toEqual(refused(SbiError.NOT_SUPPORTED));
    }
  });
});

describe("HSM", () => {
  it("starts a stopped hart once, and tells its state", () => {
    expect(m.call(E.HSM, 2, 0)).toEqual(ok(0));
    expect(m.call(E.HSM, 2, 1)).toEqual(ok(1));
    expect(start(1)).toEqual(ok());
    expect(m.call(E.HSM, 2, 1).value).not.toBe(1n);
    expect(start(1)).toEqual(refused(SbiError.ALREADY_AVAILABLE));
    expect(start(0)).toEqual(refused(SbiError.ALREADY_AVAILABLE));
    m.exports.switchHart(1);
    expect([m.register(10), m.register(11)]).toEqual([1n, 7n]);
  });

  it("refuses harts and addresses that do not exist", () => {
    for (const hart of [HARTS, 8, -1n, 1n << 32n]) {
      expect(m.call(E.HSM, 0, hart, RAM, 0)).toEqual(refused(SbiError.INVALID_PARAM));
      expect(m.call(E.HSM, 2, hart)).toEqual(refused(SbiError.INVALID_PARAM));
    }
    for (const address of [0, 0x1000_0000, RAM - 2, RAM + RAM_BYTES, RAM + 1, -2n, 1n << 63n]) {
      expect(m.call(E.HSM, 0, 1, address, 0)).toEqual(refused(SbiError.INVALID_ADDRESS));
    }
    expect(m.call(E.HSM, 2, 1)).toEqual(ok(1));
  });

  it("stops the calling hart, which another may start again", () => {
    start(1);
    m.exports.switchHart(1);
    expect(m.call(E.HSM, 1).returned).toBe(false);
    m.exports.switchHart(0);
    expect(m.call(E.HSM, 2, 1)).toEqual(ok(1));
    expect(start(1)).toEqual(ok());
  });

  it("suspends with and without keeping state, and knows no other way", () => {
    expect(m.call(E.HSM, 3, 0)).toEqual(ok());
    expect(m.exports.waiting(0)).toBe(1);
    expect(m.call(E.HSM, 3, 0x8000_0000, RAM + 0x100, 9)).toMatchObject({ returned: false, error: 0, value: 9n });
    expect(m.call(E.HSM, 3, 0x8000_0000, 0x1000, 9)).toEqual(refused(SbiError.INVALID_ADDRESS));
    for (const type of [1, 0x0fff_ffff, 0x8000_0001])
      expect(m.call(E.HSM, 3, type, RAM)).toEqual(refused(SbiError.INVALID_PARAM));
    for (const type of [0x1000_0000, 0x9000_0000])
      expect(m.call(E.HSM, 3, type, RAM)).toEqual(refused(SbiError.NOT_SUPPORTED));
  });
});

describe("IPI and RFENCE", () => {
  it("reach the harts of the mask that run, and no other", () => {
    start(1);
    start(2);
    expect(m.call(E.IPI, 0, 0b101, 1)).toEqual(ok()); // harts 1 and 3; 3 is stopped
    expect([0, 1, 2, 3].map(soft)).toEqual([0, 2, 0, 0]);
    expect(m.call(E.IPI, 0, 0, -1n)).toEqual(ok());
    expect([0, 1, 2, 3].map(soft)).toEqual([2, 2, 2, 0]);
    expect(m.call(E.RFENCE, 1, 0b110, 0, 0x1000, 0x1000)).toEqual(ok());
    expect([1, 2, 3].map(requests)).toEqual([2, 2, 0]);
    expect(m.call(E.RFENCE, 2, 0, -1n, 0, 0, 5)).toEqual(ok());
    expect([1, 2, 3].map(requests)).toEqual([2, 2, 0]);
  });

  it.each([
    [1, HARTS],
    [1n << 63n, 0],
    [1 << HARTS, 0],
    [0b10, HARTS - 1],
    [1, 1n << 40n],
    [1, -2n],
    [-1n, 0],
  ])("refuse mask %s from %s, which names a hart that does not exist", (mask, base) => {
    expect(m.call(E.IPI, 0, mask, base)).toEqual(refused(SbiError.INVALID_PARAM));
    for (const fid of [0, 1, 2]) expect(m.call(E.RFENCE, fid, mask, base)).toEqual(refused(SbiError.INVALID_PARAM));
    expect([0, 1, 2, 3].map(soft)).toEqual([0, 0, 0, 0]);
  });

  it("take ranges that wrap as everything, and know no guest of a guest", () => {
    start(1);
    expect(m.call(E.RFENCE, 1, 0b11, 0, -4096n, 1n << 63n)).toEqual(ok());
    expect(m.call(E.RFENCE, 1, 0b11, 0, 0, -1n)).toEqual(ok());
    expect(m.call(E.RFENCE, 1, 0b11, 0, -4097n, 4096)).toEqual(ok()); // ends in the last page
    for (const fid of [3, 4, 5, 6]) expect(m.call(E.RFENCE, fid, 1, 0)).toEqual(refused(SbiError.NOT_SUPPORTED));
  });
});

describe("TIME", () => {
  it("sets the supervisor deadline of the calling hart", () => {
    expect(m.call(E.TIME, 0, 123_456)).toEqual(ok());
    expect(m.exports.deadline(0)).toBe(123_456n);
    expect(m.call(E.TIME, 0, -1n)).toEqual(ok());
    expect(m.exports.deadline(0)).toBe(-1n);
    expect(m.exports.deadline(1)).not.toBe(123_456n);
  });
});

describe("SRST", () => {
  const exit = () => m.view.getUint32(At.EXIT, true);
  it("ends the run with the guest's reason as status", () => {
    expect(m.call(E.SRST, 0, 0, 1).returned).toBe(false);
    expect([exit(), m.view.getUint32(At.EXIT_CODE, true)]).toEqual([Exit.POWER_OFF, 1]);
    expect(m.call(E.SRST, 0, 1, 0).returned).toBe(false);
    expect([exit(), m.view.getUint32(At.EXIT_CODE, true)]).toEqual([Exit.RESET, 0]);
  });

  it("refuses reserved types and reasons", () => {
    for (const [type, reason] of [
      [3, 0],
      [0xf000_0000, 0],
      [0, 2],
      [0, 0xffff_ffff],
    ]) {
      expect(m.call(E.SRST, 0, type, reason)).toEqual(refused(SbiError.INVALID_PARAM));
    }
    expect(exit()).toBe(Exit.BUDGET);
  });
});

describe("SUSP", () => {
  it("sleeps only when no other hart runs, and wakes where it was told", () => {
    start(1);
    expect(m.call(E.SUSP, 0, 0, RAM, 3)).toEqual(refused(SbiError.DENIED));
    m.exports.switchHart(1);
    m.call(E.HSM, 1);
    m.exports.switchHart(0);
    expect(m.call(E.SUSP, 0, 1, RAM, 3)).toEqual(refused(SbiError.INVALID_PARAM));
    expect(m.call(E.SUSP, 0, 0, 0x1000, 3)).toEqual(refused(SbiError.INVALID_ADDRESS));
    expect(m.call(E.SUSP, 0, 0, RAM, 3)).toMatchObject({ returned: false, value: 3n });
    expect(m.exports.waiting(0)).toBe(1);
  });
});

describe("DBCN", () => {
  const put = (gpa: number, text: string) =>
    new Uint8Array(m.memory.buffer).set(new TextEncoder().encode(text), m.at(gpa));
  const offer = (text: string) => {
    new Uint8Array(m.memory.buffer).set(new TextEncoder().encode(text), Layout.STAGING);
    return m.exports.sbiConsoleInput(Layout.STAGING, text.length);
  };

  it("writes from guest memory, at most 64 KiB a call", () => {
    put(RAM + 5, "hello");
    expect(m.call(E.DBCN, 0, 5, RAM + 5, 0)).toEqual(ok(5));
    expect(m.call(E.DBCN, 2, 0x121)).toEqual(ok());
    expect(m.output).toEqual([
      { port: 1, text: "hello" },
      { port: 1, text: "!" },
    ]);
    expect(m.call(E.DBCN, 0, 0x2_0000, RAM, 0)).toEqual(ok(0x1_0000));
  });

  it.each([
    ["past the end", 2, RAM + RAM_BYTES - 1, 0],
    ["below RAM", 1, RAM - 1, 0],
    ["with a high part", 1, RAM, 1],
    ["longer than RAM", -1n, RAM, 0],
    ["that wraps", 1n << 32n, RAM, 0],
    ["at the top of the address space", 2, -1n, 0],
  ])("refuses memory %s", (_, length, low, high) => {
    offer("abc");
    for (const fid of [0, 1]) expect(m.call(E.DBCN, fid, length, low, high)).toEqual(refused(SbiError.INVALID_PARAM));
    expect(m.output).toEqual([]);
  });

  it("reads what the host typed, in order, over the ring's end", () => {
    expect(m.call(E.DBCN, 1, 8, RAM, 0)).toEqual(ok(0));
    let read = "";
    let typed = "";
    for (let i = 0; i < 300; i++) {
      const text = `line ${i}\n`;
      expect(offer(text)).toBe(text.length);
      typed += text;
      const { value } = m.call(E.DBCN, 1, 64, RAM + 64, 0);
      read += new TextDecoder().decode(new Uint8Array(m.memory.buffer, m.at(RAM + 64), Number(value)));
    }
    expect(read).toBe(typed);
  });

  it("takes no more input than it has room for", () => {
    let taken = 0;
    for (let i = 0; i < 5; i++) taken += Number(offer("x".repeat(1000)));
    expect(taken).toBe(2048);
    expect(m.call(E.DBCN, 1, 5000, RAM, 0)).toEqual(ok(2048));
    expect(m.exports.validateConsole()).toBe(1);
    m.view.setUint32(SbiAt.CONSOLE, 5000, true);
    m.view.setUint32(SbiAt.CONSOLE + 4, 1, true);
    expect(m.exports.validateConsole()).toBe(0);
  });
});

describe("legacy calls", () => {
  it("answer in a0 and leave a1 alone", () => {
    const legacy = (eid: number, ...args: number[]) => m.call(eid, 0, args[0] ?? 0, 0xabc, args[1] ?? 0);
    expect(legacy(E.LEGACY_CONSOLE_GETCHAR)).toEqual({ returned: true, error: -1, value: 0xabcn });
    m.view.setUint8(Layout.STAGING, 0xe9);
    m.exports.sbiConsoleInput(Layout.STAGING, 1);
    expect(legacy(E.LEGACY_CONSOLE_GETCHAR)).toEqual({ returned: true, error: 0xe9, value: 0xabcn });
    expect(legacy(E.LEGACY_CONSOLE_PUTCHAR, 65)).toEqual({ returned: true, error: 0, value: 0xabcn });
    expect(m.output).toEqual([{ port: 1, text: "A" }]);
  });

  it("set the timer, send and clear IPIs, fence, and shut down", () => {
    start(1);
    m.call(E.LEGACY_SET_TIMER, 0, 99);
    expect(m.exports.deadline(0)).toBe(99n);
    m.call(E.LEGACY_SEND_IPI, 0, -1n);
    expect([0, 1, 2].map(soft)).toEqual([2, 2, 0]);
    m.call(E.LEGACY_CLEAR_IPI, 0);
    expect([0, 1].map(soft)).toEqual([0, 2]);
    m.call(E.LEGACY_REMOTE_FENCE_I, 0, 0);
    m.call(E.LEGACY_REMOTE_SFENCE_VMA, 0, -1n, 0, 0);
    m.call(E.LEGACY_REMOTE_SFENCE_VMA_ASID, 0, 0, 0, 0, 1);
    expect([1, 2].map(requests)).toEqual([3, 0]);
    expect(m.call(E.LEGACY_SHUTDOWN, 0).returned).toBe(false);
    expect(m.view.getUint32(At.EXIT, true)).toBe(Exit.POWER_OFF);
  });
});

describe("STA", () => {
  it("shares zeroed memory and counts in it with an even sequence", () => {
    const gpa = RAM + 128;
    new Uint8Array(m.memory.buffer, m.at(gpa), 80).fill(0xff);
    m.exports.staUpdate(0, 5n);
    expect(m.call(E.STA, 0, gpa, 0, 0)).toEqual(ok());
    expect(new Uint8Array(m.memory.buffer, m.at(gpa), 64)).toEqual(new Uint8Array(64));
    expect(m.view.getUint8(m.at(gpa) + 64)).toBe(0xff);
    m.exports.staUpdate(0, 1000n);
    m.exports.staUpdate(0, 500n);
    m.exports.staUpdate(1, 9n);
    expect(m.view.getBigUint64(m.at(gpa) + 8, true)).toBe(1500n);
    expect(m.view.getUint32(m.at(gpa), true)).toBe(4);
    expect(m.call(E.STA, 0, -1n, -1n, 0)).toEqual(ok());
    m.exports.staUpdate(0, 1n);
    expect(m.view.getBigUint64(m.at(gpa) + 8, true)).toBe(1500n);
  });

  it("refuses places that are none", () => {
    expect(m.call(E.STA, 0, RAM + 32, 0, 0)).toEqual(refused(SbiError.INVALID_PARAM));
    expect(m.call(E.STA, 0, RAM, 0, 1)).toEqual(refused(SbiError.INVALID_PARAM));
    for (const [low, high] of [
      [RAM + RAM_BYTES, 0],
      [0, 0],
      [RAM, 1],
      [-64n, 0],
    ]) {
      expect(m.call(E.STA, 0, low, high, 0)).toEqual(refused(SbiError.INVALID_ADDRESS));
    }
  });
});
