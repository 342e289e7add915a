// Guests of a few instructions that call their hypervisor: calls that the host serves, at once or later,
// budgets, refusals, and what a policy keeps a guest from.
import { describe, expect, it } from "vitest";
import {
  createGuest,
  defineHypercall,
  type HypercallDefinition,
  type NodeGuestOptions,
  OptionError,
  type Policy,
} from "../../src/index.ts";
import { addi, ECALL, lui, lw, program, sw, systemReset } from "./instructions.ts";

const [ZERO, A0, A1, A2, A6, A7, T0, T1] = [0, 10, 11, 12, 16, 17, 5, 6];
const EID = 0x0a00_0001;
const OWN = 0x0a00_5056;

const li = (rd: number, value: number) => {
  const low = (value << 20) >> 20;
  return [lui(rd, ((value - low) >>> 12) & 0xfffff), addi(rd, rd, low)];
};
const branch = (funct3: number) => (rs1: number, rs2: number, words: number) => {
  const imm = words * 4;
  const bits =
    (((imm >> 12) & 1) << 31) | (((imm >> 5) & 63) << 25) | (((imm >> 1) & 15) << 8) | (((imm >> 11) & 1) << 7);
  return (bits | (rs2 << 20) | (rs1 << 15) | (funct3 << 12) | 0x63) >>> 0;
};
const bne = branch(1);
/** system_reset with the value in `rs` as its reason makes status 1 unless it is 0. */
const endWith = (rs: number) => [...li(A7, 0x5352_5354), addi(A6, ZERO, 0), addi(A0, ZERO, 0), addi(A1, rs, 0), ECALL];
const call = (eid: number, fid: number) => [...li(A7, eid), ...li(A6, fid), ECALL];

const define = (definition: Partial<HypercallDefinition<never>> & { handler: unknown }) =>
  defineHypercall({ eid: EID, fid: 0, name: "test", ...definition } as HypercallDefinition<Record<never, never>>);

const start = (kernel: Uint8Array, options: NodeGuestOptions = {}) =>
  createGuest({ kernel, memory: "16M", clock: "virtual", ...options });

describe("a call of the caller's own", () => {
  it.each(["interpreter", "translator"] as const)("is answered at once, %s", async (tier) => {
    const seen: unknown[] = [];
    const double = define({
      args: { n: "u32" } as never,
      handler: ({ n }: { n: number }, context: unknown) => {
        seen.push([n, context]);
        return 2 * n;
      },
    });
    // a0 = value, again and again: 3 becomes 3 * 2^10.
    const loop = [ECALL, addi(A0, A1, 0), addi(T0, T0, -1), bne(T0, ZERO, -3)];
    const guest = await start(
      program(addi(A0, ZERO, 3), addi(T0, ZERO, 10), ...li(A7, EID), addi(A6, ZERO, 0), ...loop, ...endWith(ZERO)),
      { hypercalls: [double], tier },
    );
    expect(await guest.wait()).toEqual({ reason: "power-off", status: 0 });
    expect(seen).toEqual(Array.from({ length: 10 }, (_, n) => [3 * 2 ** n, { hart: 0 }]));
    expect(guest.counters()).toContainEqual(
      expect.objectContaining({ kind: "hypercall", name: "0xa000001", register: 0, count: 10n }),
    );
  });

  it("copies buffers in and out", async () => {
    const reverse = define({
      args: { from: "buffer-in", to: "buffer-out" } as never,
      handler: ({ from, to }: { from: Uint8Array; to: Uint8Array }) => {
        to.set([...from].reverse());
        return from.length;
      },
    });
    // Writes a word below the program, has it reversed behind it, and hands it to the second call.
    const read: number[] = [];
    const look = define({
      fid: 1,
      name: "look",
      args: { n: "u32" } as never,
      handler: ({ n }: { n: number }) => void read.push(n),
    });
    const A3 = 13;
    const guest = await start(
      program(
        // The data lies 2 KiB behind the program's first instruction (auipc).
        0x0000_0297, // auipc t0, 0
        addi(T0, T0, 0x700),
        ...li(T1, 0x0403_0201),
        sw(T0, T1, 0),
        addi(A0, T0, 0),
        addi(A1, ZERO, 4),
        addi(A2, T0, 8),
        addi(A3, ZERO, 4),
        ...call(EID, 0),
        lw(A0, T0, 8),
        ...call(EID, 1),
        ...endWith(ZERO),
      ),
      { hypercalls: [reverse, look] },
    );
    expect(await guest.wait()).toMatchObject({ status: 0 });
    expect(read).toEqual([0x0102_0304]);
  });

  it("may be answered later: the run is the same however long that takes", async () => {
    const run = async (delay: number) => {
      const slow = define({
        args: { n: "u64" } as never,
        handler: async ({ n }: { n: bigint }) => {
          await new Promise((resolve) => setTimeout(resolve, delay));
          return n + 1n;
        },
      });
      const loop = [ECALL, addi(A0, A1, 0), addi(T0, T0, -1), bne(T0, ZERO, -3)];
      const guest = await start(
        program(
          addi(A0, ZERO, 0),
          addi(T0, ZERO, 3),
          ...li(A7, EID),
          addi(A6, ZERO, 0),
          ...loop,
          addi(T1, A0, -3),
          ...endWith(T1),
        ),
        { hypercalls: [slow] },
      );
      const info = await guest.wait();
      return { info, instructions: guest.instructions, ticks: guest.seconds };
    };
    const first = await run(1);
    expect(first.info).toEqual({ reason: "power-off", status: 0 });
    expect(await run(40)).toEqual(first);
  });

  it("that never ends leaves a guest that can be closed, on either clock", async () => {
    for (const clock of ["host", "virtual"] as const) {
      let calls = 0;
      const never = define({
        handler: () => {
          calls++;
          return new Promise(() => {});
        },
      });
      const guest = await start(program(...call(EID, 0), ...endWith(ZERO)), { hypercalls: [never], clock });
      while (calls === 0) await new Promise((resolve) => setTimeout(resolve, 2));
      await new Promise((resolve) => setTimeout(resolve, 20));
      const { instructions } = guest;
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(guest.instructions).toBe(instructions);
      guest.close();
      expect(await guest.wait()).toEqual({ reason: "closed", status: 0 });
    }
  });

  it("that fails is the guest's error and the host's notice, and ends nothing", async () => {
    const notices: string[] = [];
    let n = 0;
    const failures = [
      () => {
        throw new Error("no such luck");
      },
      () => Promise.reject(new Error("nor later")),
      () => ({ error: 5 }),
      () => ({ error: -3, value: 7 }),
    ];
    const errors: number[] = [];
    const fails = define({ handler: () => failures[n++]() });
    const look = define({
      fid: 1,
      name: "look",
      args: { n: "i64" } as never,
      handler: ({ n }: { n: bigint }) => void errors.push(Number(n)),
    });
    const once = [...call(EID, 0), ...call(EID, 1)];
    const guest = await start(program(...once, ...once, ...once, ...once, ...endWith(ZERO)), {
      hypercalls: [fails, look],
      onNotice: (line) => notices.push(line),
    });
    expect(await guest.wait()).toMatchObject({ status: 0 });
    expect(errors).toEqual([-1, -1, -1, -3]);
    expect(notices).toEqual([
      "hypercall test failed, which the guest is told: no such luck",
      "hypercall test failed, which the guest is told: nor later",
      expect.stringMatching(/error 5 is no SBI error code.*further failures of it are not told$/),
    ]);
  });

  it("is in the firmware's range, has a number of its own, and no more arguments than registers", async () => {
    const handler = () => 0;
    const bad: [Partial<HypercallDefinition<never>>, RegExp][] = [
      [{ eid: 0x54494d45 }, /extension 0x54494d45 is not the caller's to define: write 0xa000000 to 0xaffffff/],
      [{ eid: OWN }, /is the hypervisor's own/],
      [{ eid: 1.5 }, /is not the caller's/],
      [{ fid: -1 }, /function -1 cannot be: write a whole number from 0 to 254/],
      [{ fid: 255 }, /function 255 cannot be/],
      [{ name: "a b" }, /is no name for a hypercall/],
      [{ args: { a: "u16" } as never }, /argument a has type "u16": write u32, u64/],
      [{ args: { "a-b": "u32" } as never }, /is no name for an argument/],
      [{ args: { a: "buffer-in", b: "buffer-out", c: "buffer-in", d: "u32" } as never }, /take 7 registers/],
      [{ handler: 3 as never }, /has no handler/],
    ];
    for (const [definition, message] of bad) expect(() => define({ handler, ...definition })).toThrow(message);
    const one = define({ handler });
    const kernel = program(...endWith(ZERO));
    await expect(start(kernel, { hypercalls: [one, one] })).rejects.toThrow(/has its number or name/);
    await expect(start(kernel, { hypercalls: [one, define({ fid: 3, handler })] })).rejects.toThrow(OptionError);
    const many = Array.from({ length: 65 }, (_, n) => define({ fid: n, name: `n${n}`, handler }));
    await expect(start(kernel, { hypercalls: many })).rejects.toThrow(/room for 64/);
    await expect(start(kernel, { hypercalls: [one], boot: "firmware", firmware: kernel })).rejects.toThrow(
      /firmware boot/,
    );
  });
});

describe("a policy", () => {
  const NULL_CALLS = 500;
  const flood = (calls: number) =>
    program(
      ...li(T0, calls),
      ...li(A7, OWN),
      addi(A6, ZERO, 0),
      addi(T1, ZERO, 0),
      ECALL,
      ((A0 << 20) | (T1 << 15) | (6 << 12) | (T1 << 7) | 0x33) >>> 0, // or t1, t1, a0
      addi(T0, T0, -1),
      bne(T0, ZERO, -3),
      ...endWith(ZERO),
    );
  const budget = (over: "delay" | "refuse"): Policy => ({
    calls: { budgets: { paravane_null: { operations: { size: 10, one_time_burst: 5, refill_time: 100 }, over } } },
  });

  it.each(["interpreter", "translator"] as const)(
    "delays calls in guest time, the same in every run: %s",
    async (tier) => {
      const run = async () => {
        const guest = await start(flood(NULL_CALLS), { policy: budget("delay"), tier });
        expect(await guest.wait()).toMatchObject({ status: 0 });
        return {
          seconds: guest.seconds,
          instructions: guest.instructions,
          budgets: guest.budgets(),
          counters: guest.counters(),
        };
      };
      const first = await run();
      // 15 at once, the others 10 ms each, up to a bucket ahead.
      expect(first.seconds).toBeGreaterThan((NULL_CALLS - 26) / 100);
      expect(first.seconds).toBeLessThan(NULL_CALLS / 100);
      expect(first.budgets[1]).toMatchObject({ name: "call paravane_null", refused: 0 });
      expect(first.counters).toContainEqual(expect.objectContaining({ name: "paravane", count: BigInt(NULL_CALLS) }));
      expect(await run()).toEqual(first);
    },
  );

  it("is the same in both tiers, to the instruction", async () => {
    const run = async (tier: "interpreter" | "translator") => {
      const guest = await start(flood(NULL_CALLS), { policy: budget("delay"), tier });
      await guest.wait();
      return [guest.seconds, guest.instructions];
    };
    expect(await run("translator")).toEqual(await run("interpreter"));
  });

  it("refuses calls, and tells of some of them", async () => {
    const told: unknown[] = [];
    const guest = await start(flood(NULL_CALLS), {
      policy: budget("refuse"),
      onRefusal: (refusal) => told.push(refusal),
    });
    await guest.wait();
    const refused = guest.counters().filter(({ kind }) => kind === "refused");
    expect(refused).toEqual([
      expect.objectContaining({ name: "paravane", register: 0, count: BigInt(NULL_CALLS - 15) }),
    ]);
    expect(guest.refusals).toBe(BigInt(NULL_CALLS - 15));
    expect(told).toHaveLength(8);
    expect(told[0]).toMatchObject({ eid: OWN, fid: 0, hart: 0, reason: "budget", missed: 0 });
  });

  it("keeps a guest from calls that it does not grant, however many it makes", async () => {
    const told: unknown[] = [];
    const served = define({ handler: () => expect.unreachable() });
    const guest = await start(
      program(
        ...li(T0, 100_000),
        ...li(A7, EID),
        addi(A6, ZERO, 0),
        ECALL,
        addi(T0, T0, -1),
        bne(T0, ZERO, -2),
        ...endWith(ZERO),
      ),
      { hypercalls: [served], policy: { calls: { deny: ["test"] } }, onRefusal: (refusal) => told.push(refusal) },
    );
    expect(await guest.wait()).toMatchObject({ status: 0 });
    expect(guest.refusals).toBe(100_000n);
    expect(told.length).toBeLessThanOrEqual(32);
    expect(told[0]).toMatchObject({ eid: EID, reason: "denied" });
  });

  it("moves a disk to the emulated form at the next reset, once its guest went past its budget", async () => {
    // Configuration space of the PCI slot that the first NVMe controller has: all ones if there is none.
    const LOOK = [...li(T0, 0x3001_0000), lw(T1, T0, 0), addi(T1, T1, 1)];
    const NULL_CALLS = Array.from({ length: 30 }, () => ECALL);
    const again = [...li(A7, OWN), addi(A6, ZERO, 0), ...NULL_CALLS, ...systemReset(1)];
    const kernel = program(...LOOK, bne(T1, ZERO, again.length + 1), ...again, addi(T1, ZERO, 1), ...endWith(T1));
    const notices: string[] = [];
    const run = async (over: "delay" | "emulate") => {
      let resets = 0;
      const guest = await start(kernel, {
        disks: [{ bytes: new Uint8Array(1 << 20) }],
        policy: { guest: { operations: { size: 5, refill_time: 10 }, over } },
        onNotice: (line) => notices.push(line),
        onReset: () => {
          if (++resets === 3) guest.close();
        },
      });
      return { ...(await guest.wait()), resets };
    };
    expect(await run("delay")).toEqual({ reason: "closed", status: 0, resets: 3 });
    expect(notices).toEqual([]);
    expect(await run("emulate")).toEqual({ reason: "power-off", status: 1, resets: 1 });
    expect(notices).toEqual(["disk0 went past its budget: from this reset on it is nvme, as the policy says"]);
  });

  it("is checked against what the guest is made of", async () => {
    const kernel = program(...systemReset(0));
    const bad: [Policy, NodeGuestOptions, RegExp][] = [
      [
        { guest: { memory: { limit: "8M" } } },
        {},
        /memory of 16777216 bytes is more than the policy's guest.memory.limit of 8388608/,
      ],
      [
        { devices: { disk0: { forms: ["emulated"] } } },
        { disks: [{ bytes: new Uint8Array(512) }] },
        /disk0 is paravirt/,
      ],
      [
        { devices: { disk1: { forms: ["emulated"] } } },
        { disks: [{ bytes: new Uint8Array(512) }] },
        /the guest has no disk1/,
      ],
      [{ calls: { deny: ["sbi_nothing"] } }, {}, /policy: calls.deny\[0\] is "sbi_nothing": there is no such call/],
      [{ calls: { deny: ["base"] } }, {}, /relies on BASE/],
    ];
    for (const [policy, options, message] of bad)
      await expect(start(kernel, { ...options, policy })).rejects.toThrow(message);
  });
});
