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
import { encode } from "../../src/isa/encode.ts";
import { addi, ECALL, lui, lw, program, sb, sw, systemReset } from "./instructions.ts";

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

  it("lets other harts run meanwhile: here one of them brings the answer about", async () => {
    let answer: (value: number) => void = () => {};
    const waits = define({ handler: () => new Promise<number>((resolve) => (answer = resolve)) });
    const harts: number[] = [];
    const brings = define({
      fid: 1,
      name: "brings",
      handler: (_: unknown, { hart }: { hart: number }) => {
        harts.push(hart);
        answer(7);
      },
    });
    const rest = [...call(EID, 0), addi(T1, A1, -7), ...endWith(T1)];
    const first = [addi(A0, ZERO, 1), addi(A2, ZERO, 0), ...call(0x48_534d, 0), ...rest];
    const WFI = 0x1050_0073;
    // Hart 1 has its first turn when that of hart 0 has ended, which waits by then.
    const second = [...call(EID, 1), WFI];
    const guest = await start(
      program(encode("auipc", { rd: A1, imm: 0 }), addi(A1, A1, 4 * (first.length + 2)), ...first, ...second),
      { hypercalls: [waits, brings], clock: "host", harts: 2 },
    );
    expect(await guest.wait()).toEqual({ reason: "power-off", status: 0 });
    expect(harts).toEqual([1]);
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

  it.each([true, false])(
    "keeps the transmitter of a serial port busy past its budget; the driver looks: %s",
    async (looks) => {
      const [UART, S0] = [0x1000_0000, 8];
      const BYTES = 60;
      const look = [
        encode("lbu", { rd: T1, rs1: T0, imm: 5 }),
        encode("andi", { rd: T1, rs1: T1, imm: 0x20 }),
        encode("beq", { rs1: T1, rs2: ZERO, imm: -8 }),
      ];
      const loop = [...(looks ? look : []), sb(T0, A0, 0), addi(S0, S0, -1)];
      let sent = 0;
      const guest = await start(
        program(
          ...li(T0, UART),
          addi(A0, ZERO, 120),
          addi(S0, ZERO, BYTES),
          ...loop,
          bne(S0, ZERO, -loop.length),
          ...endWith(ZERO),
        ),
        {
          policy: { devices: { console: { bytes: { size: 10, one_time_burst: 5, refill_time: 100 } } } },
          onOutput: (port, bytes) => {
            if (port === "ns16550a") sent += bytes.length;
          },
        },
      );
      expect(await guest.wait()).toMatchObject({ status: 0 });
      expect(sent).toBe(looks ? BYTES : 15);
      if (looks) expect(guest.seconds).toBeGreaterThan((BYTES - 26) / 100);
      expect(guest.budgets()[1]).toMatchObject({ name: "device console" });
    },
  );

  it("is checked against what the guest is made of", async () => {
    const kernel = program(...systemReset(0));
    const bad: [Policy, NodeGuestOptions, RegExp][] = [
      [
        { guest: { memory: { limit: "8M" } } },
        {},
        /memory of 16777216 bytes is more than the policy's guest.memory.limit of 8388608/,
      ],
      [
        { guest: { memory: { limit: "17M" } } },
        { pmem: [{ bytes: new Uint8Array(2 << 20) }] },
        /memory of 16777216 bytes and pmem of 2097152 are more than the policy's guest.memory.limit of 17825792/,
      ],
      [{ devices: { disk0: { receive: {} } } }, {}, /policy: devices.disk0.receive is .*network devices receive/],
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

describe("a guest with a limit of memory", () => {
  it("plugs no more than that, beside what it has", async () => {
    const guest = await start(program(0x6f), {
      hotplugMemory: "64M",
      policy: { guest: { memory: { limit: "24M" } } },
    });
    guest.setHotplugMemory(8 << 20);
    expect(guest.memory().hotplugTarget).toBe(8 << 20);
    expect(() => guest.setHotplugMemory(10 << 20)).toThrow(
      "10485760 bytes of hotplug memory beside the 16777216 that the guest has are more than the policy's guest.memory.limit of 25165824: write at most 8388608",
    );
    expect(guest.memory().hotplugTarget).toBe(8 << 20);
    await guest.close();
  });
});

describe("a budget that is changed while the guest runs", () => {
  const [UART, S0, BYTES] = [0x1000_0000, 8, 40];
  const look = [
    encode("lbu", { rd: T1, rs1: T0, imm: 5 }),
    encode("andi", { rd: T1, rs1: T1, imm: 0x20 }),
    encode("beq", { rs1: T1, rs2: ZERO, imm: -8 }),
  ];
  const loop = [...look, sb(T0, A0, 0), addi(S0, S0, -1)];
  const talks = program(
    ...li(T0, UART),
    addi(A0, ZERO, 120),
    addi(S0, ZERO, BYTES),
    ...loop,
    bne(S0, ZERO, -loop.length),
    ...endWith(ZERO),
  );

  it("holds at once, and lets go what it held", async () => {
    let sent = 0;
    let cameTo = (): void => {};
    const stuck = new Promise<void>((resolve) => {
      cameTo = resolve;
    });
    const guest = await start(talks, {
      policy: { devices: { console: { bytes: { size: 10, refill_time: 86_400_000 } } } },
      onOutput: (port, bytes) => {
        if (port !== "ns16550a") return;
        sent += bytes.length;
        if (sent === 10) cameTo();
      },
    });
    await stuck;
    guest.changeBudget("console", { bytes: { size: 5, refill_time: 86_400_000 } });
    await expect.poll(() => sent).toBe(15);
    guest.changeBudget("console", { bytes: null });
    expect(await guest.wait()).toMatchObject({ status: 0 });
    expect(sent).toBe(BYTES);
  });

  it("begins where there was none, and has a name", async () => {
    const guest = await start(program(0x6f), { disks: [{ bytes: new Uint8Array(512) }] });
    guest.changeBudget("disk0", { operations: { size: 7, one_time_burst: 2, refill_time: 1000 } });
    expect(guest.budgets()).toMatchObject([
      { name: "guest" },
      { name: "device disk0", operationsLeft: 9, bytesLeft: Number.POSITIVE_INFINITY },
    ]);
    guest.changeBudget("disk0", { bytes: { size: 512, refill_time: 1000 } });
    expect(guest.budgets()[1]).toMatchObject({ operationsLeft: 9, bytesLeft: 512 });
    expect(guest.budgets()).toHaveLength(2);
    const bad = { operations: { size: 0, refill_time: 1 } };
    expect(() => guest.changeBudget("disk0", bad)).toThrow(
      "policy: devices.disk0.operations.size is 0: write a whole number",
    );
    await guest.close();
  });
});

describe("a call in translated code", () => {
  const [S0, S1, T2, A3] = [8, 9, 7, 13];
  const [SSTATUS, SIE, STVEC, SIP] = [0x100, 0x104, 0x105, 0x144];
  const csr = (name: string, number: number, rs1: number) => encode(name, { rd: ZERO, rs1, imm: number });
  const ROUNDS = 3000;

  /** Sends itself an interrupt by a call, again and again, if need be with a fence of all translations behind it. */
  function interrupting(fences: boolean): Uint8Array {
    const fence = [
      ...li(A7, 0x5246_4e43),
      addi(A6, ZERO, 1),
      addi(A0, ZERO, 1),
      addi(A1, ZERO, 0),
      addi(A3, ZERO, -1),
      ECALL,
    ];
    const loop = [
      ...li(A7, 0x73_5049),
      addi(A6, ZERO, 0),
      addi(A0, ZERO, 1),
      addi(A1, ZERO, 0),
      ECALL,
      ...(fences ? fence : []),
      addi(S0, S0, -1),
    ];
    const body = [
      addi(T1, ZERO, 2),
      csr("csrrs", SIE, T1),
      csr("csrrs", SSTATUS, T1),
      ...li(S0, ROUNDS),
      addi(S1, ZERO, 0),
      ...loop,
      bne(S0, ZERO, -loop.length),
      ...li(T1, -ROUNDS),
      encode("add", { rd: T1, rs1: T1, rs2: S1 }),
      encode("sltu", { rd: T1, rs1: ZERO, rs2: T1 }),
      ...endWith(T1),
    ];
    const handler = [addi(S1, S1, 1), addi(T2, ZERO, 2), csr("csrrc", SIP, T2), encode("sret")];
    return program(
      encode("auipc", { rd: T0, imm: 0 }),
      addi(T0, T0, 4 * (body.length + 3)),
      csr("csrrw", STVEC, T0),
      ...body,
      ...handler,
    );
  }

  it.each([false, true])("is followed by the interrupt that it raised, fenced: %s", async (fences) => {
    const run = async (tier: "interpreter" | "translator" | "auto") => {
      const guest = await start(interrupting(fences), { tier });
      expect(await guest.wait()).toEqual({ reason: "power-off", status: 0 });
      return [guest.instructions, guest.seconds, guest.counters()];
    };
    const interpreted = await run("interpreter");
    expect(await run("translator")).toEqual(interpreted);
    expect(await run("auto")).toEqual(interpreted);
  });
});
