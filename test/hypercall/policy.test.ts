// What a policy can say, and how everything else is refused: by path, value, and what to write.
import { describe, expect, it } from "vitest";
import { OptionError } from "../../src/errors.ts";
import { CALLS, EXTENSIONS } from "../../src/hypercall/catalogue.ts";
import { defineHypercall } from "../../src/hypercall/define-hypercall.ts";
import { type Policy, parsePolicy } from "../../src/hypercall/policy.ts";
import { resolvePolicy } from "../../src/hypercall/resolve-policy.ts";

const BUCKET = { size: 100, one_time_burst: 10, refill_time: 1000 };

const FULL: Policy = {
  calls: {
    allow: ["time", "dbcn", "legacy", "paravane", "roll", "0x0a000001"],
    deny: ["sbi_console_getchar", "dbcn:1"],
    budgets: { dbcn: { bytes: BUCKET, over: "refuse" }, sbi_debug_console_write_byte: { operations: BUCKET } },
  },
  devices: {
    disk0: { forms: ["paravirt"], operations: BUCKET, bytes: BUCKET, over: "delay" },
    net1: { operations: BUCKET, over: "emulate" },
    console: { bytes: BUCKET },
  },
  egress: { bytes: BUCKET },
  guest: { operations: BUCKET, over: "delay", cpu: { weight: 50, cap: 0.5 }, memory: { limit: "1G" } },
};

const roll = defineHypercall({ eid: 0x0a00_0001, fid: 0, name: "roll", handler: () => 0 });

/** Message of what parsePolicy() says, without resolving names. */
function complaint(input: unknown): string {
  try {
    resolvePolicy(input as Policy, [roll]);
  } catch (error) {
    expect(error).toBeInstanceOf(OptionError);
    return (error as Error).message;
  }
  return "accepted";
}

describe("a policy", () => {
  it("says which calls, which devices, and how much", () => {
    expect(parsePolicy(FULL)).toEqual(FULL);
    const grants = resolvePolicy(FULL, [roll]);
    const name = (text: string) => [...CALLS, roll.row].find((row) => row.name === text);
    const isDenied = (text: string) => grants.denied.has(name(text) as never);
    expect(isDenied("sbi_console_getchar")).toBe(true);
    expect(isDenied("sbi_console_putchar")).toBe(false);
    expect(isDenied("sbi_debug_console_read")).toBe(true);
    expect(isDenied("sbi_debug_console_write")).toBe(false);
    expect(isDenied("sbi_send_ipi")).toBe(true);
    expect(isDenied("sbi_get_spec_version")).toBe(false);
    expect(isDenied("roll")).toBe(false);
    const budgetOf = (text: string) => grants.budgets[grants.callBudgets.get(name(text) as never) ?? 0].name;
    expect(budgetOf("sbi_debug_console_write")).toBe("call dbcn");
    expect(budgetOf("sbi_debug_console_write_byte")).toBe("call sbi_debug_console_write_byte");
    const deviceBudget = (slot: number) => grants.budgets[grants.deviceBudgets.get(slot) ?? 0].name;
    expect([0, 48, 49, 56].map(deviceBudget)).toEqual(["device disk0", "egress", "device net1", "device console"]);
    expect(grants).toMatchObject({ cpuCap: 0.5, memoryLimit: "1G" });
  });

  it("of nothing grants everything, and limits nothing", () => {
    const { denied, callBudgets, deviceBudgets, budgets } = resolvePolicy({});
    expect([denied.size, callBudgets.size, deviceBudgets.size, budgets.length]).toEqual([0, 0, 0, 1]);
  });

  it.each<[unknown, RegExp]>([
    [undefined, /^accepted$/],
    [null, /^the policy is null: write an object with calls, devices, egress, guest$/],
    [[], /^the policy is \[\]: write an object/],
    ["x", /^the policy is "x": write an object/],
    [{ cals: {} }, /^policy: cals is not known: write an object with calls, devices, egress, guest$/],
    [
      { calls: { budgets: { dbcn: { bytes: { size: -5, refill_time: 1 } } } } },
      /^policy: calls\.budgets\.dbcn\.bytes\.size is -5: write a whole number from 1 to 1099511627776$/,
    ],
    [{ calls: { budgets: { dbcn: { bytes: { size: 1.5, refill_time: 1 } } } } }, /size is 1\.5: write a whole number/],
    [
      { calls: { budgets: { dbcn: { bytes: { size: 5 } } } } },
      /^policy: calls\.budgets\.dbcn\.bytes\.refill_time is missing: write/,
    ],
    [
      { calls: { budgets: { dbcn: { bytes: { size: Number.NaN, refill_time: 1 } } } } },
      /size is NaN: write a whole number/,
    ],
    [
      { calls: { budgets: { dbcn: { bytes: { ...BUCKET, burst: 3 } } } } },
      /bytes\.burst is not known: write an object with size/,
    ],
    [
      { calls: { budgets: { dbcn: { over: "refuse" } } } },
      /^policy: calls\.budgets\.dbcn\.over is "refuse": give operations or bytes/,
    ],
    [
      { calls: { budgets: { dbcn: { bytes: BUCKET, over: "emulate" } } } },
      /over is "emulate": write "delay" or "refuse"/,
    ],
    [
      { calls: { budgets: { nothing: { bytes: BUCKET } } } },
      /^policy: calls\.budgets\.nothing is "nothing": there is no such call/,
    ],
    [{ calls: { budgets: { base: { operations: BUCKET, over: "refuse" } } } }, /guests rely on BASE/],
    [{ calls: { allow: ["time", 3] } }, /^policy: calls\.allow\[1\] is 3: write the name of a call$/],
    [{ calls: { allow: ["0x54494d45:1"] } }, /^policy: calls\.allow\[0\] is "0x54494d45:1": there is no such call/],
    [{ calls: { deny: ["BASE"] } }, /there is no such call/],
    [{ calls: { deny: ["0x10:3"] } }, /relies on BASE/],
    [{ calls: { deny: "time" } }, /^policy: calls\.deny is "time": write a list of at most 256 names of calls$/],
    [
      { calls: { deny: Array(300).fill("time") } },
      /^policy: calls\.deny is \["time",.*\.\.\.: write a list of at most 256/,
    ],
    [
      { devices: { disk48: {} } },
      /^policy: devices\.disk48 is "disk48": write disk0 to disk47, net0 to net7, or console$/,
    ],
    [
      { devices: { disk0: { over: "refuse" } } },
      /^policy: devices\.disk0\.over is "refuse": write "delay" or "emulate"$/,
    ],
    [{ devices: { console: { bytes: BUCKET, over: "emulate" } } }, /a console stays what it is/],
    [{ devices: { disk0: { forms: [] } } }, /^policy: devices\.disk0\.forms is \[\]: write a list/],
    [{ guest: { cpu: { cap: 1.5 } } }, /^policy: guest\.cpu\.cap is 1\.5: write a number of cores from 0\.01 to 1$/],
    [{ guest: { cpu: { weight: 0 } } }, /^policy: guest\.cpu\.weight is 0: write a whole number from 1 to 10000$/],
    [
      { guest: { memory: { limit: "lots" } } },
      /^policy: guest\.memory\.limit is "lots": write bytes, or a size such as "512M"$/,
    ],
    [{ guest: { memory: { limit: -1 } } }, /^policy: guest\.memory\.limit is -1: write bytes/],
    [
      JSON.parse('{"devices": {"__proto__": {"forms": []}}}'),
      /^policy: devices\.__proto__ is "no name of anything": leave it out$/,
    ],
  ])("%j is told", (input, message) => {
    expect(complaint(input)).toMatch(message);
  });
});

describe("10,000 random policies", () => {
  let state = 4711n;
  const random = (n: number) => {
    state = (state * 6364136223846793005n + 1442695040888963407n) & ((1n << 64n) - 1n);
    return Number((state >> 33n) % BigInt(n));
  };
  const pick = <T>(list: readonly T[]): T => list[random(list.length)];
  const names = [
    ...CALLS.map(({ name }) => name),
    ...EXTENSIONS.map(({ name }) => name),
    "legacy",
    "0x10",
    "dbcn:0",
    "roll",
  ];
  const strange: (() => unknown)[] = [
    () => null,
    () => random(5) - 2,
    () => 2 ** random(70),
    () => -0.5,
    () => Number.NaN,
    () => Number.POSITIVE_INFINITY,
    () => 10n ** 30n,
    () => "",
    () => "x".repeat(random(500)),
    () => "\u0000\n\u202e",
    () => true,
    () => [],
    () => [[[[[[[[]]]]]]]],
    () => ({}),
    () => ({ size: 1 }),
    () => () => 1,
    () => Symbol("x"),
    () => new Date(0),
    () => JSON.parse('{"__proto__": 1, "constructor": {}}'),
    () => {
      const cycle: Record<string, unknown> = {};
      cycle.calls = cycle;
      return cycle;
    },
  ];
  /** `value`, or something strange instead. */
  const mostly = (value: () => unknown): unknown => (random(12) === 0 ? pick(strange)() : value());
  const bucket = () =>
    mostly(() => ({
      size: mostly(() => 1 + random(1e6)),
      ...(random(2) ? { one_time_burst: mostly(() => random(1000)) } : {}),
      refill_time: mostly(() => 1 + random(10_000)),
    }));
  const object = (members: Record<string, () => unknown>) =>
    mostly(() => {
      const chosen = Object.entries(members).filter(() => random(2) === 0);
      if (random(25) === 0) chosen.push([pick(["x", "", "constructor", "__proto__", "sizes", "0"]), pick(strange)]);
      return Object.fromEntries(chosen.map(([key, make]) => [key, make()]));
    });
  const list = (make: () => unknown) => mostly(() => Array.from({ length: random(4) }, () => mostly(make)));
  const limits =
    (...over: string[]) =>
    () =>
      object({
        operations: bucket,
        bytes: bucket,
        ...(over.length > 0 ? { over: () => mostly(() => pick(over)) } : {}),
      });
  const byName = (make: () => unknown, name: () => string) =>
    mostly(() => Object.fromEntries(Array.from({ length: random(3) }, () => [name(), make()])));
  const policy = () =>
    object({
      calls: () =>
        object({
          allow: () => list(() => pick(names)),
          deny: () => list(() => pick(names)),
          budgets: () => byName(limits("delay", "refuse"), () => pick([...names, "nothing", "dbcn:9"])),
        }),
      devices: () =>
        byName(limits("delay", "emulate"), () =>
          pick(["disk0", "disk47", "net0", "console", "disk99", "eth0", "disk01"]),
        ),
      egress: limits(),
      guest: () =>
        object({
          operations: bucket,
          bytes: bucket,
          over: () => mostly(() => pick(["delay", "refuse", "emulate"])),
          cpu: () =>
            object({
              weight: () => mostly(() => 1 + random(10_000)),
              cap: () => mostly(() => (1 + random(100)) / 100),
            }),
          memory: () => object({ limit: () => mostly(() => pick(["512M", "1G", 2 ** 28])) }),
        }),
    });

  it("are accepted as they are, or refused in words", () => {
    const isBucket = (value: unknown) => {
      const { size, one_time_burst = 0, refill_time } = value as Record<string, number>;
      return (
        Number.isInteger(size) &&
        size >= 1 &&
        size <= 2 ** 40 &&
        Number.isInteger(one_time_burst) &&
        one_time_burst >= 0 &&
        one_time_burst <= 2 ** 40 &&
        Number.isInteger(refill_time) &&
        refill_time >= 1 &&
        refill_time <= 86_400_000
      );
    };
    let accepted = 0;
    for (let n = 0; n < 10_000; n++) {
      const input = policy();
      const message = complaint(input);
      if (message === "accepted") {
        accepted++;
        // What was accepted is what was said, and every bucket of it means something.
        if (input === undefined) continue;
        const parsed = parsePolicy(input);
        expect(parsed).toEqual(input);
        const { budgets, cpuCap } = resolvePolicy(parsed, [roll]);
        for (const { operations, bytes } of budgets) {
          for (const it of [operations, bytes]) if (it !== undefined) expect(isBucket(it)).toBe(true);
        }
        if (cpuCap !== undefined) expect(cpuCap >= 0.01 && cpuCap <= 1).toBe(true);
      } else {
        expect(message).toMatch(/^(the policy is|policy: ).+: .*(write|leave|give|name|attach)/s);
        expect(message.length).toBeLessThan(500);
      }
    }
    expect(accepted).toBeGreaterThan(1000);
    expect(accepted).toBeLessThan(9000);
  }, 120_000);
});
