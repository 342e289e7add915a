// The table of calls in the engine: what is granted, what the host serves, budgets, lists of calls.
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Answer, HypercallAt as At, HypercallAt, MulticallEntry, Refused } from "../../assembly/abi/hypercall.ts";
import { SbiExtension as E, SbiError } from "../../assembly/abi/sbi.ts";
import { CALLS, EXTENSIONS, PARAVANE } from "../../src/hypercall/catalogue.ts";
import { defineHypercall } from "../../src/hypercall/define-hypercall.ts";
import type { Policy } from "../../src/hypercall/policy.ts";
import { resolvePolicy } from "../../src/hypercall/resolve-policy.ts";
import { readBudgets, writeBudgets, writeGrants } from "../../src/hypercall/table.ts";
import { HARTS, RAM, RAM_BYTES, SbiMachine } from "./machine.ts";

let create: () => SbiMachine;
let m: SbiMachine;
beforeAll(async () => {
  create = await SbiMachine.compile();
}, 300_000);
beforeEach(() => {
  m = create();
});

const ok = (value: number | bigint = 0) => ({ returned: true, error: 0, value: BigInt(value) });
const refused = (error: SbiError) => ({ returned: true, error: error as number, value: 0n });
const TICKS = 10_000; // in a millisecond
const [FIRST, LAST] = [0x0a00_0001, 0x0aff_ffff];

/** A call of the host's, whose handler is `onHypercall`. */
const call = (eid: number, fid: number, args = {}) =>
  defineHypercall({ eid, fid, name: `call_${eid.toString(16)}_${fid}`, args, handler: () => 0 });

function apply(policy: Policy | undefined, calls: Parameters<typeof resolvePolicy>[1] = []) {
  const grants = resolvePolicy(policy, calls);
  m.powerOn();
  writeBudgets(m.view, grants.budgets);
  writeGrants(m.view, grants);
  return () => readBudgets(m.view, grants.budgets);
}

/** What the engine noted of refusals: reason and numbers. */
function noted(): [number, number, number][] {
  const count = m.view.getUint32(At.REFUSED + Refused.COUNT, true);
  m.view.setUint32(At.REFUSED + Refused.COUNT, 0, true);
  return Array.from({ length: Math.min(count, Refused.KEPT) }, (_, n) => {
    const at = At.REFUSED + Refused.RECORDS + n * Refused.RECORD_SIZE;
    const word = (offset: number) => m.view.getUint32(at + offset, true);
    return [word(Refused.REASON), word(Refused.EID), word(Refused.FID)];
  });
}

function answer(error: number, value: bigint): number {
  m.view.setBigInt64(HypercallAt.ANSWER + Answer.ERROR, BigInt(error), true);
  m.view.setBigUint64(HypercallAt.ANSWER + Answer.VALUE, value, true);
  return 0;
}

describe("the catalogue", () => {
  it("is what the engine serves", () => {
    const served: string[] = [];
    for (const { eid } of EXTENSIONS) {
      for (let fid = 0; fid < 16; fid++) {
        m.powerOn();
        noted();
        m.call(eid, fid, -1n, -1n, -1n);
        if (noted().length === 0) served.push(`${eid} ${fid}`);
      }
    }
    for (let eid = 0; eid < 0x10; eid++) {
      m.powerOn();
      noted();
      m.call(eid, 0);
      if (noted().length === 0) served.push(`${eid} 0`);
    }
    expect(served.sort()).toEqual(CALLS.map(({ eid, fid }) => `${eid} ${fid}`).sort());
    expect(new Set(CALLS.map(({ name }) => name)).size).toBe(CALLS.length);
  });

  it("has no functions beyond those that a row stands for", () => {
    for (const { eid } of EXTENSIONS) {
      for (const fid of [16, 255, 0xffff_ffff, 1n << 32n, -1n]) {
        expect(m.call(eid, fid)).toEqual(refused(SbiError.NOT_SUPPORTED));
      }
    }
  });
});

describe("grants", () => {
  it("deny what the policy does not give, and the probe knows nothing of it", () => {
    apply({ calls: { deny: ["pmu", "sbi_hart_start", "paravane", "legacy"] } });
    expect(m.call(E.PMU, 0)).toEqual(refused(SbiError.DENIED));
    expect(m.call(E.HSM, 0, 1, RAM, 0)).toEqual(refused(SbiError.DENIED));
    expect(m.call(E.HSM, 2, 0)).toEqual(ok(0));
    expect(m.call(PARAVANE.eid, 0)).toEqual(refused(SbiError.DENIED));
    for (const [eid, there] of [
      [E.PMU, 0],
      [PARAVANE.eid, 0],
      [1, 0],
      [E.HSM, 1],
      [E.TIME, 1],
    ]) {
      expect(m.call(E.BASE, 3, eid), eid.toString(16)).toEqual(ok(there));
    }
    m.setRegister(11, 77n);
    expect(m.call(1, 0, 65, 77)).toEqual({ returned: true, error: SbiError.DENIED, value: 77n });
    expect(m.output).toEqual([]);
    expect(noted()).toEqual([
      [2, E.PMU, 0],
      [2, E.HSM, 0],
      [2, PARAVANE.eid, 0],
      [2, 1, 0],
    ]);
  });

  it("that name what is allowed leave BASE and that", () => {
    apply({ calls: { allow: ["time", "dbcn:0"] } });
    const granted = CALLS.filter(({ eid, fid }) => {
      if (eid === E.SRST || eid === E.LEGACY_SHUTDOWN) return false;
      return m.call(eid, fid).error !== SbiError.DENIED;
    });
    expect(new Set(granted.map(({ eid }) => eid))).toEqual(new Set([E.BASE, E.TIME, E.DBCN]));
    expect(granted.filter(({ eid }) => eid === E.DBCN).map(({ fid }) => fid)).toEqual([0]);
  });

  it("that were tampered with are not restored", () => {
    apply(undefined, [call(FIRST, 0)]);
    expect(m.exports.validateGrants()).toBe(1);
    const bad: [number, number][] = [
      [At.TABLE, 3],
      [At.TABLE + 1, 128],
      [At.HOST_CALLS + 1, 255],
      [At.HOST_INDEX + 5, 65],
      [At.DEVICES + 63, 128],
    ];
    for (const [address, value] of bad) {
      const before = m.view.getUint8(address);
      m.view.setUint8(address, value);
      expect(m.exports.validateGrants(), address.toString(16)).toBe(0);
      m.view.setUint8(address, before);
    }
    expect(m.exports.validateGrants()).toBe(1);
  });

  it("are those of all again after a reset that no policy follows", () => {
    apply({ calls: { deny: ["pmu"] } });
    m.powerOn();
    expect(m.call(E.PMU, 0).error).toBe(0);
  });
});

describe("a call that the host serves", () => {
  it("is found among 64 by its numbers, gets its arguments and gives its answer", () => {
    const calls = Array.from({ length: 64 }, (_, n) => call(n % 2 ? LAST - n : FIRST + (n >> 2), n % 7, { a: "u64" }));
    apply(undefined, calls);
    for (const [number, { row }] of calls.entries()) {
      m.onHypercall = (index, hart) => {
        expect([index, hart]).toEqual([number, 0]);
        return answer(0, m.view.getBigUint64(HypercallAt.ANSWER + Answer.ARGUMENTS, true) + 1n);
      };
      expect(m.call(row.eid, row.fid, 41)).toEqual(ok(42));
      expect(m.call(E.BASE, 3, row.eid)).toEqual(ok(1));
    }
    m.onHypercall = () => expect.unreachable();
    for (const [eid, fid] of [
      [FIRST, 200],
      [0x0a00_4000, 0],
      [0x0900_0001, 0],
    ]) {
      expect(m.call(eid, fid)).toEqual(refused(SbiError.NOT_SUPPORTED));
    }
    apply({ calls: { deny: ["0xa000001"] } }, calls);
    expect(m.call(FIRST, 0)).toEqual(refused(SbiError.DENIED));
  });

  it("sees only buffers that lie in RAM", () => {
    apply(undefined, [call(FIRST, 0, { name: "buffer-in", result: "buffer-out", last: "i64" })]);
    m.onHypercall = () => expect.unreachable();
    const bad = [
      [RAM - 1, 2, RAM, 1],
      [RAM + RAM_BYTES - 1, 2, RAM, 1],
      [RAM, 1, RAM + RAM_BYTES, 1],
      [-1n, 1, RAM, 1],
      [RAM, 1, 1n << 63n, 8],
      [0x1000, 16, RAM, 1],
    ];
    for (const args of bad) expect(m.call(FIRST, 0, ...args, 0)).toEqual(refused(SbiError.INVALID_ADDRESS));
    for (const length of [0x10_0001, 1n << 32n, -1n]) {
      expect(m.call(FIRST, 0, RAM, length, RAM, 1)).toEqual(refused(SbiError.INVALID_PARAM));
    }
    m.onHypercall = () => {
      const buffer = (n: number) => m.view.getUint32(HypercallAt.ANSWER + Answer.BUFFERS + 4 * n, true);
      expect([buffer(0), buffer(2)]).toEqual([m.at(RAM + 8), m.at(RAM + RAM_BYTES - 16)]);
      expect(m.view.getBigInt64(HypercallAt.ANSWER + Answer.ARGUMENTS + 32, true)).toBe(-5n);
      return answer(0, 9n);
    };
    expect(m.call(FIRST, 0, RAM + 8, 100, RAM + RAM_BYTES - 16, 16, -5n)).toEqual(ok(9));
    // A buffer of no bytes lies nowhere, wherever that is.
    m.onHypercall = () => answer(-1, 0n);
    expect(m.call(FIRST, 0, -1n, 0, 0, 0, 0)).toEqual(refused(SbiError.FAILED));
  });

  it("that is answered later leaves its hart where it is until then", () => {
    apply(undefined, [call(FIRST, 0)]);
    m.onHypercall = () => 1;
    m.setPc(RAM + 0x100);
    expect(m.call(FIRST, 0, 1, 2).returned).toBe(false);
    expect([m.exports.isParked(0), m.exports.isDue(0), m.exports.waiting(0)]).toEqual([1, 0, 1]);
    expect([m.register(10), m.register(17), m.pc()]).toEqual([1n, BigInt(FIRST), BigInt(RAM + 0x100)]);
    expect(m.exports.hypercallDone(1, 0, 5n)).toBe(0);
    expect(m.exports.hypercallDone(HARTS, 0, 5n)).toBe(0);
    m.exports.switchHart(1);
    expect(m.exports.hypercallDone(0, -2, 5n)).toBe(1);
    expect(m.exports.hypercallDone(0, 0, 5n)).toBe(0);
    m.exports.switchHart(0);
    expect([m.register(10), m.register(11), m.pc()]).toEqual([(1n << 64n) - 2n, 5n, BigInt(RAM + 0x104)]);
    expect([m.exports.isParked(0), m.exports.waiting(0)]).toEqual([0, 0]);
  });
});

describe("budgets", () => {
  const bucket = { size: 3, one_time_burst: 2, refill_time: 30 };

  it("refuse past the burst, the size, and what comes with time", () => {
    const use = apply({ calls: { budgets: { paravane_null: { operations: bucket, over: "refuse" } } } });
    const calls = (n: number) =>
      Array.from({ length: n }, () => m.call(PARAVANE.eid, 0).error).filter((error) => error === 0).length;
    m.ticks = 0;
    expect(calls(9)).toBe(5);
    m.ticks = 10 * TICKS - 1;
    expect(calls(9)).toBe(0);
    m.ticks = 10 * TICKS;
    expect(calls(9)).toBe(1);
    m.ticks = 1000 * TICKS;
    expect(calls(9)).toBe(3);
    expect(use()[1]).toMatchObject({ name: "call paravane_null", operationsLeft: 0, delayed: 0, refused: 27 });
    expect(noted()).toHaveLength(8);
    // Another call has none.
    expect(m.call(E.TIME, 0, -1n)).toEqual(ok());
  });

  it("delay: the hart stays at its ecall until there is something left, or an interrupt is taken", () => {
    const use = apply({ calls: { budgets: { paravane: { operations: { size: 1, refill_time: 10 } } } } });
    m.ticks = 0;
    expect(m.call(PARAVANE.eid, 0)).toEqual(ok());
    expect(m.call(PARAVANE.eid, 0).returned).toBe(false);
    expect([m.exports.isParked(0), m.exports.isDue(0)]).toEqual([1, 0]);
    m.ticks = 10 * TICKS;
    expect(m.exports.isDue(0)).toBe(1);
    m.exports.unpark(0);
    expect(m.call(PARAVANE.eid, 0)).toEqual(ok());
    expect(use()[1]).toMatchObject({ delayed: 1, refused: 0 });
  });

  it("delay for what comes in a millisecond, where that is more than one", () => {
    apply({ calls: { budgets: { paravane: { operations: { size: 3000, refill_time: 10 } } } } });
    m.ticks = 0;
    const calls = () => {
      for (let n = 0; ; n++) if (!m.call(PARAVANE.eid, 0).returned) return n;
    };
    expect(calls()).toBe(3000);
    m.ticks = TICKS - 1;
    expect(m.exports.isDue(0)).toBe(0);
    m.ticks = TICKS;
    expect(m.exports.isDue(0)).toBe(1);
    m.exports.unpark(0);
    expect(calls()).toBe(300);
  });

  it("outlive a reset", () => {
    const grants = resolvePolicy({
      calls: { budgets: { paravane: { operations: { size: 1, refill_time: 10 }, over: "refuse" } } },
    });
    writeBudgets(m.view, grants.budgets);
    writeGrants(m.view, grants);
    m.ticks = 0;
    expect(m.call(PARAVANE.eid, 0)).toEqual(ok());
    m.powerOn();
    writeGrants(m.view, grants);
    expect(m.call(PARAVANE.eid, 0)).toEqual(refused(SbiError.DENIED));
  });

  it("of bytes admit a large request, whose cost what follows waits for", () => {
    const bytes = { size: 1000, refill_time: 1000 };
    const use = apply({ calls: { budgets: { dbcn: { bytes, over: "refuse" } } } });
    m.ticks = 0;
    expect(m.call(E.DBCN, 0, 3000, RAM, 0)).toEqual(ok(3000));
    expect(use()[1].bytesLeft).toBe(-2000);
    m.ticks = 2000 * TICKS;
    expect(m.call(E.DBCN, 0, 1, RAM, 0).error).toBe(SbiError.DENIED);
    m.ticks = 2001 * TICKS;
    expect(m.call(E.DBCN, 0, 1, RAM, 0)).toEqual(ok(1));
  });

  it("of the whole guest count every call and every device", () => {
    const use = apply({ guest: { operations: { size: 4, refill_time: 1000 }, over: "refuse" } });
    m.ticks = 0;
    expect(m.call(E.BASE, 0).error).toBe(0);
    expect(m.call(PARAVANE.eid, 0).error).toBe(0);
    expect(m.exports.mayServe(0)).toBe(1);
    m.exports.served(0, 512n);
    m.exports.served(48, 512n);
    expect(m.call(E.BASE, 0).error).toBe(SbiError.DENIED);
    expect(m.exports.mayServe(56)).toBe(0);
    expect(use()[0].operationsLeft).toBe(0);
  });

  it("of devices say when to look again", () => {
    apply({
      devices: { disk1: { operations: { size: 2, refill_time: 20 } } },
      egress: { bytes: { size: 10, refill_time: 10 } },
    });
    m.ticks = 0;
    m.exports.beginPoll();
    for (let n = 0; n < 2; n++) {
      expect(m.exports.mayServe(1)).toBe(1);
      m.exports.served(1, 1n);
    }
    expect([m.exports.mayServe(1), m.exports.mayServe(0), m.exports.isPollDue()]).toEqual([0, 1, 0]);
    m.ticks = 10 * TICKS;
    expect(m.exports.isPollDue()).toBe(1);
    m.exports.beginPoll();
    expect([m.exports.isPollDue(), m.exports.mayServe(1)]).toEqual([0, 1]);
    // All network ports share what may go out.
    m.exports.served(50, 20n);
    expect(m.exports.mayServe(49)).toBe(0);
    m.ticks = 30 * TICKS;
    expect(m.exports.mayServe(48)).toBe(1);
  });
});

describe("multicall", () => {
  const LIST = RAM + 0x1000;
  type Entry = [eid: number, fid: number, ...args: (number | bigint)[]];

  function write(entries: Entry[]): void {
    for (const [n, [eid, fid, ...args]] of entries.entries()) {
      const at = m.at(LIST) + n * MulticallEntry.SIZE;
      m.view.setUint32(at + MulticallEntry.EID, eid, true);
      m.view.setUint32(at + MulticallEntry.FID, fid, true);
      for (let i = 0; i < 6; i++) {
        m.view.setBigUint64(at + MulticallEntry.ARGUMENTS + 8 * i, BigInt.asUintN(64, BigInt(args[i] ?? 0)), true);
      }
      m.view.setBigInt64(at + MulticallEntry.ERROR, 99n, true);
      m.view.setBigUint64(at + MulticallEntry.VALUE, 99n, true);
    }
  }
  const results = (count: number) =>
    Array.from({ length: count }, (_, n) => {
      const at = m.at(LIST) + n * MulticallEntry.SIZE;
      return [
        Number(m.view.getBigInt64(at + MulticallEntry.ERROR, true)),
        Number(m.view.getBigUint64(at + MulticallEntry.VALUE, true)),
      ];
    });
  const multicall = (count: number | bigint, first = 0, list: number | bigint = LIST) =>
    m.call(PARAVANE.eid, 1, list, count, first, 3, 4, 5);

  it("makes the calls of a list, each granted, counted and answered by itself", () => {
    apply({ calls: { deny: ["pmu"] } });
    write([
      [E.BASE, 1],
      [PARAVANE.eid, 0],
      [E.PMU, 0],
      [E.TIME, 0, 500],
      [0x0b00_0000, 3],
      [E.HSM, 2, 1],
    ]);
    expect(multicall(6)).toEqual(ok(6));
    expect(results(6)).toEqual([
      [0, 0x5056],
      [0, 0],
      [SbiError.DENIED, 0],
      [0, 0],
      [SbiError.NOT_SUPPORTED, 0],
      [0, 1],
    ]);
    expect([12, 13, 14, 15].map((n) => m.register(n))).toEqual([0n, 3n, 4n, 5n]);
    expect(m.exports.deadline(0)).toBe(500n);
    expect(noted().map(([reason]) => reason)).toEqual([2, 1]);
  });

  it("does not nest, and makes no call that does not come back", () => {
    apply(undefined);
    const never: Entry[] = [
      [PARAVANE.eid, 1, LIST, 1, 0],
      [E.SRST, 0, 0, 0],
      [E.HSM, 1],
      [E.HSM, 3, 0x8000_0000, RAM],
      [E.SUSP, 0, 0, RAM],
      [8, 0],
    ];
    write(never);
    expect(multicall(never.length)).toEqual(ok(never.length));
    for (const [error] of results(never.length)) expect(error).toBe(SbiError.DENIED);
    expect(noted().map(([reason]) => reason)).toEqual(never.map(() => 4));
  });

  it("refuses lists that are too long, misaligned, or not in RAM", () => {
    apply(undefined);
    for (const [count, first] of [
      [129, 0],
      [-1n, 0],
      [1, 2],
      [1n << 32n, 0],
    ] as const) {
      expect(multicall(count, Number(first))).toEqual(refused(SbiError.INVALID_PARAM));
    }
    for (const list of [LIST + 4, RAM - 8, RAM + RAM_BYTES - 64, 0, -8n]) {
      expect(multicall(1, 0, list)).toEqual(refused(SbiError.INVALID_ADDRESS));
    }
    expect(multicall(0)).toEqual(ok(0));
  });

  it("waits where an entry has to, and goes on there", () => {
    const use = apply({ calls: { budgets: { paravane_null: { operations: { size: 2, refill_time: 20 } } } } });
    write(Array.from({ length: 3 }, (): Entry => [PARAVANE.eid, 0]));
    m.ticks = 0;
    expect(multicall(3).returned).toBe(false);
    expect([10, 11, 12, 13, 16, 17].map((n) => Number(m.register(n)))).toEqual([LIST, 3, 2, 3, 1, PARAVANE.eid]);
    m.ticks = 10 * TICKS;
    m.exports.unpark(0);
    expect(multicall(3, 2)).toEqual(ok(3));
    expect(results(3)).toEqual([
      [0, 0],
      [0, 0],
      [0, 0],
    ]);
    expect(use()[1]).toMatchObject({ operationsLeft: 0, delayed: 1 });
  });

  it("makes progress in a guest that may do one thing at a time", () => {
    apply({ guest: { operations: { size: 1, refill_time: 10 } } });
    write(Array.from({ length: 3 }, (): Entry => [PARAVANE.eid, 0]));
    m.ticks = 0;
    let first = 0;
    for (let tries = 0; tries < 20; tries++) {
      if (multicall(3, first).returned) {
        expect(results(3).map(([error]) => error)).toEqual([0, 0, 0]);
        return;
      }
      first = Number(m.register(12));
      m.ticks += 10 * TICKS;
      m.exports.unpark(0);
    }
    expect.unreachable("it never ended");
  });

  it("waits for the host's answer to an entry", () => {
    apply(undefined, [call(FIRST, 0)]);
    write([
      [FIRST, 0],
      [E.BASE, 1],
    ]);
    m.onHypercall = () => 1;
    expect(multicall(2).returned).toBe(false);
    expect(m.exports.hypercallDone(0, 0, 7n)).toBe(1);
    expect(m.register(12)).toBe(1n);
    expect(multicall(2, 1)).toEqual(ok(2));
    expect(results(2)).toEqual([
      [0, 7],
      [0, 0x5056],
    ]);
  });
});

it("survives any call and any list, and reaches the host with what it has looked at alone", () => {
  let state = 99n;
  const random = (n: number) => {
    state = (state * 6364136223846793005n + 1442695040888963407n) & ((1n << 64n) - 1n);
    return Number((state >> 33n) % BigInt(n));
  };
  const calls = Array.from({ length: 40 }, (_, n) =>
    call(FIRST + (n % 5), n, n % 2 ? { a: "buffer-in", b: "u32", c: "buffer-out" } : { a: "u32" }),
  );
  apply(
    {
      calls: { deny: ["pmu", "0xa000003"], budgets: { "0xa000002": { operations: { size: 5, refill_time: 5 } } } },
      guest: { bytes: { size: 100_000_000, refill_time: 100 }, over: "refuse" },
    },
    calls,
  );
  let reached = 0;
  m.onHypercall = (index) => {
    reached++;
    const { row } = calls[index];
    expect(row.eid).not.toBe(FIRST + 2);
    if (row.args.length > 1) {
      for (const n of [0, 3]) {
        const length = m.view.getUint32(HypercallAt.ANSWER + Answer.ARGUMENTS + 8 * (n + 1), true);
        const at = m.view.getUint32(HypercallAt.ANSWER + Answer.BUFFERS + 4 * n, true);
        expect(at >= m.at(RAM) && at + length <= m.at(RAM + RAM_BYTES)).toBe(true);
      }
    }
    return random(3) === 0 ? 1 : answer(0, 1n);
  };
  const bytes = new Uint8Array(m.memory.buffer);
  for (let i = 0; i < 30_000; i++) {
    m.ticks += random(2000);
    const known = random(4) !== 0;
    const eid = known ? FIRST + random(6) : [PARAVANE.eid, 0x0a00_0000 + random(64), random(2 ** 31)][random(3)];
    const address = random(4) ? RAM + random(RAM_BYTES / 8) * 8 : random(2 ** 31);
    if (random(8) === 0) for (let n = 0; n < 64; n++) bytes[m.at(RAM) + random(RAM_BYTES)] = random(256);
    const args = [address, random(3) ? random(2 ** 18) : -1n, random(2 ** 31), address, random(300), random(9)];
    if (eid === PARAVANE.eid) args.splice(1, 2, random(140), 0);
    const hart = random(HARTS);
    m.exports.switchHart(hart);
    m.call(eid, random(45), ...args);
    if (m.exports.isParked(hart) && !m.exports.hypercallDone(hart, 0, 1n)) m.exports.unpark(hart);
    m.output = [];
  }
  expect(reached).toBeGreaterThan(100);
});
